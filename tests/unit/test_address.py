"""Addresses: what is a host, and what only looks like one."""

from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import ConfigurationError
from camsync.transport import Address


@pytest.mark.parametrize(
    ("host", "options", "url"),
    [
        ("192.168.1.64", {}, "http://192.168.1.64:80"),
        ("nvr-1.local", {"secure": True}, "https://nvr-1.local:443"),
        ("fe80::1%eth0", {"port": 8080}, "http://[fe80::1%eth0]:8080"),
        ("[::1]", {}, "http://[::1]:80"),
    ],
)
def test_urls(host: str, options: dict[str, object], url: str):
    """Names, IPv4 and IPv6 become URLs with their port."""
    assert str(Address.of(host, **options)) == url  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host",
    [
        "",
        "http://192.168.1.64",
        "a b",
        "host/path",
        "user@host",
        "192.168.200",
        "1.2.3.400",
        "a\nb",
        "host:80x",
    ],
)
def test_what_is_no_host_is_refused(host: str):
    """A URL, a path, a half-typed address: refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="not a host name"):
        Address.of(host)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_have_limits(port: int):
    """A port outside 1 to 65535 is refused."""
    with pytest.raises(ConfigurationError, match="port"):
        Address.of("nvr", port)


@given(st.text(max_size=30))
def test_no_host_breaks_out_of_the_url(host: str):
    """Any text either is refused or yields a URL without anything behind the port."""
    try:
        url = Address.of(host).url
    except ConfigurationError:
        return
    assert url.endswith(":80")
    assert not set("/@?# \r\n") & set(url.removeprefix("http://"))
