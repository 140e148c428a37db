"""ISAPI verbs: path and body in, parsed answer out. No models, no paging."""

from __future__ import annotations

import logging

from collections.abc import Callable, Mapping

from ..._cancel import BreakOff, CancelToken
from ..._retry import RetryPolicy, call
from ...errors import (
    AuthenticationError,
    CamsyncError,
    DeviceFaultError,
    PermissionDeniedError,
    ProtocolError,
    RequestRejectedError,
    UnreachableError,
    UnsupportedError,
)
from ...transport import UNAUTHORIZED, Answer, BulkReply, Transport
from . import _xml
from ._errors import (
    STATUS_ROOT,
    LoginState,
    error_for,
    login_error,
    read_login_state,
    status_of,
)


_log = logging.getLogger("camsync.hikvision")
_wire = logging.getLogger("camsync.wire")
_OK = 200
_ROOT = "/ISAPI/"
# What devices answer for an endpoint that they do not have: 403 and 404 mostly, 400 and 500 for
# streams that a model lacks (iDS-7204HUHI-M1, DS-2CD2532F-IWS).
_ABSENT = (UnsupportedError, PermissionDeniedError, RequestRejectedError, DeviceFaultError)


class IsapiClient:
    """One recorder. Every request here only reads, so a broken one may be sent again.

    Args:
        retry: For connection trouble and a busy device; never for a refused login.
    """

    def __init__(self, transport: Transport, retry: RetryPolicy) -> None:
        self.transport = transport
        self._retry = retry

    def get(self, path: str) -> _xml.Element:
        """Fetch and parse a document.

        Args:
            path: Below ``/ISAPI/``: ``"System/deviceInfo"``.

        Raises:
            CamsyncError: Whatever went wrong, as `error_for` names it.
        """
        return self.call("GET", path)

    def get_optional(self, path: str) -> _xml.Element | None:
        """Fetch a document that many devices do not have, or fail to give; None then."""
        try:
            return self.get(path)
        except _ABSENT as error:
            _log.info("the device has no %s: %s", path, error.message)
            return None

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        final: Callable[[CamsyncError], bool] | None = None,
    ) -> _xml.Element:
        """Send a request and parse the answer's XML.

        Args:
            final: Says which errors are an answer in themselves, so that none is tried again.

        Raises:
            CamsyncError: The answer is an error, or no XML.
        """

        def once() -> _xml.Element:
            answer = self.transport.request(method, _ROOT + path, body)
            _trace(method, path, body, answer)
            if answer.status == UNAUTHORIZED:
                raise self._refused(answer.body)
            if answer.status != _OK:
                error = self._error(answer.status, answer.body, answer.headers, path)
                error.retryable = error.retryable and not (final and final(error))
                raise error
            return self._document(answer, path)

        return call(self._retry, once, on_retry=lambda error, wait: _log_retry(path, error, wait))

    def _document(self, answer: Answer, path: str) -> _xml.Element:
        try:
            root = _xml.parse(answer.body, path)
        except ProtocolError as error:
            if not answer.missing:
                raise
            msg = f"the connection broke in the middle of the answer to {path}"
            raise UnreachableError(msg) from error
        if _xml.local(root).lower() == "html":
            msg = f"the answer to {path} is a web page"
            step = "check host and port: another device may answer there, or a login page before it"
            raise ProtocolError(msg, next_step=step)
        if _xml.local(root) == STATUS_ROOT and not status_of(root).ok:  # an error with HTTP 200
            raise self._error(answer.status, answer.body, answer.headers, path)
        return root

    def _error(
        self, status: int, body: bytes, headers: Mapping[str, str], path: str
    ) -> CamsyncError:
        return error_for(status, body, headers, path, self.transport.address)

    def get_unless(self, path: str, cancel: CancelToken | None) -> _xml.Element:
        """Fetch and parse a document, once, and stop waiting when *cancel* is set.

        Raises:
            CancelledError: It was set.
            CamsyncError: The answer is an error, or no XML.
        """
        reply = self.stream("GET", path, cancel=cancel)
        try:
            with BreakOff(cancel, reply.abort):
                body = reply.read()
            missing = max((reply.declared or 0) - len(body), 0)
            answer = Answer(status=reply.status, headers=reply.headers, body=body, missing=missing)
            return self._document(answer, path)
        finally:
            reply.close()

    def stream(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> BulkReply:
        """Send a request whose answer is still to be read. Not tried again: the engine does that.

        Raises:
            CamsyncError: The answer is an error; it has been read and closed.
        """
        reply = self.transport.stream(method, _ROOT + path, body, cancel=cancel)
        _wire.debug("%s %s -> %s", method, path, reply.status)
        if reply.status == _OK:
            return reply
        try:
            content = reply.read()
        finally:
            reply.close()
        if reply.status == UNAUTHORIZED:
            raise self._refused(content)
        raise self._error(reply.status, content, reply.headers, path)

    def login_state(self) -> LoginState:
        """Ask for the lock state, without a login: that costs no try.

        Raises:
            ProtocolError: The device says nothing about it.
        """
        answer = self.transport.request("GET", _ROOT + "Security/userCheck", anonymous=True)
        state = read_login_state(answer.body)
        if state is None:
            msg = "the device does not tell its lock state"
            raise ProtocolError(msg, http_status=answer.status)
        return state

    def _refused(self, body: bytes) -> AuthenticationError:
        """Name a final 401, and have the login remember it."""
        state = read_login_state(body)
        if state is None:
            try:
                state = self.login_state()
            except CamsyncError as error:
                _log.info("the lock state is not known: %s", error.message)
        refusal = login_error(self.transport.login.username, state)
        left = None if state is None else state.tries_left
        self.transport.login.explain(refusal, tries_left=left)
        return refusal


def _trace(method: str, path: str, body: bytes | None, answer: Answer) -> None:
    """Log a request; bodies hold names and times of cameras but never a secret."""
    if _wire.isEnabledFor(logging.DEBUG):
        shown: Mapping[str, object] = {
            "camsync_request": (body or b"").decode("utf-8", "replace"),
            "camsync_answer": answer.body[:4096].decode("utf-8", "replace"),
        }
        _wire.debug("%s %s -> %s", method, path, answer.status, extra=shown)


def _log_retry(path: str, error: CamsyncError, wait: float) -> None:
    _log.warning("retrying %s in %.1f s: %s", path, wait, error.message)
