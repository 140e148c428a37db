"""What was seen on the recorders, what became of it, and what is on disk.

`Catalogue` needs the extra ``sync`` (SQLAlchemy); a PostgreSQL server as its home needs the extra
``postgres`` too. `SyncLedger` and `VpackLedger`, for hosts with tables of their own, need neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _lazy
from ..errors import MissingExtraError
from ._coverage import Coverage
from ._ledger import SyncLedger
from ._values import Batch, ChannelMark, Entry, KnownChannel, Pace, Pruning, Reconciliation, State
from ._vpack import VpackLedger


if TYPE_CHECKING:
    from ._catalogue import Catalogue
    from ._holdings import Holdings


__all__ = [
    "Batch",
    "Catalogue",
    "ChannelMark",
    "Coverage",
    "Entry",
    "Holdings",
    "KnownChannel",
    "Pace",
    "Pruning",
    "Reconciliation",
    "State",
    "SyncLedger",
    "VpackLedger",
]

_later = _lazy.named(__name__, {"Catalogue": "._catalogue", "Holdings": "._holdings"})


def __getattr__(name: str) -> Any:
    """Import what needs SQLAlchemy when it is first asked for.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
    """
    try:
        return _later(name)
    except ImportError as error:
        extra = "sync"
        raise MissingExtraError.for_extra(extra, "the catalogue") from error
