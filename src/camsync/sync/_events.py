"""Events come one at a time, in the caller's thread, whatever the threads of the run do."""

from __future__ import annotations

import logging
import queue

from ._context import Context
from ._values import EventKind, SyncEvent


_log = logging.getLogger("camsync.sync")
_POLL = 0.1
_LAGGING = 100
"""Events in the queue from which on progress is dropped: a slow display must not eat memory. Nor
does it hold up a run that has been ended."""


class Pump:
    """Hands the events of a run to the caller's function, and raises what a thread died of."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._on_event = context.options.on_event

    def wait(self) -> None:
        """Hand out what has come, or wait a little."""
        try:
            event = self._context.events.get(timeout=_POLL)
        except queue.Empty:
            return
        self._hand(event)

    def drain(self) -> None:
        """Hand out everything that has come."""
        while True:
            try:
                event = self._context.events.get_nowait()
            except queue.Empty:
                return
            self._hand(event)

    def _hand(self, event: SyncEvent | BaseException | None) -> None:
        if isinstance(event, BaseException):
            raise event
        if event is None or self._on_event is None:
            return
        late = self._context.events.qsize() > _LAGGING or self._context.halt.is_set()
        if late and event.kind is EventKind.PROGRESS:
            return
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - a display that fails is no reason to lose footage
            if not self._context.complained:
                self._context.complained = True
                _log.exception("the on_event callback failed; the sync goes on")
