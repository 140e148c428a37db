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
from .._typed import names_meant, near_name
from ..catalogue import Batch, Coverage, Entry, Holdings, KnownChannel
from ..errors import ConfigurationError
from ._advice import words
from ._exit import OK
from ._flags import FUTURE, Flag, flags_of, last_search, trouble_of
from ._format import count_text, length_text, size_text, utc_text
from ._held import chosen, looked_into
from ._json import stamp
from ._names import Names
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
        newest: Where the newest footage ends; of what is still being written, what there is by now.
        profile: The name of the device's profile, or empty.
    """

    known: KnownChannel
    coverage: Coverage
    days: tuple[tuple[dt.date, str], ...]
    flags: tuple[Flag, ...]
    trouble: tuple[Entry, ...]
    newest: dt.datetime | None
    profile: str

    @property
    def device(self) -> str:
        """The device's id."""
        return str(self.known.device)

    @property
    def device_title(self) -> str:
        """What the user calls the device."""
        return f"{self.profile} ({self.device})" if self.profile else self.device

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
        last: Its last run, if there was one: one batch for each group of sources, the latest first.
    """

    dest: str
    rows: tuple[Row, ...]
    last: tuple[Batch, ...]


@attrs.frozen
class Wanted:
    """What the user wants to see."""

    folders: tuple[str, ...] = ()
    channels: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    days: int = attrs.field(default=7, kw_only=True)
    stale: dt.timedelta = attrs.field(default=dt.timedelta(days=1), kw_only=True)


def show_status(
    output: Output, wanted: Wanted, *, config: str | None, catalogue: Secret | None
) -> int:
    """Show the channels of the folders; return the exit code."""
    look = Look(wanted, names=Names.known(), now=utcnow())
    with looked_into(catalogue, config) as (book, where):
        dests = chosen(book, wanted.folders)
        found = [look.part(str(dest), book.at(dest)) for dest in dests]
        look.check_channels()
    output.document(
        {
            "catalogue": where,
            "since": stamp(look.nights[0]),
            "destinations": [_part_json(part) for part in found],
        }
    )
    for part in found:
        _show(output, part, look.names)
    if not found:
        output.line(f"nothing was ever synced: {where} is empty")
    return OK


def _part_json(part: Part) -> dict[str, Any]:
    runs = [_run_json(batch) for batch in part.last]
    return {
        "dest": part.dest,
        "last_run": runs[0] if runs else None,
        "last_runs": runs,
        "channels": [_json(row) for row in part.rows],
    }


def midnights(now: dt.datetime, days: int) -> list[dt.datetime]:
    """Return the begins of the last *days* days on this computer's clock, and that of tomorrow."""
    today = now.astimezone().date()
    first = today - dt.timedelta(days=days - 1)
    dates = (first + dt.timedelta(days=number) for number in range(days + 1))
    return [dt.datetime.combine(date, dt.time()).astimezone() for date in dates]


class Look:
    """Looks at one destination after the other.

    Attributes:
        nights: The midnights between the days that are shown.
    """

    def __init__(self, wanted: Wanted, *, names: Names, now: dt.datetime) -> None:
        self.names = names
        self.nights = midnights(now, wanted.days)
        self._wanted = wanted
        self._now = now
        self._seen: list[KnownChannel] = []

    def part(self, dest: str, holdings: Holdings) -> Part:
        """Return a destination with all channels that were ever searched or seen for it."""
        every = holdings.channels()
        self._seen += every
        shown = self._chosen(every)
        rows = tuple(self._row(known, holdings, dest) for known in shown)
        return Part(dest=dest, rows=rows, last=last_run(holdings.batches()))

    def _chosen(self, channels: Sequence[KnownChannel]) -> Sequence[KnownChannel]:
        if not self._wanted.channels:
            return channels
        names = frozenset().union(*map(_names_of, channels))
        meant = {name for text in self._wanted.channels for name in names_meant(text, names)[0]}
        return [known for known in channels if not _names_of(known).isdisjoint(meant)]

    def check_channels(self) -> None:
        """Refuse a choice of channels that no destination knows.

        Raises:
            ConfigurationError: One of them is known nowhere.
        """
        names = frozenset().union(*map(_names_of, self._seen))
        texts = self._wanted.channels
        strangers = [part for text in texts for part in names_meant(text, names)[1]]
        if strangers:
            msg = f"the catalogue knows no channel {', '.join(strangers)}"
            there = dict.fromkeys(f"{one.channel} ({one.name})" for one in self._seen)
            near = near_name(strangers[0], [one.name for one in self._seen])
            step = f"{near}there are: {', '.join(there) or 'none yet'}"
            raise ConfigurationError(msg, next_step=step)

    def _row(self, known: KnownChannel, holdings: Holdings, dest: str) -> Row:
        span = TimeSpan(self.nights[0], self.nights[-1])
        coverage = holdings.coverage(known.device, known.channel, span)
        trouble = trouble_of(holdings, known)
        bars = _bars(coverage, self.nights, searched=_searched(known), now=self._now)
        return Row(
            known=known,
            coverage=coverage,
            days=tuple(bars),
            flags=tuple(flags_of(known, trouble, self._now, self._wanted.stale, dest=dest)),
            trouble=trouble,
            newest=newest_of(known, self._now),
            profile=self.names.name_of(str(known.device)),
        )


