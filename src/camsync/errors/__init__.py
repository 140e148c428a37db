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
    |   |-- ClockSkewError                          this computer's clock is wrong
    |   `-- InsecureAuthenticationError             only clear-text login on offer, refused by us
    |-- PermissionDeniedError (PermissionError)     logged in, but not allowed to do this
    |-- DeviceBusyError                             try again later
    |-- DeviceFaultError                            the device reports an internal error
    |-- DeviceReplacedError                         another device has its address now
    |-- DeviceClockError                            the device's clock is wrong
    |-- UnsupportedError                            the device cannot do this
    |   |-- DownloadUnsupportedError                footage cannot be fetched from here
    |   |-- NoCloudPlanError                        the channel has no cloud recording plan
    |   `-- NoLocalStorageError                     the device has no usable memory card
    |-- RequestRejectedError                        the device refuses the shape of a request
    |-- ProtocolError                               the answer makes no sense
    |-- RecordingNotFoundError (LookupError)        no such recording (any more)
    |-- RecordingInProgressError                    still being written, come back later
    |-- DeviceOfflineError                          the cloud does not reach the device
    |   `-- DeviceAsleepError                       a battery camera sleeps
    |-- QuotaError                                  calls, traffic or licences are used up
    |   |-- LicenceError                            more devices than licences
    |   `-- BudgetExceededError                     your own limit would be passed
    |-- CredentialError                             a credential store failed
    |   |-- CredentialNotFoundError (LookupError)   nothing is stored under that name
    |   |-- ProfileNotFoundError (LookupError)      no such profile
    |   |-- MissingKeyError                         credentials are there, but no key to read them
    |   |-- WrongKeyError                           the key or passphrase is another one
    |   |-- DamagedStoreError                       the file is not what was written
    |   |-- ExposedStoreError (PermissionError)     other users can read the file
    |   |-- ReadOnlyStoreError                      this store cannot be written
    |   `-- StoreUnavailableError (OSError)         it cannot be reached, read, written or locked
    |-- CatalogueError                              the catalogue of a sync failed
    |   |-- CatalogueUnavailableError (OSError)     it cannot be reached, read or written
    |   |   `-- CatalogueServerError                its server cannot be reached, or refuses
    |   `-- DamagedCatalogueError                   the file is not what was written
    `-- DownloadError
        |-- ShortReadError (EOFError)               fewer bytes, or less video, than announced
        |-- CorruptMediaError                       the bytes are not the video that was announced
        |-- FootageGapError                         the footage is not continuous
        |-- DiskFullError (OSError)                 no room at the destination
        |-- DestinationError (OSError)              the destination cannot be written
        |   `-- DestinationBusyError                another run is working on it
        `-- CancelledError                          the caller asked to stop

Each class also derives from the builtin that fits, so that ``except TimeoutError`` works.
All of them pickle, and none of them ever holds a password, a token or an ``Authorization`` header.
"""

from __future__ import annotations

from .._category import Category
from ._base import (
    CamsyncError,
    ConfigurationError,
    MissingExtraError,
)
from ._catalogue import (
    CatalogueError,
    CatalogueServerError,
    CatalogueUnavailableError,
    DamagedCatalogueError,
    DestinationBusyError,
)
from ._cloud import (
    BudgetExceededError,
    ClockSkewError,
    DeviceAsleepError,
    DeviceOfflineError,
    LicenceError,
    NoCloudPlanError,
    NoLocalStorageError,
    QuotaError,
)
from ._credentials import (
    CredentialError,
    CredentialNotFoundError,
    DamagedStoreError,
    ExposedStoreError,
    MissingKeyError,
    ProfileNotFoundError,
    ReadOnlyStoreError,
    StoreUnavailableError,
    WrongKeyError,
)
from ._device import (
    AccountLockedError,
    AuthenticationError,
    CertificateError,
    DeviceBusyError,
    DeviceClockError,
    DeviceFaultError,
    DeviceReplacedError,
    DeviceTimeoutError,
    DownloadUnsupportedError,
    InsecureAuthenticationError,
    InsecureConnectionWarning,
    PermissionDeniedError,
    ProtocolError,
    RecordingInProgressError,
    RecordingNotFoundError,
    RequestRejectedError,
    TLSError,
    UnreachableError,
    UnsupportedError,
)
from ._download import (
    CancelledError,
    CorruptMediaError,
    DestinationError,
    DiskFullError,
    DownloadError,
    FootageGapError,
    ShortReadError,
)


__all__ = [
    "AccountLockedError",
    "AuthenticationError",
    "BudgetExceededError",
    "CamsyncError",
    "CancelledError",
    "CatalogueError",
    "CatalogueServerError",
    "CatalogueUnavailableError",
    "Category",
    "CertificateError",
    "ClockSkewError",
    "ConfigurationError",
    "CorruptMediaError",
    "CredentialError",
    "CredentialNotFoundError",
    "DamagedCatalogueError",
    "DamagedStoreError",
    "DestinationBusyError",
    "DestinationError",
    "DeviceAsleepError",
    "DeviceBusyError",
    "DeviceClockError",
    "DeviceFaultError",
    "DeviceOfflineError",
    "DeviceReplacedError",
    "DeviceTimeoutError",
    "DiskFullError",
    "DownloadError",
    "DownloadUnsupportedError",
    "ExposedStoreError",
    "FootageGapError",
    "InsecureAuthenticationError",
    "InsecureConnectionWarning",
    "LicenceError",
    "MissingExtraError",
    "MissingKeyError",
    "NoCloudPlanError",
    "NoLocalStorageError",
    "PermissionDeniedError",
    "ProfileNotFoundError",
    "ProtocolError",
    "QuotaError",
    "ReadOnlyStoreError",
    "RecordingInProgressError",
    "RecordingNotFoundError",
    "RequestRejectedError",
    "ShortReadError",
    "StoreUnavailableError",
    "TLSError",
    "UnreachableError",
    "UnsupportedError",
    "WrongKeyError",
]
