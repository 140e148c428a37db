"""The control path: small requests through requests, answers read whole and capped."""

from __future__ import annotations

import ssl

from collections.abc import Iterator, Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import attrs
import requests

from requests.adapters import HTTPAdapter

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
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)
    challenges: Sequence[str] = attrs.field(repr=False, default=())

    def discard(self) -> None:
        """Do nothing: the answer has been read to its end."""


class _Adapter(HTTPAdapter):
    """Hands the TLS policy to urllib3, so that nothing else decides about it."""

    def __init__(self, context: ssl.SSLContext, tls: TLSPolicy) -> None:
        self._context = context
        self._pin = tls.pin.removeprefix("sha256:") if tls.pin else None
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=8)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools with our context and pin."""
        super().init_poolmanager(
            *args, **kwargs, ssl_context=self._context, assert_fingerprint=self._pin
        )


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

    def __init__(
        self,
        address: Address,
        tls: TLSPolicy,
        context: ssl.SSLContext,
        timeout: tuple[float, float],
    ) -> None:
        self._address = address
        self._tls = tls
        self._timeout = timeout
        self._verify: bool | str = tls.ca_file or False  # with a pin, urllib3 compares it
        self._session = _Session()
        self._session.trust_env = False  # no proxies, no .netrc, no REQUESTS_CA_BUNDLE
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update(HEADERS)
        self._session.mount(address.scheme + "://", _Adapter(context, tls))

    def prepare(
        self, method: str, path: str, body: bytes | None, content_type: str
    ) -> requests.PreparedRequest:
        """Build a request; its ``path_url`` is what goes over the wire."""
        headers = {"Content-Type": content_type} if body is not None else {}
        request = requests.Request(method, self._address.url + path, data=body, headers=headers)
        with mapped_errors(self._address, self._tls):
            return self._session.prepare_request(request)

    def send(self, request: requests.PreparedRequest, authorization: str | None) -> Answer:
        """Send *request* once and read the whole answer.

        Raises:
            CamsyncError: The device cannot be reached, is silent, or answers without end.
        """
        prepared = request.copy()
        if authorization is not None:
            prepared.headers["Authorization"] = authorization
        with mapped_errors(self._address, self._tls):
            response = self._session.send(
                prepared,
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
    )
