"""Lengths of time, moments and sizes as people type them: ``2h30m``, ``50G``. Pure."""

from __future__ import annotations

import datetime as dt
import re

from .errors import ConfigurationError


_LENGTH = re.compile(
    r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?", re.ASCII | re.IGNORECASE
)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_ZULU = re.compile(r"[zZ]$")
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LONGEST = 60
"""Characters of a wrong word that an error repeats."""


def parse_length(text: str) -> dt.timedelta:
    """Read ``24h``, ``2h30m``, ``7d``, ``1w`` or ``90s``.

    Raises:
        ConfigurationError: *text* is none of these.
    """
    length = _length(text.strip())
    if length is None:
        msg = f"{text[:_LONGEST]!r} is no length of time"
        raise ConfigurationError(msg, next_step="write 24h, 2h30m, 7d or 90s")
    return length


def _length(text: str) -> dt.timedelta | None:
    match = _LENGTH.fullmatch(text)
    if not text or match is None:
        return None
    try:
        parts = {unit: int(part) for unit, part in zip(_UNITS, match.groups(), strict=True) if part}
        return dt.timedelta(**parts)
    except (ValueError, OverflowError):  # as many digits as that are no number any more
        return None


def parse_moment(text: str, now: dt.datetime) -> dt.datetime:
    """Read ``24h``, ``2h30m``, ``7d``, ``now`` or an ISO 8601 time.

    A length means "that long before *now*". A time without offset is this computer's local time.

    Raises:
        ConfigurationError: *text* is none of these, or out of the calendar's range.
    """
    wanted = text.strip()
    try:
        return _before(wanted, now) or _iso(wanted)
    except (ValueError, OverflowError, OSError) as error:
        msg = f"{text[:_LONGEST]!r} is no time"
        raise ConfigurationError(
            msg, next_step="write 24h, 2h30m, 7d, now, 2026-09-26 or 2026-09-26T08:00+08:00"
        ) from error


def _before(text: str, now: dt.datetime) -> dt.datetime | None:
    if text.lower() == "now":
        return now
    length = _length(text)
    return None if length is None else now - length


def _iso(text: str) -> dt.datetime:
    # Python 3.10 does not read the "Z" that every recorder and every JSON of ours writes.
    moment = dt.datetime.fromisoformat(_ZULU.sub("+00:00", text))
    return moment if moment.tzinfo is not None else moment.astimezone()


def parse_since(text: str, now: dt.datetime) -> dt.timedelta | dt.datetime:
    """Read a length as a length, and everything else as `parse_moment` does.

    Raises:
        ConfigurationError: *text* is neither.
    """
    length = _length(text.strip())
    return parse_moment(text, now) if length is None else length


def parse_size(text: str) -> int:
    """Return the bytes that *text* means: ``50G``, ``500M``, ``1.5T``; powers of 1024.

    Raises:
        ConfigurationError: It means none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        msg = f"{text[:_LONGEST]!r} is no size"
        raise ConfigurationError(msg, next_step="write bytes, or 500M, 50G, 1.5T")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])
