"""A sync that is killed at any instant, again and again, and then finished: nothing is lost.

Here it is killed a few times; the nox session ``crash`` does it 200 times.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random
import subprocess
import sys
import time

import pytest

from camsync.catalogue import Catalogue, State
from camsync.testing import RecorderSimulator


FEW = 4
KILLS = int(os.environ.get("CAMSYNC_KILLS", FEW))
SECONDS = 0.6
"""The longest that a run lives after it has begun."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")

CHILD = """
import datetime as dt, sys

import camsync

port, password, dest, catalogue = sys.argv[1:]
begun = []


def tell(event):
    if not begun:
        begun.append(print("begun", flush=True))


with camsync.HikvisionISAPI("127.0.0.1", "admin", password, port=int(port)) as recorder:
    report = camsync.sync(
        recorder,
        dest,
        since=dt.timedelta(days=2),
        catalogue=catalogue,
        container="original",
        min_free=0,
        on_event=tell,
    )
print(report, flush=True)
sys.exit(0 if report.complete else 1)
"""


def _start(sim, dest, catalogue):
    command = [sys.executable, "-c", CHILD, str(sim.port), sim.password, str(dest), str(catalogue)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _kill(child, seconds):
    """Kill a run so many seconds after it has begun; say whether it was still at work."""
    child.stdout.readline()
    time.sleep(seconds)
    at_work = child.poll() is None
    child.kill()
    child.communicate()
    return at_work


def _digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.timeout(60 + 4 * KILLS)
def test_a_sync_that_is_killed_again_and_again_loses_nothing(tmp_path):
    """Every recording is there exactly once, byte for byte, and nothing else is in the tree."""
    dest, place = tmp_path / "footage", tmp_path / "state" / "catalogue.sqlite3"
    place.parent.mkdir()
    chance = random.Random(KILLS)
    frozen = dt.datetime.now(dt.timezone.utc)
    sim = RecorderSimulator(
        channels=2,
        hours=0.1 + 0.02 * KILLS,
        segment_seconds=20,
        clock=lambda: frozen,
        total_bandwidth=1_500_000 if KILLS > FEW else 5_000_000,
        seed=KILLS,
    )
    with sim:
        at_work = sum(
            _kill(_start(sim, dest, place), chance.uniform(0, SECONDS)) for _ in range(KILLS)
        )
        last = _start(sim, dest, place)
        out, err = last.communicate()
        truth = {
            (str(item.channel), item.start): _digest(b"".join(sim.content(item)))
            for item in sim.recordings()
            if item.end <= frozen - dt.timedelta(minutes=2) and str(item.track).endswith("01")
        }

    assert 0 == last.returncode, out + err
    assert len(truth) == len(set(truth.values())), "the oracle tells all recordings apart"
    assert at_work >= KILLS * 0.7
    files = [path for path in dest.rglob("*") if path.is_file()]
    assert sorted(truth.values()) == sorted(_digest(path.read_bytes()) for path in files)
    with Catalogue(place) as catalogue:
        rows = list(catalogue.at(dest).entries())
    done = [row for row in rows if row.state is State.VERIFIED]
    assert {dest / row.path for row in done} == set(files)
    held = {(row.key.channel, row.start): dest / row.path for row in done}
    assert truth == {which: _digest(path.read_bytes()) for which, path in held.items()}
    hashed = [row for row in done if row.sha256]
    assert hashed
    assert all(_digest((dest / row.path).read_bytes()) == row.sha256 for row in hashed)
