"""A recorder that knows no daylight saving, and is put forward and back by hand."""

from __future__ import annotations

import datetime as dt
import json
import pickle

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import HikvisionISAPI, TimeSpan
from camsync._time import UTC
from camsync._zone import DeviceZone
from camsync.providers.hikvision import _timekeeper
from camsync.providers.hikvision._eras import Eras, SteppedZone
from camsync.testing import RecorderSimulator


HOUR = dt.timedelta(hours=1)
FIVE = dt.timedelta(hours=5)
NOON = dt.datetime(2026, 3, 29, 12, tzinfo=UTC)
ONE, TWO = dt.timezone(HOUR), dt.timezone(2 * HOUR)


class Recorder:
    """A simulator whose clock can be set."""

    def __init__(self, **options: object) -> None:
        self.off = dt.timedelta(0)
        self.simulator = RecorderSimulator(
            channels=1,
            hours=3,
            segment_seconds=600,
            gap_seconds=5,
            z_means="local",
            clock=lambda: dt.datetime.now(UTC) + self.off,
            **{"timezone": "CST-1:00:00", **options},  # type: ignore[arg-type]
        )

    def __enter__(self) -> Recorder:  # noqa: PYI034 - Self needs Python 3.11
        self.simulator.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.simulator.stop()

    def open(self, learnt: object = None, **options: object) -> HikvisionISAPI:
        """Connect, with what an earlier process has kept."""
        return HikvisionISAPI(
            "127.0.0.1",
            "admin",
            self.simulator.password,
            port=self.simulator.port,
            time_mode="local",
            learnt=learnt,  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )

    def run(self, learnt: object = None, **options: object) -> tuple[dict, object]:
        """Return name and start of each recording, and what was learnt."""
        now = dt.datetime.now(UTC)
        with self.open(learnt, **options) as recorder:
            (channel,) = recorder.channels()
            found = recorder.search(channel, TimeSpan(now - FIVE, now + FIVE))
            starts = {each.key.item: each.start for each in found if not each.in_progress}
            return starts, json.loads(json.dumps(recorder.learnt))


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_what_was_there_keeps_its_time(by, caplog):
    """Put forward or back: the next process, with the profile, gives the same keys."""
    with Recorder() as recorder:
        before, learnt = recorder.run()
        recorder.off = by
        after, learnt = recorder.run(learnt)
        third, _ = recorder.run(learnt)

    shared = before.keys() & after.keys()
    old = {name for name in shared if before[name] < dt.datetime.now(UTC) - 2 * HOUR}
    assert old
    assert {before[name] for name in old} == {after[name] for name in old}
    assert {name: after[name] for name in shared} == {name: third[name] for name in shared}
    assert "was set by" in caplog.text


def test_forward_keeps_all_of_them():
    """No wall time exists twice then, so that nothing at all moves."""
    with Recorder() as recorder:
        before, learnt = recorder.run()
        recorder.off = HOUR
        after, _ = recorder.run(learnt)

    assert before == {name: after[name] for name in before}


def test_a_kept_object_notices_within_the_hour(monkeypatch):
    """A run that never ends reads the clock every hour."""
    with Recorder() as recorder, recorder.open() as provider:
        channel = provider.channels()[0]
        span = TimeSpan.last(hours=5)
        before = {each.key for each in provider.search(channel, span) if not each.in_progress}
        recorder.off = HOUR
        monkeypatch.setattr(_timekeeper, "_CLOCK_LIFE", -1.0)
        after = {each.key for each in provider.search(channel, span)}

    assert before <= after


def test_there_and_back_again():
    """Summer and winter: each time has the offset that the clock had then."""
    with Recorder() as recorder:
        before, learnt = recorder.run()
        recorder.off = HOUR
        _, learnt = recorder.run(learnt)
        recorder.off = dt.timedelta(0)
        _, learnt = recorder.run(learnt)

    assert ["", "+02:00", ""] == [text for _, text in learnt["clock"]["steps"]]
    assert before


def test_without_an_earlier_look_nothing_is_known():
    """What was measured today holds for all there is: that is the limit."""
    with Recorder() as recorder:
        before, _ = recorder.run()
        recorder.off = HOUR
        after, learnt = recorder.run()

    assert {before[name] - HOUR for name in before} <= set(after.values())
    assert ["+02:00"] == [text for _, text in learnt["clock"]["steps"]]


def test_another_declared_zone_is_another_matter():
    """The owner has changed the settings, or it is another recorder: everything begins anew."""
    with Recorder() as recorder:
        _, learnt = recorder.run()
    with Recorder(timezone="CST-3:00:00") as recorder:
        _, fresh = recorder.run(learnt)

    assert 1 == len(fresh["clock"]["steps"])
    assert "CST-3:00:00" == fresh["clock"]["declared"]


