"""Every recording once, complete, in order, across many recorders, through any crash."""

from __future__ import annotations

from ._clip import Clip, ClipPart, clip
from ._options import Source
from ._run import make_plan, sync
from ._values import (
    EventKind,
    Plan,
    PlanItem,
    Problem,
    SyncEvent,
    SyncReport,
    Totals,
    Verdict,
)


__all__ = [
    "Clip",
    "ClipPart",
    "EventKind",
    "Plan",
    "PlanItem",
    "Problem",
    "Source",
    "SyncEvent",
    "SyncReport",
    "Totals",
    "Verdict",
    "clip",
    "make_plan",
    "sync",
]
