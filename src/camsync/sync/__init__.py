"""Every recording once, complete, in order, across many recorders, through any crash."""

from __future__ import annotations

import importlib

from typing import TYPE_CHECKING, Any

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

_LATER = frozenset({"make_plan", "sync"})


def __getattr__(name: str) -> Any:
    """Import what keeps a catalogue when it is first asked for: `clip` needs none.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
    """
    if name not in _LATER:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module("._run", __name__), name)
    globals()[name] = value
    return value
