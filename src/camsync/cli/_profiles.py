"""``camsync profiles`` and ``camsync logout``: what is remembered, and how to forget it."""

from __future__ import annotations

import re

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import click

from .. import registry
from .._secret import Secret
from .._url import ProviderUrl
from ..credentials import CredentialName
from ..errors import (
    CancelledError,
    ConfigurationError,
    CredentialError,
    CredentialNotFoundError,
    ReadOnlyStoreError,
)
from ..profiles import Profile, Profiles
from ._certificate import short
from ._exit import OK
from ._options import common_options, pass_output, secret_text, store_option
from ._output import Output
from ._place import default_provider
from ._prompt import confirmed
from ._stores import ENV, FILE, KEYRING, Part, asker, parts_of


_COLUMNS = ("name", "url", "certificate", "times~", "device~", "credential")
_KINDS = {ENV: "environment", KEYRING: "keyring", FILE: "encrypted file"}
_NONE = "no credential"
_PIN = "sha256:"
_URL = re.compile(r"[a-z0-9]+://|[^@]*:[^@]*@")
"""Also what looks like a user with a password: that is refused without being shown."""


@click.command()
@store_option
@common_options
@pass_output
def profiles(output: Output, store: str | None) -> int:
    """Show the recorders that are remembered.

    They come from 'camsync login' and 'camsync trust'. No password is shown, and none is asked for:
    of an encrypted file whose passphrase is not in the environment it only says that it is there.
    """
    known = Profiles().all()
    held = _Held.of(parts_of(store))
    strays = held.strays(known)
    output.table("", _COLUMNS, _rows(known, held))
    for name in strays:
        output.line(f"without a profile: {name}, in the {_KINDS[held.kinds[name]]}")
    if not known and not strays:
        output.line("there are no profiles yet; next: camsync login hikvision://USER@HOST")
    for problem in held.problems if not output.json else ():
        output.warning(problem)
    output.document(
        {
            "profiles": [{**profile_json(one), "credential": held.kind_of(one)} for one in known],
            "credentials_without_profile": [
                {**attrs.asdict(name), "credential": held.kinds[name]} for name in strays
            ],
            "locked": held.locked,
            "problems": held.problems,
        }
    )
    return OK


def profile_json(profile: Profile) -> dict[str, Any]:
    """Return the profile, with its URL."""
    return {**attrs.asdict(profile), "learnt": dict(profile.learnt), "url": _url(profile)}


def _url(profile: Profile) -> str:
    return str(
        ProviderUrl(
            provider=profile.provider, host=profile.host, port=profile.port, secure=profile.https
        )
    )


@attrs.frozen(kw_only=True)
class _Held:
    """Which store holds which credential.

    Attributes:
        locked: Whether there is a file that cannot be looked into without asking.
        problems: Why a store could not be read.
    """

    kinds: Mapping[CredentialName, str]
    locked: bool
    problems: Sequence[str]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> _Held:
        kinds: dict[CredentialName, str] = {}
        problems = []
        for part in parts:
            if part.locked:
                continue
            try:
                names = part.names()
            except CredentialError as error:
                problems.append(f"{part.words} cannot be read: {error.message}")
                continue
            for name in names:
                kinds.setdefault(name, part.kind)
        locked = any(part.locked for part in parts)
        return cls(kinds=kinds, locked=locked, problems=problems)

    def kind_of(self, profile: Profile) -> str | None:
        return self.kinds.get(CredentialName(profile.provider, profile.name))

    def text_of(self, profile: Profile) -> str:
        kind = self.kind_of(profile)
        if kind is not None:
            return _KINDS[kind]
        return f"{_KINDS[FILE]} (locked)" if self.locked else _NONE

    def strays(self, known: Sequence[Profile]) -> list[CredentialName]:
        named = {(profile.provider, profile.name, None) for profile in known}
        return [name for name in self.kinds if attrs.astuple(name) not in named]


def _rows(known: Sequence[Profile], held: _Held) -> Iterator[Sequence[str]]:
    for profile in known:
        yield (
            profile.name,
            _url(profile),
            _trust_text(profile),
            " ".join(filter(None, (profile.time_mode, profile.timezone))),
            profile.device or "",
            held.text_of(profile),
        )


def _trust_text(profile: Profile) -> str:
    if profile.verify is None:
        text = "public roots" if profile.https else "plain HTTP"
    else:
        text = short(profile.verify) if profile.verify.startswith(_PIN) else profile.verify
    return f"{text}, old TLS" if profile.old_tls else text


@click.command()
@click.argument("name", metavar="NAME", callback=secret_text)
@click.option("--keep-profile", is_flag=True, help="Forget the password only.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_option
@common_options
@pass_output
def logout(output: Output, name: Secret, keep_profile: bool, yes: bool, store: str | None) -> int:
    """Forget the password of a recorder, and the way to it.

    \b
    camsync logout front-shop
    camsync logout front-shop --keep-profile --yes

    The password is deleted from every store that holds it. What the environment holds cannot be
    deleted from here: it says which variables to unset.
    """  # noqa: D301 - click reads \b as "do not wrap"
    wanted, profile = _meant(name)
    holders = [part for part in parts_of(store, asker(store)) if part.holds(wanted)]
    doomed = [part for part in holders if part.kind != ENV]
    goner = None if keep_profile else profile
    if not doomed and goner is None:
        for part in holders:  # the environment: it raises, and says what to unset
            part.store.delete(wanted.provider, wanted.account)
        raise _nothing(wanted, store)
    what = [f"the password in {part.words}" for part in doomed]
    what += [] if goner is None else [f"the profile {goner.name} ({goner.host})"]
    _confirm(output, what, yes=yes)
    unset = _delete(holders, wanted)
    if goner is not None:
        Profiles().delete(goner.name)
    for text in what:
        output.line(f"deleted: {text}")
    for error in unset if not output.json else ():
        output.problem("still there", error)
    output.document(
        {
            "account": wanted.account,
            "deleted": [part.kind for part in doomed],
            "profile_deleted": goner is not None,
            "still_there": [error.message for error in unset],
        }
    )
    return OK


def _meant(text: Secret) -> tuple[CredentialName, Profile | None]:
    if _URL.match(text.reveal()):
        place = registry.resolve(text)
        return CredentialName(place.url.provider, place.account), place.profile
    named = [one for one in Profiles().all() if one.name == text.reveal()]
    provider = named[0].provider if named else default_provider()
    return CredentialName(provider, text.reveal()), next(iter(named), None)


def _delete(holders: Sequence[Part], name: CredentialName) -> list[ReadOnlyStoreError]:
    """Delete the credential everywhere; return why it stays where it cannot be deleted."""
    refusals = []
    for part in holders:
        try:
            part.store.delete(name.provider, name.account)
        except ReadOnlyStoreError as error:  # noqa: PERF203
            refusals.append(error)
    return refusals


def _nothing(name: CredentialName, where: str | None) -> CredentialNotFoundError:
    places = ", ".join(part.words for part in parts_of(where))
    return CredentialNotFoundError(
        f"there is no profile {name.account!r} to delete, and no password of that name in {places}",
        next_step="see: camsync profiles",
    )


def _confirm(output: Output, what: Sequence[str], *, yes: bool) -> None:
    if yes:
        return
    nobody = ConfigurationError(
        "there is no terminal to ask whether to delete it", next_step="add --yes"
    )
    for text in what:
        output.note(f"to be deleted: {text}")
    if not confirmed("Delete?", otherwise=nobody):
        msg = "nothing was deleted"
        raise CancelledError(msg)
