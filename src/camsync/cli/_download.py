"""``camsync download``: recordings to disk."""

from __future__ import annotations

import importlib

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from ..errors import CamsyncError, CancelledError, MissingExtraError
from ..models import Channel, Downloaded, Failed, Recording
from ._account import Account, account_options
from ._connection import Target, connected, connection_options
from ._dest import dest_option, prepare
from ._exit import FAILED, OK, code_for
from ._fetching import results
from ._format import count_text, length_text, size_text, utc_text
from ._json import downloaded_json, error_json, failed_json, problems_json, recording_json
from ._link import Link
from ._options import common_options, pass_output
from ._output import Output
from ._progress import showing, title
from ._search import nothing_text, show_problems
from ._selection import Selection, selection_options
from ._signals import Stop


_EXTRA = "mp4"
_STOPPING = "stopping; once more ends at once"
_BRIEF = ("device", "file", "codec", "length>", "size>", "remarks~")
_COLUMNS = ("device", "file", "codec", "length>", "size>", "start (UTC)", "remarks")


@attrs.define
class Outcome:
    """What a run brought.

    Attributes:
        problems: The channels that could not be searched, and why.
        without: Those that have nothing to search: no plan, or no card.
        error: What ended the run before its time, if something did.
        code: The exit code.
    """

    downloaded: list[Downloaded] = attrs.field(factory=list)
    failed: list[Failed] = attrs.field(factory=list)
    skipped: list[Recording] = attrs.field(factory=list)
    problems: Sequence[tuple[Channel, CamsyncError]] = ()
    without: Sequence[tuple[Channel, CamsyncError]] = ()
    error: CamsyncError | None = None
    code: int = OK

    def json(self) -> dict[str, Any]:
        """Return the lists and their sums."""
        skipped = [
            {"recording": recording_json(recording), "reason": "in_progress"}
            for recording in self.skipped
        ]
        return {
            "downloaded": [downloaded_json(done) for done in self.downloaded],
            "failed": [failed_json(failed) for failed in self.failed],
            "skipped": skipped,
            "problems": problems_json(self.problems),
            "without": problems_json(self.without),
            "summary": {
                "downloaded": sum(not done.existing for done in self.downloaded),
                "existing": sum(done.existing for done in self.downloaded),
                "failed": len(self.failed),
                "skipped": len(self.skipped),
                "bytes": sum(done.size for done in self.downloaded),
            },
        }

    def summary(self) -> str:
        """Return the sums in words."""
        there = sum(done.existing for done in self.downloaded)
        size = size_text(sum(done.size for done in self.downloaded))
        parts = [f"{count_text(len(self.downloaded), 'file')}, {size}"]
        if there:
            parts.append(f"{there} of them were there already")
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.skipped:
            parts.append(
                f"{len(self.skipped)} skipped: still being recorded or only just over; come back later"
            )
        return "; ".join(parts)


@click.command()
@connection_options
@selection_options
@account_options
@dest_option("footage", "Folder for the files; each camera gets its own in it.")
@click.option(
    "--container",
    type=click.Choice(["mp4", "original"]),
    default="mp4",
    show_default=True,
    help="MP4 without re-encoding, or the bytes as the recorder sends them.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N recordings.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest recording.")
