"""The work of ``camsync status``."""

from __future__ import annotations

import datetime as dt
import itertools

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from .._secret import Secret
from .._time import TimeSpan, utcnow
from ..catalogue import ChannelMark, Coverage, Holdings
from ..sync._describe import stamp
from ._exit import OK
from ._format import length_text, utc_text
from ._held import chosen, opened
from ._output import Output


_COLUMNS = (
    "channel",
    "name~",
    "watermark (UTC)",
    "last search (UTC)",
    "held>",
    "missing>",
    "lost>",
    "in progress>",
)
_PARTS = ("recorded", "held", "missing", "lost", "in_progress", "pruned")
_LETTERS = (("lost", "x"), ("missing", "-"), ("in_progress", ">"), ("held", "#"), ("pruned", "o"))
"""The worst counts: an hour with a minute missing is no hour that is held."""

_HOUR = dt.timedelta(hours=1)


@attrs.frozen(kw_only=True)
class Row:
    """One channel.

    Attributes:
        days: The first day of each bar, and the bar.
    """

    device: str
    channel: str
    name: str
    mark: ChannelMark
    coverage: Coverage
    days: tuple[tuple[dt.date, str], ...]


def show_status(
    output: Output,
    folders: Sequence[str],
    *,
    days: int,
    config: str | None,
    catalogue: Secret | None,
) -> int:
    """Show all channels of the folders; return the exit code."""
    nights = midnights(utcnow(), days)
    with opened(catalogue, config) as book:
        found = [(dest, rows_of(book.at(dest), nights)) for dest in chosen(book, folders)]
        where = str(book)
    output.document(
        {
            "catalogue": where,
            "since": stamp(nights[0]),
            "destinations": [
                {"dest": str(dest), "channels": [_json(row) for row in rows]}
                for dest, rows in found
            ],
        }
    )
    for dest, rows in found:
        _show(output, str(dest), rows)
    if not found:
        output.line(f"nothing was ever synced: {where} is empty")
    return OK


def midnights(now: dt.datetime, days: int) -> list[dt.datetime]:
    """Return the begins of the last *days* days on this computer's clock, and that of tomorrow."""
    today = now.astimezone().date()
    first = today - dt.timedelta(days=days - 1)
    dates = (first + dt.timedelta(days=number) for number in range(days + 1))
    return [dt.datetime.combine(date, dt.time()).astimezone() for date in dates]


def rows_of(holdings: Holdings, nights: Sequence[dt.datetime]) -> list[Row]:
    """Return the channels of a destination: those with a folder, and those seen in these days."""
    span = TimeSpan(nights[0], nights[-1])
    names = {(str(device), str(channel)): "" for device, channel in holdings.folders()}
    for entry in holdings.entries(span=span):
        names[str(entry.key.device), str(entry.key.channel)] = entry.channel_name
    return [_row(holdings, *key, name, nights) for key, name in sorted(names.items(), key=_order)]


def _order(item: tuple[tuple[str, str], str]) -> tuple[str, int, str]:
    device, channel = item[0]
    return device, int(channel) if channel.isdecimal() else 0, channel


def _row(
    holdings: Holdings, device: str, channel: str, name: str, nights: Sequence[dt.datetime]
) -> Row:
    coverage = holdings.coverage(device, channel, TimeSpan(nights[0], nights[-1]))
    mark = holdings.mark_of(device, channel)
    return Row(
        device=device,
        channel=channel,
        name=name or mark.folder,
        mark=mark,
        coverage=coverage,
        days=tuple(_bars(coverage, nights)),
    )


def _bars(coverage: Coverage, nights: Sequence[dt.datetime]) -> Iterator[tuple[dt.date, str]]:
    for begin, end in itertools.pairwise(nights):
        hours = round((end - begin) / _HOUR)  # 23 or 25 when clocks change
        spans = (TimeSpan(begin + n * _HOUR, begin + (n + 1) * _HOUR) for n in range(hours))
        yield begin.date(), "".join(letter(coverage, span) for span in spans)


def letter(coverage: Coverage, span: TimeSpan) -> str:
    """Return what stands for the footage of *span*."""
    for part, sign in _LETTERS:
        spans: tuple[TimeSpan, ...] = getattr(coverage, part)
        if any(each.start < span.end and span.start < each.end for each in spans):
            return sign
    return "."


def _show(output: Output, dest: str, rows: Sequence[Row]) -> None:
    several = len({row.device for row in rows}) > 1
    columns = ("device", *_COLUMNS) if several else _COLUMNS
    output.line(dest)
    output.table("", columns, [_cells(row)[0 if several else 1 :] for row in rows])
    for row in rows:
        output.line()
        output.line(f"{f'{row.device} ' if several else ''}{row.channel} {row.name}")
        for day, bar in row.days:
            output.line(f"  {day:%Y-%m-%d}  {bar}")
    output.line()


def _cells(row: Row) -> Sequence[str]:
    parts = (length_text(row.coverage.seconds(part)) for part in _PARTS[1:5])  # type: ignore[arg-type]
    return (row.device, row.channel, row.name, *map(_moment, _moments(row.mark)), *parts)


def _moments(mark: ChannelMark) -> Sequence[dt.datetime | None]:
    return mark.watermark, mark.searched_until


def _moment(moment: dt.datetime | None) -> str:
    return "never" if moment is None else utc_text(moment).removesuffix("Z")


def _json(row: Row) -> dict[str, Any]:
    seconds = {part: row.coverage.seconds(part) for part in _PARTS}  # type: ignore[arg-type]
    return {
        "device": row.device,
        "channel": row.channel,
        "name": row.name,
        "folder": row.mark.folder,
        "watermark": stamp(row.mark.watermark),
        "searched_from": stamp(row.mark.searched_from),
        "searched_until": stamp(row.mark.searched_until),
        "oldest_on_device": stamp(row.mark.oldest_on_device),
        "last_deep": stamp(row.mark.last_deep),
        "seconds": seconds,
        "gaps": [
            {"start": stamp(each.start), "end": stamp(each.end)} for each in row.coverage.gaps
        ],
        "days": [{"date": f"{day:%Y-%m-%d}", "hours": bar} for day, bar in row.days],
    }
