"""Whole runs against recorders whose clock is wrong, and against another recorder than before."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync import (
    AuthenticationError,
    Catalogue,
    DeviceClockError,
    DeviceReplacedError,
    HikvisionISAPI,
    RetryPolicy,
    TimeSpan,
    UnreachableError,
    sync,
)
from camsync.sync import _checks
from camsync.testing import MemoryProvider, RecorderSimulator


HOUR = dt.timedelta(hours=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)


def _client(sim):
    return HikvisionISAPI("127.0.0.1", "admin", sim.password, port=sim.port, retry=QUICK)


@pytest.fixture
def run(tmp_path):
    """Run a sync of originals."""
    with Catalogue(tmp_path / "catalogue.sqlite3") as catalogue:

        def run(provider, **options):
            given = {"catalogue": catalogue, "retry": QUICK, "min_free": 0, **options}
            return sync(provider, tmp_path / "footage", container="original", **given)

        yield run


@pytest.mark.parametrize(
    "wrong",
    [dt.timedelta(days=3, minutes=11), -dt.timedelta(days=3, minutes=11)],
    ids=["ahead", "behind"],
)
def test_a_recorder_with_a_wrong_clock_gives_its_footage_and_is_told_of(run, wrong):
    """What it has recorded in the last hour is fetched, whenever it believes that this was."""
    with (
        RecorderSimulator(
            channels=1, hours=0.2, clock=lambda: dt.datetime.now(dt.timezone.utc) + wrong
        ) as sim,
        _client(sim) as client,
    ):
        report = run(client, since=HOUR)

    assert report.downloaded
    assert [DeviceClockError] == [type(problem.error) for problem in report.problems]
    assert "the device's clock says" in report.problems[0].error.message
    assert not report.complete


def test_a_clock_that_is_a_little_off_is_no_problem(run, caplog):
    """The log says it; the run is complete."""
    off = dt.timedelta(minutes=11)
    with (
        RecorderSimulator(
            channels=1, hours=0.2, clock=lambda: dt.datetime.now(dt.timezone.utc) + off
        ) as sim,
        _client(sim) as client,
    ):
        report = run(client, since=HOUR)

    assert report.downloaded
    assert () == report.problems
    assert "the device's clock says" in caplog.text


def test_a_span_is_searched_as_it_was_given(run):
    """Whoever names a span means what the recorder says about it."""
    with (
        RecorderSimulator(
            channels=1, hours=0.2, clock=lambda: dt.datetime.now(dt.timezone.utc) + 50 * HOUR
        ) as sim,
        _client(sim) as client,
    ):
        assert () == run(client, span=TimeSpan.last(hours=1)).downloaded


def test_a_clock_that_cannot_be_read_is_left_to_the_search(run, monkeypatch):
    """It says what is wrong, channel by channel; only a refused login ends the searches at once."""
    provider = MemoryProvider("M1")
    now = dt.datetime.now(dt.timezone.utc)
    provider.record("1", now - HOUR)

    def clock(*, fresh):
        assert not fresh
        raise provider.trouble["clock"]

    monkeypatch.setattr(MemoryProvider, "clock", staticmethod(clock), raising=False)
    provider.trouble["clock"] = UnreachableError("reset")
    assert 1 == len(run(provider).downloaded)
    provider.trouble["clock"] = AuthenticationError("no")
    assert ["no"] == [problem.error.message for problem in run(provider).problems]


def test_another_recorder_at_the_same_address_is_told_of_once(run):
    """By the first run that meets it; its footage is its own."""
    with RecorderSimulator(model="DS-7616NI-K2", channels=1, hours=0.2, seed=1) as old:
        client, port = _client(old), old.port
        first = run(client, since=HOUR)
    with (
        client,
        RecorderSimulator(model="DS-7616NI-E2", port=port, channels=1, hours=0.2, seed=7),
    ):
        second, third = run(client, since=HOUR), run(client, since=HOUR)

    assert first.complete
    assert [DeviceReplacedError] == [type(problem.error) for problem in second.problems]
    assert second.downloaded
    assert () == third.problems
    devices = {file.recording.key.device for file in (*first.downloaded, *second.downloaded)}
    assert 2 == len(devices)


def test_a_clock_that_is_years_off_is_not_searched_after():
    """That would be a request for every day."""
    span = TimeSpan.last(hours=1)
    for years in (-5, 5):
        wide = _checks.Skew(years * 365 * 24 * HOUR).widened(span)
        assert wide.duration == span.duration + 31 * 24 * HOUR
