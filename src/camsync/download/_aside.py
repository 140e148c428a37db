"""What can be learnt of the bytes while they come.

Bytes are summed up at once, by the thread that receives them: they are in its processor's cache
then, from which another one would have to fetch them (measured: a fifth more processor time for
receiving and summing up). Meanwhile the system goes on receiving. The walk from packet to packet
follows on a thread of its own, in the buffers that the bytes were received in; it looks at their
headers only.
"""

from __future__ import annotations

import hashlib
import queue
import threading

from collections.abc import Callable
from typing import Any

import attrs

from ._window import Window


_BLOCK = 1 << 19
_BLOCKS = 3
"""One is being filled, one is being looked at, one is on its way from the one to the other."""

_SCRAP = 1 << 16
"""With less room than this in it, a block counts as full: reads are to be large."""

_PLAIN = 1 << 20

Look = Callable[[Window], Any]


class _StoppedError(Exception):
    """Nobody wants to know any more."""


@attrs.frozen(kw_only=True)
class Seen:
    """What was learnt of a whole file.

    Attributes:
        size: Its bytes.
        digest: Their SHA-256 in hexadecimal digits, if it was wanted.
    """

    size: int
    digest: str | None
    _found: Any = None
    _failure: Exception | None = None

    def found(self) -> Any:
        """Return what the look has returned, or raise what it has raised."""
        if self._failure is not None:
            raise self._failure
        return self._found


class Aside:
    """Gives out the buffers to receive in, and looks at what was received.

    It follows one file that grows from its first byte on. Where it loses track, because bytes
    were cut off and others appended, it says so in the end: then the file has to be read.

    Args:
        hashed: Whether to sum up.
        look: Is called with what comes, on a thread; it need not take all of it.
    """

    def __init__(self, *, hashed: bool = False, look: Look | None = None) -> None:
        self._hashed = hashed
        self._look = look
        self._sum: Any = None
        self._flow: _Flow | None = None
        self._followed: int | None = None
        self._seen: Seen | None = None
        self._plain: memoryview | None = None
        self._room = memoryview(b"")

    def room(self, at: int, most: int) -> memoryview:
        """Return room for up to *most* of the bytes that follow the first *at*."""
        if not at and self._followed is None:
            self._begin()
        if self._flow is not None and self._followed == at:
            self._room = self._flow.room(most)
        else:
            if self._plain is None:
                self._plain = memoryview(bytearray(_PLAIN))
            self._room = self._plain[:most]
        return self._room

    def _begin(self) -> None:
        if self._look is not None:
            self._flow = _Flow.begun(self._look)
        if self._flow is None and not (self._hashed and self._look is None):
            return  # nothing is wanted, or there is no thread for it
        self._sum = hashlib.sha256() if self._hashed else None
        self._followed = 0

    def took(self, at: int, count: int) -> None:
        """Note that the first *count* bytes of the room follow the first *at* in the file."""
        if self._followed != at:
            return
        if self._sum is not None:
            self._sum.update(self._room[:count])
        if self._flow is not None:
            self._flow.took(count)
        self._followed += count

    def cut(self, size: int) -> None:
        """Forget what was learnt of the bytes from *size* on, and with them all the others."""
        if self._followed is not None and size < self._followed:
            self.stop()
        if self._seen is not None and size < self._seen.size:
            self._seen = None

    def finish(self, size: int) -> Seen | None:
        """Return what was learnt of the file, or None if not all of its *size* bytes were seen."""
        if self._followed == size:
            self._seen = self._whole(size)
            self._flow = self._followed = None
        return self._seen if self._seen is not None and self._seen.size == size else None

    def _whole(self, size: int) -> Seen:
        digest = None if self._sum is None else self._sum.hexdigest()
        if self._flow is None:
            return Seen(size=size, digest=digest)
        self._flow.finish()
        return Seen(size=size, digest=digest, found=self._flow.found, failure=self._flow.failure)

    def stop(self) -> None:
        """End the thread, whatever it has not looked at yet."""
        flow, self._flow, self._followed = self._flow, None, None
        if flow is not None:
            flow.stop()


class _Flow(Window):
    """The bytes of one file on their way through the thread that looks at them.

    A full buffer goes to the thread, which gives it back: there are never more than a few.

    Attributes:
        found: What the look has returned, in the end.
        failure: What it has raised.
    """

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.found: Any = None
        self.failure: Exception | None = None
        self._look = look
        self._full: queue.SimpleQueue[memoryview | bool] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._unmade = _BLOCKS
        self._block: memoryview | None = None
        self._filled = 0
        self._ended = False
        self._held: memoryview | None = None
        self._thread = threading.Thread(target=self._run, name="camsync-aside", daemon=True)

    @classmethod
    def begun(cls, look: Look) -> _Flow | None:
        """Return one with its thread at work, or None if the system has no thread to give."""
        flow = cls(look)
        try:
            flow._thread.start()
        except RuntimeError:
            return None
        return flow

    # -- On the thread that receives

    def room(self, most: int) -> memoryview:
        """Return room in the block at hand, or in the next one, which may have to be waited for."""
        if self._block is None:
            self._block, self._filled = self._next_block(), 0
        return self._block[self._filled : self._filled + most]

    def _next_block(self) -> memoryview:
        if self._unmade and self._free.empty():
            self._unmade -= 1
            return memoryview(bytearray(_BLOCK))
        return self._free.get()

    def took(self, count: int) -> None:
        """Count the first bytes of the room as come."""
        self._filled += count
        if self._filled + _SCRAP > _BLOCK:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._block is not None:
            self._full.put(self._block[: self._filled])
            self._block = None

    def finish(self) -> None:
        """Wait until the thread is through with everything."""
        self._pass_on()
        self._end(whole=True)

    def stop(self) -> None:
        """End the thread at its next block."""
        self._end(whole=False)

    def _end(self, *, whole: bool) -> None:
        self._full.put(whole)
        self._thread.join()

    # -- On the thread beside it

    def _run(self) -> None:
        try:
            self._try_look()
            while (block := self._next()) is not None:
                self._give_back(block)
        except _StoppedError:
            return

    def _try_look(self) -> None:
        try:
            self.found = self._look(self)
        except _StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, `Seen.found` raises it again
            self.failure = error
        self._let_go()

    def _next(self) -> memoryview | None:
        """Wait for the next block; return None behind the last one."""
        if self._ended:
            return None
        block = self._full.get()
        if isinstance(block, bool):
            self._ended = block
            if not block:
                raise _StoppedError
            return None
        return block

    def _give_back(self, block: memoryview) -> None:
        self._free.put(memoryview(block.obj))

    def _reach(self, position: int, count: int) -> None:
        while position - self._base + count > len(self._data):
            block = self._next()
            if block is None:
                return
            kept = bytes(self._data[position - self._base :])
            self._base += len(self._data) - len(kept)
            self._let_go()
            if kept:
                self._data = kept + block
                self._give_back(block)
            else:  # as most often: the window shows the block itself
                self._data = self._held = block

    def _let_go(self) -> None:
        """Show nothing."""
        self._data = b""
        if self._held is not None:
            self._give_back(self._held)
            self._held = None

    @property
    def end(self) -> int:
        return self._base + len(self._data)
