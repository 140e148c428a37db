"""What a run searches of each channel, and what it does about what it finds: pure decisions."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Recording, RecordingKey, RecordingKind, TimeSpan
from camsync.catalogue import ChannelMark, Entry, State
from camsync.sync import Verdict
from camsync.sync._survey import DEEP_EVERY, LATE, LOOK_BACK, Window, judge, look


NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
KEY = RecordingKey(provider="hikvision", device="DS1", channel="1", start=NOW - 3 * HOUR, item="a")
RECORDING = Recording(
    key=KEY, channel_name="Front", start=NOW - 3 * HOUR, end=NOW - 2 * HOUR, size=1000
)
ENTRY = Entry(
    key=KEY,
    channel_name="Front",
    start=RECORDING.start,
    end=RECORDING.end,
    first_seen=NOW - HOUR,
    last_seen=NOW - HOUR,
)


def _mark(hours: float, **changes: object) -> ChannelMark:
    """A channel that was searched until so many hours ago, since a week, and deeply just now."""
    moment = NOW - hours * HOUR
    mark = ChannelMark(
        watermark=moment,
        searched_from=NOW - 7 * DAY,
        searched_until=moment,
        last_deep=NOW - HOUR,
        newest=NOW,
    )
    return attrs.evolve(mark, **changes)


def test_the_first_run_searches_everything_that_is_wanted():
    """A length counts back from now."""
    found = look(Window(since=2 * DAY), ChannelMark(), NOW)

    assert TimeSpan(NOW - 2 * DAY, NOW) == found.span
    assert found.deep


def test_a_later_run_goes_on_where_the_last_one_has_ended():
    """A little earlier, in case that the device's list was late."""
    found = look(Window(), _mark(0.25), NOW)

    assert TimeSpan(NOW - 0.25 * HOUR - LOOK_BACK, NOW) == found.span
    assert not found.deep


def test_days_without_a_run_are_caught_up():
    """A machine that was off for five days has lost nothing, though since is one day."""
    found = look(Window(since=DAY), _mark(5 * 24), NOW)

    assert found.span.start == NOW - 5 * DAY - LOOK_BACK


def test_a_watermark_that_waits_for_a_recording_is_searched_from():
    """What is not done yet must be listed again to be fetched."""
    found = look(Window(), _mark(0.1, watermark=NOW - 30 * HOUR), NOW)

    assert found.span.start == NOW - 30 * HOUR - LOOK_BACK


def test_once_a_day_a_run_looks_for_what_came_late():
    """Cameras keep footage on their card during an outage, and hand it in afterwards."""
    mark = _mark(0.1, last_deep=NOW - DEEP_EVERY, searched_from=NOW - 30 * DAY)

    found = look(Window(), mark, NOW)

    assert found.deep
    assert found.span.start == NOW - LATE


def test_the_deep_look_stays_within_what_was_ever_wanted():
    """Whoever has asked for a day does not get a week the day after."""
    mark = _mark(0.1, last_deep=None, searched_from=NOW - 2 * DAY)

    assert look(Window(since=DAY), mark, NOW).span.start == NOW - 2 * DAY


def test_a_longer_wish_searches_the_older_part_too():
    """The length was a week so far, and is a month now."""
    assert look(Window(since=30 * DAY), _mark(0.1), NOW).span.start == NOW - 30 * DAY


@pytest.mark.parametrize("since", [NOW - DAY, DAY, None])
def test_a_beginning_that_moves_on_leaves_no_hole(since):
    """Whoever says "since yesterday" in every run, and was off for four days, wants those as well."""
    mark = _mark(4 * 24)

    assert look(Window(since=since), mark, NOW).span.start <= mark.watermark


def test_nothing_is_searched_before_the_first_beginning():
    """Neither by the look-back nor by the late look."""
    mark = _mark(0.1, last_deep=None, searched_from=NOW - 0.5 * HOUR)

    assert look(Window(), mark, NOW).span.start == NOW - 0.5 * HOUR


def test_what_a_broken_search_has_listed_is_searched_again():
    """There is no mark yet, but something that waits."""
    mark = ChannelMark(oldest_open=NOW - 3 * DAY)

    assert look(Window(since=DAY), mark, NOW).span.start == NOW - 3 * DAY
    assert look(Window(), ChannelMark(), NOW).span.start == NOW - DAY


def test_a_search_reaches_back_to_what_is_known():
    """So that a device which suddenly lists nothing is not believed; but not for ever."""
    mark = _mark(0.1, searched_from=NOW - 60 * DAY)

    for age, start in ((3 * DAY, NOW - 3 * DAY), (32 * DAY, mark.watermark - LOOK_BACK)):
        known = attrs.evolve(mark, newest=NOW - age)
        assert look(Window(), known, NOW).span.start == start


def test_what_may_come_back_is_looked_for():
    """Once a day, as far back as it lies."""
    mark = _mark(0.1, searched_from=NOW - 60 * DAY, last_deep=NOW - 2 * DAY)

    assert look(Window(), mark, NOW, NOW - 20 * DAY).span.start == NOW - 20 * DAY
    assert look(Window(), mark, NOW).span.start == NOW - LATE


