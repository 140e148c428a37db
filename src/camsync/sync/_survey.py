"""Which part of a channel's history to search, and what to do about each recording found."""

from __future__ import annotations

import datetime as dt

import attrs

from .._time import TimeSpan
from ..catalogue import ChannelMark, Entry, State
from ..models import Recording
from ._values import PlanItem, Verdict


LOOK_BACK = dt.timedelta(hours=1)
"""How far behind the watermark every run looks again: clocks are set, lists come late."""

LATE = dt.timedelta(days=7)
"""How far back one run a day looks: cameras hand footage in after an outage."""

DEEP_EVERY = dt.timedelta(days=1)
_SHORTEST = dt.timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class Window:
    """What the caller wants of each channel.

    Attributes:
        since: The beginning; a length counts back from now, and then only for what was never
            searched: a run that comes late still begins where the last one has ended.
        span: Exactly this span, instead.
        look_back: See `LOOK_BACK`.
        late: See `LATE`.
    """

    since: dt.datetime | dt.timedelta = dt.timedelta(days=1)
    span: TimeSpan | None = None
    look_back: dt.timedelta = LOOK_BACK
    late: dt.timedelta = LATE

    def beginning(self, now: dt.datetime) -> dt.datetime:
        """Return the earliest moment that is wanted."""
        return self.since if isinstance(self.since, dt.datetime) else now - self.since


@attrs.frozen(kw_only=True)
class Look:
    """One search.

    Attributes:
        span: What is searched.
        deep: Whether it looks for footage that has come late.
    """

    span: TimeSpan
    deep: bool = False


def look(window: Window, mark: ChannelMark, now: dt.datetime) -> Look | None:
    """Decide what to search of a channel; None if nothing is wanted yet.

    What was never searched is searched from the beginning. After that a run searches from the
    watermark, less the look-back; from the beginning again if it has moved to before what was
    searched; and once a day further back, for what came late. A clock that was ahead has moved the
    watermark too far: then the run looks as far back as it does once a day.
    """
    if window.span is not None:
        return Look(span=window.span)
    wanted = window.beginning(now)
    if wanted >= now:
        return None
    if mark.searched_until is None or mark.searched_from is None:
        return Look(span=TimeSpan(wanted, now), deep=True)
    begin = min(mark.watermark or mark.searched_until, now) - window.look_back
    deep = (
        mark.searched_until > now
        or mark.last_deep is None
        or not dt.timedelta(0) <= now - mark.last_deep < DEEP_EVERY
    )
    if deep:
        begin = min(begin, now - window.late)
    if wanted < mark.searched_from:
        begin = wanted
    fixed = isinstance(window.since, dt.datetime)
    begin = max(begin, wanted if fixed else min(wanted, mark.searched_from))
    return Look(span=TimeSpan(min(begin, now - _SHORTEST), now), deep=deep)


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
    if entry is not None and entry.state is State.QUARANTINED:
        return Verdict.QUARANTINED, f"failed in {entry.failures} runs; at last: {entry.error}"
    waits = entry is not None and entry.state is State.FAILED and entry.next_try is not None
    if entry is not None and waits and now < (entry.next_try or now):
        when = f"{entry.next_try:%Y-%m-%d %H:%M UTC}"
        return Verdict.WAITING, f"next try {when}; at last: {entry.error}"
    return Verdict.FETCH, ""
