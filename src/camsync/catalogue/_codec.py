"""Between values and columns: times as whole seconds UTC, text that every database accepts."""

from __future__ import annotations

import datetime as dt
import re

from typing import overload
from urllib.parse import quote, unquote

from .._time import UTC, ensure_aware


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = dt.timedelta(seconds=1)
# PostgreSQL has no NUL in text, and neither database has lone surrogates (bytes of a file name
# that are no UTF-8). "%" begins what stands for them.
_ODD = re.compile("[%\x00-\x1f\x7f\ud800-\udfff]")
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def to_seconds(moment: dt.datetime) -> int:
    """Return the whole seconds since 1970 (UTC), rounded down."""
    return (ensure_aware(moment) - _EPOCH) // _SECOND


@overload
def from_seconds(seconds: int) -> dt.datetime: ...
@overload
def from_seconds(seconds: None) -> None: ...
def from_seconds(seconds: int | None) -> dt.datetime | None:
    """Return the moment (aware, UTC)."""
    # fromtimestamp() refuses times before 1970 on Windows.
    return None if seconds is None else _EPOCH + dt.timedelta(seconds=seconds)


def exact(text: str) -> str:
    """Write *text* so that `plain` gives back every character of it."""
    return _ODD.sub(lambda match: quote(match[0], safe="", errors="surrogatepass"), text)


def plain(text: str) -> str:
    """Read what `exact` has written."""
    return unquote(text, errors="surrogatepass")


def shown(text: str, longest: int = 1000) -> str:
    """Return *text* for people to read: what a database cannot hold becomes ``?``."""
    return _UNFIT.sub("?", text)[:longest]
