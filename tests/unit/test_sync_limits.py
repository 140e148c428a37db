"""`sync` with limits and executors: what may still be fetched, and who fetches it."""

from __future__ import annotations

import datetime as dt
import threading

from concurrent.futures import Future, ThreadPoolExecutor

import attrs
import pytest

from camsync import ConfigurationError, CorruptMediaError, RetryPolicy
from camsync.catalogue import Catalogue
from camsync.sync import EventKind, sync
from camsync.testing.memory import MemoryProvider, content


MINUTE = dt.timedelta(minutes=1)
SIZE = len(content())
QUICK = RetryPolicy(attempts=1, initial=0.0)


@pytest.fixture
def recorder():
    """A recorder with five recordings of the last hour, the oldest first."""
    recorder = MemoryProvider("DS1", 1)
    now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    for number in range(5):
        recorder.record("1", now - (60 - number) * MINUTE)
    return recorder


@pytest.fixture
def run(tmp_path, recorder):
    """Run a sync of originals."""
    with Catalogue(":memory:") as catalogue:

        def run(**options):
            given = {"catalogue": catalogue, "container": "original", "retry": QUICK, **options}
            return sync(recorder, tmp_path / "footage", **given)

        yield run


def test_what_fails_does_not_use_up_the_files(run, recorder):
    """With room for one, the one that can be fetched is, although another one was begun first."""
    slow = threading.Event()
    recorder.trouble[recorder.listed["1"][0].key] = CorruptMediaError("garbage")
    recorder.on_open = lambda _: slow.wait(0.2)

    report = run(max_files=1)

    assert (len(report.downloaded), len(report.failed), report.left) == (1, 1, 3)
    assert "max_files" in report.stopped


def test_what_is_on_disk_already_does_not_use_up_the_files(run, recorder, tmp_path):
    """A lost catalogue, and a limit: what is found costs nothing."""
    with Catalogue(":memory:") as other:
        first = run(catalogue=other, max_files=3, concurrency=1)

    report = run(max_files=2)

    assert (len(first.downloaded), len(report.found), len(report.downloaded)) == (3, 3, 2)
    assert report.complete


def test_a_recording_that_alone_is_too_large_is_named(run):
    """Otherwise each run would say that as much was fetched as is allowed, and fetch nothing."""
    report = run(max_bytes=SIZE - 1)

    assert (report.downloaded, report.left) == ((), 5)
    assert "a recording alone is larger than max_bytes" in report.stopped


def test_recordings_of_unknown_size_keep_to_the_limit(run, recorder):
    """Of those nobody knows the size of, one at a time is begun."""
    recorder.listed["1"] = [attrs.evolve(each, size=None) for each in recorder.listed["1"]]

    report = run(max_bytes=SIZE + 1, concurrency=4)

    assert (len(report.downloaded), report.left) == (2, 3)
    assert "max_bytes" in report.stopped


def test_after_a_cancel_no_progress_is_shown_any_more(run):
    """A slow display does not hold up the end."""
    cancel, kinds = threading.Event(), []

    def show(event):
        kinds.append((event.kind, cancel.is_set()))
        if event.kind is EventKind.PROGRESS:
            cancel.set()

    report = run(on_event=show, cancel=cancel)

    assert report.cancelled
    assert kinds.count((EventKind.PROGRESS, False)) == 1
    assert (EventKind.PROGRESS, True) not in kinds
    assert (EventKind.FINISHED, True) in kinds


def test_an_executor_that_drops_its_work_ends_the_run(run, recorder):
    """Its futures never report; nobody waits for them for ever."""
    with ThreadPoolExecutor(1) as pool:
        recorder.on_open = lambda _: pool.shutdown(wait=False, cancel_futures=True)

        report = run(executor=pool, concurrency=4)

    assert isinstance(report.stopped_by, ConfigurationError)
    assert "executor" in report.stopped
    assert len(report.downloaded) + report.left == 5


@pytest.mark.parametrize("finished", [True, False])
def test_what_another_worker_has_is_named_unless_it_is_done(tmp_path, recorder, finished):
    """Whoever reads that a run is complete shall find everything on disk."""
    dest = tmp_path / "footage"
    with Catalogue(":memory:") as catalogue:
        holdings = catalogue.at(dest)
        last = recorder.listed["1"][-1].key
        leased = []

        def other_worker(_):
            if not leased:
                leased.append(holdings.lease(last, owner="other", seconds=600))
            elif finished:
                holdings.elsewhere([last])

        recorder.on_open = other_worker
        report = sync(
            recorder,
            dest,
            catalogue=catalogue,
            container="original",
            retry=QUICK,
            concurrency=1,
            max_bytes=100 * SIZE,
        )

    assert [True] == leased
    assert 4 == len(report.downloaded)
    assert report.elsewhere == (() if finished else (last,))
    assert report.complete is finished
    assert ("with another worker" in str(report)) is not finished


def test_work_that_is_dropped_at_once_ends_the_run(run):
    """An executor that takes a download and cancels it is none that brings it."""

    class Dropping(ThreadPoolExecutor):
        def submit(self, *_, **__):
            future = Future()
            future.cancel()
            return future

    with Dropping(1) as pool:
        report = run(executor=pool)

    assert "dropped what it was given" in report.stopped
