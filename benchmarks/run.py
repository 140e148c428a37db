"""Measures camsync side by side with something known, and prints the figures.

``nox -s bench`` runs it. Nothing here is a test: a figure depends on the machine, so each is given
as a ratio against a run of something else beside it, the median of several paired rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

from collections.abc import Iterator
from pathlib import Path
from typing import Any


SERVER = """
import sys, time
from camsync.testing import RecorderSimulator
size, seconds = int(sys.argv[1]), 268.0
simulator = RecorderSimulator(
    channels=1, hours=0.2, segment_seconds=seconds, bitrate=int(size * 8 / seconds)
)
with simulator:
    one = simulator.recordings(1)[0]
    print(simulator.port, simulator.password, one.size, flush=True)
    sys.stdin.read()
"""

CLIENT = """
import os, resource, sys, time
import camsync
port, password, container, dest = sys.argv[1:]
provider = camsync.HikvisionISAPI("127.0.0.1", "admin", password, port=int(port))
recording = next(provider.search(provider.channels()[0], camsync.TimeSpan.last(hours=1)))
begun = time.monotonic()
done = camsync.download(provider, recording, dest, container=container)
took = time.monotonic() - begun
provider.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, took, done.path, done.duration)
"""

PARSE = """
import sys, time
import datetime as dt
import xmltodict
from camsync._time import DeviceClock, ZMeaning, UTC
from camsync.providers.hikvision import _xml
from camsync.providers.hikvision._matches import Maker, read_page
item = (
    "<searchMatchItem><sourceID>{0}</sourceID><trackID>101</trackID><timeSpan>"
    "<startTime>2026-09-26T%02d:%02d:39Z</startTime><endTime>2026-09-26T%02d:%02d:57Z</endTime>"
    "</timeSpan><mediaSegmentDescriptor><contentType>video</contentType><codecType>H.264-BP"
    "</codecType><playbackURI>rtsp://192.168.1.64/Streaming/tracks/101/?starttime=x&amp;endtime=y"
    "&amp;name=%017d&amp;size=1063577704</playbackURI></mediaSegmentDescriptor><metadataMatches>"
    "<metadataDescriptor>recordType.meta.hikvision.com/timing</metadataDescriptor>"
    "</metadataMatches></searchMatchItem>"
)
count = 40
items = "".join(item % (n // 60, n % 60, n // 60, n % 60, n) for n in range(count))
page = ("<CMSearchResult><responseStatusStrg>OK</responseStatusStrg><matchList>" + items
        + "</matchList></CMSearchResult>").encode()
clock = DeviceClock(zone=dt.timezone(dt.timedelta(hours=8)), z_means=ZMeaning.LOCAL)
now = dt.datetime(2030, 1, 1, tzinfo=UTC)
maker = Maker(device="S", clock=clock, channel_name="", newest=now)
def ours():
    assert len(maker.recordings(read_page(_xml.parse(page, "x")).matches)) == count
def theirs():
    xmltodict.parse(page)
def best(work):
    times = []
    for _ in range(15):
        begun = time.perf_counter()
        for _ in range(20):
            work()
        times.append((time.perf_counter() - begun) / 20 / count * 1e6)
    return min(times)
print(best(ours), best(theirs))
"""


def _python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(script), *arguments]


@contextlib.contextmanager
def _recorder(size: int) -> Iterator[tuple[str, str, int]]:
    process = subprocess.Popen(
        _python(SERVER, str(size)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port, password, real = process.stdout.readline().split()
        yield port, password, int(real)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def _curl(port: str, password: str, folder: Path, uri: str) -> float:
    config = folder / "netrc"
    config.write_text(f"machine 127.0.0.1 login admin password {password}\n")
    config.chmod(0o600)
    body = f'<downloadRequest version="1.0"><playbackURI>{uri}</playbackURI></downloadRequest>'
    begun = time.monotonic()
    command = ["curl", "-s", "-f", "--digest", "--netrc-file", str(config), "--data-binary", body]
    command += [
        "-o",
        str(folder / "curl.ps"),
        f"http://127.0.0.1:{port}/ISAPI/ContentMgmt/download",
    ]
    subprocess.run(command, check=True)
    return time.monotonic() - begun


URI = """
import sys
import camsync
port, password = sys.argv[1:]
with camsync.HikvisionISAPI("127.0.0.1", "admin", password, port=int(port)) as provider:
    one = next(provider.search(provider.channels()[0], camsync.TimeSpan.last(hours=1)))
    print(one.raw["playbackURI"].replace("&", "&amp;"))
"""


def measure_download(size: int, rounds: int) -> dict[str, Any]:
    """Download one big recording: memory of the whole process, wall time against curl."""
    figures: dict[str, Any] = {"bytes": size}
    with tempfile.TemporaryDirectory() as name, _recorder(size) as (port, password, real):
        folder = Path(name)
        uri = subprocess.run(
            _python(URI, port, password), check=True, capture_output=True, text=True
        ).stdout.strip()
        figures["bytes"] = real
        ratios = []
        for _ in range(rounds):
            ours = _client(port, password, "original", folder / "a")
            ratio = {}
            if shutil.which("curl"):
                ratio = {"curl": _curl(port, password, folder, uri)}
                ratios.append(ours["seconds"] / ratio["curl"])
            figures["original"] = {**ours, **ratio}
            shutil.rmtree(folder / "a")
        figures["wall_over_curl"] = statistics.median(ratios) if ratios else None
        figures["mp4"] = _client(port, password, "mp4", folder / "b")
    return figures


def _client(port: str, password: str, container: str, dest: Path) -> dict[str, Any]:
    done = subprocess.run(
        _python(CLIENT, port, password, container, str(dest)),
        check=True,
        capture_output=True,
        text=True,
    )
    peak, took, _, duration = done.stdout.split()
    return {"peak_mib": int(peak), "seconds": float(took), "video_seconds": duration}


def measure_imports(rounds: int) -> dict[str, float]:
    """Time ``import camsync`` against ``import requests``, each above a bare interpreter."""

    def once(statement: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - begun

    ratios, ours = [], []
    for _ in range(rounds):
        bare, camsync, requests = (
            once(one) for one in ("pass", "import camsync", "import requests")
        )
        ratios.append((camsync - bare) / (requests - bare))
        ours.append((camsync - bare) * 1000)
    return {"milliseconds": statistics.median(ours), "over_requests": statistics.median(ratios)}


def measure_parsing() -> dict[str, float]:
    """Microseconds from answer to `Recording`, against xmltodict's dictionaries."""
    done = subprocess.run(_python(PARSE), check=True, stdout=subprocess.PIPE, text=True)
    ours, theirs = map(float, done.stdout.split())
    return {"microseconds": ours, "xmltodict": theirs, "ratio": ours / theirs}


def main() -> None:
    """Run all measurements and print them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2 << 30, help="bytes of the big recording")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures = {
        "machine": {"cores": os.cpu_count(), "python": sys.version.split()[0]},
        "import": measure_imports(max(options.rounds, 5)),
        "parsing": measure_parsing(),
        "download": measure_download(options.size, options.rounds),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
