"""The REST surface of the integration plan as a `Wire`: bearer calls, and MP4 files to fetch.

The vendor does not document this surface. Paths and members are the plan's; where the plan says
nothing (time zones, calendars, footage of cards), nothing is asked.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from ..._cancel import CancelToken
from ..._secret import Secret
from ...errors import CamsyncError, Category, DownloadUnsupportedError, RecordingNotFoundError
from ...models import Check, CheckStatus
from ._pages import ByTime, Lengths, Page
from ._parse import read_page, write_wall
from ._rest_call import Request, RestCaller
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
from ._wire import CLOUD, SD, Place, Plan, PlaySource, RawDevice, RawRecord, RawStorage, Repeated


_CLOUD: Final = "/cloudStorage/v1"
LIST: Final = f"{_CLOUD}/device/list"
INFO: Final = f"{_CLOUD}/device/info"
STORAGE: Final = f"{_CLOUD}/device/storage"
RECORDS: Final = f"{_CLOUD}/records/query"
DOWNLOAD: Final = f"{_CLOUD}/records/download"
VIDEOS: Final = "/deviceVideoService/v1/videos/query"
_CARD: Final = "1"
_ON_THE_WAY: Final = frozenset({Category.NETWORK, Category.TLS})


class RestApi:
    """One linked account at one gateway."""

    def __init__(self, caller: RestCaller, whose: str, host: str) -> None:
        self.account = f"{whose}@{host}"
        """Whose account it is, and at which gateway."""
        self._caller = caller
        self._host = host
        self._lengths = Lengths()

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
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        typed: bool = False,
        repeated: Repeated | None = None,
    ) -> Iterator[RawRecord]:
        """List the cloud's recordings: one call, and one for each page; *typed* as they come.

        The longest page so far is followed by one more question, where no page says how many there
        are.
        """
        yield from self._records(RECORDS, device, channel, begin, end, repeated)

    def sd_records(
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        repeated: Repeated | None = None,
    ) -> Iterator[RawRecord]:
        """List the card's recordings: like those of the cloud."""
        yield from self._records(VIDEOS, device, channel, begin, end, repeated)

    def _records(
        self,
        path: str,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        repeated: Repeated | None,
    ) -> Iterator[RawRecord]:
        """Page by time, as the plan knows no pages: on from the last one's begin, in either order."""

        def ask(first: dt.datetime, last: dt.datetime) -> Page:
            return self._page(path, device, channel, first, last)

        pages = ByTime(ask, None, path, path, self._lengths, repeated, strange)
        yield from pages.run(begin, end)

    def _page(
        self, path: str, device: str, channel: str, begin: dt.datetime, end: dt.datetime
    ) -> Page:
        """Ask for one page; "nothing recorded" is an empty one."""
        kind = {"recordType": "all"} if path == RECORDS else {"storageType": _CARD}
        try:
            data = self._caller.post(
                path,
                deviceId=device,
                channelId=channel,
                startTime=write_wall(begin),
                endTime=write_wall(end),
                **kind,
            )
        except RecordingNotFoundError:
            return Page(records=(), length=0)
        place: Place = CLOUD if path == RECORDS else SD
        name = "videos" if path == VIDEOS and data.get("videos") else "records"
        found, length = read_page(
            data, name, path, lambda rows: read_records(rows, device, channel, place), strange
        )
        return Page(records=found, length=length, more=says_more(data, length))

    def storage(self, device: str) -> RawStorage:
        """Ask for the device's storage: one call."""
        return read_storage(self._caller.get(STORAGE, deviceId=device))

    def zone(self, device: str) -> dt.tzinfo | None:
        """Return None: the plan has no word for it. Nothing is sent."""
        return None

    def play_url(
        self, record: RawRecord, stream: int = 0, *, cancel: CancelToken | None = None
    ) -> PlaySource:
        """Ask for the URL of an MP4 file: one call. It is good for a while only.

        Raises:
            DownloadUnsupportedError: It is on a memory card: the plan has no way to that.
        """
        check_place(record.storage)
        query = {"deviceId": record.device, "recordId": record.id, "format": "mp4"}
        data = self._caller.ask(Request(path=DOWNLOAD, query=query), cancel)
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
