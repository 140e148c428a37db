"""The vendor's Open Platform as a `Wire`."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..._secret import Secret
from ...errors import (
    DownloadUnsupportedError,
    RecordingNotFoundError,
    RequestRejectedError,
)
from ...models import Check
from ...transport import Web
from ._call import PLAY, Caller
from ._lists import NOT_OFFERED, REFUSED, DeviceLists
from ._parse import (
    check_page,
    items,
    malformed,
    read_card,
    read_days,
    read_plan,
    read_records,
    read_storage,
    text,
    write_wall,
)
from ._way import check_way
from ._wire import CLOUD, SD, Plan, PlaySource, RawDevice, RawRecord, RawStorage
from ._zones import read_zone


CLOUD_PAGE: Final = 100
SD_PAGE: Final = 30
_NEWEST_PAGE: Final = 30
_NOT_PLAYED: Final = NOT_OFFERED | {"DV1019", "DV1026"}
Params = dict[str, Any]


class OpenApi:
    """One account on the Open Platform."""

    def __init__(self, caller: Caller, web: Web) -> None:
        self._caller = caller
        self._web = web
        self._lists = DeviceLists(caller)
        self._lock = threading.Lock()
        self._newest_first = False  # queryCloudRecords is not offered here

    @property
    def account(self) -> str:
        """The app id."""
        return self._caller.app_id

    @property
    def learnt(self) -> Mapping[str, Any]:
        """Which signature works, and where."""
        signer = self._caller.signer
        return {} if signer is None else {"sign": signer.name, "host": self._caller.root}

    def devices(self) -> list[RawDevice]:
        """List all devices: one call per 50 of them."""
        return self._lists.devices()

    def plan(self, device: str, channel: str) -> Plan:
        """Ask for a channel's plan: one call, or two where the first does not say it."""
        params = {"deviceId": device, "channelList": channel}
        try:
            data = self._caller.call("deviceBaseDetailList", {"deviceList": [params]})
            found = [
                read_plan(text(each, "storageStrategyStatus"))
                for one in items(data, "deviceList")
                for each in items(one, "channels")
                if text(each, "channelId") == channel
            ]
        except REFUSED:
            found = []
        if found and found[0] != "unknown":
            return found[0]
        try:
            data = self._caller.call(
                "getStorageStrategy", {"deviceId": device, "channelId": channel}
            )
        except REFUSED:  # NoCloudPlanError is one
            return "unknown" if not found else found[0]
        return read_plan(text(data, "strategyStatus"))

    def cloud_days(self, device: str, channel: str, year: int, month: int) -> set[int] | None:
        """Ask for a month's bitmap: one call."""
        params = {"deviceId": device, "channelId": channel, "year": year, "month": month}
        try:
            return read_days(self._caller.call("queryCloudRecordBitmap", params))
        except RecordingNotFoundError:
            return set()

    def cloud_records(
        self, device: str, channel: str, begin: dt.datetime, end: dt.datetime
    ) -> Iterator[RawRecord]:
        """List the cloud's recordings: one call per 100, or per 30 where that is not offered."""
        if not self._newest_first:
            try:
                yield from self._ranges(
                    "queryCloudRecords", CLOUD_PAGE, device, channel, begin, end
                )
            except REFUSED as error:
                if error.vendor_code not in NOT_OFFERED:
                    raise
                self._newest_first = True
            else:
                return
        yield from self._newest(device, channel, begin, end)

    def sd_records(
        self, device: str, channel: str, begin: dt.datetime, end: dt.datetime
    ) -> Iterator[RawRecord]:
        """List the card's recordings: one call per 30."""
        yield from self._ranges("queryLocalRecords", SD_PAGE, device, channel, begin, end)

    def _ranges(
        self,
        method: str,
        size: int,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
    ) -> Iterator[RawRecord]:
        """Page by position; a page that is not full, or brings nothing new, is the last."""
        place = CLOUD if method == "queryCloudRecords" else SD
        params = _between(device, channel, begin, end)
        if place == SD:
            params["type"] = "All"
        seen: set[tuple[str, str, dt.datetime]] = set()
        first = 1
        while True:
            check_page(first // size + 1, method)
            asked = {**params, "queryRange": f"{first}-{first + size - 1}"}
            found = self._page(method, asked)
            known = len(seen)
            for record in read_records(found, device, channel, place):
                identity = (record.region, record.id, record.begin)
                if identity not in seen:
                    seen.add(identity)
                    yield record
            if len(found) < size or len(seen) == known:
                return
            first += size

    def _newest(
        self, device: str, channel: str, begin: dt.datetime, end: dt.datetime
    ) -> Iterator[RawRecord]:
        """Page backwards: the oldest begin of a page is the end of the next; all come oldest first."""
        seen: dict[tuple[str, str], RawRecord] = {}
        until, pages = end, 0
        while True:
            pages += 1
            check_page(pages, "getCloudRecords")
            asked = {
                **_between(device, channel, begin, until),
                "count": _NEWEST_PAGE,
                "cloudType": "video",
            }
            found = self._page("getCloudRecords", asked)
            records = read_records(found, device, channel, CLOUD)
            known = len(seen)
            for record in records:
                seen.setdefault((record.region, record.id), record)
            if len(found) < _NEWEST_PAGE or len(seen) == known:
                break
            until = min(record.begin for record in records)
        yield from reversed(seen.values())

    def _page(self, method: str, params: Params) -> list[Mapping[str, Any]]:
        """Ask for one page; "nothing recorded" is an empty one."""
        try:
            return items(self._caller.call(method, params), "records")
        except RecordingNotFoundError:
            return []

    def storage(self, device: str) -> RawStorage:
        """Ask for the card: one call without a card, else two."""
        status = read_card(self._caller.call("deviceSdcardStatus", {"deviceId": device}))
        if status == "empty":
            return RawStorage(status=status)
        return read_storage(self._caller.call("deviceStorage", {"deviceId": device}), status)

    def zone(self, device: str) -> dt.tzinfo | None:
        """Ask for the zone: one call, or two; see `read_zone` for how far that can be trusted."""
        for method in ("timeZoneQueryByDay", "timeZoneQueryByWeek"):
            try:
                zone = read_zone(self._caller.call(method, {"deviceId": device}))
            except REFUSED:
                continue
            if zone is not None:
                return zone
        return None

    def play_url(self, record: RawRecord, stream: int = 0) -> PlaySource:
        """Ask for a playlist: one call. It works once, and not for long.

        Raises:
            DownloadUnsupportedError: This account, region or device does not allow it.
        """
        params = {
            **_between(record.device, record.channel, record.begin, record.end),
            "streamId": stream,
            "recordType": "cloudRecord" if record.storage == CLOUD else "localRecord",
        }
        try:
            data = self._caller.call(PLAY, params)
        except (*REFUSED, RequestRejectedError) as error:
            overnight = error.vendor_code == "OP1003" and record.begin.date() != record.end.date()
            if not overnight and error.vendor_code not in _NOT_PLAYED:
                raise
            why = "it plays nothing across midnight; " if overnight else ""
            msg = f"footage can be listed but not fetched from here: {why}{error.message}"
            step = f"fetch it in the vendor's app; ask the vendor to allow {PLAY} for this app"
            raise DownloadUnsupportedError(
                msg, next_step=step, vendor_code=error.vendor_code
            ) from error
        url = data.get("url", data.get("hls"))
        if not isinstance(url, Secret) or not url:
            raise malformed(PLAY, "has no URL")
        return PlaySource(url=url)

    def describe(self) -> Iterator[Check]:
        """Test host, clock and login; one call."""
        return check_way(self._caller, self._web)

    def retry_login(self) -> None:
        """Forget refused logins and used-up quotas."""
        self._caller.retry()

    def close(self) -> None:
        """Forget the session."""
        self._caller.tokens.forget()


def _between(device: str, channel: str, begin: dt.datetime, end: dt.datetime) -> Params:
    return {
        "deviceId": device,
        "channelId": channel,
        "beginTime": write_wall(begin),
        "endTime": write_wall(end),
    }
