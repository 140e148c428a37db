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
from ._exit import OK, code_for
from ._options import common_options, pass_output, secret_text, store_option
from ._output import Output
from ._place import default_provider
from ._prompt import confirmed
from ._stores import ENV, FILE, KEYRING, Part, asker, others_than, parts_of
from ._vendors import vendor_of


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
    """Show the recorders and accounts that are remembered.

    They come from 'camsync login' and 'camsync trust'. No password is shown, and none is asked for:
    of an encrypted file whose passphrase is not in the environment it only says that it is there.
    """
    known = Profiles().all()
    held = _Held.of(parts_of(store))
    strays = held.strays(known)
    output.table("", _COLUMNS, _rows(known, held))
    for name, variables in held.variables.items():
        output.line(f"{name.account}: in {' and '.join(variables)}")
    for name in strays:
        output.line(f"without a profile: {name}, in the {_KINDS[held.kinds[name]]}")
    if not known and not strays:
        output.line(
            "there are no profiles yet; next: camsync login hikvision://USER@HOST (or imou)"
        )
    for problem in held.problems if not output.json else ():
        output.warning(problem)
    output.document(
        {
            "profiles": [{**profile_json(one), **held.json(one)} for one in known],
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
        variables: Of what the environment holds.
        locked: Whether there is a file that cannot be looked into without asking.
        problems: Why a store could not be read.
    """

    kinds: Mapping[CredentialName, str]
    variables: Mapping[CredentialName, Sequence[str]]
    locked: bool
    problems: Sequence[str]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> _Held:
        kinds: dict[CredentialName, str] = {}
        variables: dict[CredentialName, Sequence[str]] = {}
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
                if part.kind == ENV:
                    variables[name] = part.variables(name)
        locked = any(part.locked for part in parts)
        return cls(kinds=kinds, variables=variables, locked=locked, problems=problems)

    def json(self, profile: Profile) -> dict[str, Any]:
        variables = self.variables.get(CredentialName(profile.provider, profile.name), ())
        return {"credential": self.kind_of(profile), "variables": list(variables)}

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
        always = profile.host in vendor_of(profile.provider).places
        text = "public roots" if profile.https or always else "plain HTTP"
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
    """Forget the password of a recorder or an account, and the way to it.

    \b
    camsync logout front-shop
    camsync logout front-shop --keep-profile --yes

    The password is deleted from every store that holds it; with --store from that one only. What
    the environment holds cannot be deleted from here: it says which variables to unset. The profile
    goes with the last password; while another store has one, or may have one, it is kept.
    """  # noqa: D301 - click reads \b as "do not wrap"
    wanted, profile = _meant(name)
    parts = parts_of(store, asker(store))
    holders = [part for part in parts if part.holds(wanted)]
    doomed = [part for part in holders if part.kind != ENV]
    kept = _Kept.of(wanted, None if keep_profile else profile, parts, holders)
    if not doomed and kept.goner is None:
        for part in holders:  # the environment: it raises, and says what to unset
            part.store.delete(wanted.provider, wanted.account)
        raise _nothing(wanted, parts, kept)
    what = [_password_in(part) for part in doomed]
    _confirm(output, [*what, *kept.doomed()], yes=yes)
    refusals = _delete(holders, wanted)
    done = [part for part in doomed if part.identity not in refusals]
    kept = kept.after([part for part in doomed if part.identity in refusals])
    if kept.goner is not None:
        Profiles().delete(kept.goner.name)
    for text in (*map(_password_in, done), *kept.doomed()):
        output.line(f"deleted: {text}")
    kept.say(output)
    for error in refusals.values() if not output.json else ():
        output.problem("still there", error)
    output.document(
        {
            "account": wanted.account,
            "deleted": [part.kind for part in done],
            "profile_deleted": kept.goner is not None,
            "profile_kept_because": list(kept.reasons),
            "still_there": [str(error) for error in refusals.values()],
        }
    )
    failed = [one for one in refusals.values() if not isinstance(one, ReadOnlyStoreError)]
    return code_for(failed[0]) if failed else OK


def _password_in(part: Part) -> str:
    return f"the password in {part.words}"


@attrs.frozen(kw_only=True)
class _Kept:
    """Whether a profile may go: not while there is a password for it somewhere.

    Attributes:
        profile: The profile that was asked to go, or None.
        reasons: Why it stays.
    """

    profile: Profile | None
    reasons: Sequence[str]

    @classmethod
    def of(
        cls,
        name: CredentialName,
        profile: Profile | None,
        parts: Sequence[Part],
        holders: Sequence[Part],
    ) -> _Kept:
        if profile is None:
            return cls(profile=None, reasons=())
        reasons = [
            f"{part.words} has a password for it ({' and '.join(part.variables(name))})"
            for part in holders
            if part.kind == ENV
        ]
        reasons += [reason for part in others_than(parts) for reason in _held_by(part, name)]
        return cls(profile=profile, reasons=reasons)

    @property
    def goner(self) -> Profile | None:
        return None if self.reasons else self.profile

    def doomed(self) -> Sequence[str]:
        one = self.goner
        return () if one is None else (f"the profile {one.name} ({one.host})",)

    def after(self, failed: Sequence[Part]) -> _Kept:
        """Return the same, with what was to be deleted and was not."""
        if self.profile is None:
            return self
        more = [f"{part.words} still has a password for it" for part in failed]
        return attrs.evolve(self, reasons=[*self.reasons, *more])

    def say(self, output: Output) -> None:
        if self.profile is not None and self.reasons:
            output.line(f"kept: the profile {self.profile.name}: {'; '.join(self.reasons)}")


def _held_by(part: Part, name: CredentialName) -> Sequence[str]:
    """Return why the profile is to be kept for a store that is not touched: one reason, or none."""
    try:
        if part.locked:
            return (f"{part.words} may have a password for it: it is locked",)
        if not part.holds(name):
            return ()
    except CredentialError as error:
        return (f"{part.words} may have a password for it: {error.message}",)
    variables = " and ".join(part.variables(name))
    return (f"{part.words} has a password for it{f' ({variables})' if variables else ''}",)


def _meant(text: Secret) -> tuple[CredentialName, Profile | None]:
    if _URL.match(text.reveal()):
        place = registry.resolve(text)
        place.options()  # several profiles have the address: it says so
        return CredentialName(place.url.provider, place.account), place.profile
    named = [one for one in Profiles().all() if one.name == text.reveal()]
    provider = named[0].provider if named else default_provider()
    return CredentialName(provider, text.reveal()), next(iter(named), None)


def _delete(
    holders: Sequence[Part], name: CredentialName
) -> dict[tuple[str, str | None], CredentialError]:
    """Delete the credential everywhere; return why it stays where it was not deleted."""
    refusals: dict[tuple[str, str | None], CredentialError] = {}
    for part in holders:
        try:
            part.store.delete(name.provider, name.account)
        except CredentialNotFoundError:  # noqa: PERF203
            continue  # somebody else was faster
        except CredentialError as error:
            refusals[part.identity] = error
    return refusals


def _nothing(name: CredentialName, parts: Sequence[Part], kept: _Kept) -> CredentialNotFoundError:
    places = ", ".join(part.words for part in parts)
    if kept.reasons:
        return CredentialNotFoundError(
            f"nothing was deleted: no password for {name.account} is in {places}, and its profile "
            f"is kept: {'; '.join(kept.reasons)}",
            next_step="leave --store out, or see: camsync profiles",
        )
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
