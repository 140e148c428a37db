"""What the children do: ``python child.py NAME '{"argument": …}'``.

Each function is a program of its own; it imports what it needs and nothing else, because start and
memory of the whole process are measured.
"""

from __future__ import annotations

import json
import os
import sys
import time

from pathlib import Path
from typing import Any


Arguments = dict[str, Any]


def provider(a: Arguments) -> Any:
    """Return a provider for an address."""
    import camsync

    return camsync.HikvisionISAPI(
        "127.0.0.1",
        a["user"],
        a["password"],
        port=a["port"],
        https=a["https"],
        verify=a["ca"] if a["https"] else True,
        retry=camsync.RetryPolicy(attempts=1),
    )


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


# -- Searching -----------------------------------------------------------------------------------

_MATCH = (
    "<searchMatchItem><sourceID>{0}</sourceID><trackID>101</trackID><timeSpan>"
    "<startTime>2026-09-26T%02d:%02d:39Z</startTime><endTime>2026-09-26T%02d:%02d:57Z</endTime>"
    "</timeSpan><mediaSegmentDescriptor><contentType>video</contentType><codecType>H.264-BP"
    "</codecType><playbackURI>rtsp://192.168.1.64/Streaming/tracks/101/?starttime=x&amp;endtime=y"
    "&amp;name=%017d&amp;size=1063577704</playbackURI></mediaSegmentDescriptor><metadataMatches>"
    "<metadataDescriptor>recordType.meta.hikvision.com/timing</metadataDescriptor>"
    "</metadataMatches></searchMatchItem>"
)


