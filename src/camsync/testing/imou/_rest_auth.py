"""The simulated gateway's OAuth 2.0: consent, codes, tokens (RFC 6749, 7636; paths from the plan)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import random
import threading

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import attrs

from ..recorder._replies import Reply, Request, html_reply
from ._cloud import Cloud
from ._rest_faults import GatewayFaults


_JSON: Final = "application/json;charset=UTF-8"
_CODE_LIFE: Final = dt.timedelta(minutes=1)
_SHORTEST, _LONGEST = 43, 128
SCOPES: Final = frozenset({"device.basic", "device.video", "cloud.storage", "device.list"})

_SAID_NO: Final = {
    "access-denied": {"error": "access_denied", "error_description": "The owner said no."},
    "authorize-error": {"error": "server_error"},
    "no-authorization-code": {},
}


@attrs.frozen(kw_only=True)
class _Code:
    """An authorization code, and what it is bound to."""

    redirect_uri: str
    challenge: str
    expires: dt.datetime


class Refusal(Exception):  # noqa: N818 - not an error: the service's answer
    """Ends a request for tokens with an error of RFC 6749; it never leaves the simulator."""

    def __init__(self, error: str, words: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.words = words
        self.status = status


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    """Return an answer of JSON."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    body = json.dumps(value, ensure_ascii=False).encode()
    return Reply(status=status, body=body, content_type=_JSON, headers=fields)


