"""Wall clocks: what the cloud writes without a zone becomes UTC, and spans become local days.

The one place that knows about a device's zone. Days of 23 and 25 hours are ordinary days here.
"""

from __future__ import annotations

import datetime as dt
import re
import threading

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from ..._time import UTC, TimeSpan
from ..._zone import DeviceZone, DstRule, parse_timezone
from ...errors import CamsyncError, Category, ConfigurationError, DeviceOfflineError
from ._parse import text


Zone = dt.tzinfo | str
_TELLING: Final = frozenset(
    {Category.DEVICE, Category.PERMISSION, Category.PROTOCOL, Category.UNSUPPORTED}
)
"""Of errors that no later try will mend: the device does not say its zone."""
_DAY: Final = dt.timedelta(days=1)
_SECOND: Final = dt.timedelta(seconds=1)
_HOUR: Final = dt.timedelta(hours=1)
_REACH: Final = dt.timedelta(minutes=10)
"""How far before the span a search begins, within the day: a clip may have begun before."""


def to_utc(wall: dt.datetime, zone: dt.tzinfo, earliest: dt.datetime | None = None) -> dt.datetime:
    """Convert a wall time.

    Args:
        earliest: What it cannot lie before. In autumn it settles which of two equal hours is
            meant: the second, if the first lies before it.
    """
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if earliest is None or first >= earliest:
        return first
    return max(first, wall.replace(tzinfo=zone, fold=1).astimezone(UTC))


@attrs.frozen
class Day:
    """A local day, or the part of it that is asked for.

    Attributes:
        begin: First wall time. *end* is the last, and included.
    """

    date: dt.date
    begin: dt.datetime
    end: dt.datetime


def local_days(span: TimeSpan, zone: dt.tzinfo) -> Iterator[Day]:
    """Yield the local days that *span* touches, oldest first.

    A day on which the clocks change is asked for whole: parts of it have no unique bounds.
    """
    begin = span.start.astimezone(zone).replace(tzinfo=None, fold=0)
    end = span.end.astimezone(zone).replace(tzinfo=None, fold=0)
    last = (span.end - dt.timedelta(microseconds=1)).astimezone(zone).date()
    date = begin.date()
    while date <= last:
        midnight = dt.datetime.combine(date, dt.time())
        whole = Day(date, midnight, midnight + _DAY - _SECOND)
        changes = _offset(midnight, zone) != _offset(midnight + _DAY, zone)
        yield whole if changes else _part(whole, begin - _REACH, end)
        date += _DAY


def _offset(wall: dt.datetime, zone: dt.tzinfo) -> dt.timedelta | None:
    return wall.replace(tzinfo=zone).utcoffset()


def _part(whole: Day, begin: dt.datetime, end: dt.datetime) -> Day:
    first = max(whole.begin, begin.replace(microsecond=0))
    return Day(whole.date, first, min(whole.end, end.replace(microsecond=0)))


class Zones:
    """The zones of the devices: given, or asked from each device once. Thread-safe.

    Args:
        given: One for all, one per device, or None to ask.
        ask: Asks a device; None when it does not say.

    Raises:
        ConfigurationError: What is given is no zone.
    """

    def __init__(
        self,
        given: Zone | Mapping[str, Zone] | None,
        ask: Callable[[str], dt.tzinfo | None],
    ) -> None:
        self._common: dt.tzinfo | None = None
        self._known: dict[str, dt.tzinfo] = {}
        if isinstance(given, Mapping):
            self._known = {device: _checked(zone) for device, zone in given.items()}
        elif given is not None:
            self._common = _checked(given)
        self._ask = ask
        self._lock = threading.Lock()

    def of(self, device: str) -> dt.tzinfo:
        """Return the zone of *device*.

        Raises:
            ConfigurationError: Nobody says it.
        """
        if self._common is not None:
            return self._common
        with self._lock:
            if device not in self._known:
                self._known[device] = self._asked(device)
            return self._known[device]

    def _asked(self, device: str) -> dt.tzinfo:
        msg = f"the time zone of {device} is not known, and the cloud gives its times without one"
        step = "pass timezone='Asia/Ho_Chi_Minh', or a mapping with the zone of each device"
        try:
            zone = self._ask(device)
        except DeviceOfflineError as error:
            error.next_step = f"{error.next_step}; to search the cloud meanwhile, {step}"
            raise
        except CamsyncError as error:
            if error.category not in _TELLING:
                raise
            msg = f"{msg}: {error.message}"
            raise ConfigurationError(msg, next_step=step) from error
        if zone is None:
            raise ConfigurationError(msg, next_step=step)
        return zone


def _checked(zone: object) -> dt.tzinfo:
    found = parse_timezone(zone) if isinstance(zone, (str, dt.tzinfo)) else None
    if found is None:
        msg = f"timezone must be a zone, its name, or a mapping from device ids, not {zone!r}"
        raise ConfigurationError(msg, next_step="for example timezone='Asia/Ho_Chi_Minh'")
    return found


_WEEK_RULE: Final = re.compile(
    r"\s*(\d{1,2})-([1-5])-([0-6])\s+(\d\d):(\d\d)(?::(\d\d))?\s*", re.ASCII
)
_HOURS: Final = re.compile(
    r"(?:UTC|GMT)?\s*([+-]?)(\d{1,2})(?:\.(0|25|5|75)|:([0-5]\d))?", re.ASCII | re.IGNORECASE
)
_NAME: Final = re.compile(r"[A-Za-z_]+/[A-Za-z_/+-]+|UTC", re.ASCII)


def read_zone(data: Mapping[str, Any]) -> dt.tzinfo | None:
    """Read a time zone, if the answer holds one that can be relied on.

    Modelled: no answer to ``timeZoneQueryByDay`` was ever captured. That ``timeZone`` counts hours
    east of Greenwich and how summer time is written (``month-week-weekday HH:mm:ss``) stands in
    the vendor's client headers. Summer time given as days of one year is not taken: it would be
    wrong in the next.
    """
    word = text(data, "timeZone", "timezone", "zone")
    if _NAME.fullmatch(word):
        try:
            return parse_timezone(word)
        except ConfigurationError:
            return None
    standard = _hours(word)
    if standard is None:
        return None
    rules = [
        text(data, f"{which}WeekSunTime") or text(data, f"{which}SunTime")
        for which in ("begin", "end")
    ]
    if not any(rules):
        return dt.timezone(standard)
    begins, ends = map(_rule, rules)
    if begins is None or ends is None:
        return None
    return DeviceZone(standard, _HOUR, begins, ends)


def _hours(word: str) -> dt.timedelta | None:
    match = _HOURS.fullmatch(word)
    if match is None:
        return None
    sign, hours, part, minutes = match.groups()
    offset = int(hours) * _HOUR + float(f"0.{part or 0}") * _HOUR
    offset += dt.timedelta(minutes=int(minutes or 0))
    if offset > 14 * _HOUR:  # no zone is further east
        return None
    return -offset if sign == "-" else offset


def _rule(word: str) -> DstRule | None:
    match = _WEEK_RULE.fullmatch(word)
    if match is None:
        return None
    month, week, weekday, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if not 1 <= month <= 12 or hours > 23 or minutes > 59:  # noqa: PLR2004 - a calendar, a clock
        return None
    at = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return DstRule(month, week, weekday, at)
