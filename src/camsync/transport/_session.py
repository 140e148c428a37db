"""Small requests to clouds through requests, answers read whole and capped.

The only importer of requests and urllib3, and imported by `_web` alone: whoever has recorders only
does not wait for them. Devices are asked through `_calls`.
"""

from __future__ import annotations

import ssl

from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3.exceptions

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..errors import CamsyncError, ProtocolError
from ._address import Address
from ._heads import WholeHead
from ._mapping import mapped_errors, no_connection, not_http, silence, teach, tls_error, unusable
from ._tls import TLSPolicy, trusted_roots
from ._wire import HEADERS, MAX_ANSWER, Answer


__all__ = ["HEADERS", "Answer", "CloudSession"]


def _tame(conn: Any) -> None:
    """Keep a connection from printing, and from taking half a head for a whole one."""
    conn.set_debuglevel(0)
    conn.response_class = WholeHead


class _Plain(HTTPConnectionPool):
    """Connections that never print what they send, whatever a program has set globally."""

    def _validate_conn(self, conn: Any) -> None:
        _tame(conn)
        super()._validate_conn(conn)


class _Secure(HTTPSConnectionPool):
    """The same with TLS. Our context has checked the certificate, or was told not to."""

    def _validate_conn(self, conn: Any) -> None:
        _tame(conn)
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


class CloudSession:
    """One keep-alive session with a host. Thread-safe."""

    def __init__(self, address: Address, tls: TLSPolicy, timeout: tuple[float, float]) -> None:
        self._address = address
        self._tls = tls
        self._timeout = timeout
        # With a pin, the context compares it.
        self._verify: bool | str = trusted_roots(tls) or False
        self._session = _Session()
        self._session.trust_env = False  # no proxies, no .netrc, no REQUESTS_CA_BUNDLE
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update(HEADERS)
        # A context of its own: urllib3 changes its settings, and the other path relies on them.
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

    def _exchange(self, request: requests.PreparedRequest) -> Answer:
        """Send once, in a frame of its own: it is over, and can be cleared, when an error leaves."""
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


def _header(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    if error.args and isinstance(error.args[0], urllib3.exceptions.InvalidHeader):
        return not_http(error, address, tls)  # two lengths that contradict each other
    return unusable(error, address, tls)


teach(
    (requests.exceptions.RequestException, urllib3.exceptions.HTTPError),
    [
        ((requests.exceptions.SSLError, urllib3.exceptions.SSLError), tls_error),
        (
            (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError),
            no_connection,
        ),
        ((requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError), silence),
        ((requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader), _header),
    ],
)