class Consent:
    """Codes and tokens of the account; each code and each refresh token works once."""

    def __init__(self, cloud: Cloud, faults: GatewayFaults) -> None:
        self.seconds = 7200.0
        self.refreshed = 0
        self._cloud = cloud
        self._faults = faults
        self._random = random.Random(cloud.plan.seed)
        self._lock = threading.Lock()
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, dt.datetime] = {}
        self._refresh: set[str] = set()

    def good(self, header: str) -> bool:
        """Whether an ``Authorization`` header holds a token that was given out and has not ended."""
        kind, _, token = header.partition(" ")
        with self._lock:
            ends = self._access.get(token)
            return kind == "Bearer" and ends is not None and self._cloud.clock() < ends

    def expire(self) -> None:
        """Let all access tokens end now."""
        with self._lock:
            self._access.clear()

    def revoke(self) -> None:
        """Take all tokens away, as when the owner ends the link."""
        with self._lock:
            self._access.clear()
            self._refresh.clear()

    # -- The page on which the owner agrees ------------------------------------------------------

    def authorize(self, request: Request) -> Reply:
        """Agree at once, and send the browser back."""
        asked = request.query
        redirect_uri = asked.get("redirect_uri", "")
        wrong = (
            request.method != "GET"
            or asked.get("client_id") != self._cloud.settings.app_id
            or not redirect_uri.startswith(("http://", "https://"))
        )
        if wrong:  # never send anybody to an address that is not known to be the client's
            return html_reply(400, "Bad Request", "unknown client or page")
        answer = self._answer(asked, redirect_uri)
        state = "somebody-else" if self._faults.take("state-changed") else asked.get("state", "")
        mark = "&" if "?" in redirect_uri else "?"
        target = f"{redirect_uri}{mark}{urlencode({**answer, 'state': state})}"
        return Reply(status=302, content_type="text/html", headers=(("Location", target),))

    def _answer(self, asked: Mapping[str, str], redirect_uri: str) -> dict[str, str]:
        fault = self._faults.first(*_SAID_NO)
        if fault is not None:
            return _SAID_NO[fault]
        if asked.get("response_type") != "code":
            return {"error": "unsupported_response_type"}
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return {"error": "invalid_request", "error_description": "PKCE with S256 is required"}
        if not set(asked.get("scope", "").split()) <= SCOPES:
            return {"error": "invalid_scope"}
        code = self._made("Co")
        with self._lock:
            self._codes[code] = _Code(
                redirect_uri=redirect_uri,
                challenge=asked["code_challenge"],
                expires=self._cloud.clock() + _CODE_LIFE,
            )
        return {"code": code}

    def _made(self, kind: str) -> str:
        with self._lock:
            return f"{kind}_{self._random.getrandbits(160):040x}"

    # -- Tokens ----------------------------------------------------------------------------------

    def token(self, request: Request) -> Reply:
        """Answer a request for tokens."""
        fault = self._faults.first(
            "token-html", "token-500", "token-503", "token-empty", "token-code"
        )
        if fault is not None:
            return _broken(fault)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        try:
            self._check_client(request, form)
            if form.get("grant_type") == "authorization_code":
                self._use_code(form)
            elif form.get("grant_type") == "refresh_token":
                self._use_refresh(form.get("refresh_token", ""))
            else:
                raise Refusal("unsupported_grant_type", "code or refresh")  # noqa: EM101
        except Refusal as refusal:
            echo = (
                request.body.decode("utf-8", "replace") if self._faults.take("token-echo") else ""
            )
            words = {"error": refusal.error, "error_description": refusal.words + echo}
            return json_reply(words, refusal.status, Cache_Control="no-store")
        given = self._given(form)
        if self._faults.take("lost-answer"):
            return Reply(reset=True)
        if self._faults.take("token-enveloped"):
            return json_reply({"code": 0, "msg": "success", "data": given})
        return json_reply(given, Cache_Control="no-store", Pragma="no-cache")

    def _check_client(self, request: Request, form: Mapping[str, str]) -> None:
        settings = self._cloud.settings
        known = form.get("client_id") == settings.app_id and hmac.compare_digest(
            form.get("client_secret", "").encode(), settings.app_secret.encode()
        )
        if request.method != "POST" or not known or self._faults.take("wrong-client"):
            raise Refusal("invalid_client", "Unknown client.", 401)  # noqa: EM101

    def _use_code(self, form: Mapping[str, str]) -> None:
        with self._lock:
            code = self._codes.pop(form.get("code", ""), None)
        used = code is None or self._faults.take("code-used")
        if code is None or used:
            raise Refusal("invalid_grant", "The code is unknown, or was used already.")  # noqa: EM101
        if code.expires <= self._cloud.clock() or self._faults.take("code-expired"):
            raise Refusal("invalid_grant", "The code has expired.")  # noqa: EM101
        verifier = form.get("code_verifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not _SHORTEST <= len(verifier) <= _LONGEST or challenge != code.challenge:
            raise Refusal("invalid_grant", "The code verifier does not fit.")  # noqa: EM101
        if form.get("redirect_uri") != code.redirect_uri:
            raise Refusal("invalid_grant", "The redirect URI is another one.")  # noqa: EM101

    def _use_refresh(self, token: str) -> None:
        with self._lock:
            known = token in self._refresh
            if known and not self._faults.take("refresh-kept"):
                self._refresh.discard(token)
        if not known or self._faults.take("refresh-revoked"):
            raise Refusal("invalid_grant", "The refresh token is revoked.")  # noqa: EM101
        self.refreshed += 1

    def _given(self, form: Mapping[str, str]) -> dict[str, Any]:
        access, refresh = self._made("Ga"), self._made("Gr")
        with self._lock:
            self._access[access] = self._cloud.clock() + dt.timedelta(seconds=self.seconds)
            kept = form.get("refresh_token") in self._refresh
            if not kept:
                self._refresh.add(refresh)
        given: dict[str, Any] = {
            "access_token": access,
            "token_type": "mac" if self._faults.take("token-mac") else "Bearer",
            "expires_in": int(self.seconds),
            "refresh_token": refresh,
        }
        if kept or self._faults.take("no-refresh-token"):
            del given["refresh_token"]
        if self._faults.take("no-life"):
            del given["expires_in"]
        if self._faults.take("token-unsendable"):
            given["access_token"] += "\r\n"
        return given


def _broken(fault: str) -> Reply:
    """Return the answer of a token endpoint that does not do its work."""
    if fault == "token-html":
        return html_reply(200, "OK", "this is a web page")
    if fault == "token-code":
        return json_reply({"code": 11001, "msg": "no tokens today"})
    if fault == "token-empty":
        return json_reply({})
    status = int(fault[-3:])
    return json_reply({}, status, **({"Retry_After": "1"} if status == 503 else {}))
