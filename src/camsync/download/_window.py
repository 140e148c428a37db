"""Bytes seen through a window that moves forward, whether they are in a file or still coming."""

from __future__ import annotations

import abc

from typing import BinaryIO


class Window(abc.ABC):
    """Shows what is at a position, in constant memory; positions never go back."""

    def __init__(self) -> None:
        self._base = 0
        self._data: bytes | memoryview = b""

    def at(self, position: int, count: int) -> bytes:
        """Return up to *count* bytes at *position*; fewer at the end."""
        if position - self._base + count > len(self._data):
            self._reach(position, count)
        index = position - self._base
        return bytes(self._data[index : index + count])

    def shown(self, position: int) -> tuple[bytes | memoryview, int]:
        """Return what the window shows just now, until `at` moves it, and where *position* is in it.

        That may be behind its end.
        """
        return self._data, position - self._base

    @abc.abstractmethod
    def _reach(self, position: int, count: int) -> None:
        """Move the window, so that it shows so much of *position* as there is."""

    @property
    @abc.abstractmethod
    def end(self) -> int:
        """Where the bytes end; known when `at` has returned fewer than it was asked for."""


class FileWindow(Window):
    """A file seen through one buffer of *most* bytes: forward jumps cost a seek."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        super().__init__()
        self._file = file
        self._most = most

    def _reach(self, position: int, count: int) -> None:
        self._file.seek(position)
        self._data = self._file.read(max(self._most, count))
        self._base = position

    @property
    def end(self) -> int:
        return self._file.seek(0, 2)
