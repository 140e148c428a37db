"""Fetches what a playlist names: documents, keys, and whole segments that have been looked at.

A segment is kept, in memory or on disk, until all of it has come, has been decrypted and is a
transport stream. So one that breaks off can be fetched again, and no half of it is ever handed on.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import re
import threading

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import attrs

from ..._cancel import CancelToken, check_cancelled
from ..._secret import Secret
from ...errors import (
    CancelledError,
    DeviceBusyError,
    DeviceFaultError,
    DownloadUnsupportedError,
    ProtocolError,
    ShortReadError,
)
from ...transport import read_url
from ._aes import KEY_SIZE, Decryptor, vector
from ._playlist import LONGEST, Key, Segment
from ._spool import Spool, TransportStream
from ._timeline import is_short
from ._wire import PlaySource


_BUFFER = 256 * 1024
_OK, _PARTIAL = 200, 206
_EXPIRED = frozenset({401, 403, 404, 410})
_BUSY = frozenset({408, 425, 429, 503})
_FAULT = 500
_LONGEST_WISH = 3600
_logger = logging.getLogger("camsync.imou")


class Reply(Protocol):
    """What is asked of an answer: see `camsync.transport._web.WebReply`."""

    @property
    def status(self) -> int: ...
    @property
    def declared(self) -> int | None: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def url(self) -> Secret: ...
    def readinto(self, view: memoryview) -> int: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Getter(Protocol):
    """What is asked of the transport: see `camsync.transport._web.Web`."""

    def get(
        self,
        url: str | Secret,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        byte_range: tuple[int, int | None] | None = None,
        cancel: CancelToken | None = None,
    ) -> Reply: ...


class AddressExpiredError(Exception):
    """The server does not hand this out (any more). A new address may help; it never leaves."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Stop:
    """Ends everything: the caller's wish, or ours. Wakes whoever waits for an answer's bytes."""

    def __init__(self, cancel: CancelToken | None) -> None:
        self._cancel = cancel
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reply: Reply | None = None

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._event.is_set() or (self._cancel is not None and self._cancel.is_set())

    def set(self) -> None:
        """Stop, from any thread."""
        with self._lock:
            self._event.set()
            if self._reply is not None:
                self._reply.abort()

    def check(self) -> None:
        """Raise `CancelledError` when it is time to stop."""
        check_cancelled(self._cancel)
        if self._event.is_set():
            msg = "the download was broken off"
            raise CancelledError(msg)

    @contextlib.contextmanager
    def watching(self, reply: Reply) -> Iterator[None]:
        """Break *reply* off when it is time to stop; close it at the end of the block."""
        with self._lock:
            self._reply = reply
            if self._event.is_set():
                reply.abort()
        try:
            yield
        finally:
            with self._lock:
                self._reply = None
            reply.close()


@attrs.frozen
class _Plain:
    """What a segment goes through when it is not encrypted."""

    def update(self, data: memoryview) -> memoryview:
        return data

    def finish(self) -> bytes:
        return b""


