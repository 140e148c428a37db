"""What people type for a moment."""

from __future__ import annotations

import datetime as dt
import re

from ..errors import ConfigurationError


_AGO = re.compile(
    r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?", re.ASCII | re.IGNORECASE
)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_ZULU = re.compile(r"[zZ]$")


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
        msg = f"{text!r} is no time"
        raise ConfigurationError(
            msg, next_step="write 24h, 2h30m, 7d, now, 2026-09-26 or 2026-09-26T08:00+08:00"
        ) from error


def _before(text: str, now: dt.datetime) -> dt.datetime | None:
    if text.lower() == "now":
        return now
    match = _AGO.fullmatch(text)
    if not text or match is None:
        return None
    parts = {unit: int(part) for unit, part in zip(_UNITS, match.groups(), strict=True) if part}
    return now - dt.timedelta(**parts)


def _iso(text: str) -> dt.datetime:
    # Python 3.10 does not read the "Z" that every recorder and every JSON of ours writes.
    moment = dt.datetime.fromisoformat(_ZULU.sub("+00:00", text))
    return moment if moment.tzinfo is not None else moment.astimezone()
