"""``camsync usage``: what cloud accounts have used this month, as counted on this computer."""

from __future__ import annotations

import json

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs
import click

from .. import registry
from .._places import config_folder
from .._private import TO_READ, read_private
from .._secret import Secret
from .._url import ProviderUrl
from ..errors import ConfigurationError, DamagedStoreError
from ..profiles import Profile, Profiles
from ._exit import OK
from ._format import size_text
from ._options import LIMITS, common_options, pass_output, secret_text, store_option
from ._output import Output
from ._password import Sources, find_user
from ._place import find_place
from ._vendors import vendor_of


_PROVIDER = "imou"
_FILE = "imou-usage.json"
_COLUMNS = ("profile", "account", "month", "calls>", "of limit>", "media>", "of limit>")
_BY_METHOD = ("account", "method", "calls>")
_NO_SECRET = "nothing is sent"  # noqa: S105 - stands where a secret would, and opens nothing


class Counted(Protocol):
    """What an account has used in a month."""

    account: str
    month: str
    calls: int
    bytes: int
    by_method: Any
    max_calls: int | None
    max_bytes: int | None


@attrs.frozen(kw_only=True)
class _Limits:
    max_calls: int | None
    max_bytes: int | None

    def over(self, profiles: Sequence[Profile]) -> _Limits:
        """Return what counts: what was said, else the lowest limit of the profiles."""
        return _Limits(
            max_calls=self.max_calls
            if self.max_calls is not None
            else _lowest("max_calls", profiles),
            max_bytes=self.max_bytes
            if self.max_bytes is not None
            else _lowest("max_bytes", profiles),
        )


def _lowest(name: str, profiles: Sequence[Profile]) -> int | None:
    limits = [getattr(one, name) for one in profiles]
    return min((limit for limit in limits if limit is not None), default=None)


@click.command()
@click.argument("url", metavar="[URL|NAME]", default="", required=False, callback=secret_text)
@store_option
@LIMITS[0]
@LIMITS[1]
@common_options
@pass_output
def usage(
    output: Output, url: Secret, store: str | None, max_calls: int | None, max_bytes: int | None
) -> int:
    """Show the calls and the media bytes of cloud accounts this month; nothing is sent.

    \b
    camsync usage
    camsync usage imou://APPID@sg --max-calls 30000
    camsync usage home --json

    They are counted on this computer; the vendor's own count may be higher, because other computers
    and programs use the same account. Without URL or name all accounts are shown. The limits are
    those of the profile (see camsync login), unless others are given.
    """  # noqa: D301 - click reads \b as "do not wrap"
    limits = _Limits(max_calls=max_calls, max_bytes=max_bytes)
    known = _accounts()
    owners = _asked(url, store) if url else {account: _profiles_of(account) for account in known}
    accounts = list(owners)
    counted = [_counted(account, limits.over(owners[account])) for account in accounts]
    if not set(accounts) <= {*known}:
        (account,) = accounts
        output.line(f"nothing has been counted for {account} on this computer")
        output.line(f"accounts with counts: {', '.join(known) or 'none'}")
    elif counted:
        output.table("", _COLUMNS, _rows(counted, owners))
        output.table("", _BY_METHOD, _methods(counted))
        output.line("counted on this computer; the vendor's own count may be higher")
    else:
        output.line("nothing has been counted yet: no cloud account was used on this computer")
    names = {account: [one.name for one in found] for account, found in owners.items()}
    documents = [{**_json(one), "profiles": names[one.account]} for one in counted]
    output.document({"accounts": documents, "known": known})
    return OK


def _asked(url: Secret, store: str | None) -> dict[str, list[Profile]]:
    """Return the account that was asked for, with its profiles: a profile's name means this one."""
    place = find_place(url)
    if not vendor_of(place.url.provider).cloud:
        msg = f"nothing is counted for {place.url.provider}://, only for cloud accounts"
        raise ConfigurationError(msg, next_step="name an account: imou://APPID@sg, or a profile")
    profile, sources = place.profile, Sources(file=None, store=store)
    if profile is None or profile.username is None:
        account = find_user(place, sources)
    else:
        account = profile.username
    return {account: _profiles_of(account) if profile is None else [profile]}


def _profiles_of(account: str) -> list[Profile]:
    known = Profiles().all()
    return [one for one in known if (one.provider, one.username) == (_PROVIDER, account)]


def _accounts() -> list[str]:
    """Return the app ids in the file of counts; the provider reads the counts themselves."""
    path = config_folder() / _FILE
    content = read_private(path, others=TO_READ)
    try:
        accounts = {} if content is None else json.loads(content)["accounts"]
        return sorted(accounts)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        msg = f"{path} does not hold what camsync writes there"
        step = "delete it: the counts of this month are lost then"
        raise DamagedStoreError(msg, next_step=step) from error


def _counted(account: str, limits: _Limits) -> Counted:
    """Have the provider read the file. The place matters not: the file is one for all."""
    place = next(iter(vendor_of(_PROVIDER).places))
    url = ProviderUrl(provider=_PROVIDER, host=place, username=account)
    target = registry.Target(url=url, profile=None)
    options: dict[str, Any] = attrs.asdict(limits)
    with registry.connect_to(target, password=_NO_SECRET, **options) as provider:
        counted: Counted = provider.usage  # type: ignore[attr-defined]
        return counted


def _rows(
    counted: Sequence[Counted], owners: Mapping[str, Sequence[Profile]]
) -> Iterator[Sequence[str]]:
    for one in counted:
        yield (
            ", ".join(profile.name for profile in owners[one.account]),
            one.account,
            one.month,
            str(one.calls),
            "" if one.max_calls is None else str(one.max_calls),
            size_text(one.bytes),
            size_text(one.max_bytes),
        )


def _methods(counted: Sequence[Counted]) -> Iterator[Sequence[str]]:
    for one in counted:
        for method, calls in sorted(one.by_method.items()):
            yield one.account, method, str(calls)


def _json(one: Counted) -> dict[str, Any]:
    return {
        "account": one.account,
        "month": one.month,
        "calls": one.calls,
        "bytes": one.bytes,
        "by_method": dict(one.by_method),
        "max_calls": one.max_calls,
        "max_bytes": one.max_bytes,
    }
