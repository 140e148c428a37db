"""``camsync doctor``: what works between here and the recorder, and what to do about the rest."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import click

from ..errors import UnsupportedError
from ..models import Check, CheckStatus
from ..provider import Provider
from ._advice import words
from ._connection import Target, connected, connection_options
from ._exit import CODES, FAILED, OK
from ._json import check_json
from ._options import common_options, pass_output
from ._output import Output


_STYLES = MappingProxyType(
    {
        CheckStatus.OK: "green",
        CheckStatus.WARNING: "yellow",
        CheckStatus.FAILED: "bold red",
        CheckStatus.SKIPPED: "dim",
    }
)


@runtime_checkable
class Diagnosing(Protocol):
    """A provider that can test its connection."""

    def diagnose(self) -> Iterator[Check]:
        """Yield the steps as they are done."""
        ...


@click.command()
@connection_options
@common_options
@pass_output
def doctor(output: Output, target: Target) -> int:
    """Test the connection step by step and say what to do.

    \b
    camsync doctor hikvision://admin@192.168.1.64
    camsync doctor hikvisions://admin@192.168.1.64 --verify sha256:HEX --json

    The steps are TCP, TLS, lock state, login, clock (and what 'Z' means), channels, search, and the
    first bytes of a download. A wrong password costs one failed login, never more. The exit code
    is that of the first step that failed.
    """  # noqa: D301 - click reads \b as "do not wrap"
    with connected(output, target) as provider:
        checks = []
        for check in _diagnose(provider):
            checks.append(check)
            _show(output, check)
    failed = [check for check in checks if check.status is CheckStatus.FAILED]
    output.document({"ok": not failed, "checks": [check_json(check) for check in checks]})
    return _code(failed[0]) if failed else OK


def _diagnose(provider: Provider) -> Iterator[Check]:
    if not isinstance(provider, Diagnosing):
        msg = f"the provider {provider.name!r} has no connection test"
        raise UnsupportedError(msg)
    return provider.diagnose()


def _show(output: Output, check: Check) -> None:
    output.line(f"{check.status.value:8} {check.name:9} {words(check.seen)}", _STYLES[check.status])
    if check.advice:
        output.line(f"{'':19}-> {words(check.advice)}")


def _code(failed: Check) -> int:
    return FAILED if failed.category is None else CODES[failed.category]
