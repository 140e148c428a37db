"""Where the command line prints: tables or one JSON document to stdout, the rest to stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import traceback

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import attrs

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import CamsyncError, CancelledError
from ._format import clean
from ._json import error_json


_UNBROKEN = 1000
"""Columns of a pipe or a file: tables that programs or ``grep`` read must not be wrapped."""

_TRACEBACKS = 2
_DETAIL = "camsync_"

Rows = Iterable[Sequence[str]]


def console_for(stream: TextIO, environ: Mapping[str, str]) -> Console:
    """Return a console that writes control codes only to a terminal that wants them."""
    interactive = stream.isatty()
    plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
    return Console(
        file=stream,
        force_terminal=interactive and not plain,
        width=None if interactive else _UNBROKEN,
        highlight=False,
        markup=False,
        emoji=False,
    )


@attrs.define
class Output:
    """One run's mouth.

    Attributes:
        json: Whether stdout gets one JSON document instead of tables.
        verbosity: How often ``-v`` was given.
    """

    json: bool
    out: Console
    err: Console
    verbosity: int = 0

    @classmethod
    def standard(cls, *, json: bool) -> Output:
        """Return the output to this process's stdout and stderr."""
        environ = os.environ
        return cls(json, console_for(sys.stdout, environ), console_for(sys.stderr, environ))

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line for people; nothing when stdout belongs to JSON."""
        if not self.json:
            self.out.print(Text(clean(text), style=style), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """Print one line to stderr."""
        self.err.print(Text(clean(text), style=style), soft_wrap=True)

    def document(self, document: Mapping[str, Any], *, indent: int | None = 2) -> None:
        """Print the JSON document, when JSON was asked for."""
        if self.json:
            self.out.file.write(json.dumps(document, indent=indent) + "\n")
            self.out.file.flush()

    def table(self, title: str, columns: Sequence[str], rows: Rows) -> None:
        """Print a table; columns whose name ends in ``>`` are aligned to the right."""
        if self.json:
            return
        style = box.SIMPLE_HEAD if self.out.is_terminal else None
        table = Table(
            box=style, title=title or None, title_justify="left", pad_edge=False, show_edge=False
        )
        for column in columns:
            right = column.endswith(">")
            table.add_column(
                column.rstrip(">"), justify="right" if right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(clean(cell)) for cell in row))
        self.out.print(table)

    def warning(self, text: str) -> None:
        """Print a warning to stderr."""
        self.note(f"warning: {text}", "yellow")

    def error(self, error: CamsyncError, **other: Any) -> None:
        """Say what went wrong and what to do: as JSON on stdout (*other* wins), or on stderr."""
        if self.json:
            self.document({"error": {**error_json(error), **other}})
            return
        self.problem("cancelled" if isinstance(error, CancelledError) else "error", error)

    @property
    def tracebacks(self) -> bool:
        """Whether the user wants to see them: from ``-vv`` on."""
        return self.verbosity >= _TRACEBACKS

    def trace(self, *error: Any) -> None:
        """Print a traceback to stderr, from what `sys.exc_info` gives."""
        for line in "".join(traceback.format_exception(*error)).splitlines():
            self.note(line)

    def problem(self, label: str, error: CamsyncError) -> None:
        """Print the two lines of an error to stderr."""
        self.note(f"{label}: {str(error).removesuffix(f' - {error.next_step}')}", "red")
        if error.next_step:
            self.note(f"  next step: {error.next_step}")


class _ConsoleHandler(logging.Handler):
    """Writes log lines through the console, so that they stay above a live display."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        # camsync logs the names of events; their details travel beside them.
        details = "".join(
            f" {name.removeprefix(_DETAIL)}={value}"
            for name, value in vars(record).items()
            if name.startswith(_DETAIL)
        )
        level = record.levelname.lower()
        self._output.note(f"{level}: {record.name}: {record.getMessage()}{details}")
        if record.exc_info and self._output.tracebacks:
            self._output.trace(*record.exc_info)


@contextlib.contextmanager
def logging_to(output: Output) -> Iterator[None]:
    """Send camsync's log to *output* while the block runs; `verbose` sets how much."""
    logger = logging.getLogger("camsync")
    handler = _ConsoleHandler(output)
    before = logger.level
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def verbose(output: Output, count: int) -> None:
    """Raise the amount of logging: once for INFO, twice for DEBUG and tracebacks."""
    output.verbosity = max(output.verbosity, count)
    if output.verbosity:
        level = logging.DEBUG if output.tracebacks else logging.INFO
        logging.getLogger("camsync").setLevel(level)
