"""How fast, and how gently, `camsync.sync` fetches many channels from one recorder.

A simulated recorder in another process gives 80 MiB/s in total, 12 MiB/s per connection, and
answers 503 above six sessions; sixteen channels are synced from it, once by a first run, which has
to find out what the recorder bears, and once by a run that remembers it from the last one. The
bytes of each second as a share of what the recorder can give are the figure; so is the share of
requests that it refuses. A second scenario does the same with a recorder that has one session only.

The recorder is Python too and shares the machine: `original` is the default container, so that the
sync is measured and not the processor (`--container mp4` remuxes as well). Files go to memory if
there is a /dev/shm, and are deleted as soon as they are complete.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime as dt
import json
import os
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

from camsync.catalogue import Pace


MIB = 1 << 20
_STARTING = 20
"""Seconds in which a run may look for the right number."""

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


class Watch:
    """Follows a run by its events, deletes what is complete, and ends it when its time is over.

    Args:
        seconds: Length of the run, from the first byte on.
        cancel: Ends it.
    """

    def __init__(self, seconds: float, cancel: threading.Event) -> None:
        self._seconds = seconds
        self._cancel = cancel
        self._samples: list[tuple[float, int]] = []

    def __call__(self, event: camsync.SyncEvent) -> None:
        """Note how much has come by now."""
        now = time.monotonic()
        if event.kind is camsync.EventKind.FETCHED and event.file is not None:
            event.file.path.unlink()
        if event.kind is camsync.EventKind.PROGRESS:
            self._samples.append((now, event.totals.bytes_done))
        if self._samples and now - self._samples[0][0] >= self._seconds:
            self._cancel.set()

    @property
    def rates(self) -> list[float]:
        """Bytes of each whole second."""
        begun, rates, before = self._samples[0][0], [], 0
        for second in range(1, int(self._seconds) + 1):
            by_then = [count for when, count in self._samples if when <= begun + second]
            rates.append(float(by_then[-1] - before))
            before = by_then[-1]
        return rates


def measure(
    scenario: Scenario, seconds: float, container: str, known: Pace | None
) -> dict[str, Any]:
    """Sync for so many seconds; return the figures.

    Args:
        known: What the run remembers of the recorder; None for a first run.
    """
    memory, cancel = Path("/dev/shm"), threading.Event()
    folder, watch = memory if memory.is_dir() else None, Watch(seconds, cancel)
    with (
        tempfile.TemporaryDirectory(dir=folder) as dest,
        camsync.Catalogue(Path(dest, "catalogue.sqlite3")) as catalogue,
        _recorder(scenario, seconds) as (port, password, answers),
        camsync.HikvisionISAPI("127.0.0.1", "admin", password, port=int(port)) as provider,
    ):
        holdings = catalogue.at(Path(dest, "footage"))
        if known is not None:
            holdings.note_pace("recorder", known)
        report = camsync.sync(
            camsync.Source(provider=provider, label="recorder"),
            holdings.dest,
            since=dt.timedelta(days=7),
            catalogue=catalogue,
            container=container,
            concurrency=16,
            min_free=0,
            on_event=watch,
            cancel=cancel,
        )
        learnt = holdings.pace_of("recorder")
    refused = answers.get("503", 0)
    return {
        "rates": watch.rates,
        "learnt": None if learnt is None else [learnt.streams, learnt.ceiling],
        "files": len(report.downloaded),
        "failed": dict(collections.Counter(str(one.error) for one in report.failed)),
        "requests": sum(answers.values()),
        "refused": refused,
        "refused_share": refused / sum(answers.values()),
    }


def compare(scenario: Scenario, seconds: float, container: str) -> dict[str, Any]:
    """Run a scenario without and with knowledge of what the recorder bears."""
    most = scenario.sessions
    first = measure(scenario, seconds, container, None)
    pace = Pace(streams=most, ceiling=most, learnt_at=dt.datetime.now(dt.timezone.utc))
    later = measure(scenario, seconds, container, pace)
    known = _mean(later["rates"][2:])
    figures: dict[str, Any] = {"able_mib": scenario.able / MIB, "container": container}
    for name, run in (("first_run", first), ("later_run", later)):
        rates = run["rates"]
        figures[name] = {
            "mib_per_second": [round(rate / MIB, 1) for rate in rates],
            "share_of_ability_first_20_s": round(_mean(rates[:_STARTING]) / scenario.able, 3),
            "share_of_ability_after": round(_mean(rates[_STARTING:]) / scenario.able, 3),
            "worst_5_s_after": round(_worst(rates[_STARTING:], 5) / scenario.able, 3),
            **{key: run[key] for key in ("learnt", "files", "failed", "requests", "refused")},
            "refused_share": round(run["refused_share"], 4),
        }
    reached = (
        number for number, rate in enumerate(first["rates"], 1) if rate >= 0.9 * scenario.able
    )
    figures["seconds_to_90_percent"] = next(reached, None)
    figures["first_over_later_after"] = round(
        _mean(first["rates"][_STARTING:]) / known if known else 0.0, 3
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
