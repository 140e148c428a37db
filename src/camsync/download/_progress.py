"""Events of a running download: throttled, with a smoothed rate, to a callback that may fail."""

from __future__ import annotations

import logging
import time

from collections.abc import Callable

from .._rate import Rate
from ..models import Progress, Recording, Stage


_log = logging.getLogger("camsync.download")

_INTERVAL = 0.25
"""Seconds between two events of a file that is on its way."""


class Reporter:
    """Tells *on_event* how the download of one recording goes."""

    def __init__(
        self,
        recording: Recording,
        on_event: Callable[[Progress], object] | None,
        *,
        index: int = 1,
        count: int | None = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recording = recording
        self._on_event = on_event
        self._index = index
        self._count = count
        self._clock = clock
        self._complained = False
        self._done = 0
        self._total: int | None = None
        self._rate = Rate()
        self._stage: Stage | None = None
        self._last = (0.0, 0)

    def advance(self, stage: Stage, done: int, total: int | None) -> None:
        """Note that *done* of *total* bytes are through *stage*; tell it when it is time to.

        The first and the last byte of a stage are always told.
        """
        self._done, self._total = done, total
        now = self._clock()
        then, before = self._last
        if stage is not self._stage or done < before:
            self._stage, self._rate, self._last = stage, Rate(), (now, done)
        elif now - then < _INTERVAL and done != total:
            return
        else:
            self._rate.measured(done - before, now - then)
            self._last = (now, done)
        self._send(stage)

    def tell(self, stage: Stage, message: str = "") -> None:
        """Tell that something has happened."""
        self._stage = None
        self._send(stage, message)

    def fail(self, message: str) -> None:
        """Tell that it has failed: of all bytes that came, none are kept."""
        self._done, self._rate = 0, Rate()
        self.tell(Stage.FAILED, message)

    def _send(self, stage: Stage, message: str = "") -> None:
        if self._on_event is None:
            return
        left = None if self._total is None else max(self._total - self._done, 0)
        event = Progress(
            stage=stage,
            recording=self._recording,
            bytes_done=self._done,
            bytes_total=self._total,
            rate=self._rate.value,
            eta=self._rate.seconds_for(left),
            file_index=self._index,
            file_count=self._count,
            message=message,
        )
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - a display that fails is no reason to lose a download
            if not self._complained:
                self._complained = True
                _log.exception("the on_event callback failed; the download goes on")
