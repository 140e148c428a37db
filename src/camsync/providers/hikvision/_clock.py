"""Learning a device's clock: its zone, and what it means by ``Z``.

Search answers and requests carry times that end in ``Z``. On recorders that is the wall clock
(seen in Hikvision's own capture of V4.60, and on V4.61, V4.71, V4.84 and V5.04); on a camera
(DS-2CD2185FWD-I V5.6.3) it is true UTC. ``isSupport…ByUTC`` says "can", not "does".
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Callable, Sequence

import attrs

from ..._time import UTC, DeviceClock, WireTime, ZMeaning, round_offset, utcnow
from ..._zone import DeviceZone
from ...models import DeviceKind
from . import _xml
from ._matches import Match


_MARGIN = dt.timedelta(minutes=5)
_LARGEST_OFFSET = dt.timedelta(hours=14)
_LAST = dt.timedelta(hours=26)
_STEADY = dt.timedelta(hours=12)
_PAUSE = dt.timedelta(minutes=2)
_ZONE_STEP = dt.timedelta(minutes=30)
_ZONE_SLACK = dt.timedelta(minutes=2)

Look = Callable[[dt.datetime, dt.datetime], "Sequence[tuple[dt.datetime, dt.datetime]]"]
"""Asks the device for segments between two wire times; returns their naive (start, end)."""


def look_with(matches: Callable[[str, str, str], list[Match]], track: str) -> Look:
    """Return a `Look` at one track that leaves out times with a real offset: they decide nothing."""

    def look(start: dt.datetime, end: dt.datetime) -> list[tuple[dt.datetime, dt.datetime]]:
        wire = (f"{moment:%Y-%m-%dT%H:%M:%S}Z" for moment in (start, end))
        pairs = [
            (WireTime.parse(match.start), WireTime.parse(match.end))
            for match in matches(track, *wire)
        ]
        return [(first.wall, last.wall) for first, last in pairs if first.offset is None]

    return look


@attrs.frozen(kw_only=True)
class Reading:
    """One look at ``System/time``.

    Attributes:
        wall: The device's naive wall clock.
        declared: The raw ``timeZone`` text, stripped.
        zone: That text understood, or None when there is none.
        taken: Host time (aware, UTC) of the look.
    """

    wall: dt.datetime
    declared: str
    zone: DeviceZone | None
    taken: dt.datetime


def read_time(root: _xml.Element, taken: dt.datetime | None = None) -> Reading:
    """Read ``System/time``; blanks and line ends around the zone are normal.

    The suffix of ``localTime`` is ignored: V4.84.101 gives the standard offset in summer too.

    Raises:
        ProtocolError: There is no readable time, or the zone makes no sense.
    """
    declared = _xml.text(root, "timeZone")
    return Reading(
        wall=WireTime.parse(_xml.text(root, "localTime")).wall,
        declared=declared,
        zone=DeviceZone.parse(declared) if declared else None,
        taken=taken or utcnow(),
    )


def zone_of(reading: Reading, given: dt.tzinfo | None) -> DeviceClock:
    """Settle zone, offset and skew; what ``Z`` means is still the default.

    A zone that the caller gave wins. Else the declared one, unless the device's clock differs
    from it by whole half hours: daylight saving switched off by hand looks like this, and then
    the measured offset wins. Any other difference is a clock that runs wrong, which must not
    move the zone: keys hold the start in UTC and have to stay what they are.
    """
    host = reading.taken.astimezone(UTC)
    difference = reading.wall - host.replace(tzinfo=None)
    measured = round_offset(difference)
    zone: dt.tzinfo
    if given is not None:
        zone, reason = given, "the time zone was given"
    elif abs(measured) > _LARGEST_OFFSET:
        zone = reading.zone or dt.timezone.utc
        reason = "the device's clock is far off, so its declared time zone is used"
    elif reading.zone is not None and not _another_zone(reading.zone, host, difference):
        zone, reason = reading.zone, "the declared time zone agrees with the device's clock"
    else:
        zone, reason = dt.timezone(measured), "measured: the declared time zone does not fit"
    offset = host.astimezone(zone).utcoffset() or dt.timedelta(0)
    return DeviceClock(
        zone=zone,
        z_means=ZMeaning.LOCAL,
        declared=reading.declared or None,
        measured_offset=measured,
        skew=difference - offset,
        reason=reason,
    )


def _another_zone(zone: dt.tzinfo, host: dt.datetime, difference: dt.timedelta) -> bool:
    """Whether the device's clock shows another zone than *zone*, to about two minutes."""
    off = difference - (host.astimezone(zone).utcoffset() or dt.timedelta(0))
    steps = round(off / _ZONE_STEP)
    return steps != 0 and abs(off - steps * _ZONE_STEP) <= _ZONE_SLACK


