"""The bytes of a recording: ``ContentMgmt/download``.

What is known of real answers: ``Opaque/data`` with a ``Content-Length`` that is right, missing,
zero or wrong; a connection that stays open after the last byte; nothing at all after the
headers; an error document with status 200. No source shows a 206, so nothing is resumed.
"""

from __future__ import annotations

import contextlib
import math
import threading

from collections.abc import Iterator, Sequence

from ..._cancel import BreakOff, CancelToken
from ...errors import (
    CamsyncError,
    ConfigurationError,
    DeviceTimeoutError,
    DownloadUnsupportedError,
    ProtocolError,
    ShortReadError,
    UnsupportedError,
)
from ...models import Recording
from ...transport import BulkReply
from ._client import IsapiClient
from ._dialect import download_body
from ._errors import METHOD_NOT_ALLOWED, error_for, read_status
from ._matches import uri_fields


_PATH = "ContentMgmt/download"
_NO_VERB = 405
_HEAD = 4096
_EXCESS = 1.1
_MARGIN = 16 * 1024 * 1024
_GRACE = 3.0
"""Seconds of silence that end a stream which already has every announced byte.

Also those in which bytes have to come behind ``Content-Length: 0``, which may be a lie or the truth.
"""
_LONGEST_DOCUMENT = 64 * 1024


class IsapiStream:
    """The open bytes of one recording (a `camsync.provider.ByteStream`).

    The end is where ``Content-Length`` and the listing agree. Where they do not, or where there
    is no length, reading goes on to the end of the connection, or to a short silence once
    everything announced is here; the listing's size is the one to be reached.
    """

    container = "mpeg-ps"
    offset = 0

    def __init__(self, reply: BulkReply, announced: int | None, patience: float) -> None:
        self._reply = reply
        self._patience = patience
        self._declared = reply.declared or None
        self._announced = announced
        agreed = self._declared is not None and announced in (None, self._declared)
        self._exact = self._declared if agreed else None
        self._received = 0
        self._aborted = threading.Event()
        self._hurried = False
        if self._exact is None:
            reply.ignore_length()
        self._head = b""
        self._head = self._peek()

    @property
    def size(self) -> int | None:
        """The bytes that the stream will hold before it reports its end without an error."""
        return self._announced or self._declared

    @property
    def head(self) -> bytes:
        """The first bytes, which `readinto` still hands out."""
        return self._head

    def document(self) -> bytes:
        """Read the answer as the error document that its first bytes show it to be."""
        longest = min(self._declared or _LONGEST_DOCUMENT, _LONGEST_DOCUMENT)
        content = bytearray()
        buffer = memoryview(bytearray(_HEAD))
        self._reply.wait(_GRACE)
        with contextlib.suppress(ShortReadError, DeviceTimeoutError):  # not the footage's length
            while len(content) < longest and (count := self.readinto(buffer)):
                content += buffer[:count]
        return bytes(content)

    def _peek(self) -> bytes:
        buffer = bytearray(_HEAD)
        nothing = self._reply.declared == 0
        if nothing:
            self._reply.wait(min(_GRACE, self._patience))
        count = self._fill(memoryview(buffer))
        if nothing and count:
            self._reply.wait(self._patience)
        return bytes(buffer[:count])

    def readinto(self, buffer: memoryview) -> int:
        """Fill *buffer*; see `camsync.provider.ByteStream.readinto`."""
        if self._head:
            count = min(len(self._head), len(buffer))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        return self._fill(buffer)

    def _fill(self, buffer: memoryview) -> int:
        if self._exact is not None:
            buffer = buffer[: self._exact - self._received]
            if not buffer:
                return 0
        count = self._receive(buffer)
        self._received += count
        if count == 0:
            self._check_end()
        elif self._received > self._most:
            msg = f"the device sends far more than the {self.size} bytes that it announced"
            raise ProtocolError(msg)
        return count

    def _receive(self, buffer: memoryview) -> int:
        enough = self._exact is None and self._received >= self._least
        if enough and not self._hurried:
            self._hurried = True
            self._reply.wait(_GRACE)
        try:
            return self._reply.readinto(buffer)
        except DeviceTimeoutError:
            # It holds the connection open at 100 %, or has meant that it sends nothing.
            if enough or (self._received == 0 and self._reply.declared == 0):
                return 0
            raise

    @property
    def _sizes(self) -> list[int]:
        return [size for size in (self._declared, self._announced) if size is not None]

    @property
    def _least(self) -> float:
        """The smaller of the announced sizes: from here on, silence may be the end."""
        return min(self._sizes, default=math.inf)

    @property
    def _most(self) -> float:
        """What no honest inaccuracy explains any more: a disk must not be filled by one file."""
        return max(self._sizes, default=math.inf) * _EXCESS + _MARGIN

    def _check_end(self) -> None:
        if self._received == 0 and not self._aborted.is_set():
            msg = "the device accepted the download and sent nothing"
            raise ShortReadError(msg, expected=self.size, received=0)
        if self.size is not None and self._received < self.size:
            msg = f"the device sent {self._received} of {self.size} bytes and stopped"
            raise ShortReadError(msg, expected=self.size, received=self._received)

    def abort(self) -> None:
        """Break off from any thread."""
        self._aborted.set()
        self._reply.abort()

    def __repr__(self) -> str:
        return f"<IsapiStream {self._received} of {self.size} bytes>"