def _names_of(known: KnownChannel) -> frozenset[str]:
    return frozenset({str(known.channel), known.name, f"{known.device}/{known.channel}"} - {""})


def last_run(batches: Sequence[Batch]) -> tuple[Batch, ...]:
    """Return the newest batch of each group of sources: what one ``camsync sync`` has done.

    Args:
        batches: The latest first. Where a group comes again, the run before has begun.
    """
    found: dict[str, Batch] = {}
    for batch in batches:
        group = repr(batch.facts.get("sources"))
        if group in found:
            break
        found[group] = batch
    return tuple(found.values())


def newest_of(known: KnownChannel, now: dt.datetime) -> dt.datetime | None:
    """Return where the newest footage of a channel ends.

    The end of a recording in progress may be announced before it comes. What lies further ahead is
    that of a wrong clock: it stays, and is flagged.
    """
    newest = known.newest
    return now if newest is not None and now < newest <= now + FUTURE else newest


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


def _show(output: Output, part: Part, names: Names) -> None:
    several = len({row.device for row in part.rows}) > 1
    columns = ("device", *_COLUMNS) if several else _COLUMNS
    output.line(part.dest)
    for batch in part.last:
        _show_run(output, batch, names)
    if not part.last:
        output.line("nothing was synced to it yet")
    if part.rows:
        output.table("", columns, [_cells(row)[0 if several else 1 :] for row in part.rows])
    for row in part.rows:
        output.line()
        output.line(f"{f'{row.device_title} ' if several else ''}{row.title}")
        for flag in row.flags:
            output.line(f"  ! {flag.text}", "yellow")
        _show_trouble(output, row.trouble)
        for day, bar in itertools.dropwhile(_is_unknown, row.days):
            output.line(f"  {day:%Y-%m-%d}  {bar}".rstrip())
    output.line()


def _is_unknown(day: tuple[dt.date, str]) -> bool:
    """Whether nobody has looked at any hour of that day."""
    return _LOOKED_AT.search(day[1]) is None


def _show_run(output: Output, last: Batch, names: Names) -> None:
    figures = last.figures
    if last.ended is None:
        came = "it goes on, or was killed"
    else:
        files, size = figures.get("files", 0), figures.get("bytes", 0)
        came = f"{count_text(files, 'file')} ({size_text(size)}) fetched"
        if figures.get("failed"):
            came += f", {count_text(figures['failed'], 'failure')}"
    sources = ", ".join(last.facts.get("sources", ()))
    whose = f" ({sources})" if sources else ""
    output.line(f"last run {utc_text(last.started)}{whose}: {came}")
    for problem in figures.get("problems", ()):
        device = names.short(problem["device"])
        whose = " channel ".join(filter(None, (device, problem["channel"])))
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
    moments = (mark.watermark, last_search(row.known), row.newest)
    return (row.device_title, str(row.known.channel), row.name, *map(_moment, moments), *parts)


def _moment(moment: dt.datetime | None) -> str:
    return "never" if moment is None else utc_text(moment)[:_MINUTES]


def _json(row: Row) -> dict[str, Any]:
    seconds = {part: row.coverage.seconds(part) for part in _PARTS}  # type: ignore[arg-type]
    mark = row.known.mark
    return {
        "device": row.device,
        "profile": row.profile or None,
        "channel": str(row.known.channel),
        "name": row.name,
        "folder": mark.folder,
        "watermark": stamp(mark.watermark),
        "searched_from": stamp(mark.searched_from),
        "searched_until": stamp(mark.searched_until),
        "last_search": stamp(last_search(row.known)),
        "oldest_on_device": stamp(mark.oldest_on_device),
        "last_deep": stamp(mark.last_deep),
        "newest": stamp(row.newest),
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


def _run_json(last: Batch) -> dict[str, Any]:
    return {
        "id": last.id,
        "sources": last.facts.get("sources", []),
        "started": stamp(last.started),
        "ended": stamp(last.ended),
        **{name: last.figures.get(name, 0) for name in ("files", "bytes", "failed")},
        "problems": last.figures.get("problems", []),
    }
