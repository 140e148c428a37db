"""Time zones as ``timeZoneQueryByDay`` and ``timeZoneQueryByWeek`` tell them.

The names of the members, ``MM-dd HH:mm:ss`` for a day, ``month-week-weekday HH:mm:ss`` with Sunday
as 0, and ``8`` for UTC+8 stand in the vendor's client headers. Modelled: halves of an hour as
``5.5``, week 5 for the last one, mode ``none`` without daylight saving, and the index of the area.
"""

from __future__ import annotations

import datetime as dt

from typing import Any, NamedTuple


_UTC = dt.timezone.utc
_HOUR = dt.timedelta(hours=1)
_WEEK = dt.timedelta(days=7)
_ZERO = dt.timedelta(0)


class Change(NamedTuple):
    """A change of clocks: the wall time before it, and the offset after it."""

    wall: dt.datetime
    after: dt.timedelta


def _offset(zone: dt.tzinfo, moment: dt.datetime) -> dt.timedelta:
    return moment.astimezone(zone).utcoffset() or _ZERO


def changes(zone: dt.tzinfo, year: int) -> tuple[Change, ...]:
    """Return the changes of clocks in a year, to the minute."""
    found = []
    start = dt.datetime(year, 1, 1, tzinfo=_UTC)
    for day in range(366):
        low, high = start + dt.timedelta(days=day), start + dt.timedelta(days=day + 1)
        before, after = _offset(zone, low), _offset(zone, high)
        if before == after:
            continue
        while high - low > dt.timedelta(minutes=1):
            middle = low + (high - low) / 2
            low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
        moment = (high + dt.timedelta(seconds=30)).replace(second=0, microsecond=0)
        found.append(Change((moment + before).replace(tzinfo=None), after))
    return tuple(found)


def _hours(offset: dt.timedelta) -> str:
    return f"{offset / _HOUR:g}"


def _as_day(wall: dt.datetime) -> str:
    return f"{wall:%m-%d %H:%M:%S}"


def _as_week(wall: dt.datetime) -> str:
    last = (wall + _WEEK).month != wall.month
    week = 5 if last else (wall.day - 1) // 7 + 1
    return f"{wall.month}-{week}-{wall.isoweekday() % 7} {wall:%H:%M:%S}"


def _saving(zone: dt.tzinfo, year: int) -> tuple[str, Change | None, Change | None]:
    """Return the standard offset, and when daylight saving begins and ends."""
    found = changes(zone, year)
    standard = min((each.after for each in found), default=_offset(zone, _new_year(year)))
    if len(found) != 2:
        return _hours(_offset(zone, _new_year(year))), None, None
    begin, end = sorted(found, key=lambda each: each.after == standard)
    return _hours(standard), begin, end


def _new_year(year: int) -> dt.datetime:
    return dt.datetime(year, 1, 1, tzinfo=_UTC)


def by_day(zone: dt.tzinfo, year: int) -> dict[str, Any]:
    """Return the answer of ``timeZoneQueryByDay``."""
    standard, begin, end = _saving(zone, year)
    return {
        "areaIndex": "0",
        "timeZone": standard,
        "mode": "week" if begin else "none",
        "beginSunTime": _as_day(begin.wall) if begin else "",
        "endSunTime": _as_day(end.wall) if end else "",
        "beginWeekSunTime": _as_week(begin.wall) if begin else "",
        "endWeekSunTime": _as_week(end.wall) if end else "",
    }


def by_week(zone: dt.tzinfo, year: int) -> dict[str, Any]:
    """Return the answer of ``timeZoneQueryByWeek``."""
    standard, begin, end = _saving(zone, year)
    return {
        "areaIndex": "0",
        "timeZone": standard,
        "beginSunTime": _as_week(begin.wall) if begin else "",
        "endSunTime": _as_week(end.wall) if end else "",
    }
