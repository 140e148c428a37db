"""Addresses: what is a host, and what only looks like one."""

from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import ConfigurationError, UnreachableError
from camsync.transport import Address, public_addresses


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
        "192.168.1.64:8000",
        "[192.168.1.64]:8000",
        "a:b",
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


# -- Reachable from outside ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("192.168.1.64", ()),
        ("127.0.0.1", ()),
        ("169.254.1.1", ()),
        ("100.64.3.4", ()),
        ("224.0.0.1", ()),
        ("8.8.8.8", ("8.8.8.8",)),
        ("::1", ()),
        ("fe80::1%eth0", ()),
        ("fd00::5", ()),
        ("::ffff:10.0.0.1", ()),
        ("::ffff:8.8.8.8", ("8.8.8.8",)),
        ("[2a00:1450::1]", ("2a00:1450::1",)),
        ("2a00:1450::1%eth0", ("2a00:1450::1",)),
        ("64:ff9b::a00:1", ()),  # 10.0.0.1, translated
        ("64:ff9b::808:808", ("64:ff9b::808:808",)),
        ("2002:a00:1::1", ()),  # 10.0.0.1, by 6to4
        ("2002:808:808::1", ("2002:808:808::1",)),
        ("2001:0:808:808::f5ff:fffe", ()),  # 10.0.0.1, by Teredo
    ],
)
def test_public_addresses(host: str, public: tuple[str, ...]):
    """An address is judged without asking anybody."""
    assert public_addresses(host, lookup=_never) == public


def _never(*_: object, **__: object) -> None:
    pytest.fail("an address was looked up")


def test_names_are_resolved():
    """Of a name's addresses those count, once each, that are public."""
    found = ["10.0.0.1", "8.8.8.8", "8.8.8.8", "2a00:1450::1", "not-an-address"]

    def lookup(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        assert host == "shop.example"
        return [(None, None, None, "", (address, 0)) for address in found]

    assert public_addresses("shop.example", lookup=lookup) == ("8.8.8.8", "2a00:1450::1")
    assert public_addresses("localhost") == ()


def test_names_without_an_address():
    """A name that cannot be resolved is unreachable, and what is no host is refused."""
    with pytest.raises(UnreachableError, match="has no address"):
        public_addresses("recorder.invalid")
    with pytest.raises(ConfigurationError):
        public_addresses("http://8.8.8.8")
