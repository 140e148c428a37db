"""The REST surface of the integration plan as a `Wire`: bearer calls, and MP4 files to fetch.

The vendor does not document this surface. Paths and members are the plan's; where the plan says
nothing (time zones, calendars, footage of cards), nothing is asked.
"""

from __future__ import annotations

import datetime as dt
import logging

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from ..._secret import Secret
from ...errors import CamsyncError, Category, DownloadUnsupportedError, RecordingNotFoundError
from ...models import Check, CheckStatus
from ._parse import items, write_wall
from ._rest_call import RestCaller
from ._rest_parse import (
    only_channel,
    read_device,
    read_devices,
    read_plan,
    read_records,
    read_storage,
    says_more,
    strange,
)
from ._way import failed
from ._wire import CLOUD, SD, Place, Plan, PlaySource, RawDevice, RawRecord, RawStorage


_CLOUD: Final = "/cloudStorage/v1"
LIST: Final = f"{_CLOUD}/device/list"
INFO: Final = f"{_CLOUD}/device/info"
STORAGE: Final = f"{_CLOUD}/device/storage"
RECORDS: Final = f"{_CLOUD}/records/query"
DOWNLOAD: Final = f"{_CLOUD}/records/download"
VIDEOS: Final = "/deviceVideoService/v1/videos/query"
_CARD: Final = "1"
_ROUND: Final = 10
"""Pages of 10, 20, 30, 50 or 100 are usual: so an answer of such a length may be a full page."""
_log = logging.getLogger("camsync.imou")
_MOST_PAGES: Final = 1000
_ON_THE_WAY: Final = frozenset({Category.NETWORK, Category.TLS})


class RestApi:
    """One linked account at one gateway."""

    def __init__(self, caller: RestCaller, whose: str, host: str) -> None:
        self.account = f"{whose}@{host}"
        """Whose account it is, and at which gateway."""
        self._caller = caller
        self._host = host

    @property
    def learnt(self) -> Mapping[str, Any]:
        """Nothing has to be found out here."""
        return {}

    def devices(self) -> list[RawDevice]:
        """List all devices: one call, and one for each device that is listed without channels."""
        found = read_devices(self._caller.get(LIST), LIST)
        return [one if one.channels else self._detailed(one) for one in found]

    def _detailed(self, device: RawDevice) -> RawDevice:
        fields = self._caller.get(INFO, deviceId=device.id)
        channels = getattr(read_device({"deviceId": device.id, **fields}), "channels", ())
        return attrs.evolve(device, channels=channels or (only_channel(device),))

    def plan(self, device: str, channel: str) -> Plan:
        """Ask whether there is a plan: one call."""
        return read_plan(self._caller.get(STORAGE, deviceId=device))

    def cloud_days(self, device: str, channel: str, year: int, month: int) -> set[int] | None:
        """Return None: the plan has no calendar."""
        return None

    def cloud_records(
        self, device: str, channel: str, begin: dt.datetime, end: dt.datetime
    ) -> Iterator[RawRecord]:
        """List the cloud's recordings: one call, and one for each full page."""
        yield from self._records(RECORDS, ("records",), device, channel, begin, end)

    def sd_records(
        self, device: str, channel: str, begin: dt.datetime, end: dt.datetime
    ) -> Iterator[RawRecord]:
        """List the card's recordings: one call, and one for each full page."""
        yield from self._records(VIDEOS, ("videos", "records"), device, channel, begin, end)

    def _records(
        self,
        path: str,
        names: tuple[str, ...],
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
    ) -> Iterator[RawRecord]:
        """Page by time, as the plan knows no pages: on from the last one's begin, in either order.

        A page that may be full is followed by another question, up to one that brings nothing new.

        Raises:
            ProtocolError: The gateway says that there is more and does not give it.
        """
        place = CLOUD if path == RECORDS else SD
        seen: set[tuple[str, dt.datetime]] = set()
        for _ in range(_MOST_PAGES):
            data = self._page(path, device, channel, begin, end)
            found = next((some for name in names if (some := items(data, name))), [])
            page = read_records(found, device, channel, place)
            fresh = [one for one in page if (one.id, one.begin) not in seen]
            seen.update((one.id, one.begin) for one in fresh)
            yield from fresh
            more = says_more(data, len(found))
            if not more and len(found) % _ROUND:
                return
            if not fresh:
                break
            if page[0].begin <= page[-1].begin:
                begin = page[-1].begin
            else:
                end = page[-1].begin
        if more:
            raise strange(path, "says that there is more, and does not give it")
        if found:  # of the same length and with nothing new: perhaps it does not look at times
            _log.warning("%s: %d recordings again; more may be missing", path, len(found))

    def _page(
        self, path: str, device: str, channel: str, begin: dt.datetime, end: dt.datetime
    ) -> Mapping[str, Any]:
        """Ask for one page; "nothing recorded" is an empty one."""
        kind = {"recordType": "all"} if path == RECORDS else {"storageType": _CARD}
        try:
            return self._caller.post(
                path,
                deviceId=device,
                channelId=channel,
                startTime=write_wall(begin),
                endTime=write_wall(end),
                **kind,
            )
        except RecordingNotFoundError:
            return {}

    def storage(self, device: str) -> RawStorage:
        """Ask for the device's storage: one call."""
        return read_storage(self._caller.get(STORAGE, deviceId=device))

    def zone(self, device: str) -> dt.tzinfo | None:
        """Return None: the plan has no word for it. Nothing is sent."""
        return None

    def play_url(self, record: RawRecord, stream: int = 0) -> PlaySource:
        """Ask for the URL of an MP4 file: one call. It is good for a while only.

        Raises:
            DownloadUnsupportedError: It is on a memory card: the plan has no way to that.
        """
        check_place(record.storage)
        data = self._caller.get(DOWNLOAD, deviceId=record.device, recordId=record.id, format="mp4")
        url = data.get("downloadUrl")
        if not isinstance(url, Secret) or not url:
            raise strange(DOWNLOAD, "has no downloadUrl")
        return PlaySource(url=url, kind="file")

    def describe(self) -> Iterator[Check]:
        """Test gateway and token; one call, and one more when the token has to be renewed."""
        error: CamsyncError | None = None
        try:
            self._caller.get(LIST)
        except CamsyncError as failure:
            error = failure
        if error is not None and error.category in _ON_THE_WAY:
            yield failed("host", error)
            return
        if error is not None and error.http_status is None and error.vendor_code is None:
            yield failed("login", error)  # nothing was sent, or nothing readable came
            return
        yield Check(name="host", status=CheckStatus.OK, seen=f"{self._host} answers")
        seen = "bearer tokens do not depend on this computer's clock"
        yield Check(name="clock", status=CheckStatus.SKIPPED, seen=seen)
        if error is not None:
            yield failed("login", error)
            return
        seen = f"linked as {self._caller.grant.account}"
        yield Check(name="login", status=CheckStatus.OK, seen=seen)

    def retry_login(self) -> None:
        """Read the store again, and try again what was refused."""
        self._caller.grant.forget()

    def close(self) -> None:
        """Forget the tokens, which the store keeps, and close the connections."""
        self._caller.close()


def check_place(place: Place | str) -> None:
    """Refuse what cannot be fetched.

    Raises:
        DownloadUnsupportedError: It is on a memory card.
    """
    if place != CLOUD:
        msg = "footage of memory cards can be listed but not fetched over this surface"
        step = "fetch it in the vendor's app, or use the Open Platform: ImouClient(app_id, …)"
        raise DownloadUnsupportedError(msg, next_step=step)
