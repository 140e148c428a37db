"""Sync many simulated devices for a long time, while everything goes wrong at random.

A child process plays the recorders and one cloud account: faults come and go, devices restart,
clocks are put forward and back. This process syncs them again and again, as MP4 and as original,
and watches itself: memory, threads, open files, sockets. At the end the faults are switched off, a
last run catches up, and what is on disk is compared with what the devices recorded: every recording
once, byte for byte, and nothing else. Prints a JSON document; the exit code is 1 when something is
lost, doubled, left behind or leaked::

    python tools/soak.py --minutes 30 --devices 8 --seed 1
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import datetime as dt
import gc
import hashlib
import json
import logging
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from camsync import HikvisionISAPI, ImouClient, RetryPolicy, sync
from camsync.catalogue import Catalogue
from camsync.errors import CamsyncError
from camsync.testing import ImouSimulator, RecorderSimulator


UTC = dt.timezone.utc
HOURS, SEGMENT = 0.05, 20
TICK = 2.0
"""Seconds between two changes of the weather."""

CLOUD_SETTLES = 125.0
"""Seconds for which the cloud's latest clips count as unfinished, and a little more."""

WEATHER = (6, 6, 6, 27, 55)
"""How often devices restart, are put forward or back, are set right, lose all faults, get one."""

RECONNECT = 0.2
"""Share of the runs that begin with new clients."""

SAMPLE = 10.0
WARM_UP = 0.25
"""Share of the time that does not count: caches fill, and the allocator finds its size."""

MOST_GROWTH = {
    "blocks": 20_000,
    "in_use_kib": 6 * 1024,
    "rss_kib": 64 * 1024,
    "threads": 1,
    "files": 4,
    "sockets": 4,
}
"""What may be more at the end than after the warm-up, by the line through the idle samples.

A leak shows in Python's blocks, or in what is in use of the C library's memory. The resident set
also holds what glibc's arenas keep for themselves, which creeps for hours with many threads; and
idle connections come and go.
"""

SPANS = ("original", "mp4")
SUFFIXES = {"original": {".mpg", ".ts"}, "mp4": {".mp4"}}
RETRY = RetryPolicy(attempts=2, initial=0.05, maximum=0.5)

RECORDER_FAULTS = [
    "length-missing",
    "length-zero",
    "length-short",
    "length-long",
    "hang-at-start",
    "hang-in-middle",
    "drop-after-headers",
    "drop-in-middle",
    "truncate-file",
    "send-nothing",
    "xml-error-200",
    "busy-503",
    "busy-403",
    "error-500",
    "garbage-body",
    "error-500-search",
    "busy-503-search",
    "slow-search",
    "not-xml-search",
    "huge-xml",
    "duplicate-items",
    "stale-nonce",
    "nonce-once",
    "redirect-elsewhere",
    "redirect-same-host",
    "redirect-loop",
    "html-404",
    "reset-connection",
]
CLOUD_FAULTS = [
    "token-expired",
    "too-frequent",
    "device-busy",
    "timed-out",
    "operation-failed",
    "not-json",
    "null-data",
    "slow",
    "huge-answer",
    "http-404",
    "http-500",
    "redirect-api",
    "reset-connection",
    "duplicate-records",
    "hls-master",
    "hls-aes",
    "hls-key-rotation",
    "hls-byterange",
    "hls-expires-midway",
    "url-expired",
    "playlist-403",
    "playlist-html",
    "playlist-loop",
    "segment-403",
    "segment-404",
    "segment-500",
    "segment-hangs",
    "segment-truncated",
    "segment-short",
    "segment-html",
    "key-500",
]


# -- The devices ----------------------------------------------------------------------------------


class Clock:
    """The time of a device, which somebody sets."""

    def __init__(self) -> None:
        self.offset = dt.timedelta(0)

    def __call__(self) -> dt.datetime:
        """Return it."""
        return dt.datetime.now(UTC) + self.offset


