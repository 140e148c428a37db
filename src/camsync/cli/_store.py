"""``camsync store``: where passwords are kept, and moving them from one place to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from .. import registry
from ..credentials import Credential, CredentialName, CredentialStore, migrate
from ..credentials.keys import KeyFromFile, write_key_file
from ..errors import (
    CamsyncError,
    ConfigurationError,
    CredentialNotFoundError,
    DamagedStoreError,
)
from ..profiles import Profile, Profiles
from ._exit import OK
from ._format import count_text
from ._options import common_options, pass_output, store_option
from ._output import Output
from ._place import address_text
from ._prompt import ask_new_secret
from ._stores import AUTOMATIC, ENV, FILE, Part, asker, chosen_store, no_key, parts_of, usable


if TYPE_CHECKING:
    from ..credentials.vpack import VpackTokenStore

_COLUMNS = ("store", "where|", "state|", "holds|")
_PROBE = CredentialName("hikvision", "any")
_REPAIR = "nothing was copied; correct it in VPACK, or move the file away and log in by hand"
_PLACE = "env|keyring|file[:PATH]"


@click.group(invoke_without_command=True)
@click.pass_context
def store(context: click.Context) -> int:
    """Look after the place where passwords are kept.

    \b
    camsync store show
    camsync store new-key ~/camsync.key
    camsync store rotate
    camsync store copy --from file --to keyring
    """  # noqa: D301 - click reads \b as "do not wrap"
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return OK


@store.command()
@store_option
@common_options
@pass_output
def show(output: Output, store: str | None) -> int:
    """Show which stores are used, in their order, and under which names they hold passwords.

    No password is shown. On a terminal it asks for the passphrase of an encrypted file, because
    the names are encrypted, too.
    """
    states = [_State.of(part) for part in parts_of(store, asker(store), absent=True)]
    output.line(f"chosen: {chosen_store(store)} (--store or {registry.STORE_VARIABLE})")
    output.table("", _COLUMNS, [state.row() for state in states])
    for state in states:
        for name in state.names if state.part.kind == ENV else ():
            output.line(f"{_short(name)}: {' and '.join(state.part.variables(name))}")
    output.document({"chosen": chosen_store(store), "stores": [state.json() for state in states]})
    return OK


@attrs.frozen(kw_only=True)
class _State:
    part: Part
    usable: bool
    text: str
    names: Sequence[CredentialName]

    @classmethod
    def of(cls, part: Part) -> _State:
        if part.path is not None and not part.path.exists():
            return cls(part=part, usable=True, text="not made yet", names=())
        try:
            if not usable(part):
                part.previous(_PROBE)  # raises, and says why
            names = part.names()
        except CamsyncError as error:
            text = f"unusable: {error.message}"
            return cls(part=part, usable=False, text=text, names=())
        return cls(part=part, usable=True, text="usable", names=names)

    def row(self) -> Sequence[str]:
        return self.part.kind, self.part.words, self.text, ", ".join(map(_short, self.names))

    def json(self) -> dict[str, Any]:
        return {
            "store": self.part.kind,
            "where": self.part.words,
            "path": None if self.part.path is None else str(self.part.path),
            "usable": self.usable,
            "state": self.text,
            "holds": [attrs.asdict(name) for name in self.names],
            "variables": [each for name in self.names for each in self.part.variables(name)],
        }


def _short(name: CredentialName) -> str:
    owner = "" if name.owner is None else f" of {name.owner}"
    return f"{name.account}{owner}"


@store.command("new-key")
@click.argument("file", type=click.Path(path_type=Path))
@common_options
@pass_output
def new_key(output: Output, file: Path) -> int:
    """Make a key for the encrypted file, in a FILE of its own that only you can read.

    Keep it outside of the folder with the encrypted file, and out of its backups: who has both has
    the passwords. An existing FILE is never overwritten.
    """
    source = write_key_file(file)
    path = source.path.absolute()
    output.line(f"made: {path}", "bold green")
    output.line(f"for a new store, set {registry.KEY_FILE_VARIABLE}={path}")
    output.line(f"for the one that you have: camsync store rotate --key-file {path}")
    output.document({"key_file": str(path), "variable": registry.KEY_FILE_VARIABLE})
    return OK


@store.command()
@click.option(
    "--key-file", metavar="FILE", help="Use this key from now on, instead of a passphrase."
)
@store_option
@common_options
@pass_output
def rotate(output: Output, key_file: str | None, store: str | None) -> int:
    """Give the encrypted file another passphrase, or another key.

    \b
    camsync store rotate                                     asks for the new passphrase
    camsync store rotate --key-file ~/camsync.key            made by: camsync store new-key

    The old key or passphrase is taken from the environment, or asked for.
    """  # noqa: D301 - click reads \b as "do not wrap"
    part = _single(store or _usual_file(), "--store")
    if part.path is None or not part.path.exists():
        msg = f"there is no encrypted file to rotate: {part.words}"
        raise CredentialNotFoundError(msg, next_step="see: camsync store show")
    part.names()  # the old passphrase first, and whether it is right
    encrypted: Any = part.store
    if key_file is not None:
        encrypted.rotate(key=KeyFromFile(key_file))
        step = f"set {registry.KEY_FILE_VARIABLE}={Path(key_file).expanduser().absolute()}"
    else:
        question = f"New passphrase for {part.path}"
        encrypted.rotate(passphrase=ask_new_secret(question, otherwise=no_key()))
        step = f"type it when you are asked, or set {registry.PASSPHRASE_VARIABLE}"
    output.line(f"changed: {part.words}", "bold green")
    output.line(f"next: {step}; unset the other CAMSYNC_KEY… and CAMSYNC_PASSPHRASE variables")
    output.document({"rotated": str(part.path), "next_step": step})
    return OK


def _usual_file() -> str:
    chosen = chosen_store(None)
    return chosen if chosen.partition(":")[0] == FILE else FILE


@store.command()
@click.option("--from", "source", metavar=_PLACE, required=True, help="Where they are.")
@click.option("--to", "target", metavar=_PLACE, required=True, help="Where they are to be.")
@click.option("--replace", is_flag=True, help="What is there under the same name, too.")
@common_options
@pass_output
def copy(output: Output, source: str, target: str, replace: bool) -> int:
    """Copy all passwords from one store to another.

    \b
    camsync store copy --from file --to keyring
    camsync store copy --from file:/old/credentials.camsync --to file

    Nothing is deleted. Where both hold different passwords under one name, nothing is copied,
    unless --replace is given.
    """  # noqa: D301 - click reads \b as "do not wrap"
    if source == target:
        msg = "--from and --to are the same store"
        raise ConfigurationError(msg, next_step="see: camsync store show")
    taker = _single(target, "--to")
    done = _copied(output, _single(source, "--from").store, taker, replace=replace)
    _report(output, done, taker)
    return OK


@store.command("import-vpack")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--key-file", metavar="FILE", required=True, help="VPACK's own, such as oauth_encryption.key."
)
@click.option("--to", "target", metavar=_PLACE, help="Where they are to be.  [default: --store's]")
@click.option("--replace", is_flag=True, help="What is there under the same name, too.")
@common_options
@pass_output
def import_vpack(
    output: Output, folder: Path, key_file: str, target: str | None, replace: bool
) -> int:
    """Copy the passwords that VPACK has encrypted in FOLDER.

    \b
    camsync store import-vpack tokens/ --key-file keys/oauth_encryption.key --to file

    Each recorder gets a profile, whose name is VPACK's id of it. VPACK's files stay as they are.
    Nothing is copied if one of them is damaged, or if a profile of that name is another recorder.
    """  # noqa: D301 - click reads \b as "do not wrap"
    from ..credentials.vpack import VpackTokenStore

    giver = VpackTokenStore(folder, KeyFromFile(key_file))
    taker = _first_writable(target)
    fresh = _new_profiles(giver)
    done = _copied(output, giver, taker, replace=replace)
    _report(output, done, taker, profiles=_remember(output, fresh))
    return OK


def _new_profiles(giver: VpackTokenStore) -> Sequence[Profile]:
    """Return the profiles to make for VPACK's recorders: its files know where they are.

    Raises:
        ConfigurationError: A name stands for another device already.
        DamagedStoreError: A file does not say what it should.
    """
    names = giver.names()  # first of all: it looks into each file
    known = {profile.name: profile for profile in Profiles().all()}
    found: dict[str, Profile] = {}
    for file in giver.files():
        profile = _profile_in(giver, file)
        if profile is not None:
            other = found.setdefault(profile.name, known.get(profile.name, profile))
            _check_same(giver.folder / file, profile, other)
    for name in names:
        there = known.get(name.account)
        if there is not None and there.provider == name.provider and name.account not in found:
            msg = (
                f"VPACK does not say where {name} is, and the profile {there.name} is {_at(there)}"
            )
            raise ConfigurationError(msg, next_step=_forget(there))
    return [profile for name, profile in found.items() if name not in known]


def _profile_in(giver: VpackTokenStore, file: str) -> Profile | None:
    """Return where VPACK's recorder is; None for what is none, or when the file names no host."""
    document, path = giver.read(file), giver.folder / file
    provider, inside = str(document.get("provider")), document["credentials"]
    if "nvr_id" in document and "provider" not in document:
        msg = f"{path} is damaged: it does not say whose nvr_id that is"
        raise DamagedStoreError(msg, next_step=_REPAIR)
    if "nvr_id" not in document or provider not in registry.available() or "host" not in inside:
        return None
    host, port, secure = (inside.get(each) for each in ("host", "port", "use_https"))
    if not isinstance(secure, (bool, type(None))):
        msg = f"{path} is damaged: use_https is neither true nor false"
        raise DamagedStoreError(msg, next_step=_REPAIR)
    try:
        return Profile(
            name=document["nvr_id"], provider=provider, host=host, port=port, https=bool(secure)
        )
    except ConfigurationError as error:
        msg = f"no profile can be made from {path}: {error.message}"
        raise DamagedStoreError(msg, next_step=_REPAIR) from error


