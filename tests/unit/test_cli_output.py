"""Where and how the command line prints."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging

import pytest

from rich.console import Console

from camsync import errors
from camsync.cli._exit import CODES, code_for
from camsync.cli._json import error_json
from camsync.cli._output import Output, console_for, logging_to, verbose


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def memory(*, as_json=False, terminal=False, environ=None):
    """An output whose streams are kept in memory."""
    kind = Terminal if terminal else io.StringIO
    return Output(as_json, console_for(kind(), environ or {}), console_for(kind(), environ or {}))


def text(console: Console) -> str:
    """What was printed there."""
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("terminal", "environ", "coded"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
    ],
)
def test_control_codes_go_to_willing_terminals_only(monkeypatch, terminal, environ, coded):
    """A pipe, NO_COLOR and a dumb terminal get plain text."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    output = memory(terminal=terminal, environ=environ)
    output.warning("careful")
    output.table("t", ["a"], [["b"]])

    assert coded == ("\x1b" in text(output.err))
    assert coded == ("\x1b" in text(output.out))
    assert coded == output.err.is_terminal


def test_a_pipe_gets_unbroken_rows():
    """A long cell stays on its line, so that grep and cut work."""
    output = memory()
    output.table("", ["name", "size>"], [["x" * 300, "1"], ["[b]y[/b]", "22"]])

    assert ["name" + " " * 298 + "size", "x" * 300 + "     1", "[b]y[/b]" + " " * 296 + "22"] == [
        line.rstrip() for line in text(output.out).splitlines()
    ]


def test_json_silences_tables_and_lines():
    """Stdout holds one JSON document and nothing else."""
    output = memory(as_json=True)
    output.line("for people")
    output.table("", ["a"], [["b"]])
    output.document({"name": "Cửa"})

    assert {"name": "Cửa"} == json.loads(text(output.out))


def test_without_json_there_is_no_document():
    """The same call in table mode prints nothing."""
    output = memory()
    output.document({"a": 1})

    assert "" == text(output.out)


def test_an_error_has_a_reason_and_a_next_step():
    """Two lines on stderr: what, with the vendor's code, and what to do."""
    output = memory()
    output.error(
        errors.DeviceBusyError(
            "no free\nslot", vendor_code="2", vendor_sub_code="deviceBusy", http_status=503
        )
    )

    assert (
        "error: no free slot [HTTP 503, 2 deviceBusy]\n"
        "  next step: try again in a minute, with fewer parallel downloads and open viewers\n"
    ) == text(output.err)
    assert "" == text(output.out)


def test_an_error_without_a_next_step_is_one_line():
    """Nothing is made up."""
    output = memory()
    output.error(errors.UnsupportedError("not here"))

    assert "error: not here\n" == text(output.err)


def test_cancelling_is_no_error():
    """Who pressed Ctrl-C knows."""
    output = memory()
    output.error(errors.CancelledError("stopped"))

    assert "cancelled: stopped\n" == text(output.err)


def test_an_error_as_json_tells_all_it_knows():
    """The keys are there even when they are empty."""
    output = memory(as_json=True)
    output.error(errors.DeviceBusyError("full", retry_after=3.0, http_status=503))

    assert {
        "error": {
            "type": "DeviceBusyError",
            "category": "busy",
            "message": "full",
            "next_step": errors.DeviceBusyError.default_next_step,
            "vendor_code": None,
            "vendor_sub_code": None,
            "http_status": 503,
            "retryable": True,
            "retry_after": 3.0,
        }
    } == json.loads(text(output.out))
    assert "" == text(output.err)


def test_some_errors_know_more():
    """The moment of unlocking, and both fingerprints."""
    moment = dt.datetime(2026, 9, 26, 8, tzinfo=dt.timezone.utc)
    locked = error_json(errors.AccountLockedError("locked", unlock_at=moment))
    open_end = error_json(errors.AccountLockedError("locked"))
    certificate = error_json(
        errors.CertificateError("other", expected="sha256:a", actual="sha256:b")
    )

    assert "2026-09-26T08:00:00Z" == locked["unlock_at"]
    assert None is open_end["unlock_at"]
    assert ("sha256:a", "sha256:b") == (certificate["expected"], certificate["actual"])


def test_every_category_has_its_exit_code():
    """Fifteen categories, fifteen codes, none of them 0 or 1."""
    assert set(errors.Category) == set(CODES)
    assert len(CODES) == len(set(CODES.values()))
    assert {0, 1}.isdisjoint(CODES.values())
    assert 6 == code_for(errors.AccountLockedError("locked"))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ["warning: camsync.test: careful"]),
        (1, ["info: camsync.test: by the way", "warning: camsync.test: careful"]),
        (
            2,
            [
                "debug: camsync.test: detail",
                "info: camsync.test: by the way",
                "warning: camsync.test: careful",
            ],
        ),
    ],
)
def test_verbosity_decides_what_of_the_log_is_shown(count, expected):
    """Warnings always, -v for the course of things, -vv for everything; then all is as before."""
    output = memory()
    logger = logging.getLogger("camsync.test")
    root = logging.getLogger("camsync")
    before = root.level, list(root.handlers)

    with logging_to(output):
        verbose(output, count)
        verbose(output, 0)
        logger.debug("detail")
        logger.info("by the %s", "way")
        logger.warning("careful")

    assert expected == text(output.err).splitlines()
    assert before == (root.level, list(root.handlers))
    assert count == output.verbosity


@pytest.mark.parametrize(("count", "traced"), [(1, False), (2, True)])
def test_a_log_line_shows_its_details(count, traced):
    """The details of an event stand behind its name; tracebacks are for -vv."""
    output = memory()
    logger = logging.getLogger("camsync.test")

    with logging_to(output):
        verbose(output, count)
        try:
            {}["x"]
        except KeyError:
            logger.exception("odd", extra={"camsync_path": "System/time", "other": 1})
    lines = text(output.err).splitlines()

    assert "error: camsync.test: odd path=System/time" == lines[0]
    assert traced == ("KeyError: 'x'" in lines)


@pytest.mark.parametrize("plain", [False, True])
def test_a_terminal_gets_short_rows(monkeypatch, plain):
    """Columns that may be cut end in an ellipsis, empty ones are left out, no row is broken."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    output = memory(terminal=True, environ={"NO_COLOR": "1"} if plain else {})
    output.table("", ["name~", "size>", "void", "more?"], [["x" * 60, "1.0 MiB", "", "y"]])
    printed = text(output.out)

    assert "xxx…" in printed
    assert "1.0 MiB" in printed
    assert "void" not in printed
    assert "more" not in printed
    assert 1 == printed.count("x…")
    assert plain == all(len(line) <= 40 and "\x1b" not in line for line in printed.splitlines())


def test_a_table_without_rows_keeps_its_head():
    """On a terminal too."""
    output = memory(terminal=True)
    output.table("", ["name", "size"], [])

    assert "name" in text(output.out)


def test_a_column_that_may_take_several_lines_is_not_cut(monkeypatch):
    """Reasons are read to the end, on a narrow terminal too."""
    monkeypatch.setenv("COLUMNS", "40")
    output = memory(terminal=True, environ={"NO_COLOR": "1"})
    output.table("", ("store", "state|"), [["file", "unusable: it was made by somebody else"]])
    shown = " ".join(output.out.file.getvalue().split())

    assert shown.endswith("file unusable: it was made by somebody else")
