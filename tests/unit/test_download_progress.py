from __future__ import annotations

import datetime as dt

import pytest

from camsync import ChannelId, DeviceId, Recording, RecordingKey, Stage
from camsync.download._progress import Reporter


START = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
RECORDING = Recording(
    key=RecordingKey(
        provider="hikvision", device=DeviceId("D"), channel=ChannelId("1"), start=START
    ),
    channel_name="",
    start=START,
    end=START + dt.timedelta(minutes=1),
)


class Clock:
    """A clock that stands still until it is told otherwise."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def told():
    """What was told."""
    return []


@pytest.fixture
def clock():
    """The clock of the reporter."""
    return Clock()


@pytest.fixture
def reporter(told, clock):
    """A reporter for the second file of a run of unknown length."""
    return Reporter(RECORDING, told.append, index=2, count=None, clock=clock)


def test_at_most_four_events_a_second(reporter, told, clock):
    """However many pieces come, a display is not drowned."""
    for each in range(1000):
        clock.now = 100.0 + each / 100
        reporter.advance(Stage.DOWNLOAD, each, 10_000)

    assert 38 <= len(told) <= 41
    assert {(2, None)} == {(event.file_index, event.file_count) for event in told}


def test_last_byte_is_always_told(reporter, told, clock):
    """A display ends at 100 %, whenever that comes."""
    reporter.advance(Stage.DOWNLOAD, 0, 100)
    clock.now += 0.01
    reporter.advance(Stage.DOWNLOAD, 100, 100)

    assert [0, 100] == [event.bytes_done for event in told]


def test_rate_is_smoothed_and_gives_the_time_left(reporter, told, clock):
    """The first measurement counts in full, later ones pull it along."""
    reporter.advance(Stage.DOWNLOAD, 0, 10_000)
    assert (0.0, None) == (told[-1].rate, told[-1].eta)
    for done in (1000, 2000, 5000):
        clock.now += 1
        reporter.advance(Stage.DOWNLOAD, done, 10_000)

    assert [0, 1000, 1000, 1600] == [round(event.rate) for event in told]
    assert pytest.approx(5000 / 1600) == told[-1].eta


def test_unknown_total_has_no_time_left(reporter, told, clock):
    """Nothing is made up when the device does not say."""
    for each in range(3):
        clock.now += 1
        reporter.advance(Stage.DOWNLOAD, each * 1000, None)

    assert {None} == {event.eta for event in told}
    assert told[-1].rate > 0


def test_more_than_announced_leaves_no_negative_time(reporter, told, clock):
    """A wrong total must not make the time left run backwards."""
    reporter.advance(Stage.DOWNLOAD, 0, 100)
    clock.now += 1
    reporter.advance(Stage.DOWNLOAD, 500, 100)

    assert 0.0 == told[-1].eta


def test_start_over_is_told_at_once(reporter, told, clock):
    """After a retry the bytes fall back, and the old rate means nothing."""
    for done in (0, 900):
        clock.now += 1
        reporter.advance(Stage.DOWNLOAD, done, 1000)
    reporter.advance(Stage.DOWNLOAD, 0, 1000)

    assert (0, 0.0) == (told[-1].bytes_done, told[-1].rate)


def test_clock_that_stands_still_gives_no_rate(reporter, told):
    """No division by zero on a machine that is faster than its clock."""
    reporter.advance(Stage.DOWNLOAD, 0, 100)
    reporter.advance(Stage.DOWNLOAD, 100, 100)

    assert 0.0 == told[-1].rate


def test_things_that_happen_are_told_at_once(reporter, told):
    """Stages and remarks are never throttled, and say how far the bytes were."""
    reporter.advance(Stage.DOWNLOAD, 40, 100)
    reporter.tell(Stage.RETRY, "the connection broke")
    reporter.tell(Stage.FAILED)

    assert [Stage.DOWNLOAD, Stage.RETRY, Stage.FAILED] == [event.stage for event in told]
    assert (40, 100, "the connection broke") == (
        told[1].bytes_done,
        told[1].bytes_total,
        told[1].message,
    )


def test_failure_holds_no_bytes(reporter, told, clock):
    """A display must not count what has come and was thrown away."""
    reporter.advance(Stage.DOWNLOAD, 0, 100)
    clock.now += 1
    reporter.advance(Stage.DOWNLOAD, 100, 100)
    reporter.fail("too short")

    event = told[-1]
    assert (Stage.FAILED, 0, 100, "too short") == (
        event.stage,
        event.bytes_done,
        event.bytes_total,
        event.message,
    )
    assert (0.0, None) == (event.rate, event.eta)


def test_nobody_listens():
    """Without a callback nothing happens."""
    reporter = Reporter(RECORDING, None)

    assert None is reporter.tell(Stage.DONE)
