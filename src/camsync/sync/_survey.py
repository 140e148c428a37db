"""Which part of a channel's history to search, and what to do about each recording found."""

from __future__ import annotations

import datetime as dt

import attrs

from .._time import TimeSpan
from ..catalogue import ChannelMark, Entry, State
from ..models import Recording, RecordingKey
from ._values import PlanItem, Verdict


LOOK_BACK = dt.timedelta(hours=1)
"""How far behind the watermark every run looks again: clocks are set, lists come late."""

LATE = dt.timedelta(days=7)
"""How far back one run a day looks: cameras hand footage in after an outage."""

USUAL = dt.timedelta(days=1)
"""Where a channel begins that was never searched."""

HOPE = dt.timedelta(days=31)
"""For so long what is gone, or was too damaged to be fetched, may come back."""

DEEP_EVERY = dt.timedelta(days=1)
_LONGEST_WAIT = dt.timedelta(hours=24)
_WEEK = dt.timedelta(days=7)
_SHORTEST = dt.timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class Window:
    """What the caller wants of each channel.

    Attributes:
        since: Where a channel begins that was never searched, as a moment or as a length that
            counts back from now. If that is before what was searched, it is searched as well. A
            run that comes late still begins where the last one has ended.
        span: Exactly this span, instead.
        look_back: See `LOOK_BACK`.
        late: See `LATE`.
    """

    since: dt.datetime | dt.timedelta | None = None
    span: TimeSpan | None = None
    look_back: dt.timedelta = LOOK_BACK
    late: dt.timedelta = LATE

    def beginning(self, now: dt.datetime) -> dt.datetime | None:
        """Return the earliest moment that is wanted; None if nobody has said so."""
        return now - self.since if isinstance(self.since, dt.timedelta) else self.since


@attrs.frozen(kw_only=True)
class Look:
    """One search.

    Attributes:
        span: What is searched.
        deep: Whether it looks for footage that has come late.
        only: The recordings that are wanted of it; None for all.
    """

    span: TimeSpan
    deep: bool = False
    only: frozenset[RecordingKey] | None = None


def is_late_look_due(mark: ChannelMark, now: dt.datetime) -> bool:
    """Whether to look for footage that has come late: once a day, and when a clock is doubtful."""
    ahead = mark.searched_until is not None and mark.searched_until > now
    long_ago = mark.last_deep is None or not dt.timedelta(0) <= now - mark.last_deep < DEEP_EVERY
    return ahead or long_ago


def look(
    window: Window, mark: ChannelMark, now: dt.datetime, hope: dt.datetime | None = None
) -> Look | None:
    """Decide what to search of a channel; None if nothing is wanted yet.

    What was never searched is searched from the beginning. After that a run searches from the
    watermark, less the look-back, or from the newest recording that is known, so that a device
    which lists nothing at all is caught lying; from the beginning again if it has moved to before
    what was searched; and once a day further back, for what came late. A clock that was ahead has
    moved the watermark too far: then one run looks as far back as any has. A channel that was only
    searched by such a clock was never searched.

    Args:
        window: What the caller wants.
        mark: What the catalogue knows.
        now: The present.
        hope: Where the oldest footage begins that is gone or in quarantine, and may come back.
    """
    if window.span is not None:
        return Look(span=window.span)
    wanted = window.beginning(now)
    if wanted is not None and wanted >= now:
        return None
    if mark.searched_until is None or mark.searched_from is None or mark.searched_from > now:
        return _first_look(mark, now, wanted or now - USUAL)
    if mark.newest is None:
        return _first_look(mark, now, min(wanted or now - USUAL, mark.searched_from))
    begin = min(mark.watermark or mark.searched_until, now) - window.look_back
    if now - mark.newest < HOPE:
        begin = min(begin, mark.newest)
    if mark.searched_until > now + window.look_back:
        begin = min(begin, mark.searched_from)  # nobody knows what was searched with that clock
    deep = is_late_look_due(mark, now)
    if deep:
        begin = min(begin, now - window.late, hope or now)
    if wanted is not None and wanted < mark.searched_from:
        begin = wanted
    begin = max(begin, min(wanted or mark.searched_from, mark.searched_from))
    return Look(span=TimeSpan(min(begin, now - _SHORTEST), now), deep=deep)


def _first_look(mark: ChannelMark, now: dt.datetime, begin: dt.datetime) -> Look:
    """Search a channel of which there is nothing yet, or only what a search listed that broke off."""
    return Look(span=TimeSpan(min(begin, mark.oldest_open or begin), now), deep=True)


def judge(
    recording: Recording, entry: Entry | None, now: dt.datetime, settle: dt.timedelta
) -> PlanItem:
    """Decide what to do about a listed recording, given what the catalogue knows of it."""
    verdict, reason = _verdict(recording, entry, now, settle)
    return PlanItem(key=recording.key, verdict=verdict, recording=recording, reason=reason)


def _verdict(
    recording: Recording, entry: Entry | None, now: dt.datetime, settle: dt.timedelta
) -> tuple[Verdict, str]:
    if entry is not None and entry.state is State.VERIFIED:
        return Verdict.HELD, ""
    if recording.in_progress or recording.end > now - settle:
        return Verdict.IN_PROGRESS, ""
    if entry is None or not waits(entry, now):
        return Verdict.FETCH, f"failed before: {entry.error}" if entry and entry.failures else ""
    when = f"next try {entry.next_try:%Y-%m-%d %H:%M UTC}"
    if entry.state is State.QUARANTINED:
        return (
            Verdict.QUARANTINED,
            f"failed in {entry.failures} runs; {when}; at last: {entry.error}",
        )
    return Verdict.WAITING, f"{when}; at last: {entry.error}"


def waits(entry: Entry, now: dt.datetime) -> bool:
    """Whether it is too early to try again; a moment too far away comes from a clock that was ahead."""
    longest = {State.FAILED: _LONGEST_WAIT, State.QUARANTINED: _WEEK}.get(entry.state)
    if longest is None or entry.next_try is None:
        return False
    return now < entry.next_try <= now + longest
