"""The control path: small requests through requests, answers read whole and capped."""

from __future__ import annotations

import ssl

from collections.abc import Iterator, Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import attrs
import requests

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .._secret import Secret
from ..errors import ProtocolError
from ._address import Address
from ._mapping import mapped_errors
from ._tls import TLSPolicy


MAX_ANSWER = 4 * 1024 * 1024
"""Bytes; the largest known answer is 145 KB (record/tracks of a 16-channel recorder)."""

HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "camsync"}


@attrs.frozen(kw_only=True)
class Answer:
    """A whole answer in memory.

    Attributes:
        challenges: The values of all ``WWW-Authenticate`` headers.
        missing: Bytes that were announced and did not come.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)
    challenges: Sequence[str] = attrs.field(repr=False, default=())
    missing: int = 0

    def discard(self) -> None:
        """Do nothing: the answer has been read to its end."""


class _Plain(HTTPConnectionPool):
    """Connections that never print what they send, whatever a program has set globally."""

    def _validate_conn(self, conn: Any) -> None:
        conn.set_debuglevel(0)
        super()._validate_conn(conn)


class _Secure(HTTPSConnectionPool):
    """The same with TLS. Our context has checked the certificate, or was told not to."""

    def _validate_conn(self, conn: Any) -> None:
        conn.set_debuglevel(0)
        if conn.sock is None:
            conn.connect()


class _Adapter(HTTPAdapter):
    """Hands our context to urllib3, so that nothing else decides about certificates."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=8)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools with our context."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = {"http": _Plain, "https": _Secure}


class _Session(requests.Session):
    """A session that does not even look where a redirect points.

    requests reads the body of every redirect, however long, and parses its target, even when
    told not to follow it.
    """

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Resolve none."""
        return iter(())


class Control:
    """One keep-alive session with a device. Thread-safe."""

    def __init__(self, address: Address, tls: TLSPolicy, timeout: tuple[float, float]) -> None:
        self._address = address
        self._tls = tls
        self._timeout = timeout
        self._verify: bool | str = tls.ca_file or False  # with a pin, the context compares it
        self._session = _Session()
        self._session.trust_env = False  # no proxies, no .netrc, no REQUESTS_CA_BUNDLE
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update(HEADERS)
        # A context of its own: urllib3 changes its settings, and the bulk path has to rely on them.
        context = tls.context(address.host) if address.secure else None
        self._session.mount(address.scheme + "://", _Adapter(context))

    def prepare(
        self, method: str, path: str, body: bytes | None, content_type: str
    ) -> requests.PreparedRequest:
        """Build a request; its ``path_url`` is what goes over the wire."""
        headers = {"Content-Type": content_type} if body is not None else {}
        request = requests.Request(method, self._address.url + path, data=body, headers=headers)
        with mapped_errors(self._address, self._tls):
            return self._session.prepare_request(request)

    def send(self, request: requests.PreparedRequest, authorization: Secret | None) -> Answer:
        """Send *request* once and read the whole answer.

        Raises:
            CamsyncError: The device cannot be reached, is silent, or answers without end.
        """
        with mapped_errors(self._address, self._tls, authorization):
            return self._exchange(request.copy(), authorization)

    def _exchange(self, request: requests.PreparedRequest, authorization: Secret | None) -> Answer:
        """Do it in a frame of its own, which is over, and can be cleared, when an error leaves."""
        if authorization is not None:
            request.headers["Authorization"] = authorization.reveal()
        response = self._session.send(
            request,
            timeout=self._timeout,
            verify=self._verify,
            stream=True,
            allow_redirects=False,
        )
        with response:
            return _read(response)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def _read(response: requests.Response) -> Answer:
    body = response.raw.read(MAX_ANSWER + 1, decode_content=False)
    if len(body) > MAX_ANSWER:
        msg = f"the device's answer is longer than {MAX_ANSWER} bytes"
        raise ProtocolError(msg, http_status=response.status_code)
    return Answer(
        status=response.status_code,
        headers=response.headers,
        body=body,
        # get_all is what urllib3's headers and those of a replayed answer have in common
        challenges=response.raw.headers.get_all("WWW-Authenticate") or (),
        missing=getattr(response.raw, "length_remaining", None) or 0,
    )
