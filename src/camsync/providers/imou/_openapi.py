"""The vendor's Open Platform as a `Wire`."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..._cancel import CancelToken
from ..._secret import Secret
from ...errors import (
    DownloadUnsupportedError,
    NoCloudPlanError,
    RecordingNotFoundError,
    RequestRejectedError,
    UnsupportedError,
)
from ...models import Check
from ...transport import Web
from ._call import Caller
from ._lists import NOT_OFFERED, REFUSED, DeviceLists
from ._pages import ByTime, Lengths, Page, by_position
from ._parse import (
    malformed,
    read_card,
    read_days,
    read_page,
    read_records,
    read_storage,
    write_wall,
)
from ._plans import Plans
from ._refusals import PLAY
from ._way import check_way
from ._wire import CLOUD, SD, Place, Plan, PlaySource, RawDevice, RawRecord, RawStorage, Repeated
from ._zones import read_zone


CLOUD_PAGE: Final = 100
SD_PAGE: Final = 30
_NEWEST_PAGE: Final = 30
_OWN_KEY: Final = "LV1004"
_NOT_PLAYED: Final = NOT_OFFERED | {"DV1019", "DV1026", _OWN_KEY}
Params = dict[str, Any]


class OpenApi:
    """One account on the Open Platform."""

    def __init__(self, caller: Caller, web: Web) -> None:
        self._caller = caller
        self._web = web
        self._lists = DeviceLists(caller)
        self._plans = Plans(caller)
        self._lock = threading.Lock()
        self._newest_first = False  # queryCloudRecords is not offered here
        self._no_calendar: set[str] = set()  # nor the bitmap: for these devices, or "" for all
        self._lengths = Lengths()

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
        found = self._lists.devices()
        self._plans.note(found)
        return found

    def plan(self, device: str, channel: str) -> Plan:
        """Say a channel's plan: see `Plans.of` for what that costs."""
        return self._plans.of(device, channel)

    def cloud_days(self, device: str, channel: str, year: int, month: int) -> set[int] | None:
        """Ask for a month's bitmap: one call; none once it was refused."""
        if self._no_calendar & {"", device}:
            return None
        params = {"deviceId": device, "channelId": channel, "year": year, "month": month}
        try:
            return read_days(self._caller.call("queryCloudRecordBitmap", params), year, month)
        except RecordingNotFoundError:
            return set()
        except NoCloudPlanError:
            raise
        except REFUSED as error:  # the records themselves may be allowed
            self._no_calendar.add("" if error.vendor_code in NOT_OFFERED else device)
            return None

    def cloud_records(
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        typed: bool = False,
        repeated: Repeated | None = None,
    ) -> Iterator[RawRecord]:
        """List the cloud's recordings: one call per 100, or per 30 where that is not offered.

        Only the list in pages of 30 says why something was recorded.
        """
        if typed:
            yield from self._typed(device, channel, begin, end, repeated)
            return
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
        yield from self._newest(device, channel, begin, end, repeated)

    def _typed(
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        repeated: Repeated | None,
    ) -> Iterator[RawRecord]:
        try:
            yield from self._newest(device, channel, begin, end, repeated)
        except REFUSED as error:
            if error.vendor_code not in NOT_OFFERED:
                raise
            msg = f"the cloud does not offer to say why something was recorded: {error.message}"
            step = "search without kinds, or with storage='sd' (--storage sd)"
            raise UnsupportedError(msg, next_step=step, vendor_code=error.vendor_code) from error

    def sd_records(
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        repeated: Repeated | None = None,
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
        """Page by position, which also holds in an hour that comes twice."""
        place: Place = CLOUD if method == "queryCloudRecords" else SD
        params = _between(device, channel, begin, end)
        if place == SD:
            params["type"] = "All"

        def ask(first: int, last: int) -> Page:
            return self._page(method, {**params, "queryRange": f"{first}-{last}"}, place)

        # In front of a card is a device, and each may have a limit of its own.
        whose = method if place == CLOUD else f"{method} {device}"
        yield from by_position(ask, size, method=method, whose=whose, lengths=self._lengths)

    def _newest(
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        repeated: Repeated | None = None,
    ) -> Iterator[RawRecord]:
        """Page backwards in time; all come oldest first."""
        method = "getCloudRecords"

        def ask(first: dt.datetime, last: dt.datetime) -> Page:
            window = _between(device, channel, first, last)
            asked = {**window, "count": _NEWEST_PAGE, "cloudType": "video"}
            return self._page(method, asked, CLOUD)

        pages = ByTime(ask, _NEWEST_PAGE, method, method, self._lengths, repeated)
        yield from reversed(list(pages.run(begin, end)))

    def _page(self, method: str, params: Params, place: Place) -> Page:
        """Ask for one page; "nothing recorded" is an empty one."""
        try:
            data = self._caller.call(method, params)
        except RecordingNotFoundError:
            return Page(records=(), length=0)
        device, channel = params["deviceId"], params["channelId"]
        found, length = read_page(
            data, "records", method, lambda rows: read_records(rows, device, channel, place)
        )
        return Page(records=found, length=length)

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

    def play_url(
        self, record: RawRecord, stream: int = 0, *, cancel: CancelToken | None = None
    ) -> PlaySource:
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
            data = self._caller.call(PLAY, params, cancel=cancel)
        except (*REFUSED, RequestRejectedError) as error:
            overnight = error.vendor_code == "OP1003" and record.begin.date() != record.end.date()
            if not overnight and error.vendor_code not in _NOT_PLAYED:
                raise
            why = "it plays nothing across midnight; " if overnight else ""
            msg = f"footage can be listed but not fetched from here: {why}{error.message}"
            step = f"fetch it in the vendor's app; ask the vendor to allow {PLAY} for this app"
            step = (error.next_step or step) if error.vendor_code == _OWN_KEY else step
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
        self._plans.forget()

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
