from __future__ import annotations

import itertools

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync.sync._level import WINDOW, Level


STEP = 0.125


@attrs.define(kw_only=True)
class World:
    """A device, and enough work for it: streams open and end, bytes come, seconds pass.

    Attributes:
        sessions: How many streams it takes at once.
        each: Bytes a second of one stream.
        total: Gives the bytes a second of so many streams together.
        workers: How many streams would be open if there were no limit.
        lasts: Seconds that a stream takes.
    """

    level: Level
    sessions: int = 100
    each: float = 10.0
    total: object = float
    workers: int = 100
    lasts: float = 4.0
    now: float = 0.0
    quiet: float = 0.0
    opened: int = 0
    refused: list[float] = attrs.Factory(list)
    limits: list[int] = attrs.Factory(list)
    _ends: list[float] = attrs.Factory(list)

    def run(self, seconds):
        """Let time pass."""
        until = self.now + seconds
        while self.now < until:
            self._ends = [end for end in self._ends if end > self.now]
            self.level.use(len(self._ends), len(self._ends), self.now)
            while len(self._ends) < min(self.level.limit, self.workers) and self.now >= self.quiet:
                self._open()
            self.now += STEP
            self.level.moved(round(self.total(self.each * len(self._ends)) * STEP * 1000))
            self.level.tick(self.now)
            self.limits.append(self.level.limit)
        return self

    def _open(self):
        streams = len(self._ends) + 1
        if streams > self.sessions:
            self.refused.append(self.now)
            self.quiet = self.now + self.level.refused(streams, self.now)
            return
        self._ends.append(self.now + self.lasts)
        self.level.use(streams, streams, self.now)
        self.level.opened()
        self.opened += 1


def level(**options):
    """Return a level with the gate's defaults."""
    return Level(**{"cap": 8, "start": 2, "minimum": 1, **options})


def test_it_rises_by_one_while_that_helps():
    """One stream more for each window in which all were in use, up to the cap."""
    world = World(level=level()).run(60)

    assert [2, 3, 4, 5, 6, 7, 8] == sorted(set(world.limits))
    assert all(0 <= later - now <= 1 for now, later in itertools.pairwise(world.limits))
    assert 8 == world.level.limit
    assert world.level.ceiling is None


MIB = 1 << 20


@pytest.mark.parametrize(
    ("total", "options", "limit"),
    [
        pytest.param(float, {}, 8, id="each stream brings what it should"),
        pytest.param(lambda rate: min(rate, 24 * MIB / 1000), {}, 4, id="two are enough"),
        pytest.param(float, {"ceiling": 7}, 4, id="there was trouble with more"),
        pytest.param(lambda rate: rate / 12, {}, 4, id="too few blocks to tell"),
    ],
)
def test_what_clearly_pays_is_not_waited_for(total, options, limit):
    """Streams of 12 MiB/s are added after half a second each, as long as nothing is in doubt."""
    world = World(level=level(**options), each=12 * MIB / 1000, total=total).run(4.1)

    assert limit == world.level.limit


def test_it_does_not_rise_without_work():
    """Three workers never show what a fourth stream would do, let alone a fifth."""
    world = World(level=level(), workers=3).run(60)

    assert 4 == world.level.limit


def test_it_does_not_rise_by_what_is_only_being_opened():
    """A stream that the device has not accepted yet proves nothing."""
    slow = level()
    slow.use(2, 1, 0.0)

    assert not any(slow.tick(float(second)) for second in range(1, 30))
    slow.use(2, 2, 30.0)
    assert slow.tick(32.0)


def test_a_stream_that_overlaps_for_a_moment_proves_nothing():
    """The device has room for the next one before the last byte of the one before has been read."""
    lucky = level(start=6)
    lucky.use(6, 6, 0.0)
    lucky.moved(1000)
    assert lucky.tick(2.0)
    lucky.use(7, 7, 2.1)
    lucky.opened()

    assert 0.0 == lucky.refused(7, 2.3)
    assert (6, 6) == (lucky.limit, lucky.ceiling)


def test_it_rises_when_the_rate_stays():
    """A device whose line is full is not slowed down by one more stream."""
    world = World(level=level(), total=lambda rate: min(rate, 25.0)).run(60)

    assert 8 == world.level.limit


def test_what_is_refused_is_learnt():
    """Six sessions: the seventh is tried once, taken back, and remembered."""
    world = World(level=level(), sessions=6).run(50)

    assert 1 == len(world.refused)
    assert (6, 6) == (world.level.limit, world.level.ceiling)
    assert 6 == min(world.limits[-8 * 30 :])


