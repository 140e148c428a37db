"""The errors: one root, pickling, and what a user reads."""

from __future__ import annotations

import builtins
import copy
import datetime as dt
import pickle

import pytest

from camsync import TimeSpan, errors
from camsync.errors import (
    AccountLockedError,
    CamsyncError,
    Category,
    CertificateError,
    DestinationBusyError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceTimeoutError,
    DiskFullError,
    FootageGapError,
    MissingExtraError,
    RecordingInProgressError,
    ShortReadError,
    UnreachableError,
)


HOUR = dt.timedelta(hours=1)


def all_errors() -> list[type[CamsyncError]]:
    """Every error class, the root included."""
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, CamsyncError)
    ]


every_error = pytest.mark.parametrize("error_class", all_errors(), ids=lambda cls: cls.__name__)


def builtins_in_tree() -> list[tuple[str, str]]:
    """Read the pairs of class and builtin from the tree in the module's docstring."""
    pairs = []
    for line in (errors.__doc__ or "").splitlines():
        words = line.strip("| `-").split()
        if len(words) > 1 and words[0].endswith("Error") and words[1].startswith("("):
            pairs.append((words[0], words[1].strip("()")))
    return pairs


@every_error
def test_error_survives_pickling(error_class):
    """An error crosses a process border with everything that it knows."""
    error = error_class("the message")
    error.vendor_code = "4"
    error.http_status = 503

    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert error_class is type(again)
        assert vars(error) == vars(again)
        assert str(error) == str(again)


def test_own_fields_survive_pickling():
    """What a leaf holds beyond the common fields is pickled too."""
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
    locked = pickle.loads(
        pickle.dumps(AccountLockedError("locked", unlock_at=moment, vendor_sub_code="userLocked"))
    )
    short = pickle.loads(pickle.dumps(ShortReadError("short", expected=10, received=4)))
    busy = pickle.loads(pickle.dumps(DestinationBusyError("busy", pid=7, host="nas", since=moment)))
    gap = pickle.loads(
        pickle.dumps(FootageGapError("gap", gaps=(TimeSpan(moment, moment + HOUR),)))
    )
    full = pickle.loads(pickle.dumps(DiskFullError("full", needed=10, free=4)))
    pinned = pickle.loads(
        pickle.dumps(CertificateError("other", expected="sha256:aa", actual="sha256:bb"))
    )

    assert (moment, "userLocked") == (locked.unlock_at, locked.vendor_sub_code)
    assert (10, 4) == (short.expected, short.received)
    assert (7, "nas", moment) == (busy.pid, busy.host, busy.since)
    assert (TimeSpan(moment, moment + HOUR),) == gap.gaps
    assert (10, 4) == (full.needed, full.free)
    assert ("sha256:aa", "sha256:bb") == (pinned.expected, pinned.actual)


@every_error
def test_every_class_has_a_category_and_a_docstring(error_class):
    """A handler that only looks at the category always gets one."""
    assert error_class.category in Category
    assert error_class.__doc__


@every_error
def test_the_tree_in_the_docstring_is_complete(error_class):
    """The tree that users read names every class."""
    assert f" {error_class.__name__}" in (errors.__doc__ or "").replace("|-- ", " ").replace(
        "`-- ", " "
    )


@pytest.mark.parametrize(("name", "builtin"), builtins_in_tree())
def test_errors_are_the_builtins_that_the_tree_names(name, builtin):
    """``except TimeoutError`` works."""
    assert issubclass(getattr(errors, name), getattr(builtins, builtin))


def test_only_what_may_pass_is_retryable():
    """A try costs a failed login or an hour: only what may pass by itself is tried again."""
    retryable = {cls for cls in all_errors() if cls.retryable}

    assert {
        DestinationBusyError,
        DeviceBusyError,
        DeviceFaultError,
        DeviceTimeoutError,
        RecordingInProgressError,
        ShortReadError,
        UnreachableError,
    } == retryable


def test_the_verdict_can_be_overridden():
    """The place that raises may know better than the class."""
    assert UnreachableError("x", retryable=False).retryable is False
    assert CamsyncError("x", retryable=True).retryable is True
    assert UnreachableError.retryable is True


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "no"),
        ({"next_step": "do it"}, "no - do it"),
        ({"http_status": 503}, "no [HTTP 503]"),
        ({"vendor_code": "4"}, "no [4]"),
        (
            {"http_status": 403, "vendor_code": "4", "vendor_sub_code": "notSupport"},
            "no [HTTP 403, 4 notSupport]",
        ),
        ({"vendor_sub_code": "notSupport", "next_step": "do it"}, "no [notSupport] - do it"),
    ],
)
def test_text_shows_what_is_known(options, expected):
    """Message, status, the vendor's words and the next step stand in one line."""
    assert expected == str(CamsyncError("no", **options))


def test_default_next_step_gives_way():
    """A next step that fits better replaces the class's own."""
    assert DeviceBusyError.default_next_step == DeviceBusyError("x").next_step
    assert "wait" == DeviceBusyError("x", next_step="wait").next_step


def test_missing_extra_says_what_to_install():
    """The pip command can be copied from the message."""
    error = MissingExtraError.for_extra("mp4", "MP4 output")

    assert "MP4 output needs the optional extra 'mp4'" == error.message
    assert "python -m pip install '.[mp4]'" in str(error)
    assert Category.SETUP is error.category
