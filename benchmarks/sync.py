"""How fast, and how gently, many channels are fetched from one recorder.

A simulated recorder in another process gives 80 MiB/s in total, 12 MiB/s per connection, and
answers 503 above six sessions; sixteen channels are fetched from it, once through the adaptive gate
and once with as many streams as it can bear, fixed and known beforehand. The first as a share of
the second, second by second, is the figure; so is the share of requests that the recorder refuses.
A second scenario does the same with a recorder that has one session only.

The recorder is Python too and shares the machine: `original` is the default container, so that the
gate is measured and not the processor (`--container mp4` remuxes as well). Files go to memory if
there is a /dev/shm, and are deleted as soon as they are complete.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

import camsync

from camsync.sync._gate import Gate, Gated


MIB = 1 << 20
_STARTING = 20
"""Seconds in which the gate may look for the right number."""

SERVER = """
import collections, json, sys
from camsync.testing import RecorderSimulator
options = json.loads(sys.argv[1])
with RecorderSimulator(**options) as simulator:
    print(simulator.port, simulator.password, flush=True)
    sys.stdin.readline()
    asked = [one.status for one in simulator.requests_log if one.path.endswith("/download")]
    print(json.dumps(collections.Counter(status for status in asked if status != 401)), flush=True)
"""


@attrs.frozen(kw_only=True)
class Scenario:
    """A recorder and what is fetched from it.

    Attributes:
        sessions: Downloads at the same time; one more gets 503.
        each: Bytes a second of one connection.
        total: Bytes a second of all of them.
        file: Bytes of a recording.
        channels: How many channels there are.
    """

    sessions: int
    each: int
    total: int
    file: int
    channels: int

    @property
    def able(self) -> int:
        """Bytes a second that the recorder can give at the most."""
        return min(self.sessions * self.each, self.total)

    def options(self, seconds: float) -> dict[str, Any]:
        """The simulator's arguments: enough recordings for so many seconds."""
        length = 60
        files = seconds * self.able / self.file
        return {
            "channels": self.channels,
            "hours": (files / self.channels + 4) * length / 3600,
            "segment_seconds": length,
            "bitrate": self.file * 8 // length,
            "bandwidth": self.each,
            "total_bandwidth": self.total,
            "max_downloads": self.sessions,
        }


MANY = Scenario(sessions=6, each=12 * MIB, total=80 * MIB, file=24 * MIB, channels=16)
SINGLE = Scenario(sessions=1, each=12 * MIB, total=80 * MIB, file=12 * MIB, channels=16)


