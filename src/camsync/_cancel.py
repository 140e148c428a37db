"""Stopping early: the token that callers give, and waits that look at it."""

from __future__ import annotations

import contextlib
import threading
import time

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, runtime_checkable

from .errors import CancelledError


_POLL = 0.2


@runtime_checkable
class CancelToken(Protocol):
    """Anything with ``is_set()``: a `threading.Event`, or your own."""

    def is_set(self) -> bool:
        """Whether the work should stop."""
        ...


_AROUND: ContextVar[CancelToken | None] = ContextVar("camsync_cancel", default=None)


@contextlib.contextmanager
def cancelled_by(cancel: CancelToken | None) -> Iterator[None]:
    """Let *cancel* end what this thread waits for while the block runs, though nobody hands it on.

    A search or a list of channels takes no token: it is a page or two. Of a device that has fallen
    silent, it takes a minute.
    """
    before = _AROUND.set(cancel)
    try:
        yield
    finally:
        _AROUND.reset(before)


def check_cancelled(cancel: CancelToken | None) -> None:
    """Raise `CancelledError` when *cancel* is set."""
    if cancel is not None and cancel.is_set():
        msg = "cancelled by the caller"
        raise CancelledError(msg)


def pause(seconds: float, cancel: CancelToken | None = None) -> None:
    """Sleep, but wake up for *cancel*, or for the token of `cancelled_by`.

    Raises:
        CancelledError: It was set.
    """
    cancel = cancel or _AROUND.get()
    deadline = time.monotonic() + seconds
    while True:
        check_cancelled(cancel)
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _POLL) if cancel is not None else left)


class BreakOff:
    """Calls *abort* from another thread soon after *cancel* is set, while the block runs.

    A thread that waits for a silent device cannot look at *cancel* itself. Without *cancel* it is
    the token of `cancelled_by`; without that this costs nothing.
    """

    def __init__(self, cancel: CancelToken | None, abort: Callable[[], object]) -> None:
        self._cancel = cancel or _AROUND.get()
        self._abort = abort
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        check_cancelled(self._cancel)
        if self._cancel is not None:
            self._thread = threading.Thread(
                target=self._run, args=(self._cancel,), name="camsync-cancel", daemon=True
            )
            self._thread.start()

    def _run(self, cancel: CancelToken) -> None:
        while not self._over.wait(_POLL):
            if cancel.is_set():
                self._abort()
                return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching; an error that *abort* may have caused becomes `CancelledError`."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if isinstance(error, Exception) and not isinstance(error, CancelledError):
            check_cancelled(self._cancel)