@common_options
@pass_output
def download(
    output: Output,
    target: Target,
    selection: Selection,
    account: Account,
    dest: Path,
    container: str,
    limit: int | None,
    newest_first: bool,
) -> int:
    """Download recordings.

    \b
    camsync download hikvision://admin@192.168.1.64 --channel 1 --since 24h --dest footage/
    camsync download hikvision://admin@192.168.1.64 --since 2h --newest-first --limit 10
    camsync download hikvision://admin@192.168.1.64 --password-file ~/.nvr-password --json
    camsync download imou://APPID@sg --storage cloud --max-bytes 2000000000

    A file stands under its name only when it is complete and was checked; what is there already
    is not fetched again, and recordings that are still being written are left for the next time.
    Ctrl-C stops cleanly. The exit code is 1 when a recording failed; a refused login and a disk
    that is full or cannot be written end the run, and so do a used-up quota and an account that may
    download nothing at all. Each device of a cloud account has a folder of its own in --dest.

    A time without offset, such as 2026-09-26T08:00, is local time of THIS computer.
    """  # noqa: D301 - click reads \b as "do not wrap"
    if container == "mp4":
        require_media("MP4 output")
    with connected(output, target, **account.options()) as link:
        brought = selection.search(link.provider, link.channels())
        found = brought.recordings
        if not found:
            output.line(nothing_text(selection.span))
        show_problems(output, brought)
        outcome = Outcome(
            skipped=[recording for recording in found if recording.in_progress],
            problems=brought.problems,
            without=brought.without,
        )
        wanted = [recording for recording in found if not recording.in_progress]
        if newest_first:
            wanted.reverse()
        fetch(output, link, wanted[:limit], dest, outcome, container=container)
    if found or output.json or outcome.error is not None:
        report(output, outcome, {"dest": str(dest)})
    return outcome.code


def require_media(purpose: str) -> None:
    """Look for the extra ``mp4`` before anything else happens.

    Raises:
        MissingExtraError: *purpose* needs it, and it is not installed.
    """
    try:
        importlib.import_module("camsync.download.media")
    except ImportError as error:
        raise MissingExtraError.for_extra(_EXTRA, purpose) from error


def fetch(
    output: Output,
    link: Link,
    wanted: Sequence[Recording],
    dest: Path,
    outcome: Outcome,
    *,
    container: str = "mp4",
) -> None:
    """Download *wanted* with a progress display and write down in *outcome* what came of it."""
    with Stop(output, _STOPPING) as stop, showing(output, wanted, stop) as on_event:
        try:
            if wanted:
                prepare(dest)
            for result in results(
                output, link, wanted, dest, container=container, on_event=on_event, cancel=stop
            ):
                if isinstance(result, Failed):
                    outcome.failed.append(result)
                else:
                    outcome.downloaded.append(result)
        except CancelledError as error:
            outcome.error = CancelledError("stopped by the user") if stop.is_set() else error
        except CamsyncError as error:
            outcome.error = error
    outcome.code = _code(outcome, stop)


def _code(outcome: Outcome, stop: Stop) -> int:
    if outcome.error is None:
        return FAILED if outcome.failed or outcome.problems else OK
    if isinstance(outcome.error, CancelledError) and stop.is_set():
        return stop.code
    return code_for(outcome.error)


def report(output: Output, outcome: Outcome, more: dict[str, Any]) -> None:
    """Print what a run brought: the table, the failures, the sums, or one JSON document."""
    document = {**more, **outcome.json()}
    if outcome.error is not None:
        document["error"] = error_json(outcome.error)
    output.document(document)
    if outcome.downloaded:
        _show_files(output, outcome.downloaded, str(more["dest"]))
    output.line(outcome.summary())
    if not output.json:
        for failed in outcome.failed:
            output.problem(f"failed: {title(failed.recording)}", failed.error)
        if outcome.error is not None:
            output.error(outcome.error)


def _show_files(output: Output, downloaded: Sequence[Downloaded], dest: str) -> None:
    first = 0 if len({done.recording.key.device for done in downloaded}) > 1 else 1
    if output.on_terminal:
        rows = (row[first:] for row in _brief(downloaded))
        output.table(f"files in {dest}", _BRIEF[first:], rows)
    else:
        output.table("", _COLUMNS[first:], (row[first:] for row in _rows(downloaded)))


def _brief(downloaded: Sequence[Downloaded]) -> Iterator[Sequence[str]]:
    for full in _rows(downloaded):
        device, path, codec, length, size, _start, remarks = full
        yield device, Path(path).name, codec, length, size, remarks


def _rows(downloaded: Sequence[Downloaded]) -> Iterator[Sequence[str]]:
    for done in downloaded:
        there = ("was there already",) if done.existing else ()
        yield (
            done.recording.key.device,
            str(done.path),
            done.codec.value,
            length_text(done.duration),
            size_text(done.size),
            utc_text(done.start),
            "; ".join(there + done.notes),
        )
