"""Start-up: ``import camsync``, ``camsync --help``, the first byte of a download. Goal P11."""

from __future__ import annotations

import os
import sys

from collections.abc import Callable, Sequence

import apache

from measure import Options, Result, Run, progress, python, ratios, rounds, spawn
from transfer import scratch


BARE, CAMSYNC, REQUESTS = "python -c pass", "import camsync", "import requests"


def _python(statement: str) -> Callable[[], Run]:
    # Without `site`'s .pth files of a developer: they cost more than what is measured.
    return lambda: spawn([sys.executable, "-c", statement])


def _beyond(runs: dict[str, list[Run]], name: str) -> Sequence[float]:
    pairs = zip(runs[name], runs[BARE], strict=True)
    return [max(one.wall - bare.wall, 1e-4) for one, bare in pairs]


def measure(options: Options, result: Result) -> None:
    """Measure what a user waits for before anything happens."""
    progress("imports")
    count = max(options.rounds, 7) if options.quick else max(options.rounds, 15)
    contenders = {
        BARE: _python("pass"),
        CAMSYNC: _python("import camsync"),
        REQUESTS: _python("import requests"),
        "camsync --help": lambda: spawn([sys.executable, "-m", "camsync", "--help"]),
        "import HikvisionISAPI": _python("import camsync; camsync.HikvisionISAPI"),
    }
    if options.peers:
        contenders["hikload --help"] = lambda: spawn([options.peers, "-m", "hikload", "--help"])
    else:
        result.notes.append("hikload is left out: no --peers (see noxfile.py, session bench)")
    runs = rounds(contenders, count)
    result.table("start", runs)
    mine, theirs = _beyond(runs, CAMSYNC), _beyond(runs, REQUESTS)
    values = [one / other for one, other in zip(mine, theirs, strict=True)]
    result.goal("P11", "import camsync / import requests (beyond Python itself)", values, 0.40)
    cpu = ratios(runs, CAMSYNC, REQUESTS, "cpu")
    result.goal("P11", "whole process, CPU / python -c 'import requests'", cpu, 1.0)
    result.goal("P11", "import camsync beyond Python itself", [x * 1e3 for x in mine], 65.0, "ms")
    _first_byte(options, result)
    if os.environ.get("PYTHONPATH"):
        result.notes.append("camsync was imported from a folder, not from what pip installs")


def _first_byte(options: Options, result: Result) -> None:
    if lack := apache.missing():
        result.notes.append(f"first byte not measured: {lack}")
        return
    progress("first byte")
    with scratch(options.memory) as folder, apache.serving(folder, 8 << 20) as server:
        arguments = server.arguments(server.plain)
        login = ["--digest", "--netrc-file", str(server.netrc)]
        first = ["-o", "/dev/null", "-r", "0-4095", server.url(server.plain)]
        runs = rounds(
            {
                "camsync": lambda: spawn(python("fetching.first_byte", arguments)),
                "requests": lambda: spawn(python("fetching.first_byte_requests", arguments)),
                "curl": lambda: spawn(["curl", "-sSf", *login, *first]),
            },
            max(options.rounds, 7),
        )
    result.table("program start to first byte", runs)
    values = ratios(runs, "camsync", "requests")
    result.goal("first byte", "program start to first byte: wall / requests", values, 1.0)
