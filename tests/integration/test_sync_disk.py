"""Whole runs on disks that are full, read-only, or not there any more."""

from __future__ import annotations

import collections
import datetime as dt
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading

from pathlib import Path

import pytest
import sqlalchemy as sa

import camsync

from camsync import RetryPolicy
from camsync.catalogue import Catalogue, State
from camsync.errors import DestinationBusyError, DestinationError, DiskFullError
from camsync.sync import sync
from camsync.testing import MemoryProvider, RecorderSimulator
from camsync.testing.memory import content


pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults are those of POSIX systems")

NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
MINUTE = dt.timedelta(minutes=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)
SIZE = len(content())
MANY = 12


class Disk:
    """What the system says about everything below a folder: room, and whether it may be written.

    Attributes:
        room: Bytes that may still be written, or None.
        honest: Whether the system says how much room there is; a quota is not seen before it is hit.
        refusal: What every change of a name fails with, or None.
    """

    def __init__(self, root):
        self.root = root
        self.room = None
        self.honest = True
        self.refusal = None
        self._mine = set()
        self._lock = threading.Lock()

    def attach(self, monkeypatch):
        """Stand between this process and the disk until the test ends."""
        inner = os.open, os.write, os.close, Path.mkdir, shutil.disk_usage

        def opened(path, flags, *args, **options):
            below = isinstance(path, (str, os.PathLike)) and self._is_below(path)
            if below and flags & os.O_CREAT:
                self._check()
            descriptor = inner[0](path, flags, *args, **options)
            with self._lock:
                (self._mine.add if below else self._mine.discard)(descriptor)
            return descriptor

        def written(descriptor, data):
            with self._lock:
                if self.room is not None and descriptor in self._mine:
                    data = data[: self.room]
                    if not data:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    self.room -= len(data)
            return inner[1](descriptor, data)

        def made(path, *args, **options):
            if self._is_below(path) and not path.exists():
                self._check()
            return inner[3](path, *args, **options)

        def usage(path):
            found = inner[4](path)
            return found if self.room is None or not self.honest else found._replace(free=self.room)

        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(os, "write", written)
        monkeypatch.setattr(Path, "mkdir", made)
        monkeypatch.setattr(shutil, "disk_usage", usage)

    def _is_below(self, path):
        return self.root == Path(path) or self.root in Path(path).parents

    def _check(self):
        if self.refusal is not None:
            raise OSError(self.refusal, os.strerror(self.refusal))


@pytest.fixture
def dest(tmp_path):
    """Where the files go; it does not exist yet."""
    return tmp_path / "mount" / "footage"


@pytest.fixture
def disk(dest, monkeypatch):
    """The disk of the destination."""
    disk = Disk(dest.parent)
    disk.attach(monkeypatch)
    return disk


@pytest.fixture
def catalogue():
    """A catalogue in memory."""
    with Catalogue(":memory:") as catalogue:
        yield catalogue


@pytest.fixture
def recorder():
    """A recorder with some recordings."""
    recorder = MemoryProvider()
    for number in range(MANY):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    return recorder


@pytest.fixture
def run(catalogue, dest):
    """Run a sync of originals."""

    def run(recorder, **options):
        usual = {"catalogue": catalogue, "container": "original", "retry": QUICK, "min_free": 0}
        return sync(recorder, dest, **{**usual, **options})

    return run


def _files(dest):
    return [path for path in dest.rglob("*") if path.is_file()]


def _once(catalogue, dest):
    """Check that every recording is here once, byte for byte, and nothing else is."""
    rows = list(catalogue.at(dest).entries())
    assert [State.VERIFIED] * MANY == [row.state for row in rows]
    assert sorted(dest / row.path for row in rows) == sorted(_files(dest))
    assert {content(): MANY} == collections.Counter(path.read_bytes() for path in _files(dest))


@pytest.mark.parametrize("container", ["original", "mp4"])
def test_a_disk_that_gets_full_while_it_is_written(run, recorder, catalogue, dest, disk, container):
    """The run ends and says why; nothing half done stays; with room again, the next completes."""
    disk.room, disk.honest = 5 * SIZE // 2, False
    options = {"container": container, "concurrency": 1}
    first = run(recorder, **options)
    states = {row.state for row in catalogue.at(dest).entries()}
    files = len(_files(dest))
    disk.room = None
    second = run(recorder, **options)

    assert "no room left" in first.stopped
    assert not first.complete
    assert any(isinstance(error, DiskFullError) for error in first.errors)
    assert files == len(first.downloaded) < MANY
    assert MANY == len(first.downloaded) + len(first.failed) + first.left
    assert states <= {State.VERIFIED, State.SEEN, State.PLANNED, State.FAILED}
    assert second.complete
    assert MANY == len(first.downloaded) + len(second.downloaded) == len(_files(dest))


@pytest.mark.parametrize("free", [0, 3 * SIZE, 10**9])
def test_a_disk_of_which_some_must_stay_free(run, recorder, catalogue, dest, disk, free):
    """The run ends before that is touched, and says so."""
    disk.room = free + 3 * SIZE + SIZE // 2
    first = run(recorder, min_free=free, concurrency=1)
    left = disk.room
    disk.room = None
    second = run(recorder, min_free=0)

    assert left >= free - 2 * SIZE  # what was on its way in other threads
    assert 1 <= len(first.downloaded) <= 5
    assert first.stopped
    assert isinstance(first.errors[0], DiskFullError)
    assert second.complete
    _once(catalogue, dest)


