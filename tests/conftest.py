"""What all tests share: no network but loopback, hypothesis profiles, versions in the header."""

from __future__ import annotations

import gc
import ipaddress
import itertools
import os
import platform
import signal
import socket
import sys

from collections.abc import Generator, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

# A pytest run within a test forgets what it has imported first; then there are two of each class.
import camsync.models
import camsync.provider  # noqa: F401

from camsync.credentials import file
from camsync.registry import _refused


with mock.patch.object(
    sys, "meta_path", [one for one in sys.meta_path if type(one).__module__[:8] != "_pytest."]
):
    # Its asserts are not ours, and to rewrite them takes each process more than a second.
    import hypothesis

hypothesis.settings.register_profile(
    "local",
    deadline=None,
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("local"), derandomize=True, print_blob=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script: children would inherit it, and not hear a Ctrl-C either.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["camsync.testing.plugin", "pytester"]

_LOCAL_NAMES = {"localhost", "localhost.localdomain", ""}


def pytest_report_header() -> str:
    """Say which versions were tested."""
    names = ("attrs", "av", "cryptography", "lxml", "requests", "urllib3")
    return f"Python {platform.python_version()}, " + ", ".join(map(_version, names))


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"


def _is_loopback(address: object) -> bool:
    """Whether *address*, as given to `socket.connect`, stays on this machine."""
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = address[0]
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and look through what is kept no more.

    Rewriting asserts makes a million objects, and what is loaded then stays to the end.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, never used twice, for each test's profiles and stores; it is not made yet."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Let the system write when it likes: no test cuts its power, and disks are what is slow.

    Children and SQLite wait all the same, and tests of what is made durable watch the calls.
    """

    def fsync(handle: Any) -> None:
        os.fstat(handle if isinstance(handle, int) else handle.fileno())  # it has to be open

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.fixture(autouse=True)
def _a_home_of_its_own(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> None:
    """Keep the user's own profiles and stores out of the tests, and the reverse."""
    monkeypatch.setenv("CAMSYNC_HOME", str(next(_homes)))


@pytest.fixture(autouse=True, scope="session")
def _cheap_keys() -> Iterator[None]:
    """Let guessing be easy: what it really costs is tested where that is the point."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "SCRYPT_DEFAULT", file.SCRYPT_CHEAPEST)
        patch.setattr(_refused, "_COST", {"n": 2, "r": 8, "p": 1})
        yield


@pytest.fixture(autouse=True, scope="session")
def _shared_sql() -> Iterator[None]:
    """Let each statement be put into words once, and not once for each catalogue of each test."""
    create, words = sa.create_engine, {}
    first = create("sqlite://")
    with first.connect():  # it learns what SQLite can do
        dialect = first.dialect
    first.dispose()

    def create_engine(*args, **options):
        engine = create(*args, **options)
        if engine.dialect.name == dialect.name:
            engine.dialect = dialect
            engine.update_execution_options(compiled_cache=words)
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sa, "create_engine", create_engine)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine, and every look-up of a foreign name."""
    connect, connect_ex, lookup = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def guarded_connect(self: socket.socket, address):
        if not _is_loopback(address):
            pytest.fail(f"a test tried to connect to {address!r}")
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address):
        if not _is_loopback(address):
            pytest.fail(f"a test tried to connect to {address!r}")
        return connect_ex(self, address)

    def guarded_lookup(host, *args, **options):
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host is not None and not _is_loopback((host,)):
            pytest.fail(f"a test tried to look up {host!r}")
        return lookup(host, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_lookup)
        yield


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """Keep proxies, CA bundles and passwords of the machine out of the tests."""
    foreign = {
        "ALL_PROXY",
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper() in foreign or name.startswith("CAMSYNC_"):
                patch.delenv(name)
        yield
