"""Which channels need somebody: judged from the catalogue alone."""

from __future__ import annotations

import datetime as dt
import shlex

from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from ..catalogue import Entry, Holdings, KnownChannel, State
from ._format import count_text


_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)
_MINUTE = dt.timedelta(minutes=1)
FUTURE = _DAY
"""What lies further ahead has the time of a wrong clock."""
_TROUBLED = (State.FAILED, State.QUARANTINED)


@attrs.frozen
class Flag:
    """Something that needs somebody.

    Attributes:
        name: For programs.
        text: For people.
    """

    name: str
    text: str


def trouble_of(holdings: Holdings, known: KnownChannel) -> tuple[Entry, ...]:
    """Return the recordings of a channel that could not be fetched, oldest first."""
    return tuple(holdings.entries(channel=(known.device, known.channel), states=_TROUBLED))


def last_search(known: KnownChannel) -> dt.datetime | None:
    """Return when a search of a channel was complete last, also if it has found nothing."""
    moments = (known.mark.last_search, known.mark.searched_until)
    return max((each for each in moments if each is not None), default=None)


def flags_of(
    known: KnownChannel,
    trouble: Sequence[Entry],
    now: dt.datetime,
    stale: dt.timedelta,
    *,
    dest: str,
) -> Iterator[Flag]:
    """Yield what is wrong with a channel of the destination *dest*.

    The newest footage is measured against the last search: where nobody has looked, no camera is
    to blame.
    """
    last = last_search(known)
    if last is None:
        yield Flag("never_searched", "it was never searched to the end")
    elif now - last > stale:
        yield Flag("not_searched", f"it was not searched for {_text(now - last)}")
    yield from _of_footage(known, last or now, stale)
    counts = Counter(entry.state for entry in trouble)
    advice = f"'camsync rearm {shlex.quote(dest)}'"
    if counts[State.FAILED]:
        waits = count_text(counts[State.FAILED], "recording")
        yield Flag("failed", f"{waits} failed, and will be tried again: at once after {advice}")
    if counts[State.QUARANTINED]:
        left = count_text(counts[State.QUARANTINED], "recording")
        often = "failed too often, and will be tried once a week"
        yield Flag("quarantined", f"{left} {often}: at once after {advice}")


def _of_footage(known: KnownChannel, last: dt.datetime, stale: dt.timedelta) -> Iterator[Flag]:
    if known.newest is None:
        if last_search(known) is not None:
            yield Flag("no_footage", "no footage was ever found: is it recording?")
    elif known.newest - last > FUTURE:
        yield Flag("future", "its newest footage is in the future: is its clock right?")
    elif last - known.newest > stale:
        yield Flag("no_new_footage", f"no footage for {_text(last - known.newest)}: is it alive?")


def _text(length: dt.timedelta) -> str:
    for unit, noun, least in ((_DAY, "day", 2), (_HOUR, "hour", 1), (_MINUTE, "minute", 1)):
        if length >= least * unit:
            return count_text(length // unit, noun)
    return count_text(max(round(length.total_seconds()), 1), "second")
