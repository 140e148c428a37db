"""``camsync search``: which recordings there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from .._time import TimeSpan
from ..models import Recording
from ._connection import Target, connected, connection_options
from ._exit import OK
from ._format import count_text, length_text, local_text, size_text, utc_text
from ._json import recordings_json, span_json
from ._options import common_options, pass_output
from ._output import Output
from ._selection import Selection, selection_options


_BRIEF = ("camera~", "recorder's clock", "length>", "size>", "kind", "state")
_COLUMNS = (
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
@click.option("--keys", is_flag=True, help="On a terminal too: the key of each recording.")
@common_options
@pass_output
def search(output: Output, target: Target, selection: Selection, keys: bool) -> int:
    """List recordings.

    \b
    camsync search hikvision://admin@192.168.1.64
    camsync search hikvision://admin@192.168.1.64 --channel 1 --channel 3 --since 2h30m
    camsync search hikvision://admin@192.168.1.64 --since 2026-09-26T08:00 --until 2026-09-26T09:00
    camsync search hikvision://admin@192.168.1.64 --since 7d --kind motion --json

    A time without offset, such as 2026-09-26T08:00, is local time of THIS computer; write
    2026-09-26T08:00+08:00 or 2026-09-26T00:00Z to be exact.

    A terminal gets a short table; a pipe gets both clocks and the keys as well.
    """  # noqa: D301 - click reads \b as "do not wrap"
    with connected(output, target) as provider:
        found = selection.search(provider)
    show_recordings(output, found, selection.span)
    if keys and output.on_terminal:
        for recording in found:
            output.line(recording.key.uri)
    output.document({"span": span_json(selection.span), "recordings": recordings_json(found)})
    return OK


def show_recordings(output: Output, found: Sequence[Recording], span: TimeSpan) -> None:
    """Print the table of recordings and a line with their sum."""
    if not found:
        output.line(nothing_text(span))
        return
    if output.on_terminal:
        output.table("", _BRIEF, _brief(found))
    else:
        output.table("", _COLUMNS, _rows(found))
    total = sum(recording.size or 0 for recording in found)
    output.line(f"{count_text(len(found), 'recording')} {_between(span)}, {size_text(total)}")


def nothing_text(span: TimeSpan) -> str:
    """Return that there are no recordings in *span*."""
    return f"no recordings {_between(span)}"


def _between(span: TimeSpan) -> str:
    return f"between {utc_text(span.start)} and {utc_text(span.end)}"


def _brief(found: Sequence[Recording]) -> Iterator[Sequence[str]]:
    for recording, full in zip(found, _rows(found), strict=True):
        camera, local, utc, *rest, _key = full
        clock = f"{recording.local_start:%Y-%m-%d %H:%M:%S}" if local else utc
        yield (camera, clock, *rest)


def _rows(found: Sequence[Recording]) -> Iterator[Sequence[str]]:
    for recording in found:
        known = recording.utc_offset is not None
        yield (
            recording.channel_name,
            local_text(recording.local_start) if known else "",
            utc_text(recording.start),
            length_text(recording.duration.total_seconds()),
            size_text(recording.size),
            recording.kind.value,
            "in progress" if recording.in_progress else "",
            recording.key.uri,
        )
