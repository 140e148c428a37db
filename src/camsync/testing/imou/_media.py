"""The calls that lead to bytes: ``createDeviceRecordHls`` and ``getKitToken``."""

from __future__ import annotations

import datetime as dt
import hashlib

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from . import _codes
from ._call import Call
from ._cast import SimulatedDevice
from ._cloud import Refused
from ._footage import Footage
from ._history import CLOUD, SD, SimulatedClip, Track, Window, epoch
from ._playback import ELSEWHERE


Data = dict[str, Any]

_SECOND: Final = dt.timedelta(seconds=1)
_STORAGES: Final = {"localRecord": SD, "cloudRecord": CLOUD}
_NOTHING: Final = {SD: _codes.NOTHING_RECORDED, CLOUD: _codes.NOT_IN_CLOUD}


def create_record_hls(call: Call) -> Data:
    """A URL to play a span of time from (parameters and ``url``: document; the rest modelled)."""
    device = call.own()
    channel = call.channel(device)
    call.number("streamId", 0, 1, default=0)
    storage = _storage(call, device)
    if device.encrypted:
        raise Refused(_codes.ENCRYPTED)
    if not call.cloud.recorded(device, storage):
        raise Refused(_NOTHING[storage])
    footage = _footage(call, call.cloud.track(device, channel, storage))
    if not footage.spans:
        raise Refused(_NOTHING[storage])
    return _url(call, footage)


def _storage(call: Call, device: SimulatedDevice) -> str:
    """Return which recordings are meant, having reached the camera for those on its card.

    Raises:
        Refused: OP1003; DV1007, DV1030, DV1009; DV1049 without a card.
    """
    storage = _STORAGES.get(call.text("recordType"))
    if storage is None:
        raise Refused(_codes.ILLEGAL)
    if storage == SD:
        call.reach(device)
        if device.card == "none":
            raise Refused(_codes.NO_CARD)
    return storage


def _footage(call: Call, track: Track) -> Footage:
    """Return what is played: a clip if one has exactly these times, else what the window covers.

    A clip during which the clocks went back ends before it begins, as the wall clock shows it.
    """
    begin, end = call.text("beginTime"), call.text("endTime")
    if begin[:10] != end[:10] and call.cloud.faults.take("same-day-only"):
        raise Refused(_codes.ILLEGAL)
    now, moment = call.cloud.clock(), call.wall("beginTime")
    for clip in track.window(now, Window(begin=moment, end=moment)):
        if (clip.begin_time, clip.end_time) == (begin, end):
            return clip.footage
    window = call.window()
    return covered(track.device, track.window(now, window), window)


def _url(call: Call, footage: Footage) -> Data:
    fault = call.cloud.faults.first("url-elsewhere", "no-url")
    if fault == "no-url":
        return {}
    playback = call.cloud.playbacks.create(footage)
    url = playback.url(playback.entrance)
    return {"url": f"{ELSEWHERE}/hls/index.m3u8" if fault == "url-elsewhere" else url}


def covered(device: SimulatedDevice, clips: Iterable[SimulatedClip], window: Window) -> Footage:
    """Return what *clips* show of a window; what two of them show is shown once."""
    spans: list[tuple[int, int]] = []
    for clip in clips:
        wall = clip.start.astimezone(device.zone).replace(tzinfo=None)
        begin, end = max(wall, window.begin), min(wall + clip.seconds * _SECOND, window.end)
        start = epoch(clip.start) + (begin - wall) // _SECOND
        until = start + (end - begin) // _SECOND
        if spans and start <= sum(spans[-1]):
            start, length = spans.pop()
            until = max(until, start + length)
        if until > start:
            spans.append((start, until - start))
    return Footage(codec=device.codec, spans=tuple(spans))


def kit_token(call: Call) -> Data:
    """A token for the vendor's player (captured by the vendor's own sample)."""
    device = call.own()
    call.channel(device)
    call.choice("type", "0", "1", "2")
    digest = hashlib.sha256(f"kit {device.id}".encode()).hexdigest()
    return {"expireTime": 7199, "kitToken": f"Kt_{digest[:20]}"}


METHODS: Final[Mapping[str, Any]] = MappingProxyType(
    {"createDeviceRecordHls": create_record_hls, "getKitToken": kit_token}
)
