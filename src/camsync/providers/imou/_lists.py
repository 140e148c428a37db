"""The lists of devices: the newer one in pages, or the two older pairs where it is not offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from ...errors import CamsyncError, PermissionDeniedError, UnsupportedError
from ._call import Caller
from ._parse import check_page, items, listed, number, read_device, text
from ._wire import RawDevice


PAGE: Final = 50
_ALL: Final = "bindAndShare"
_PAIRS: Final = (
    ("deviceBaseList", "deviceBaseDetailList"),  # added in the vendor's app
    ("deviceOpenList", "deviceOpenDetailList"),  # bound by a program
)
REFUSED: Final = (UnsupportedError, PermissionDeniedError)
NOT_OFFERED: Final = frozenset({"OP1005", "OP1012"})
Fields = Mapping[str, Any]


class DeviceLists:
    """Lists the devices of an account."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._older = False

    def devices(self) -> list[RawDevice]:
        """List all devices with their channels, each once.

        Raises:
            ProtocolError: There is no list in the answer.
        """
        if not self._older:
            try:
                return _devices(self._by_page())
            except REFUSED as error:
                if error.vendor_code not in NOT_OFFERED:
                    raise
                self._older = True
        return _devices(self._by_pairs())

    def _by_page(self) -> list[Fields]:
        """One call per 50; an account with exactly 50 needs another, because ``count`` is ambiguous."""
        method, found = "listDeviceDetailsByPage", list[Fields]()
        seen: set[str] = set()
        page = listed_so_far = 0
        while True:
            page += 1
            check_page(page, method)
            params = {"page": page, "pageSize": PAGE, "source": _ALL}
            data = self._caller.call(method, params)
            fresh = [] if not data else listed(data, "deviceList", method)
            length = len(data.get("deviceList", ()))  # with what cannot be read
            ids = {text(one, "deviceId") for one in fresh}
            found += fresh
            listed_so_far += length
            total = number(data.get("count"))
            # A count above the page's own length can only be the total.
            complete = total is not None and total > PAGE and listed_so_far >= total
            if length < PAGE or complete or ids <= seen:
                return found
            seen |= ids

    def _by_pairs(self) -> list[Fields]:
        found: list[Fields] = []
        refused: list[CamsyncError] = []
        for lister, detailer in _PAIRS:
            try:
                basic = self._by_bind_id(lister)
            except REFUSED as error:
                if error.vendor_code not in NOT_OFFERED or refused:
                    raise
                refused.append(error)
                continue
            found += self._detailed(basic, detailer)
        return found

    def _by_bind_id(self, method: str) -> list[Fields]:
        found: list[Fields] = []
        seen: set[str] = set()
        last, pages = -1, 0
        while True:
            pages += 1
            check_page(pages, method)
            params = {"bindId": last, "limit": PAGE, "type": _ALL, "needApInfo": False}
            data = self._caller.call(method, params)
            page = listed(data, "deviceList", method)
            found += page
            ids = {text(one, "deviceId") for one in page}
            following = number(page[-1].get("bindId")) if page else None
            full = len(data["deviceList"]) >= PAGE  # with what cannot be read
            if not full or following is None or following == last or ids <= seen:
                return found
            seen |= ids
            last = following

    def _detailed(self, basic: list[Fields], method: str) -> list[Fields]:
        """Ask for details, 50 devices a call; a device without any keeps what is known of it."""
        details: dict[str, Fields] = {}
        for first in range(0, len(basic), PAGE):
            wanted = [_wanted(one) for one in basic[first : first + PAGE]]
            data = self._caller.call(method, {"deviceList": wanted})
            details.update({text(one, "deviceId"): one for one in items(data, "deviceList")})
        return [details.get(text(one, "deviceId"), one) for one in basic]


def _wanted(fields: Fields) -> dict[str, str]:
    channels = ",".join(text(one, "channelId") for one in items(fields, "channels"))
    return {"deviceId": text(fields, "deviceId"), "channelList": channels}


def _devices(found: list[Fields]) -> list[RawDevice]:
    """Read devices; one that is listed twice (bound, and a channel of it shared) has all channels."""
    devices: dict[str, RawDevice] = {}
    for fields in found:
        fresh = read_device(fields)
        if fresh is not None:
            devices[fresh.id] = _merged(devices.get(fresh.id, fresh), fresh)
    return list(devices.values())


def _merged(known: RawDevice, fresh: RawDevice) -> RawDevice:
    names = {one.id for one in known.channels}
    others = [one for one in fresh.channels if one.id not in names]
    return attrs.evolve(known, channels=(*known.channels, *others))
