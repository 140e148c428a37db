"""One bearer call at a gateway: budget, retries, one renewal of the token, result code, wire log."""

from __future__ import annotations

import contextlib
import json
import logging
import time

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from ..._cancel import CancelToken, check_cancelled, pause
from ..._retry import RetryPolicy, call
from ..._secret import Secret
from ...errors import CamsyncError
from ...transport import Answer, Web
from ._advice import whole
from ._aside import aside, waiting
from ._budget import Budget
from ._grant import Grant
from ._rest_codes import check_status, failure_of, is_stale
from ._rest_parse import OK, Result, read_result
from ._tokens import ImouTokens


_wire = logging.getLogger("camsync.wire")
_SHOWN: Final = frozenset({"channelId", "startTime", "endTime", "recordType", "storageType"})


@attrs.frozen(kw_only=True)
class Request:
    """What is asked; a GET with a query, or a POST with JSON."""

    path: str
    query: Mapping[str, str] | None = None
    body: Mapping[str, str] | None = None

    @property
    def shown(self) -> dict[str, str]:
        """What of it may stand in a log."""
        return {name: value for name, value in (self.body or {}).items() if name in _SHOWN}


class RestCaller:
    """Calls one gateway for one linked account. Thread-safe.

    Args:
        root: The gateway's root.
        sleep: Waits; for tests.
    """

    def __init__(
        self,
        web: Web,
        root: str,
        grant: Grant,
        *,
        budget: Budget,
        retry: RetryPolicy,
        sleep: Callable[..., None] = pause,
    ) -> None:
        self.root = root
        self.grant = grant
        self._web = web
        self._budget = budget
        self._retry = retry
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"<RestCaller at {self.root}>"

    def close(self) -> None:
        """Forget the tokens, and close the connections."""
        self.grant.forget()
        self._web.close()

    def get(self, path: str, **query: str) -> Mapping[str, Any]:
        """GET *path* and return the data of the answer.

        Raises:
            BudgetExceededError: Your own limit would be passed.
            CamsyncError: The gateway refuses, or cannot be asked.
        """
        return self.ask(Request(path=path, query=query))

    def post(self, path: str, **body: str) -> Mapping[str, Any]:
        """POST *body* as JSON to *path*; otherwise like `get`."""
        return self.ask(Request(path=path, body=body))

    def ask(self, request: Request, cancel: CancelToken | None = None) -> Mapping[str, Any]:
        """Call; a refused token is replaced once.

        Args:
            cancel: Ends every wait.

        Raises:
            CancelledError: *cancel* was set.
            CamsyncError: See `get`.
        """
        tokens = aside(self.grant.current, cancel)
        try:
            return self._tried(request, tokens, cancel)
        except CamsyncError as error:
            if not is_stale(error):
                raise
        renewed = aside(lambda: self.grant.current(refused=tokens), cancel)
        return self._tried(request, renewed, cancel)

    def _tried(
        self, request: Request, tokens: ImouTokens, cancel: CancelToken | None
    ) -> Mapping[str, Any]:
        data = call(
            self._retry,
            lambda: self._once(request, tokens, cancel),
            cancel=cancel,
            sleep=lambda seconds, cancel: waiting(self._sleep, seconds, cancel),
        )
        self.grant.worked(tokens)
        return data

    def _once(
        self, request: Request, tokens: ImouTokens, cancel: CancelToken | None
    ) -> Mapping[str, Any]:
        """Send one request, counted first."""
        check_cancelled(cancel)
        self._budget.call(request.path)
        begun = time.monotonic()
        try:
            answer = aside(lambda: self._sent(request, tokens), cancel)
        except CamsyncError as error:
            _wire.debug("%s %s failed: %s", request.path, request.shown, type(error).__name__)
            raise
        elapsed = (time.monotonic() - begun) * 1000
        _wire.debug("%s %s -> %d in %.0f ms", request.path, request.shown, answer.status, elapsed)
        result = self._read(request.path, answer, tokens)
        if result.code != OK:
            raise failure_of(result.code, result.msg, request.path)
        return result.data

    def _sent(self, request: Request, tokens: ImouTokens) -> Answer:
        headers: dict[str, str | Secret] = {
            "Authorization": Secret(f"Bearer {tokens.access.reveal()}"),
            "Accept": "application/json",
        }
        url = self.root + request.path
        if request.body is not None:
            return self._web.post(url, json.dumps(request.body).encode(), headers)
        url += f"?{urlencode(request.query)}" if request.query else ""
        with contextlib.closing(self._web.get(url, headers=headers)) as reply:
            return Answer(status=reply.status, headers=reply.headers, body=reply.read())

    @staticmethod
    def _read(path: str, answer: Answer, tokens: ImouTokens) -> Result:
        sent = (tokens.access, tokens.refresh)
        check_status(answer, path, sent)
        with whole(answer, path):
            return read_result(answer.body, path, sent)
