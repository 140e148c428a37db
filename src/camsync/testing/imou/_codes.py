"""Result codes with the vendor's words, as far as captures tell them; the rest is in ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


MISSING: Final = "OP1002"
ILLEGAL: Final = "OP1003"
EMPTY_BODY: Final = "OP1004"
NO_METHOD: Final = "OP1005"
NO_APP: Final = "OP1008"
NO_RIGHT: Final = "OP1009"
QUOTA: Final = "OP1013"
NOTHING_RECORDED: Final = "OP1019"
WRONG_SIGN: Final = "SN1001"
SKEWED: Final = "SN1002"
BAD_SIGN: Final = "SN1003"
UNKNOWN_APP: Final = "SN1004"
NONCE_REUSED: Final = "SN1005"
STALE: Final = "TK1002"
NO_LICENCE: Final = "FL1001"
OFFLINE: Final = "DV1007"
BUSY: Final = "DV1009"
ONLY_SHARED: Final = "DV1012"
UNSUPPORTED: Final = "DV1026"
NO_CHANNEL: Final = "DV1028"
ASLEEP: Final = "DV1030"
NO_CARD: Final = "DV1049"
ENCRYPTED: Final = "LV1004"
NOT_IN_CLOUD: Final = "RC1001"
NO_PLAN: Final = "ST1004"
PLAN_EXPIRED: Final = "ST1005"

CAPTURED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "0": "Operation is successful.",
        "OP1002": "Parameter missing, please confirm parameter.",
        "OP1005": "Invalid request URL.",
        "OP1008": "app ID id null.",
        "OP1009": "No right, cannot operate.",
        "OP1013": "Call interface times exceed limit (total).",
        "TK1002": "Token expired or does not exist, please get token again.",
        "LV1001": "The video live exists.",
        "FL1001": "Insufficient remaining available licenses",
    }
)
"""Messages that the live service has sent."""

_MODELLED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "OP1001": "Operation failed.",
        "OP1003": "Parameter value is illegal, please confirm parameter.",
        "OP1004": "Request body is empty.",
        "OP1010": "The application is frozen.",
        "OP1011": "Call interface times exceed limit (per day, this interface).",
        "OP1012": "No permission to call this interface.",
        "OP1014": "Call interface times exceed limit (per day).",
        "OP1019": "No record in this time range.",
        "OP1021": "Get play address failed.",
        "OP1026": "Requests are too frequent.",
        "SN1001": "Sign error.",
        "SN1002": "Sign time out.",
        "SN1003": "Sign parameter error.",
        "SN1004": "Illegal appId.",
        "SN1005": "Nonce repeated.",
        "TK1003": "Illegal token.",
        "DV1002": "Device does not exist.",
        "DV1007": "Device offline.",
        "DV1009": "Device busy, please try again later.",
        "DV1012": "No permission, the device is only shared with you.",
        "DV1020": "Device channel offline.",
        "DV1026": "Device does not support this function.",
        "DV1028": "User is not bound to the device, or the channel does not exist.",
        "DV1030": "Device is dormant.",
        "DV1049": "Device has no storage medium.",
        "FL1003": "Bandwidth over quota.",
        "FL1004": "Remaining media traffic insufficient.",
        "LV1004": "Device has a custom encryption key.",
        "RC1001": "Cloud record does not exist.",
        "ST1004": "Cloud storage package is not opened.",
        "ST1005": "Cloud storage package is expired.",
        "WF1001": "Request timed out.",
    }
)


def message(code: str) -> str:
    """Return the words for *code*; for one that nobody knows, those of OP1001."""
    return CAPTURED.get(code) or _MODELLED.get(code, _MODELLED["OP1001"])
