"""The work of ``camsync status``."""

from __future__ import annotations

import datetime as dt
import itertools
import re

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from .._secret import Secret
from .._time import TimeSpan, utcnow
from ..catalogue import Batch, Coverage, Entry, Holdings, KnownChannel
from ._advice import words
from ._exit import OK
from ._flags import Flag, flags_of, last_search, trouble_of
from ._format import count_text, length_text, size_text, utc_text
from ._held import chosen, opened
from ._json import stamp
from ._output import Output


_COLUMNS = (
    "channel",
    "name~",
    "watermark (UTC)",
    "last search (UTC)",
    "newest (UTC)",
    "held>",
    "missing>",
    "lost>",
    "in progress>",
)
_PARTS = ("recorded", "held", "missing", "lost", "in_progress", "pruned")
_LETTERS = (("lost", "x"), ("missing", "-"), ("in_progress", ">"), ("held", "#"), ("pruned", "o"))
"""The worst counts: an hour with a minute missing is no hour that is held."""

_NOTHING, _UNKNOWN, _FUTURE = ".", "?", " "
_LOOKED_AT = re.compile(r"[^? ]")

_HOUR = dt.timedelta(hours=1)
_MOST_SHOWN = 5
_MINUTES = len("2026-09-26 08:13")


@attrs.frozen(kw_only=True)
class Row:
    """One channel.

    Attributes:
        days: The first day of each bar, and the bar.
        flags: What needs somebody.
        trouble: What could not be fetched, and is still wanted, oldest first.
    """

    known: KnownChannel
    coverage: Coverage
    days: tuple[tuple[dt.date, str], ...]
    flags: tuple[Flag, ...]
    trouble: tuple[Entry, ...]

    @property
    def device(self) -> str:
        """The device's id."""
        return str(self.known.device)

    @property
    def title(self) -> str:
        """The channel's id and name."""
        return f"{self.known.channel} {self.name}".strip()

    @property
    def name(self) -> str:
        """What the camera is called, or at least its folder."""
        return self.known.name or self.known.mark.folder


@attrs.frozen(kw_only=True)
class Part:
    """One destination.

    Attributes:
        last: Its last run, if there was one.
    """

    dest: str
    rows: tuple[Row, ...]
    last: Batch | None


def show_status(
    output: Output,
    folders: Sequence[str],
    *,
    days: int,
    stale: dt.timedelta,
    config: str | None,
    catalogue: Secret | None,
) -> int:
    """Show all channels of the folders; return the exit code."""
    now = utcnow()
    nights = midnights(now, days)
    with opened(catalogue, config) as book:
        found = [
            part_of(str(dest), book.at(dest), nights, now=now, stale=stale)
            for dest in chosen(book, folders)
        ]
        where = str(book)
    output.document(
        {
            "catalogue": where,
            "since": stamp(nights[0]),
            "destinations": [
                {
                    "dest": part.dest,
                    "last_run": _run_json(part.last),
                    "channels": [_json(row) for row in part.rows],
                }
                for part in found
            ],
        }
    )
    for part in found:
        _show(output, part)
    if not found:
        output.line(f"nothing was ever synced: {where} is empty")
    return OK


def midnights(now: dt.datetime, days: int) -> list[dt.datetime]:
    """Return the begins of the last *days* days on this computer's clock, and that of tomorrow."""
    today = now.astimezone().date()
    first = today - dt.timedelta(days=days - 1)
    dates = (first + dt.timedelta(days=number) for number in range(days + 1))
    return [dt.datetime.combine(date, dt.time()).astimezone() for date in dates]


def part_of(
    dest: str,
    holdings: Holdings,
    nights: Sequence[dt.datetime],
    *,
    now: dt.datetime,
    stale: dt.timedelta,
) -> Part:
    """Return a destination with all channels that were ever searched or seen for it."""

    def row(known: KnownChannel) -> Row:
        span = TimeSpan(nights[0], nights[-1])
        coverage = holdings.coverage(known.device, known.channel, span)
        trouble = trouble_of(holdings, known)
        return Row(
            known=known,
            coverage=coverage,
            days=tuple(_bars(coverage, nights, searched=_searched(known), now=now)),
            flags=tuple(flags_of(known, trouble, now, stale, dest=dest)),
            trouble=trouble,
        )

    last = next(iter(holdings.batches(limit=1)), None)
    return Part(dest=dest, rows=tuple(map(row, holdings.channels())), last=last)


def _searched(known: KnownChannel) -> TimeSpan | None:
    """Return what was searched of a channel, or None."""
    begin, end = known.mark.searched_from, last_search(known)
    return None if begin is None or end is None or begin >= end else TimeSpan(begin, end)


def _bars(
    coverage: Coverage,
    nights: Sequence[dt.datetime],
    *,
    searched: TimeSpan | None,
    now: dt.datetime,
) -> Iterator[tuple[dt.date, str]]:
    for begin, end in itertools.pairwise(nights):
        hours = round((end - begin) / _HOUR)  # 23 or 25 when clocks change
        spans = (TimeSpan(begin + n * _HOUR, begin + (n + 1) * _HOUR) for n in range(hours))
        yield begin.date(), "".join(letter(coverage, span, searched, now) for span in spans)


