"""``camsync login``: tests a recorder, stores its password, and remembers the way to it."""

from __future__ import annotations

import contextlib
import itertools

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from .. import registry
from ..credentials import Credential, CredentialName
from ..errors import CamsyncError, Category, CertificateError, ConfigurationError
from ..models import Check, CheckStatus
from ..profiles import Profile, Profiles
from ..provider import Provider
from ._advice import words
from ._certificate import Wish, decide, digits_of, show_certificate
from ._checks import check_code, listed_by, show_check, steps_of
from ._connection import Target, as_user, login_options
from ._exit import OK
from ._json import check_json, error_json
from ._link import NoChannelsError, no_channels
from ._options import common_options, pass_output
from ._output import Output
from ._password import (
    ask_password,
    ask_user,
    given_password,
    password_from_file,
    with_user,
)
from ._place import address_text
from ._profiles import profile_json
from ._prompt import confirmed
from ._stores import ENV, FILE, Part, Saving, asker, check_target, has_key, parts_of
from ._trust import HTTPS_PORT, fetch
from ._vendors import Vendor, check_options, check_place, vendor_of
from ._whereto import chosen_name, place_of, with_namesake


_ALARMING = frozenset({"tcp", "login"})
_PIN = "sha256:"
_OLD = "old_tls"


@click.command()
@login_options
@click.option("--name", metavar="NAME", help="Of the profile.  [default: the host]")
@click.option("--no-test", is_flag=True, help="Store without asking the recorder.")
@click.option(
    "--yes", is_flag=True, help="Ask less: take the default name, trust a certificate on first use."
)
@common_options
@pass_output
def login(output: Output, target: Target, name: str | None, no_test: bool, yes: bool) -> int:
    """Test a recorder or an account and store its password.

    \b
    camsync login hikvision://admin@192.168.1.64 --name front-shop
    camsync login hikvisions://admin@192.168.1.64 --name front-shop
    camsync login front-shop                                 a new password, for example
    camsync login imou                                       asks for app id and app secret
    camsync login imou://APPID@sg --name home --max-calls 25000

    The way to it is remembered under a name; what is missing is asked for. Nothing is stored before
    the recorder has accepted the password; a wrong one costs one failed login. The password goes to
    the keyring of this system, where there is one, else into an encrypted file; --store chooses.
    From then on the name is enough:

    \b
    camsync channels hikvision://front-shop
    camsync.connect("hikvision://front-shop")
    """  # noqa: D301 - click reads \b as "do not wrap"
    attempt = _Attempt.of(output, target, name=name, yes=yes)
    credential = attempt.credential()
    broken = None if no_test else attempt.test(credential)
    if broken is not None:
        return attempt.refused(broken)
    attempt.save(credential)
    return OK


