"""What goes wrong between here and a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._category import Category
from ._base import CamsyncError


if TYPE_CHECKING:
    from datetime import datetime


class UnreachableError(CamsyncError, ConnectionError):
    """The device could not be reached, or the connection broke."""

    category = Category.NETWORK
    retryable = True
    default_next_step = "check the address, the port, the cable and the power of the device"


class DeviceTimeoutError(CamsyncError, TimeoutError):
    """The device accepted the connection but did not answer in time."""

    category = Category.NETWORK
    retryable = True
    default_next_step = "the device may be overloaded: try again, or raise the timeout"


class TLSError(CamsyncError, ConnectionError):
    """The TLS handshake failed."""

    category = Category.TLS


class CertificateError(TLSError):
    """The device's certificate is not trusted, or not the pinned one.

    Attributes:
        expected: The pinned ``sha256:`` fingerprint, if one was pinned.
        actual: The ``sha256:`` fingerprint that the device showed, if known.
    """

    def __init__(
        self,
        message: str,
        *,
        expected: str | None = None,
        actual: str | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.expected = expected
        self.actual = actual


class AuthenticationError(CamsyncError, PermissionError):
    """User name or password refused. Never retried: devices lock the account after a few tries."""

    category = Category.AUTHENTICATION
    default_next_step = (
        "check user name and password, then create a new client or call retry_login(); "
        "camsync sends nothing more to this device until then, because recorders lock the account"
    )


class AccountLockedError(AuthenticationError):
    """The device has locked the account (or this computer's address) after failed logins.

    Attributes:
        unlock_at: When the device says it will unlock (aware, UTC), or None if it did not say.
    """

    default_next_step = (
        "wait until the lock ends, or unlock on the recorder under System > User; "
        "no request is sent until retry_login() is called"
    )

    def __init__(
        self,
        message: str,
        *,
        unlock_at: datetime | None = None,
        next_step: str | None = None,
        vendor_code: str | None = None,
        vendor_sub_code: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(
            message,
            next_step=next_step,
            vendor_code=vendor_code,
            vendor_sub_code=vendor_sub_code,
            http_status=http_status,
        )
        self.unlock_at = unlock_at


class InsecureAuthenticationError(AuthenticationError):
    """The device offers only Basic login over plain HTTP, which shows the password to the LAN."""

    default_next_step = (
        "use https=True, switch the device's web authentication to 'digest', "
        "or pass allow_basic=True if you accept the risk"
    )


class PermissionDeniedError(CamsyncError, PermissionError):
    """The login worked, but the account lacks a right."""

    category = Category.PERMISSION
    default_next_step = "give the account the right 'Remote: Playback' on the recorder"


class DeviceBusyError(CamsyncError):
    """The device has no capacity for this right now."""

    category = Category.BUSY
    retryable = True
    default_next_step = "try again in a minute, with fewer parallel downloads and open viewers"


class DeviceFaultError(CamsyncError):
    """The device reports an internal error (ISAPI statusCode 3, HTTP 500)."""

    category = Category.DEVICE
    retryable = True
    default_next_step = "try again; if it stays, check the recorder's disks and log"


class DeviceReplacedError(CamsyncError):
    """Another device answers at the address of the one that was there before."""

    category = Category.DEVICE
    default_next_step = "if you have exchanged it, all is well; else check the address"


class DeviceClockError(CamsyncError):
    """The device's clock is wrong, so its footage is listed under wrong times."""

    category = Category.DEVICE
    default_next_step = "set the device's clock, and let it ask a time server (NTP)"


class UnsupportedError(CamsyncError):
    """The device or its firmware does not offer this function."""

    category = Category.UNSUPPORTED


class DownloadUnsupportedError(UnsupportedError):
    """Footage can be listed here but not fetched; the vendor's code says why."""


class RequestRejectedError(CamsyncError):
    """The device does not accept the request as camsync wrote it (ISAPI statusCode 5 or 6)."""

    category = Category.PROTOCOL
    default_next_step = "run 'camsync doctor' and report the output with the device's firmware"


class ProtocolError(CamsyncError):
    """The answer is not what the protocol allows: not XML, too big, or without vital parts."""

    category = Category.PROTOCOL
    default_next_step = "check that the address belongs to a recorder; run 'camsync doctor'"


class RecordingNotFoundError(CamsyncError, LookupError):
    """The recording does not exist, or has been overwritten since it was listed."""

    category = Category.NOT_FOUND


class RecordingInProgressError(CamsyncError):
    """The recorder is still writing this recording; fetched now it would be cut short."""

    category = Category.IN_PROGRESS
    retryable = True
    default_next_step = "come back a few minutes after it has ended"


class InsecureConnectionWarning(UserWarning):
    """A protection was switched off on request: anyone in between can read or change everything."""
