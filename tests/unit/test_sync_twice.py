"""One device, given twice: what one way to it cannot fetch, the other one does."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from camsync import (
    AuthenticationError,
    CorruptMediaError,
    QuotaError,
    RetryPolicy,
    UnreachableError,
    sync,
)
from camsync.catalogue import Catalogue
from camsync.sync import Source, _context, _device
from camsync.testing import MemoryProvider


NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)
MANY = 12


class Way(MemoryProvider):
    """One of several ways to the same recorder: by an address, an account, a gateway.

    Attributes:
        after: The way whose search must have come to its end before this one's begins, or None.
        searching_over: Set when a search has come to its end.
    """

    def __init__(self, listed=None, after=None):
        super().__init__("DS1")
        self.listed = self.listed if listed is None else listed
        self.after = after
        self.searching_over = threading.Event()

    def search(self, channel, span, *, kinds=None):
        if self.after is not None:
            assert self.after.searching_over.wait(30)
        yield from super().search(channel, span, kinds=kinds)
        self.searching_over.set()


@pytest.fixture
def ways():
    """Two ways to one recorder; the first one always finds everything first."""
    first = Way()
    for number in range(MANY):
        first.record("1", NOW - (60 - number) * MINUTE)
    return first, Way(first.listed, after=first)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a sync of originals; the sources are called A, B, C."""
    monkeypatch.setattr(_context, "utcnow", lambda: NOW)
    monkeypatch.setattr(_device, "_POLL", 0.001)
    with Catalogue(":memory:", clock=lambda: NOW) as catalogue:

        def run(*ways, **options):
            sources = [
                Source(provider=way, label=label) for way, label in zip(ways, "ABC", strict=False)
            ]
            given = {"container": "original", "retry": QUICK, **options}
            return sync(sources, tmp_path / "footage", catalogue=catalogue, **given)

        yield run


def _fails(way, error):
    way.trouble = dict.fromkeys((each.key for each in way.listed["1"]), error)


def _told(report):
    return sorted(str(problem) for problem in report.problems)


@pytest.mark.parametrize(
    "error", [AuthenticationError("refused"), QuotaError("used up"), UnreachableError("reset")]
)
def test_the_second_takes_over_from_the_first(run, ways, error):
    """It has another account, or another line: all is fetched, and the trouble is told."""
    first, second = ways
    _fails(first, error)

    report = run(*ways, concurrency=1)

    assert [f"A: {error.message}"] == _told(report)
    assert MANY == len(report.downloaded) + len(report.failed)
    assert report.downloaded
    assert isinstance(error, UnreachableError) == bool(report.failed)
    assert 0 == report.left
    assert set(second.opened.values()) == {1}
    assert not report.complete
    assert run(*ways).complete == (not report.failed)


def test_nothing_is_taken_over_from_one_that_can(run, ways):
    """And of nothing is more fetched than once."""
    report = run(*ways)

    assert report.complete
    assert MANY == len(report.downloaded) == sum(ways[0].opened.values())
    assert 0 == sum(ways[1].opened.values())


def test_what_failed_for_itself_is_not_taken_over(run, ways):
    """A damaged recording is damaged by whatever way."""
    first, second = ways
    first.trouble[first.listed["1"][0].key] = CorruptMediaError("garbage")

    report = run(*ways)

    assert (MANY - 1, 1) == (len(report.downloaded), len(report.failed))
    assert 0 == sum(second.opened.values())


def test_an_account_that_both_go_by_is_asked_once_more(run, ways):
    """Recorders lock accounts after a few refusals."""
    for way in ways:
        _fails(way, AuthenticationError("refused"))

    report = run(*ways, concurrency=8)

    assert ["A: refused", "B: refused"] == _told(report)
    assert 1 == sum(ways[1].opened.values())
    assert (MANY, ()) == (report.left, report.downloaded)


def test_the_third_takes_over_when_the_second_cannot(run, ways):
    """One after the other, and nothing twice."""
    first, second = ways
    third = Way(first.listed, after=second)
    for way in ways:
        _fails(way, AuthenticationError("refused"))

    report = run(*ways, third)

    assert "A: refused" in _told(report)
    assert MANY == len(report.downloaded) == sum(third.opened.values())
    assert sum(second.opened.values()) <= 1
    assert 0 == report.left


def test_one_that_is_refused_itself_takes_nothing_over(run, ways):
    """What only it has was refused: it is not asked for the other's as well."""
    first, _ = ways
    own = Way({"1": [*first.listed["1"]]}, after=first)
    mine = own.record("1", NOW - 5 * MINUTE)
    _fails(first, AuthenticationError("refused"))
    _fails(own, AuthenticationError("refused"))

    report = run(first, own)

    assert {mine.key} == set(own.opened)
    assert MANY + 1 == report.left


def test_a_search_that_is_refused_is_taken_over(run, ways):
    """What it has listed before is nobody else's to begin with."""
    first, second = ways
    first.blind["1"] = AuthenticationError("refused")
    second.after = None
    first.searching_over.set()

    report = run(*ways)

    assert ["A: refused"] == _told(report)
    assert MANY == len(report.downloaded)


def test_a_way_to_another_device_is_not_waited_for(run, ways):
    """What two recorders have does not concern each other."""
    first, second = ways
    other = MemoryProvider("DS2")
    slow = other.record("1", NOW - 60 * MINUTE)
    over = threading.Event()

    def hold(_):
        assert over.wait(30)

    other.on_open = hold
    _fails(first, AuthenticationError("refused"))
    second.on_open = lambda _: second.opened.total() == MANY and over.set()

    report = run(*ways, other)

    assert over.is_set()
    assert MANY + 1 == len(report.downloaded)
    assert slow.key in {file.recording.key for file in report.downloaded}


def test_the_others_are_waited_for_until_the_run_is_cancelled(run, ways):
    """The first is slow, and then somebody has enough."""
    first, second = ways
    cancel = threading.Event()
    first.on_open = lambda _: second.searching_over.wait(30) and cancel.set()

    report = run(*ways, cancel=cancel, concurrency=1)

    assert report.cancelled
    assert 0 == sum(second.opened.values())


def test_a_limit_counts_for_both(run, ways):
    """What max_files leaves is left by all."""
    report = run(*ways, max_files=3)

    assert (3, MANY - 3) == (len(report.downloaded), report.left)
    assert 0 == sum(ways[1].opened.values())
