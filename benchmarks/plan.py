"""How long a run without news plans over a large catalogue, and in how much memory.

``python benchmarks/plan.py [ENTRIES]``: fills a catalogue in a temporary folder with so many held
recordings of 64 channels (1,000,000 by default), then plans in a process of its own, against 64
channels in memory that list the recordings of the last day. What is timed is the plan: reading the
marks, searching the look-back, comparing. Starting Python and importing are told apart.
"""

from __future__ import annotations

import datetime as dt
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time

from pathlib import Path

import camsync

from camsync.catalogue import Catalogue
from camsync.testing import MemoryProvider


CHANNELS = 64
LENGTH = dt.timedelta(minutes=10)
DEST = "/footage"

# One row of each channel is entered as a run does it; the others are its copies, further back.
COPIES = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
INSERT INTO camsync_recording (
    channel_id, track_id, key_start, item, start, "end", size, kind, state, first_seen, last_seen,
    path, file_size, sha256, done_at
)
SELECT channel_id, track_id, key_start - n * 600, item, start - n * 600, "end" - n * 600, size,
    kind, 'verified', first_seen, last_seen, 'Cam/' || channel_id || '-' || n || '.mp4', size,
    printf('%064d', n), last_seen
FROM camsync_recording, number
"""


def newest(now: dt.datetime) -> dt.datetime:
    """Return the start of the newest recording that is complete."""
    return now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0) - 2 * LENGTH


def recorder(now: dt.datetime, count: int) -> MemoryProvider:
    """Return a recorder that lists the last *count* recordings of each channel."""
    provider = MemoryProvider("DS-BENCH", CHANNELS)
    for channel in provider.cameras:
        for number in range(count):
            start = newest(now) - number * LENGTH
            provider.record(channel, start, end=start + LENGTH, size=500_000_000)
    return provider


def fill(path: Path, entries: int, now: dt.datetime) -> None:
    """Fill a catalogue with held recordings."""
    provider = recorder(now, 1)
    with Catalogue(path) as catalogue:
        holdings = catalogue.at(DEST)
        batch = holdings.begin_batch()
        for number, listed in provider.listed.items():
            holdings.observe(listed, batch=batch)
            span = camsync.TimeSpan(now - dt.timedelta(days=90), now)
            holdings.searched(
                provider.serial, number, span, oldest=None, deep=True, since_batch=batch
            )
    with sqlite3.connect(path) as database:
        database.execute(COPIES, (entries // CHANNELS - 1,))
        database.execute("UPDATE camsync_recording SET state = 'verified', done_at = last_seen")
        database.execute("ANALYZE")
    database.close()


def plan(path: Path) -> None:
    """Plan once, and print what it took."""
    now = dt.datetime.now(dt.timezone.utc)
    provider = recorder(now, 144)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    with Catalogue(path) as catalogue:
        found = camsync.make_plan(provider, DEST, catalogue=catalogue)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{found}: {seconds:.2f} s, peak {peak:.0f} MiB ({before:.0f} before)")


def main() -> None:
    """Fill, and plan three times."""
    if sys.argv[1:2] == ["--plan"]:
        plan(Path(sys.argv[2]))
        return
    entries = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue.sqlite3"
        begun = time.perf_counter()
        fill(path, entries, dt.datetime.now(dt.timezone.utc))
        size = path.stat().st_size >> 20
        print(f"{entries:,} entries, {size} MiB, filled in {time.perf_counter() - begun:.0f} s")
        for _ in range(3):
            subprocess.run([sys.executable, __file__, "--plan", str(path)], check=True)


if __name__ == "__main__":
    main()
