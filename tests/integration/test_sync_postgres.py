"""Whole runs with a catalogue on a server: shared by processes, and cut off from it."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import hashlib
import os
import secrets
import selectors
import socket
import subprocess
import sys
import threading
import urllib.parse

from pathlib import Path

import psycopg
import pytest

import camsync

from camsync import RetryPolicy
from camsync.catalogue import Catalogue, State
from camsync.errors import CatalogueError, CatalogueUnavailableError
from camsync.sync import make_plan, sync
from camsync.testing import MemoryProvider, RecorderSimulator
from camsync.testing.memory import content


SERVER = os.environ.get("CAMSYNC_TEST_POSTGRES", "")  # read now: the tests run without it
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not SERVER, reason="the nox session 'postgres' starts a server"),
]

NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
MINUTE = dt.timedelta(minutes=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)
MANY = 12


class Line:
    """The network between this computer and the server, which can be cut and refuse."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self._server = parts.hostname, parts.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        place = parts.netloc.rpartition("@")[0] + f"@127.0.0.1:{port}"
        self.url = parts._replace(netloc=place).geturl()
        self._up = True
        self._over = False
        self._pairs = {}
        self._watch = selectors.DefaultSelector()
        self._watch.register(self._listener, selectors.EVENT_READ)
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def cut(self):
        """Break all connections, and refuse new ones."""
        with self._lock:
            self._up = False
            for one in list(self._pairs):
                self._drop(one)

    def mend(self):
        """Let connections through again."""
        self._up = True

    def close(self):
        """End for good."""
        self._over = True
        self._thread.join()
        self.cut()
        self._watch.close()
        self._listener.close()

    def _serve(self):
        while not self._over:
            for key, _ in self._watch.select(0.05):
                with self._lock, contextlib.suppress(OSError):
                    self._accept() if key.fileobj is self._listener else self._pass(key.fileobj)

    def _accept(self):
        near, _ = self._listener.accept()
        if not self._up:
            near.close()
            return
        far = socket.create_connection(self._server)
        self._pairs[near], self._pairs[far] = far, near
        for one in (near, far):
            self._watch.register(one, selectors.EVENT_READ)

    def _pass(self, one):
        if one not in self._pairs:
            return
        data = b""
        with contextlib.suppress(OSError):
            data = one.recv(1 << 16)
        if data:
            self._pairs[one].sendall(data)
        else:
            self._drop(one)

    def _drop(self, one):
        other = self._pairs.pop(one, None)
        self._pairs.pop(other, None)
        for each in filter(None, (one, other)):
            with contextlib.suppress(KeyError, ValueError):
                self._watch.unregister(each)
            each.close()


@pytest.fixture
def url():
    """A URL with a schema of its own on the server."""
    name = f"test_{secrets.token_hex(8)}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"CREATE SCHEMA {name}")
        yield f"{SERVER}?options=-csearch_path%3D{name}"
        server.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def line(url):
    """The way to the server."""
    line = Line(url)
    yield line
    line.close()


@pytest.fixture
def recorder():
    """A recorder with some recordings."""
    recorder = MemoryProvider()
    for number in range(MANY):
        recorder.record("1", NOW - (60 - number) * MINUTE)
    return recorder


def _run(recorder, dest, catalogue, **options):
    usual = {"container": "original", "retry": QUICK, "min_free": 0, "concurrency": 2}
    return sync(recorder, dest, catalogue=catalogue, **{**usual, **options})


def _files(dest):
    return [path for path in dest.rglob("*") if path.is_file()]


def _once(url, dest):
    """Check that every recording is here once, byte for byte, and nothing else is."""
    with Catalogue(url) as catalogue:
        rows = list(catalogue.at(dest).entries())
    assert [State.VERIFIED] * MANY == [row.state for row in rows]
    assert sorted(dest / row.path for row in rows) == sorted(_files(dest))
    assert {content(): MANY} == collections.Counter(path.read_bytes() for path in _files(dest))


def _end_all():
    """Break all connections to the server but the one that has made the schema, as a restart would."""
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database() AND query NOT LIKE 'CREATE SCHEMA%'"
        )


# -- The server is lost ---------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 5])
def test_the_server_is_lost_in_the_middle_of_a_run(line, url, recorder, tmp_path, at):
    """A typed error ends the run, without the password; the next one completes."""
    dest, opened = tmp_path / "footage", []

    def lose(recording):
        opened.append(recording)
        if len(opened) == at:
            line.cut()

    recorder.on_open = lose
    with Catalogue(line.url) as catalogue:
        with pytest.raises(CatalogueUnavailableError) as caught:
            _run(recorder, dest, catalogue)
        with pytest.raises(CatalogueError):
            _run(recorder, dest, catalogue)
        line.mend()
        recorder.on_open = str
        _run(recorder, dest, catalogue)
    _complete(recorder, dest, url)

    assert urllib.parse.urlsplit(url).password not in str(caught.value)
    _once(url, dest)


