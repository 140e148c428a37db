"""The steps of a connection test: how they are run and shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from ..errors import UnsupportedError
from ..models import Check, CheckStatus
from ..provider import Provider
from ._advice import words
from ._exit import CODES, FAILED
from ._output import Output


_LISTING = "devices"
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


def steps_of(provider: Provider) -> Iterator[Check]:
    """Run the test; a step is done when it is asked for.

    Raises:
        UnsupportedError: The provider has none.
    """
    if not isinstance(provider, Diagnosing):
        msg = f"the provider {provider.name!r} has no connection test"
        raise UnsupportedError(msg)
    return provider.diagnose()


def show_check(output: Output, check: Check) -> None:
    """Print one step and what to do about it."""
    output.line(f"{check.status.value:8} {check.name:9} {words(check.seen)}", _STYLES[check.status])
    if check.advice:
        output.line(f"{'':19}-> {words(check.advice)}")


def listed_by(checks: Sequence[Check]) -> bool:
    """Whether the test of an account came as far as listing its devices."""
    good = (CheckStatus.OK, CheckStatus.WARNING)
    return any(check.name == _LISTING and check.status in good for check in checks)


def check_code(failed: Check) -> int:
    """Return the exit code of a failed step."""
    return FAILED if failed.category is None else CODES[failed.category]
