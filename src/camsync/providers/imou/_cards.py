"""The memory cards of devices: what cannot be asked is a state of a volume."""

from __future__ import annotations

import logging

from typing import Final

from ...errors import (
    CamsyncError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceOfflineError,
    DeviceTimeoutError,
    LicenceError,
    NoLocalStorageError,
    PermissionDeniedError,
    UnsupportedError,
)
from ...models import Volume, VolumeState
from ._inventory import card_in_state, volume_of
from ._wire import RawDevice, Wire


_log = logging.getLogger("camsync.imou")
_OF_ONE: Final = (
    DeviceBusyError,
    DeviceFaultError,
    DeviceTimeoutError,
    LicenceError,
    PermissionDeniedError,
)
"""With a code of the vendor's: what one device has, and says nothing about the others."""


def cards_of(wire: Wire, device: RawDevice) -> list[Volume]:
    """Ask for the card of *device*: none or two calls, one where there is no card.

    Raises:
        CamsyncError: Anything but no card, no place for one, and a device that is offline.
    """
    if not device.channels:  # a gateway, a socket
        return []
    if device.status == "offline":  # that call would be for nothing
        return [card_in_state(device.id, VolumeState.OFFLINE)]
    try:
        return [volume_of(device.id, wire.storage(device.id))]
    except NoLocalStorageError:
        return [card_in_state(device.id, VolumeState.MISSING)]
    except UnsupportedError:
        return []
    except DeviceOfflineError:
        return [card_in_state(device.id, VolumeState.OFFLINE)]


def cards_among(wire: Wire, device: RawDevice) -> list[Volume]:
    """Do the same for one of many devices: a refusal of that one must not hide the others.

    Raises:
        CamsyncError: What the whole account has.
    """
    try:
        return cards_of(wire, device)
    except _OF_ONE as error:
        if error.vendor_code is None:
            raise
        return [_unknown(device, error)]


def _unknown(device: RawDevice, error: CamsyncError) -> Volume:
    _log.warning("the card of %s is not known: %s", device.id, error.message)
    return card_in_state(device.id, VolumeState.UNKNOWN, problem=error.message)