def _page(first: int, count: int) -> bytes:
    items = (
        _MATCH % (n // 60 % 24, n % 60, n // 60 % 24, n % 60, n)
        for n in range(first, first + count)
    )
    head = "<CMSearchResult><responseStatusStrg>MORE</responseStatusStrg><matchList>"
    return f"{head}{''.join(items)}</matchList></CMSearchResult>".encode()


def _by_camsync() -> Any:
    import datetime as dt

    from camsync._time import UTC, DeviceClock, ZMeaning
    from camsync.providers.hikvision import _xml
    from camsync.providers.hikvision._matches import Maker, read_page

    clock = DeviceClock(zone=dt.timezone(dt.timedelta(hours=8)), z_means=ZMeaning.LOCAL)
    newest = dt.datetime(2030, 1, 1, tzinfo=UTC)
    maker = Maker(device="S", clock=clock, channel_name="", newest=newest)
    return lambda page: len(maker.recordings(read_page(_xml.parse(page, "x")).matches))


def _by_xmltodict() -> Any:
    import xmltodict

    return lambda page: len(xmltodict.parse(page)["CMSearchResult"]["matchList"]["searchMatchItem"])


def _by_etree() -> Any:
    from xml.etree import ElementTree as ET

    paths = (
        "trackID",
        "timeSpan/startTime",
        "timeSpan/endTime",
        "mediaSegmentDescriptor/playbackURI",
        "metadataMatches/metadataDescriptor",
    )

    def parse_page(page: bytes) -> int:
        items = ET.fromstring(page).iter("searchMatchItem")
        return len([[item.findtext(path) for path in paths] for item in items])

    return parse_page


def parse(a: Arguments) -> None:
    """Read so many matches, page by page; making the pages is not counted."""
    makers = {"camsync": _by_camsync, "xmltodict": _by_xmltodict, "etree": _by_etree}
    work = makers[a["kind"]]()
    seconds, found = 0.0, 0
    for first in range(0, a["count"], a["page"]):
        page = _page(first, a["page"])
        begun = time.perf_counter()
        found += work(page)
        seconds += time.perf_counter() - begun
    assert found == a["count"], found
    print(json.dumps({"seconds": seconds, "microseconds": seconds / found * 1e6}))


def serve_recordings(a: Arguments) -> None:
    """Play a recorder with one channel until the input ends."""
    from camsync.testing import RecorderSimulator

    simulator = RecorderSimulator(
        model="DS-7616NI-E2", channels=1, hours=a["hours"], timezone="CST-0:00:00"
    )
    with simulator:
        login = {"user": simulator.username, "password": simulator.password}
        print(json.dumps({**a, **login, "port": simulator.port, "https": False}), flush=True)
        sys.stdin.read()


def search(a: Arguments) -> None:
    """`search` over everything; the recordings are counted, not kept."""
    import camsync

    with provider(a) as link:
        span = camsync.TimeSpan.last(hours=a["hours"] + 1)
        print(json.dumps({"found": sum(1 for _ in link.search(link.channels()[0], span))}))


def search_peer(a: Arguments) -> None:
    """What the peers do: requests and xmltodict, a page after the other of every day."""
    import datetime as dt
    import uuid

    import requests
    import xmltodict

    from requests.auth import HTTPDigestAuth

    session = requests.Session()
    session.auth = HTTPDigestAuth(a["user"], a["password"])
    url = f"http://127.0.0.1:{a['port']}/ISAPI/ContentMgmt/search"
    end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
    day, found = end - dt.timedelta(hours=a["hours"] + 2), set()
    while day < end:
        after = min(day + dt.timedelta(days=1), end)
        search_id, position = uuid.uuid4(), 0
        while True:
            body = (
                f'<CMSearchDescription version="1.0"><searchID>{{{search_id}}}</searchID>'
                "<trackList><trackID>101</trackID></trackList><timeSpanList><timeSpan>"
                f"<startTime>{day:%Y-%m-%dT%H:%M:%SZ}</startTime>"
                f"<endTime>{after:%Y-%m-%dT%H:%M:%SZ}</endTime></timeSpan></timeSpanList>"
                f"<maxResults>40</maxResults><searchResultPostion>{position}"
                "</searchResultPostion></CMSearchDescription>"
            )
            reply = session.post(url, data=body, timeout=60)
            reply.raise_for_status()
            answer = xmltodict.parse(reply.content, force_list=("searchMatchItem",))
            answer = answer["CMSearchResult"]
            items = (answer.get("matchList") or {}).get("searchMatchItem", [])
            found.update(one["mediaSegmentDescriptor"]["playbackURI"] for one in items)
            position += len(items)
            if answer["responseStatusStrg"] != "MORE" or not items:
                break
        day = after
    print(json.dumps({"found": len(found)}))


# -- Syncing -------------------------------------------------------------------------------------

_SEGMENT = 60


def serve_footage(a: Arguments) -> None:
    """Play a recorder until the input ends; each line of it asks for the counters.

    Its clock stands still, so that nothing new is recorded while runs are compared.
    """
    import datetime as dt
    import threading

    from camsync.testing import RecorderSimulator

    now = dt.datetime.now(dt.timezone.utc)
    simulator = RecorderSimulator(
        model="DS-7616NI-E2",
        channels=a["channels"],
        hours=(-(-a["files"] // a["channels"]) + 4) * _SEGMENT / 3600,
        segment_seconds=_SEGMENT,
        bitrate=a["size"] * 8 // _SEGMENT,
        bandwidth=a["each"],
        total_bandwidth=a["total"],
        max_downloads=a["sessions"],
        timezone="CST-0:00:00",
        clock=lambda: now,
    )
    over = threading.Event()
    with simulator:
        if a["drops"]:
            threading.Thread(target=_drop, args=(simulator, a["drops"], over), daemon=True).start()
        login = {"user": simulator.username, "password": simulator.password}
        told = {"port": simulator.port, "https": False, "channels": a["channels"]}
        print(json.dumps({**login, **told}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(_counters(simulator)), flush=True)
            simulator.reset_counters()
        over.set()


def _downloads(simulator: Any) -> list[int]:
    return [one.status for one in simulator.requests_log if one.path.endswith("/download")]


def _counters(simulator: Any) -> dict[str, int]:
    statuses = _downloads(simulator)
    refused = sum(status in {403, 503} for status in statuses)
    return {"requests": simulator.requests, "downloads": len(statuses), "refused": refused}


def _drop(simulator: Any, share: float, over: Any) -> None:
    """Break off that share of the downloads."""
    name = "drop-in-middle"
    while not over.wait(0.05):
        due = len(_downloads(simulator)) * share
        if name not in simulator.faults and simulator.fault_hits.get(name, 0) < due:
            simulator.enable(name, 1)


def sync(a: Arguments) -> None:
    """One run of `camsync.sync`, all of it."""
    import datetime as dt

    import camsync

    folder = Path(a["dest"])
    with provider(a) as link:
        report = camsync.sync(
            camsync.Source(provider=link, label="recorder"),
            folder / "footage",
            since=dt.timedelta(days=2),
            catalogue=folder / "catalogue.sqlite3",
            container="original",
            concurrency=16,
            min_free=0,
        )
    failed = len(report.failed)
    print(json.dumps({"files": len(report.downloaded), "failed": failed}))


def fetch_fixed(a: Arguments) -> None:
    """`camsync.download` in so many threads, without a catalogue."""
    from concurrent.futures import ThreadPoolExecutor

    import camsync

    def fetch(one: Any) -> int:
        try:
            camsync.download(link, one, a["dest"], container="original", min_free=0)
        except camsync.CamsyncError:
            return 0
        return 1

    with provider(a) as link:
        span = camsync.TimeSpan.last(hours=48)
        wanted = [
            one
            for channel in link.channels()
            for one in link.search(channel, span)
            if not one.in_progress
        ]
        with ThreadPoolExecutor(a["streams"]) as pool:
            print(json.dumps({"files": sum(pool.map(fetch, wanted))}))


def hikload(a: Arguments) -> None:
    """What HikLoad's own loop does, with its own client (runs in its environment)."""
    import datetime as dt

    from hikload.hikvisionapi import HikvisionServer

    server = HikvisionServer(f"127.0.0.1:{a['port']}", a["user"], a["password"])
    search = server.ContentMgmt.search
    now = dt.datetime.now(dt.timezone.utc)
    begin, end = (f"{now + dt.timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-48, 1))
    files = 0
    for channel in range(1, a["channels"] + 1):
        found = search.getPastRecordingsForID(f"{channel}01", begin, end)["CMSearchResult"]
        items = found["matchList"]["searchMatchItem"]
        for number, item in enumerate(items if isinstance(items, list) else [items]):
            try:
                reply = search.downloadURI(item["mediaSegmentDescriptor"]["playbackURI"])
            except Exception:  # noqa: BLE001 - whatever it raises, its loop goes on, too
                continue
            Path(a["dest"], f"{channel}-{number}.mp4").write_bytes(reply.content)
            files += 1
    print(json.dumps({"files": files}))


# -- The catalogue -------------------------------------------------------------------------------

_DEST = "/footage"
_CHANNELS = 64
_LENGTH = 600
_OBSERVED = 6_400
_COPIES = f"""
INSERT INTO camsync_recording (
    channel_id, track_id, key_start, item, start, "end", size, kind, state, first_seen, last_seen
)
WITH RECURSIVE number(n) AS (
    SELECT CAST(:first AS INTEGER) UNION ALL SELECT n + 1 FROM number WHERE n < :last
)
SELECT channel_id, track_id, key_start + n * {_LENGTH}, 'copy-' || n, start + n * {_LENGTH},
    "end" + n * {_LENGTH}, size, kind, state, first_seen, last_seen
FROM camsync_recording, number
WHERE start = (SELECT min(start) FROM camsync_recording)
"""
"""The first round of all channels again and again, later each time."""


def _listed(first: int, count: int) -> list[Any]:
    """Return recordings as searches list them: 64 channels, ten minutes each."""
    import datetime as dt

    import camsync

    begin = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
    found = []
    for number in range(first, first + count):
        start = begin + dt.timedelta(seconds=number // _CHANNELS * _LENGTH)
        channel = camsync.ChannelId(str(number % _CHANNELS + 1))
        key = camsync.RecordingKey(
            provider="hikvision",
            device=camsync.DeviceId("DS-BENCH"),
            channel=channel,
            start=start,
            item=f"{number:017d}",
        )
        end = start + dt.timedelta(seconds=_LENGTH)
        one = camsync.Recording(
            key=key, channel_name=f"Camera {channel}", start=start, end=end, size=1
        )
        found.append(one)
    return found


def fill_catalogue(a: Arguments) -> None:
    """Enter so many recordings, and mark them as held; the last of them stay to be done."""
    import sqlalchemy as sa

    import camsync

    with camsync.Catalogue(a["place"]) as catalogue:
        holdings = catalogue.at(_DEST)
        batch = holdings.begin_batch()
        with catalogue.reading() as connection:
            held = connection.execute(sa.text("SELECT count(*) FROM camsync_recording")).scalar()
        if not held:
            holdings.observe(_listed(0, _OBSERVED), batch=batch)
            held = _OBSERVED
        rounds = {"first": held // _CHANNELS, "last": a["rows"] // _CHANNELS - 1}
        with catalogue.writing() as connection:
            connection.execute(sa.text(_COPIES), rounds)
        with catalogue.writing() as connection:
            connection.execute(
                sa.text(
                    "UPDATE camsync_recording SET state = 'verified', path = 'Cam/' || id || '.mp4',"
                    " file_size = 1, done_at = last_seen WHERE path IS NULL"
                )
            )
        with catalogue.engine.connect() as connection:
            connection.execute(sa.text("ANALYZE"))
            connection.commit()
            if catalogue.engine.dialect.name == "postgresql":
                query = sa.text("SELECT pg_total_relation_size('camsync_recording')")
                size = connection.execute(query).scalar()
            else:
                size = Path(a["place"]).stat().st_size
    print(json.dumps({"bytes": size}))


def use_catalogue(a: Arguments) -> None:
    """Time what a sync does with a catalogue, each operation on its own."""
    import itertools

    import camsync

    times: dict[str, list[float]] = {}
    begun = time.perf_counter()
    with camsync.Catalogue(a["place"]) as catalogue:
        holdings = catalogue.at(_DEST)
        times["open"] = [time.perf_counter() - begun]
        batch = holdings.begin_batch()
        old = [one.key for one in _listed(0, _OBSERVED)]
        news = itertools.count(100_000_000 + time.time_ns() % 10**8, 100)
        span = camsync.TimeSpan(old[0].start, old[-1].start)

        def fetch_one() -> None:
            (one,) = _listed(next(news), 1)
            holdings.observe([one], batch=batch)
            assert holdings.lease(one.key, owner="me", seconds=60)
            holdings.begin(one.key, owner="me")
            path = Path(_DEST, "Cam", f"{one.key.item}.mp4")
            done = camsync.Downloaded(
                recording=one, path=path, size=1, container="mp4", start=one.start, end=one.end
            )
            holdings.verified(done, batch=batch)

        def plan() -> None:
            fresh = _listed(next(news), 100)
            holdings.observe(fresh, batch=batch)
            assert holdings.plan([one.key for one in fresh], batch=batch) == 100

        work = {
            "find": lambda: holdings.find([old[3_000]]),
            "find 100": lambda: holdings.find(old[2_000:2_100]),
            "observe 100": lambda: holdings.observe(_listed(next(news), 100), batch=batch),
            "plan 100": plan,
            "fetch one": fetch_one,
            "mark": lambda: holdings.mark_of("DS-BENCH", "7"),
            "coverage of a day": lambda: holdings.coverage("DS-BENCH", "7", span),
            "first 100 entries": lambda: list(holdings.entries(limit=100)),
        }
        for name, each in work.items():
            times[name] = []
            for _ in range(a["rounds"]):
                begun = time.perf_counter()
                each()
                times[name].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        assert sum(1 for _ in holdings.entries())
        times["all entries"] = [time.perf_counter() - begun]
    print(json.dumps(times))


if __name__ == "__main__":
    name, text = sys.argv[1:]
    globals()[name](json.loads(text))
