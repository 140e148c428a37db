"""Ctrl-C and SIGTERM: as a cancel token while there is work, as an end while somebody is asked."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

from collections.abc import Iterator
from types import FrameType
from typing import NoReturn, final

import click

from ._exit import TERMINATED
from ._output import Output


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDERR = 2
_SHOW_CURSOR = b"\x1b[?25h"


@final
class Stop:
    """Catches SIGINT and SIGTERM while its block runs. It is a `camsync.CancelToken`.

    Only the main thread may enter it: Python gives signals to nobody else.
    """

    def __init__(self, output: Output, advice: str = "") -> None:
        self._output = output
        self._advice = advice
        # No threading.Event: its lock is not reentrant, and a handler can interrupt its holder.
        self._signal: int | None = None
        self._before: dict[int, object] = {}

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._signal is not None

    @property
    def code(self) -> int:
        """The exit code that the signal asks for: 130 or 143; 0 when none has come."""
        return 0 if self._signal is None else 128 + self._signal

    def __enter__(self) -> Stop:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_error: object) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._before.pop(number))  # type: ignore[arg-type]

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        # Only os.write here: a buffered stream may be in the middle of a write of its own.
        if self._signal is not None:
            # Whatever the work is stuck in, the user has waited long enough. Nothing half done
            # stands under a final name: the download engine bears a kill at any moment.
            if self._output.err.is_terminal:
                _write(_SHOW_CURSOR)
            os._exit(128 + number)
        self._signal = number
        if self._advice:
            _write(f"\n{self._advice}\n".encode())


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM unwind the block instead of killing the process: a prompt has hidden the echo.

    The program ends with exit code 143, as it would have. A process that was started to ignore
    SIGTERM goes on doing so.
    """
    before = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()
    if not main or before in {None, signal.SIG_IGN}:
        yield
        return
    signal.signal(signal.SIGTERM, _unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _unwind(number: int, _frame: FrameType | None) -> NoReturn:
    # A second one must not interrupt what restores the terminal.
    signal.signal(number, signal.SIG_IGN)
    _write(b"\nstopped by SIGTERM\n")
    raise click.exceptions.Exit(TERMINATED)


def _write(text: bytes) -> None:
    # A closed stderr must not keep a process from ending.
    with contextlib.suppress(OSError):
        os.write(_STDERR, text)