def letter(coverage: Coverage, span: TimeSpan, searched: TimeSpan | None, now: dt.datetime) -> str:
    """Return what stands for the footage of *span*.

    Where nobody has looked, nobody knows that there is none.
    """
    for part, sign in _LETTERS:
        spans: tuple[TimeSpan, ...] = getattr(coverage, part)
        if any(each.start < span.end and span.start < each.end for each in spans):
            return sign
    if span.start >= now:
        return _FUTURE
    looked = searched is not None and searched.start < span.end and span.start < searched.end
    return _NOTHING if looked else _UNKNOWN


def _show(output: Output, part: Part) -> None:
    several = len({row.device for row in part.rows}) > 1
    columns = ("device", *_COLUMNS) if several else _COLUMNS
    output.line(part.dest)
    if part.last is not None:
        _show_run(output, part.last)
    if part.rows:
        output.table("", columns, [_cells(row)[0 if several else 1 :] for row in part.rows])
    for row in part.rows:
        output.line()
        output.line(f"{f'{row.device} ' if several else ''}{row.title}")
        for flag in row.flags:
            output.line(f"  ! {flag.text}", "yellow")
        _show_trouble(output, row.trouble)
        for day, bar in itertools.dropwhile(_is_unknown, row.days):
            output.line(f"  {day:%Y-%m-%d}  {bar}".rstrip())
    output.line()


def _is_unknown(day: tuple[dt.date, str]) -> bool:
    """Whether nobody has looked at any hour of that day."""
    return _LOOKED_AT.search(day[1]) is None


def _show_run(output: Output, last: Batch) -> None:
    figures = last.figures
    if last.ended is None:
        came = "it goes on, or was killed"
    else:
        files, size = figures.get("files", 0), figures.get("bytes", 0)
        came = f"{count_text(files, 'file')} ({size_text(size)}) fetched"
        if figures.get("failed"):
            came += f", {count_text(figures['failed'], 'failure')}"
    output.line(f"last run {utc_text(last.started)}: {came}")
    for problem in figures.get("problems", ()):
        whose = " channel ".join(filter(None, (problem["device"], problem["channel"])))
        output.line(f"  ! {whose}: {words(problem['message'])}", "yellow")


def _show_trouble(output: Output, trouble: Sequence[Entry]) -> None:
    for entry in trouble[:_MOST_SHOWN]:
        then = "" if entry.next_try is None else f"; next try {utc_text(entry.next_try)}"
        tries = count_text(entry.failures, "run")
        output.line(
            f"  {entry.state.value}: {utc_text(entry.start)}, in {tries}: {words(entry.error)}{then}"
        )
    if len(trouble) > _MOST_SHOWN:
        output.line(f"  and {len(trouble) - _MOST_SHOWN} more: see --json")


def _cells(row: Row) -> Sequence[str]:
    parts = (length_text(row.coverage.seconds(part)) for part in _PARTS[1:5])  # type: ignore[arg-type]
    mark = row.known.mark
    moments = (mark.watermark, last_search(row.known), row.known.newest)
    return (row.device, str(row.known.channel), row.name, *map(_moment, moments), *parts)


def _moment(moment: dt.datetime | None) -> str:
    return "never" if moment is None else utc_text(moment)[:_MINUTES]


def _json(row: Row) -> dict[str, Any]:
    seconds = {part: row.coverage.seconds(part) for part in _PARTS}  # type: ignore[arg-type]
    mark = row.known.mark
    return {
        "device": row.device,
        "channel": str(row.known.channel),
        "name": row.name,
        "folder": mark.folder,
        "watermark": stamp(mark.watermark),
        "searched_from": stamp(mark.searched_from),
        "searched_until": stamp(mark.searched_until),
        "last_search": stamp(last_search(row.known)),
        "oldest_on_device": stamp(mark.oldest_on_device),
        "last_deep": stamp(mark.last_deep),
        "newest": stamp(row.known.newest),
        "flags": [{"flag": flag.name, "text": flag.text} for flag in row.flags],
        "trouble": [_trouble_json(entry) for entry in row.trouble],
        "seconds": seconds,
        "gaps": [
            {"start": stamp(each.start), "end": stamp(each.end)} for each in row.coverage.gaps
        ],
        "days": [{"date": f"{day:%Y-%m-%d}", "hours": bar} for day, bar in row.days],
    }


def _trouble_json(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key.uri,
        "state": entry.state.value,
        "start": stamp(entry.start),
        "end": stamp(entry.end),
        "failures": entry.failures,
        "message": words(entry.error),
        "category": entry.error_category,
        "type": entry.error_code,
        "next_try": stamp(entry.next_try),
    }


def _run_json(last: Batch | None) -> dict[str, Any] | None:
    if last is None:
        return None
    return {
        "id": last.id,
        "started": stamp(last.started),
        "ended": stamp(last.ended),
        **{name: last.figures.get(name, 0) for name in ("files", "bytes", "failed")},
        "problems": last.figures.get("problems", []),
    }
