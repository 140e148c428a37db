"""The calls about recordings: in the cloud and on the card.

Parameters and members of the answers follow vendor documents, headers and published samples; no
real answer of these calls is public. How a window is matched, and which codes come when, is modelled.
"""

from __future__ import annotations

import calendar
import datetime as dt

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from . import _codes
from ._call import Call
from ._cast import SimulatedChannel, SimulatedDevice
from ._cloud import Cloud, Refused
from ._history import CLOUD, SD, SimulatedClip, Window


Data = dict[str, Any]

_CARD_PAGE: Final = 32
"""Some devices never send more, whatever is asked (reported)."""
_COUNT: Final = 30
_KINDS: Final = {"All": None, "Manual": frozenset({"normal"}), "Event": frozenset({"videomotion"})}


# -- The cloud -----------------------------------------------------------------------------------


def _cloud_channel(call: Call) -> tuple[SimulatedDevice, SimulatedChannel]:
    """Return device and channel; whether there is a plan is another question.

    Raises:
        Refused: ST1004 without a plan, ST1005 when it is over.
    """
    device = call.own()
    channel = call.channel(device)
    if device.plan != "using" and not call.cloud.faults.take("no-plan-is-empty"):
        raise Refused(_codes.PLAN_EXPIRED if device.plan == "expired" else _codes.NO_PLAN)
    return device, channel


def _found(
    call: Call, device: SimulatedDevice, channel: SimulatedChannel, storage: str
) -> list[SimulatedClip]:
    clips = list(call.cloud.clips(device, channel, storage, call.window()))
    if call.cloud.faults.take("duplicate-records"):
        clips = [clip for clip in clips for _ in range(2)]
    return clips


def query_cloud(call: Call) -> Data | None:
    """Records by their places in the list, oldest first (shape: document)."""
    device, channel = _cloud_channel(call)
    places, clips = call.places(), _found(call, device, channel, CLOUD)
    page = _page(call.cloud, clips, places)
    return _answer(call, [_cloud_record(device, clip) for clip in page], CLOUD)


def _page(
    cloud: Cloud, clips: Sequence[SimulatedClip], places: slice, most: int | None = None
) -> Sequence[SimulatedClip]:
    """Return the clips at these places; beyond the last page a fault may show it again."""
    page = clips[places][:most]
    if not page and clips and cloud.faults.take("endless-pages"):
        return clips[-(places.stop - places.start) :][:most]
    return page


def _cloud_record(device: SimulatedDevice, clip: SimulatedClip) -> Data:
    return {
        "recordId": clip.id,
        "deviceId": clip.device,
        "channelId": clip.channel,
        "beginTime": clip.begin_time,
        "endTime": clip.end_time,
        "size": str(clip.size),
        "thumbUrl": f"https://thumbs.imou.invalid/{clip.region}/{clip.id}.jpg",
        "encryptMode": int(device.encrypted),
        "recordRegionId": clip.region,
    }


def newest_first(call: Call) -> Data | None:
    """The newest records of a window, at most thirty (documented)."""
    device, channel = _cloud_channel(call)
    count = call.number("count", 1, _COUNT)
    call.choice("cloudType", "video", "snapshot")
    clips = _found(call, device, channel, CLOUD)[::-1]
    if call.has("nextRecordId"):
        after = call.text("nextRecordId")
        ids = [clip.id for clip in clips]
        clips = clips[ids.index(after) + 1 :] if after in ids else clips
    records = [
        _cloud_record(device, clip) | {"size": clip.size, "type": int(clip.kind)}
        for clip in clips[:count]
    ]
    return _answer(call, records, CLOUD)


def cloud_number(call: Call) -> Data:
    """How many records there are (documented)."""
    return {"recordNum": len(_found(call, *_cloud_channel(call), CLOUD))}


def cloud_bitmap(call: Call) -> Data:
    """One character for each day of a month (shape: document)."""
    return _bitmap(call, *_cloud_channel(call), CLOUD)


# -- The card ------------------------------------------------------------------------------------


def _card_channel(call: Call) -> tuple[SimulatedDevice, SimulatedChannel]:
    """Return device and channel, having reached the camera.

    Raises:
        Refused: DV1007, DV1030, DV1009, or DV1049 without a card.
    """
    device = call.own()
    channel = call.channel(device)
    call.reach(device)
    if device.card == "none":
        raise Refused(_codes.NO_CARD)
    return device, channel


def _card_clips(call: Call) -> list[SimulatedClip]:
    device, channel = _card_channel(call)
    kinds = _KINDS[call.choice("type", *_KINDS)]
    clips = _found(call, device, channel, SD)
    return [clip for clip in clips if kinds is None or clip.kind in kinds]


def query_card(call: Call) -> Data | None:
    """Records by their places in the list or, newer, so many from the beginning of the window.

    The shape follows published samples and the vendor's headers; a page has 32 records at most.
    """
    by_place = call.has("queryRange")
    places = call.places() if by_place else slice(0, call.number("count", 1, _COUNT))
    page = _page(call.cloud, _card_clips(call), places, _CARD_PAGE)
    return _answer(call, [_card_record(clip) for clip in page], SD)


def _card_record(clip: SimulatedClip) -> Data:
    return {
        "recordId": clip.id,
        "channelID": clip.channel,
        "beginTime": clip.begin_time,
        "endTime": clip.end_time,
        "fileLength": clip.size,
        "type": clip.kind,
        "streamType": "main",
    }


def card_number(call: Call) -> Data:
    """How many records there are (documented)."""
    return {"recordNum": len(_card_clips(call))}


def card_bitmap(call: Call) -> Data:
    """One character for each day of a month (documented)."""
    return _bitmap(call, *_card_channel(call), SD)


# -- Both ----------------------------------------------------------------------------------------


def _answer(call: Call, records: Iterable[Data], storage: str) -> Data | None:
    """Return records, or nothing in one of the ways in which services say nothing."""
    found = list(records)
    if found:
        return {"records": found}
    fault = call.cloud.faults.first(
        "empty-without-records", "empty-without-data", "empty-is-an-error"
    )
    if fault == "empty-is-an-error":
        raise Refused(_codes.NOTHING_RECORDED if storage == SD else _codes.NOT_IN_CLOUD)
    return {None: {"records": []}, "empty-without-records": {}, "empty-without-data": None}[fault]


def _bitmap(call: Call, device: SimulatedDevice, channel: SimulatedChannel, storage: str) -> Data:
    year, month = call.number("year", 1970, 2200), call.number("month", 1, 12)
    days = calendar.monthrange(year, month)[1]
    if call.cloud.faults.take("wrong-bitmap"):
        return {"bitmap": "1" * days}
    track, now = call.cloud.track(device, channel, storage), call.cloud.clock()
    recorded = call.cloud.recorded(device, storage)
    marks = []
    for day in range(1, days + 1):
        begin = dt.datetime(year, month, day)  # noqa: DTZ001 - wall time, on purpose
        window = Window(begin=begin, end=begin + dt.timedelta(hours=24, seconds=-1))
        clips = track.window(now, window) if recorded else iter(())
        marks.append("0" if next(clips, None) is None else "1")
    return {"bitmap": "".join(marks)}


METHODS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "queryCloudRecords": query_cloud,
        "getCloudRecords": newest_first,
        "queryCloudRecordNum": cloud_number,
        "queryCloudRecordBitmap": cloud_bitmap,
        "queryLocalRecords": query_card,
        "queryLocalRecordNum": card_number,
        "queryLocalRecordBitmap": card_bitmap,
    }
)
