"""Where the command line prints: tables or one JSON document to stdout, the rest to stderr."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import traceback

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO, cast

import attrs

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import CamsyncError, CancelledError
from ._advice import next_step, words
from ._format import clean
from ._json import error_json


_UNBROKEN = 1000
"""Columns of a pipe or a file: tables that programs or ``grep`` read must not be wrapped."""

_TRACEBACKS = 2
_DETAIL = "camsync_"
_HOOKS = "camsync.sync.hooks"
SAID = "said_elsewhere"
"""Marks a record for a log file: the screen has the same in words of its own."""

Rows = Iterable[Sequence[str]]


class _Console(Console):
    """Lets a closed pipe reach the end of the run; rich (from 13.8) would exit with 1 right here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _Nowhere(io.TextIOBase):
    """Takes the place of an output that was closed before this process began."""

    def write(self, text: str) -> int:
        return len(text)


def console_for(stream: TextIO | None, environ: Mapping[str, str]) -> Console:
    """Return a console that writes control codes only to a terminal that wants them.

    Args:
        stream: None where there is none: ``camsync … >&-``, or ``pythonw``.
    """
    if stream is None:
        return _Console(file=cast("TextIO", _Nowhere()), width=_UNBROKEN)
    interactive = stream.isatty()
    plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
    return _Console(
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
        quiet: Whether warnings of the log are not worth a word, such as a retry that succeeds.
    """

    json: bool
    out: Console
    err: Console
    verbosity: int = 0
    quiet: bool = False

    @classmethod
    def standard(cls, *, json: bool) -> Output:
        """Return the output to this process's stdout and stderr."""
        environ = os.environ
        return cls(json, console_for(sys.stdout, environ), console_for(sys.stderr, environ))

    @property
    def on_terminal(self) -> bool:
        """Whether a person reads stdout, with colours or without: tables are short then."""
        return self.out.file.isatty()

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
        """Print a table.

        Columns whose name ends in ``>`` are aligned to the right. On a terminal, those whose name
        ends in ``~`` are cut first when it is too narrow, and those whose name ends in ``|`` take
        several lines; those whose name ends in ``?``, and columns without content, are left out.
        """
        if self.json:
            return
        cells = [[clean(cell) for cell in row] for row in rows]
        shown = list(range(len(columns)))
        if self.on_terminal:
            shown = [place for place in shown if not columns[place].endswith("?")]
            shown = [place for place in shown if any(row[place] for row in cells)] or shown
        self.out.print(
            self._table(
                title,
                [columns[place] for place in shown],
                [[row[place] for place in shown] for row in cells],
            )
        )

    def _table(self, title: str, columns: Sequence[str], rows: Rows) -> Table:
        style = box.SIMPLE_HEAD if self.out.is_terminal else None
        table = Table(
            box=style, title=title or None, title_justify="left", pad_edge=False, show_edge=False
        )
        for column in columns:
            table.add_column(
                column.rstrip(">~?|"),
                justify="right" if column.endswith(">") else "left",
                no_wrap=self.on_terminal and not column.endswith(("~", "|")),
                overflow="ellipsis" if self.on_terminal and not column.endswith("|") else "fold",
            )
        for row in rows:
            table.add_row(*map(self._cell, row, columns))
        return table

    def _cell(self, text: str, column: str) -> Text:
        if not self.on_terminal or column.endswith("|"):
            return Text(text)
        return Text(text, no_wrap=True, overflow="ellipsis")

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
        what = str(error).removesuffix(f" - {error.next_step}")
        self.note(f"{label}: {words(what)}", "red")
        advice = next_step(error)
        if advice:
            self.note(f"  next step: {advice}")


class _ConsoleHandler(logging.Handler):
    """Writes log lines through the console, so that they stay above a live display."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        if not self._output.verbosity and self._is_no_news(record):
            return
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

    def _is_no_news(self, record: logging.LogRecord) -> bool:
        """Whether the user reads it elsewhere, or has asked not to: a hook that fails is a failure."""
        small = record.levelno < logging.ERROR and record.name != _HOOKS
        return getattr(record, SAID, False) or (self._output.quiet and small)


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
