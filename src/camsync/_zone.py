"""Time zones as recorders declare them: POSIX rules under a constant, meaningless name."""

from __future__ import annotations

import datetime as dt
import functools
import re

from typing import Any

import attrs

from .errors import ConfigurationError, ProtocolError


_ZERO = dt.timedelta(0)
_DAY = dt.timedelta(days=1)
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
_RULE = rf"M(\d{{1,2}})\.(\d)\.(\d)(?:/{_CLOCK})?"
_ZONE = re.compile(rf"[A-Za-z]*\s*([+-]?){_CLOCK}(?:DST{_CLOCK}(?:,{_RULE},{_RULE})?)?", re.ASCII)
_LONGEST = 200
"""Characters of a time zone: no name in the database and no declaration has half of them."""


def delta(hours: str | None, minutes: str | None, seconds: str | None) -> dt.timedelta:
    """Return a length of time from the digits of a clock; missing ones count as 0."""
    return dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0))


@attrs.frozen
class DstRule:
    """The moment of a change of clocks: ``M3.5.0/02:00:00`` is the last Sunday of March at 02:00.

    *week* 5 means the last one; *weekday* 0 is Sunday; *at* is the wall time before the change.
    """

    month: int = attrs.field(validator=[attrs.validators.ge(1), attrs.validators.le(12)])
    week: int = attrs.field(validator=[attrs.validators.ge(1), attrs.validators.le(5)])
    weekday: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(6)])
    at: dt.timedelta

    def in_year(self, year: int) -> dt.datetime:
        """Return the naive wall time of the change in *year*."""
        return _weekday(year, self.month, self.week, self.weekday) + self.at

    def __str__(self) -> str:
        return f"M{self.month}.{self.week}.{self.weekday}/{_clock_text(self.at)}"


# Every recording of a zone with daylight saving asks for the same four days: a third of the
# time of reading a page.
@functools.lru_cache(maxsize=256)
def _weekday(year: int, month: int, week: int, weekday: int) -> dt.datetime:
    """Return midnight of the *week*-th *weekday* of a month; 5 is the last one."""
    first = dt.datetime(year, month, 1)  # noqa: DTZ001 - wall time, on purpose
    ahead = (weekday - first.isoweekday()) % 7
    day = first + dt.timedelta(days=ahead + 7 * (week - 1))
    while day.month != month:
        day -= dt.timedelta(days=7)
    return day


