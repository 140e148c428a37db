"""Time has one home, and it is here.

Above this module every datetime is aware. Recorders are not so strict: the ``Z`` in their search
answers usually means *the recorder's wall clock*, on some cameras true UTC, and a few answers
carry a real offset. `DeviceClock` holds what is known about one device and converts both ways.
"""

from __future__ import annotations

import datetime as dt
import enum
import re

from typing import TYPE_CHECKING, Any

import attrs

from .errors import ConfigurationError, ProtocolError


if TYPE_CHECKING:
    from collections.abc import Iterator


UTC = dt.timezone.utc
_ZERO = dt.timedelta(0)
_DAY = dt.timedelta(days=1)
_FIRST_YEAR, _LAST_YEAR = 1969, 2200
"""A camera without NTP says 1970 (DS-2CD2155FWD-I V5.5.0), west of Greenwich 1969."""


def utcnow() -> dt.datetime:
    """Return the host's clock as an aware UTC datetime."""
    return dt.datetime.now(UTC)


def is_aware(value: dt.datetime) -> bool:
    """Whether *value* knows its offset from UTC."""
    return value.tzinfo is not None and value.utcoffset() is not None


def ensure_aware(value: dt.datetime, name: str = "datetime") -> dt.datetime:
    """Return *value* unchanged when it is aware.

    Raises:
        ConfigurationError: *value* is naive, or no datetime at all.
    """
    if not isinstance(value, dt.datetime):
        msg = f"{name} must be a datetime, not {type(value).__name__}"
        raise ConfigurationError(msg)
    if not is_aware(value):
        msg = f"{name} must be timezone-aware, but {value.isoformat()} has no time zone"
        raise ConfigurationError(
            msg, next_step="use datetime.now(timezone.utc), or attach a zoneinfo.ZoneInfo"
        )
    return value


def aware(_instance: object, attribute: attrs.Attribute[Any], value: dt.datetime | None) -> None:
    """Validate an attrs field: an aware datetime, or None."""
    if value is not None:
        ensure_aware(value, attribute.name)


def to_utc(value: dt.datetime) -> dt.datetime:
    """Convert an aware datetime to UTC."""
    return ensure_aware(value).astimezone(UTC)


@attrs.frozen
class TimeSpan:
    """A half-open span of time, ``start <= t < end``, between two aware datetimes.

    Raises:
        ConfigurationError: A bound is naive, or the end is not after the start.
    """

    start: dt.datetime = attrs.field(validator=aware)
    end: dt.datetime = attrs.field(validator=aware)

    def __attrs_post_init__(self) -> None:
        if self.end <= self.start:
            msg = f"the span ends ({self.end.isoformat()}) before it starts ({self.start.isoformat()})"
            raise ConfigurationError(msg)

    @classmethod
    def last(cls, *, now: dt.datetime | None = None, **length: float) -> TimeSpan:
        """Return the span that ends now: ``TimeSpan.last(hours=24)``.

        *length* takes the keywords of `datetime.timedelta`.
        """
        end = now or utcnow()
        return cls(end - dt.timedelta(**length), end)

    @property
    def duration(self) -> dt.timedelta:
        """The length of the span."""
        return self.end - self.start

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, dt.datetime) and self.start <= moment < self.end

    def overlaps(self, other: TimeSpan) -> bool:
        """Whether the two spans share at least an instant."""
        return self.start < other.end and other.start < self.end

    def intersection(self, other: TimeSpan) -> TimeSpan | None:
        """Return what both spans share, or None."""
        if not self.overlaps(other):
            return None
        return TimeSpan(max(self.start, other.start), min(self.end, other.end))

    def padded(self, margin: dt.timedelta) -> TimeSpan:
        """Return the span widened by *margin* on both sides."""
        return TimeSpan(self.start - margin, self.end + margin)

    def split(self, longest: dt.timedelta = _DAY) -> Iterator[TimeSpan]:
        """Yield consecutive spans, none longer than *longest*, that together are this one.

        Raises:
            ConfigurationError: *longest* is not positive.
        """
        if longest <= _ZERO:
            msg = "a span cannot be split into pieces without length"
            raise ConfigurationError(msg)
        start = to_utc(self.start)
        end = to_utc(self.end)
        while start < end:
            stop = min(start + longest, end)
            yield TimeSpan(start, stop)
            start = stop


# -- The recorder's zone -------------------------------------------------------------------------

_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
_RULE = rf"M(\d{{1,2}})\.(\d)\.(\d)(?:/{_CLOCK})?"
_ZONE = re.compile(
    rf"\s*[A-Za-z]*\s*([+-]?){_CLOCK}(?:DST{_CLOCK}(?:,{_RULE},{_RULE})?)?\s*", re.ASCII
)


