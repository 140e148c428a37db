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

from ._zone import DeviceZone, delta
from .errors import ConfigurationError, ProtocolError


if TYPE_CHECKING:
    from collections.abc import Iterator


UTC = dt.timezone.utc
_ZERO = dt.timedelta(0)
_DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH = _EPOCH.replace(tzinfo=None)
_ALWAYS = dt.datetime.min.replace(tzinfo=UTC), dt.datetime.max.replace(tzinfo=UTC)
_EARLIEST, _LATEST = 1900, 9000
_FIRST_YEAR, _LAST_YEAR = 1969, 2200
"""A camera without NTP says 1970 (DS-2CD2155FWD-I V5.5.0), west of Greenwich 1969."""


def utcnow() -> dt.datetime:
    """Return the host's clock as an aware UTC datetime."""
    return dt.datetime.now(UTC)


def is_aware(value: dt.datetime) -> bool:
    """Whether *value* knows its offset from UTC."""
    zone = value.tzinfo
    return zone is UTC or (zone is not None and value.utcoffset() is not None)


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
    if type(value) is dt.datetime and value.tzinfo is UTC:
        return  # nearly always: a search makes 100,000 of them
    if value is not None:
        ensure_aware(value, attribute.name)


def to_utc(value: dt.datetime) -> dt.datetime:
    """Convert an aware datetime to UTC."""
    return ensure_aware(value).astimezone(UTC)


def fixed_offset(zone: dt.tzinfo) -> dt.timedelta | None:
    """Return the offset of a zone that surely has only one; None where it depends on the time."""
    if type(zone) is dt.timezone:
        return zone.utcoffset(None)
    if type(zone) is DeviceZone and (zone.begins is None or zone.ends is None):
        return zone.standard
    return None


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
            msg = (
                f"the span must end after it starts, but begins {self.start:%Y-%m-%d %H:%M:%S%z} "
                f"and ends {self.end:%Y-%m-%d %H:%M:%S%z}"
            )
            raise ConfigurationError(msg, next_step="swap the two, or make the span longer")
        if self.start.year < _EARLIEST or self.end.year > _LATEST:
            msg = f"no recorder has footage from {self.start.year} to {self.end.year}"
            raise ConfigurationError(msg, next_step=f"stay between {_EARLIEST} and {_LATEST}")

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


_STAMP = re.compile(
    r"\s*(\d{4})-?(\d{2})-?(\d{2})[T ](\d{2}):?(\d{2}):?(\d{2})(?:\.\d+)?\s*"
    r"(?:(Z)|([+-])(\d{2}):?(\d{2}))?\s*",
    re.ASCII | re.IGNORECASE,
)
_PLAIN = re.compile(
    r"(?:19[7-9]\d|20\d\d)-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ",
    re.ASCII,
)
"""What nearly all devices write, on a day that every year has, within the years above."""


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
        if _PLAIN.fullmatch(text):  # no need to take it apart
            return cls(dt.datetime.fromisoformat(text[:-1]))
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
        offset = delta(hours, minutes, None)
        if offset >= _DAY:
            msg = f"the device sent a time with an impossible offset: {text.strip()[:40]!r}"
            raise ProtocolError(msg)
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
        zone: dt.tzinfo = self.zone if self.z_means is ZMeaning.LOCAL else UTC
        stamp = WireTime.parse(time) if isinstance(time, str) else time
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


class WireReader:
    """Reads the times of a whole search: the zone is asked once a day, not 100,000 times.

    It gives what `DeviceClock.from_wire` gives. It remembers the last span of time in which the
    zone's offset is one and the same, a day or all time, with a day more at both ends: so what
    falls into it has no second reading. No zone is known to change its clocks twice in a day.
    """

    __slots__ = ("_begin", "_clock", "_end", "_looked_at", "_offset", "_zero")

    def __init__(self, clock: DeviceClock) -> None:
        self._clock = clock
        self._looked_at: dt.datetime | None = None
        fixed = fixed_offset(clock.zone)
        if fixed is None:
            self._hold(_EPOCH, _EPOCH, _ZERO)
        else:
            self._hold(_ALWAYS[0], _ALWAYS[1], fixed)

    def utc(self, text: str) -> dt.datetime:
        """Convert what the device wrote to aware UTC.

        Raises:
            ProtocolError: *text* is no time.
        """
        if not _PLAIN.fullmatch(text):
            return self._clock.from_wire(text)
        # Python 3.10 does not read "Z", and a backport that m3u8 installs there puts a UTC of its
        # own in the place of "+00:00". Two sums take a quarter less time than replace(tzinfo=UTC).
        moment = self._zero + (dt.datetime.fromisoformat(text[:-1]) - _WALL_EPOCH)
        if self._begin <= moment < self._end:
            return moment
        moment = self._clock.from_wire(text)
        self._move(moment)
        return moment

    def offset(self, moment: dt.datetime) -> dt.timedelta | None:
        """Return the offset of the device's zone at *moment*, an aware UTC datetime."""
        if self._begin <= moment < self._end:
            return self._offset
        return self._ask(moment)

    def _ask(self, moment: dt.datetime) -> dt.timedelta | None:
        return moment.astimezone(self._clock.zone).utcoffset()

    def _move(self, moment: dt.datetime) -> None:
        """Remember the UTC day of *moment*, unless clocks change on it or on one beside it."""
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        if day == self._looked_at:
            return  # a day on which clocks change: its times are asked for one by one
        self._looked_at = day
        offset, *others = (self._ask(day + number * _DAY) for number in (-1, 0, 1, 2))
        if offset is not None and all(offset == other for other in others):
            self._hold(day, day + _DAY, offset)

    def _hold(self, begin: dt.datetime, end: dt.datetime, offset: dt.timedelta) -> None:
        self._begin, self._end, self._offset = begin, end, offset
        ahead = offset if self._clock.z_means is ZMeaning.LOCAL else _ZERO
        self._zero = _EPOCH - ahead


def round_offset(difference: dt.timedelta) -> dt.timedelta:
    """Round a measured difference of clocks to the quarter of an hour that zones use."""
    quarter = dt.timedelta(minutes=15)
    return round(difference / quarter) * quarter
