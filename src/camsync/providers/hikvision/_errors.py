"""Vendor errors become camsync's here, once.

ISAPI reports errors as ``ResponseStatus`` (XML, or JSON for ``?format=json``); a 401 may carry
``userCheck``, HTML or nothing. "403" has three meanings: endpoint absent, right missing,
connection limit; only the sub code tells them apart.
"""

from __future__ import annotations

import datetime as dt
import json

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import attrs

from ..._time import utcnow
from ...errors import (
    AccountLockedError,
    AuthenticationError,
    CamsyncError,
    DeviceBusyError,
    DeviceFaultError,
    PermissionDeniedError,
    ProtocolError,
    RecordingNotFoundError,
    RequestRejectedError,
    UnsupportedError,
)
from ...transport import Address, redirect_error
from . import _xml


METHOD_NOT_ALLOWED = "methodNotAllowed"
STATUS_ROOT = "ResponseStatus"
NOTHING_FOUND = frozenset({"searchNull", "noRecord"})
_MISSING = (404, 501)
_FORBIDDEN = 403
_REDIRECTS = range(300, 400)
_SERVER_ERRORS = range(500, 600)
_OK_CODES = ("0", "1", "7", "")  # 7 is "reboot required": the request itself was fine
_LONGEST_WORDS = 200
_LONGEST_LOCK = dt.timedelta(days=2)

_BY_SUB_CODE: Mapping[str, type[CamsyncError]] = {
    **dict.fromkeys(
        ("noMemory", "serviceUnavailable", "upgrading", "deviceBusy", "reConnectIpc"),
        DeviceBusyError,
    ),
    **dict.fromkeys(
        (
            "invalidOperation",  # after too many connections; see also _search for cameras
            "beyondConcurrentLimit",
            "loginNumExceedLimit",
            "sesssionUserReachesLimit",
            "noSearchIDResource",
            "searchIsNotCompletedSearchAgain",
        ),
        DeviceBusyError,
    ),
    **dict.fromkeys(("notSupport", METHOD_NOT_ALLOWED), UnsupportedError),
    **dict.fromkeys(
        ("lowPrivilege", "badAuthorization", "needDoubleVerification", "noDoubleVerificationUser"),
        PermissionDeniedError,
    ),
    **dict.fromkeys((*NOTHING_FOUND, "invalidStreamingTimeRange"), RecordingNotFoundError),
}
_BY_STATUS_CODE: Mapping[str, type[CamsyncError]] = {
    "2": DeviceBusyError,
    "3": DeviceFaultError,
    "5": RequestRejectedError,
    "6": RequestRejectedError,
}
_BY_HTTP: Mapping[int, type[CamsyncError]] = {
    400: RequestRejectedError,
    403: PermissionDeniedError,
    404: UnsupportedError,
    405: UnsupportedError,
    429: DeviceBusyError,
    501: UnsupportedError,
    503: DeviceBusyError,
}
_NEXT_STEPS: Mapping[str, str] = {
    "notActivated": "activate the device first: set its password with the vendor's tool",
    "needDoubleVerification": "use an account that needs no second person to play back",
    "notSupport": "this device does not have that function; nothing to repair",
    "badXmlContent": "run 'camsync doctor' and report the output with the device's firmware",
}


@attrs.frozen(kw_only=True)
class Status:
    """What a ``ResponseStatus`` says; empty texts where it says nothing."""

    code: str = ""
    text: str = ""
    sub_code: str = ""
    description: str = ""

    @property
    def ok(self) -> bool:
        """Whether this reports success."""
        return self.code in _OK_CODES

    @property
    def words(self) -> str:
        """What the device says, for people."""
        return self.description or self.text or self.sub_code or "no reason given"


def read_status(body: bytes) -> Status | None:
    """Read a ``ResponseStatus`` in XML or JSON; None when the body is something else."""
    if body.lstrip()[:1] == b"{":
        return _json_status(body)
    try:
        root = _xml.parse(body, "an error")
    except ProtocolError:  # HTML and nothing at all are common error bodies
        return None
    return status_of(root) if _xml.local(root) == STATUS_ROOT else None


def status_of(root: _xml.Element) -> Status:
    """Read a parsed ``ResponseStatus``."""
    return Status(
        code=_clean(_xml.text(root, "statusCode")),
        text=_clean(_xml.text(root, "statusString")),
        sub_code=_clean(_xml.text(root, "subStatusCode")),
        description=_clean(_xml.text(root, "description") or _xml.text(root, "errorMsg")),
    )


