"""The options of a search that only cloud accounts have: where to look, and whether to wake."""

from __future__ import annotations

import functools

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import click


Result = TypeVar("Result")


@attrs.frozen(kw_only=True)
class Account:
    """What the user said about the account; None and False for what was not said."""

    storage: str | None
    wake: bool

    def options(self) -> dict[str, Any]:
        """Return the provider's options that were given; the others keep their defaults."""
        given = attrs.asdict(self).items()
        return {name: value for name, value in given if value is not None and value is not False}


ACCOUNT_PARAMETERS = (
    click.option(
        "--storage",
        type=click.Choice(["cloud", "sd", "both"]),
        help="Cloud accounts: search the cloud, the memory cards, or both.  [default: both]",
    ),
    click.option(
        "--wake", is_flag=True, help="Cloud accounts: wake sleeping cameras; drains batteries."
    ),
)


def account_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add the options of cloud accounts; the command gets them as ``account``."""

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Result:
        names = [field.name for field in attrs.fields(Account)]
        account = Account(**{name: options.pop(name) for name in names})
        return function(*arguments, account=account, **options)

    decorated: Callable[..., Result] = command
    for parameter in reversed(ACCOUNT_PARAMETERS):
        decorated = parameter(decorated)
    return decorated
