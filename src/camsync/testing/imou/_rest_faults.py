"""What goes wrong on purpose at the simulated gateway, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from camsync.errors import ConfigurationError

from ..recorder._faults import Faults


FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # -- Linking
        "state-changed": "authorize: the callback has another state",
        "access-denied": "authorize: the account's owner says no",
        "authorize-error": "authorize: the callback says server_error",
        "no-authorization-code": "authorize: the callback has neither code nor error",
        "code-used": "token: the code was used already (invalid_grant)",
        "code-expired": "token: the code has expired (invalid_grant)",
        "wrong-client": "token: invalid_client, with status 401",
        "refresh-revoked": "token: the refresh token is revoked (invalid_grant)",
        "refresh-kept": "token: no new refresh token; the old one works again",
        "no-refresh-token": "token: no refresh token at all",
        "no-life": "token: no expires_in",
        "token-enveloped": "token: the tokens stand in the plan's envelope, with code and data",
        "token-code": "token: status 200, code 11001 and no tokens",
        "token-empty": "token: status 200 and an empty object",
        "token-html": "token: status 200 with a web page",
        "token-echo": "token: a refusal's words hold what was sent",
        "token-500": "token: status 500",
        "token-503": "token: status 503 with Retry-After: 1",
        "token-mac": "token: token_type is mac",
        "token-unsendable": "token: an access token with a line break",
        "lost-answer": "token: done, but the connection is reset before the answer",
        "no-user-info": "user info: status 404",
        "user-info-refused": "user info: code 1",
        # -- Calls
        "unauthorized": "any call: status 401",
        "unauthorized-code": "any call: status 200 and code 401",
        "forbidden": "any call: status 403",
        "not-found": "any call: status 404",
        "too-many": "any call: status 429 with Retry-After: 1",
        "trouble": "any call: status 500",
        "moved": "any call: 302 to another host",
        "text-codes": "any call: codes as text instead of numbers",
        "unknown-code": "any call: code 12345",
        "plan-code": "records: code ST1004",
        "nothing-code": "records: nothing found is code RC1001",
        "echo": "any call: code 400, with the Authorization header in the message",
        "no-code": "any call: an answer without a code",
        "no-data": "any call: no data",
        "not-json": "any call: status 200 with a web page",
        "slow-call": "any call: takes a quarter of a second",
        "missing-fields": "lists: items have only their ids and times",
        "no-channels": "device/list: items without channels",
        "no-channels-anywhere": "device/list, device/info: items without channels",
        "small-pages": "records, videos: at most ten in an answer",
        "newest-first": "records, videos: newest first",
        "announced-more": "records, videos: at most seven in an answer, which says hasMore",
        # -- Files
        "url-expired": "download: a URL that has expired already",
        "url-missing": "download: no downloadUrl",
        "url-elsewhere": "download: a URL on a host that does not exist",
        "file-403": "file: status 403",
        "file-404": "file: status 404",
        "file-500": "file: status 500",
        "file-503": "file: status 503 with Retry-After: 1",
        "file-teapot": "file: status 418",
        "file-html": "file: status 200 with a web page",
        "file-cut": "file: half of it, then a close",
        "file-hangs": "file: half of it, then silence",
        "file-slow": "file: half a kilobyte every 20 ms",
        "file-changed": "file: another ETag",
        "file-without-validators": "file: neither ETag nor Last-Modified",
        "file-dated": "file: Last-Modified instead of an ETag",
        "file-ignores-range": "file: status 200 and everything, whatever range is asked",
        "file-wrong-range": "file: a Content-Range that was not asked for",
        "file-redirect": "file: 302 to the same file",
    }
)
"""Every fault with what it does. All of it is modelled."""


class GatewayFaults(Faults):
    """Which faults are on."""

    def enable(self, name: str, times: int | None = None) -> None:
        """Switch a fault on, for good or for the next *times*.

        Raises:
            ConfigurationError: No such fault, or *times* is not positive.
        """
        if name not in FAULTS:
            msg = f"the simulated gateway has no fault {name!r}"
            raise ConfigurationError(msg, next_step=f"use one of: {', '.join(FAULTS)}")
        if times is not None and times < 1:
            msg = f"the fault {name!r} cannot be on for {times} times"
            raise ConfigurationError(msg)
        with self._lock:
            self._left[name] = times
