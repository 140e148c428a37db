"""What one run tells the next about how many downloads at once a device bears."""

from __future__ import annotations

import datetime as dt

import attrs

from ..catalogue import Holdings, Pace
from ._turns import GateFigures


REMEMBERED = dt.timedelta(hours=6)
"""For so long no run goes beyond a ceiling that was found. One try, and one refusal, in six hours is
what it costs to notice that a recorder was replaced, or that somebody has stopped watching."""


def recalled(pace: Pace | None, now: dt.datetime) -> Pace | None:
    """Return what of *pace* still holds. A clock that was set back makes it doubtful, too."""
    if pace is None or dt.timedelta(0) <= now - pace.learnt_at < REMEMBERED:
        return pace
    return attrs.evolve(pace, ceiling=None)


def learnt(figures: GateFigures, before: Pace | None, now: dt.datetime) -> Pace | None:
    """Return what is worth remembering of a run; None if nothing was fetched in it."""
    if not figures.opened:
        return None
    known = before is not None and before.ceiling == figures.ceiling
    same = known and not figures.refused and not figures.broken
    moment = before.learnt_at if before is not None and same else now
    return Pace(streams=figures.limit, ceiling=figures.ceiling, learnt_at=moment)


def note(holdings: Holdings, source: str, figures: GateFigures, now: dt.datetime) -> None:
    """Remember how many downloads at once *source* has borne in this run."""
    pace = learnt(figures, holdings.pace_of(source), now)
    if pace is not None:
        holdings.note_pace(source, pace)
