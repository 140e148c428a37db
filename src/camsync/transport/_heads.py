"""Answers whose head has to be whole.

For `http.client` the end of the connection is the end of the headers, too. So an answer that was
cut there looks like one with fewer headers: a 401 without a challenge like a refused login, and
one without its length like an empty document.
"""

from __future__ import annotations

import http.client

from typing import BinaryIO


class WholeHead(http.client.HTTPResponse):
    """An answer that is an error when the connection ends within its status line or headers."""

    def begin(self) -> None:
        """Read the head.

        Raises:
            ConnectionAbortedError: It is not whole.
        """
        file = self.fp
        self.fp = _Head(file)  # type: ignore[assignment]  # near enough for a head
        try:
            super().begin()
        finally:
            if not self.isclosed():
                self.fp = file


class _Head:
    """The lines of a head; all of them end, or they are too long for `http.client` anyway."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begun = False
        self.close = file.close

    def readline(self, most: int) -> bytes:
        """Return a line.

        `http.client` has errors of its own for no first line at all, and for one that is not HTTP.
        """
        line = self._file.readline(most)
        cut = not line.endswith(b"\n") and len(line) < most
        if cut and (self._begun or (line and b"HTTP/".startswith(line[:5]))):
            msg = "it closed the connection in the middle of an answer's headers"
            raise ConnectionAbortedError(msg)
        self._begun = True
        return line
