"""Draws status.svg: what ``camsync sync`` and ``camsync status`` show, against the simulator.

    python docs/pictures/make_status.py

It takes half a minute. The figures differ from run to run: they are those of a real run.
"""

# ruff: noqa: INP001 - a script, beside what it draws

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
import time

from pathlib import Path
from unittest import mock

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from camsync import Profile, Profiles
from camsync.cli import main
from camsync.testing import RecorderSimulator


HERE = Path(__file__).parent
COLUMNS = 124
COMMANDS = ("camsync sync front-shop --to footage/ --since 2d", "camsync status footage/ --days 3")

# Fonts of the reader's own computer: a picture should fetch nothing from anywhere.
TEMPLATE = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
font-family: Menlo, Consolas, 'DejaVu Sans Mono', monospace;
font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Terminal(io.StringIO):
    """A place to write that calls itself a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def run(line: str) -> str:
    """Run a command as it stands in the picture, and return what a terminal would show."""
    shown = Terminal()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()):
        code = main(shlex.split(line)[1:])
    if code not in {0, 1}:
        sys.exit(f"{line} ended with {code}")
    return shown.getvalue().replace(f"{Path.cwd()}{os.sep}", "")


def draw(outputs: dict[str, str]) -> str:
    """Return the picture of some commands and their outputs."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line, output in outputs.items():
        console.print(Text(f"$ {line}", style="bold green"))
        console.print(Text.from_ansi(output.rstrip()))
        console.print()
    svg = console.export_svg(
        title="camsync", theme=MONOKAI, code_format=TEMPLATE, unique_id="camsync"
    )
    return re.sub(r"\n\s*\n+", "\n", svg)


def make() -> None:
    """Run everything in a folder of its own, and write the picture."""
    there = HERE.resolve()
    environment = {
        "CAMSYNC_STORE": "env",
        "CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME": "admin",
        "CAMSYNC_HIKVISION_FRONT_SHOP_SECRET": "Simulator-1",
        "COLUMNS": str(COLUMNS),
        "TERM": "xterm-256color",
        "TZ": "Asia/Ho_Chi_Minh",
    }
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, environment):
        os.chdir(folder)
        os.environ["CAMSYNC_HOME"] = folder
        time.tzset()
        with RecorderSimulator(
            channels=3, hours=40, segment_seconds=60, gap_seconds=1740, timezone="CST-7:00:00"
        ) as simulator:
            where = {"host": simulator.host, "port": simulator.port}
            Profiles().set(Profile(name="front-shop", provider="hikvision", **where))
            simulator.enable("garbage-body", times=2)
            outputs = {line: run(line) for line in COMMANDS}
        os.chdir(there)
    (there / "status.svg").write_text(draw(outputs), encoding="utf-8")


if __name__ == "__main__":
    make()