def test_a_full_disk_under_the_catalogue(recorder, dest, tmp_path):
    """The run ends with a typed error; what is on the disk already is not fetched again."""
    full = []

    def refuse(*_):
        if full:
            msg = "database or disk is full"
            raise sqlite3.OperationalError(msg)

    usual = {"container": "original", "retry": QUICK, "min_free": 0, "concurrency": 1}
    with Catalogue(tmp_path / "c.sqlite3") as catalogue:
        sa.event.listen(catalogue.engine, "before_cursor_execute", refuse)
        recorder.on_open = lambda _: full.extend(dest.rglob("Cam01_*.mpg"))
        with pytest.raises(DiskFullError, match="catalogue"):
            sync(recorder, dest, catalogue=catalogue, **usual)
        there = len(_files(dest))
        full.clear()
        recorder.on_open = str
        report = sync(recorder, dest, catalogue=catalogue, **usual)

        assert 1 <= there == report.held + len(report.found) == MANY - len(report.downloaded)
        _once(catalogue, dest)


@pytest.mark.parametrize("refusal", [errno.EROFS, errno.EACCES])
def test_a_destination_that_is_read_only(run, recorder, catalogue, dest, disk, refusal):
    """It is said before anything is fetched; in the middle of a run, it ends the run."""
    disk.refusal = refusal
    with pytest.raises(DestinationError):
        run(recorder)
    disk.refusal = None
    assert 0 == sum(recorder.opened.values())

    recorder.on_open = lambda _: setattr(disk, "refusal", refusal)
    middle = run(recorder, concurrency=1)
    assert middle.stopped
    assert MANY > len(middle.downloaded)
    assert any(isinstance(error, DestinationError) for error in middle.errors)
    assert () == middle.waiting == middle.quarantined

    recorder.on_open, disk.refusal = str, None
    assert run(recorder).complete
    _once(catalogue, dest)


@pytest.mark.parametrize("what", ["mount", "footage"])
@pytest.mark.parametrize("stays", [True, False], ids=["an empty folder stays", "nothing stays"])
def test_a_disk_that_is_unmounted_during_a_run(
    run, recorder, catalogue, dest, tmp_path, what, stays
):
    """Nothing is written beside the disk, which would fill another one; the run ends with that."""
    away, mount = tmp_path / "away", dest if what == "footage" else dest.parent
    opened = []

    def vanish(recording):
        opened.append(recording)
        if len(opened) == 6:
            mount.rename(away)
            if stays:
                # The thread that waits for the next turn may have made its folder at this instant.
                mount.mkdir(exist_ok=True)

    recorder.on_open = vanish
    report = run(recorder, concurrency=1)
    beside = _files(mount) if mount.exists() else []
    shutil.rmtree(mount, ignore_errors=True)
    away.rename(mount)
    recorder.on_open = str
    last = run(recorder)

    assert [] == beside
    assert report.stopped
    assert any(isinstance(error, DestinationError) for error in report.errors)
    assert last.complete
    _once(catalogue, dest)


@pytest.mark.parametrize("stays", [True, False], ids=["an empty folder stays", "nothing stays"])
def test_a_disk_that_is_not_mounted_when_a_run_begins(
    run, recorder, catalogue, dest, tmp_path, monkeypatch, stays
):
    """What was on a disk that is not there now is not written to: that would fill another one."""
    late, mounted = recorder.listed["1"].pop(), {os.path.realpath(dest)}
    real = os.path.ismount
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) in mounted or real(path))
    run(recorder)
    recorder.listed["1"].append(late)
    dest.rename(tmp_path / "away")
    mounted.clear()
    if stays:
        dest.mkdir()
    with pytest.raises(DestinationError, match="without the files") as caught:
        run(recorder)
    assert "mount the disk" in caught.value.next_step
    assert not dest.exists() or [] == list(dest.iterdir())
    shutil.rmtree(dest, ignore_errors=True)
    (tmp_path / "away").rename(dest)

    assert run(recorder).complete
    _once(catalogue, dest)


# -- Two processes --------------------------------------------------------------------------------

CHILD = """
import sys

import camsync

port, password, dest, catalogue = sys.argv[1:]


def tell(event):
    if event.kind.value == "fetched":
        print("begun", flush=True)


with camsync.HikvisionISAPI("127.0.0.1", "admin", password, port=int(port)) as recorder:
    report = camsync.sync(
        recorder, dest, catalogue=catalogue, container="original", min_free=0, on_event=tell
    )
sys.exit(0 if report.complete else 1)
"""


def test_two_processes_on_one_destination(tmp_path):
    """The second one is told who works there; when that is done, nothing is left to do."""
    dest, place = tmp_path / "footage", tmp_path / "c.sqlite3"
    with RecorderSimulator(
        channels=1, hours=0.5, segment_seconds=10, gap_seconds=110, total_bandwidth=1_000_000
    ) as sim:
        command = [sys.executable, "-c", CHILD, str(sim.port), sim.password, dest, place]
        environment = {**os.environ, "PYTHONPATH": str(Path(camsync.__file__).parents[1])}
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child,
            camsync.HikvisionISAPI(sim.host, sim.username, sim.password, port=sim.port) as client,
        ):
            child.stdout.readline()
            with pytest.raises(DestinationBusyError, match=f"process {child.pid} on") as caught:
                sync(client, dest, catalogue=place, container="original", min_free=0)
            child.communicate()
            report = sync(client, dest, catalogue=place, container="original", min_free=0)

    assert child.pid == caught.value.pid
    assert 0 == child.returncode
    assert () == report.downloaded
    assert report.held == len(_files(dest)) >= 10
