"""``camsync trust``: pins a recorder's certificate after somebody has looked at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import click

from .. import registry
from .._secret import Secret
from ..errors import CamsyncError, ConfigurationError
from ..profiles import Profile, Profiles
from ._certificate import Wish, certificate_json, decide, digits_of, show_certificate
from ._exit import OK, code_for
from ._json import error_json
from ._options import Finite, common_options, pass_output, secret_text
from ._output import Output
from ._place import address_text, default_name, find_place
from ._vendors import vendor_of


if TYPE_CHECKING:
    from ..transport import Certificate

HTTPS_PORT = 443
_TIMEOUT = 10.0
_LONGEST_TIMEOUT = 600.0


@click.command()
@click.argument("url", metavar="HOST[:PORT]|URL|NAME", callback=secret_text)
@click.option("--fingerprint", metavar="sha256:HEX", help="Pin it only if it is exactly this one.")
@click.option("--yes", is_flag=True, help="Do not ask: trust what is shown on first use.")
@click.option("--replace", is_flag=True, help="With --yes: also in the place of another pin.")
@click.option("--name", metavar="NAME", help="Of the profile, if there is none yet.")
@click.option(
    "--timeout",
    type=Finite(min=0, min_open=True, max=_LONGEST_TIMEOUT),
    default=_TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the recorder.",
)
@common_options
@pass_output
def trust(output: Output, /, url: Secret, name: str | None, timeout: float, **wish: Any) -> int:
    """Show the certificate of a recorder and pin it after a yes.

    \b
    camsync trust 192.168.1.64
    camsync trust front-shop
    camsync trust 192.168.1.64 --fingerprint sha256:HEX

    The pin is kept in the recorder's profile, or in a new one that is called like the host; from
    then on hikvisions://USER@HOST trusts this one certificate and no other. Nothing but the TLS
    handshake is done: no user name and no password is sent.

    In scripts, --fingerprint is the safe way. --yes believes what is shown the first time; it
    replaces no other pin without --replace.
    """  # noqa: D301 - click reads \b as "do not wrap"
    wanted = Wish(**wish)
    book = Profiles()
    draft = _Draft.of(find_place(url, hosts=True), book, name)
    certificate = fetch(draft.host, draft.port, timeout)
    show_certificate(output, draft.where, certificate)
    document: dict[str, Any] = {
        "host": draft.host,
        "port": draft.port,
        "certificate": certificate_json(certificate),
    }
    pin = certificate.fingerprint
    others = draft.others(pin)
    try:
        if wanted.fingerprint is not None or not draft.settled(pin):
            decide(
                output,
                certificate,
                others,
                wanted,
                command=f"camsync trust {draft.called}",
                otherwise=_nobody_to_ask(pin),
            )
    except CamsyncError as error:
        if not output.json:
            raise
        output.document({**document, "pinned": [], "error": error_json(error)})
        return code_for(error)
    _pin(output, book, draft, pin)
    _report(output, draft, {**document, "replaced": bool(others)})
    return OK


def fetch(host: str, port: int, timeout: float) -> Certificate:
    """Return the certificate that the device shows."""
    from ..transport import fetch_certificate

    return fetch_certificate(host, port, timeout=timeout)


@attrs.frozen(kw_only=True)
class _Draft:
    """The device, and the profiles that are to know its certificate."""

    host: str
    port: int
    profiles: Sequence[Profile]
    new: bool
    given_port: int | None

    @classmethod
    def of(cls, place: registry.Target, book: Profiles, name: str | None) -> _Draft:
        profile, url = place.profile, place.url
        if (profile.host if profile else url.host) in vendor_of(url.provider).places:
            msg = "a cloud's certificates are vouched for by public roots: there is nothing to pin"
            raise ConfigurationError(msg, next_step="go on without; they are checked each time")
        if profile is not None and (profile.name, None) == (url.host, url.port):
            chosen = [profile]
        else:
            chosen = [one for one in book.all() if _is_at(one, url.provider, url.host, url.port)]
        host = chosen[0].host if chosen else url.host
        new = not chosen
        if new:
            called = name or default_name(url.host, url.port)
            chosen = [Profile(name=called, provider=url.provider, host=host, port=url.port)]
            _refuse_namesake(book, called)
        secure = next((one.port for one in chosen if one.https and one.port), None)
        return cls(
            host=host,
            port=url.port or secure or HTTPS_PORT,
            profiles=chosen,
            new=new,
            given_port=url.port,
        )

    @property
    def where(self) -> str:
        return address_text(self.host, self.port)

    @property
    def called(self) -> str:
        """What to type for it."""
        return self.where if self.new or len(self.profiles) > 1 else self.profiles[0].name

    def others(self, pin: str) -> list[str]:
        """Return what else is trusted by now: pins, and files with a CA."""
        trusted = {one.verify for one in self.profiles if one.verify is not None}
        return sorted(each for each in trusted if digits_of(each) != digits_of(pin))

    def settled(self, pin: str) -> bool:
        """Whether all profiles have that pin already."""
        return all(one == new for one, new in zip(self.profiles, self.pinned(pin), strict=True))

    def pinned(self, pin: str) -> list[Profile]:
        """Return the profiles with the pin. It is of use with TLS only."""
        return [
            attrs.evolve(
                one,
                https=True,
                verify=pin,
                port=one.port if one.https else self.given_port,
            )
            for one in self.profiles
        ]


def _pin(output: Output, book: Profiles, draft: _Draft, pin: str) -> None:
    """Store the pin, unless a profile is no longer what was looked at when the question was asked."""
    done: list[str] = []
    try:
        for before, after in zip(draft.profiles, draft.pinned(pin), strict=True):
            book.replace(None if draft.new else before, after)
            done.append(after.name)
    except CamsyncError:
        if done:
            output.warning(f"pinned all the same in: {', '.join(done)}")
        raise


def _is_at(profile: Profile, provider: str, host: str, port: int | None) -> bool:
    if profile.https:
        mine, theirs = profile.port or HTTPS_PORT, port or HTTPS_PORT
    else:
        mine, theirs = profile.port or 0, port or 0
    return (profile.provider, profile.host, mine) == (provider, host, theirs)


def _refuse_namesake(book: Profiles, name: str) -> None:
    taken = [one.host for one in book.all() if one.name == name]
    if taken:
        msg = f"the profile {name} belongs to another device: {taken[0]}"
        raise ConfigurationError(msg, next_step="give the new one another name: --name NAME")


def _nobody_to_ask(pin: str) -> ConfigurationError:
    msg = "nothing was pinned: there is no terminal to ask whether this certificate is trusted"
    return ConfigurationError(
        msg, next_step=f"compare the fingerprint, then run it again with --fingerprint {pin}"
    )


def _report(output: Output, draft: _Draft, document: dict[str, Any]) -> None:
    names = [profile.name for profile in draft.profiles]
    for before in draft.profiles:
        output.line(f"pinned in the profile {before.name}", "green")
        if not before.https and not draft.new:
            output.line(f"  {before.name} uses HTTPS from now on")
    if draft.new:
        output.line(f"next: camsync login {names[0]}")
    output.document({**document, "pinned": names})
