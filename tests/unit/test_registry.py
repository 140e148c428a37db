"""From a URL to a provider."""

from __future__ import annotations

import traceback

import pytest

import camsync

from camsync import ConfigurationError, registry


def test_the_url_says_where_and_as_whom():
    """Scheme, user, host and port are read; hikvisions asks for TLS."""
    place = registry.parse_url("hikvisions://ad%40min@nvr-1:8443")

    assert (place.provider, place.username, place.host, place.port, place.secure) == (
        "hikvision",
        "ad@min",
        "nvr-1",
        8443,
        True,
    )
    assert str(registry.parse_url("hikvision://admin@[::1]:81")) == "hikvision://admin@[::1]:81"
    assert str(registry.parse_url("HIKVISION://nvr-1/")) == "hikvision://nvr-1"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("192.168.1.64", "no scheme"),
        ("ftp://admin@nvr", "not a known kind"),
        ("hikvision://admin:hunter22@nvr", "password in a URL"),
        ("hikvision://admin@nvr:port", "cannot be read"),
        ("hikvision://admin:hunter22/x@nvr", "cannot be read"),
        ("hikvision://admin@", "must hold a host"),
        ("hikvision://admin@nvr/ISAPI", "nothing behind"),
        ("hikvision://admin@nvr?x=1", "nothing behind"),
    ],
)
def test_unusable_urls_are_refused_without_showing_secrets(url: str, words: str):
    """Each mistake has its own message, and none repeats a password."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        registry.parse_url(url)

    assert "hunter22" not in str(caught.value)
    assert "hunter22" not in "".join(traceback.format_exception(caught.value))


def test_connect_makes_the_provider():
    """Connect passes host, port, TLS and options on, and sends nothing."""
    with camsync.connect("hikvision://admin@127.0.0.1:81", password="pw") as provider:
        assert repr(provider) == "<HikvisionISAPI http://127.0.0.1:81>"
    secure = camsync.connect("hikvisions://admin@127.0.0.1", password="pw", timeout=(1, 2))
    assert repr(secure) == "<HikvisionISAPI https://127.0.0.1:443>"


@pytest.mark.parametrize(
    ("url", "password"), [("hikvision://127.0.0.1", "x"), ("hikvision://admin@127.0.0.1", None)]
)
def test_connect_needs_user_and_password(url: str, password: str | None):
    """What is missing is said before anything is sent."""
    with pytest.raises(ConfigurationError, match=r"names no user|no password"):
        camsync.connect(url, password=password)


def test_the_table_is_read_only():
    """The known providers can be looked at, not changed."""
    table = registry.available()

    assert "hikvision" in table
    with pytest.raises(TypeError):
        table["x"] = "y"  # type: ignore[index]
