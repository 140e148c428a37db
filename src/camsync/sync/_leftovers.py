"""What is still to be fetched from before everything that was searched.

A run for a `span` of last month leaves it behind when a download fails, and so does a search that
reaches far back and breaks off; `reconcile` makes it of files that were deleted. The ordinary
search never goes that far, and must not: what lies between there and what was searched is not
wanted.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Collection, Iterator

import attrs

from .._time import TimeSpan
from ..catalogue import ChannelMark, Entry, Holdings, State
from ..models import Channel, RecordingKind
from ._survey import Look, waits


_NEAR = dt.timedelta(days=1)
"""Leftovers that are so close together are looked for in one search."""

_SECOND = dt.timedelta(seconds=1)
_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_TODO = frozenset(State) - {State.VERIFIED, State.GONE}
_HOLDS = _TODO - {State.QUARANTINED}
"""States that hold the watermark back."""


def looks_behind(
    holdings: Holdings,
    channel: Channel,
    mark: ChannelMark,
    now: dt.datetime,
    kinds: Collection[RecordingKind] | None,
) -> list[Look]:
    """Return the searches for what is due of *channel* from before all that was searched."""
    if mark.searched_from is None or mark.searched_from <= _BEGINNING:
        return []
    before = TimeSpan(_BEGINNING, mark.searched_from)
    rows = holdings.entries(channel=(channel.device, channel.id), span=before, states=_TODO)
    due = [
        row
        for row in rows
        if row.start < mark.searched_from
        and not waits(row, now)
        and (kinds is None or row.kind in kinds)
    ]
    return [_look(island) for island in _islands(due)]


def without_leftovers(holdings: Holdings, channel: Channel, mark: ChannelMark) -> ChannelMark:
    """Return *mark* as it would be without them: they must not make each search a long one."""
    begun = mark.searched_from
    if begun is None or mark.searched_until is None or mark.searched_until <= begun:
        return mark
    if mark.watermark is None or mark.watermark >= begun:
        return mark
    searched = TimeSpan(begun, mark.searched_until)
    rows = holdings.entries(channel=(channel.device, channel.id), span=searched, states=_HOLDS)
    first = next((row.start for row in rows if row.start >= begun), mark.searched_until)
    return attrs.evolve(mark, watermark=min(first, mark.searched_until))


def _islands(rows: list[Entry]) -> Iterator[list[Entry]]:
    """Yield *rows*, the oldest first, in groups that lie close together."""
    island: list[Entry] = []
    for row in rows:
        if island and row.start - island[-1].end > _NEAR:
            yield island
            island = []
        island.append(row)
    if island:
        yield island


def _look(island: list[Entry]) -> Look:
    first = island[0].start
    last = max(first + _SECOND, *(each.end for each in island))
    return Look(span=TimeSpan(first, last), only=frozenset(each.key for each in island))