class Loader:
    """Fetches with one connection at a time, counts every byte, and fetches each key once.

    Args:
        count: Is told of the bytes of bodies as they come, those in vain included.
        check: Says how many bytes may come now, or None for no limit; it raises when none may.
    """

    def __init__(
        self,
        web: Getter,
        stop: Stop,
        count: Callable[[int], object],
        check: Callable[[], int | None],
    ) -> None:
        self._web = web
        self._stop = stop
        self._count = count
        self._check = check
        self._keys: dict[str, Secret] = {}
        self._short: tuple[int, int] | None = None

    def document(
        self, url: Secret, play: PlaySource, most: int = LONGEST
    ) -> tuple[io.BytesIO, Secret]:
        """Return a whole document of at most *most* bytes, and the address that it came from.

        Raises:
            AddressExpiredError: The server does not hand it out (any more).
            ProtocolError: It is longer.
        """
        body = io.BytesIO()

        def take(view: memoryview) -> None:
            if body.tell() + len(view) > most:
                msg = f"a document is longer than {most} bytes"
                raise ProtocolError(msg)
            body.write(view)

        return body, self._fetch(url, play, None, take)

    def segment(self, segment: Segment, play: PlaySource, *, believe: bool = True) -> Spool:
        """Return a whole segment, decrypted and checked.

        Args:
            believe: Whether the lengths in the playlist are right, as far as is known.

        Raises:
            AddressExpiredError: The server does not hand it, or its key, out (any more).
            CamsyncError: It cannot be had, or is no transport stream.
        """
        cipher = self._cipher(segment, play)
        spool = Spool()
        try:
            stream = TransportStream(spool, decrypted=segment.key is not None)
            take = lambda view: stream.write(memoryview(cipher.update(view)))  # noqa: E731
            self._fetch(segment.uri, play, segment.span, take)
            stream.write(memoryview(cipher.finish()))
            stream.finish()
            spool.rewind()
            if believe:
                self._check_length(segment, spool)
        except BaseException:
            spool.close()
            raise
        _logger.debug("segment %d: %d bytes", segment.number, spool.size)
        return spool

    def _check_length(self, segment: Segment, spool: Spool) -> None:
        """Compare the time stamps with what the playlist says.

        One that is too short is fetched again, once. If that gives the same, what comes next
        tells whether it was cut or the playlist is wrong: see `Timeline`. One without picture and
        sound is never right.
        """
        found = spool.measure
        again = self._short == (segment.number, spool.size) and found.main is not None
        if again or not is_short(segment, found):
            return
        self._short = (segment.number, spool.size)
        msg = f"{found.seconds:.1f} of {segment.seconds:.1f} s of a segment arrived"
        raise ShortReadError(msg, expected=segment.seconds, received=found.seconds)

    def _cipher(self, segment: Segment, play: PlaySource) -> Decryptor | _Plain:
        if segment.key is None:
            return _Plain()
        key = self._key(segment.key, play)
        return Decryptor(key, segment.key.iv or vector(segment.number))

    def _key(self, key: Key, play: PlaySource) -> Secret:
        name = hashlib.sha256(key.uri.reveal().encode()).hexdigest()
        if name not in self._keys:
            body, _ = self.document(key.uri, play, _BUFFER)
            if body.tell() != KEY_SIZE:
                msg = f"a key of {body.tell()} bytes came instead of {KEY_SIZE}"
                raise ProtocolError(msg, retryable=True)
            self._keys[name] = Secret(body.getvalue().hex())
        return self._keys[name]

    def _fetch(
        self,
        url: Secret,
        play: PlaySource,
        span: tuple[int, int] | None,
        take: Callable[[memoryview], object],
    ) -> Secret:
        """Hand the bytes of a body to *take* as they come; return where they came from."""
        self._check()  # before anything is asked for that may not come
        buffer = memoryview(bytearray(_BUFFER))
        reply = self._web.get(
            url,
            headers=play.headers if _same_host(url, play.url) else {},
            byte_range=span,
            cancel=self._stop,
        )
        with self._stop.watching(reply):
            _check_answer(reply, span)
            received = 0
            while got := self._read(reply, buffer[: self._room(reply, received)]):
                received += got
                take(buffer[:got])
            expected = reply.declared if span is None else span[1] - span[0] + 1
            if expected not in {None, received}:
                msg = f"{received} of {expected} bytes arrived"
                raise ShortReadError(msg, expected=expected, received=received)
            return reply.url

    def _room(self, reply: Reply, received: int) -> int:
        """Return how many bytes may come next: what has come is paid for."""
        if received == reply.declared:
            return _BUFFER  # only the end is left
        room = self._check()
        return _BUFFER if room is None else max(min(room, _BUFFER), 1)

    def _read(self, reply: Reply, buffer: memoryview) -> int:
        got = reply.readinto(buffer)
        self._stop.check()  # a connection that was broken off looks like one that has ended
        if got:
            self._count(got)
        return got


def _same_host(url: Secret, other: Secret) -> bool:
    return read_url(url).address == read_url(other).address


def _check_answer(reply: Reply, span: tuple[int, int] | None) -> None:
    status = reply.status
    if status in _EXPIRED:
        raise AddressExpiredError(status)
    if status in _BUSY:
        msg = "the media server is busy"
        raise DeviceBusyError(msg, http_status=status, retry_after=_wish(reply))
    if status >= _FAULT:
        msg = "the media server reports an error of its own"
        raise DeviceFaultError(msg, http_status=status, next_step="try again later")
    if span is not None and status == _OK:
        msg = "the media server ignores byte ranges and would send the whole file each time"
        raise DownloadUnsupportedError(msg, http_status=status)
    if status != (_OK if span is None else _PARTIAL):
        msg = "the media server gives an answer that makes no sense"
        raise ProtocolError(msg, http_status=status)
    if span is not None:
        _check_range(reply, span)


def _check_range(reply: Reply, span: tuple[int, int]) -> None:
    text = reply.headers.get("Content-Range") or ""
    if re.match(rf"bytes {span[0]}-{span[1]}(/|$)", text) is None:
        msg = "the media server sends other bytes than those asked for"
        raise ProtocolError(msg, http_status=_PARTIAL)


def _wish(reply: Reply) -> float | None:
    text = reply.headers.get("Retry-After") or ""
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(_LONGEST_WISH))
    return float(text) if plain else None
