"""``camsync reconcile``, ``prune`` and ``rearm``: keeping catalogue and disk in order."""

from __future__ import annotations

import contextlib
import datetime as dt

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from .._secret import Secret
from .._typed import parse_length, parse_size
from ..errors import ConfigurationError
from ._exit import FAILED, OK
from ._format import count_text, size_text
from ._held import known, opened
from ._options import common_options, pass_output
from ._output import Output
from ._signals import Stop
from ._status import config_option
from ._sync_options import catalogue_option, decorate
from ._watch import in_time


if TYPE_CHECKING:
    from ..catalogue import Entry, Pruning, Reconciliation


_STOPPING = "stopping; once more ends at once"
_FOLDER = click.argument("folder", metavar="DIRECTORY")


def _held(function: Any) -> Any:
    """Add what all three take."""
    return decorate(
        function, (_FOLDER, config_option, catalogue_option, common_options, pass_output)
    )


@click.command()
@click.option("--deep", is_flag=True, help="Read all files, and compare their SHA-256.")
@click.option(
    "--repair", is_flag=True, help="Have recordings whose file was changed fetched again, too."
)
@click.option("--forget", is_flag=True, help="The disk is gone for good: fetch again what it held.")
@_held
def reconcile(
    output: Output,
    folder: str,
    config: str | None,
    catalogue: Secret | None,
    deep: bool,
    repair: bool,
    forget: bool,
) -> int:
    """Compare the catalogue with the disk, both ways.

    \b
    camsync reconcile footage/
    camsync reconcile footage/ --deep --repair

    A recording whose file is missing is fetched again by the next run; a file that was moved
    within the folder is found. No file is changed or deleted. The exit code is 1 if the two differ.
    Where no file is left at all, the disk may not be mounted: only --forget believes it.
    """  # noqa: D301 - click reads \b as "do not wrap"
    with _stoppable(output) as stop, opened(catalogue, config) as book:
        holdings = known(book, folder)
        with holdings.lock():
            found = holdings.reconcile(deep=deep, repair=repair, forget=forget, cancel=stop)
    output.document(_reconciled(found, repair=repair))
    again = "are fetched again" if repair else "--repair has them fetched again"
    _list(output, found.missing, "missing: fetched again by the next run")
    _list(output, found.changed, f"changed: {again}")
    _list(output, found.adopted, "moved: found again")
    for path in found.unknown:
        output.line(f"unknown: {path}")
    for path in found.parts:
        output.line(f"left over: {path}")
    for path in found.unreadable:
        output.line(f"unreadable: {path}")
    output.line(
        f"{count_text(found.checked, 'file')} checked" + (", all well" if found.clean else "")
    )
    return OK if found.clean else FAILED


def _list(output: Output, entries: Iterable[Entry], what: str) -> None:
    for entry in entries:
        output.line(f"{entry.path}: {what}")


def _paths(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [{"key": entry.key.uri, "path": str(entry.path)} for entry in entries]


def _reconciled(found: Reconciliation, *, repair: bool) -> dict[str, Any]:
    return {
        "clean": found.clean,
        "checked": found.checked,
        "repair": repair,
        "missing": _paths(found.missing),
        "changed": _paths(found.changed),
        "adopted": _paths(found.adopted),
        "unknown": [str(path) for path in found.unknown],
        "parts": [str(path) for path in found.parts],
        "unreadable": [str(path) for path in found.unreadable],
    }


@click.command()
@click.option("--keep", metavar="LENGTH", help="Delete what ended longer ago: 30d.")
@click.option("--max-bytes", metavar="SIZE", help="Delete the oldest until this is enough: 500G.")
@click.option("--yes", is_flag=True, help="Delete; without it, only say what would be deleted.")
@_held
def prune(
    output: Output,
    folder: str,
    config: str | None,
    catalogue: Secret | None,
    keep: str | None,
    max_bytes: str | None,
    yes: bool,
) -> int:
    """Delete old footage that camsync has fetched; only with --yes, else it says what it would do.

    \b
    camsync prune footage/ --keep 30d
    camsync prune footage/ --max-bytes 500G --yes

    Only files are deleted that camsync has written and that nobody has changed since. What was
    pruned is not fetched again. The exit code is 1 if a file could not be deleted.
    """  # noqa: D301 - click reads \b as "do not wrap"
    limits = _limits(keep, max_bytes)
    with _stoppable(output), opened(catalogue, config) as book:
        holdings = known(book, folder)
        with holdings.lock() if yes else contextlib.nullcontext():
            found = holdings.prune(dry_run=not yes, **limits)
    output.document(_pruned(found))
    verb = "would be deleted" if found.dry_run else "deleted"
    _list(output, found.deleted, verb)
    for entry, reason in found.kept:
        output.line(f"{entry.path}: kept, it {reason}")
    summary = f"{count_text(len(found.deleted), 'file')}, {size_text(found.bytes)} {verb}"
    output.line(f"{summary}; {size_text(found.left)} left")
    if found.dry_run and found.deleted:
        output.line("nothing was deleted: --yes does it")
    return FAILED if found.kept and not found.dry_run else OK


def _limits(keep: str | None, max_bytes: str | None) -> dict[str, Any]:
    if keep is None and max_bytes is None:
        msg = "nothing says what is to be deleted"
        raise ConfigurationError(msg, next_step="give --keep 30d or --max-bytes 500G")
    length: dt.timedelta | None = None if keep is None else parse_length(keep)
    return {"keep": length, "max_bytes": None if max_bytes is None else parse_size(max_bytes)}


def _pruned(found: Pruning) -> dict[str, Any]:
    return {
        "dry_run": found.dry_run,
        "deleted": _paths(found.deleted),
        "kept": [
            {"key": entry.key.uri, "path": str(entry.path), "reason": reason}
            for entry, reason in found.kept
        ],
        "bytes": found.bytes,
        "left": found.left,
    }


@click.command()
@_held
def rearm(output: Output, folder: str, config: str | None, catalogue: Secret | None) -> int:
    """Let the next run try again what has failed, quarantined recordings included.

    \b
    camsync rearm footage/
    """  # noqa: D301 - click reads \b as "do not wrap"
    with opened(catalogue, config) as book:
        number = known(book, folder).rearm()
    output.document({"rearmed": number})
    output.line(f"{count_text(number, 'recording')} will be tried again by the next run")
    return OK


@contextlib.contextmanager
def _stoppable(output: Output) -> Iterator[Stop]:
    with Stop(output, _STOPPING) as stop, in_time(stop):
        yield stop


COMMANDS: Sequence[click.Command] = (reconcile, prune, rearm)
