"""What a cloud refuses, or a device behind it."""

from __future__ import annotations

from .._category import Category
from ._base import CamsyncError
from ._device import AuthenticationError, UnsupportedError


class ClockSkewError(AuthenticationError):
    """The cloud refuses the request because this computer's clock is wrong."""

    default_next_step = "set this computer's clock (NTP); the cloud allows five minutes"


class DeviceOfflineError(CamsyncError):
    """The cloud does not reach the device."""

    category = Category.OFFLINE
    default_next_step = "check the device's power and network; its recordings stay where they are"


class DeviceAsleepError(DeviceOfflineError):
    """The device (on a battery) sleeps."""

    default_next_step = "wake it in the vendor's app, or allow waking it; that drains the battery"


class NoCloudPlanError(UnsupportedError):
    """The channel has no cloud recording plan, or it has ended."""

    default_next_step = "buy or renew the plan in the vendor's app, or use the memory card"


class NoLocalStorageError(UnsupportedError):
    """The device has no memory card, or it cannot be used."""

    default_next_step = "insert or format the memory card"


class QuotaError(CamsyncError):
    """The account has used up its calls, its traffic or its licences. Never tried again."""

    category = Category.QUOTA
    default_next_step = "wait until the quota begins anew, or buy more in the vendor's console"


class LicenceError(QuotaError):
    """The account has fewer licences than devices."""

    default_next_step = "remove a device from the account, or buy licences in the vendor's console"


class BudgetExceededError(QuotaError):
    """Your own limit (*max_calls*, *max_bytes*) would be passed. Nothing was sent."""

    default_next_step = "raise the limit, or wait for the next month"
