"""Lengths of time, moments, sizes and channels as people type them: ``2h30m``, ``50G``. Pure."""

from __future__ import annotations

import datetime as dt
import difflib
import re

from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from .errors import ConfigurationError


_LENGTH = re.compile(
    r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?", re.ASCII | re.IGNORECASE
)
_CAPITAL = re.compile(r"(?<!\d)(\d+)M(?![iI][nN])", re.ASCII)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_ZULU = re.compile(r"[zZ]$")
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_NUMBERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)
_TRACKS, _STREAMS = 100, (1, 2, 3)
"""Track 201 is the main stream of channel 2, 202 its second one."""
_MOST_CHANNELS = 4096
_DIGITS = 9
_LONGEST = 60
"""Characters of a wrong word that an error repeats."""


def parse_length(text: str) -> dt.timedelta:
    """Read ``24h``, ``2h30m``, ``7d``, ``1w`` or ``90s``.

    Raises:
        ConfigurationError: *text* is none of these, or may be read in two ways, see `check_units`.
    """
    check_units(text)
    length = _length(text.strip())
    if length is None:
        msg = f"{text[:_LONGEST]!r} is no length of time"
        raise ConfigurationError(msg, next_step="write 24h, 2h30m, 7d or 90s")
    return length


def check_units(text: str) -> None:
    """Refuse ``1M`` where a length may stand: here it would be a minute, elsewhere it is a month.

    Whoever asks for footage of a month to be kept must not be left with that of a minute.

    Raises:
        ConfigurationError: *text* is a length with a capital M in it.
    """
    months = _CAPITAL.search(text)
    if months is None or _length(text.strip()) is None:
        return
    number = months[1][:_DIGITS]
    msg = f"{text[:_LONGEST]!r} may mean months: m is minutes"
    step = f"write {30 * int(number)}d for months, or {number}m for minutes"
    raise ConfigurationError(msg, next_step=step)


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
        ConfigurationError: *text* is none of these, or out of the calendar's range, or may be read
            in two ways, see `check_units`.
    """
    wanted = text.strip()
    check_units(text)
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
        ConfigurationError: *text* is neither, or may be read in two ways, see `check_units`.
    """
    check_units(text)
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


def names_meant(text: str, known: Collection[str]) -> tuple[list[str], list[str]]:
    """Return which of the *known* names of channels *text* means, and what of it means none.

    ``1,3`` is both, ``1-4`` those of them that there are, ``01`` is ``1``, and ``101``, the number of
    a recorder's track, is channel 1. What is known as it was typed is always that: a camera may be
    called ``1-4``, and a large recorder has a channel 101.
    """
    if text in known:
        return [text], []
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and all(parts):
        found, strangers = zip(*(names_meant(part, known) for part in parts), strict=True)
        return list(chain(*found)), list(chain(*strangers))
    meant = [name for name in _numbered(text) if name in known]
    return (meant, []) if meant else ([], [text])


def _numbered(text: str) -> Iterator[str]:
    """Yield the ids that a number or a range may mean."""
    device, slash, number = text.rpartition("/")
    match = _NUMBERS.fullmatch(number)
    if match is None:
        return
    first, last = int(match[1]), int(match[2] or match[1])
    for each in range(first, min(last, first + _MOST_CHANNELS) + 1):
        yield f"{device}{slash}{each}"
    if match[2] is None and first > _TRACKS and first % _TRACKS in _STREAMS:
        yield f"{device}{slash}{first // _TRACKS}"


def near_name(text: str, known: Iterable[str]) -> str:
    """Return the question after the name that may have been meant, or an empty text."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(text[:_LONGEST].casefold(), folded, n=1)
    return f"did you mean {folded[close[0]]!r}? " if close else ""