def test_nothing_is_wanted_before_a_beginning_that_lies_ahead():
    """A run that starts too early searches nothing."""
    assert look(Window(since=NOW + HOUR), ChannelMark(), NOW) is None


def test_a_span_is_searched_as_it_is():
    """Whatever was searched before."""
    span = TimeSpan(NOW - 40 * DAY, NOW - 39 * DAY)

    found = look(Window(span=span), _mark(1), NOW)

    assert span == found.span
    assert not found.deep


def test_a_clock_that_was_ahead_loses_nothing():
    """The mark lies in the future: the days before now are searched once more."""
    found = look(Window(), _mark(-24 * 365), NOW)

    assert found.span.start == NOW - 7 * DAY
    assert found.deep
    only = look(Window(since=DAY), _mark(-24 * 365, searched_from=NOW + HOUR), NOW)
    assert TimeSpan(NOW - DAY, NOW) == only.span


def test_a_channel_without_footage_is_searched_from_where_it_began():
    """Its first search may have met a recorder whose disk was not up."""
    mark = _mark(0, newest=None, searched_from=NOW - 3 * DAY)

    assert look(Window(), mark, NOW).span.start == NOW - 3 * DAY
    assert look(Window(since=5 * DAY), mark, NOW).span.start == NOW - 5 * DAY


@given(
    since=st.integers(1, 10_000),
    mark=st.integers(-10_000, 10_000),
    water=st.integers(0, 1000),
    first=st.integers(0, 10_000),
    deep=st.none() | st.integers(-3000, 3000),
)
def test_every_search_reaches_from_what_is_not_done_until_now(since, mark, water, first, deep):
    """Whatever the clocks did: nothing between the watermark and now is left out."""
    until = NOW - mark * HOUR / 60
    known = ChannelMark(
        watermark=until - water * HOUR,
        searched_from=until - (water + first) * HOUR,
        searched_until=until,
        last_deep=None if deep is None else NOW - deep * HOUR / 60,
        newest=NOW,
    )

    found = look(Window(since=since * HOUR), known, NOW)

    assert found.span.end == NOW
    assert found.span.start <= min(known.watermark, NOW - dt.timedelta(seconds=1))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.FETCH),
        ({"state": State.PLANNED}, Verdict.FETCH),
        ({"state": State.DOWNLOADING}, Verdict.FETCH),
        ({"state": State.GONE}, Verdict.FETCH),
        ({"state": State.VERIFIED}, Verdict.HELD),
        ({"state": State.VERIFIED, "pruned_at": NOW}, Verdict.HELD),
        ({"state": State.FAILED, "next_try": NOW + HOUR}, Verdict.WAITING),
        ({"state": State.FAILED, "next_try": NOW}, Verdict.FETCH),
        ({"state": State.FAILED, "next_try": None}, Verdict.FETCH),
        ({"state": State.FAILED, "next_try": NOW + 25 * HOUR}, Verdict.FETCH),
        ({"state": State.QUARANTINED, "next_try": NOW + 7 * DAY}, Verdict.QUARANTINED),
        ({"state": State.QUARANTINED, "next_try": NOW + 8 * DAY}, Verdict.FETCH),
        ({"state": State.QUARANTINED, "next_try": NOW}, Verdict.FETCH),
        ({"state": State.QUARANTINED}, Verdict.FETCH),
    ],
)
def test_the_state_decides(changes, verdict):
    """What the catalogue knows decides about what the device lists."""
    item = judge(RECORDING, attrs.evolve(ENTRY, error="bad", **changes), NOW, dt.timedelta(0))

    assert verdict is item.verdict
    assert KEY == item.key
    waits = verdict in {Verdict.WAITING, Verdict.QUARANTINED}
    assert waits == ("bad" in item.reason)


def test_what_is_unknown_is_fetched():
    """The catalogue has no row yet."""
    assert Verdict.FETCH is judge(RECORDING, None, NOW, dt.timedelta(0)).verdict


def test_what_is_being_written_is_left_alone():
    """The device says so, or it has ended only just now."""
    writing = attrs.evolve(RECORDING, in_progress=True)
    fresh = attrs.evolve(RECORDING, end=NOW - dt.timedelta(seconds=30))

    assert Verdict.IN_PROGRESS is judge(writing, ENTRY, NOW, dt.timedelta(0)).verdict
    assert Verdict.IN_PROGRESS is judge(fresh, None, NOW, dt.timedelta(minutes=1)).verdict
    assert Verdict.FETCH is judge(fresh, None, NOW, dt.timedelta(seconds=10)).verdict


def test_an_item_knows_its_size():
    """Announced, or unknown."""
    item = judge(RECORDING, None, NOW, dt.timedelta(0))

    assert item.size == 1000
    assert attrs.evolve(item, recording=None).size is None
    assert RecordingKind.UNKNOWN is RECORDING.kind
