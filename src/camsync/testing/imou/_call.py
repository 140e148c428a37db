"""One call of the Open Platform: its envelope, checked in the vendor's order, and its parameters.

The members of the envelope, the two signatures, and the five minutes for clock and nonce are
documented; a few messages are captured; the order of the checks is modelled.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import re

from collections.abc import Mapping
from typing import Any, Final

import attrs

from . import _codes
from ._cast import SimulatedChannel, SimulatedDevice
from ._cloud import Cloud, Refused
from ._history import Window


_SKEW: Final = 300
_ENVELOPE: Final = ("ver", "appId", "sign", "time", "nonce")
_WALL: Final = "%Y-%m-%d %H:%M:%S"
_WALL_SHAPE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_RANGE: Final = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)
_WIDEST: Final = 100


def signature(kind: str, *, time: int, nonce: str, app_secret: str) -> str:
    """Return the sign of an envelope: ``md5`` or ``hmac`` (documented, with a vector)."""
    source = f"time:{time},nonce:{nonce},appSecret:{app_secret}".encode()
    if kind == "md5":
        return hashlib.md5(source, usedforsecurity=False).hexdigest()
    key = hashlib.sha256(app_secret.encode()).hexdigest().encode()
    return base64.b64encode(hmac.new(key, source, hashlib.sha256).digest()).decode()


@attrs.frozen(kw_only=True)
class Call:
    """A call whose envelope is in order."""

    cloud: Cloud
    method: str
    params: Mapping[str, Any]
    host: str

    def has(self, name: str) -> bool:
        """Whether a parameter was given."""
        return self.params.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a parameter that is text.

        Raises:
            Refused: OP1002 without one and without a *default*, OP1003 when it is empty or no text.
        """
        value = self.params.get(name, default)
        if value is None:
            raise Refused(_codes.MISSING)
        if not isinstance(value, str) or not value:
            raise Refused(_codes.ILLEGAL)
        return value

    def choice(self, name: str, *allowed: str) -> str:
        """Return a parameter that is one of *allowed*, by default the first of them.

        Raises:
            Refused: OP1003.
        """
        value = self.text(name, allowed[0])
        if value not in allowed:
            raise Refused(_codes.ILLEGAL)
        return value

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a parameter that is a number, or the digits of one.

        Raises:
            Refused: OP1002 without one and without a *default*, OP1003 out of bounds.
        """
        value = self.params.get(name, default)
        if value is None:
            raise Refused(_codes.MISSING)
        try:
            found = int(value) if isinstance(value, int | str) else low - 1
        except ValueError:
            found = low - 1
        if not low <= found <= high:
            raise Refused(_codes.ILLEGAL)
        return found

    def window(self) -> Window:
        """Return beginTime and endTime.

        Raises:
            Refused: OP1002, OP1003.
        """
        begin, end = self.wall("beginTime"), self.wall("endTime")
        if end < begin:
            raise Refused(_codes.ILLEGAL)
        return Window(begin=begin, end=end)

    def wall(self, name: str) -> dt.datetime:
        """Return a parameter that is a wall-clock time.

        Raises:
            Refused: OP1002, OP1003.
        """
        text = self.text(name)
        try:
            if _WALL_SHAPE.fullmatch(text):
                return dt.datetime.strptime(text, _WALL)  # noqa: DTZ007 - wall time, on purpose
        except ValueError:
            pass  # a thirtieth of February: as wrong as any other text
        raise Refused(_codes.ILLEGAL)

    def places(self) -> slice:
        """Return queryRange, which counts from 1 and includes both ends, as a slice.

        Raises:
            Refused: OP1002, OP1003 also for more than a hundred.
        """
        match = _RANGE.fullmatch(self.text("queryRange"))
        first, last = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= first <= last < first + _WIDEST:
            raise Refused(_codes.ILLEGAL)
        return slice(first - 1, last)

    def device(self) -> SimulatedDevice:
        """Return the device that the call is about.

        Raises:
            Refused: OP1009 when it is unknown (captured), FL1001 without a licence.
        """
        found = self.cloud.device(self.text("deviceId"))
        if found is None:
            raise Refused(_codes.NO_RIGHT)
        if not self.cloud.licensed(found):
            raise Refused(_codes.NO_LICENCE)
        return found

    def channel(self, device: SimulatedDevice) -> SimulatedChannel:
        """Return the channel that the call is about.

        Raises:
            Refused: DV1028 when it is unknown.
        """
        found = device.channel(str(self.number("channelId", 0, 10_000)))
        if found is None:
            raise Refused(_codes.NO_CHANNEL)
        return found

    def own(self) -> SimulatedDevice:
        """Return the device when its recordings are the account's own.

        Raises:
            Refused: DV1012 for a shared one.
        """
        device = self.device()
        if device.shared:
            raise Refused(_codes.ONLY_SHARED)
        return device

    def reach(self, device: SimulatedDevice) -> None:
        """Reach through to the camera.

        Raises:
            Refused: DV1007 offline, DV1030 asleep, DV1009 while it is upgraded.
        """
        state = self.cloud.state(device)
        codes = {"offline": _codes.OFFLINE, "sleep": _codes.ASLEEP, "upgrading": _codes.BUSY}
        if state in codes:
            raise Refused(codes[state])


def envelope(body: bytes) -> Mapping[str, Any]:
    """Read the body of a call.

    Raises:
        Refused: OP1004 without one, OP1003 when it is no object of JSON.
    """
    if not body.strip():
        raise Refused(_codes.EMPTY_BODY)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(_codes.ILLEGAL) from None
    if not isinstance(value, dict):
        raise Refused(_codes.ILLEGAL)
    return value


def check(cloud: Cloud, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the envelope but for the token, and return the parameters.

    Raises:
        Refused: In this order OP1002, OP1008, SN1004, SN1003, SN1002, SN1005, SN1001.
    """
    system, params = value.get("system"), value.get("params")
    if not isinstance(system, dict) or not isinstance(params, dict) or not value.get("id"):
        raise Refused(_codes.MISSING)
    if any(name not in system for name in _ENVELOPE):
        raise Refused(_codes.MISSING)
    if not system["appId"]:
        raise Refused(_codes.NO_APP)
    if system["appId"] != cloud.settings.app_id:
        raise Refused(_codes.UNKNOWN_APP)
    _check_sign(cloud, system)
    return params


def _check_sign(cloud: Cloud, system: Mapping[str, Any]) -> None:
    time, nonce, sign = (system[name] for name in ("time", "nonce", "sign"))
    if isinstance(time, str) and time.isdecimal():
        time = int(time)
    if not isinstance(time, int) or not all(
        isinstance(each, str) and each for each in (nonce, sign)
    ):
        raise Refused(_codes.BAD_SIGN)
    now = cloud.clock()
    if abs(now.timestamp() - time) > _SKEW:
        raise Refused(_codes.SKEWED)
    if not cloud.nonces.fresh(nonce, now):
        raise Refused(_codes.NONCE_REUSED)
    accepted = ("md5", "hmac") if cloud.settings.sign == "both" else (cloud.settings.sign,)
    secret = cloud.settings.app_secret
    if sign not in {
        signature(kind, time=time, nonce=nonce, app_secret=secret) for kind in accepted
    }:
        raise Refused(_codes.WRONG_SIGN)
