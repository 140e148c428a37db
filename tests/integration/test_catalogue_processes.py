"""The catalogue when processes race, fork and are killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time

from pathlib import Path

import pytest

import camsync

from camsync import Recording, RecordingKey
from camsync.catalogue import Catalogue, State
from camsync.errors import DestinationBusyError


pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL and fork")

START = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
HEAD = """
import datetime as dt, sys, time
from camsync import Recording, RecordingKey
from camsync.catalogue import Catalogue

def recording(index):
    start = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(hours=index)
    key = RecordingKey(provider="p", device="D", channel="1", start=start, item=str(index))
    return Recording(key=key, channel_name="", start=start, end=start + dt.timedelta(hours=1))

path, dest, owner = sys.argv[1:]
"""
LEASING = """
holdings = Catalogue(path).at(dest)
sys.stdin.readline()
for index in range(40):
    if holdings.lease(recording(index).key, owner=owner, seconds=60):
        print(index, flush=True)
"""
WRITING = """
holdings = Catalogue(path).at(dest)
index = int(owner)
while True:
    holdings.observe([recording(index), recording(index + 1)], batch="x")
    print(index, flush=True)
    index += 2
"""
LOCKING = """
with Catalogue(path).at(dest).lock():
    print("locked", flush=True)
    time.sleep(60)
"""


def _recording(index):
    start = START + dt.timedelta(hours=index)
    key = RecordingKey(provider="p", device="D", channel="1", start=start, item=str(index))
    return Recording(key=key, channel_name="", start=start, end=start + dt.timedelta(hours=1))


def _start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(camsync.__file__).parents[1])},
    )


def test_no_recording_is_leased_twice(tmp_path):
    """Of two processes that want the same recordings, each gets some others."""
    path = tmp_path / "c.sqlite3"
    with Catalogue(path) as catalogue:
        catalogue.at(tmp_path).observe(map(_recording, range(40)), batch="")
    workers = [_start(LEASING, path, tmp_path, owner) for owner in "ab"]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    taken = [worker.communicate(timeout=50)[0].split() for worker in workers]

    assert sorted(map(str, range(40))) == sorted(taken[0] + taken[1])


def test_killed_writers_leave_whole_transactions(tmp_path):
    """What was reported is there, nothing is there by half, and the next one goes on at once."""
    path = tmp_path / "c.sqlite3"
    told = set()
    for attempt in range(3):
        worker = _start(WRITING, path, tmp_path, 1000 * attempt)
        told.add(int(worker.stdout.readline()))
        time.sleep(0.05)
        worker.send_signal(signal.SIGKILL)
        told |= {int(line) for line in worker.communicate(timeout=30)[0].split()}

    with Catalogue(path) as catalogue:
        found = {int(entry.key.item) for entry in catalogue.at(tmp_path).entries()}
        with catalogue.reading() as connection:
            assert "ok" == connection.exec_driver_sql("PRAGMA integrity_check").scalar()
    assert told <= found
    assert found == found | {index ^ 1 for index in found}


def test_the_lock_of_another_process(tmp_path):
    """It is told who has it; a dead process holds nothing, and what it had leased is free."""
    path = tmp_path / "c.sqlite3"
    with Catalogue(path) as catalogue:
        holdings = catalogue.at(tmp_path)
        holdings.observe([_recording(0)], batch="")
        holdings.lease(_recording(0).key, owner="dead", seconds=9999)
        with _start(LOCKING, path, tmp_path, "x") as other:
            assert "locked\n" == other.stdout.readline()
            with pytest.raises(DestinationBusyError) as caught, holdings.lock():
                pass
            other.kill()
        assert other.pid == caught.value.pid
        with holdings.lock():
            assert State.SEEN is next(holdings.entries()).state


@pytest.mark.filterwarnings("ignore:This process")  # of Python 3.12, for forks beside threads
def test_a_forked_child_has_its_own_connections(tmp_path):
    """Parent and child go on with one catalogue, and neither disturbs the other."""
    with Catalogue(tmp_path / "c.sqlite3") as catalogue:
        holdings = catalogue.at(tmp_path)
        holdings.observe([_recording(0)], batch="")
        child = os.fork()
        if child == 0:  # pragma: no cover - what a child does is not measured
            status = 1
            try:
                holdings.observe([_recording(1)], batch="")
                status = 0
            finally:
                os._exit(status)
        holdings.observe([_recording(2)], batch="")
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ["0", "1", "2"] == [entry.key.item for entry in holdings.entries()]
