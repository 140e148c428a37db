"""Refusals that are remembered: what makes no sense to send again is not sent, nor paid for."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..._time import UTC
from ...errors import (
    AuthenticationError,
    CamsyncError,
    DeviceBusyError,
    PermissionDeniedError,
    ProtocolError,
    RequestRejectedError,
    UnreachableError,
    UnsupportedError,
)
from ...transport import Answer
from ._codes import error_of
from ._parse import Result


LOGIN: Final = "accessToken"
PLAY: Final = "createDeviceRecordHls"
_LICENCE: Final = dt.timedelta(hours=1)
"""For which a missing licence is not asked about again: its owner may buy one."""


@attrs.frozen
class _Stop:
    """Why nothing more is sent, and until when."""

    result: Result
    method: str
    until: dt.datetime | None


class Stops:
    """What is not sent any more for now. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped: dict[str, _Stop] = {}

    def remember(
        self, result: Result, method: str, params: Mapping[str, Any], now: dt.datetime
    ) -> None:
        """Note what makes further calls useless for a while: used-up quotas and licences."""
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = today + dt.timedelta(days=1)
        next_month = (today.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        one_device = _one_device(method, params)
        ends: dict[str, tuple[str, dt.datetime]] = {
            "OP1011": (method, tomorrow),
            "OP1013": ("", next_month),
            "OP1014": ("", tomorrow),
            "OP1016": (one_device, tomorrow),
            "FL1001": (one_device, now + _LICENCE),
            "FL1004": (PLAY, tomorrow),
            "FL1005": (PLAY, tomorrow),
        }
        if result.code in ends:
            what, until = ends[result.code]
            self._stop(what, _Stop(result, method, until))

    def stop(self, result: Result, method: str) -> None:
        """Send nothing more at all, until `clear`."""
        self._stop("", _Stop(result, method, None))

    def _stop(self, what: str, stop: _Stop) -> None:
        with self._lock:
            self._stopped[what] = stop

    def check(self, method: str, params: Mapping[str, Any], now: dt.datetime) -> None:
        """Raise again what ended all calls, those of *method*, or those to one device by it.

        Raises:
            CamsyncError: The same as before; nothing is sent.
        """
        wanted = ("", method, _one_device(method, params))
        with self._lock:
            found = [self._stopped[what] for what in wanted if what in self._stopped]
        for stop in found:
            if stop.until is None or now < stop.until:
                error = error_of(stop.result.code, stop.result.msg, stop.method)
                error.message += "; nothing more was sent"
                refused = isinstance(error, UnsupportedError | PermissionDeniedError)
                raise login_refused(error) if stop.method == LOGIN and refused else error

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._stopped.clear()


def _one_device(method: str, params: Mapping[str, Any]) -> str:
    return f"{method} of {params.get('deviceId', '')}"


def login_refused(error: CamsyncError) -> AuthenticationError:
    """Make a refused login of a refusal that, of any other method, would mean less."""
    return AuthenticationError(
        error.message, next_step=error.next_step, vendor_code=error.vendor_code
    )


def check_status(answer: Answer, method: str) -> None:
    """Raise for anything but 200: failures of the platform itself come with 200 and a code.

    Raises:
        CamsyncError: What the status means.
    """
    status = answer.status
    if status == 200:  # noqa: PLR2004
        return
    msg = f"{method}: the cloud answers with HTTP {status}"
    wish = answer.headers.get("Retry-After", "")
    wait = float(wish) if wish.isdecimal() and wish.isascii() and len(wish) < 6 else None  # noqa: PLR2004
    if status in {429, 503}:
        step = "try again in a minute, with fewer requests at once"
        raise DeviceBusyError(msg, http_status=status, retry_after=wait, next_step=step)
    if status >= 500:  # noqa: PLR2004
        raise UnreachableError(
            msg, http_status=status, next_step="try again later: the cloud has trouble"
        )
    if status >= 400:  # noqa: PLR2004
        raise RequestRejectedError(
            msg, http_status=status, next_step="check region and base URL: this is not the platform"
        )
    raise ProtocolError(msg, http_status=status, next_step="check region and base URL")
