"""The film is made while the recording comes, by a remuxer that follows the growing part file.

How it is to be made has to be guessed from the first bytes. Once all bytes are here and checked,
they say whether the guess was right. If it was not, or if anything else went wrong, the film is
thrown away and made from the whole file: nothing but time depends on what is done here.
"""

from __future__ import annotations

import io
import logging
import os
import threading

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import attrs

from .._cancel import CancelToken, check_cancelled
from ._aside import Look
from ._files import PartFile
from ._options import media_stage
from ._verify import Verdict, look
from ._walk import HEAD, sniff
from ._window import FileWindow


_log = logging.getLogger("camsync.download")

_LEAST = 8 << 20
"""Bytes that are here when it begins: what is smaller is made into a film in a moment."""

_FIRST = 1 << 20
"""Bytes from which is guessed how the film is to be made: a second, with sound if there is any."""

_POLL = 0.1
_CAN_FOLLOW = hasattr(os, "pread")
"""Windows cannot read from an open file without moving the place where it is written."""

PlanOf = Callable[[Verdict], Any]


class NotMadeError(Exception):
    """There is no film that was made ahead, or none as it should be."""


class _StoppedError(Exception):
    """Nobody wants the film any more."""


class _Tail:
    """A file that grows while it is read. Reading waits for what is to come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._ended = self._stopped = False
        self._position = 0
        self.size = 0

    # -- On the thread that receives

    def grown(self, size: int) -> None:
        """Note that *size* bytes are in the file by now."""
        with self._changed:
            self.size = size
            self._changed.notify()

    def end(self, *, whole: bool) -> None:
        """Note that nothing more comes: the file is *whole*, or it is not to be read any more."""
        with self._changed:
            self._ended, self._stopped = True, not whole
            self._changed.notify()

    # -- On the thread that follows

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; return -1 for the end, which nobody knows."""
        if whence == os.SEEK_END:
            return -1
        self._position = offset
        return offset

    def read(self, count: int) -> bytes:
        """Return *count* bytes; fewer at the end, and none of a file that is not to be read.

        Nothing is raised then: FFmpeg reads on behind an error, and PyAV prints the second one.
        """
        stop = self._position + count
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self.size >= stop)
            end = 0 if self._stopped else self.size
            count = max(min(stop, end) - self._position, 0)
        data = os.pread(self._descriptor, count, self._position)
        self._position += len(data)
        return data

    def check(self) -> None:
        """Raise `_StoppedError` if the file is not to be read any more."""
        if self._stopped:
            raise _StoppedError


@attrs.frozen
class _Made:
    plan: Any
    notes: tuple[str, ...]


class Ahead:
    """The film of a part file that still grows, made on a thread of its own.

    Args:
        final: The name that the film may get in the end.
        plan_of: How a film is made of what is known about a recording.
        cancel: Is looked at between packets.
    """

    def __init__(self, final: Path, plan_of: PlanOf, cancel: CancelToken | None) -> None:
        self._final = final
        self._plan_of = plan_of
        self._cancel = cancel
        self._tail: _Tail | None = None
        self._film: PartFile | None = None
        self._thread: threading.Thread | None = None
        self._made: _Made | None = None
        self._read = 0

    def grown(self, descriptor: int, size: int) -> None:
        """Note that there are *size* bytes in the open file by now; begin if they are enough."""
        if self._tail is None and size >= _LEAST and _CAN_FOLLOW:
            self._begin(descriptor)
        if self._tail is not None:
            self._tail.grown(size)

    def _begin(self, descriptor: int) -> None:
        self._tail = _Tail(descriptor)
        self._film = PartFile(self._final)
        self._made, self._read = None, 0
        arguments = self._tail, self._film
        thread = threading.Thread(
            target=self._run, args=arguments, name="camsync-ahead", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            return  # the system has no thread to give
        self._thread = thread

    def cut(self, size: int) -> None:
        """Forget the film if bytes of it, those from *size* on, are taken back."""
        if self._tail is not None and size < self._tail.size:
            self.stop()

    def end(self) -> None:
        """Note that the file is whole."""
        if self._tail is not None:
            self._tail.end(whole=True)

    def film(self, plan: Any, tell: Callable[[int], object]) -> tuple[PartFile, tuple[str, ...]]:
        """Return the film of the whole file and remarks on it; the caller has to close it.

        Args:
            plan: How it is to be made.
            tell: Is called now and then with the bytes that are done.

        Raises:
            NotMadeError: There is none, or none that was made like that.
            CancelledError: The cancel token was set.
        """
        while self._thread is not None and self._thread.is_alive():
            tell(self._read)
            check_cancelled(self._cancel)
            self._thread.join(_POLL)
        made, film = self._made, self._film
        if made is None or film is None or made.plan != plan:
            self.stop()
            raise NotMadeError
        self._film = None
        return film, made.notes

    def stop(self) -> None:
        """End the thread and remove the film, if there are any."""
        if self._tail is not None:
            self._tail.end(whole=False)
        if self._thread is not None:
            self._thread.join()
        if self._film is not None:
            with self._film:
                self._film = None
        self._tail = self._thread = self._made = None

    # -- On the thread that follows

    def _run(self, tail: _Tail, film: PartFile) -> None:
        try:
            self._made = self._make(tail, film)
        except _StoppedError:
            return
        except Exception as error:  # noqa: BLE001 - it comes again if it matters: then it is told
            _log.debug("no film could be made ahead: %s", error)

    def _make(self, tail: _Tail, film: PartFile) -> _Made | None:
        first = tail.read(_FIRST)
        tail.check()
        found = look(FileWindow(io.BytesIO(first), len(first)))
        if found is None:
            return None
        sound = found.audio > 0
        plan = self._plan_of(
            Verdict(head=sniff(first[:HEAD]), codec=found.codec, mapped=found.mapped, sound=sound)
        )

        def note(position: int) -> None:
            tail.check()
            self._read = position

        notes = media_stage().remux(
            cast("BinaryIO", tail), film.stream(), plan, on_progress=note, cancel=self._cancel
        )
        tail.check()
        return _Made(plan, notes)


class GrowingPart(PartFile):
    """A part file of whose bytes a film is made as they come.

    Args:
        final: The name that the bytes would get.
        ahead: Makes the film.
        look: Is called with the bytes as they come; see `PartFile`.
    """

    def __init__(self, final: Path, *, ahead: Ahead, look: Look | None = None) -> None:
        self._ahead = ahead
        super().__init__(final, look=look)

    def close(self) -> None:
        """Stop reading, then close the descriptor. Calling it twice is fine."""
        self._ahead.stop()
        super().close()

    def truncate(self, size: int) -> None:
        """Forget everything from *size* on."""
        self._ahead.cut(size)
        super().truncate(size)

    def _append(self, data: memoryview) -> None:
        super()._append(data)
        self._ahead.grown(self._descriptor, self.size)