def test_a_ceiling_is_tried_again_ever_more_rarely():
    """After a minute, then twice as long each time, and at least every ten minutes."""
    world = World(level=level(), sessions=6, lasts=1.0).run(3600)
    pauses = [later - now for now, later in itertools.pairwise(world.refused)]

    assert [60, 120, 240, 480, 600, 600, 600] == [pytest.approx(one, abs=4) for one in pauses[:7]]
    assert len(world.refused) < world.opened / 1000
    assert 6 == min(world.limits[8 * 60 :])


def test_few_requests_mean_few_tries():
    """Hour-long recordings: a try for each hundred streams, or every ten minutes."""
    world = World(level=level(), sessions=6, lasts=60.0).run(3600)

    assert all(later - now >= 600 for now, later in itertools.pairwise(world.refused))
    assert len(world.refused) <= 7


def test_a_device_with_one_session_is_left_alone():
    """It is asked for a second stream once in a long while, and its one stream is always used."""
    world = World(level=level(), sessions=1).run(600)

    assert {1, 2} == set(world.limits)
    assert len(world.refused) <= 2
    assert [1] * 16 == world.limits[-16:]


def test_a_ceiling_that_has_gone_is_forgotten():
    """The viewer who had three of the sessions has left: after a try that works, it rises on."""
    world = World(level=level(), sessions=3, lasts=0.5).run(40)
    assert 3 == world.level.ceiling

    world.sessions = 100
    world.run(120)
    assert (8, None) == (world.level.limit, world.level.ceiling)


def test_a_busy_device_gets_half():
    """It refuses what it has taken before: somebody else needs it."""
    world = World(level=level(cap=6, start=6)).run(20)
    world.sessions = 4
    world.run(STEP * 40)

    assert (2, 4) == (world.level.limit, world.level.ceiling)
    assert 4 == world.run(20).level.limit


def test_a_stream_that_has_just_ended_may_still_count_there():
    """A refusal right after an end is no news; the third one within a minute is."""
    one = level(start=6, ceiling=6)
    one.use(6, 6, 0.0)
    one.tick(WINDOW)
    one.use(5, 5, 10.0)

    assert one.refused(6, 10.1) > 0
    assert one.refused(6, 11.1) > 0
    assert 6 == one.limit == one.ceiling
    one.use(4, 4, 12.0)
    assert one.refused(5, 12.1) > 0
    assert 2 == one.limit


def test_a_refusal_long_after_an_end_is_news():
    """What ended ten seconds ago is not what the device still counts."""
    one = level(start=6, ceiling=6)
    one.use(6, 6, 0.0)
    one.tick(WINDOW)
    one.use(5, 5, 10.0)

    assert one.refused(6, 20.0) > 0
    assert 3 == one.limit


def test_a_device_that_has_no_room_at_all_is_asked_ever_more_rarely():
    """One, two, four seconds, up to half a minute; one success ends that."""
    asked = level()

    waits = [asked.refused(1, 0.0) for _ in range(7)]
    assert [1, 2, 4, 8, 16, 30, 30] == waits
    assert (1, None) == (asked.limit, asked.ceiling)
    asked.opened()
    assert 1.0 == asked.refused(1, 0.0)


def test_a_stream_that_breaks_beside_others_halves():
    """The number below the one that broke is the ceiling."""
    broken = level(start=6)
    broken.broke(6, 10.0)

    assert (3, 5, 1) == (broken.limit, broken.ceiling, broken.epoch)


def test_a_busy_beginning_is_no_ceiling():
    """Whoever was at the device has left: nothing was learnt about how many streams it bears."""
    world = World(level=level(), sessions=0).run(20)
    assert (1, None) == (world.level.limit, world.level.ceiling)

    world.sessions = 100
    assert 8 == world.run(60).level.limit


def test_what_broke_is_tried_again_after_a_minute():
    """However few streams have been opened since: no request is refused by it."""
    world = World(level=level(cap=2), lasts=30.0).run(10)
    world.level.broke(2, world.now)
    assert (1, 1) == (world.level.limit, world.level.ceiling)

    assert {1} == set(world.run(55).limits[-8 * 55 :])
    assert (2, None) == (world.run(40).level.limit, world.level.ceiling)


def test_a_stream_that_breaks_alone_changes_nothing():
    """There is no number of streams that would have saved it."""
    broken = level()
    broken.broke(1, 10.0)

    assert (2, None, 0) == (broken.limit, broken.ceiling, broken.epoch)