def _clock_text(delta: dt.timedelta, *, pad: bool = True) -> str:
    seconds = int(delta.total_seconds())
    hours = f"{seconds // 3600:02d}" if pad else str(seconds // 3600)
    return f"{hours}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


@attrs.frozen
class DeviceZone(dt.tzinfo):
    """A recorder's time zone as it declares it, usable as ``tzinfo``.

    The text follows POSIX: ``CST-8:00:00`` is UTC**+8**; the letters mean nothing. Seen on
    DS-7608NI-K2 and, with daylight saving, in a V4 recorder's ``System/time``:
    ``CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00``.
    """

    standard: dt.timedelta
    saving: dt.timedelta = _ZERO
    begins: DstRule | None = None
    ends: DstRule | None = None

    @classmethod
    def parse(cls, text: str) -> DeviceZone:
        """Read the ``timeZone`` element of ``System/time``; surrounding blanks are normal.

        Raises:
            ProtocolError: *text* is not in the recorder's grammar.
        """
        match = _ZONE.fullmatch(text.strip())
        if match is None:
            msg = f"the device declares a time zone that makes no sense: {text.strip()[:80]!r}"
            raise ProtocolError(msg, next_step="pass timezone= to say what it is")
        part = match.groups()
        offset = delta(*part[1:4])
        standard = offset if part[0] == "-" else -offset
        saving = delta(*part[4:7])
        rules = (part[7:13], part[13:19])
        try:
            begins, ends = (_rule(fields) for fields in rules)
            return cls(standard, saving, begins, ends)._checked()
        except ValueError as error:
            msg = f"the device declares an impossible time zone: {text.strip()[:80]!r}"
            raise ProtocolError(msg, next_step="pass timezone= to say what it is") from error

    def _checked(self) -> DeviceZone:
        # Python refuses a dst() of a day or more as well, but only when it formats a time.
        if max(abs(self.standard), abs(self.standard + self.saving), self.saving) >= _DAY:
            msg = "offset of a day or more"
            raise ValueError(msg)
        return self

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        """Return the offset from UTC of the wall time *when*; its ``fold`` is honoured."""
        return self.standard + self.dst(when)

    def dst(self, when: dt.datetime | None) -> dt.timedelta:
        """Return the part of the offset that is daylight saving."""
        if when is None or self.begins is None or self.ends is None:
            return _ZERO
        wall = when.replace(tzinfo=None)
        # Wall times in the spring gap count as still standard (fold 0) or already saving (fold 1);
        # wall times in the autumn fold as still saving (fold 0) or standard again (fold 1): PEP 495.
        begin = self.begins.in_year(wall.year) + (_ZERO if when.fold else self.saving)
        end = self.ends.in_year(wall.year) - (self.saving if when.fold else _ZERO)
        return self.saving if _between(begin, wall, end) else _ZERO

    def tzname(self, when: dt.datetime | None) -> str:
        """Return a name such as ``UTC+08:00``."""
        return dt.timezone(self.utcoffset(when)).tzname(None)

    def fromutc(self, when: dt.datetime) -> dt.datetime:
        """Convert a datetime that holds UTC in its fields to this zone, setting ``fold``."""
        standard = when + self.standard
        if self.begins is None or self.ends is None:
            return standard
        moment = standard.replace(tzinfo=None)
        begin = self.begins.in_year(moment.year)
        end = self.ends.in_year(moment.year) - self.saving
        if _between(begin, moment, end):
            return (standard + self.saving).replace(fold=0)
        repeated = _ZERO <= moment - end < self.saving
        return standard.replace(fold=int(repeated))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.standard, self.saving, self.begins, self.ends)

    def __str__(self) -> str:
        sign = "-" if self.standard >= _ZERO else "+"
        text = f"CST{sign}{_clock_text(abs(self.standard), pad=False)}"
        if self.begins is None or self.ends is None:
            return text
        return f"{text}DST{_clock_text(self.saving)},{self.begins},{self.ends}"


def _rule(fields: tuple[str | None, ...]) -> DstRule | None:
    month, week, weekday, *clock = fields
    if month is None:
        return None
    at = delta(*clock) if clock[0] is not None else dt.timedelta(hours=2)
    return DstRule(int(month), int(week or 0), int(weekday or 0), at)


def _between(begin: dt.datetime, moment: dt.datetime, end: dt.datetime) -> bool:
    """Whether *moment* lies in the season; south of the equator it spans the new year."""
    if begin <= end:
        return begin <= moment < end
    return not end <= moment < begin


def parse_timezone(value: dt.tzinfo | str | None) -> dt.tzinfo | None:
    """Accept a tzinfo, a name (``Europe/Berlin``), an offset (``+08:00``) or a recorder's own text.

    Raises:
        ConfigurationError: It is none of these.
    """
    if value is None or isinstance(value, dt.tzinfo):
        return value
    import zoneinfo  # a third of the package's import time, seldom needed

    text = value.strip()
    try:
        if len(text) > _LONGEST:  # zoneinfo looks for modules, as deep as there are slashes
            raise ValueError(len(text))
        if text.startswith(("+", "-")):
            # Common notation counts eastward, the recorders' (POSIX) westward.
            return DeviceZone.parse(f"CST{'-' if text[0] == '+' else '+'}{text[1:]}")
        if text.upper().startswith("CST") and len(text) > len("CST"):
            return DeviceZone.parse(text)
        return zoneinfo.ZoneInfo(text)
    except (ProtocolError, zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"{text[:60]!r} is not a time zone"
        raise ConfigurationError(
            msg, next_step="use a name such as 'Asia/Ho_Chi_Minh' or an offset such as '+08:00'"
        ) from error
