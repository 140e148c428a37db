"""Every recording once, complete, in order, across many recorders, through any crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _lazy
from ._clip import Clip, ClipPart, clip
from ._options import Source
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


if TYPE_CHECKING:
    from ._run import make_plan, sync


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

# What keeps a catalogue needs SQLAlchemy; `clip` needs none.
__getattr__ = _lazy.named(__name__, {"make_plan": "._run", "sync": "._run"})
