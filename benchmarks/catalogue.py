"""The catalogue at 10^4, 10^5 and 10^6 rows, on SQLite and, where there is one, PostgreSQL.

Each operation is timed in a process of its own after the catalogue was filled; what matters is how
the times grow: looking one recording up must not depend on how many there are.
"""

from __future__ import annotations

import json

from measure import Curve, Figure, Options, Result, Row, progress, python, spawn
from transfer import scratch


_SIZES = (10_000, 100_000, 1_000_000)
_CONSTANT = ("find", "observe 100", "fetch one", "plan 100", "mark", "first 100 entries")
"""What must not grow with the catalogue."""

_MOST = 3.0
"""Times as long at 100 times the rows that counts as constant: the index gets a level deeper."""


def measure(options: Options, result: Result) -> None:
    """Measure the operations of a sync at three sizes."""
    sizes = _SIZES[:2] if options.quick else _SIZES
    _measure(options, result, sizes, "SQLite", "")
    if options.postgres:
        _measure(options, result, sizes, "PostgreSQL", options.postgres)
    else:
        result.notes.append("PostgreSQL is left out: no --postgres (CAMSYNC_TEST_POSTGRES)")


def _measure(options: Options, result: Result, sizes: tuple[int, ...], kind: str, url: str) -> None:
    times: dict[str, list[Figure]] = {}
    for rows in sizes:
        progress(f"{kind}, {rows} rows")
        with scratch(options.disk) as folder:
            place = url or str(folder / "catalogue.sqlite3")
            filled = spawn(python("catalogue.fill", {"place": place, "rows": rows}))
            done = spawn(python("catalogue.use", {"place": place, "rounds": 30}))
        found: dict[str, list[float]] = json.loads(done.output)
        size = json.loads(filled.output)["bytes"]
        for name, seconds in found.items():
            figure = Figure.of([one * 1e3 for one in seconds])
            times.setdefault(name, []).append(figure)
            shown = f"{figure.median:.3g} ms ({figure.low:.3g} to {figure.high:.3g})"
            case = f"{kind}, {rows:,} rows ({size >> 20} MiB)"
            result.rows.append(Row(case, name, extra={"each": shown}))
    for name, figures in times.items():
        points = tuple((rows, one.median) for rows, one in zip(sizes, figures, strict=True))
        result.curves.append(Curve(f"{kind}: {name}", "rows", "ms", points))
        if name in _CONSTANT:
            ratio = figures[-1].median / max(figures[0].median, 1e-6)
            text = f"{kind}: {name}, {sizes[-1]:,} rows / {sizes[0]:,} rows"
            result.goal("catalogue", text, [ratio], _MOST)