def _free_port() -> int:
    """Return a port that is the device's own, also after a restart."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Devices:
    """Recorders, an account, and what happens to them."""

    def __init__(self, count: int, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - weather, not cryptography
        self._clocks = [Clock() for _ in range(count + 1)]
        shared: dict[str, Any] = {"hours": HOURS, "segment_seconds": SEGMENT}
        self.recorders = [
            RecorderSimulator(
                channels=2, seed=seed + number, clock=clock, port=_free_port(), **shared
            )
            for number, clock in enumerate(self._clocks[:-1])
        ]
        self.cloud = ImouSimulator(
            devices=["camera", "camera"],
            seed=seed,
            clock=self._clocks[-1],
            port=_free_port(),
            **shared,
        )
        self.counts: collections.Counter[str] = collections.Counter()
        self._calm = threading.Event()
        self._weather = threading.Thread(target=self._rage, name="weather")

    @property
    def _all(self) -> list[Any]:
        return [*self.recorders, self.cloud]

    def start(self) -> None:
        """Switch all on, and begin."""
        for each in self._all:
            each.start()
        self._weather.start()

    def calm(self) -> None:
        """End every fault, and set every clock right."""
        self._calm.set()
        self._weather.join()
        for each in self._all:
            self.counts.update(each.fault_hits)
            for name in list(each.faults):
                each.disable(name)
        for clock in self._clocks:
            clock.offset = dt.timedelta(0)

    def stop(self) -> None:
        """Switch all off."""
        for each in self._all:
            each.stop()

    def _rage(self) -> None:
        while not self._calm.wait(TICK):
            number = self._dice.randrange(len(self._all))
            device, clock = self._all[number], self._clocks[number]
            event = self._dice.choices(("reboot", "step", "right", "calm", "fault"), WEATHER)[0]
            if event == "reboot":
                self._reboot(device)
            elif event == "step":
                clock.offset = dt.timedelta(seconds=self._dice.uniform(-90, 90))
                self.counts["clock"] += 1
            elif event == "right":
                clock.offset = dt.timedelta(0)
            elif event == "calm":
                for name in list(device.faults):
                    device.disable(name)
            else:
                names = CLOUD_FAULTS if device is self.cloud else RECORDER_FAULTS
                device.enable(self._dice.choice(names), self._dice.choice((1, 2, 5, None)))

    def _reboot(self, device: Any) -> None:
        """Switch a device off and on again."""
        device.stop()
        self._calm.wait(self._dice.uniform(0.0, 2.0))
        while True:  # somebody's outgoing connection may have got the port meanwhile
            with contextlib.suppress(CamsyncError):
                device.start()
                self.counts["reboot"] += 1
                return
            time.sleep(0.2)

    def truth(self, until: dt.datetime) -> dict[str, str]:
        """Return what was recorded and was over by *until*: SHA-256 of each, by its key."""
        found = {}
        for number, recorder in enumerate(self.recorders):
            for one in recorder.recordings():
                if one.end <= until and one.track % 100 == 1:
                    name = f"{number}/{one.channel}/{one.start:%Y%m%dT%H%M%S}/{one.name}"
                    found[name] = _sha256(recorder.content(one))
        for clip in self.cloud.history():
            if clip.end <= until and clip.seconds:  # one of no length has nothing to fetch
                found[f"{clip.device}/{clip.channel}/{clip.storage}/{clip.id}"] = _sha256(
                    self.cloud.content(clip)
                )
        return found


def _sha256(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def play(count: int, seed: int) -> None:
    """Be the devices: the child process."""
    devices = Devices(count, seed)
    devices.start()
    try:
        ports = [each.port for each in devices.recorders]
        print(json.dumps({"ports": ports, "cloud": devices.cloud.base_url}), flush=True)
        for line in sys.stdin:
            command, _, argument = line.strip().partition(" ")
            if command == "calm":
                devices.calm()
                print(json.dumps(devices.counts), flush=True)
            else:
                until = dt.datetime.fromisoformat(argument)
                print(json.dumps(devices.truth(until)), flush=True)
    finally:
        devices._calm.set()  # noqa: SLF001 - the other side has gone
        devices.stop()


class Child:
    """The process that plays the devices."""

    def __init__(self, count: int, seed: int) -> None:
        command = [sys.executable, __file__, "--play", "--devices", str(count), "--seed", str(seed)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.hello = self._read()

    def ask(self, command: str) -> Any:
        """Send a command and return the answer."""
        assert self._process.stdin is not None  # noqa: S101 - for type checkers
        print(command, file=self._process.stdin, flush=True)
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - for type checkers
        line = self._process.stdout.readline()
        if not line:
            msg = "the process that plays the devices has ended"
            raise RuntimeError(msg)
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        for end in (self._process.stdin, self._process.stdout):
            assert end is not None  # noqa: S101 - for type checkers
            end.close()
        self._process.wait(60)


# -- What the syncing process needs ---------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Sample:
    """What this process has at a moment."""

    at: float
    idle: bool
    blocks: int
    in_use_kib: int
    rss_kib: int
    threads: int
    files: int
    sockets: int

    @classmethod
    def take(cls, begun: float, *, idle: bool) -> Sample:
        """Look at ``/proc``."""
        status = Path("/proc/self/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        links = []
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                links.append(str(descriptor.readlink()))
        return cls(
            at=round(time.monotonic() - begun, 1),
            idle=idle,
            blocks=sys.getallocatedblocks(),
            in_use_kib=_in_use_kib() if idle else 0,
            rss_kib=int(fields["VmRSS"].split()[0]),
            threads=int(fields["Threads"]),
            files=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
        )


class Watch:
    """Takes a sample every ten seconds, and one between any two runs."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._begun = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(SAMPLE):
            self.samples.append(Sample.take(self._begun, idle=False))

    def idle(self) -> None:
        """Take a sample of what is left when nothing runs, and nothing is kept for later."""
        gc.collect()
        _give_back()
        self.samples.append(Sample.take(self._begun, idle=True))

    def stop(self) -> None:
        """Take no more."""
        self._over.set()
        self._thread.join()

    def figures(self) -> dict[str, Any]:
        """Return peaks, and for the idle samples a line: slope an hour, and growth in all."""
        found: dict[str, Any] = {"samples": len(self.samples)}
        last = max(sample.at for sample in self.samples)
        idle = [one for one in self.samples if one.idle and one.at >= last * WARM_UP]
        for name in MOST_GROWTH:
            values = [getattr(one, name) for one in idle]
            slope = _slope([one.at for one in idle], values)
            found[name] = {
                "peak": max(getattr(one, name) for one in self.samples),
                "idle_first": values[0],
                "idle_last": values[-1],
                "slope_per_hour": round(slope * 3600, 2),
                "growth": round(slope * (idle[-1].at - idle[0].at), 2),
            }
        return found


