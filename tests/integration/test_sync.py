"""`sync` against simulated recorders and a simulated cloud: the whole way, over real sockets."""

from __future__ import annotations

import datetime as dt
import hashlib

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from camsync import HikvisionISAPI, ImouClient, RetryPolicy, TimeSpan
from camsync.catalogue import Catalogue
from camsync.providers.hikvision import _download
from camsync.sync import make_plan, sync
from camsync.testing import ImouSimulator, RecorderSimulator


HOURS = dt.timedelta(hours=12)
QUICK = RetryPolicy(attempts=3, initial=0.01)


def _client(sim, **options):
    return HikvisionISAPI(
        sim.host, sim.username, sim.password, port=sim.port, retry=QUICK, **options
    )


def _downloads(sim):
    return sum("download" in line.path.lower() for line in sim.requests_log)


def test_a_night_of_four_cameras(tmp_path):
    """Every recording is there once, as MP4 with the right time; a second run costs a handful."""
    with (
        RecorderSimulator(channels=4, hours=0.1, segment_seconds=60) as sim,
        _client(sim) as client,
        Catalogue(tmp_path / "c.sqlite3") as catalogue,
    ):
        first = sync(client, tmp_path / "out", since=HOURS, catalogue=catalogue)
        sim.reset_counters()
        second = sync(client, tmp_path / "out", since=HOURS, catalogue=catalogue)

        assert 0 == _downloads(sim)
        assert sim.requests <= 2 * 4 + 8

    assert () == first.failed == first.problems
    assert len(first.downloaded) == len(list((tmp_path / "out").rglob("*.mp4"))) >= 12
    for file in first.downloaded:
        assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256
        assert file.path.is_relative_to(tmp_path / "out")
    assert second.held >= len(first.downloaded)


def test_many_recorders_cost_two_requests_and_the_pages_of_each_channel(tmp_path):
    """500 recordings of 8 recorders: what is not a page or a download is next to nothing."""
    sims = [
        RecorderSimulator(channels=2, hours=0.6, segment_seconds=60, seed=seed, page_cap=10)
        for seed in range(8)
    ]
    with Catalogue(":memory:") as catalogue:
        for sim in sims:
            sim.start()
        try:
            clients = [_client(sim) for sim in sims]
            plan = make_plan(clients, tmp_path, since=HOURS, catalogue=catalogue)
            for client in clients:
                client.close()
        finally:
            for sim in sims:
                sim.stop()

    assert () == plan.problems
    assert len(plan.items) >= 500
    for sim in sims:
        paths = Counter(line.path.partition("?")[0] for line in sim.requests_log)
        pages = sum(count for path, count in paths.items() if path.endswith("search"))
        assert sim.requests - pages <= 2 * 2 + 12


def test_a_recorder_and_a_cloud_in_one_run(tmp_path):
    """Each to its own folders."""
    with (
        RecorderSimulator(channels=1, hours=0.1, segment_seconds=60) as recorder,
        ImouSimulator(devices=["camera"], hours=0.1, segment_seconds=60) as cloud,
        _client(recorder) as first,
        ImouClient(
            cloud.app_id, cloud.app_secret, base_url=cloud.base_url, timezone="+08:00", retry=QUICK
        ) as second,
        Catalogue(":memory:") as catalogue,
    ):
        report = sync([first, second], tmp_path, since=HOURS, catalogue=catalogue)

    assert () == report.failed == report.problems
    assert {"hikvision", "imou"} == {file.recording.key.provider for file in report.downloaded}
    assert len(report.downloaded) == len(list(tmp_path.rglob("*.mp4")))


def test_a_wrong_password_costs_one_failed_login(tmp_path):
    """However many channels and threads there are."""
    with (
        RecorderSimulator(channels=4, hours=0.1) as sim,
        HikvisionISAPI(sim.host, "admin", "wrong", port=sim.port) as client,
        Catalogue(":memory:") as catalogue,
    ):
        report = sync(client, tmp_path, catalogue=catalogue)

        assert sim.logins_failed == 1

    assert 1 == len(report.locked_out)
    assert [] == list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("fault", ["busy-503", "error-500", "truncate", "reset"])
def test_faults_of_a_moment_cost_nothing(tmp_path, monkeypatch, fault):
    """The run gets over them; nothing is lost, nothing is there twice."""
    monkeypatch.setattr(_download, "_GRACE", 0.2)
    faults = [name for name in RecorderSimulator.FAULTS if name.startswith(fault)]
    with RecorderSimulator(channels=1, hours=0.1, segment_seconds=60) as sim:
        for name in faults:
            sim.enable(name, 1)
        with _client(sim) as client, Catalogue(":memory:") as catalogue:
            reports = [
                sync(
                    client,
                    tmp_path,
                    since=HOURS,
                    catalogue=catalogue,
                    container="original",
                    retry=QUICK,
                )
                for _ in range(2)
            ]
        span = TimeSpan.last(hours=1)
        truth = [item for item in sim.recordings() if item.start in span]

    fetched = [file for report in reports for file in report.downloaded]
    assert len({file.recording.key for file in fetched}) == len(fetched)
    assert len(list(tmp_path.rglob("*.mpg"))) == len(fetched) >= len(truth) - 4


def test_processes_of_their_own_fetch_what_a_url_names(tmp_path, monkeypatch):
    """A job holds no password: each worker takes it from its environment, and logs in once."""
    with (
        RecorderSimulator(channels=1, hours=1, segment_seconds=600) as sim,
        Catalogue(":memory:") as catalogue,
    ):
        name = f"CAMSYNC_HIKVISION_127__2E__0__2E__0__2E__1__3A__{sim.port}"
        monkeypatch.setenv(f"{name}_USERNAME", sim.username)
        monkeypatch.setenv(f"{name}_SECRET", sim.password)
        monkeypatch.setenv("CAMSYNC_STORE", "env")
        with ProcessPoolExecutor(2, get_context("spawn")) as executor:
            report = sync(
                sim.connect_url,
                tmp_path,
                since=HOURS,
                catalogue=catalogue,
                executor=executor,
                concurrency=2,
            )

    assert () == report.failed == report.problems
    assert len(report.downloaded) == len(list(tmp_path.rglob("*.mp4"))) >= 5
    assert 0 == sim.logins_failed
