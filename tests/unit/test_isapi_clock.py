"""Learning a device's clock: zone, offset, and what Z means."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync import DeviceKind, ProtocolError
from camsync._time import UTC, ZMeaning
from camsync.providers.hikvision import _xml
from camsync.providers.hikvision._clock import (
    Look,
    Reading,
    given_meaning,
    measure_meaning,
    read_time,
    usual_meaning,
    zone_of,
)


HOST = dt.datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
BERLIN = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"
HOUR = dt.timedelta(hours=1)


def _reading(wall: dt.datetime, zone: str = BERLIN) -> Reading:
    text = (
        f"<Time><localTime>{wall:%Y-%m-%dT%H:%M:%S}+01:00</localTime>"
        f"<timeZone>\n{zone}\n</timeZone></Time>"
    )
    return read_time(_xml.parse(text.encode(), "a test"), HOST)


def _naive(hours: float) -> dt.datetime:
    """Host time plus so many hours, without a zone: a wall clock."""
    return HOST.replace(tzinfo=None) + dt.timedelta(hours=hours)


def test_a_declared_zone_that_fits_is_used():
    """Summer time in Berlin: the wall clock agrees with the rules, whatever the suffix says."""
    clock = zone_of(_reading(_naive(2) + dt.timedelta(seconds=7)), None)

    assert clock.declared == BERLIN
    assert clock.local(HOST).utcoffset() == 2 * HOUR
    assert clock.measured_offset == 2 * HOUR
    assert clock.skew == dt.timedelta(seconds=7)
    assert "agrees" in clock.reason


def test_a_measured_clock_beats_a_declared_zone():
    """Daylight saving switched off by hand: the rules say +2, the wall says +1."""
    clock = zone_of(_reading(_naive(1)), None)

    assert clock.local(HOST).utcoffset() == HOUR
    assert "measured" in clock.reason


@pytest.mark.parametrize("minutes", [1, 7, 7.6, 12, 40, -20])
def test_a_clock_that_runs_wrong_moves_no_zone(minutes: float):
    """Keys hold the start in UTC: they must not change when a recorder's clock drifts."""
    clock = _zone(_naive(2 + minutes / 60))

    assert clock.local(HOST).utcoffset() == 2 * HOUR
    assert clock.skew == dt.timedelta(minutes=minutes)


def test_a_fast_clock_proves_nothing():
    """A segment that began a minute ago on a clock that is seven minutes fast is not in the future."""
    clock = _zone(_naive(-5 + 7 / 60), "CST+5:00:00")
    began = 7 / 60 - 1 / 60

    found = measure_meaning(clock, DeviceKind.NVR, _looks((began - 5, began - 4.5)), HOST)

    assert found.z_means is ZMeaning.LOCAL


def _zone(wall: dt.datetime, declared: str = BERLIN):
    return zone_of(_reading(wall, declared), None)


def test_a_zone_may_be_missing():
    """Without a declared zone the measured offset is all there is."""
    clock = zone_of(_reading(_naive(5.5), ""), None)

    assert clock.local(HOST).utcoffset() == 5.5 * HOUR
    assert clock.declared is None


def test_a_clock_far_off_does_not_make_a_zone():
    """A camera without NTP lives in 1970; its zone is the declared one, its skew is said."""
    clock = zone_of(_reading(dt.datetime(1970, 2, 22, 8, 21)), None)
    bare = zone_of(_reading(dt.datetime(1970, 2, 22, 8, 21), ""), None)

    assert clock.local(HOST).utcoffset() == 2 * HOUR
    assert bare.local(HOST).utcoffset() == dt.timedelta(0)
    assert clock.skew < -dt.timedelta(days=20000)


def test_a_given_zone_wins():
    """The caller knows better."""
    clock = zone_of(_reading(_naive(1)), dt.timezone(8 * HOUR))

    assert clock.local(HOST).utcoffset() == 8 * HOUR
    assert clock.skew == -7 * HOUR


def test_unreadable_times_are_errors():
    """A device without time, or with an absurd one, is named."""
    for text in ("<Time/>", "<Time><localTime>noon</localTime></Time>"):
        with pytest.raises(ProtocolError):
            read_time(_xml.parse(text.encode(), "a test"))


def _looks(*segments: tuple[float, float]) -> list[Look]:
    """One look that shows segments at these hours relative to the host's UTC digits."""
    found = [(_naive(start), _naive(end)) for start, end in segments]
    return [lambda start, end: [one for one in found if one[0] < end and one[1] > start]]


def _clock_at(offset: float):
    return zone_of(_reading(_naive(offset), ""), None)


@pytest.mark.parametrize(
    ("offset", "segments", "meaning", "certain"),
    [
        # East of Greenwich the wall is later: a start past UTC's now proves local.
        (8, [(6.9, 7.9), (7.9, 8.5)], ZMeaning.LOCAL, True),
        # Nothing later than UTC's now, but recorded without a pause up to it: UTC.
        (8, [(-13, -0.1), (-0.1, 0.7)], ZMeaning.UTC, True),
        # A shop that closed eight hours ago looks like that for a moment: no proof.
        (8, [(-1.1, -0.1), (-0.1, 0.7)], ZMeaning.LOCAL, False),
        (8, [(-13, -6), (-5.9, 0.7)], ZMeaning.LOCAL, False),
        # West of Greenwich it is the other way round.
        (-5, [(-1.0, -0.1)], ZMeaning.UTC, True),
        (-5, [(-18, -4.6)], ZMeaning.LOCAL, True),
        # Old recordings decide nothing.
        (8, [(-3, -2)], ZMeaning.LOCAL, False),
        (8, [], ZMeaning.LOCAL, False),
        # The segment being written may reach past both clocks: no proof.
        (1, [(-0.5, 4)], ZMeaning.LOCAL, False),
        (0, [(-0.5, 4)], ZMeaning.LOCAL, True),
    ],
)
def test_what_z_means_on_a_recorder(offset, segments, meaning, certain):
    """Recordings that only one meaning allows decide; else the usual one, said to be uncertain."""
    clock = measure_meaning(_clock_at(offset), DeviceKind.NVR, _looks(*segments), HOST)

    assert clock.z_means is meaning
    assert clock.certain is certain
    assert meaning.value in clock.reason
    assert certain or "time_mode" in clock.reason


def test_the_next_track_is_asked_when_one_says_nothing():
    """An empty first channel does not settle it."""
    both = [*_looks(), *_looks((7.5, 8.2))]

    assert measure_meaning(_clock_at(8), DeviceKind.NVR, both, HOST).certain


def test_cameras_usually_mean_utc():
    """The default depends on the kind of device."""
    assert usual_meaning(DeviceKind.CAMERA) is ZMeaning.UTC
    assert usual_meaning(DeviceKind.DVR) is ZMeaning.LOCAL
    assert measure_meaning(_clock_at(8), DeviceKind.CAMERA, [], HOST).z_means is ZMeaning.UTC


def test_a_told_meaning_is_not_questioned():
    """time_mode settles it and says so."""
    clock = given_meaning(_clock_at(8), ZMeaning.UTC)

    assert clock.z_means is ZMeaning.UTC
    assert "as told" in clock.reason
