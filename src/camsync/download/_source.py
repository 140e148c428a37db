"""File objects between FFmpeg's libraries and the part files."""

from __future__ import annotations

import os

from typing import Any, BinaryIO

from ._walk import Head, stream_map


class _Honest:
    """Remembers what the disk said: FFmpeg passes on that something failed, but not always what.

    Attributes:
        failure: The first error of the disk, or None.
    """

    failure: OSError | None = None

    def _note(self, error: OSError) -> None:
        self.failure = self.failure or error


class Source(_Honest):
    """The file as FFmpeg should see it: from the header on, with a stream map if it lacks one.

    The end of a file that still grows, whose own `seek` says -1, is unknown to FFmpeg, too.
    """

    def __init__(self, file: BinaryIO, head: Head, *, mapped: bool) -> None:
        self._file = file
        self._start = head.start
        self._gap = head.pack - head.start
        self._insert = b"" if mapped else stream_map(head)
        end = file.seek(0, 2)
        self._size = end if end < 0 else end - head.start + len(self._insert)
        self._position = 0

    def read(self, count: int) -> bytes:
        """Return up to *count* bytes; fewer at a seam and at the end."""
        at, behind = self._position, self._gap + len(self._insert)
        if at < self._gap:
            data = self._file_at(at, min(count, self._gap - at))
        elif at < behind:
            data = self._insert[at - self._gap :][:count]
        else:
            data = self._file_at(at - len(self._insert), count)
        self._position += len(data)
        return data

    def _file_at(self, position: int, count: int) -> bytes:
        try:
            self._file.seek(self._start + position)
            return self._file.read(count)
        except OSError as error:
            self._note(error)
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position, or from here, or from the end if it is known; else return -1."""
        if whence == os.SEEK_END and self._size < 0:
            return -1
        base = (0, self._position, self._size)[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position


class Sink(_Honest):
    """A raw file that writes everything it is given."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def write(self, data: Any) -> int:
        """Write all of *data*."""
        size = len(data)
        try:
            written = self._file.write(data)
            while written < size:
                written += self._file.write(memoryview(data)[written:])
        except OSError as error:
            self._note(error)
            raise
        return size
