"""The harness: children measured by the operating system, in paired rounds and random order.

Wall time is taken around the child; CPU and peak memory are what ``os.wait4`` says of it and of
what it has waited for itself. So a figure holds the whole program: the start of the interpreter,
the imports, the last ``close``. Machines get slower and faster while they are measured; therefore
contenders run one after the other in each round, and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import atexit
import dataclasses
import functools
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


HERE = Path(__file__).resolve().parent
CHILD = HERE / "child.py"
_LONGEST = 1_800.0
_ERRORS_SHOWN, _SHOWN = 2_000, 200


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run of a child took: seconds, seconds of CPU, MiB at the most, and what it said."""

    wall: float
    cpu: float
    peak: float
    output: str = ""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A median with its spread over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Sum up the rounds."""
        return cls(statistics.median(values), min(values), max(values))


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table: one contender in one case."""

    case: str
    contender: str
    wall: Figure | None = None
    cpu: Figure | None = None
    peak: Figure | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Goal:
    """What was aimed at, what came out, and whether that is enough."""

    name: str
    text: str
    value: float
    limit: float
    low: float
    high: float
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether the median is within the limit."""
        return self.value <= self.limit


@dataclasses.dataclass(frozen=True)
class Curve:
    """How something grows: seconds (or MiB) over a size."""

    name: str
    over: str
    unit: str
    points: tuple[tuple[float, float], ...]

    @property
    def slope(self) -> float:
        """The exponent between the ends: 0 does not grow, 1 is linear, 2 quadratic."""
        (size, low), (more, high) = self.points[0], self.points[-1]
        return math.log(high / low) / math.log(more / size) if low > 0 < high else 0.0


@dataclasses.dataclass
class Result:
    """What a topic has found."""

    topic: str
    rows: list[Row] = dataclasses.field(default_factory=list)
    goals: list[Goal] = dataclasses.field(default_factory=list)
    curves: list[Curve] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def goal(
        self, name: str, text: str, values: Sequence[float], limit: float, unit: str = "x"
    ) -> None:
        """Compare the median of *values* with *limit*."""
        figure = Figure.of(values)
        self.goals.append(
            Goal(name, text, figure.median, limit, figure.low, figure.high, unit),
        )

    def table(self, case: str, runs: Mapping[str, Sequence[Run]], **extra: Any) -> None:
        """Add a line for each contender of a case."""
        for contender, each in runs.items():
            self.rows.append(
                Row(
                    case,
                    contender,
                    Figure.of([run.wall for run in each]),
                    Figure.of([run.cpu for run in each]),
                    Figure.of([run.peak for run in each]),
                    extra,
                )
            )


def read(document: dict[str, Any]) -> Result:
    """Make a result of what ``dataclasses.asdict`` has made of one."""
    return Result(
        document["topic"],
        [_row(row) for row in document["rows"]],
        [Goal(**goal) for goal in document["goals"]],
        [
            Curve(**{**curve, "points": tuple(map(tuple, curve["points"]))})
            for curve in document["curves"]
        ],
        document["notes"],
    )


def _row(row: dict[str, Any]) -> Row:
    figures = {name: Figure(**row[name]) for name in ("wall", "cpu", "peak") if row[name]}
    return Row(**{**row, **figures})


@dataclasses.dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    quick: bool
    rounds: int
    size: int
    peers: str
    postgres: str
    memory: Path
    disk: Path


class BrokenRunError(Exception):
    """A child has failed: what it measured is worth nothing."""


def spawn(command: Sequence[str | Path], **environment: str) -> Run:
    """Run a child to its end.

    Raises:
        BrokenRunError: It failed, or took more than half an hour.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.perf_counter()
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**_environment(), **environment},
        )
        watchdog = threading.Timer(_LONGEST, process.kill)
        watchdog.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read().decode()
        if process.returncode:
            err.seek(0)
            said = err.read().decode(errors="replace")
            progress(said[-_ERRORS_SHOWN:])
            last = said.strip().rpartition("\n")[2][-_SHOWN:]
            msg = f"{' '.join(words)[:_SHOWN]} … failed with {process.returncode}: {last}"
            raise BrokenRunError(msg)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def _environment() -> dict[str, str]:
    """Return what children see: compiled modules are kept, as on every computer in use."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": _compiled()}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


@functools.lru_cache(maxsize=1)
def _compiled() -> str:
    folder = tempfile.TemporaryDirectory(prefix="camsync-bench-pycache-")
    atexit.register(folder.cleanup)
    return folder.name


def python(name: str, arguments: Mapping[str, Any] | None = None) -> list[str]:
    """Return the command that runs a function of ``children``."""
    return [sys.executable, str(CHILD), name, json.dumps(arguments or {})]


def rounds(
    contenders: Mapping[str, Callable[[], Run]], count: int, *, warm: bool = True
) -> dict[str, list[Run]]:
    """Run every contender once in each round, in another order each time.

    Args:
        contenders: What to run, by name.
        count: How many rounds count.
        warm: Whether a round that does not count goes before.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for number in range(-1 if warm else 0, count):
        order = list(contenders)
        random.Random(number).shuffle(order)
        for name in order:
            progress(f"  round {number + 1}/{count}: {name}")
            done = contenders[name]()
            if number >= 0:
                runs[name].append(done)
    return runs


def ratios(
    runs: Mapping[str, Sequence[Run]], ours: str, theirs: str, what: str = "wall"
) -> list[float]:
    """Return the ratio of each round."""
    pairs = zip(runs[ours], runs[theirs], strict=True)
    return [getattr(one, what) / max(getattr(other, what), 1e-9) for one, other in pairs]


def progress(text: str) -> None:
    """Say on the terminal what is going on."""
    print(text, file=sys.stderr, flush=True)