def _complete(recorder, dest, url):
    """Run again three minutes later, when the leases of the lost run are over."""
    later = dt.timedelta(minutes=3)
    with Catalogue(url, clock=lambda: dt.datetime.now(dt.timezone.utc) + later) as catalogue:
        report = _run(recorder, dest, catalogue)
        assert report.complete, report.errors
        assert () == make_plan(recorder, dest, catalogue=catalogue).fetch


def test_the_server_restarts_in_the_middle_of_a_run(url, recorder, tmp_path):
    """Every connection breaks, and can be made again: this run or the next one completes."""
    dest, opened = tmp_path / "footage", []

    def restart(recording):
        opened.append(recording)
        if len(opened) == 3:
            _end_all()

    recorder.on_open = restart
    with Catalogue(url) as catalogue, contextlib.suppress(CatalogueUnavailableError):
        _run(recorder, dest, catalogue)
    recorder.on_open = str
    _complete(recorder, dest, url)

    _once(url, dest)


def test_the_server_cannot_be_reached(line, recorder, tmp_path):
    """It is said before anything is fetched or made."""
    line.cut()
    with pytest.raises(CatalogueUnavailableError):
        _run(recorder, tmp_path / "footage", line.url)

    assert 0 == sum(recorder.opened.values())
    assert not (tmp_path / "footage").exists()


# -- Two processes --------------------------------------------------------------------------------

CHILD = """
import sys

import camsync

port, password, dest, catalogue = sys.argv[1:]
with camsync.HikvisionISAPI("127.0.0.1", "admin", password, port=int(port)) as recorder:
    print("ready", flush=True)
    sys.stdin.readline()
    report = camsync.sync(
        recorder, dest, catalogue=catalogue, container="original", min_free=0, concurrency=2
    )
print(len(report.downloaded), len(report.found), flush=True)
sys.exit(0 if report.settled else 1)
"""


def _start(sim, dest, url):
    command = [sys.executable, "-c", CHILD, str(sim.port), sim.password, str(dest), url]
    environment = {**os.environ, "PYTHONPATH": str(Path(camsync.__file__).parents[1])}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _begin(children):
    for child in children:
        assert "ready\n" == child.stdout.readline()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()


def _truth(sim):
    return collections.Counter(
        hashlib.sha256(b"".join(sim.content(item))).hexdigest()
        for item in sim.recordings()
        if item.end <= NOW - 2 * MINUTE and item.track % 100 == 1
    )


def _recorder(**options):
    return RecorderSimulator(
        channels=2,
        hours=0.6,
        segment_seconds=10,
        gap_seconds=50,
        clock=lambda: NOW,
        total_bandwidth=1_500_000,
        **options,
    )


def _digests(dest):
    return collections.Counter(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(dest)
    )


def test_two_processes_share_the_work(url, tmp_path):
    """Each gets some of it, each recording is fetched by one of them, and both say that all is well."""
    dest = tmp_path / "footage"
    with _recorder() as sim:
        children = [_start(sim, dest, url) for _ in range(2)]
        _begin(children)
        said = [child.communicate(timeout=50) for child in children]
        truth = _truth(sim)
        downloads = sum("download" in line.path.lower() for line in sim.requests_log)

    assert [0, 0] == [child.returncode for child in children], said
    shares = [tuple(map(int, out.split())) for out, _ in said]
    assert all(fetched for fetched, _ in shares)
    assert sum(truth.values()) == sum(fetched for fetched, _ in shares) <= downloads
    assert truth == _digests(dest)
    with Catalogue(url) as catalogue:
        rows = [row for row in catalogue.at(dest).entries() if row.state is State.VERIFIED]
    assert sorted(dest / row.path for row in rows) == sorted(_files(dest))


def test_one_of_two_processes_is_killed(url, tmp_path):
    """What it had leased is free again after a while; the other one, or the next, fetches it."""
    dest = tmp_path / "footage"
    with _recorder() as sim:
        victim, other = children = [_start(sim, dest, url) for _ in range(2)]
        _begin(children)
        while not _files(dest):
            assert victim.poll() is None
        victim.kill()
        victim.communicate()
        out, err = other.communicate(timeout=50)
        with camsync.HikvisionISAPI(sim.host, sim.username, sim.password, port=sim.port) as client:
            _complete(client, dest, url)
        truth = _truth(sim)

    assert 0 == other.returncode, out + err
    assert truth == _digests(dest)