@contextlib.contextmanager
def _recorder(scenario: Scenario, seconds: float) -> Iterator[tuple[str, str, dict[str, int]]]:
    command = [sys.executable, "-c", SERVER, json.dumps(scenario.options(seconds))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    answers: dict[str, int] = {}
    try:
        port, password = process.stdout.readline().split()
        yield port, password, answers
        print(file=process.stdin, flush=True)
        answers.update(json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


class Run:
    """Fetches everything with a pool of threads until the time is over."""

    def __init__(self, gated: Gated, dest: Path, container: str) -> None:
        self._gated = gated
        self._dest = dest
        self._container = container
        self._todo: queue.SimpleQueue[camsync.Recording] = queue.SimpleQueue()
        self._over = threading.Event()
        self.done = 0
        self.failed: list[str] = []
        self.rates: list[float] = []
        self.limits: list[int] = []

    def fill(self) -> None:
        """Search all channels, and take their recordings in turns."""
        span = camsync.TimeSpan.last(hours=48)
        found = [
            [one for one in self._gated.search(channel, span) if not one.in_progress]
            for channel in self._gated.channels()
        ]
        for number in range(max(map(len, found))):
            for recordings in found:
                if number < len(recordings):
                    self._todo.put(recordings[number])

    def go(self, seconds: float, threads: int) -> None:
        """Fetch for so long, and note each second how much has come."""
        pool = [threading.Thread(target=self._work) for _ in range(threads)]
        for thread in pool:
            thread.start()
        begun = last = time.monotonic()
        seen = 0
        while last - begun < seconds:
            time.sleep(max(1 - (time.monotonic() - last), 0))
            now, figures = time.monotonic(), self._gated.gate.figures
            self.rates.append((figures.bytes - seen) / (now - last))
            self.limits.append(figures.limit)
            last, seen = now, figures.bytes
        self._over.set()
        for thread in pool:
            thread.join()

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                recording = self._todo.get_nowait()
            except queue.Empty:
                return
            try:
                done = camsync.download(
                    self._gated,
                    recording,
                    self._dest,
                    container=self._container,
                    cancel=self._over,
                    min_free=0,
                )
            except camsync.CancelledError:
                return
            except camsync.CamsyncError as error:
                self.failed.append(str(error))
            else:
                done.path.unlink()
                self.done += 1


def measure(scenario: Scenario, gate: Gate, seconds: float, container: str) -> dict[str, Any]:
    """Fetch for so many seconds; return the figures."""
    memory = Path("/dev/shm")
    folder = memory if memory.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=folder) as dest,
        _recorder(scenario, seconds) as (port, password, answers),
        camsync.HikvisionISAPI("127.0.0.1", "admin", password, port=int(port)) as provider,
    ):
        run = Run(Gated(provider, gate), Path(dest), container)
        run.fill()
        run.go(seconds, threads=16)
    refused = answers.get("503", 0)
    return {
        "rates": run.rates,
        "limits": run.limits,
        "files": run.done,
        "failed": dict(collections.Counter(run.failed)),
        "requests": sum(answers.values()),
        "refused": refused,
        "refused_share": refused / sum(answers.values()),
    }


def compare(scenario: Scenario, seconds: float, container: str) -> dict[str, Any]:
    """Run a scenario through an adaptive gate, and with the right number of streams."""
    most = scenario.sessions
    adaptive = measure(scenario, Gate(), seconds, container)
    fixed = measure(scenario, Gate(cap=most, start=most, minimum=most), seconds, container)
    known = _mean(fixed["rates"][2:])
    figures: dict[str, Any] = {"able_mib": scenario.able / MIB, "container": container}
    for name, run in (("adaptive", adaptive), ("fixed", fixed)):
        rates = run["rates"]
        figures[name] = {
            "mib_per_second": [round(rate / MIB, 1) for rate in rates],
            "streams": run["limits"],
            "share_of_ability_first_20_s": round(_mean(rates[:_STARTING]) / scenario.able, 3),
            "share_of_ability_after": round(_mean(rates[_STARTING:]) / scenario.able, 3),
            "worst_5_s_after": round(_worst(rates[_STARTING:], 5) / scenario.able, 3),
            **{key: run[key] for key in ("files", "failed", "requests", "refused")},
            "refused_share": round(run["refused_share"], 4),
        }
    reached = (
        number for number, rate in enumerate(adaptive["rates"], 1) if rate >= 0.9 * scenario.able
    )
    figures["seconds_to_90_percent"] = next(reached, None)
    figures["adaptive_over_fixed_after"] = round(
        _mean(adaptive["rates"][_STARTING:]) / known if known else 0.0, 3
    )
    return figures


def _mean(rates: list[float]) -> float:
    return sum(rates) / len(rates) if rates else 0.0


def _worst(rates: list[float], seconds: int) -> float:
    spans = [rates[at : at + seconds] for at in range(len(rates) - seconds + 1)]
    return min(map(_mean, spans), default=0.0)


def main() -> None:
    """Run the scenarios and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90.0, help="length of each run")
    parser.add_argument("--container", choices=("original", "mp4"), default="original")
    parser.add_argument("--only", choices=("many", "single"))
    options = parser.parse_args()
    figures: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": sys.version.split()[0]}
    }
    for name, scenario in (("many", MANY), ("single", SINGLE)):
        if options.only in (None, name):
            figures[name] = compare(scenario, options.seconds, options.container)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
