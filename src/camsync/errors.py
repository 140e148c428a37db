"""Every error that camsync raises on purpose.

The tree::

    CamsyncError
    |-- ConfigurationError (ValueError)             the caller gave something unusable
    |   `-- MissingExtraError (ImportError)         an optional dependency is not installed
    |-- UnreachableError (ConnectionError)          no connection, or it broke
    |-- DeviceTimeoutError (TimeoutError)           the device did not answer in time
    |-- TLSError (ConnectionError)                  the secure connection could not be made
    |   `-- CertificateError                        the certificate is not the trusted one
    |-- AuthenticationError (PermissionError)       user name or password refused
    |   |-- AccountLockedError                      too many failed logins, locked for a while
    |   `-- InsecureAuthenticationError             only clear-text login on offer, refused by us
    |-- PermissionDeniedError (PermissionError)     logged in, but not allowed to do this
    |-- DeviceBusyError                             try again later
    |-- DeviceFaultError                            the device reports an internal error
    |-- UnsupportedError                            the device cannot do this
    |   `-- DownloadUnsupportedError                footage cannot be fetched from here
    |-- RequestRejectedError                        the device refuses the shape of a request
    |-- ProtocolError                               the answer makes no sense
    |-- RecordingNotFoundError (LookupError)        no such recording (any more)
    |-- RecordingInProgressError                    still being written, come back later
    `-- DownloadError
        |-- ShortReadError (EOFError)               fewer bytes, or less video, than announced
        |-- CorruptMediaError                       the bytes are not the video that was announced
        |-- DiskFullError (OSError)                 no room at the destination
        |-- DestinationError (OSError)              the destination cannot be written
        `-- CancelledError                          the caller asked to stop

Each class also derives from the builtin that fits, so that ``except TimeoutError`` works.
All of them pickle, and none of them ever holds a password, a token or an ``Authorization`` header.
"""

from __future__ import annotations

import enum

from typing import TYPE_CHECKING, ClassVar


if TYPE_CHECKING:
    from datetime import datetime


class Category(str, enum.Enum):
    """What kind of thing went wrong: the coarse answer to "what can I do about it?"."""

    INPUT = "input"
    SETUP = "setup"
    NETWORK = "network"
    TLS = "tls"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    BUSY = "busy"
    DEVICE = "device"
    UNSUPPORTED = "unsupported"
    PROTOCOL = "protocol"
    NOT_FOUND = "not_found"
    IN_PROGRESS = "in_progress"
    MEDIA = "media"
    DISK = "disk"
    CANCELLED = "cancelled"


class CamsyncError(Exception):
    """The root of all camsync errors.

    Args:
        message:
            What happened, in words, without secrets.
        next_step:
            What the user can do about it. A class may bring a default.
        vendor_code:
            The vendor's own number (ISAPI ``statusCode``), as text.
        vendor_sub_code:
            The vendor's own word (ISAPI ``subStatusCode``).
        http_status:
            The HTTP status that carried the failure.
        retry_after:
            Seconds that the device asked to wait.
        retryable:
            Overrides the class's verdict on whether a later try can succeed.
    """

    category: ClassVar[Category] = Category.DEVICE
    default_next_step: ClassVar[str | None] = None
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        next_step: str | None = None,
        vendor_code: str | None = None,
        vendor_sub_code: str | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.default_next_step
        self.vendor_code = vendor_code
        self.vendor_sub_code = vendor_sub_code
        self.http_status = http_status
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        text = self.message
        details = self._details()
        if details:
            text = f"{text} [{details}]"
        return f"{text} - {self.next_step}" if self.next_step else text

    def _details(self) -> str:
        status = f"HTTP {self.http_status}" if self.http_status is not None else ""
        vendor = " ".join(part for part in (self.vendor_code, self.vendor_sub_code) if part)
        return ", ".join(part for part in (status, vendor) if part)


class ConfigurationError(CamsyncError, ValueError):
    """An argument, a URL or an option is unusable. Nothing was sent anywhere."""

    category = Category.INPUT


class MissingExtraError(ConfigurationError, ImportError):
    """An optional dependency is needed; ``next_step`` holds the pip command."""

    category = Category.SETUP

    @classmethod
    def for_extra(cls, extra: str, purpose: str) -> MissingExtraError:
        """Build the error for *purpose* (a noun phrase) that needs *extra*."""
        return cls(
            f"{purpose} needs the optional extra {extra!r}",
            next_step=f"install camsync with the extra {extra!r}; "
            f"in a checkout: python -m pip install '.[{extra}]'",
        )


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


class DownloadError(CamsyncError):
    """A download failed; nothing stands under the final name."""

    category = Category.MEDIA


class ShortReadError(DownloadError, EOFError):
    """Less arrived than was announced.

    Attributes:
        expected: Bytes (or seconds of video) that were announced.
        received: Bytes (or seconds of video) that arrived.
    """

    retryable = True
    default_next_step = "try again; if it stays, the recording is damaged on the recorder's disk"

    def __init__(
        self, message: str, *, expected: float | None = None, received: float | None = None
    ) -> None:
        super().__init__(message)
        self.expected = expected
        self.received = received


class CorruptMediaError(DownloadError):
    """The bytes are not the video that was announced."""

    default_next_step = (
        "fetch it with container='original' to look at the bytes; "
        "an encrypted stream must be decrypted on the recorder"
    )


class DiskFullError(DownloadError, OSError):
    """The destination has no room.

    Attributes:
        needed: Bytes needed, if known.
        free: Bytes free when it was noticed, if known.
    """

    category = Category.DISK
    default_next_step = "free some space, or choose another destination"

    def __init__(self, message: str, *, needed: int | None = None, free: int | None = None) -> None:
        super().__init__(message)
        self.needed = needed
        self.free = free


class DestinationError(DownloadError, OSError):
    """The destination cannot be created or written."""

    category = Category.DISK
    default_next_step = "check that the folder exists and that you may write to it"


class CancelledError(DownloadError):
    """The caller's *cancel* was set. Nothing stands under the final name."""

    category = Category.CANCELLED
