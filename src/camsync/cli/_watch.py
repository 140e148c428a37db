"""Again and again: runs at intervals that no failure ends, and an end that does not take long."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import threading
import time

from collections.abc import Callable, Iterator

from .._cancel import CancelToken, pause
from .._time import utcnow
from ..errors import CancelledError
from ._signals import Stop


_JITTER = 0.05
"""How much earlier or later a run begins: many computers must not ask a cloud at one moment."""

_LEAST = 1.0
GRACE = 1.7
"""Seconds between the first signal and the end of the process, if the work does not end before."""

_random = secrets.SystemRandom()


def watch(
    run: Callable[[], None],
    interval: dt.timedelta,
    cancel: CancelToken,
    *,
    announce: Callable[[dt.datetime], None],
    failed: Callable[[Exception], None],
    jitter: Callable[[float, float], float] = _random.uniform,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Call *run* now and then every *interval*, until *cancel* is set.

    Args:
        announce: Is told when the next run begins.
        failed: Is told of whatever a run raises.
    """
    while not cancel.is_set():
        begun = clock()
        try:
            run()
        except Exception as error:  # noqa: BLE001 - the next run may fare better
            failed(error)
        length = interval.total_seconds() * jitter(1 - _JITTER, 1 + _JITTER)
        wait = max(length - (clock() - begun), _LEAST)
        if not cancel.is_set():
            announce(utcnow() + dt.timedelta(seconds=wait))
        with contextlib.suppress(CancelledError):
            pause(wait, cancel)


@contextlib.contextmanager
def in_time(
    stop: Stop,
    *,
    grace: float = GRACE,
    leave: Callable[[int], object] = os._exit,
) -> Iterator[None]:
    """End the process soon after *stop* has caught a signal, if the block has not ended by then.

    A device that does not answer may hold a thread for a minute. Whatever is under way then bears
    a kill: nothing half done has its final name, and the catalogue is always whole.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            if stop.is_set():
                if not over.wait(grace):
                    leave(stop.code)
                return

    thread = threading.Thread(target=look, name="camsync-in-time", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
