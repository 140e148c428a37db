"""The vendor's result codes, and what each means to a user of camsync.

A code is open text: new ones appear, some are plain numbers. What is not in the table is judged by
its letters, so that every code has an answer with a next step.
"""

from __future__ import annotations

import re

from typing import Final

import attrs

from ...errors import (
    AccountLockedError,
    AuthenticationError,
    CamsyncError,
    ClockSkewError,
    DeviceAsleepError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceOfflineError,
    DeviceTimeoutError,
    LicenceError,
    NoCloudPlanError,
    NoLocalStorageError,
    PermissionDeniedError,
    QuotaError,
    RecordingNotFoundError,
    RequestRejectedError,
    UnsupportedError,
)


OK: Final = "0"
WRONG_SIGNATURE: Final = frozenset({"SN1001", "SN1003", "OP1005"})
"""At login: the other way to sign may be the right one."""


@attrs.frozen
class Family:
    """What codes with the same remedy have in common.

    Attributes:
        what: What happened; behind "the cloud says that".
        step: What to do about it; empty for the class's own.
        again: Whether the very same request may be sent again soon.
    """

    error: type[CamsyncError]
    what: str
    step: str = ""
    again: bool = False


_CONSOLE = "check app id, app secret and region against the vendor's console"
_FAMILIES: Final = {
    "secret": Family(AuthenticationError, "app id or app secret are wrong", _CONSOLE),
    "frozen": Family(
        AuthenticationError, "the app is frozen", "ask the vendor's support to thaw the app"
    ),
    "clock": Family(ClockSkewError, "the request is too old or too new"),
    "token": Family(
        AuthenticationError, "the session is over", "try again; if it stays, log in anew"
    ),
    "request": Family(RequestRejectedError, "the request has a wrong shape"),
    "method": Family(
        UnsupportedError,
        "it does not know this method",
        "check the region: not every data centre offers every method",
    ),
    "permission": Family(
        PermissionDeniedError,
        "the account may not do this",
        "use the account that owns the device, and check the app's rights in the vendor's console",
    ),
    "device": Family(
        RequestRejectedError,
        "there is no such device or channel in this account",
        "list the devices again; it may have been removed from the account",
    ),
    "device login": Family(
        AuthenticationError,
        "the device's own password or safety code is wrong",
        "check it in the vendor's app",
    ),
    "locked": Family(
        AccountLockedError,
        "the device is locked after wrong passwords or bindings",
        "wait until the lock ends, at most a day",
    ),
    "offline": Family(DeviceOfflineError, "the device is offline"),
    "asleep": Family(DeviceAsleepError, "the device sleeps"),
    "unsupported": Family(
        UnsupportedError, "the device cannot do this", "update its firmware, or do without"
    ),
    "own key": Family(
        UnsupportedError,
        "the owner has set an encryption key of their own",
        "switch it off in the Imou app (for new footage), or watch it there",
    ),
    "no card": Family(NoLocalStorageError, "the device has no memory card"),
    "no plan": Family(NoCloudPlanError, "there is no cloud recording plan"),
    "plan": Family(
        RequestRejectedError,
        "the cloud recording plan does not allow this",
        "look at the plan in the vendor's app",
    ),
    "nothing": Family(
        RecordingNotFoundError, "nothing was recorded", "search again, or at another time"
    ),
    "play": Family(
        DeviceFaultError,
        "it has no address to play this from",
        "check that the device is online, and try again in a few minutes",
    ),
    "day": Family(
        QuotaError,
        "the calls that this account has a day are used up",
        "wait until tomorrow, or buy more in the vendor's console",
    ),
    "month": Family(
        QuotaError,
        "the calls that this account has a month are used up",
        "wait for the next month (as most sources say, it begins on the 1st), or buy more in the "
        "vendor's console",
    ),
    "quota": Family(QuotaError, "the calls of this account are used up"),
    "licence": Family(LicenceError, "the account has no access licence left"),
    "traffic": Family(
        QuotaError,
        "the media traffic of this account is used up",
        "buy traffic in the vendor's console, or wait for the next month",
    ),
    "busy": Family(DeviceBusyError, "it is busy", "try again in a minute", again=True),
    "slow": Family(DeviceTimeoutError, "the device did not answer in time", again=True),
    "fault": Family(
        DeviceFaultError, "the operation failed", "try again later; if it stays, ask the vendor"
    ),
    "foreign": Family(
        UnsupportedError,
        "it refused something that camsync does not do by itself",
        "report it with the code",
    ),
}