def _give_back() -> None:
    """Have the C library return what is free: with many threads it keeps tens of megabytes.

    Without this a leak cannot be told from the allocator's stock, which comes and goes.
    """
    with contextlib.suppress(OSError, AttributeError):  # not every system has glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _in_use_kib() -> int:
    """Return what the program has from the C library and has not given back, in KiB; 0 elsewhere.

    Python's small objects have memory of their own: `Sample.blocks` counts them.
    """
    try:
        library = ctypes.CDLL("libc.so.6")
        stream, text, size = library.open_memstream, ctypes.c_char_p(), ctypes.c_size_t()
    except (OSError, AttributeError):
        return 0
    stream.restype = ctypes.c_void_p
    file = ctypes.c_void_p(stream(ctypes.byref(text), ctypes.byref(size)))
    library.malloc_info(0, file)
    library.fclose(file)
    said = (text.value or b"").decode("ascii")
    library.free(text)
    totals = said[said.rindex("</heap>") :]
    system = int(re.findall(r'<system type="current" size="(\d+)"', totals)[0])
    free = re.findall(r'<total type="(?:fast|rest)" count="\d+" size="(\d+)"', totals)
    mapped = re.findall(r'<total type="mmap" count="\d+" size="(\d+)"', totals)
    return (system - sum(map(int, free)) + sum(map(int, mapped))) // 1024


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the slope of the line with the least squares."""
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((one - x) ** 2 for one in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread if spread else 0.0


# -- Syncing --------------------------------------------------------------------------------------


class Soak:
    """The runs, their destinations and their findings."""

    def __init__(self, hello: dict[str, Any], root: Path, seed: int) -> None:
        self._hello = hello
        self._dice = random.Random(seed)  # noqa: S311 - weather, not cryptography
        self._since = dt.datetime.now(UTC) - dt.timedelta(hours=HOURS + 1)
        self.folders = {container: root / container for container in SPANS}
        self.catalogues = {
            container: Catalogue(root / f"{container}.sqlite3") for container in SPANS
        }
        self.errors: collections.Counter[str] = collections.Counter()
        self.counts: collections.Counter[str] = collections.Counter()
        self.keys: dict[str, list[str]] = {container: [] for container in SPANS}
        self.left: list[str] = []
        self._clients: list[Any] = []

    def _connect(self) -> None:
        self.disconnect()
        shared: dict[str, Any] = {"retry": RETRY, "timeout": (2.0, 1.0)}
        self._clients = [
            HikvisionISAPI(
                "127.0.0.1",
                "admin",
                "Simulator-1",
                port=port,
                settle=dt.timedelta(seconds=5),
                **shared,
            )
            for port in self._hello["ports"]
        ]
        cloud = ImouSimulator()  # its usual id and secret
        self._clients.append(
            ImouClient(
                cloud.app_id,
                cloud.app_secret,
                base_url=self._hello["cloud"],
                timezone="+08:00",
                **shared,
            )
        )

    def disconnect(self) -> None:
        """Close all clients."""
        for client in self._clients:
            client.close()
        self._clients = []

    def run(self, container: str) -> int:
        """Sync everything once; return what is left to do."""
        if not self._clients or self._dice.random() < RECONNECT:
            self._connect()
        for client in self._clients:
            client.retry_login()
        report = sync(
            self._clients,
            self.folders[container],
            since=self._since,
            catalogue=self.catalogues[container],
            container=container,
            concurrency=self._dice.choice((1, 2, 4)),
            retry=RETRY,
            min_free=0,
        )
        for trouble in (*report.failed, *report.problems):
            self.errors[type(trouble.error).__name__] += 1
        for file in (*report.downloaded, *report.found):
            self.keys[container].append(str(file.recording.key))
        self.counts.update(runs=1, downloaded=len(report.downloaded), found=len(report.found))
        self.counts.update(bytes=report.bytes, gone=len(report.gone))
        self.left = [
            *(f"{one.recording.key}: {one.error}" for one in report.failed),
            *map(str, report.problems),
            *(f"{key}: waits" for key in report.waiting),
        ]
        return len(self.left) + report.left

    def close(self) -> None:
        """Close clients and catalogues."""
        self.disconnect()
        for catalogue in self.catalogues.values():
            catalogue.close()

    def rearm(self) -> None:
        """Forget every failure, as ``camsync rearm`` does."""
        for container, catalogue in self.catalogues.items():
            catalogue.at(self.folders[container]).rearm()

    def check(self, truth: dict[str, str], whole: dict[str, str]) -> list[str]:
        """Return what is wrong on disk: lost, doubled, changed or left over.

        Args:
            truth: What must be there.
            whole: What may be there.
        """
        wrong = []
        expected = collections.Counter(whole.values())
        for container, folder in self.folders.items():
            files = [path for path in folder.rglob("*") if path.is_file()]
            videos = [path for path in files if path.suffix in SUFFIXES[container]]
            visible = {path for path in videos if not path.name.startswith(".")}
            wrong += [
                f"{container}: left over: {path}" for path in set(files) - visible - _own(files)
            ]
            twice = [k for k, n in collections.Counter(self.keys[container]).items() if n > 1]
            wrong += [f"{container}: fetched twice: {key}" for key in twice]
            if container == "original":
                here = collections.Counter(_sha256(iter([p.read_bytes()])) for p in visible)
                wrong += [f"lost: {name}" for name, each in truth.items() if not here[each]]
                wrong += [
                    f"doubled or changed: {each}" for each, n in here.items() if n > expected[each]
                ]
            else:
                missing = set(self.keys["original"]) - set(self.keys[container])
                wrong += [f"{container}: lost: {key}" for key in sorted(missing)]
            if len(visible) != len(set(self.keys[container])):
                wrong.append(
                    f"{container}: {len(visible)} files, {len(set(self.keys[container]))} keys"
                )
        return wrong


def _own(files: Sequence[Path]) -> set[Path]:
    """Return the files that a destination has besides recordings."""
    return {path for path in files if path.name in {".camsync", ".camsync.lock"}}


def soak(minutes: float, devices: int, seed: int) -> dict[str, Any]:
    """Do it, and return what was seen."""
    root = Path(tempfile.mkdtemp(prefix="camsync-soak-"))
    os.environ["CAMSYNC_HOME"] = str(root / "home")
    child, watch = Child(devices, seed), Watch()
    work = Soak(child.hello, root, seed)
    try:
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            for container in SPANS:
                with contextlib.suppress(CamsyncError):
                    work.run(container)
                watch.idle()
        figures = watch.figures()
        faults = child.ask("calm")
        moment = dt.datetime.now(UTC)
        time.sleep(SEGMENT + CLOUD_SETTLES)  # what is being recorded now must be over, and settled
        work.rearm()
        rounds = {container: _catch_up(work, container) for container in SPANS}
        whole = child.ask(f"truth {dt.datetime.now(UTC).isoformat()}")
        wrong = work.check(child.ask(f"truth {moment.isoformat()}"), whole)
    finally:
        watch.stop()
        work.close()
        child.close()
        if not os.environ.get("KEEP"):
            shutil.rmtree(root, ignore_errors=True)
    for name, most in MOST_GROWTH.items():
        if figures[name]["growth"] > most:
            wrong.append(f"{name} grows: {figures[name]}")
    return {
        "minutes": minutes,
        "devices": devices,
        "seed": seed,
        "counts": dict(work.counts),
        "rounds": rounds,
        "errors": dict(work.errors.most_common()),
        "faults": dict(sorted(faults.items())),
        "figures": figures,
        "wrong": wrong,
    }


def _catch_up(work: Soak, container: str) -> int:
    """Run until nothing is left to do; return how many runs it took."""
    for number in range(1, 6):
        if not work.run(container):
            return number
        work.rearm()
    print(json.dumps(work.left, indent=2), file=sys.stderr)
    return 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--play", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.play:
        play(options.devices, options.seed)
        return 0
    found = soak(options.minutes, options.devices, options.seed)
    print(json.dumps(found, indent=2))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
