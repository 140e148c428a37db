"""Measures camsync side by side with what else there is, and writes one table.

``nox -s bench`` runs it. ``--quick`` takes a few minutes with small sizes and shows that
everything works; figures worth keeping come from a full run on a computer that does nothing else.
Writes ``<date>.json``, ``results.md`` and ``results.svg`` to ``benchmarks/results``. Nothing here
is a test: goals that are missed are said, and the exit code is 0 all the same.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import importlib
import json
import os
import sys
import time

from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import (
    BrokenRunError,
    Options,
    Result,
    progress,
    spawn,
)


TOPICS = ("transfer", "files", "search", "syncing", "startup", "catalogue")
_QUICK_SIZE, _FULL_SIZE = 64 << 20, 1 << 30


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds")
    parser.add_argument(
        "--only",
        action="append",
        choices=TOPICS,
        help="may be repeated; what was measured of the others today on this computer stays",
    )
    parser.add_argument("--rounds", type=int, help="paired rounds (3 with --quick, else 7)")
    parser.add_argument("--size", type=int, help="bytes of the big recording")
    parser.add_argument(
        "--peers",
        default=os.environ.get("CAMSYNC_PEERS_PYTHON", ""),
        help="a Python that has hikload; default: CAMSYNC_PEERS_PYTHON",
    )
    parser.add_argument(
        "--postgres",
        default=os.environ.get("CAMSYNC_TEST_POSTGRES", ""),
        help="URL of an empty PostgreSQL database; default: CAMSYNC_TEST_POSTGRES",
    )
    parser.add_argument("--disk", type=Path, help="a folder on the disk to measure")
    default = Path(__file__).resolve().parent / "results"
    parser.add_argument("--results", type=Path, default=default, help="where the table goes")
    return parser.parse_args()


def _options(given: argparse.Namespace) -> Options:
    memory = Path("/dev/shm")
    disk = given.disk or Path(__file__).resolve().parent
    return Options(
        quick=given.quick,
        rounds=given.rounds or (3 if given.quick else 7),
        size=given.size or (_QUICK_SIZE if given.quick else _FULL_SIZE),
        peers=given.peers,
        postgres=given.postgres,
        memory=memory if memory.is_dir() else disk,
        disk=disk,
    )


def _measured(topic: str, options: Options) -> Result:
    progress(f"== {topic}")
    begun, load = time.monotonic(), os.getloadavg()[0]
    result = Result(topic)
    try:
        importlib.import_module(topic).measure(options, result)
    except BrokenRunError as error:
        result.notes.append(f"**broke off**: {error}")
        progress(str(error))
    took, ended = time.monotonic() - begun, dt.datetime.now().astimezone()
    result.notes.append(
        f"measured in {took:.0f} s, until {ended:%H:%M}, with --rounds {options.rounds}; "
        f"load before: {load:.2f}"
    )
    return result


def _kept(file: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the file of today holds of the same versions on the same computer, by topic."""
    if not file.exists():
        return {}
    before = json.loads(file.read_text())
    alike = all(before[name] == facts[name] for name in ("mode", "size"))
    for name in ("cpu", "cores", "system", "python", "packages", "programs"):
        alike = alike and before["machine"][name] == facts["machine"][name]
    return {result["topic"]: result for result in before["results"]} if alike else {}


def main() -> None:
    """Measure all topics, or those that were asked for, and write the table."""
    given = _arguments()
    options = _options(given)
    now = dt.datetime.now().astimezone()
    facts: dict[str, Any] = {
        "taken": now.isoformat(timespec="minutes"),
        "mode": "quick" if options.quick else "full",
        "size": options.size,
        "machine": json.loads(_report("--machine")),
    }
    given.results.mkdir(parents=True, exist_ok=True)
    file = given.results / f"{now:%Y-%m-%d}.json"
    results = _kept(file, facts) if given.only else {}
    for topic in given.only or TOPICS:
        results[topic] = dataclasses.asdict(_measured(topic, options))
        facts["results"] = [results[name] for name in TOPICS if name in results]
        file.write_text(json.dumps(facts, indent=1) + "\n")
        _report(str(file))
    print((given.results / "results.md").read_text())


def _report(*arguments: str) -> str:
    return spawn([sys.executable, Path(__file__).with_name("report.py"), *arguments]).output


if __name__ == "__main__":
    main()
