"""Is it the device that it was, and does its clock go right? Neither costs a request more."""

from __future__ import annotations

import datetime as dt
import logging

import attrs

from .._time import TimeSpan, utcnow
from ..errors import AuthenticationError, CamsyncError, DeviceClockError, DeviceReplacedError
from ..provider import Provider
from ._context import Context


_log = logging.getLogger("camsync.sync")
_TOLERATED = dt.timedelta(minutes=5)
_TOLD = dt.timedelta(hours=1)
"""From here on it is a problem, and less is a warning in the log: footage is found all the same."""

_WIDEST = dt.timedelta(days=31)
"""A search asks day by day: a clock that is off by years is told, and not searched after."""

_NO_SKEW = dt.timedelta(0)


@attrs.frozen
class Skew:
    """How far a device's clock is ahead (negative: behind), as far as that matters here."""

    length: dt.timedelta = _NO_SKEW

    @property
    def ahead(self) -> dt.timedelta:
        """How far in the future the end of finished footage may seem to lie."""
        return min(max(self.length, _NO_SKEW), _WIDEST)

    def widened(self, span: TimeSpan) -> TimeSpan:
        """Return the span in which a device with this clock has what was recorded in *span*."""
        behind = max(min(self.length, _NO_SKEW), -_WIDEST)
        return TimeSpan(span.start + behind, span.end + self.ahead)


def check_device(context: Context, label: str, provider: Provider, before: object) -> None:
    """Tell that another device has taken the place of the one that a kept provider knew.

    Args:
        context: Who is told.
        label: What the source is called.
        provider: The provider, after it has listed its channels.
        before: What its ``replaced`` was before that.
    """
    former = getattr(provider, "replaced", None)
    if former is not None and former != before:
        msg = f"another recorder answers now, in the place of {former}"
        context.problem(label, DeviceReplacedError(msg))


def check_clock(context: Context, label: str, provider: Provider) -> Skew:
    """Tell that the clock is wrong; the search that follows goes by the same reading.

    Raises:
        AuthenticationError: The login is refused: no search would do better.
    """
    ask = getattr(provider, "clock", None)
    if ask is None:
        return Skew()
    try:
        skew: dt.timedelta = ask(fresh=False).skew
    except AuthenticationError:
        raise
    except CamsyncError:
        return Skew()  # the search says so, channel by channel
    if abs(skew) <= _TOLERATED:
        return Skew()
    now = utcnow()
    msg = f"the device's clock says {now + skew:%Y-%m-%d %H:%M} UTC; it is {now:%Y-%m-%d %H:%M} UTC"
    if abs(skew) > _TOLD:
        context.problem(label, DeviceClockError(msg))
    else:
        _log.warning("%s: %s", label, msg)
    return Skew(skew)