def _check_same(path: Path, profile: Profile, other: Profile) -> None:
    if (profile.provider, profile.at) != (other.provider, other.at):
        msg = f"{path} is for {_at(profile)}, but the profile {other.name} is {_at(other)}"
        raise ConfigurationError(msg, next_step=_forget(other))


def _at(profile: Profile) -> str:
    return f"{profile.provider} at {address_text(*profile.at)}"


def _forget(profile: Profile) -> str:
    return f"nothing was copied; if it is the same device now: camsync logout {profile.name}"


def _remember(output: Output, fresh: Sequence[Profile]) -> list[str]:
    """Make the profiles: after the passwords, so that no name stands for a device without its own."""
    made: list[str] = []
    try:
        for profile in fresh:
            Profiles().replace(None, profile)
            made.append(profile.name)
    except CamsyncError:
        missing = [profile.name for profile in fresh if profile.name not in made]
        output.warning(f"the passwords were copied; profiles made: {_listed(made)}")
        output.warning(f"profiles not made: {_listed(missing)}")
        raise
    return made


def _copied(
    output: Output, giver: CredentialStore, taker: Part, *, replace: bool
) -> Sequence[CredentialName]:
    names = giver.names()
    # All of them can be read before the first one is written.
    given = {one: giver.get(one.provider, one.account, owner=one.owner) for one in names}
    clashes = [name for name in names if taker.previous(name) not in (None, given[name])]
    if clashes and not replace:
        msg = f"{taker.words} has other passwords under the same names: {_listed(clashes)}"
        raise ConfigurationError(msg, next_step="add --replace to overwrite them")
    try:
        return migrate(giver, taker.store)
    except (CamsyncError, KeyboardInterrupt):
        _say_what_was_copied(output, taker, given)
        raise