class Downloader:
    """Opens recordings of one device and remembers the verb that it understands.

    GET with a body is the documented form; many recorders refuse it, cameras want it.

    Args:
        patience: Seconds of silence before giving up.
    """

    def __init__(self, client: IsapiClient, patience: float) -> None:
        self._client = client
        self._patience = patience
        self._verbs: Sequence[str] = ("POST", "GET")

    @contextlib.contextmanager
    def open(
        self, recording: Recording, cancel: CancelToken | None = None
    ) -> Iterator[IsapiStream]:
        """Open the bytes of *recording*; the connection is released at the end of the block.

        Raises:
            CamsyncError: The device refuses, is busy, or sends no footage. Nothing is tried
                again here; the download engine does that.
        """
        uri = playback_uri(recording)
        reply = self._request(download_body(uri), self._verbs, cancel)
        try:
            with BreakOff(cancel, reply.abort):
                stream = IsapiStream(reply, recording.size, self._patience)
                _check_head(stream, reply)
            yield stream
        finally:
            reply.close()

    def _request(self, body: bytes, verbs: Sequence[str], cancel: CancelToken | None) -> BulkReply:
        verb, *others = verbs
        try:
            reply = self._client.stream(verb, _PATH, body, cancel=cancel)
        except UnsupportedError as error:
            if others and _refuses_verb(error):
                return self._request(body, others, cancel)
            msg = f"this device does not hand out footage over ISAPI: {error.message}"
            raise DownloadUnsupportedError(
                msg,
                vendor_code=error.vendor_code,
                vendor_sub_code=error.vendor_sub_code,
                http_status=error.http_status,
                next_step="check the account's right to play back remotely, and the firmware",
            ) from error
        self._verbs = (verb,)
        return reply


def _refuses_verb(error: CamsyncError) -> bool:
    return error.vendor_sub_code == METHOD_NOT_ALLOWED or error.http_status == _NO_VERB


def playback_uri(recording: Recording) -> str:
    """Return the URI that the device issued for *recording*.

    Raises:
        ConfigurationError: The recording does not come from a search on a Hikvision device.
    """
    uri = recording.raw.get("playbackURI")
    if not isinstance(uri, str) or "://" not in uri or "name" not in uri_fields(uri):
        msg = f"{recording.key} carries no playback URI"
        raise ConfigurationError(msg, next_step="get it from search(), or from locate(key)")
    return uri


def _check_head(stream: IsapiStream, reply: BulkReply) -> None:
    """Recognise an error document that comes with status 200."""
    if stream.head.lstrip()[:1] != b"<":
        return
    document = stream.document()
    if read_status(document) is None:
        msg = f"instead of footage the device sent a document: {document[:60]!r}"
        raise ProtocolError(msg, http_status=reply.status)
    raise error_for(reply.status, document, reply.headers, _PATH)
