"""Searching: from a page of matches to recordings. Goal P10.

From memory, the parser is compared with what the peers use (xmltodict) and with the standard
library's; from the simulator, a search over HTTP with the same of the peers: requests and xmltodict.
"""

from __future__ import annotations

import json
import subprocess
import sys

from collections.abc import Callable, Sequence
from typing import Any

from measure import CHILD, Curve, Figure, Options, Result, Row, Run, progress, python, rounds, spawn


_PAGE = 40
_GOAL = 20.0
"""Microseconds for a recording."""


def measure(options: Options, result: Result) -> None:
    """Measure parsing, and whole searches."""
    count = 10_000 if options.quick else 100_000
    _parsing(options, result, count)
    _searching(options, result, 4_000 if options.quick else 100_000)


def _told(runs: Sequence[Run], what: str) -> list[float]:
    return [float(json.loads(run.output)[what]) for run in runs]


def _parsing(options: Options, result: Result, count: int) -> None:
    progress(f"{count} matches from memory")
    names = ("camsync, Recordings", "xmltodict, dictionaries", "xml.etree, five fields")
    kinds = dict(zip(names, ("camsync", "xmltodict", "etree"), strict=True))

    def contender(kind: str, matches: int) -> Callable[[], Run]:
        return lambda: spawn(
            python("searching.parse", {"kind": kind, "count": matches, "page": _PAGE})
        )

    case = f"{count} matches, pages of {_PAGE}, from memory"
    runs = rounds({name: contender(kind, count) for name, kind in kinds.items()}, options.rounds)
    each = {name: _told(done, "microseconds") for name, done in runs.items()}
    for name, done in runs.items():
        result.table(case, {name: done}, microseconds=round(Figure.of(each[name]).median, 1))
    ours = each[names[0]]
    result.goal("P10", "page to Recording", ours, _GOAL, "us")
    values = [mine / other for mine, other in zip(ours, each[names[1]], strict=True)]
    result.goal("P10", "page to Recording / xmltodict alone", values, 0.40)
    few = rounds({"few": contender("camsync", count // 10)}, min(options.rounds, 3), warm=False)
    more = [big.peak - small.peak for big, small in zip(runs[names[0]], few["few"], strict=False)]
    result.goal("P10", f"memory: {count} matches above {count // 10}", more, 5.0, "MiB")
    points = (
        (count / 10, min(_told(few["few"], "seconds"))),
        (count, min(_told(runs[names[0]], "seconds"))),
    )
    result.curves.append(Curve("parsing", "matches", "s", points))


class _Simulator:
    """A recorder with so many recordings in another process."""

    def __init__(self, count: int) -> None:
        arguments = json.dumps({"hours": count * 60 / 3600})
        command = [sys.executable, str(CHILD), "searching.serve_recordings", arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.arguments: dict[str, Any] = json.loads(self._process.stdout.readline())

    def __enter__(self) -> dict[str, Any]:
        return self.arguments

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _searching(options: Options, result: Result, count: int) -> None:
    points: list[tuple[float, float]] = []
    peaks: list[float] = []
    for number in (count // 10, count):
        progress(f"{number} matches from the simulator")
        with _Simulator(number) as arguments:
            runs = rounds(
                {
                    "camsync, search()": lambda a=arguments: spawn(python("searching.search", a)),  # type: ignore[misc]
                    "requests + xmltodict": lambda a=arguments: spawn(
                        python("searching.search_peer", a)
                    ),  # type: ignore[misc]
                },
                1 if number > 10_000 else min(options.rounds, 3),
                warm=False,
            )
        for name, done in runs.items():
            found = int(_told(done, "found")[0])
            took = Figure.of([run.cpu / found * 1e6 for run in done])
            extra = {"found": found, "us of client CPU each": round(took.median, 1)}
            result.table(f"{number} matches, simulator", {name: done}, **extra)
        ours = runs["camsync, search()"]
        points.append((_told(ours, "found")[0], min(run.wall for run in ours)))
        peaks.append(min(run.peak for run in ours))
    result.curves.append(Curve("search, wall", "matches", "s", tuple(points)))
    result.goal("P10", "search(): memory of ten times as many", [peaks[1] - peaks[0]], 8.0, "MiB")
    result.rows.append(Row("", "the simulator answers in Python: the wall is mostly its own"))