def test_what_was_learnt_about_another_device_does_not_hold():
    """The profile's recorder was exchanged for one with the same zone."""
    with Recorder() as recorder:
        _, learnt = recorder.run()
        recorder.off = HOUR
        _, same = recorder.run(learnt)
        learnt["clock"]["device"] = "DS-ANOTHER"
        _, fresh = recorder.run(learnt)

    assert 2 == len(same["clock"]["steps"])
    assert 1 == len(fresh["clock"]["steps"])


def test_a_clock_that_runs_wrong_is_no_era():
    """Twenty minutes, or a year: that is skew, reported and never learnt."""
    with Recorder() as recorder:
        recorder.off = dt.timedelta(minutes=20)
        with recorder.open() as provider:
            assert dt.timedelta(minutes=19) < provider.clock().skew < dt.timedelta(minutes=21)
            assert "clock" not in provider.learnt
        recorder.off = HOUR
        _, learnt = recorder.run()
        recorder.off = dt.timedelta(days=400)
        with recorder.open(learnt) as provider:
            assert dt.timedelta(days=399) < provider.clock().skew
            assert learnt["clock"] == provider.learnt["clock"]


def test_a_zone_that_was_given_has_no_past():
    """Who says it knows it."""
    with Recorder() as recorder:
        _, learnt = recorder.run(timezone="+01:00")

    assert "clock" not in learnt


def test_a_clock_that_is_not_fresh_costs_nothing_after_a_search():
    """The sync asks for the skew without another request."""
    with Recorder() as recorder, recorder.open() as provider:
        list(provider.search(provider.channels()[0], TimeSpan.last(hours=1)))
        before = recorder.simulator.requests
        assert abs(provider.clock(fresh=False).skew) < HOUR
        assert before == recorder.simulator.requests
        provider.clock()
        assert before < recorder.simulator.requests


GOOD = {
    "declared": "CST-1:00:00",
    "steps": [["2026-01-01T00:00:00+00:00", ""], ["2026-03-29T12:00:00+00:00", "-02:30"]],
    "seen": "2026-03-29T12:34:56+00:00",
}


@pytest.mark.parametrize(
    "change",
    [
        {"steps": []},
        {"steps": 5},
        {"steps": [["2026-01-01T00:00:00", ""]]},
        {"steps": [["2026-01-01T00:00:00+00:00", "nonsense"]]},
        {"seen": "yesterday"},
        {"seen": None},
    ],
)
def test_what_was_changed_by_hand_is_as_good_as_nothing(change):
    """Hints from a file never break a connection."""
    assert Eras.recall({**GOOD, **change}) is None
    assert Eras.recall([]) is None
    assert Eras.recall({}) is None


def test_what_is_kept_comes_back():
    """To the hour, so that a profile is not written at every run."""
    known = Eras.recall(GOOD)

    assert known is not None
    assert {**GOOD, "seen": "2026-03-29T12:00:00+00:00"} == known.as_json()
    assert dt.timedelta(hours=-2.5) == NOON.astimezone(known.zone(ONE)).utcoffset()


def test_a_stepped_zone_is_a_tzinfo_like_others():
    """Without a time there is no offset; it can be copied and sent elsewhere."""
    zone = SteppedZone(((NOON, ONE), (NOON, TWO)))

    assert (None, None, None) == (zone.utcoffset(None), zone.dst(None), zone.tzname(None))
    assert "UTC+02:00" == zone.tzname(dt.datetime(2026, 7, 1, tzinfo=zone))
    assert dt.timedelta(0) == zone.dst(dt.datetime(2026, 7, 1, tzinfo=zone))
    assert zone == pickle.loads(pickle.dumps(zone))


@given(
    minutes=st.integers(-600, 600),
    back=st.booleans(),
)
def test_there_and_back_is_the_same(minutes, back):
    """Every moment has one wall time, and its fold leads back to it, as with any tzinfo."""
    first, then = (TWO, ONE) if back else (ONE, TWO)
    zone = SteppedZone(((NOON - 10 * HOUR, first), (NOON, then)))
    moment = NOON + dt.timedelta(minutes=minutes)

    assert moment == moment.astimezone(zone).astimezone(UTC)
    assert (moment.astimezone(zone).utcoffset() == 2 * HOUR) == ((moment < NOON) == back)


def test_eras_inside_a_declared_zone_with_daylight_saving():
    """A device that declares rules keeps them for the times when its clock followed them."""
    rules = DeviceZone.parse("CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00")
    zone = SteppedZone(((NOON, rules), (NOON + 200 * 24 * HOUR, ONE)))

    assert 2 * HOUR == (NOON + 24 * HOUR).astimezone(zone).utcoffset()
    assert HOUR == (NOON - 90 * 24 * HOUR).astimezone(zone).utcoffset()
    assert HOUR == (NOON + 201 * 24 * HOUR).astimezone(zone).utcoffset()