def _clean(text: object) -> str:
    """Return a device's words as one short printable line: they end up in logs and terminals."""
    shown = "".join(char if char.isprintable() else " " for char in str(text)[:_LONGEST_WORDS])
    return shown.encode("utf-8", "replace").decode().strip()


def _json_status(body: bytes) -> Status | None:
    """Read a JSON object; the first byte has said that it is one."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return Status(
        code=_clean(document.get("statusCode", "")),
        text=_clean(document.get("statusString", "")),
        sub_code=_clean(document.get("subStatusCode", "")),
        description=_clean(document.get("errorMsg", "")),
    )


def error_for(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    what: str,
    address: Address | None = None,
) -> CamsyncError:
    """Build the error for an answer that is none of those wanted.

    Args:
        what: The request for messages, ``"ContentMgmt/search"``.
        address: The device, to tell a redirect to itself from one to another place.
    """
    if status in _REDIRECTS:
        return redirect_error(status, headers.get("Location"), what, address)
    report = read_status(body)
    if report is None:
        return _plain(status, body, headers, what)
    kind = _BY_SUB_CODE.get(report.sub_code) or _BY_STATUS_CODE.get(report.code)
    kind = kind or _BY_HTTP.get(status) or UnsupportedError
    return kind(
        f"the device answers to {what}: {report.words}",
        vendor_code=report.code or None,
        vendor_sub_code=report.sub_code or None,
        http_status=status,
        next_step=_NEXT_STEPS.get(report.sub_code),
        retry_after=retry_after(headers),
    )


def _plain(status: int, body: bytes, headers: Mapping[str, str], what: str) -> CamsyncError:
    kind: Callable[..., CamsyncError] = _BY_HTTP.get(status) or (
        DeviceFaultError if status in _SERVER_ERRORS else ProtocolError
    )
    html = b"<html" in body[:1024].lower()
    hint = "; it may be no ISAPI device" if status in _MISSING and html else ""
    return kind(
        f"the device answers to {what} with HTTP {status}{hint}",
        http_status=status,
        retry_after=retry_after(headers),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a ``Retry-After`` header in either form, or None."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    return max(0.0, (moment - utcnow()).total_seconds())


@attrs.frozen(kw_only=True)
class LoginState:
    """What ``Security/userCheck`` says about the login.

    Attributes:
        locked: Whether the account, or this computer's address, is locked.
        unlock_after: How long the lock lasts, if said.
        tries_left: Failed logins left before the lock, if said.
        default_password: Whether the device calls the password the default one.
        risky_password: Whether the device calls the password risky.
    """

    locked: bool = False
    unlock_after: dt.timedelta | None = None
    tries_left: int | None = None
    activated: bool | None = None
    default_password: bool | None = None
    risky_password: bool | None = None


def read_login_state(body: bytes) -> LoginState | None:
    """Read a ``userCheck``, or a ``ResponseStatus`` with lock fields; None for anything else."""
    try:
        root = _xml.parse(body, "Security/userCheck")
    except ProtocolError:
        return None
    return login_state_of(root) if _xml.local(root) in {"userCheck", STATUS_ROOT} else None


def login_state_of(root: _xml.Element) -> LoginState:
    """Read a parsed ``userCheck``."""
    seconds = _xml.number(root, "unlockTime")
    if seconds is None:
        seconds = _xml.number(root, "resLockTime")
    tries = _xml.number(root, "retryLoginTime")
    return LoginState(
        locked=_xml.text(root, "lockStatus").lower() == "lock",
        unlock_after=_lock_time(seconds),
        tries_left=tries if tries is not None else _xml.number(root, "retryTimes"),
        activated=_xml.flag(root, "isActivated"),
        default_password=_xml.flag(root, "isDefaultPassword"),
        risky_password=_xml.flag(root, "isRiskPassword"),
    )


def _lock_time(seconds: int | None) -> dt.timedelta | None:
    if seconds is None or seconds < 0:
        return None
    return min(dt.timedelta(seconds=min(seconds, 10**9)), _LONGEST_LOCK)


def login_error(username: str, state: LoginState | None) -> AuthenticationError:
    """Build the error for a refused login from what the device says of it."""
    refused = f"the device refuses the login of {username!r}"
    if state is None:
        return AuthenticationError(refused, http_status=401)
    if state.locked:
        unlock = utcnow() + state.unlock_after if state.unlock_after else None
        until = f" until {unlock:%Y-%m-%d %H:%M:%S} UTC" if unlock else ""
        return AccountLockedError(
            f"the device has locked {username!r}{until} after failed logins",
            unlock_at=unlock,
            http_status=401,
        )
    left = f"; {state.tries_left} tries left before it locks" if state.tries_left else ""
    return AuthenticationError(f"{refused}{left}", http_status=401)
