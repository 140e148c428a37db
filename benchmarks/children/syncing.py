"""Whole runs of a sync, and the recorder that they are made with."""

from __future__ import annotations

import json
import sys

from pathlib import Path
from typing import Any

from .common import Arguments, provider


_SEGMENT = 60


def serve_footage(a: Arguments) -> None:
    """Play a recorder until the input ends; each line of it asks for the counters.

    Its clock stands still, so that nothing new is recorded while runs are compared.
    """
    import datetime as dt
    import threading

    from camsync.testing import RecorderSimulator

    now = dt.datetime.now(dt.timezone.utc)
    simulator = RecorderSimulator(
        model="DS-7616NI-E2",
        channels=a["channels"],
        hours=(-(-a["files"] // a["channels"]) + 4) * _SEGMENT / 3600,
        segment_seconds=_SEGMENT,
        bitrate=a["size"] * 8 // _SEGMENT,
        bandwidth=a["each"],
        total_bandwidth=a["total"],
        max_downloads=a["sessions"],
        timezone="CST-0:00:00",
        clock=lambda: now,
    )
    over = threading.Event()
    with simulator:
        if a["drops"]:
            threading.Thread(target=_drop, args=(simulator, a["drops"], over), daemon=True).start()
        login = {"user": simulator.username, "password": simulator.password}
        told = {"port": simulator.port, "https": False, "channels": a["channels"]}
        print(json.dumps({**login, **told}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(_counters(simulator)), flush=True)
            simulator.reset_counters()
        over.set()


def _downloads(simulator: Any) -> list[int]:
    return [one.status for one in simulator.requests_log if one.path.endswith("/download")]


def _counters(simulator: Any) -> dict[str, int]:
    statuses = _downloads(simulator)
    refused = sum(status in {403, 503} for status in statuses)
    return {"requests": simulator.requests, "downloads": len(statuses), "refused": refused}


def _drop(simulator: Any, share: float, over: Any) -> None:
    """Break off that share of the downloads."""
    name = "drop-in-middle"
    while not over.wait(0.05):
        due = len(_downloads(simulator)) * share
        if name not in simulator.faults and simulator.fault_hits.get(name, 0) < due:
            simulator.enable(name, 1)


def sync(a: Arguments) -> None:
    """One run of `camsync.sync`, all of it."""
    import datetime as dt

    import camsync

    folder = Path(a["dest"])
    with provider(a) as link:
        report = camsync.sync(
            camsync.Source(provider=link, label="recorder"),
            folder / "footage",
            since=dt.timedelta(days=2),
            catalogue=folder / "catalogue.sqlite3",
            container="original",
            concurrency=16,
            min_free=0,
        )
    failed = len(report.failed)
    print(json.dumps({"files": len(report.downloaded), "failed": failed}))


def fetch_fixed(a: Arguments) -> None:
    """`camsync.download` in so many threads, without a catalogue."""
    from concurrent.futures import ThreadPoolExecutor

    import camsync

    def fetch(one: Any) -> int:
        try:
            camsync.download(link, one, a["dest"], container="original", min_free=0)
        except camsync.CamsyncError:
            return 0
        return 1

    with provider(a) as link:
        span = camsync.TimeSpan.last(hours=48)
        wanted = [
            one
            for channel in link.channels()
            for one in link.search(channel, span)
            if not one.in_progress
        ]
        with ThreadPoolExecutor(a["streams"]) as pool:
            print(json.dumps({"files": sum(pool.map(fetch, wanted))}))


def hikload(a: Arguments) -> None:
    """What HikLoad's own loop does, with its own client (runs in its environment)."""
    import datetime as dt

    from hikload.hikvisionapi import HikvisionServer

    server = HikvisionServer(f"127.0.0.1:{a['port']}", a["user"], a["password"])
    search = server.ContentMgmt.search
    now = dt.datetime.now(dt.timezone.utc)
    begin, end = (f"{now + dt.timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-48, 1))
    files = 0
    for channel in range(1, a["channels"] + 1):
        found = search.getPastRecordingsForID(f"{channel}01", begin, end)["CMSearchResult"]
        items = found["matchList"]["searchMatchItem"]
        for number, item in enumerate(items if isinstance(items, list) else [items]):
            try:
                reply = search.downloadURI(item["mediaSegmentDescriptor"]["playbackURI"])
            except Exception:  # noqa: BLE001 - whatever it raises, its loop goes on, too
                continue
            Path(a["dest"], f"{channel}-{number}.mp4").write_bytes(reply.content)
            files += 1
    print(json.dumps({"files": files}))
