"""Makes one table in Markdown and one plot in SVG of the JSON that ``run.py`` has written.

A program of its own, so that the one that starts the children stays small: what that has in memory
counts as theirs.
"""

from __future__ import annotations

import html
import json
import math
import os
import platform
import shutil
import subprocess
import sys

from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from measure import Curve, Figure, Goal, Result, Row, read


_PACKAGES = ("camsync", "requests", "urllib3", "lxml", "xmltodict", "av", "sqlalchemy", "attrs")
_PROGRAMS = {
    "curl": ("--version",),
    "wget": ("--version",),
    "aria2c": ("--version",),
    "apache2": ("-v",),
    "ffmpeg": ("-version",),
}
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#17becf", "#7f7f7f")


def machine() -> dict[str, Any]:
    """Describe the computer and what is installed on it."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "programs": {name: said for name in _PROGRAMS if (said := _program(name))},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        return ""
    done = subprocess.run([path, *_PROGRAMS[name]], check=False, capture_output=True, text=True)
    return " ".join(done.stdout.split("\n", 1)[0].split()[:3])


def main() -> None:
    """``report.py --machine`` describes the computer; ``report.py FILE`` writes table and plot."""
    if sys.argv[1] == "--machine":
        print(json.dumps(machine()))
        return
    file = Path(sys.argv[1])
    facts = json.loads(file.read_text())
    results = [read(document) for document in facts["results"]]
    (file.parent / "results.md").write_text("\n".join(_markdown(facts, results)) + "\n")
    (file.parent / "results.svg").write_text("\n".join(_plot(results)) + "\n")


# -- Markdown ------------------------------------------------------------------------------------


def _markdown(facts: dict[str, Any], results: Sequence[Result]) -> Iterator[str]:
    goals = [goal for result in results for goal in result.goals]
    yield "# camsync, measured"
    yield ""
    of = facts["machine"]
    yield f"{facts['taken']}, {facts['mode']}. {of['cpu']}, "
    yield f"{of['cores']} cores, {of['memory_gib']} GiB; {of['system']}; Python {of['python']}; "
    yield ", ".join(f"{name} {version}" for name, version in of["packages"].items()) + "; "
    yield ", ".join(of["programs"].values()) + "."
    yield ""
    yield f"{sum(goal.met for goal in goals)} of {len(goals)} figures are within their limit. "
    yield "Medians (lowest to highest of the rounds)."
    yield ""
    yield "| goal | what | measured | limit | |"
    yield "|---|---|---|---|---|"
    yield from map(_goal_line, goals)
    for result in results:
        yield from _topic(result)


def _goal_line(goal: Goal) -> str:
    spread = f"{goal.value:.3g} ({goal.low:.3g} to {goal.high:.3g})"
    verdict = "met" if goal.met else "**missed**"
    return f"| {goal.name} | {goal.text} | {spread} {goal.unit} | {goal.limit:g} | {verdict} |"


def _topic(result: Result) -> Iterator[str]:
    yield from ("", f"## {result.topic}", "")
    if result.rows:
        yield "| case | contender | wall s | CPU s | peak MiB | |"
        yield "|---|---|---|---|---|---|"
        yield from map(_row_line, result.rows)
        yield ""
    if result.curves:
        yield "| growth of | points | exponent | |"
        yield "|---|---|---|---|"
        yield from map(_curve_line, result.curves)
        yield ""
    yield from (f"- {note}" for note in result.notes)


def _row_line(row: Row) -> str:
    extra = ", ".join(f"{name} {value}" for name, value in row.extra.items())
    figures = " | ".join(map(_shown, (row.wall, row.cpu, row.peak)))
    return f"| {row.case} | {row.contender} | {figures} | {extra} |"


def _shown(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.median:.3g} ({figure.low:.3g} to {figure.high:.3g})"


def _curve_line(curve: Curve) -> str:
    points = ", ".join(f"{size:,.0f}: {value:.3g} {curve.unit}" for size, value in curve.points)
    return f"| {curve.name} over {curve.over} | {points} | {curve.slope:.2f} | {growth(curve)} |"


def growth(curve: Curve) -> str:
    """Say in words how a curve grows."""
    for limit, words in ((0.25, "flat"), (0.85, "less than linear"), (1.2, "linear")):
        if curve.slope < limit:
            return words
    return "more than linear"


# -- The plot ------------------------------------------------------------------------------------


def _plot(results: Sequence[Result]) -> Iterator[str]:
    """Draw the goals as shares of their limits, and below them how things grow."""
    goals = [goal for result in results for goal in result.goals]
    curves = [curve for result in results for curve in result.curves]
    height = 60 + 20 * len(goals) + (420 if curves else 0)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{height}" '
    yield 'font-family="sans-serif" font-size="11">'
    yield f'<rect width="900" height="{height}" fill="white"/>'
    yield '<text x="10" y="20" font-size="14">Share of the limit (1 is just met)</text>'
    for number, goal in enumerate(goals):
        yield from _bar(goal, 36 + 20 * number)
    bottom = 40 + 20 * len(goals)
    yield f'<line x1="620" y1="30" x2="620" y2="{bottom}" stroke="black" stroke-dasharray="3"/>'
    if curves:
        yield from _curves(curves, bottom + 30)
    yield "</svg>"


def _bar(goal: Goal, top: int) -> Iterator[str]:
    def across(value: float) -> float:
        return min(max(value / goal.limit, 0.0), 2.2) * 120

    colour = "#2ca02c" if goal.met else "#d62728"
    middle = top + 7
    yield f'<text x="10" y="{top + 11}">{html.escape(f"{goal.name}  {goal.text}")}</text>'
    yield f'<rect x="500" y="{top}" width="{across(goal.value):.1f}" height="14" fill="{colour}"/>'
    ends = 500 + across(goal.low), 500 + across(goal.high)
    yield f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{middle}" y2="{middle}" stroke="black"/>'
    yield f'<text x="780" y="{top + 11}">{goal.value:.3g} of {goal.limit:g} {goal.unit}</text>'


def _curves(curves: Sequence[Curve], top: int) -> Iterator[str]:
    """Draw all curves as multiples of their first point, both axes logarithmic."""
    lines = [_scaled(curve) for curve in curves]
    most = max((x for line in lines for x, _ in line), default=1.0) or 1.0
    tall = max(max((y for line in lines for _, y in line), default=1.0), most)

    def place(x: float, y: float) -> str:
        return f"{60 + x / most * 400:.1f},{top + 340 - max(y, 0.0) / tall * 320:.1f}"

    yield f'<text x="10" y="{top}" font-size="14">Growth: times as long, times as much</text>'
    yield f'<polyline points="{place(0, 0)} {place(most, most)}" stroke="#bbb" fill="none"/>'
    for number, (curve, line) in enumerate(zip(curves, lines, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(place(x, y) for x, y in line)
        yield f'<polyline points="{points}" stroke="{colour}" fill="none" stroke-width="2"/>'
        words = html.escape(f"{curve.name} over {curve.over}: {growth(curve)}")
        yield f'<text x="480" y="{top + 20 + 14 * number}" fill="{colour}">{words}</text>'
    yield f'<text x="60" y="{top + 360}">1 to {10**most:,.0f} times as much; grey: linear</text>'


def _scaled(curve: Curve) -> list[tuple[float, float]]:
    log: Callable[[float], float] = math.log10
    (first, begin), *_ = curve.points
    return [(log(x / first), log(max(y, 1e-9) / max(begin, 1e-9))) for x, y in curve.points]


if __name__ == "__main__":
    main()