def given_meaning(clock: DeviceClock, meaning: ZMeaning) -> DeviceClock:
    """Return *clock* with the meaning of ``Z`` that the caller asked for."""
    return attrs.evolve(
        clock, z_means=meaning, reason=f"{clock.reason}; Z means {meaning.value}: as told"
    )


def usual_meaning(kind: DeviceKind) -> ZMeaning:
    """Return what ``Z`` means on most devices of this kind."""
    return ZMeaning.UTC if kind is DeviceKind.CAMERA else ZMeaning.LOCAL


def measure_meaning(
    clock: DeviceClock, kind: DeviceKind, looks: Sequence[Look], now: dt.datetime | None = None
) -> DeviceClock:
    """Find out what ``Z`` means by looking where only one meaning allows recordings.

    Between the device's wall clock and UTC lie some hours. Whichever is later: a segment that
    *starts* in those hours can only exist if that one is meant, since the other would put it in
    the future. No such segment, but twelve hours of recording without a pause up to the earlier
    clock's "now", means the earlier one: it would be odd if such a recorder had stopped just
    then. Anything else (motion recording, a shop that closes) is not decided, and the usual
    meaning for this kind of device is taken and said to be uncertain.

    Args:
        looks: One per track to try, most promising first.
    """
    host = (now or utcnow()).astimezone(UTC) + clock.skew
    offset = (
        clock.zone.utcoffset(host.astimezone(clock.zone).replace(tzinfo=None)) or dt.timedelta()
    )
    usual = usual_meaning(kind)
    if abs(offset) <= 2 * _MARGIN:
        return _decided(clock, usual, "the device's clock runs on UTC, so both are the same")
    utc = host.replace(tzinfo=None)
    wall = utc + offset
    earlier, later = sorted((utc, wall))
    late, early = (ZMeaning.LOCAL, ZMeaning.UTC)[:: 1 if wall > utc else -1]
    for look in looks:
        segments = look(earlier - _LAST, later + _MARGIN)
        if any(earlier + _MARGIN < start <= later + _MARGIN for start, _ in segments):
            return _decided(clock, late, f"segments start later than Z as {early.value} allows")
        if _steady_until(earlier, segments) and not any(end > later for _, end in segments):
            return _decided(clock, early, f"it records without a pause, up to now as {early.value}")
    return attrs.evolve(
        clock,
        z_means=usual,
        certain=False,
        reason=f"{clock.reason}; Z means {usual.value}: usual for a {kind.value}, not measured, "
        "because no recent recording decides it; time_mode= settles it",
    )


def _steady_until(moment: dt.datetime, segments: Sequence[tuple[dt.datetime, dt.datetime]]) -> bool:
    """Whether the twelve hours before *moment*, and the moment itself, are recorded throughout."""
    covered = moment - _STEADY
    for start, end in sorted(segments):
        if start > covered + _PAUSE:
            break
        covered = max(covered, end)
    return covered > moment


def _decided(clock: DeviceClock, meaning: ZMeaning, why: str) -> DeviceClock:
    return attrs.evolve(
        clock,
        z_means=meaning,
        certain=True,
        reason=f"{clock.reason}; Z means {meaning.value}: {why}",
    )
