"""The gate against the simulator: real sockets, real refusals."""

from __future__ import annotations

import datetime as dt
import threading

from concurrent.futures import ThreadPoolExecutor

import pytest

import camsync

from camsync.download import Limiter
from camsync.sync._gate import Gate, Gated


@pytest.fixture
def gated(recorder_simulator):
    """A function that starts a recorder and returns it with a gated provider."""
    providers = []

    def start(gate=None, limiter=None, **options):
        sim = recorder_simulator(
            **{"channels": 2, "hours": 40 / 3600, "segment_seconds": 5, **options}
        )
        provider = camsync.HikvisionISAPI(
            sim.host, sim.username, sim.password, port=sim.port, settle=dt.timedelta(0)
        )
        providers.append(provider)
        return sim, Gated(provider, gate or Gate(), limiter)

    yield start
    for provider in providers:
        provider.close()


def _find(provider):
    """Return all complete recordings."""
    span = camsync.TimeSpan.last(hours=1)
    return [
        one
        for channel in provider.channels()
        for one in provider.search(channel, span)
        if not one.in_progress
    ]


def _fetch(provider, recordings, dest, **options):
    """Fetch with eight threads."""

    def one(recording):
        return camsync.download(
            provider,
            recording,
            dest,
            container="original",
            min_free=0,
            **options,
        )

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, recordings))


def _statuses(sim):
    """Return the statuses of all download requests, logins left out."""
    return [one.status for one in sim.requests_log if "download" in one.path and one.status != 401]


def test_a_recorder_with_one_session_hands_everything_out(gated, tmp_path):
    """Eight threads, one session: one refusal, and every recording without a retry of its own."""
    sim, provider = gated(max_downloads=1)
    recordings = _find(provider)
    done = _fetch(provider, recordings, tmp_path, retry=camsync.RetryPolicy(attempts=1))

    assert len(recordings) >= 10
    assert {one.key for one in recordings} == {one.recording.key for one in done}
    assert _statuses(sim).count(503) <= 1
    assert len(recordings) == _statuses(sim).count(200)
    figures = provider.gate.figures
    assert (len(recordings), 0) == (figures.opened, figures.streams)
    assert sum(one.size for one in done) == figures.bytes


def test_a_history_may_begin_within_a_second(gated, tmp_path):
    """The simulator's files begin at whole seconds, whatever the hours: they can be named."""
    _, provider = gated(channels=1, hours=20.37 / 3600)
    recordings = _find(provider)

    assert recordings
    assert all(one.start.microsecond == 0 for one in recordings)
    assert len(recordings) == len(_fetch(provider, recordings, tmp_path))


def test_a_busy_recorder_is_asked_again_when_it_says(gated, tmp_path):
    """Retry-After is the gate's matter; the engine hears nothing of it."""
    sim, provider = gated(channels=1)
    recording = _find(provider)[0]
    sim.enable("busy-503-retry-after", times=1)
    (done,) = _fetch(provider, [recording], tmp_path, retry=camsync.RetryPolicy(attempts=1))

    assert [503, 200] == _statuses(sim)
    assert recording.size == done.size


def test_a_reset_beside_others_makes_it_careful(gated, tmp_path):
    """The engine tries again; the gate has noticed."""
    sim, provider = gated(Gate(cap=4, start=4), bandwidth=400_000, max_downloads=8)
    recordings = _find(provider)
    sim.enable("reset-connection", times=1)
    done = _fetch(provider, recordings, tmp_path, retry=camsync.RetryPolicy(initial=0.01))

    assert len(recordings) == len(done)
    assert 1 == provider.gate.figures.broken


def test_bandwidth_is_shared_and_can_be_cancelled(gated, tmp_path):
    """Held-back streams stop soon after the token is set, and leave nothing."""
    _, provider = gated(limiter=Limiter("1k"), channels=1)
    recording = _find(provider)[0]
    cancel = threading.Event()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    with pytest.raises(camsync.CancelledError):
        _fetch(provider, [recording], tmp_path, cancel=cancel)
    timer.join()

    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]
    assert 0 == provider.gate.figures.streams
