"""What differs from one provider to the next on the command line: words, options, places."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from ..errors import ConfigurationError
from ..registry import PLACES, Target


@attrs.frozen(kw_only=True)
class Vendor:
    """How the command line speaks of one kind of provider.

    Attributes:
        thing: What is logged in to.
        user: What stands before the ``@``.
        secret: What is asked for without showing it.
        example: What to write.
        needed: The steps of the connection test without which nothing is saved.
        cloud: Whether it is an account with any number of devices, and no device itself.
        places: Fixed hosts, and what they are; a short ``camsync login`` asks for one of them.
        refused: The options that make no sense, and why.
    """

    thing: str = "recorder"
    user: str = "User name"
    secret: str = "Password"  # noqa: S105 - the word
    example: str
    needed: frozenset[str]
    cloud: bool = False
    places: Mapping[str, str] = MappingProxyType({})
    refused: Mapping[str, str]


_FLAGS = MappingProxyType(
    {
        "old_tls": "--old-tls",
        "allow_basic": "--insecure-basic",
        "time_mode": "--time-mode",
        "storage": "--storage",
        "wake": "--wake",
        "max_calls": "--max-calls",
        "max_bytes": "--max-bytes",
    }
)
_VENDORS = MappingProxyType(
    {
        "hikvision": Vendor(
            example="hikvision://USER@HOST",
            needed=frozenset({"tcp", "tls", "lock", "login"}),
            refused={
                "storage": "a recorder keeps everything on its own disks",
                "wake": "recorders do not sleep",
                "max_calls": "nobody counts what a recorder is asked",
                "max_bytes": "nobody counts what a recorder sends",
            },
        ),
        "imou": Vendor(
            thing="account",
            user="App id",
            secret="App secret",  # noqa: S106 - the word
            example="imou://APPID@sg",
            needed=frozenset({"host", "login"}),
            cloud=True,
            places=PLACES["imou"],
            refused={
                "old_tls": "the cloud speaks modern TLS",
                "allow_basic": "calls are signed; nothing logs in with Basic",
                "time_mode": "the cloud gives the wall clock of the camera; --timezone says its zone",
            },
        ),
    }
)


def vendor_of(provider: str) -> Vendor:
    """Return how to speak of a provider; of one that is not known as of a recorder."""
    return _VENDORS.get(provider, _VENDORS["hikvision"])


def check_options(
    provider: str,
    options: Mapping[str, Any],
    *,
    said: Mapping[str, str] = _FLAGS,
    place: str = "",
) -> None:
    """Refuse what makes no sense for *provider*.

    Args:
        said: What the user calls the options.
        place: Whose they are, where there are several.

    Raises:
        ConfigurationError: An option was given that it has no use for.
    """
    for name, reason in vendor_of(provider).refused.items():
        if name in options:
            msg = f"{said[name]} makes no sense for {place or f'{provider}://'} - {reason}"
            typed = said[name].startswith("--")
            step = f"leave {said[name]} out" if typed else "leave it out"
            more = ", or name only the accounts" if typed and place else ""
            raise ConfigurationError(msg, next_step=step + more)


def check_place(place: Target) -> None:
    """Refuse what stands in the place of a data centre and is none, before anybody is asked.

    Raises:
        ConfigurationError: It is a bare name, which only a profile could explain.
    """
    url, places = place.url, vendor_of(place.url.provider).places
    named = url.port is None and set(url.host).isdisjoint(".:") and url.host != "localhost"
    if places and named and place.profile is None and url.host not in places:
        kind = "data centre" if url.username else "profile and no data centre"
        msg = f"{url.host!r} is no {kind} of {url.provider}://"
        known = places_text(url.provider)
        step = f"write {vendor_of(url.provider).example}; the data centres are {known}"
        raise ConfigurationError(msg, next_step=step)


def places_text(provider: str) -> str:
    """Return the provider's places, each with its code."""
    return ", ".join(f"{code} ({words})" for code, words in vendor_of(provider).places.items())


def place_question(provider: str) -> str:
    """Return the question for one of the provider's places."""
    return f"Data centre of the {vendor_of(provider).thing}: {places_text(provider)}"
