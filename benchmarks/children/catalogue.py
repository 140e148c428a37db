"""A catalogue of a given size, and the operations of a sync on it."""

from __future__ import annotations

import json
import time

from pathlib import Path
from typing import Any

from .common import Arguments


_DEST = "/footage"
_CHANNELS = 64
_LENGTH = 600
_OBSERVED = 6_400
_COPIES = f"""
INSERT INTO camsync_recording (
    channel_id, track_id, key_start, item, start, "end", size, kind, state, first_seen, last_seen
)
WITH RECURSIVE number(n) AS (
    SELECT CAST(:first AS INTEGER) UNION ALL SELECT n + 1 FROM number WHERE n < :last
)
SELECT channel_id, track_id, key_start + n * {_LENGTH}, 'copy-' || n, start + n * {_LENGTH},
    "end" + n * {_LENGTH}, size, kind, state, first_seen, last_seen
FROM camsync_recording, number
WHERE start = (SELECT min(start) FROM camsync_recording)
"""
"""The first round of all channels again and again, later each time."""


def _listed(first: int, count: int) -> list[Any]:
    """Return recordings as searches list them: 64 channels, ten minutes each."""
    import datetime as dt

    import camsync

    begin = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
    found = []
    for number in range(first, first + count):
        start = begin + dt.timedelta(seconds=number // _CHANNELS * _LENGTH)
        channel = camsync.ChannelId(str(number % _CHANNELS + 1))
        key = camsync.RecordingKey(
            provider="hikvision",
            device=camsync.DeviceId("DS-BENCH"),
            channel=channel,
            start=start,
            item=f"{number:017d}",
        )
        end = start + dt.timedelta(seconds=_LENGTH)
        one = camsync.Recording(
            key=key, channel_name=f"Camera {channel}", start=start, end=end, size=1
        )
        found.append(one)
    return found


def fill(a: Arguments) -> None:
    """Enter so many recordings, and mark them as held; the last of them stay to be done."""
    import sqlalchemy as sa

    import camsync

    with camsync.Catalogue(a["place"]) as catalogue:
        holdings = catalogue.at(_DEST)
        batch = holdings.begin_batch()
        with catalogue.reading() as connection:
            held = connection.execute(sa.text("SELECT count(*) FROM camsync_recording")).scalar()
        if not held:
            holdings.observe(_listed(0, _OBSERVED), batch=batch)
            held = _OBSERVED
        rounds = {"first": held // _CHANNELS, "last": a["rows"] // _CHANNELS - 1}
        with catalogue.writing() as connection:
            connection.execute(sa.text(_COPIES), rounds)
        with catalogue.writing() as connection:
            connection.execute(
                sa.text(
                    "UPDATE camsync_recording SET state = 'verified', path = 'Cam/' || id || '.mp4',"
                    " file_size = 1, done_at = last_seen WHERE path IS NULL"
                )
            )
        with catalogue.engine.connect() as connection:
            connection.execute(sa.text("ANALYZE"))
            connection.commit()
            if catalogue.engine.dialect.name == "postgresql":
                query = sa.text("SELECT pg_total_relation_size('camsync_recording')")
                size = connection.execute(query).scalar()
            else:
                size = Path(a["place"]).stat().st_size
    print(json.dumps({"bytes": size}))


def use(a: Arguments) -> None:
    """Time what a sync does with a catalogue, each operation on its own."""
    import itertools

    import camsync

    times: dict[str, list[float]] = {}
    begun = time.perf_counter()
    with camsync.Catalogue(a["place"]) as catalogue:
        holdings = catalogue.at(_DEST)
        times["open"] = [time.perf_counter() - begun]
        batch = holdings.begin_batch()
        old = [one.key for one in _listed(0, _OBSERVED)]
        news = itertools.count(100_000_000 + time.time_ns() % 10**8, 100)
        span = camsync.TimeSpan(old[0].start, old[-1].start)

        def fetch_one() -> None:
            (one,) = _listed(next(news), 1)
            holdings.observe([one], batch=batch)
            assert holdings.lease(one.key, owner="me", seconds=60)
            holdings.begin(one.key, owner="me")
            path = Path(_DEST, "Cam", f"{one.key.item}.mp4")
            done = camsync.Downloaded(
                recording=one, path=path, size=1, container="mp4", start=one.start, end=one.end
            )
            holdings.verified(done, batch=batch)

        def plan() -> None:
            fresh = _listed(next(news), 100)
            holdings.observe(fresh, batch=batch)
            assert holdings.plan([one.key for one in fresh], batch=batch) == 100

        work = {
            "find": lambda: holdings.find([old[3_000]]),
            "find 100": lambda: holdings.find(old[2_000:2_100]),
            "observe 100": lambda: holdings.observe(_listed(next(news), 100), batch=batch),
            "plan 100": plan,
            "fetch one": fetch_one,
            "mark": lambda: holdings.mark_of("DS-BENCH", "7"),
            "coverage of a day": lambda: holdings.coverage("DS-BENCH", "7", span),
            "first 100 entries": lambda: list(holdings.entries(limit=100)),
        }
        for name, each in work.items():
            times[name] = []
            for _ in range(a["rounds"]):
                begun = time.perf_counter()
                each()
                times[name].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        assert sum(1 for _ in holdings.entries())
        times["all entries"] = [time.perf_counter() - begun]
    print(json.dumps(times))