def _say_what_was_copied(
    output: Output, taker: Part, given: Mapping[CredentialName, Credential]
) -> None:
    try:
        there = [name for name, credential in given.items() if taker.previous(name) == credential]
    except CamsyncError as error:
        output.warning(f"it is not known what was copied: {error.message}")
        return
    output.warning(f"in {taker.words} by now: {_listed(there)}")
    output.warning(f"not copied: {_listed([name for name in given if name not in there])}")


def _listed(names: Sequence[CredentialName | str]) -> str:
    return ", ".join(name if isinstance(name, str) else _short(name) for name in names) or "none"


def _report(
    output: Output, done: Sequence[CredentialName], taker: Part, profiles: Sequence[str] = ()
) -> None:
    output.line(f"copied: {count_text(len(done), 'password')} to {taker.words}", "green")
    for name in done:
        output.line(f"  {_short(name)}")
    for profile in profiles:
        output.line(f"made: the profile {profile}")
    output.document(
        {
            "copied": [attrs.asdict(name) for name in done],
            "to": taker.kind,
            "where": taker.words,
            "profiles": list(profiles),
        }
    )


def _single(where: str, option: str) -> Part:
    if where == AUTOMATIC:
        msg = f"{option} must name one store"
        raise ConfigurationError(msg, next_step=f"use {_PLACE}")
    (part,) = parts_of(where, asker(where))
    return part


def _first_writable(where: str | None) -> Part:
    """Return the keyring or the file that *where* means; the environment cannot be written."""
    parts = parts_of(where, asker(where))
    return next((part for part in parts if part.kind != ENV), parts[0])
