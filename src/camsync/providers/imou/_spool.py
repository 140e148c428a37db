"""A segment on its way: kept, in memory or on disk, and looked at while it comes."""

from __future__ import annotations

import contextlib
import errno
import tempfile

from collections.abc import Iterator
from typing import Any

from ...errors import DestinationError, DiskFullError, ProtocolError, ShortReadError
from ._stamps import Measure, measure


IN_MEMORY = 8 * 1024 * 1024
"""Bytes of a segment that are held in memory; a longer one goes to a nameless file."""

LONGEST_SEGMENT = 1024 * 1024 * 1024
_PACKET = 188
_SYNC = 0x47
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Spool:
    """A whole segment, until it is handed on."""

    def __init__(self) -> None:
        self._file: Any = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - see close()
        self.size = 0
        self.measure = Measure()
        """What its time stamps say, once it is complete."""

    def write(self, data: memoryview) -> None:
        """Append *data*.

        Raises:
            DiskFullError: A long segment finds no room in the folder for temporary files.
            DestinationError: That folder cannot be written.
        """
        with _disk():
            self._file.write(data)
        self.size += len(data)

    def rewind(self) -> None:
        """Measure what has come, and begin to read."""
        with _disk():
            self.measure = measure(self._file)
            self._file.seek(0)

    def readinto(self, buffer: memoryview) -> int:
        """Fill *buffer*; 0 at the end."""
        with _disk():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Forget it all."""
        self._file.close()


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"a segment cannot be kept in {tempfile.gettempdir()}: {error.strerror}"
        full = error.errno in _FULL
        raise (DiskFullError(msg) if full else DestinationError(msg)) from error


class TransportStream:
    """Lets whole packets of a transport stream through to a `Spool`, and nothing else.

    Args:
        decrypted: Whether a wrong key may be the reason for what is no transport stream.
    """

    def __init__(self, spool: Spool, *, decrypted: bool = False) -> None:
        self._spool = spool
        self._decrypted = decrypted

    def write(self, data: memoryview) -> None:
        """Take the next bytes.

        Raises:
            ProtocolError: They are something else, or far too many.
        """
        size = self._spool.size
        syncs = bytes(data[-size % _PACKET :: _PACKET])
        if syncs.count(_SYNC) != len(syncs):
            words = "a document" if not size and _is_text(data) else "something"
            how = ", decrypted with its key," if self._decrypted else ""
            msg = f"{words} came that{how} is no MPEG transport stream"
            raise ProtocolError(msg, next_step="try again", retryable=True)
        if size + len(data) > LONGEST_SEGMENT:
            msg = f"a segment is longer than {LONGEST_SEGMENT} bytes"
            raise ProtocolError(msg)
        self._spool.write(data)

    def finish(self) -> None:
        """Check the end.

        Raises:
            ShortReadError: There is nothing, or the last packet is cut.
        """
        size = self._spool.size
        if not size:
            msg = "a segment is empty"
            raise ShortReadError(msg, received=0)
        if size % _PACKET:
            msg = "a segment ends in the middle of a packet"
            raise ShortReadError(msg, expected=-(-size // _PACKET) * _PACKET, received=size)


def _is_text(data: memoryview) -> bool:
    return bytes(data[:64]).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"<", b"{", b"["}
