"""What stands in the place of the URL: a URL, the name of a profile, or, for some, a bare host."""

from __future__ import annotations

import contextlib
import difflib
import re

from collections.abc import Iterator

from .. import registry
from .._secret import Secret
from ..errors import ConfigurationError, MissingExtraError
from ..profiles import Profiles
from ._advice import next_step, words


_SCHEME = "://"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_HOST = re.compile(r"(?:[^\s:@/?#]+@)?(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)


def find_place(text: Secret, *, hosts: bool = False) -> registry.Target:
    """Find out which device *text* means.

    Args:
        text: A `Secret`, because people do type passwords into URLs.
        hosts: Whether ``[USER@]HOST[:PORT]`` will do.

    Raises:
        ConfigurationError: It is neither a URL nor a profile.
    """
    if _SCHEME in text.reveal():
        return registry.resolve(text)
    profiles = Profiles()
    known = profiles.all()
    for profile in known:
        if profile.name == text.reveal():
            return registry.resolve(f"{profile.provider}://{profile.name}", profiles)
    if hosts and _HOST.fullmatch(text.reveal()):
        return registry.resolve(Secret(f"{default_provider()}://{text.reveal()}"), profiles)
    near = _near_names(text)
    if near or _NAME.fullmatch(text.reveal()):
        # What resembles no profile is not repeated: people do type passwords.
        which = repr(text.reveal()) if near else "of that name"
        msg = f"there is no profile {which}, and without a scheme it is no URL"
        step = f"{near or names_text()}; or write hikvision://USER@HOST or imou://APPID@sg"
        raise ConfigurationError(msg, next_step=step)
    return registry.Target(url=registry.parse_url(text), profile=None)


def _near_names(text: Secret) -> str:
    """Return a question for the profiles that may be meant; empty where none is similar."""
    if not _NAME.fullmatch(text.reveal().lower()):
        return ""
    names = [profile.name for profile in Profiles().all()]
    near = difflib.get_close_matches(text.reveal().lower(), names)
    return f"did you mean {' or '.join(map(repr, near))}" if near else ""


@contextlib.contextmanager
def said_at(named: str) -> Iterator[None]:
    """Have errors of the block name the place in a file at which the mistake was written down.

    Args:
        named: The beginning of their messages; empty for a command line.

    Raises:
        ConfigurationError: The block has raised one.
    """
    try:
        yield
    except MissingExtraError:
        raise
    except ConfigurationError as error:
        if not named:
            raise
        msg = f"{named}{words(error.message)}"
        raise ConfigurationError(msg, next_step=next_step(error)) from error


def names_text() -> str:
    """Return which profiles there are."""
    names = [profile.name for profile in Profiles().all()]
    return f"the profiles are: {', '.join(names)}" if names else "there are no profiles yet"


def default_provider() -> str:
    """Return the provider of an address that names none."""
    return next(iter(registry.available()))


def default_name(host: str, port: int | None) -> str:
    """Return a name for the profile of a device that nobody has named."""
    text = host if port is None else f"{host}-{port}"
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:63].strip("._-") or "recorder"


def address_text(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
