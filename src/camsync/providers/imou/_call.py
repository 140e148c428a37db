"""One call of the Open Platform: signed envelope, budget, retries, result code, wire log."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import logging
import threading
import time
import uuid

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..._cancel import CancelToken, check_cancelled, pause
from ..._retry import RetryPolicy, call
from ..._secret import Secret
from ..._time import utcnow
from ...errors import (
    AuthenticationError,
    CamsyncError,
    ClockSkewError,
    DeviceAsleepError,
    PermissionDeniedError,
    UnsupportedError,
)
from ...transport import Answer, Web, is_loopback, read_url
from ._advice import in_the_cloud, whole
from ._aside import aside, waiting
from ._budget import Budget
from ._codes import OK, WRONG_SIGNATURE, error_of, family_of
from ._parse import Result, malformed, number, read_result, text
from ._refusals import LOGIN, Stops, check_status, login_refused
from ._regions import is_platform
from ._sign import Signer
from ._token import Token, Tokens


_log = logging.getLogger("camsync.imou")
_wire = logging.getLogger("camsync.wire")
_STALE: Final = frozenset({"TK1002", "TK1003", "OP1007"})
_REFUSED: Final = frozenset({"secret", "frozen"})
_SHOWN: Final = frozenset(
    {"beginTime", "bindId", "channelId", "cloudType", "count", "endTime", "limit", "month", "page"}
    | {"pageSize", "queryRange", "recordType", "source", "streamId", "type", "year"}
)
_AWAKE: Final = 4.0  # seconds that a camera needs to wake up
_USELESS: Final = 60.0
"""Seconds in which no new session is begun for a method that has just refused a new one."""


class Caller:
    """Calls methods of one account. Thread-safe.

    Args:
        root: The cloud's root URL; the cloud itself may name another of the vendor's at login.
        signers: The ways to sign, in the order in which to try them.
        wake: Whether to wake a sleeping device.
        sleep: Waits; for tests.
        now: The clock for signatures and quotas.
    """

    def __init__(
        self,
        web: Web,
        root: str,
        app_id: str,
        app_secret: Secret,
        *,
        signers: tuple[Signer, ...],
        budget: Budget,
        retry: RetryPolicy,
        wake: bool = False,
        sleep: Callable[..., None] = pause,
        now: Callable[[], dt.datetime] = utcnow,
    ) -> None:
        self.app_id = app_id
        self.root = root.rstrip("/")
        self.signer: Signer | None = None
        self.skew: dt.timedelta | None = None
        self.tokens = Tokens(self._login)
        self._web = web
        self._secret = app_secret
        self._signers = signers
        self._budget = budget
        self._retry = retry
        self._wake = wake
        self._sleep = sleep
        self._now = now
        self._lock = threading.Lock()
        self._stops = Stops()
        self._swapped = False  # the way to sign was changed since a call last worked
        self._useless: dict[str, float] = {}  # when another token did not help a method

    def __repr__(self) -> str:
        return f"<Caller {self.app_id} at {self.root}>"

    def call(
        self, method: str, params: Mapping[str, Any], *, cancel: CancelToken | None = None
    ) -> Mapping[str, Any]:
        """Call *method* and return its data. A refused token is replaced once.

        Args:
            cancel: Ends every wait, also that for an answer.

        Raises:
            BudgetExceededError: Your own limit would be passed.
            CancelledError: *cancel* was set.
            CamsyncError: The cloud refuses, or cannot be asked.
        """
        try:
            return self._with_token(method, params, cancel)
        except DeviceAsleepError:
            if not self._wake or "deviceId" not in params:
                raise
        self._with_token("wakeUpDevice", {"deviceId": params["deviceId"]}, cancel)
        waiting(self._sleep, _AWAKE, cancel)
        return self._with_token(method, params, cancel)

    def _with_token(
        self, method: str, params: Mapping[str, Any], cancel: CancelToken | None
    ) -> Mapping[str, Any]:
        token = aside(self.tokens.current, cancel)
        try:
            return self._signed(method, params, token, cancel)
        except CamsyncError as error:
            if error.vendor_code not in _STALE:
                token.worked = token.worked or error.vendor_code is not None
                raise
            if time.monotonic() - self._useless.get(method, float("-inf")) < _USELESS:
                raise  # another token has just not helped this method
        other = aside(lambda: self.tokens.current(refused=token), cancel)
        try:
            return self._signed(method, params, other, cancel)
        except CamsyncError as error:
            if error.vendor_code in _STALE:
                self._useless[method] = time.monotonic()
            raise

    def _signed(
        self, method: str, params: Mapping[str, Any], token: Token, cancel: CancelToken | None
    ) -> Mapping[str, Any]:
        """Try; if the login was fine with a signature and this is not, with the other one, once."""
        signer = self.signer or self._signers[0]
        try:
            return self._tried(method, params, signer, token, cancel)
        except AuthenticationError as error:
            if not self._is_doubtful(error.vendor_code or "", method, signer):
                raise
        with self._lock:
            if self.signer is signer:
                self._signers = (*(one for one in self._signers if one is not signer), signer)
                self.signer, self._swapped = self._signers[0], True
        return self._tried(method, params, self.signer or self._signers[0], token, cancel)

    def _is_doubtful(self, code: str, method: str, signer: Signer) -> bool:
        """Whether a refused signature may only be of the wrong kind."""
        if method == LOGIN:
            return code in WRONG_SIGNATURE
        refused = code in WRONG_SIGNATURE and family_of(code) in _REFUSED
        untried = self.signer is not signer or not self._swapped
        return refused and len(self._signers) > 1 and untried

    def _tried(
        self,
        method: str,
        params: Mapping[str, Any],
        signer: Signer,
        token: Token | None,
        cancel: CancelToken | None,
    ) -> Mapping[str, Any]:
        data = call(
            self._retry,
            lambda: self._once(method, params, signer, token.value if token else None, cancel),
            cancel=cancel,
            sleep=lambda seconds, cancel: waiting(self._sleep, seconds, cancel),
        )
        if token is not None:
            token.worked, self._swapped = True, False
        return data

    def _login(self) -> Token:
        """Ask for a token; the way to sign that works is remembered."""
        self._stops.check(LOGIN, {}, self._now())
        refused: list[CamsyncError] = []
        for signer in self._signers:
            try:
                token = self._begun(self._tried(LOGIN, {}, signer, None, None))
            except CamsyncError as error:
                if error.vendor_code not in WRONG_SIGNATURE:
                    if isinstance(error, UnsupportedError | PermissionDeniedError):
                        self._stops.stop(Result(error.vendor_code or "", "", {}), LOGIN)
                        raise login_refused(error) from error
                    raise
                refused.append(error)
                continue
            self.signer = signer
            self._signers = (signer, *(one for one in self._signers if one is not signer))
            return token
        raise self._refuse([error.vendor_code or "" for error in refused])

    def _refuse(self, codes: list[str]) -> CamsyncError:
        """Send nothing more after a refused login: each try is counted and paid.

        Of several refusals that one counts which says most: a wrong signature may also be answered
        like an unknown method.
        """
        code = next((one for one in codes if family_of(one) in _REFUSED), codes[0])
        tried = " and ".join(signer.name for signer in self._signers)
        result = Result(code, f"signature {tried} tried", {})
        self._stops.stop(result, LOGIN)
        return login_refused(error_of(code, result.msg, LOGIN))

    def _begun(self, data: Mapping[str, Any]) -> Token:
        value, seconds = data.get("accessToken"), number(data.get("expireTime"))
        domain = text(data, "currentDomain")
        del data  # what else is in it may be a token under another name
        if not isinstance(value, Secret) or not value or seconds is None:
            raise malformed(LOGIN, "has no token")
        self._follow(domain)
        return Token.of(value, seconds)

    def _follow(self, domain: str) -> None:
        """Go to the data centre that the cloud names, if it is the vendor's."""
        if not domain:
            return
        url = domain if "://" in domain else f"https://{domain}"
        try:
            place = read_url(url).address
        except CamsyncError:
            _log.warning("the cloud names an unreadable host to go to: ignored")
            return
        here = is_loopback(place.host) and is_loopback(self._web.home.host)
        if here or (is_platform(url) and is_platform(self._web.home.url)):
            self.root = place.url
        elif place != self._web.home:
            home = self._web.home
            ours = "the vendor" if is_platform(home.url) else home.url
            what = "the cloud names %s to go to, which does not belong to %s: ignored"
            _log.warning(what, place, ours)

    def _once(
        self,
        method: str,
        params: Mapping[str, Any],
        signer: Signer,
        token: Secret | None,
        cancel: CancelToken | None,
    ) -> Mapping[str, Any]:
        """Send one request, counted first."""
        check_cancelled(cancel)
        self._stops.check(method, params, self._now())
        self._budget.call(method)
        begun = time.monotonic()
        shown = {key: value for key, value in params.items() if key in _SHOWN}
        try:
            url, envelope = f"{self.root}/openapi/{method}", self._envelope(params, signer, token)
            answer = aside(lambda: self._web.post(url, envelope), cancel)
        except CamsyncError as error:
            _wire.debug("%s %s failed: %s", method, shown, type(error).__name__)
            in_the_cloud(error)
            raise
        elapsed = (time.monotonic() - begun) * 1000
        self._note_date(answer)
        check_status(answer, method)
        with whole(answer, method):
            result = read_result(answer.body, method, (self._secret, token))
        _wire.debug("%s %s -> %s in %.0f ms", method, shown, result.code, elapsed)
        if result.code != OK:
            decided = not self._is_doubtful(result.code, method, signer)
            raise self._failure(result, method, params, decided=decided)
        return result.data

    def _envelope(self, params: Mapping[str, Any], signer: Signer, token: Secret | None) -> Secret:
        """Write a request: time, nonce and id are fresh on every try."""
        stamp, nonce = int(self._now().timestamp()), uuid.uuid4().hex
        # One expression: no frame keeps signature or token under a name.
        return Secret(
            json.dumps(
                {
                    "system": {
                        "ver": "1.0",
                        "appId": self.app_id,
                        "sign": signer.sign(self._secret, stamp, nonce).reveal(),
                        "time": stamp,
                        "nonce": nonce,
                    },
                    "id": str(uuid.uuid4()),
                    "params": {**params, **({} if token is None else {"token": token.reveal()})},
                }
            )
        )

    def _note_date(self, answer: Answer) -> None:
        """Measure this computer's clock against the cloud's."""
        try:
            theirs = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
        except (TypeError, ValueError):
            return
        if theirs.tzinfo is not None:
            self.skew = self._now() - theirs

    def _failure(
        self, result: Result, method: str, params: Mapping[str, Any], *, decided: bool
    ) -> CamsyncError:
        error = error_of(result.code, result.msg, method)
        if isinstance(error, ClockSkewError) and self.skew is not None:
            seconds = int(self.skew.total_seconds())
            word = "ahead of" if seconds > 0 else "behind"
            error.message += f"; this computer's clock is {abs(seconds)} s {word} the cloud's"
        if decided and family_of(result.code) in _REFUSED:
            self._stops.stop(result, method)
        self._stops.remember(result, method, params, self._now())
        return error

    def retry(self) -> None:
        """Forget refused logins and used-up quotas, and log in anew."""
        self._stops.clear()
        with self._lock:
            self._useless.clear()
            self._swapped = False
        self.tokens.forget()
