"""A whole file behind a URL as a `camsync.provider.ByteStream`, with resuming where it is proven.

A second opening may begin in the middle only if the server proves that it is still the same file:
the answer is 206, its ``Content-Range`` is what was asked for with the same total, and the
validator (a strong ``ETag``, or ``Last-Modified``) is the one of the first opening. Otherwise the
bytes come from the begin, and the stream's ``offset`` says 0.
"""

from __future__ import annotations

import contextlib
import logging
import re

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from ..._cancel import CancelToken, check_cancelled
from ...errors import (
    CamsyncError,
    CancelledError,
    DeviceBusyError,
    PermissionDeniedError,
    ProtocolError,
    RecordingNotFoundError,
    UnreachableError,
)
from ...transport import Web, WebReply
from ._wire import PlaySource


_log = logging.getLogger("camsync.imou")
_OK, _PART, _NOT_SO_LONG = 200, 206, 416
_EXPIRED: Final = frozenset({401, 403, 404, 410})
_GONE: Final = frozenset({404, 410})
_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)
_LONGEST_WISH: Final = 6


@attrs.frozen
class Proof:
    """What tells one file from another."""

    validator: str
    size: int

    @classmethod
    def of(cls, reply: WebReply, size: int | None) -> Proof | None:
        """Return that of a whole file, or None when the server gives none."""
        validator = _validator(reply)
        return cls(validator, size) if validator and size else None


def _validator(reply: WebReply) -> str:
    tag = reply.headers.get("ETag") or ""
    return tag if tag.startswith('"') else reply.headers.get("Last-Modified") or ""


class FileStream:
    """The open bytes of one file (a `camsync.provider.ByteStream`).

    Attributes:
        proof: What a later opening is compared with, or None.
        finished: Whether the file was read to its end.
    """

    container = "mp4"

    def __init__(
        self,
        reply: WebReply,
        *,
        offset: int,
        proof: Proof | None,
        count: Callable[[int], object],
        check: Callable[[], int | None],
        cancel: CancelToken | None,
    ) -> None:
        self.offset = offset
        self.size = reply.declared
        self.proof = proof
        self._reply = reply
        self._count = count
        self._room = check
        self._cancel = cancel
        self._aborted = False
        self._received = 0
        self.finished = False

    def readinto(self, buffer: memoryview) -> int:
        """Fill *buffer*; see `camsync.provider.ByteStream.readinto`."""
        self._check()
        if buffer and self._received != self.size:  # else only the end is left, which is free
            room = self._room()
            buffer = buffer if room is None else buffer[: max(room, 1)]
        try:
            got = self._reply.readinto(buffer)
        except CamsyncError:
            self._check()
            raise
        self._check()
        self._received += got
        self._count(got)
        self.finished = self.finished or (not got and len(buffer) > 0)
        return got

    def _check(self) -> None:
        check_cancelled(self._cancel)
        if self._aborted:
            msg = "the download was broken off"
            raise CancelledError(msg)

    def abort(self) -> None:
        """Break off from any thread; a blocked `readinto` raises at once."""
        self._aborted = True
        self._reply.abort()

    def __repr__(self) -> str:
        return f"<FileStream from byte {self.offset}>"


@contextlib.contextmanager
def open_file(
    source: Callable[[], PlaySource],
    web: Web,
    *,
    cancel: CancelToken | None = None,
    count: Callable[[int], object] = lambda _: None,
    check: Callable[[], int | None] = lambda: None,
    offset: int = 0,
    proof: Proof | None = None,
) -> Iterator[FileStream]:
    """Open the file behind a URL.

    Args:
        source: Asks for a URL; once, and once more when that has expired.
        web: The transport. It refuses peers in private networks.
        cancel: Ends every wait.
        count: Is told of all bytes as they come.
        check: Is asked before each request, and while bytes come: how many more may come, None for
            no limit. It raises when none may.
        offset: Begin there, if *proof* can be confirmed.
        proof: That of the earlier opening from which *offset* is.

    Raises:
        CancelledError: *cancel* was set.
        PermissionDeniedError: The server refuses, also under a new URL.
        RecordingNotFoundError: There is nothing, also under a new URL.
        CamsyncError: Whatever else the gateway or the media server says.
    """
    if proof is None or not 0 < offset < proof.size:
        offset, proof = 0, None
    opened = _Opening(source, web, cancel, check)
    reply = opened.ask(offset, proof)
    if proof is not None and not _continues(reply, offset, proof):
        _log.debug("the file cannot be continued at byte %d: from the begin", offset)
        reply.close()
        offset, proof = 0, None
        reply = opened.ask(0, None)
    with contextlib.closing(reply):
        _check(reply, partial=proof is not None)
        yield FileStream(
            reply,
            offset=offset,
            proof=proof or Proof.of(reply, reply.declared),
            count=count,
            check=check,
            cancel=cancel,
        )


