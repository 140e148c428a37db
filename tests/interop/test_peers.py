"""Other people's clients against the simulator: it must satisfy those who know real recorders.

What differs is explained where it is asserted. The peers live in a virtual environment of their
own (``CAMSYNC_PEERS_PYTHON``), because hikload pins an old requests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap

from collections.abc import Iterator
from pathlib import Path

import pytest

from camsync.testing import RecorderSimulator


PEERS = os.environ.get("CAMSYNC_PEERS_PYTHON", "")
CURL = shutil.which("curl")
needs_peers = pytest.mark.skipif(
    not PEERS, reason="CAMSYNC_PEERS_PYTHON is not set: use nox -s interop"
)
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")


@pytest.fixture
def simulator() -> Iterator[RecorderSimulator]:
    """Play an old recorder, which takes GET and POST and any list tag."""
    with RecorderSimulator(
        model="DS-7616NI-E2", channels=2, hours=1, segment_seconds=60, timezone="CST-0:00:00"
    ) as simulator:
        yield simulator


def _search_body(track: int) -> str:
    return (
        '<CMSearchDescription version="1.0"><searchID>{CA77BA52-0780-0001-34B2-6120F2501D36}</searchID>'
        f"<trackList><trackID>{track}</trackID></trackList><timeSpanList><timeSpan>"
        "<startTime>2020-01-01T00:00:00Z</startTime><endTime>2036-01-01T00:00:00Z</endTime>"
        "</timeSpan></timeSpanList><maxResults>40</maxResults>"
        "<searchResultPostion>0</searchResultPostion></CMSearchDescription>"
    )


def _curl(simulator: RecorderSimulator, path: str, body: str, target: Path, *more: str) -> int:
    config = target.with_suffix(".netrc")
    config.write_text(
        f"machine {simulator.host} login {simulator.username} password {simulator.password}\n"
    )
    config.chmod(0o600)
    command = [
        str(CURL),
        "--silent",
        "--show-error",
        "--fail",
        "--digest",
        "--netrc-file",
        str(config),
    ]
    command += ["--data-binary", body] if body else []
    command += ["--output", str(target), *more, f"{simulator.url}/ISAPI/{path}"]
    return subprocess.run(command, check=False, timeout=60).returncode


@needs_curl
def test_curl_lists_searches_and_downloads(simulator, tmp_path):
    """Curl's Digest is independent of ours; the file it gets is the recorder's, byte for byte."""
    recording = simulator.recordings(1)[2]
    listing, found, footage = tmp_path / "a.xml", tmp_path / "b.xml", tmp_path / "c.ps"

    assert _curl(simulator, "ContentMgmt/InputProxy/channels", "", listing) == 0
    assert listing.read_text().count("<InputProxyChannel ") == 2
    assert _curl(simulator, "ContentMgmt/search", _search_body(101), found) == 0
    uri = next(line for line in found.read_text().splitlines() if recording.name in line)
    uri = uri.partition("<playbackURI>")[2].partition("</playbackURI>")[0]
    body = f'<downloadRequest version="1.0"><playbackURI>{uri}</playbackURI></downloadRequest>'
    assert _curl(simulator, "ContentMgmt/download", body, footage) == 0
    assert footage.read_bytes() == b"".join(simulator.content(recording))
    # curl throws each nonce away, so it pays a 401 per request where camsync pays one in all.
    assert simulator.unauthorized == 3


def _peer(script: str, simulator: RecorderSimulator) -> dict[str, object]:
    environment = {
        **os.environ,
        "HOST": f"{simulator.host}:{simulator.port}",
        "NAME": simulator.username,
        "SECRET": simulator.password,
    }
    done = subprocess.run(
        [PEERS, "-c", textwrap.dedent(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


@needs_peers
def test_hikload_lists_searches_and_downloads(simulator, tmp_path):
    """HikLoad's client finds the channels and recordings and fetches one, byte for byte."""
    target = tmp_path / "hikload.ps"
    answer = _peer(
        f"""
        import json, os
        from hikload.hikvisionapi import HikvisionServer
        server = HikvisionServer(os.environ["HOST"], os.environ["NAME"], os.environ["SECRET"])
        channels = server.Streaming.getChannels()["StreamingChannelList"]["StreamingChannel"]
        search = server.ContentMgmt.search
        found = search.getPastRecordingsForID("101", "2020-01-01T00:00:00Z", "2036-01-01T00:00:00Z")
        items = found["CMSearchResult"]["matchList"]["searchMatchItem"]
        uri = items[2]["mediaSegmentDescriptor"]["playbackURI"]
        open({str(target)!r}, "wb").write(search.downloadURI(uri).content)
        names = [item["mediaSegmentDescriptor"]["playbackURI"] for item in items]
        print(json.dumps({{"channels": [one["id"] for one in channels], "names": names}}))
        """,
        simulator,
    )
    truth = [one for one in simulator.recordings(1) if one.track == 101]

    assert answer["channels"] == ["101", "102", "201", "202"]
    names = answer["names"]
    assert isinstance(names, list)
    assert all(any(one.name in uri for uri in names) for one in truth)
    # HikLoad pages by starting again at the last item's start, so seams come twice: it lists
    # more than there is, where camsync lists each recording once.
    assert len(names) >= len(truth)
    assert target.read_bytes() == b"".join(simulator.content(truth[2]))
    # A new login object per call: half of all its requests are refused first.
    assert simulator.unauthorized * 2 == simulator.requests


@needs_peers
def test_hikvisionapi_reads_the_device(simulator):
    """The client hikvisionapi reads device, channels and status."""
    answer = _peer(
        """
        import json, os
        from hikvisionapi import Client
        client = Client("http://" + os.environ["HOST"], os.environ["NAME"], os.environ["SECRET"])
        device = client.System.deviceInfo(method="get")["DeviceInfo"]
        proxies = client.ContentMgmt.InputProxy.channels(method="get")["InputProxyChannelList"]
        print(json.dumps({
            "model": device["model"],
            "names": [one["name"] for one in proxies["InputProxyChannel"]],
        }))
        """,
        simulator,
    )

    assert answer["model"] == "DS-7616NI-E2"
    assert len(answer["names"]) == 2  # type: ignore[arg-type]