def _worn(count):
    """The rate of a device that is overwhelmed by more than *count* streams of 10."""
    return lambda rate: rate if rate <= count * 10 else count * 10 * 0.7


def test_what_makes_the_whole_slower_is_halved():
    """After two windows of clearly less than with fewer; the number before is the ceiling."""
    world = World(level=level(), total=_worn(4)).run(50)

    assert 4 == world.level.ceiling
    assert 5 == max(world.limits)
    assert 2 in world.limits[world.limits.index(5) :]
    assert 4 == world.level.limit


def test_what_makes_the_whole_a_little_slower_is_taken_back():
    """A slight loss is believed after three windows, and costs one stream only."""
    world = World(level=level(), total=lambda rate: rate if rate <= 40 else 36.0).run(40)

    assert (4, 4) == (world.level.limit, world.level.ceiling)
    assert 4 == min(world.limits[world.limits.index(5) :])


def test_one_slow_window_proves_nothing():
    """A hiccup is over before anything is done about it."""
    world = World(level=level(cap=4)).run(16)
    normal, world.each = world.each, 1.0
    world.run(WINDOW)
    world.each = normal
    world.run(20)

    assert 4 == min(world.limits[8 * 10 :])


def test_what_was_measured_long_ago_proves_nothing():
    """A device that is slower than an hour ago is not slower because of its streams."""
    world = World(level=level(cap=4)).run(80)
    world.each = 2.0
    world.run(60)

    assert 4 == min(world.limits[8 * 10 :])


def test_bytes_that_are_held_back_say_nothing():
    """With a limit of this side's own in force, the number stays."""
    held = level()
    held.use(2, 2, 0.0)
    for second in range(1, 30):
        held.moved(1)
        held.throttled()
        assert not held.tick(second * 1.0)
    assert 2 == held.limit


def test_streams_from_before_say_nothing_about_fewer():
    """While more are open than allowed, the rate is not that of the smaller number."""
    world = World(level=level(cap=6, start=6), lasts=10.0).run(2.0)
    world.level.broke(6, world.now)
    world.run(7.5)

    assert 3 == world.level.limit
    assert {} == world.level._rates


@pytest.mark.parametrize(
    ("options", "limit", "ceiling"),
    [
        ({}, 2, None),
        ({"start": 20}, 8, None),
        ({"start": 6, "ceiling": 5}, 5, 5),
        ({"start": 1, "minimum": 3}, 3, None),
        ({"ceiling": 1, "minimum": 3}, 3, 1),
    ],
)
def test_what_is_known_from_last_time(options, limit, ceiling):
    """A number to begin with, and one that is not to be tried again at once."""
    known = level(**options)

    assert (limit, ceiling) == (known.limit, known.ceiling)


def test_a_known_ceiling_is_not_tried_at_once():
    """A second run costs no refusal of its own."""
    world = World(level=level(start=6, ceiling=6), sessions=6).run(50)

    assert [] == world.refused


@given(
    sessions=st.integers(1, 12),
    cap=st.integers(1, 12),
    start=st.integers(1, 12),
    lasts=st.sampled_from([0.5, 3.0, 20.0]),
    total=st.sampled_from([25.0, 60.0, 1000.0]),
)
def test_it_finds_what_the_device_can_take(sessions, cap, start, lasts, total):
    """It stays between one and the cap, ends at the number of sessions, and is seldom refused."""
    world = World(
        level=level(cap=cap, start=start),
        sessions=sessions,
        lasts=lasts,
        total=lambda rate: min(rate, total),
    ).run(240)

    assert 1 <= min(world.limits)
    assert max(world.limits) <= cap
    tail = world.limits[-8 * 20 :]
    assert min(sessions, cap) == min(tail)
    assert max(tail) <= min(sessions + 1, cap)
    assert len(world.refused) <= max(start - sessions, 0) + 4


@given(st.lists(st.tuples(st.sampled_from("obrtum"), st.integers(1, 9)), max_size=60))
def test_no_order_of_events_leads_outside_the_bounds(events):
    """Whatever happens in whatever order, there is room for one, and never for more than the cap."""
    now = 0.0
    tried = level(cap=5)
    for what, number in events:
        now += number / 2
        if what == "r":
            assert 0.0 <= tried.refused(number, now) <= 30.0
        elif what == "b":
            tried.broke(number, now)
        elif what == "o":
            tried.opened()
        elif what == "u":
            tried.use(number, number // 2, now)
        elif what == "m":
            tried.moved(number)
        else:
            tried.tick(now)
        assert 1 <= tried.limit <= 5
        assert tried.ceiling is None or 1 <= tried.ceiling