# family: codes, in the order of the families above
_TABLE: Final = {
    "secret": "SN1001 SN1003 SN1004 OP1008",
    "frozen": "OP1010",
    "clock": "SN1002",
    "token": "TK1002 TK1003 OP1007 OP1023 SUB1005 TK2001 P2P003",
    "request": "OP1002 OP1003 OP1004",
    "method": "OP1005",
    "permission": (
        "OP1009 OP1012 OP1015 DV1001 DV1011 DV1012 DV1028 P2P004 SUB1000 SUB1001 SUB1002 SUB1006 "
        "SUB1007 SUB1008 TK1001 TK1004 TK1005 TK1006 US1001 US1002 GT1005 DV1008 DV1013 DV1018"
    ),
    "device": "DV1002 AP1001",
    "device login": "DV1005 DV1016 DV1025 DV1027",
    "locked": "DV1014 DV1015 DV1042",
    "offline": "DV1007 DV1020 AP1002",
    "asleep": "DV1030",
    "unsupported": "DV1019 DV1026 40999 13202 ST1010 DV1047",
    "own key": "LV1004",
    "no card": "DV1049 LD1001",
    "no plan": "ST1001 ST1002 ST1004 ST1005 ST1006",
    "plan": "ST1003 ST1007 ST1008 ST1009 ST1011 ST1012",
    "nothing": "OP1019 RC1001",
    "play": "OP1021",
    "day": "OP1011 OP1014",
    "month": "OP1013",
    "quota": "OP1016",
    "licence": "FL1001",
    "traffic": "FL1002 FL1003 FL1004 FL1005",
    "busy": "SN1005 OP1026 DV1009 DV1010",
    "slow": "WF1001",
    "fault": "OP1001 OP1006 DV1021",
}
_CODES: Final = {code: family for family, codes in _TABLE.items() for code in codes.split()}
_LETTERS: Final = {
    "AP": "device",
    "DV": "fault",
    "FL": "traffic",
    "GP": "permission",
    "GT": "permission",
    "LD": "no card",
    "OP": "fault",
    "P2P": "permission",
    "RC": "nothing",
    "SN": "secret",
    "ST": "plan",
    "SUB": "permission",
    "TK": "token",
    "UR": "permission",
    "US": "permission",
    "WF": "fault",
}
_OF_THE_ACCOUNT: Final = frozenset(
    {"accessToken", "listDeviceDetailsByPage", "deviceBaseList", "deviceOpenList"}
)
_OF_A_DEVICE: Final = frozenset(
    {"asleep", "device", "device login", "no card", "offline", "own key", "unsupported"}
)
"""What makes no sense as an answer to a call that names no device: its advice is for a camera."""
_ASK: Final = (
    "check region and rights of the app in the vendor's console; ask the vendor, with the code"
)
_PREFIX: Final = re.compile(r"(P2P|[A-Z]+)\d+", re.ASCII)


def family_of(code: str) -> str:
    """Return the family of a code, known or not."""
    if code in _CODES:
        return _CODES[code]
    match = _PREFIX.fullmatch(code)
    return _LETTERS.get(match.group(1), "foreign") if match else "foreign"


def error_of(code: str, msg: str, method: str) -> CamsyncError:
    """Build the error for a code.

    Args:
        msg: The vendor's own words, cleaned.
        method: What was called.
    """
    family = _FAMILIES[family_of(code)]
    if method in _OF_THE_ACCOUNT and family_of(code) in _OF_A_DEVICE:
        family = attrs.evolve(family, what="the account cannot do this", step=_ASK)
    words = f" ({msg})" if msg else ""
    # Only what may be sent again at once is tried again: each try is counted and paid.
    error = family.error(
        f"{method}: the cloud says that {family.what}{words}",
        next_step=family.step or None,
        vendor_code=code,
    )
    error.retryable = family.again
    return error
