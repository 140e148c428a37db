"""What all tests share: no network but loopback, hypothesis profiles, versions in the header."""

from __future__ import annotations

import ipaddress
import os
import platform
import socket

from importlib import metadata
from pathlib import Path

import hypothesis
import pytest


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


@pytest.fixture(autouse=True)
def _a_home_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, _clean_environment: None
) -> None:
    """Keep the user's own profiles and stores out of the tests, and the reverse."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "camsync-home"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
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

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep proxies, CA bundles and passwords of the machine out of the tests."""
    for name in (
        "ALL_PROXY",
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in list(os.environ):
        if name.startswith("CAMSYNC_"):
            monkeypatch.delenv(name)