class _Opening:
    """Asks for a file, under a new URL when the first has expired."""

    def __init__(
        self,
        source: Callable[[], PlaySource],
        web: Web,
        cancel: CancelToken | None,
        check: Callable[[], object],
    ) -> None:
        self._source = source
        self._web = web
        self._cancel = cancel
        self._check = check
        self._place: PlaySource | None = None
        self._renewed = False

    def ask(self, offset: int, proof: Proof | None) -> WebReply:
        while True:
            if self._place is None:
                self._place = self._source()
            reply = self._get(self._place, offset, proof)
            if reply.status not in _EXPIRED:
                return reply
            status = reply.status
            reply.close()
            if self._renewed:
                raise _refused(status)
            _log.debug("HTTP %d: asking for a new URL", status)
            self._renewed, self._place = True, None

    def _get(self, place: PlaySource, offset: int, proof: Proof | None) -> WebReply:
        check_cancelled(self._cancel)
        self._check()
        headers = dict(place.headers)
        if proof is not None:
            headers["If-Range"] = proof.validator
        return self._web.get(
            place.url,
            headers=headers,
            byte_range=None if proof is None else (offset, None),
            cancel=self._cancel,
        )


def _continues(reply: WebReply, offset: int, proof: Proof) -> bool:
    """Whether an answer is proven to be the rest of the same file."""
    match = _RANGE.fullmatch(reply.headers.get("Content-Range") or "")
    if reply.status != _PART or match is None or _validator(reply) != proof.validator:
        return False
    first, last, size = (int(each) for each in match.groups())
    fits = (first, last, size) == (offset, proof.size - 1, proof.size)
    return fits and reply.declared in {None, size - first}


def _check(reply: WebReply, *, partial: bool) -> None:
    """Refuse what is no file, or a part of it that nobody has asked for.

    The caller closes the answer.
    """
    status = reply.status
    if status == _PART and not partial:
        msg = "the media server sends a part of the file, and was asked for all of it"
        raise ProtocolError(msg, http_status=status, next_step="try again later")
    kind = (reply.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if status in {_OK, _PART}:
        if kind in {"text/html", "application/json", "text/plain", "application/xml", "text/xml"}:
            msg = f"the media server sends a document ({kind}) instead of video"
            raise ProtocolError(msg, http_status=status, next_step="try again later")
        return
    msg = f"the media server answers with HTTP {status}"
    if status in {429, 503}:
        wish = reply.headers.get("Retry-After") or ""
        wait = (
            float(wish)
            if wish.isascii() and wish.isdecimal() and len(wish) < _LONGEST_WISH
            else None
        )
        raise DeviceBusyError(msg, http_status=status, retry_after=wait)
    if status >= 500:  # noqa: PLR2004
        raise UnreachableError(msg, http_status=status, next_step="try again later")
    raise ProtocolError(msg, http_status=status, next_step="search again; if it stays, report it")


def _refused(status: int) -> CamsyncError:
    if status in _GONE:
        msg = "the media server has no such recording, also under a new URL"
        return RecordingNotFoundError(msg, http_status=status, next_step="search again")
    msg = "the media server refuses the recording, also under a new URL"
    step = "try again later; check in the vendor's app that the recording can be played"
    return PermissionDeniedError(msg, http_status=status, next_step=step)