def _delta(hours: str | None, minutes: str | None, seconds: str | None) -> dt.timedelta:
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
        first = dt.datetime(year, self.month, 1)  # noqa: DTZ001 - wall time, on purpose
        ahead = (self.weekday - first.isoweekday()) % 7
        day = first + dt.timedelta(days=ahead + 7 * (self.week - 1))
        while day.month != self.month:
            day -= dt.timedelta(days=7)
        return day + self.at

    def __str__(self) -> str:
        return f"M{self.month}.{self.week}.{self.weekday}/{_clock_text(self.at)}"


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
        match = _ZONE.fullmatch(text)
        if match is None:
            msg = f"the device declares a time zone that makes no sense: {text.strip()[:80]!r}"
            raise ProtocolError(msg, next_step="pass timezone= to say what it is")
        part = match.groups()
        offset = _delta(*part[1:4])
        standard = offset if part[0] == "-" else -offset
        saving = _delta(*part[4:7])
        rules = (part[7:13], part[13:19])
        try:
            begins, ends = (_rule(fields) for fields in rules)
            return cls(standard, saving, begins, ends)._checked()
        except ValueError as error:
            msg = f"the device declares an impossible time zone: {text.strip()[:80]!r}"
            raise ProtocolError(msg, next_step="pass timezone= to say what it is") from error

    def _checked(self) -> DeviceZone:
        if max(abs(self.standard), abs(self.standard + self.saving)) >= _DAY:
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
    at = _delta(*clock) if clock[0] is not None else dt.timedelta(hours=2)
    return DstRule(int(month), int(week or 0), int(weekday or 0), at)


def _between(begin: dt.datetime, moment: dt.datetime, end: dt.datetime) -> bool:
    """Whether *moment* lies in the season; south of the equator it spans the new year."""
    if begin <= end:
        return begin <= moment < end
    return not end <= moment < begin


# -- What a device writes ------------------------------------------------------------------------

_STAMP = re.compile(
    r"\s*(\d{4})-?(\d{2})-?(\d{2})[T ](\d{2}):?(\d{2}):?(\d{2})(?:\.\d+)?\s*"
    r"(?:(Z)|([+-])(\d{2}):?(\d{2}))?\s*",
    re.ASCII | re.IGNORECASE,
)


@attrs.frozen
class WireTime:
    """A time as a device wrote it: the digits, and the offset if it gave a real one.

    *offset* is None both for ``Z`` (whose meaning is the device's own) and for nothing at all.
    """

    wall: dt.datetime
    offset: dt.timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> WireTime:
        """Read ``2026-09-26T00:13:39Z``, ``20260926T001339Z``, or a form with ``+0530``.

        Raises:
            ProtocolError: *text* is no time.
        """
        match = _STAMP.fullmatch(text)
        if match is None:
            msg = f"the device sent a time that cannot be read: {text.strip()[:40]!r}"
            raise ProtocolError(msg)
        *digits, _z, sign, hours, minutes = match.groups()
        try:
            wall = dt.datetime(*(int(part) for part in digits))  # type: ignore[arg-type] # noqa: DTZ001
            if not _FIRST_YEAR <= wall.year <= _LAST_YEAR:
                raise ValueError(wall.year)
        except ValueError as error:
            msg = f"the device sent an impossible time: {text.strip()[:40]!r}"
            raise ProtocolError(msg) from error
        if sign is None:
            return cls(wall)
        offset = _delta(hours, minutes, None)
        return cls(wall, offset if sign == "+" else -offset)


class ZMeaning(str, enum.Enum):
    """What the letter ``Z`` means on a device."""

    LOCAL = "local"
    UTC = "utc"


@attrs.frozen(kw_only=True)
class DeviceClock:
    """What is known about a device's clock, and the conversion both ways.

    Attributes:
        zone: The device's time zone.
        z_means: Whether ``Z`` on the wire is the wall clock or true UTC.
        declared: The raw ``timeZone`` text, if the device gave one.
        measured_offset: Device wall clock minus host UTC when it was asked, to 15 minutes.
        skew: What is left of that difference after the zone's offset; positive runs fast.
        reason: Why `z_means` is what it is, in words.
        certain: False when it is only the usual meaning for this kind of device.
    """

    zone: dt.tzinfo
    z_means: ZMeaning
    declared: str | None = None
    measured_offset: dt.timedelta | None = None
    skew: dt.timedelta = _ZERO
    reason: str = ""
    certain: bool = True

    def from_wire(self, time: WireTime | str) -> dt.datetime:
        """Convert what the device wrote to aware UTC.

        An hour that happens twice is taken as its first occurrence: the device does not say.
        """
        stamp = WireTime.parse(time) if isinstance(time, str) else time
        zone: dt.tzinfo = self.zone if self.z_means is ZMeaning.LOCAL else UTC
        if stamp.offset is not None:
            zone = dt.timezone(stamp.offset)
        return stamp.wall.replace(tzinfo=zone).astimezone(UTC)

    def to_wire(self, moment: dt.datetime) -> str:
        """Write an aware datetime the way this device reads it: ``2026-09-26T00:13:39Z``."""
        zone = self.zone if self.z_means is ZMeaning.LOCAL else UTC
        return f"{ensure_aware(moment).astimezone(zone):%Y-%m-%dT%H:%M:%S}Z"

    def local(self, moment: dt.datetime) -> dt.datetime:
        """Convert an aware datetime to the device's wall clock (aware)."""
        return ensure_aware(moment).astimezone(self.zone)


def round_offset(difference: dt.timedelta) -> dt.timedelta:
    """Round a measured difference of clocks to the quarter of an hour that zones use."""
    quarter = dt.timedelta(minutes=15)
    return round(difference / quarter) * quarter


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
