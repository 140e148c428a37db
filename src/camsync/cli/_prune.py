"""``camsync prune``: deleting old footage, and never most of it by a slip."""

from __future__ import annotations

import contextlib
import datetime as dt
import re

from typing import TYPE_CHECKING, Any

import attrs
import click

from .._secret import Secret
from .._typed import parse_length, parse_size
from ..errors import ConfigurationError
from ._exit import FAILED, OK
from ._format import count_text, size_text
from ._held import known, opened
from ._output import Output
from ._upkeep import list_entries, of_a_folder, paths_of, stoppable


if TYPE_CHECKING:
    from ..catalogue import Holdings, Pruning


_FEW = 20
"""So many files may go without a question, whatever part of all they are."""
_NUMBER = re.compile(r"(\d{1,12})(%?)", re.ASCII)


@attrs.frozen
class Allowance:
    """How many files one call may delete.

    Attributes:
        number: Of files, or percents of those that are held; None for half of them.
    """

    number: int | None = None
    percent: bool = False

    def most(self, held: int) -> int:
        """Return the number of files when *held* are there."""
        if self.number is None:
            return max(_FEW, held // 2)
        return held * self.number // 100 if self.percent else self.number

    def check(self, held: int, deleted: int) -> None:
        """Refuse to delete more than is allowed.

        Raises:
            ConfigurationError: It is more.
        """
        if deleted <= self.most(held):
            return
        limit = "more than half" if self.number is None else "more than --max-delete allows"
        msg = f"{deleted} of {count_text(held, 'file')} would be deleted, {limit}: none was"
        step = f"if that is meant, add --max-delete {deleted}, or --max-delete 100%"
        raise ConfigurationError(msg, next_step=step)


def _allowance(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Allowance:
    if text is None:
        return Allowance()
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        msg = f"--max-delete: {text[:60]!r} is no number of files"
        raise ConfigurationError(msg, next_step="write 500, or 60%")
    return Allowance(int(match[1]), bool(match[2]))


@click.command()
@click.option("--keep", metavar="LENGTH", help="Delete what ended longer ago: 30d.")
@click.option("--max-bytes", metavar="SIZE", help="Delete the oldest until this is enough: 500G.")
@click.option(
    "--max-delete",
    "allowed",
    metavar="N|P%",
    callback=_allowance,
    help="Delete nothing if it would be more files than this: 500, or 60% of those that are held."
    "  [default: half of them, or 20]",
)
@click.option("--yes", is_flag=True, help="Delete; without it, only say what would be deleted.")
@of_a_folder
def prune(
    output: Output,
    folder: str,
    config: str | None,
    catalogue: Secret | None,
    keep: str | None,
    max_bytes: str | None,
    allowed: Allowance,
    yes: bool,
) -> int:
    """Delete old footage that camsync has fetched; only with --yes, else it says what it would do.

    \b
    camsync prune footage/ --keep 30d
    camsync prune footage/ --max-bytes 500G --yes

    Only files are deleted that camsync has written and that nobody has changed since. What was
    pruned is not fetched again. If more than half of all files would go (and more than 20), none
    does, unless --max-delete allows it. The exit code is 1 if a file could not be deleted.
    """  # noqa: D301 - click reads \b as "do not wrap"
    limits = _limits(keep, max_bytes)
    with stoppable(output) as stop, opened(catalogue, config) as book:
        holdings = known(book, folder)
        with holdings.lock() if yes else contextlib.nullcontext():
            held = _held(holdings)
            if yes and allowed.most(held) < held:
                planned = holdings.prune(dry_run=True, cancel=stop, **limits)
                allowed.check(held, len(planned.deleted))
            found = holdings.prune(dry_run=not yes, cancel=stop, **limits)
    output.document(_pruned(found))
    _show(output, found)
    if found.dry_run and len(found.deleted) > allowed.most(held):
        output.line(f"that is much of {count_text(held, 'file')}: it needs --max-delete, too")
    return FAILED if found.kept and not found.dry_run else OK


def _held(holdings: Holdings) -> int:
    """Return how many files are held."""
    from ..catalogue import State

    return sum(entry.held for entry in holdings.entries(states=[State.VERIFIED]))


def _limits(keep: str | None, max_bytes: str | None) -> dict[str, Any]:
    if keep is None and max_bytes is None:
        msg = "nothing says what is to be deleted"
        raise ConfigurationError(msg, next_step="give --keep 30d or --max-bytes 500G")
    length: dt.timedelta | None = None if keep is None else parse_length(keep)
    return {"keep": length, "max_bytes": None if max_bytes is None else parse_size(max_bytes)}


def _show(output: Output, found: Pruning) -> None:
    verb = "would be deleted" if found.dry_run else "deleted"
    list_entries(output, found.deleted, verb)
    for entry, reason in found.kept:
        output.line(f"{entry.path}: kept, it {reason}")
    summary = f"{count_text(len(found.deleted), 'file')}, {size_text(found.bytes)} {verb}"
    output.line(f"{summary}; {size_text(found.left)} left")
    if found.dry_run and found.deleted:
        output.line("nothing was deleted: --yes does it")


def _pruned(found: Pruning) -> dict[str, Any]:
    return {
        "dry_run": found.dry_run,
        "deleted": paths_of(found.deleted),
        "kept": [
            {"key": entry.key.uri, "path": str(entry.path), "reason": reason}
            for entry, reason in found.kept
        ],
        "bytes": found.bytes,
        "left": found.left,
    }
