"""The control path: small requests to a device, answers read whole and capped."""

from __future__ import annotations

import http
import http.client
import socket

from .._cancel import BreakOff
from .._secret import Secret
from ..errors import ProtocolError
from ._wire import MAX_ANSWER, Answer, Request, Wire, shut


class Calls:
    """Small requests over the connections of a `Wire`. Thread-safe."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def send(self, request: Request, authorization: Secret | None) -> Answer:
        """Send *request* once and read the whole answer.

        Raises:
            CamsyncError: The device cannot be reached, is silent, or answers without end.
        """
        with self._wire.errors(authorization):
            connection = self._wire.ready()
            try:
                return self._exchange(connection, request, authorization)
            except BaseException:
                connection.close()
                raise

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        request: Request,
        authorization: Secret | None,
    ) -> Answer:
        """Do it in a frame of its own, which is over, and can be cleared, when an error leaves."""
        line: socket.socket | None = connection.sock
        with BreakOff(None, lambda: shut(line)):
            connection.request(
                request.method, request.path, request.body, request.headers(authorization)
            )
            response = connection.getresponse()
            try:
                answer = self._read(response)
                clean = response.isclosed() and not response.will_close
            finally:
                response.close()
        self._wire.release(connection, clean=clean)
        return answer

    def _read(self, response: http.client.HTTPResponse) -> Answer:
        _check_length(response)
        try:
            body = response.read(MAX_ANSWER + 1)
        except http.client.IncompleteRead as error:  # within a chunk
            raise self._wire.broken_off() from error
        if len(body) > MAX_ANSWER:
            msg = f"the device's answer is longer than {MAX_ANSWER} bytes"
            raise ProtocolError(msg, http_status=response.status)
        left = response.length  # what is still to come; text in a replayed answer, which is whole
        missing = left if isinstance(left, int) else 0
        if missing and not body:
            raise self._wire.broken_off()
        refused = response.status == http.HTTPStatus.UNAUTHORIZED
        return Answer(
            status=response.status,
            headers=response.headers,  # type: ignore[arg-type]  # a Message is near enough
            body=body,
            challenges=(refused and response.headers.get_all("WWW-Authenticate")) or (),
            missing=missing,
        )


def _check_length(response: http.client.HTTPResponse) -> None:
    """Refuse an answer with two lengths: where it ends, and the next begins, is anybody's guess."""
    fields = response.headers.get_all("Content-Length") or ()
    if len({text.strip() for field in fields for text in field.split(",")}) > 1:
        msg = "the device's answer has two lengths that contradict each other"
        raise ProtocolError(msg, http_status=response.status)