@attrs.define(kw_only=True)
class _Attempt:
    """One login, from the questions to the profile."""

    output: Output
    target: Target
    place: registry.Target
    name: str
    yes: bool
    options: dict[str, Any]
    parts: Sequence[Part]
    checks: list[Check] = attrs.field(factory=list)
    empty: NoChannelsError | None = None
    device: str | None = None
    learnt: dict[str, Any] = attrs.field(factory=dict)

    @classmethod
    def of(cls, output: Output, target: Target, *, name: str | None, yes: bool) -> _Attempt:
        place = place_of(target.url)
        options = target.options()
        check_options(place.url.provider, options)
        check_place(place)
        chosen = name or chosen_name(place, yes=yes)
        place = with_namesake(place, chosen)
        old = place.profile
        if (old is not None and old.learnt) or vendor_of(place.url.provider).cloud:
            options["learnt"] = None  # it is found out anew
        attempt = cls(
            output=output,
            target=target,
            place=place,
            name=chosen,
            yes=yes,
            options=options,
            parts=parts_of(target.store, asker(target.store)),
        )
        if old is not None:
            attempt.device, attempt.learnt = old.device, dict(old.learnt)
        attempt.profile()  # a name that cannot be one is refused before anything is asked
        return attempt

    @property
    def vendor(self) -> Vendor:
        """How to speak of what is logged in to."""
        return vendor_of(self.place.url.provider)

    def credential(self) -> Credential:
        """Take or ask for user name and password."""
        stored = CredentialName(self.place.url.provider, self.name)
        if [part.kind for part in self.parts] == [ENV]:
            check_target(self.parts, stored)
            return self._of_the_environment(stored)
        given = self.place.url.username
        word = self.vendor.user.lower().removesuffix(" name")
        nobody = ConfigurationError(
            f"the URL names no {word}, and there is no terminal to ask",
            next_step=f"write {with_user(self.place)}",
        )
        provider, where = self.place.url.provider, self.place.host
        username = given or ask_user(provider, where, otherwise=nobody)
        self._check_owner(username)
        check_target(self.parts, stored)
        password = given_password(self.output, self.target.password_file, given)
        if password is None:
            password = ask_password(provider, where, username)
        return Credential(username=username, secret=password)

    def _check_owner(self, username: str) -> None:
        """Have nobody lose the password of another user unasked.

        Raises:
            ConfigurationError: The name belongs to another one, and the answer was no.
        """
        old = next((one for one in Profiles().all() if one.name == self.name), None)
        if old is None or old.username in {None, username}:
            return
        owner = f"{'app' if vendor_of(old.provider).cloud else 'user'} {old.username}"
        refused = ConfigurationError(
            f"{self.name} belongs to {owner}; nothing was changed",
            next_step=f"use --name NAME, or camsync logout {self.name} first",
        )
        question = f"{self.name} belongs to {owner}. Replace it, and forget what is stored for it?"
        if self.yes or not confirmed(question, otherwise=refused):
            raise refused

    def _of_the_environment(self, stored: CredentialName) -> Credential:
        """Return what its variables hold: they cannot be written, so only a profile is made.

        Raises:
            CredentialNotFoundError: A variable is missing.
            ReadOnlyStoreError: Another password was given.
            ConfigurationError: It belongs to another user than the URL's.
        """
        (part,) = self.parts
        place = (stored.provider, stored.account)
        if self.target.password_file is not None:
            given = password_from_file(self.output, self.target.password_file)
            part.store.set(*place, Credential(username="-", secret=given))  # it says why not
        found = part.store.get(*place)
        if self.place.url.username not in {None, found.username}:
            msg = f"the variables of {self.name} are those of another user than the URL's"
            raise ConfigurationError(msg, next_step="leave the user out of the URL")
        return found

    def test(self, credential: Credential) -> Check | None:
        """Run the connection test; return the step that forbids saving, or None."""
        broken = self._run(credential)
        if broken is not None and self._pin_after(broken):
            return self._run(credential)
        return broken

    def _run(self, credential: Credential) -> Check | None:
        self.checks.clear()
        named = as_user(self.place, credential.username)
        secret = credential.secret  # tried whatever is remembered of it: somebody has typed it
        provider = registry.connect_to(named, password=secret, insist=True, **self.options)
        with contextlib.closing(provider):
            for check in steps_of(provider):
                self.checks.append(check)
                show_check(self.output, check)
                if check.status is CheckStatus.FAILED and check.name in self.vendor.needed:
                    return check
            self._learn(provider, credential.username)
        return None

    def _learn(self, provider: Provider, username: str) -> None:
        if not self.vendor.cloud:
            device, *_ = provider.devices()
            self.device = device.id
        elif listed_by(self.checks) and not provider.channels():
            self.empty = no_channels(self.place, username)
        self.learnt = dict(getattr(provider, "learnt", {}))

    def _pin_after(self, broken: Check) -> bool:
        """Whether the certificate was not trusted, but is from now on.

        Raises:
            CertificateError: The answer was no, or there is nobody to ask.
        """
        stored = self.place.options().get("verify")
        chosen = "verify" in self.options or not str(stored or _PIN).startswith(_PIN)
        if broken.name != "tls" or broken.category is not Category.TLS or chosen:
            return False
        if _OLD in broken.advice:  # no pin would help
            return False
        host, port = self.place.host, self.place.options().get("port", HTTPS_PORT)
        certificate = fetch(host, port, self.target.patience)
        pin = certificate.fingerprint
        if stored is not None and digits_of(stored) == digits_of(pin):
            return False
        show_certificate(self.output, address_text(host, port), certificate)
        wish = Wish(yes=self.yes)
        pinned = [] if stored is None else [stored]
        profile = self.place.profile
        command = f"camsync trust {address_text(host, port) if profile is None else profile.name}"
        decide(
            self.output,
            certificate,
            pinned,
            wish,
            command=command,
            otherwise=_untrusted(stored, pin, command),
        )
        self.options["verify"] = pin
        return True

    def refused(self, broken: Check) -> int:
        """Say that nothing was saved; return the exit code."""
        error = CamsyncError(
            f"nothing was saved, because step '{broken.name}' failed: {broken.seen}",
            next_step=broken.advice or None,
        )
        if self.output.json:
            category = None if broken.category is None else broken.category.value
            entry = {**error_json(error), "category": category}
            self.output.document({"saved": False, "checks": self._checks(), "error": entry})
        else:
            self.output.problem("error", error)
        return check_code(broken)

    def _checks(self) -> list[dict[str, Any]]:
        return [check_json(check) for check in self.checks]

    def profile(self) -> Profile:
        """Return what is to be remembered: the old profile, with what was said this time."""
        stored = self.place.options()
        found = {**stored, **self.options}
        old = self.place.profile
        zone = self.target.timezone or (None if old is None else old.timezone)
        verify = found.get("verify")
        if verify is False:  # is said each time, or not at all
            verify = stored.get("verify")
        return Profile(
            name=self.name,
            provider=self.place.url.provider,
            host=self.place.host,
            port=found.get("port"),
            https=found.get("https", False),
            verify=None if verify is None else _lasting(str(verify)),
            old_tls=found.get("old_tls", False),
            allow_basic=found.get("allow_basic", False),
            timezone=zone,
            time_mode=found.get("time_mode", "auto"),
            max_calls=found.get("max_calls"),
            max_bytes=found.get("max_bytes"),
            device=self.device,
            learnt=self.learnt,
        )

    def save(self, credential: Credential) -> None:
        """Store the credential, then the profile, and say so."""
        if self.empty is not None and not self.output.json:
            self.output.warning(self.empty.message)
            self.output.note(f"  next step: {self.empty.next_step}")
        profile = attrs.evolve(self.profile(), username=credential.username)
        saved = Saving.of(self.parts, profile)
        saved.run(credential, self.output.warning)
        earlier = itertools.takewhile(lambda part: part is not saved.part, self.parts)
        hidden = [part for part in earlier if part.previous(saved.name)]
        if hidden:
            word = self.vendor.secret.lower()
            self.output.warning(
                f"{hidden[0].words} has another {word} for {self.name}, which comes first "
                f"({' and '.join(hidden[0].variables(saved.name))})"
            )
        self._report(profile, saved, credential)

    def _report(self, profile: Profile, saved: Saving, credential: Credential) -> None:
        say, url = self.output.line, f"{profile.provider}://{profile.name}"
        moved = saved.old.host if saved.old and saved.old.host != profile.host else None
        old = self.place.profile
        if old is not None and old.device not in {None, profile.device}:
            self.output.warning(f"another device answers there now: {profile.device}")
        replaced = saved.before is not None or moved is not None
        say(
            f"saved: {profile.name}{', in the place of what was there' if replaced else ''}",
            "green",
        )
        if moved is not None and not self.output.json:
            thing = "account" if self.vendor.cloud else "device"
            self.output.warning(f"{profile.name} was another {thing} before: {moved}")
        word = self.vendor.secret.lower()
        say(f"  the {word} of {credential.username} is in {saved.part.words}")
        if ":" in (self.target.store or ""):
            say(f"  which is found with --store, or {registry.STORE_VARIABLE}={self.target.store}")
        if saved.part.kind == FILE and not has_key():
            say("  for use without a terminal, give the file a key in place of the passphrase:")
            say("  camsync store new-key KEYFILE; camsync store rotate --key-file KEYFILE")
            say(f"  and set {registry.KEY_FILE_VARIABLE}=KEYFILE where programs run")
        say("next:")
        say(f"  camsync channels {url}", "bold")
        say(f'  camsync.connect("{url}")  # in Python')
        alarms = [check for check in self.checks if _is_alarm(check)]
        self._alarm(alarms)
        self.output.document(
            {
                "saved": True,
                "replaced": replaced,
                "url": url,
                "profile": profile_json(profile),
                "username": credential.username,
                "store": saved.part.kind,
                "where": saved.part.words,
                "warnings": [*map(_alarm_text, alarms), *map(str, filter(None, [self.empty]))],
                "checks": self._checks(),
            }
        )

    def _alarm(self, alarms: list[Check]) -> None:
        if self.target.insecure_no_verify and not self.output.json:
            self.output.note("--insecure-no-verify is not remembered; pin it: camsync trust")
        for check in () if self.output.json else alarms:
            self.output.note(f"WARNING: {_alarm_text(check)}", "bold red")


def _is_alarm(check: Check) -> bool:
    return check.status is CheckStatus.WARNING and check.name in _ALARMING


def _alarm_text(check: Check) -> str:
    return f"{words(check.seen)}: {words(check.advice)}"


def _lasting(verify: str) -> str:
    """Return the path of a CA file so that it is found from every folder."""
    return verify if verify.lower().startswith(_PIN) else str(Path(verify).absolute())


def _untrusted(stored: str | None, pin: str, command: str) -> CertificateError:
    replacing = "" if stored is None else " --replace"
    msg = "the certificate is not trusted, and there is no terminal to ask; nothing was saved"
    return CertificateError(
        msg,
        expected=stored,
        actual=pin,
        next_step=f"compare the fingerprint, then use --verify {pin}, or run first: "
        f"{command} --yes{replacing}",
    )
