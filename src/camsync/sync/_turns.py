"""The places of one device: how many streams at once, who is next, and one search at a time.

Nothing runs in the background: the numbers are looked at when a stream opens, moves bytes or ends.
"""

from __future__ import annotations

import contextlib
import threading
import time

from collections import deque
from collections.abc import Callable, Iterator

import attrs

from .._cancel import CancelToken, check_cancelled
from ..errors import ConfigurationError, DeviceBusyError
from ._level import Level


_LOOK = 0.25
"""Seconds between two looks at *cancel* while somebody waits."""

HOPELESS = 120.0
"""Seconds of nothing but refusals after which a device is left alone: the next run tries again."""

LONGEST_WISH = 60.0
"""Seconds; a device that asks for more is not waited for here."""


@attrs.define(eq=False)
class Slot:
    """A place among the open streams. It belongs to the thread that took it.

    Attributes:
        epoch: The gate's, when it was taken.
        flows: Whether the device has accepted the stream.
    """

    owner: threading.Thread
    epoch: int
    flows: bool = False


@attrs.frozen(kw_only=True)
class GateFigures:
    """What a gate has seen so far.

    Attributes:
        limit: How many streams may be open now.
        ceiling: The number beyond which there was trouble, or None: worth remembering.
        streams: How many are open, or being opened.
        waiting: How many wait for a place.
        opened: Streams that the device has accepted.
        refused: Streams for which it had no room.
        broken: Streams that were reset, or fell silent.
        bytes: What came through all of them.
        rate: Bytes a second, lately.
    """

    limit: int
    ceiling: int | None
    streams: int
    waiting: int
    opened: int
    refused: int
    broken: int
    bytes: int
    rate: float


class Gate:
    """Adapts the number of open streams to what one device can bear. Thread-safe.

    It begins with *start*, adds one while that does not make the whole slower, and goes back when
    the device refuses, resets, falls silent or slows down: see `camsync.sync._level`.

    Args:
        cap: The most streams there may ever be.
        start: How many to begin with; what is known from last time, if anything.
        minimum: The fewest.
        ceiling: `GateFigures.ceiling` of last time: it is not tried again at once.
        clock: Seconds that never go back, for tests.

    Raises:
        ConfigurationError: A number is not positive, or *minimum* is above *cap*.
    """

    def __init__(
        self,
        cap: int = 8,
        start: int = 2,
        minimum: int = 1,
        *,
        ceiling: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= minimum <= cap or start < 1 or (ceiling is not None and ceiling < 1):
            msg = f"a gate of {minimum} to {cap} streams that begins with {start} makes no sense"
            raise ConfigurationError(msg, next_step="use positive numbers, the cap the largest")
        self._clock = clock
        self._level = Level(cap=cap, start=start, minimum=minimum, ceiling=ceiling, now=clock())
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._slots: set[Slot] = set()
        self._quiet_until = clock()
        self._searcher: threading.Thread | None = None
        self._opened = self._refused = self._broken = self._bytes = 0
        self._refused_since: float | None = None

    @property
    def figures(self) -> GateFigures:
        """What the gate has seen so far."""
        with self._changed:
            return GateFigures(
                limit=self._level.limit,
                ceiling=self._level.ceiling,
                streams=len(self._slots),
                waiting=len(self._queue),
                opened=self._opened,
                refused=self._refused,
                broken=self._broken,
                bytes=self._bytes,
                rate=self._level.rate,
            )

    def take(self, cancel: CancelToken | None = None, *, first: bool = False) -> Slot:
        """Wait for a place: those who came first get the first one that is free.

        Args:
            cancel: Ends the waiting.
            first: Goes before all others: it has had its turn and was refused.

        Raises:
            CancelledError: *cancel* was set.
            DeviceBusyError: The device has had no room for anything for `HOPELESS` seconds.
        """
        ticket = object()
        with self._changed:
            (self._queue.appendleft if first else self._queue.append)(ticket)
            try:
                while not self._is_free(ticket):
                    check_cancelled(cancel)
                    self._check_hope()
                    self._changed.wait(_LOOK)
                check_cancelled(cancel)
                self._check_hope()
                slot = Slot(threading.current_thread(), self._level.epoch)
                self._slots.add(slot)
                self._note()
                return slot
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _is_free(self, ticket: object) -> bool:
        now = self._clock()
        for lost in [slot for slot in self._slots if not slot.owner.is_alive()]:
            self._drop(lost)
        self._level.tick(now)
        room = len(self._slots) < self._level.limit and now >= self._quiet_until
        return room and self._queue[0] is ticket

    def _drop(self, slot: Slot) -> None:
        self._slots.discard(slot)
        self._note()
        self._changed.notify_all()

    def _note(self) -> None:
        flowing = sum(slot.flows for slot in self._slots)
        self._level.use(len(self._slots), flowing, self._clock())

    def give_back(self, slot: Slot) -> None:
        """Give a place back. Doing it twice is fine."""
        with self._changed:
            self._drop(slot)

    def opened(self, slot: Slot) -> None:
        """Note that the device has accepted the stream of *slot*."""
        with self._changed:
            self._opened += 1
            self._refused_since = None
            slot.flows = True
            self._level.opened()
            self._note()

    def refused(self, slot: Slot, asked: float | None = None) -> None:
        """Note that the device had no room for the stream of *slot*, and give the place back.

        Args:
            slot: The place.
            asked: Seconds that the device wants to be left alone.
        """
        with self._changed:
            now = self._clock()
            self._refused += 1
            if self._refused_since is None and not any(each.flows for each in self._slots):
                self._refused_since = now
            wait = self._level.refused(len(self._slots | {slot}), now)
            wait = wait if asked is None else max(wait, min(asked, LONGEST_WISH))
            self._quiet_until = max(self._quiet_until, now + wait)
            self._drop(slot)

    def _check_hope(self) -> None:
        since = self._refused_since
        if since is not None and self._clock() - since >= HOPELESS:
            msg = f"the device has refused every download for {HOPELESS / 60:.0f} minutes"
            step = "close what else plays its footage, or wait: the next run tries again"
            raise DeviceBusyError(msg, next_step=step)

    def broke(self, slot: Slot) -> None:
        """Note that the stream of *slot* was reset, or fell silent. It keeps its place.

        When a device restarts, all streams break at once: that counts as one incident.
        """
        with self._changed:
            self._broken += 1
            if slot.epoch == self._level.epoch:
                self._level.broke(len(self._slots | {slot}), self._clock())

    def moved(self, count: int, *, throttled: bool = False) -> None:
        """Note that *count* bytes have come; *throttled* says that they were held back here."""
        with self._changed:
            self._bytes += count
            self._level.moved(count)
            if throttled:
                self._level.throttled()
            if self._level.tick(self._clock()):
                self._changed.notify_all()

    @contextlib.contextmanager
    def searching(self) -> Iterator[None]:
        """Hold the only place for a search; a search within a search of this thread is part of it."""
        me = threading.current_thread()
        with self._changed:
            within = self._searcher is me
            while not within and self._searcher is not None and self._searcher.is_alive():
                self._changed.wait(_LOOK)
            self._searcher = me
        try:
            yield
        finally:
            with self._changed:
                if not within and self._searcher is me:
                    self._searcher = None
                self._changed.notify_all()

    def __repr__(self) -> str:
        seen = self.figures
        return f"<Gate {seen.streams} of {seen.limit} streams, {seen.waiting} waiting>"
