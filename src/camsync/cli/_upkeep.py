"""``camsync reconcile``, ``rearm``, ``pin`` and ``forget``: keeping catalogue and disk in order."""

from __future__ import annotations

import contextlib

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from .._places import absolute
from .._secret import Secret
from ..errors import CancelledError, ConfigurationError
from ..models import RecordingKey
from ._exit import FAILED, OK
from ._format import count_text
from ._held import chosen, known, opened
from ._options import common_options, pass_output
from ._output import Output
from ._signals import Stop
from ._status import config_option
from ._sync_options import catalogue_option, decorate
from ._watch import in_time


if TYPE_CHECKING:
    from ..catalogue import Entry, Holdings, Reconciliation


_STOPPING = "stopping; once more ends at once"
_FOLDER = click.argument("folder", metavar="DIRECTORY")


def of_a_folder(function: Any) -> Any:
    """Add what all of them take."""
    return decorate(
        function, (_FOLDER, config_option, catalogue_option, common_options, pass_output)
    )


@click.command()
@click.option("--deep", is_flag=True, help="Read all files, and compare their SHA-256.")
@click.option(
    "--repair", is_flag=True, help="Have recordings whose file was changed fetched again, too."
)
@click.option("--forget", is_flag=True, help="The disk is gone for good: fetch again what it held.")
@of_a_folder
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
    with stoppable(output) as stop, opened(catalogue, config) as book:
        holdings = known(book, folder)
        with holdings.lock():
            found = holdings.reconcile(deep=deep, repair=repair, forget=forget, cancel=stop)
    output.document(_reconciled(found, repair=repair))
    again = "are fetched again" if repair else "--repair has them fetched again"
    list_entries(output, found.missing, "missing: fetched again by the next run")
    list_entries(output, found.changed, f"changed: {again}")
    list_entries(output, found.adopted, "moved: found again")
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


def list_entries(output: Output, entries: Iterable[Entry], what: str) -> None:
    """Say of each file what became of it."""
    for entry in entries:
        output.line(f"{entry.path}: {what}")


def paths_of(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return entries as JSON."""
    return [{"key": entry.key.uri, "path": str(entry.path)} for entry in entries]


def _reconciled(found: Reconciliation, *, repair: bool) -> dict[str, Any]:
    return {
        "clean": found.clean,
        "checked": found.checked,
        "repair": repair,
        "missing": paths_of(found.missing),
        "changed": paths_of(found.changed),
        "adopted": paths_of(found.adopted),
        "unknown": [str(path) for path in found.unknown],
        "parts": [str(path) for path in found.parts],
        "unreadable": [str(path) for path in found.unreadable],
    }


@click.command()
@of_a_folder
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


@click.command()
@_FOLDER
@click.argument("what", metavar="KEY|FILE...", nargs=-1, required=True)
@click.option("--off", is_flag=True, help="Do not protect them any more.")
@config_option
@catalogue_option
@common_options
@pass_output
def pin(
    output: Output,
    folder: str,
    what: tuple[str, ...],
    config: str | None,
    catalogue: Secret | None,
    off: bool,
) -> int:
    """Keep some recordings for ever: 'camsync prune' leaves them alone.

    \b
    camsync pin footage/ footage/Cam01-gate/Cam01-gate_20260926_080000.mp4
    camsync pin footage/ hik://DS123/101/20260926T000000Z/00000000214000000 --off
    """  # noqa: D301 - click reads \b as "do not wrap"
    with opened(catalogue, config) as book:
        holdings = known(book, folder)
        entries = _entries(holdings, what)
        for entry in entries:
            holdings.pin(entry.key, not off)
    output.document({"pinned": not off, "recordings": paths_of(entries)})
    list_entries(output, entries, "not pinned any more" if off else "pinned")
    return OK


def _entries(holdings: Holdings, wanted: Sequence[str]) -> list[Entry]:
    """Return what is meant, by key or by file.

    Raises:
        ConfigurationError: The catalogue does not know one of them.
    """
    from ..catalogue import State

    keys = {text: RecordingKey.parse(text) for text in wanted if "://" in text}
    known_keys = holdings.find(list(keys.values()))
    found = {text: known_keys[key] for text, key in keys.items() if key in known_keys}
    files = {_below(holdings.dest, text): text for text in wanted if text not in keys}
    for entry in holdings.entries(states=[State.VERIFIED]) if files else ():
        text = files.get(entry.path)
        if text is not None:
            found[text] = entry
    strangers = [text for text in wanted if text not in found]
    if strangers:
        msg = f"the catalogue has no {', '.join(strangers)} of {holdings.dest}"
        step = "name a file below the folder, or a key: camsync search --keys shows them"
        raise ConfigurationError(msg, next_step=step)
    return [found[text] for text in wanted]


def _below(dest: Path, text: str) -> PurePosixPath | None:
    """Return the path of a file as the catalogue has it."""
    for path in (absolute(Path(text).expanduser()), dest / text):
        with contextlib.suppress(ValueError):
            return PurePosixPath(path.relative_to(dest).as_posix())
    return None


@click.command()
@of_a_folder
def forget(output: Output, folder: str, config: str | None, catalogue: Secret | None) -> int:
    """Forget a folder that was a slip, so that 'camsync status' does not show it any more.

    \b
    camsync forget footgae/

    Only of a folder of which no recording is known. No file is deleted.
    """  # noqa: D301 - click reads \b as "do not wrap"
    with opened(catalogue, config) as book:
        (dest,) = chosen(book, [folder])
        book.forget(dest)
    output.document({"forgotten": str(dest)})
    output.line(f"{dest}: forgotten")
    return OK


@contextlib.contextmanager
def stoppable(output: Output) -> Iterator[Stop]:
    """Let Ctrl-C and SIGTERM end the block, with the exit code that the signal asks for."""
    with Stop(output, _STOPPING) as stop, in_time(stop):
        try:
            yield stop
        except CancelledError as error:
            if not stop.is_set():
                raise
            output.error(error)
            raise click.exceptions.Exit(stop.code) from error
