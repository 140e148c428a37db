"""`camsync.sync`: a first run against fixed numbers of streams and HikLoad, and a run without news.

Four recorders are simulated in another process: a fast one, one that is slow per connection, one
that has a single session, and one that breaks connections. P14, planning over a large catalogue,
is what ``plan.py`` measures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import subprocess
import sys

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import (
    CHILD,
    HERE,
    BrokenRunError,
    Curve,
    Figure,
    Options,
    Result,
    Run,
    progress,
    python,
    rounds,
    spawn,
)
from transfer import scratch


MIB = 1 << 20
CHANNELS = 8
ADAPTIVE, HIKLOAD = "camsync.sync, adaptive", "hikload"
FIXED = (1, 2, 4, 8)
_PLANNED = re.compile(r": ([\d.]+) s, peak (\d+) MiB")


@dataclasses.dataclass(frozen=True)
class Model:
    """A recorder: bytes a second of one connection and of all, sessions, and how it breaks."""

    name: str
    each: int | None
    total: int | None
    sessions: int
    drops: float = 0.0

    def arguments(self, files: int, size: int) -> dict[str, Any]:
        """Return what `children.syncing.serve_footage` has to know."""
        return {
            "files": files,
            "size": size,
            "channels": CHANNELS,
            "each": self.each,
            "total": self.total,
            "sessions": self.sessions,
            "drops": self.drops,
        }


MODELS = (
    Model("fast", None, None, 16),
    Model("slow per connection", 4 * MIB, 64 * MIB, 16),
    Model("one session", 12 * MIB, 12 * MIB, 1),
    Model("lossy", 12 * MIB, 48 * MIB, 8, drops=0.05),
)


class Recorder:
    """A simulated recorder in another process.

    Attributes:
        arguments: What a child has to know to use it.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        command = [sys.executable, str(CHILD), "syncing.serve_footage", json.dumps(given)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.arguments: dict[str, Any] = self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        document: dict[str, Any] = json.loads(self._process.stdout.readline())
        return document

    def counted(self) -> dict[str, int]:
        """Return the requests since the last time: all, downloads, and refused ones."""
        print(file=self._process.stdin, flush=True)
        return self._line()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextlib.contextmanager
def recorder(given: dict[str, Any]) -> Iterator[Recorder]:
    """Run a recorder until the block ends."""
    running = Recorder(given)
    try:
        yield running
    finally:
        running.close()


def measure(options: Options, result: Result) -> None:
    """Measure first runs on four recorders, runs without news, and planning."""
    files, size = (48, MIB // 2) if options.quick else (500, MIB)
    count = 1 if options.quick else min(options.rounds, 3)
    if not options.peers:
        result.notes.append("hikload is left out: no --peers (see noxfile.py, session bench)")
    for model in MODELS:
        _first_runs(options, result, model, files, size, count)
    _no_news(options, result, files)
    _planning(options, result)
    result.notes.append(
        "hikload writes into its folder without fsync or checks, fetches twice what its pages "
        "list twice, and gives up at the first refusal: then its line says how many files it got"
    )


def _first_runs(
    options: Options, result: Result, model: Model, files: int, size: int, count: int
) -> None:
    progress(f"{model.name}: {files} files of {size >> 10} KiB")
    counts: dict[str, list[dict[str, int]]] = {}

    def contender(name: str, command: Callable[[dict[str, Any]], list[str]]) -> Callable[[], Run]:
        def run() -> Run:
            with (
                recorder(model.arguments(files, size)) as device,
                scratch(options.memory) as folder,
            ):
                done = spawn(command({**device.arguments, "dest": str(folder), "files": files}))
                counts.setdefault(name, []).append(device.counted())
                return done

        return run

    def fixed(streams: int) -> Callable[[dict[str, Any]], list[str]]:
        return lambda a: python("syncing.fetch_fixed", {**a, "streams": streams})

    contenders = {ADAPTIVE: contender(ADAPTIVE, lambda a: python("syncing.sync", a))}
    for streams in FIXED:
        name = f"fixed {streams}"
        contenders[name] = contender(name, fixed(streams))
    if options.peers:
        contenders[HIKLOAD] = contender(
            HIKLOAD, lambda a: [options.peers, str(CHILD), "syncing.hikload", json.dumps(a)]
        )
    runs = rounds(contenders, count, warm=False)
    for name, done in runs.items():
        got = int(Figure.of([json.loads(run.output)["files"] for run in done]).median)
        result.table(
            f"{model.name}: first run of {files} x {size >> 10} KiB",
            {name: done},
            files=got,
            refused=counts[name][-1]["refused"],
            requests=counts[name][-1]["requests"],
        )
    _compare(result, model, runs, files)


def _compare(result: Result, model: Model, runs: dict[str, list[Run]], files: int) -> None:
    """Compare with the fixed number that was the best of those that got everything."""
    complete = [
        name
        for name, done in runs.items()
        if name.startswith("fixed")
        and all(json.loads(run.output)["files"] >= files for run in done)
    ]
    if not complete:
        result.notes.append(f"{model.name}: no fixed number of streams got all files")
        return
    best = min(complete, key=lambda name: Figure.of([run.wall for run in runs[name]]).median)
    pairs = zip(runs[ADAPTIVE], runs[best], strict=True)
    values = [one.wall / other.wall for one, other in pairs]
    result.goal("sync", f"{model.name}: first run, wall / {best} (the best)", values, 1.25)


def _no_news(options: Options, result: Result, files: int) -> None:
    points: list[tuple[float, float]] = []
    for number in (files // 4, files // 2, files):
        progress(f"no news, {number} files")
        with (
            recorder(MODELS[0].arguments(number, MIB // 8)) as device,
            scratch(options.memory) as folder,
        ):
            arguments = {**device.arguments, "dest": str(folder), "files": number}
            spawn(python("syncing.sync", arguments))
            device.counted()
            runs = rounds(
                {"camsync.sync": lambda a=arguments: spawn(python("syncing.sync", a))},  # type: ignore[misc]
                options.rounds,
            )
            sent = device.counted()["requests"] / (options.rounds + 1)
        case = f"no news, {number} files on {CHANNELS} channels"
        result.table(case, runs, requests=round(sent, 1))
        points.append((number, Figure.of([run.wall for run in runs["camsync.sync"]]).median))
    result.curves.append(Curve("sync without news, wall", "files", "s", tuple(points)))


def _planning(options: Options, result: Result) -> None:
    """P14, with the other program's own figures."""
    points: list[tuple[float, float]] = []
    for entries in (10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000):
        progress(f"planning over {entries} entries")
        lines = spawn([sys.executable, HERE / "plan.py", str(entries)]).output.splitlines()
        found = [match for line in lines if (match := _PLANNED.search(line))]
        if not found:
            msg = f"plan.py says something else than expected: {lines[-1:]}"
            raise BrokenRunError(msg)
        seconds = [float(match[1]) for match in found]
        points.append((entries, min(seconds)))
        if entries == 100_000:
            result.goal("P14", "plan over 100,000 rows, all present", seconds, 2.0, "s")
    result.curves.append(Curve("plan", "rows in the catalogue", "s", tuple(points)))
    result.notes.append(f"planning is measured by {Path('plan.py')}, on its own as well")
