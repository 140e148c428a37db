from __future__ import annotations

import datetime as dt
import threading

from zoneinfo import ZoneInfo

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import CancelledError, ConfigurationError
from camsync.download import Limiter
from camsync.download._limiter import Timetable, parse_rate


UTC = dt.timezone.utc
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


class Clock:
    """Seconds that pass only when somebody waits."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


class Waiting(Limiter):
    """A limiter whose waits take no time: the clock is moved on instead."""

    def __init__(self, *args, **options):
        self.clock = Clock()
        super().__init__(*args, clock=self.clock, **options)
        self.waits = []
        self._changed.wait = self._move

    def _move(self, seconds):
        self.waits.append(seconds)
        self.clock.seconds += seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1.0),
        ("1500", 1500.0),
        ("500k", 500.0 * KIB),
        ("2M", 2.0 * MIB),
        ("2m", 2.0 * MIB),
        (" 1.5G ", 1.5 * GIB),
        ("off", None),
        ("OFF", None),
    ],
)
def test_rates_are_read(text, expected):
    """A number counts bytes, letters are powers of 1024, and off is no limit."""
    assert expected == parse_rate(text)


@pytest.mark.parametrize("text", ["", "0", "0k", "-1", "M", "2 x", "nan", "inf", "1e3", "²"])
def test_what_is_no_rate_is_refused(text):
    """Nothing is guessed, and zero would be a standstill."""
    with pytest.raises(ConfigurationError, match="no limit in bytes a second"):
        parse_rate(text)


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), float("inf")])
def test_a_number_must_be_a_rate_too(rate):
    """The same holds for numbers."""
    with pytest.raises(ConfigurationError, match="no limit in bytes a second"):
        Limiter(rate)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("fast", "no limit"),
        ("08:00,2M 18:00", "no line"),
        ("08.00,2M", "no line"),
        ("24:00,2M", "hour must be"),
        ("08:60,2M", "minute must be"),
        ("08:00,zero", "no limit"),
        ("08:00,2M 8:00,3M", "08:00 twice"),
    ],
)
def test_what_is_no_timetable_is_refused(text, why):
    """The message says what is wrong, and shows one that is right or a rate that is."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        Timetable.parse(text)

    assert caught.value.next_step or "twice" in caught.value.message


def test_one_rate_may_stand_for_the_whole_day():
    """A limit without times is the shortest timetable."""
    table = Timetable.parse("2M")

    assert {2.0 * MIB} == {table.rate_at(dt.time(hour)) for hour in range(24)}


_TIMES = st.dictionaries(
    st.times(timezones=st.none()).map(lambda one: one.replace(second=0, microsecond=0, fold=0)),
    st.one_of(st.none(), st.integers(min_value=1, max_value=10**9)),
    min_size=1,
    max_size=6,
)


@given(_TIMES, st.times(), st.randoms())
def test_the_last_time_before_now_counts(entries, moment, random):
    """Whatever the order in the text, and before the first time of a day, that of the day before."""
    words = [f"{when:%H:%M},{'off' if rate is None else rate}" for when, rate in entries.items()]
    random.shuffle(words)
    passed = [when for when in entries if when <= moment]

    assert entries[max(passed or entries)] == Timetable.parse(" ".join(words)).rate_at(moment)


@given(st.text(alphabet="0123456789:,kMG of.-", max_size=30))
def test_any_text_is_a_timetable_or_refused_in_words(text):
    """No other error gets out."""
    try:
        table = Timetable.parse(text)
    except ConfigurationError:
        return

    rate = table.rate_at(dt.time(12))
    assert rate is None or rate > 0


def test_the_lower_of_two_limits_counts():
    """A timetable cannot raise what the rate forbids, and off is no limit of its own."""
    limiter = Limiter("3M", "08:00,2M 18:00,20M 23:00,off", timezone=UTC, now=lambda: now)

    for hour, expected in ((7, 3), (8, 2), (17, 2), (18, 3), (23, 3)):
        now = dt.datetime(2024, 1, 1, hour, tzinfo=UTC)
        assert expected * MIB == limiter.rate


def test_a_timetable_follows_the_wall_clock_of_its_zone():
    """When clocks are put forward, eight in the morning comes an hour earlier."""
    now = dt.datetime(2024, 3, 30, 7, 30, tzinfo=UTC)  # 08:30 in winter
    limiter = Limiter(
        timetable="08:00,2M 09:00,off", timezone=ZoneInfo("Europe/Berlin"), now=lambda: now
    )

    assert 2 * MIB == limiter.rate
    now += dt.timedelta(days=1)  # 09:30 in summer
    assert limiter.rate is None


def test_without_a_limit_nothing_waits():
    """Neither a rate nor a timetable: bytes pass, and none of them is owed later."""
    limiter = Waiting()

    assert not limiter.take(10**12)
    assert limiter.rate is None
    assert [] == limiter.waits


def test_bytes_take_their_time():
    """Ten seconds' worth of bytes take ten seconds, however they are cut."""
    limiter = Waiting(1000)
    waited = [limiter.take(count) for count in (1, 999, 4000, 5000)]

    assert 10.0 == pytest.approx(limiter.clock.seconds)
    assert waited[-2:] == [True, True]
    assert max(limiter.waits) <= 0.25


def test_a_rest_is_not_saved_up():
    """After a pause a tenth of a second may come at once, not all that did not come."""
    limiter = Waiting(1000)
    limiter.clock.seconds += 3600

    assert not limiter.take(100)
    limiter.take(1000)
    assert 3601.0 == pytest.approx(limiter.clock.seconds)


def test_a_limit_that_ends_lets_go():
    """Whoever waits when the timetable says off, waits no longer."""
    begun = dt.datetime(2024, 1, 1, 8, 59, 50, tzinfo=UTC)
    limiter = Waiting(timetable="08:00,1 09:00,off", timezone=UTC, now=lambda: begun)
    limiter._now = lambda: begun + dt.timedelta(seconds=limiter.clock.seconds)

    assert limiter.take(10**9)
    assert 10 <= limiter.clock.seconds < 11
    assert not limiter.take(10**9)


def test_waiting_ends_when_it_is_cancelled():
    """The token is looked at before each wait, and what was asked for stays owed."""
    cancel = threading.Event()
    cancel.set()
    limiter = Waiting(1000)

    with pytest.raises(CancelledError):
        limiter.take(500, cancel)
    limiter.take(500)
    assert 1.0 == pytest.approx(limiter.clock.seconds)


def test_threads_share_one_limit():
    """Each gets through, and together they have waited for all of it."""
    limiter = Limiter(2_000_000)
    threads = [
        threading.Thread(target=lambda: [limiter.take(10_000) for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert 400_000 == limiter._asked
    assert limiter._allowed >= 399_999
