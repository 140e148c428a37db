"""What ``camsync login`` is to log in to, and what to call it: said, or asked for."""

from __future__ import annotations

import attrs
import click

from .. import registry
from .._secret import Secret
from ..errors import ConfigurationError
from ..profiles import Profiles
from ._place import default_name, find_place
from ._prompt import ask_line, on_terminal
from ._vendors import place_question, vendor_of


_TRIES = 3


def place_of(url: Secret) -> registry.Target:
    """Find out what to log in to; a provider's bare name asks for one of its places.

    Two accounts may live in one data centre, so only its name says that a profile is meant.
    """
    named = {one.name for one in Profiles().all()}
    for provider in registry.available():
        if vendor_of(provider).places and provider not in named and url == Secret(provider):
            url = _asked_place(provider)
    place = find_place(url or _asked_address(), hosts=True)
    profile, cloud = place.profile, vendor_of(place.url.provider).cloud
    if cloud and (profile is None or profile.name != place.url.host):
        return attrs.evolve(place, profile=None, rivals=())
    return place


def _asked_place(provider: str) -> Secret:
    nobody = ConfigurationError(
        "it was not said where the account is, and there is no terminal to ask",
        next_step=f"write: camsync login {vendor_of(provider).example}",
    )
    places = vendor_of(provider).places
    for _ in range(_TRIES):
        answer = ask_line(place_question(provider), otherwise=nobody).lower()
        if answer in places:
            return Secret(f"{provider}://{answer}")
        # Not repeated: it may be the secret, typed too early.
        click.echo(f"that is none of them; type one of: {', '.join(places)}", err=True)
    msg = f"that was no data centre, {_TRIES} times"
    raise ConfigurationError(msg, next_step=nobody.next_step)


def _asked_address() -> Secret:
    nobody = ConfigurationError(
        "no recorder was named, and there is no terminal to ask for one",
        next_step="write: camsync login hikvision://USER@HOST",
    )
    question = "Address of the recorder (USER@HOST, or hikvisions://USER@HOST for HTTPS)"
    return Secret(ask_line(question, otherwise=nobody))


def chosen_name(place: registry.Target, *, yes: bool) -> str:
    if place.profile is not None:
        return place.profile.name
    vendor = vendor_of(place.url.provider)
    usual = default_name(place.url.host, place.url.port)
    if place.url.host in vendor.places:
        usual = f"{place.url.provider}-{usual}"
    if yes or not on_terminal():
        return usual
    nobody = ConfigurationError("the profile has no name", next_step="use --name NAME")
    return ask_line(f"Name for this {vendor.thing}", otherwise=nobody, default=usual)


def with_namesake(place: registry.Target, name: str) -> registry.Target:
    """Return the place of an account with the profile that it has under *name* already, if any.

    Its time zone and its limits are kept when somebody logs in to it again by its URL.
    """
    for one in Profiles().all():
        mine = (one.provider, one.host, one.port) == (
            place.url.provider,
            place.url.host,
            place.url.port,
        )
        same = one.name == name and mine and one.username == place.url.username is not None
        if same and place.profile is None and vendor_of(one.provider).cloud:
            return attrs.evolve(place, profile=one)
    return place
