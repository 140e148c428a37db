"""``camsync search``: which recordings there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from .._time import TimeSpan
from ..models import Channel, Recording
from ._account import Account, account_options
from ._advice import words
from ._connection import Target, connected, connection_options
from ._exit import FAILED, OK
from ._format import count_text, length_text, local_text, size_text, utc_text
from ._json import problems_json, recordings_json, span_json
from ._options import common_options, pass_output
from ._output import Output
from ._selection import Found, Selection, selection_options


_PLACES = frozenset({"cloud", "sd"})
_BRIEF = ("device", "camera~", "recorder's clock", "length>", "size>", "kind", "state", "storage")
_COLUMNS = (
    "device",
    "camera",
    "start (recorder's clock)",
    "start (UTC)",
    "length>",
    "size>",
    "kind",
    "state",
    "key",
)


@click.command()
@connection_options
@selection_options
@account_options
@click.option("--keys", is_flag=True, help="On a terminal too: the key of each recording.")
@common_options
@pass_output
def search(
    output: Output, target: Target, selection: Selection, account: Account, keys: bool
) -> int:
    """List recordings.

    \b
    camsync search hikvision://admin@192.168.1.64
    camsync search hikvision://admin@192.168.1.64 --channel 1 --channel 3 --since 2h30m
    camsync search hikvision://admin@192.168.1.64 --since 2026-09-26T08:00 --until 2026-09-26T09:00
    camsync search hikvision://admin@192.168.1.64 --since 7d --kind motion --json
    camsync search imou://APPID@sg --device 7D0D3C4PAZ12345 --storage sd

    A time without offset, such as 2026-09-26T08:00, is local time of THIS computer; write
    2026-09-26T08:00+08:00 or 2026-09-26T00:00Z to be exact.

    A terminal gets a short table; a pipe gets both clocks and the keys as well.
    """  # noqa: D301 - click reads \b as "do not wrap"
    with connected(output, target, **account.options()) as link:
        brought = selection.search(link.provider, link.channels())
    found = brought.recordings
    show_recordings(output, found, selection.span)
    if keys and output.on_terminal:
        for recording in found:
            output.line(recording.key.uri)
    show_problems(output, brought)
    output.document(
        {
            "span": span_json(selection.span),
            "recordings": recordings_json(found),
            "problems": problems_json(brought.problems),
            "without": problems_json(brought.without),
        }
    )
    return FAILED if brought.problems else OK


def show_problems(output: Output, found: Found) -> None:
    """Say which channels could not be searched, and why; and which have nothing to search."""
    if output.json:
        return
    for channel, error in found.without:
        output.note(f"not searched: {_place_of(channel)}: {words(error.message)}")
    for channel, error in found.problems:
        output.problem(f"not searched: {_place_of(channel)}", error)


def _place_of(channel: Channel) -> str:
    return f"{channel.device}/{channel.id} {channel.name}"


def show_recordings(output: Output, found: Sequence[Recording], span: TimeSpan) -> None:
    """Print the table of recordings and a line with their sum."""
    if not found:
        output.line(nothing_text(span))
        return
    first = 0 if len({recording.key.device for recording in found}) > 1 else 1
    columns, rows = (_BRIEF, _brief(found)) if output.on_terminal else (_COLUMNS, _rows(found))
    output.table("", columns[first:], (row[first:] for row in rows))
    sized = [recording for recording in found if size_of(recording) is not None]
    about = "~" if any(recording.size is None for recording in sized) else ""
    total = size_text(sum(size_of(recording) or 0 for recording in sized))
    told = f", {about}{total}" if sized else ""  # a cloud may not say any
    output.line(f"{count_text(len(found), 'recording')} {_between(span)}{told}")


def size_of(recording: Recording) -> int | None:
    """Return the size in bytes, exact or not, or None."""
    return recording.size if recording.size is not None else recording.size_hint


def _about(recording: Recording) -> str:
    """Return the size in words: ``~`` stands before what is only said to be so."""
    size = size_text(size_of(recording))
    return f"~{size}" if size and recording.size is None else size


def nothing_text(span: TimeSpan) -> str:
    """Return that there are no recordings in *span*."""
    return f"no recordings {_between(span)}"


def _between(span: TimeSpan) -> str:
    return f"between {utc_text(span.start)} and {utc_text(span.end)}"


def _brief(found: Sequence[Recording]) -> Iterator[Sequence[str]]:
    streams = {recording.key.stream for recording in found}
    differ = len(streams) > 1 and streams <= _PLACES
    for recording, full in zip(found, _rows(found), strict=True):
        device, camera, local, utc, *rest, _key = full
        clock = f"{recording.local_start:%Y-%m-%d %H:%M:%S}" if local else utc
        yield (device, camera, clock, *rest, recording.key.stream if differ else "")


def _rows(found: Sequence[Recording]) -> Iterator[Sequence[str]]:
    for recording in found:
        known = recording.utc_offset is not None
        yield (
            recording.key.device,
            recording.channel_name,
            local_text(recording.local_start) if known else "",
            utc_text(recording.start),
            length_text(recording.duration.total_seconds()),
            _about(recording),
            recording.kind.value,
            "in progress" if recording.in_progress else "",
            recording.key.uri,
        )
