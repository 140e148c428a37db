"""The simulator's history: files by arithmetic must be what a list of all files would say."""

from __future__ import annotations

import datetime as dt
import itertools
import time

import attrs
import hypothesis.strategies as st
import pytest

from hypothesis import given

from camsync.testing import PERSONALITIES, SimulatedRecording
from camsync.testing.recorder._channels import ChannelSetup, layout
from camsync.testing.recorder._timeline import Plan, Timeline


UTC = dt.timezone.utc
ORIGIN = dt.datetime(2026, 3, 1, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
WHO = PERSONALITIES["DS-7616NI-K2"]


def _timeline(who=WHO, *, channels=2, **plan) -> Timeline:
    settings = {"length": 60, "gap": 0, "seed": 0, "audio": None, "bitrate": None, **plan}
    return Timeline.of(Plan(origin=ORIGIN, who=who, **settings), layout(who, channels, "mixed"))


def _all_of(line: Timeline, track: int, now: dt.datetime) -> list[SimulatedRecording]:
    return [item for item in line.everything(now) if item.track == track]


@given(
    length=st.integers(1, 90),
    gap=st.sampled_from([0, 0, 7]),
    every=st.none() | st.integers(1, 4),
    ahead=st.sampled_from([None, dt.timedelta(minutes=20)]),
    now=st.integers(0, 4_000),
    begin=st.integers(-600, 4_600),
    width=st.integers(1, 4_000),
    seed=st.integers(0, 5),
)
def test_a_search_finds_exactly_the_files_that_overlap(
    length, gap, every, ahead, now, begin, width, seed
):
    """Searching by bisection gives what filtering the whole list gives."""
    who = attrs.evolve(WHO, nested_every=every, preallocated=ahead)
    line = _timeline(who, length=length, gap=gap, seed=seed)
    moment = ORIGIN + now * SECOND
    start, until = ORIGIN + begin * SECOND, ORIGIN + (begin + width) * SECOND
    expected = [
        item for item in _all_of(line, 201, moment) if item.start < until and item.end > start
    ]
    found = line.search((201,), moment, start, until)
    assert expected == list(found)
    assert expected[1:3] == found[1:3]
    assert len(expected) == len(found)


@given(seed=st.integers(0, 50), now=st.integers(0, 20_000))
def test_files_follow_each_other_in_order(seed, now):
    """Starts rise, seams overlap by at most three seconds, and only the last are being written."""
    moment = ORIGIN + now * SECOND
    items = _all_of(_timeline(seed=seed), 101, moment)
    for earlier, later in itertools.pairwise(items):
        assert earlier.start < later.start
        if not earlier.in_progress:
            assert dt.timedelta(0) <= earlier.end - later.start <= 3 * SECOND
    assert [item.in_progress for item in items] == [item.end > moment for item in items]


def test_the_same_seed_gives_the_same_history():
    """Two devices with one seed agree; another seed has other seams."""
    now = ORIGIN + 3 * HOUR
    one, two, other = (list(_timeline(seed=n).everything(now)) for n in (1, 1, 2))
    assert one == two
    assert one != other


def test_some_seams_overlap_and_some_files_are_motion():
    """A day has both kinds of seam and both kinds of file, in sensible shares."""
    items = _all_of(_timeline(), 101, ORIGIN + 24 * HOUR)
    overlaps = sum(a.end > b.start for a, b in itertools.pairwise(items)) / len(items)
    motion = sum(item.kind == "motion" for item in items) / len(items)
    assert 0.15 < overlaps < 0.35
    assert 0.1 < motion < 0.3


def test_the_file_being_written_grows():
    """Its size follows the clock, its end is pre-allocated, and it is finished in the end."""
    line, now = _timeline(), ORIGIN + HOUR
    young = _all_of(line, 101, now)[-1]
    older = line.named(101, young.name, now + 5 * SECOND)
    done = line.named(101, young.name, now + 2 * HOUR)
    assert young.in_progress
    assert young.end > now + dt.timedelta(minutes=17)
    assert young.size < older.size < done.size
    assert (young.start, False) == (done.start, done.in_progress)
    assert done.end < young.end


def test_a_camera_says_that_the_file_being_written_ends_now():
    """On cameras the end moves from search to search."""
    line = _timeline(PERSONALITIES["DS-2CD2185FWD-I"], length=60)
    now = ORIGIN + HOUR
    first, second = (_all_of(line, 101, now + n * SECOND)[-1] for n in (0, 4))
    assert first.name.startswith("ch01_")
    assert (now, now + 4 * SECOND) == (first.end, second.end)


def test_nested_files_lie_inside_and_have_names_of_their_own():
    """A DS-8632N-I8 has ...000100 within ...000000 (seen after a forced cut)."""
    items = _all_of(_timeline(PERSONALITIES["DS-8632N-I8"]), 101, ORIGIN + HOUR)
    inner = [item for item in items if item.name.endswith("000100")]
    outer = {item.name: item for item in items}
    assert 7 == len(inner)
    for item in inner:
        around = outer[item.name[:-6] + "000000"]
        assert around.start < item.start < item.end < around.end


def test_offline_cameras_and_dead_inputs():
    """A camera that is offline has files but writes none; an input without signal has none."""
    now = ORIGIN + HOUR
    channels = (
        ChannelSetup(number=1, name="offline", online=False),
        ChannelSetup(number=2, name="dead", records=False),
    )
    plan = Plan(origin=ORIGIN, length=60, gap=0, seed=0, who=WHO, audio=None, bitrate=None)
    line = Timeline.of(plan, channels)
    assert not any(item.in_progress for item in _all_of(line, 101, now))
    assert len(_all_of(line, 101, now)) > 50
    assert [] == _all_of(line, 201, now)


def test_names_lead_back_to_their_files():
    """Each name of each track is found again; other names are not."""
    now = ORIGIN + 3 * HOUR
    line = _timeline(PERSONALITIES["DS-8632N-I8"], channels=3)
    for item in line.everything(now):
        assert item == line.named(item.track, item.name, now)
    wrong = ("", "x", "00000000214000001", "00000000215000000", "ch01_00000000214000000")
    assert [None] * 5 == [line.named(101, name, now) for name in wrong]
    assert line.named(909, "00000000214000000", now) is None


def test_several_tracks_come_interleaved():
    """Two tracks in one search come oldest first, and slices agree with the whole."""
    now = ORIGIN + 2 * HOUR
    found = _timeline().search((101, 201), now, ORIGIN, now)
    items = list(found)
    assert items == sorted(items, key=lambda item: (item.start, item.track))
    assert {101, 201} == {item.track for item in items[:4]}
    assert len(items) == len(found)
    assert items[7:12] == found[7:12]
    assert items[3] == found[3]


def test_sub_streams_are_recorded_where_the_device_can():
    """A DS-7732NI-M4 has track 102, a DS-7616NI-K2 has not."""
    both = _timeline(PERSONALITIES["DS-7732NI-M4"], channels=1)
    assert [101, 102] == [track.id for track in both.tracks]
    assert [101] == [track.id for track in _timeline(channels=1).tracks]


def test_an_index_beyond_the_end_is_an_error():
    """The lazy sequence behaves like a list."""
    found = _timeline().search((101,), ORIGIN + HOUR, ORIGIN, ORIGIN + HOUR)
    with pytest.raises(IndexError):
        found[len(found)]


def test_a_long_history_is_searched_by_arithmetic():
    """A page out of a year of minutes on sixteen channels takes no noticeable time."""
    who = attrs.evolve(WHO, nested_every=None)
    line = _timeline(who, channels=16)
    now = ORIGIN + 24 * 365 * HOUR
    began = time.perf_counter()
    for _ in range(20):
        found = line.search((801,), now, ORIGIN, now)
        assert 40 == len(found[400_000:400_040])
    assert 2.0 > time.perf_counter() - began
