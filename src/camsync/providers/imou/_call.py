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

import attrs

from ..._cancel import pause
from ..._retry import RetryPolicy, call
from ..._secret import Secret
from ..._time import UTC, utcnow
from ...errors import (
    AuthenticationError,
    CamsyncError,
    ClockSkewError,
    DeviceAsleepError,
    DeviceBusyError,
    PermissionDeniedError,
    ProtocolError,
    RequestRejectedError,
    UnreachableError,
    UnsupportedError,
)
from ...transport import Answer, Web, is_loopback, read_url
from ._budget import Budget
from ._codes import OK, WRONG_SIGNATURE, error_of, family_of
from ._parse import Result, malformed, number, read_result, text
from ._regions import is_platform
from ._sign import Signer
from ._token import Token, Tokens


_log = logging.getLogger("camsync.imou")
_wire = logging.getLogger("camsync.wire")
LOGIN: Final = "accessToken"
PLAY: Final = "createDeviceRecordHls"
_STALE: Final = frozenset({"TK1002", "TK1003", "OP1007"})
_REFUSED: Final = frozenset({"secret", "frozen"})
_SHOWN: Final = frozenset(
    {"beginTime", "bindId", "channelId", "cloudType", "count", "endTime", "limit", "month", "page"}
    | {"pageSize", "queryRange", "recordType", "source", "streamId", "type", "year"}
)
_AWAKE: Final = 4.0  # seconds that a camera needs to wake up


