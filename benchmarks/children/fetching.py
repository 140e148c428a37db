"""Bringing bytes from a server to disk, and what else a download consists of."""

from __future__ import annotations

import os
import time

from pathlib import Path
from typing import Any

from .common import Arguments, provider


def recording(a: Arguments, number: int = 0) -> Any:
    """Return a recording as a search would; Apache serves the same footage for all of them."""
    import datetime as dt

    import camsync

    length = dt.timedelta(seconds=a["seconds"])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc) + number * length
    return camsync.Recording(
        key=camsync.RecordingKey(
            provider="hikvision",
            device=camsync.DeviceId("APACHE-1"),
            channel=camsync.ChannelId("1"),
            start=start,
            item=f"x{number}",
        ),
        channel_name="",
        start=start,
        end=start + length,
        size=a["size"],
        raw={"playbackURI": f"rtsp://127.0.0.1/Streaming/tracks/101/?name=x{number}"},
    )


def _engine(link: Any, one: Any, final: Path, *, hashed: bool, durable: bool) -> None:
    """Fetch one recording with the engine alone: no look at the footage."""
    from camsync import RetryPolicy
    from camsync.download._engine import Fetch
    from camsync.download._files import PartFile
    from camsync.download._progress import Reporter

    with PartFile(final, hashed=hashed) as part:
        fetch = Fetch(
            link,
            one,
            part,
            Reporter(one, None, index=1, count=1),
            policy=RetryPolicy(attempts=1),
            cancel=None,
            reserve=0,
        )
        fetch.run(lambda: None)
        if hashed:
            part.digest()
        if durable:
            part.place(final)
        else:
            part.path.rename(final)


def engine(a: Arguments) -> None:
    """Fetch one or more recordings, in so many threads."""
    folder = Path(a["dest"])
    count, streams = a.get("count", 1), a.get("streams", 1)
    with provider(a) as link:

        def fetch(number: int) -> None:
            final = folder / f"{number}.mpg"
            _engine(
                link,
                recording(a, number),
                final,
                hashed=a.get("hashed", False),
                durable=a.get("durable", True),
            )

        if streams == 1:
            for number in range(count):
                fetch(number)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(streams) as pool:
            list(pool.map(fetch, range(count)))


def download(a: Arguments) -> None:
    """`camsync.download`: fetched, looked through, hashed, durable and named."""
    import camsync

    with provider(a) as link:
        camsync.download(
            link, recording(a), a["dest"], container=a.get("container", "original"), min_free=0
        )


def download_many(a: Arguments) -> None:
    """`camsync.download_many`, or `camsync.download` in so many threads."""
    import camsync

    wanted = [recording(a, number) for number in range(a["count"])]
    with provider(a) as link:
        if a.get("streams", 1) == 1:
            done = list(camsync.download_many(link, wanted, a["dest"], container="original"))
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(a["streams"]) as pool:
                done = list(
                    pool.map(
                        lambda one: camsync.download(link, one, a["dest"], container="original"),
                        wanted,
                    )
                )
    assert all(isinstance(one, camsync.Downloaded) for one in done), done


def durable(a: Arguments) -> None:
    """The engine with everything that makes a file last: fsync, name, folder, catalogue row."""
    import camsync

    one = recording(a)
    folder = Path(a["dest"])
    with provider(a) as link, camsync.Catalogue(folder / "catalogue.sqlite3") as catalogue:
        holdings = catalogue.at(folder)
        batch = holdings.begin_batch()
        holdings.observe([one], batch=batch)
        final = folder / "0.mpg"
        _engine(link, one, final, hashed=False, durable=True)
        done = camsync.Downloaded(
            recording=one,
            path=final,
            size=a["size"],
            container="mpeg-ps",
            start=one.start,
            end=one.end,
        )
        holdings.verified(done, batch=batch)


def naive(a: Arguments) -> None:
    """What the peers do: requests, and a loop over ``iter_content(8192)``."""
    import requests

    from requests.auth import HTTPDigestAuth

    session = requests.Session()
    session.auth = HTTPDigestAuth(a["user"], a["password"])
    # Given with each request: the environment's REQUESTS_CA_BUNDLE outdoes a session's.
    verify = a["ca"] if a["https"] else True
    for number in range(a.get("count", 1)):
        url = a["url"] if a.get("count", 1) == 1 else f"{a['files']}/{number}"
        reply = session.get(url, stream=True, timeout=60, verify=verify)
        reply.raise_for_status()
        with Path(a["dest"], f"{number}.ps").open("wb") as file:
            for block in reply.iter_content(8192):  # noqa: FURB122 - the loop that is common
                file.write(block)
            if a.get("durable", True):
                file.flush()
                os.fsync(file.fileno())


def idle(a: Arguments) -> None:
    """Import camsync and do nothing."""
    import camsync

    assert camsync.__doc__


def calls(a: Arguments) -> None:
    """So many small calls with Digest; tells the microseconds of each."""
    with provider(a) as link:
        link._client.get("System/deviceInfo")  # noqa: SLF001 - one request, whatever it is
        begun = time.perf_counter()
        for _ in range(a["count"]):
            link._client.get("System/deviceInfo")  # noqa: SLF001 - one request, whatever it is
        print((time.perf_counter() - begun) / a["count"] * 1e6)


def calls_requests(a: Arguments) -> None:
    """The same with a session of requests."""
    import requests

    from requests.auth import HTTPDigestAuth

    session = requests.Session()
    session.auth = HTTPDigestAuth(a["user"], a["password"])
    url = a["url"].replace("ContentMgmt/download", "System/deviceInfo")
    session.get(url, timeout=60).raise_for_status()
    begun = time.perf_counter()
    for _ in range(a["count"]):
        session.get(url, timeout=60).raise_for_status()
    print((time.perf_counter() - begun) / a["count"] * 1e6)


def first_byte(a: Arguments) -> None:
    """Open a download and leave at its first bytes."""
    with provider(a) as link, link.open(recording(a)) as stream:
        assert stream.readinto(memoryview(bytearray(4096)))
        os._exit(0)


def first_byte_requests(a: Arguments) -> None:
    """The same with requests."""
    import requests

    from requests.auth import HTTPDigestAuth

    login = HTTPDigestAuth(a["user"], a["password"])
    reply = requests.get(a["url"], auth=login, stream=True, timeout=60)
    assert next(reply.iter_content(4096))
    os._exit(0)


def remux(a: Arguments) -> None:
    """Put a file into MP4 with camsync's media stage."""
    import datetime as dt

    from camsync.download import media
    from camsync.download._walk import HEAD, sniff

    with Path(a["source"]).open("rb", buffering=0) as source:
        head = sniff(source.read(HEAD))
        plan = media.Plan(head=head, created=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc))
        with Path(a["target"]).open("w+b", buffering=0) as target:
            source.seek(0)
            media.remux(source, target, plan)
