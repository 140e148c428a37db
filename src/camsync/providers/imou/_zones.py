"""Wall clocks: what the cloud writes without a zone becomes UTC, and spans become local days.

The one place that knows about a device's zone. Days of 23 and 25 hours are ordinary days here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import re
import threading

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from ..._time import UTC, TimeSpan, utcnow
from ..._zone import DeviceZone, DstRule, parse_timezone
from ...errors import CamsyncError, Category, ConfigurationError, DeviceOfflineError
from ._parse import text
from ._wire import Repeated


_log = logging.getLogger("camsync.imou")
Zone = dt.tzinfo | str
_TELLING: Final = frozenset(
    {Category.DEVICE, Category.PERMISSION, Category.PROTOCOL, Category.UNSUPPORTED}
)
"""Of errors that no later try will mend: the device does not say its zone."""
_ASK_AGAIN: Final = 30
"""Days after which a device is asked anew: it may have moved, or its rules may have changed."""
_DAY: Final = dt.timedelta(days=1)
_SECOND: Final = dt.timedelta(seconds=1)
_MINUTE: Final = dt.timedelta(minutes=1)
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
        repeated: The wall times that it has twice, when its clocks are put back.
    """

    date: dt.date
    begin: dt.datetime
    end: dt.datetime
    repeated: Repeated | None = None

    @property
    def midnight(self) -> dt.datetime:
        """Its first wall time of all."""
        return dt.datetime.combine(self.date, dt.time())


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
        yield (
            attrs.evolve(whole, repeated=_repeated(whole, zone))
            if changes
            else _part(whole, begin - _REACH, end)
        )
        date += _DAY


def _offset(wall: dt.datetime, zone: dt.tzinfo) -> dt.timedelta | None:
    return wall.replace(tzinfo=zone).utcoffset()


def _repeated(day: Day, zone: dt.tzinfo) -> Repeated | None:
    """Return the wall times that *day* has twice; in spring there are none."""
    minutes = (day.begin + place * _MINUTE for place in range(24 * 60))
    twice = [wall for wall in minutes if _comes_twice(wall.replace(tzinfo=zone))]
    return (twice[0], min(twice[-1] + _MINUTE, day.end)) if twice else None


def _comes_twice(wall: dt.datetime) -> bool:
    # A wall time that is skipped has two offsets too, but then the second is the larger one.
    return wall.astimezone(UTC) < wall.replace(fold=1).astimezone(UTC)


def _part(whole: Day, begin: dt.datetime, end: dt.datetime) -> Day:
    first = max(whole.begin, begin.replace(microsecond=0))
    return Day(whole.date, first, min(whole.end, end.replace(microsecond=0)))


@attrs.frozen
class _Told:
    """What a device has said, and on which day."""

    zone: dt.tzinfo
    asked: dt.date

    def fresh(self, today: dt.date) -> bool:
        return 0 <= (today - self.asked).days <= _ASK_AGAIN

    def written(self) -> dict[str, str]:
        return {"zone": write_zone(self.zone), "asked": self.asked.isoformat()}


class Zones:
    """The zones of the devices: given, or asked from each device once. Thread-safe.

    What a device said is good for 30 days: it may be carried elsewhere. Its rules for summer time
    hold for every year; rules that name the days of one year are not taken (see `read_zone`).

    Args:
        given: One for all, one per device, or None to ask.
        ask: Asks a device; None when it does not say.
        learnt: What `learnt` gave earlier; what makes no sense in it is not used.
        now: The clock.

    Raises:
        ConfigurationError: What is given is no zone.
    """

    def __init__(
        self,
        given: Zone | Mapping[str, Zone] | None,
        ask: Callable[[str], dt.tzinfo | None],
        *,
        learnt: object = None,
        now: Callable[[], dt.datetime] = utcnow,
    ) -> None:
        self._common: dt.tzinfo | None = None
        self._given: dict[str, dt.tzinfo] = {}
        if isinstance(given, Mapping):
            self._given = {device: _checked(zone) for device, zone in given.items()}
        elif given is not None:
            self._common = _checked(given)
        self._told = _recalled(learnt)
        self._unsaid: dict[str, str] = {}
        self._ask = ask
        self._now = now
        self._lock = threading.Lock()

    @property
    def learnt(self) -> dict[str, dict[str, str]]:
        """What devices have said, as JSON values: device id to zone and day."""
        with self._lock:
            return {device: told.written() for device, told in self._told.items()}

    def of(self, device: str) -> dt.tzinfo:
        """Return the zone of *device*.

        Raises:
            DeviceOfflineError: It has never said it, and cannot be asked now.
            ConfigurationError: Nobody says it.
        """
        if self._common is not None:
            return self._common
        if device in self._given:
            return self._given[device]
        with self._lock:
            known, today = self._told.get(device), self._now().date()
            if known is None or not known.fresh(today):
                try:
                    self._told[device] = known = _Told(self._asked(device), today)
                except DeviceOfflineError:
                    if known is None:
                        raise
                    _log.info("%s is offline: its time zone as of %s is used", device, known.asked)
            return known.zone

    def forget(self) -> None:
        """Ask again the devices that did not say it."""
        with self._lock:
            self._unsaid.clear()

    def _asked(self, device: str) -> dt.tzinfo:
        msg = f"the time zone of {device} is not known, and the cloud gives its times without one"
        step = (
            "pass --timezone with the camera's own zone, such as --timezone Europe/Berlin, for this "
            f"device only; in Python timezone={{'{device}': 'Europe/Berlin'}}"
        )
        if device in self._unsaid:
            raise ConfigurationError(self._unsaid[device], next_step=step)
        try:
            zone = self._ask(device)
        except DeviceOfflineError as error:
            error.next_step = f"{error.next_step}; to search the cloud meanwhile, {step}"
            raise
        except CamsyncError as error:
            if error.category not in _TELLING:
                raise
            msg = f"{msg}: {error.message}"
            if error.category is not Category.DEVICE:
                self._unsaid[device] = msg
            raise ConfigurationError(msg, next_step=step) from error
        if zone is None:
            self._unsaid[device] = msg  # asking again would cost two calls each time
            raise ConfigurationError(msg, next_step=step)
        return zone


def _recalled(learnt: object) -> dict[str, _Told]:
    """Read what was learnt earlier; a profile can be edited, and can be of another version."""
    found: dict[str, _Told] = {}
    for device, entry in learnt.items() if isinstance(learnt, Mapping) else ():
        with contextlib.suppress(ConfigurationError, KeyError, TypeError, ValueError):
            zone = _checked(entry["zone"])
            found[str(device)] = _Told(zone, dt.date.fromisoformat(entry["asked"]))
    return found


def write_zone(zone: dt.tzinfo) -> str:
    """Write what `read_zone` gives as text that `parse_timezone` reads."""
    return str(DeviceZone(zone.utcoffset(None))) if isinstance(zone, dt.timezone) else str(zone)


def _checked(zone: object) -> dt.tzinfo:
    found = parse_timezone(zone) if isinstance(zone, (str, dt.tzinfo)) else None
    if found is None:
        msg = f"timezone must be a zone, its name, or a mapping from device ids, not {zone!r}"
        raise ConfigurationError(msg, next_step="for example timezone='Europe/Berlin'")
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