@attrs.frozen
class _Stop:
    """Why nothing more is sent, and until when."""

    result: Result
    method: str
    until: dt.datetime | None


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
        sleep: Callable[[float], None] = pause,
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
        self._stopped: dict[str, _Stop] = {}

    def __repr__(self) -> str:
        return f"<Caller {self.app_id} at {self.root}>"

    def call(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call *method* and return its data. A refused token is replaced once.

        Raises:
            BudgetExceededError: Your own limit would be passed.
            CamsyncError: The cloud refuses, or cannot be asked.
        """
        try:
            return self._with_token(method, params)
        except DeviceAsleepError:
            if not self._wake or "deviceId" not in params:
                raise
        self._with_token("wakeUpDevice", {"deviceId": params["deviceId"]})
        self._sleep(_AWAKE)
        return self._with_token(method, params)

    def _with_token(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        token = self.tokens.current()
        try:
            return self._tried(method, params, token)
        except CamsyncError as error:
            if error.vendor_code not in _STALE:
                token.worked = token.worked or error.vendor_code is not None
                raise
        return self._tried(method, params, self.tokens.current(refused=token))

    def _tried(self, method: str, params: Mapping[str, Any], token: Token) -> Mapping[str, Any]:
        signer = self.signer or self._signers[0]
        data = call(
            self._retry,
            lambda: self._once(method, params, signer, token.value),
            sleep=lambda seconds, _cancel: self._sleep(seconds),
        )
        token.worked = True
        return data

    def _login(self) -> Token:
        """Ask for a token; the way to sign that works is remembered."""
        self._check_stopped(LOGIN)
        refused: list[CamsyncError] = []
        for signer in self._signers:
            try:
                data = self._login_signed(signer)
            except CamsyncError as error:
                if error.vendor_code not in WRONG_SIGNATURE:
                    if isinstance(error, UnsupportedError | PermissionDeniedError):
                        raise _login_refused(error) from error
                    raise
                refused.append(error)
                continue
            self.signer = signer
            self._signers = (signer, *(one for one in self._signers if one is not signer))
            return self._begun(data)
        raise self._refuse(refused[0].vendor_code or "")

    def _login_signed(self, signer: Signer) -> Mapping[str, Any]:
        return call(
            self._retry,
            lambda: self._once(LOGIN, {}, signer, None),
            sleep=lambda seconds, _cancel: self._sleep(seconds),
        )

    def _refuse(self, code: str) -> CamsyncError:
        """Send nothing more after a refused login: each try is counted and paid."""
        tried = " and ".join(signer.name for signer in self._signers)
        result = Result(code, f"signature {tried} tried", {})
        if family_of(code) in _REFUSED:
            self._stop("", result, LOGIN, None)
        return _login_refused(error_of(code, result.msg, LOGIN))

    def _begun(self, data: Mapping[str, Any]) -> Token:
        value, seconds = data.get("accessToken"), number(data.get("expireTime"))
        if not isinstance(value, Secret) or not value or seconds is None:
            raise malformed(LOGIN, "has no token")
        self._follow(text(data, "currentDomain"))
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
            _log.warning("the cloud names %s to go to, which is not the vendor's: ignored", place)

    def _once(
        self, method: str, params: Mapping[str, Any], signer: Signer, token: Secret | None
    ) -> Mapping[str, Any]:
        """Send one request, counted first."""
        self._check_stopped(method)
        self._budget.call(method)
        begun = time.monotonic()
        shown = {key: value for key, value in params.items() if key in _SHOWN}
        try:
            answer = self._web.post(
                f"{self.root}/openapi/{method}", self._envelope(params, signer, token)
            )
        except CamsyncError as error:
            _wire.debug("%s %s failed: %s", method, shown, type(error).__name__)
            raise
        elapsed = (time.monotonic() - begun) * 1000
        self._note_date(answer)
        _check_status(answer, method)
        result = self._without_secrets(read_result(answer.body, method), token)
        _wire.debug("%s %s -> %s in %.0f ms", method, shown, result.code, elapsed)
        if result.code != OK:
            raise self._failure(result, method)
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

    def _without_secrets(self, result: Result, token: Secret | None) -> Result:
        for secret in (self._secret, token):
            if secret:
                result = attrs.evolve(result, msg=result.msg.replace(secret.reveal(), "***"))
        return result

    def _note_date(self, answer: Answer) -> None:
        """Measure this computer's clock against the cloud's."""
        try:
            theirs = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
        except (TypeError, ValueError):
            return
        if theirs.tzinfo is not None:
            self.skew = self._now() - theirs

    def _failure(self, result: Result, method: str) -> CamsyncError:
        error = error_of(result.code, result.msg, method)
        if isinstance(error, ClockSkewError) and self.skew is not None:
            seconds = int(self.skew.total_seconds())
            word = "ahead of" if seconds > 0 else "behind"
            error.message += f"; this computer's clock is {abs(seconds)} s {word} the cloud's"
        self._remember(result, method)
        return error

    def _remember(self, result: Result, method: str) -> None:
        """Note what makes further calls useless: used-up quotas, and a refused login."""
        today = self._now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = today + dt.timedelta(days=1)
        next_month = (today.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        ends: dict[str, tuple[str, dt.datetime]] = {
            "OP1011": (method, tomorrow),
            "OP1013": ("", next_month),
            "OP1014": ("", tomorrow),
            "FL1004": (PLAY, tomorrow),
            "FL1005": (PLAY, tomorrow),
        }
        if result.code in ends:
            what, until = ends[result.code]
            self._stop(what, result, method, until)
        undecided = method == LOGIN and result.code in WRONG_SIGNATURE
        if family_of(result.code) in _REFUSED and not undecided:
            self._stop("", result, method, None)

    def _stop(self, what: str, result: Result, method: str, until: dt.datetime | None) -> None:
        with self._lock:
            self._stopped[what] = _Stop(result, method, until)

    def _check_stopped(self, method: str) -> None:
        """Raise again what ended all calls of this account, or of *method*; nothing is sent."""
        with self._lock:
            found = [self._stopped[what] for what in ("", method) if what in self._stopped]
        for stop in found:
            if stop.until is None or self._now() < stop.until:
                error = error_of(stop.result.code, stop.result.msg, stop.method)
                error.message += "; nothing more was sent"
                raise error

    def retry(self) -> None:
        """Forget refused logins and used-up quotas, and log in anew."""
        with self._lock:
            self._stopped.clear()
        self.tokens.forget()


def _login_refused(error: CamsyncError) -> AuthenticationError:
    """Make a refused login of a refusal that, of any other method, would mean less."""
    return AuthenticationError(
        error.message, next_step=error.next_step, vendor_code=error.vendor_code
    )


def _check_status(answer: Answer, method: str) -> None:
    """Raise for anything but 200: failures of the platform itself come with 200 and a code."""
    status = answer.status
    if status == 200:  # noqa: PLR2004
        return
    msg = f"{method}: the cloud answers with HTTP {status}"
    wish = answer.headers.get("Retry-After", "")
    wait = float(wish) if wish.isdecimal() and wish.isascii() and len(wish) < 6 else None  # noqa: PLR2004
    if status in {429, 503}:
        raise DeviceBusyError(msg, http_status=status, retry_after=wait)
    if status >= 500:  # noqa: PLR2004
        raise UnreachableError(
            msg, http_status=status, next_step="try again later: the cloud has trouble"
        )
    if status >= 400:  # noqa: PLR2004
        raise RequestRejectedError(
            msg, http_status=status, next_step="check region and base URL: this is not the platform"
        )
    raise ProtocolError(msg, http_status=status, next_step="check region and base URL")
