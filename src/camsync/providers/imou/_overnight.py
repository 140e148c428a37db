"""Recordings across midnight, which the cloud plays one day at a time: two streams as one.

That ``createDeviceRecordHls`` takes times of one day only is documented. What comes for each day is
a recording of its own, checked as such, and both are transport streams: one may follow the other.
"""

from __future__ import annotations

import contextlib
import datetime as dt

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import attrs

from ..._cancel import CancelToken
from ._hls import HlsStream
from ._segments import Stop
from ._wire import RawRecord


_SECOND = dt.timedelta(seconds=1)

Opener = Callable[[CancelToken], AbstractContextManager[HlsStream]]


def days(record: RawRecord, seconds: float) -> list[tuple[RawRecord, float]]:
    """Cut *record* at midnight; return the parts with their seconds.

    Args:
        seconds: How long all of it is: in nights in which the clocks change, the wall clock's
            times are not that far apart.
    """
    midnight = dt.datetime.combine(record.end.date(), dt.time())
    if record.begin >= midnight:
        return [(record, seconds)]
    before = min((midnight - record.begin).total_seconds(), seconds)
    first = (attrs.evolve(record, end=midnight - _SECOND), before)
    if record.end - midnight < _SECOND:
        return [first]
    behind = min((record.end - midnight).total_seconds(), seconds - before)
    return [first, (attrs.evolve(record, begin=midnight), behind)]


class JoinedStream:
    """Streams one after the other (a `camsync.provider.ByteStream`).

    Attributes:
        finished: Whether the last one was read to its end.
    """

    container = "mpeg-ts"
    size: int | None = None
    offset = 0

    def __init__(self, openers: Sequence[Opener], stop: Stop, kept: contextlib.ExitStack) -> None:
        self.finished = False
        self._openers = list(openers)
        self._stop = stop
        self._kept = kept
        self._stream = self._open_next()

    def _open_next(self) -> HlsStream:
        self._kept.close()
        return self._kept.enter_context(self._openers.pop(0)(self._stop))

    def readinto(self, buffer: memoryview) -> int:
        """Fill *buffer*; see `camsync.provider.ByteStream.readinto`."""
        while not (got := self._stream.readinto(buffer)) and self._openers:
            self._stream = self._open_next()
        self.finished = not got
        return got

    def abort(self) -> None:
        """Break off from any thread; a blocked `readinto` raises at once."""
        self._stop.set()
        self._stream.abort()


@contextlib.contextmanager
def open_joined(openers: Sequence[Opener], cancel: CancelToken | None) -> Iterator[JoinedStream]:
    """Open the first of several streams, and each next one when the one before is at its end.

    Args:
        openers: Open one each; they are given a token that ends all of them.
    """
    with contextlib.ExitStack() as kept:
        yield JoinedStream(openers, Stop(cancel), kept)
