"""What a recorder has: itself, its channels, its disks. Documents in, models out; no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from ...errors import CamsyncError, ProtocolError
from ...models import (
    Channel,
    ChannelId,
    ChannelSource,
    Codec,
    Device,
    DeviceId,
    DeviceKind,
    Volume,
    VolumeState,
)
from . import _xml


PROVIDER = "hikvision"
MEBIBYTE = 1024 * 1024
_MAIN = 1
_SUB = 2
_TRANSCODED = 4
_STREAMS = 100
_CODECS = {
    "H.264": Codec.H264,
    "H.265": Codec.H265,
    "H.264+": Codec.H264,
    "H.265+": Codec.H265,
    "MJPEG": Codec.MJPEG,
    "MPEG4": Codec.MPEG4,
}
_VOLUME_STATES = {
    "ok": VolumeState.OK,
    "idle": VolumeState.IDLE,
    "notexist": VolumeState.MISSING,
    "unformatted": VolumeState.UNFORMATTED,
    "formatting": VolumeState.FORMATTING,
    "offline": VolumeState.OFFLINE,
    "error": VolumeState.ERROR,
}


def track(channel: ChannelId | str, stream: int = _MAIN) -> str:
    """Return the track id: channel x 100 + stream, so channel 10's main stream is ``1001``.

    Raises:
        ProtocolError: The channel is no number.
    """
    if not (channel.isascii() and channel.isdigit()):
        msg = f"{channel!r} is not a recorder's channel number"
        raise ProtocolError(msg)
    return str(int(channel) * _STREAMS + stream)


def split_track(track_id: str) -> tuple[ChannelId, str]:
    """Return channel and two-digit stream of a track id.

    Raises:
        ProtocolError: It is no track id.
    """
    if not (track_id.isascii() and track_id.isdigit() and len(track_id) > 2):  # noqa: PLR2004
        msg = f"{track_id[:40]!r} is not a track id"
        raise ProtocolError(msg)
    return ChannelId(track_id[:-2]), track_id[-2:]


def read_device(root: _xml.Element, kind: DeviceKind = DeviceKind.UNKNOWN) -> Device:
    """Read ``System/deviceInfo``.

    ``deviceType`` is not used: DS-7708N-I4, a network recorder, calls itself DVR.

    Raises:
        ProtocolError: There is no serial number, so nothing could be identified.
    """
    serial = _xml.text(root, "serialNumber")
    if not serial:
        msg = "the device gives no serial number"
        raise ProtocolError(msg)
    model = _xml.text(root, "model")
    return Device(
        provider=PROVIDER,
        id=DeviceId(serial),
        name=_xml.text(root, "deviceName") or model or serial,
        model=model,
        firmware=" ".join(
            part
            for part in (
                _xml.text(root, "firmwareVersion"),
                _xml.text(root, "firmwareReleasedDate"),
            )
            if part
        ),
        kind=kind,
        raw=_xml.to_dict(root),
    )


@attrs.frozen(kw_only=True)
class Lists:
    """The documents that channels are put together from; None where the device has none.

    Attributes:
        refusal: Why there is neither of the first two, unless that is because the device has none.
    """

    inputs: _xml.Element | None
    proxies: _xml.Element | None
    status: _xml.Element | None
    streams: _xml.Element | None
    refusal: CamsyncError | None = attrs.field(default=None, eq=False)

    @property
    def kind(self) -> DeviceKind:
        """What the device is, judged by which of its lists exist and are filled."""
        if self.proxies is not None and self.inputs is not None:
            return DeviceKind.DVR
        if self.proxies is not None:
            return DeviceKind.NVR
        # Only cameras and pure DVRs answer inputs alone; a DVR says what is on each wire.
        wires = [] if self.inputs is None else list(self.inputs)
        if any(_xml.text(wire, "resDesc") for wire in wires):
            return DeviceKind.DVR
        return DeviceKind.CAMERA if wires else DeviceKind.UNKNOWN


@attrs.frozen(kw_only=True)
class _Stream:
    codec: Codec
    width: int | None
    height: int | None
    fps: float | None
    name: str


def read_channels(lists: Lists, device: DeviceId, *, sub_stream: bool = False) -> list[Channel]:
    """Merge the lists into channels, ordered by number.

    Args:
        sub_stream: Whether the device records sub streams too, so that they are tracks.
    """
    streams = _read_streams(lists.streams)
    online = _read_online(lists.status)
    found: dict[int, Channel] = {}
    for channel in (*_inputs(lists, device), *_proxies(lists, device)):
        number = int(channel.id)
        main = streams.get((number, _MAIN))
        tracks = [track(channel.id)]
        if sub_stream and (number, _SUB) in streams:
            tracks.append(track(channel.id, _SUB))
        name = channel.name or (main.name if main else "") or f"Camera {number:02d}"
        connected = channel.online if channel.online is not None else online.get(number)
        found.setdefault(
            number,
            attrs.evolve(
                channel,
                name=name,
                online=connected if connected is not None else _guess(lists, streams, channel),
                codec=main.codec if main else Codec.UNKNOWN,
                width=main.width if main else None,
                height=main.height if main else None,
                fps=main.fps if main else None,
                tracks=tuple(tracks),
            ),
        )
    return [found[number] for number in sorted(found)]


def _guess(
    lists: Lists, streams: Mapping[tuple[int, int], _Stream], channel: Channel
) -> bool | None:
    """Guess what no status said: an empty slot has only the transcoded stream x04.

    Seen on DS-8632N-I8: 604 and 704 without 601 and 701.
    """
    if channel.source is not ChannelSource.NETWORK or lists.streams is None:
        return None
    number = int(channel.id)
    empty = (number, _MAIN) not in streams and (number, _TRANSCODED) in streams
    return False if empty else None


def _inputs(lists: Lists, device: DeviceId) -> Iterator[Channel]:
    """Read ``System/Video/inputs/channels``: a camera's own pictures, a DVR's wires."""
    if lists.inputs is None:
        return
    wired = lists.kind is DeviceKind.DVR
    for item in _xml.children(lists.inputs, "VideoInputChannel"):
        number = _xml.number(item, "id")
        if number is None or number < 1:
            continue
        picture = _xml.text(item, "resDesc")
        yield Channel(
            device=device,
            id=ChannelId(str(number)),
            name=_xml.text(item, "name"),
            source=ChannelSource.ANALOG if wired else ChannelSource.BUILT_IN,
            online=picture.upper() != "NO VIDEO" if picture else None,
            raw=_xml.to_dict(item),
        )


def _proxies(lists: Lists, device: DeviceId) -> Iterator[Channel]:
    """Read ``ContentMgmt/InputProxy/channels``.

    The list's ``size`` is the number of *free* slots on all ten recorders that are known, so it
    is not looked at; ids may be sparse.
    """
    if lists.proxies is None:
        return
    for item in _xml.children(lists.proxies, "InputProxyChannel"):
        number = _xml.number(item, "id")
        if number is None or number < 1:
            continue
        source = _xml.find(item, "sourceInputPortDescriptor")
        state = _xml.text(item, "connectionStatus")  # old firmware only
        yield Channel(
            device=device,
            id=ChannelId(str(number)),
            name=_xml.text(item, "name"),
            source=ChannelSource.NETWORK,
            model=_xml.text(source, "model"),
            online=state == "online" if state else None,
            raw=_xml.to_dict(item),
        )


def _read_online(root: _xml.Element | None) -> dict[int, bool]:
    """Read ``ContentMgmt/InputProxy/channels/status`` (known from parsers, not from a capture)."""
    online: dict[int, bool] = {}
    for item in () if root is None else _xml.children(root, "InputProxyChannelStatus"):
        number, state = _xml.number(item, "id"), _xml.flag(item, "online")
        if number is not None and state is not None:
            online[number] = state
    return online


def _read_streams(root: _xml.Element | None) -> dict[tuple[int, int], _Stream]:
    """Read ``Streaming/channels`` by (channel, stream)."""
    streams: dict[tuple[int, int], _Stream] = {}
    for item in () if root is None else _xml.children(root, "StreamingChannel"):
        number = _xml.number(item, "id")
        if number is None or number < _STREAMS:
            continue
        streams[divmod(number, _STREAMS)] = _read_stream(item)
    return streams


def _read_stream(item: _xml.Element) -> _Stream:
    video = _xml.find(item, "Video")
    rate = _xml.number(video, "maxFrameRate")  # in 1/100 per second; 0 means full
    name = _xml.text(item, "channelName")
    return _Stream(
        codec=_CODECS.get(_xml.text(video, "videoCodecType").upper(), Codec.UNKNOWN),
        width=_xml.number(video, "videoResolutionWidth"),
        height=_xml.number(video, "videoResolutionHeight"),
        fps=rate / 100 if rate else None,
        name="" if name.isdigit() else name,  # recorders put the stream number here
    )


def read_volumes(root: _xml.Element, device: DeviceId) -> list[Volume]:
    """Read ``ContentMgmt/Storage``. Sizes are in MiB; every list may be missing or empty."""
    return [
        _read_volume(item, kind, device)
        for place, kind in (("hddList", "hdd"), ("nasList", "nas"), ("ssdList", "ssd"))
        if (section := _xml.find(root, place)) is not None
        for item in _xml.children(section, kind)
    ]


def _read_volume(item: _xml.Element, kind: str, device: DeviceId) -> Volume:
    number = _xml.text(item, "id")
    state = _xml.text(item, "status").lower()
    return Volume(
        device=device,
        id=number,
        name=_xml.text(item, "hddName") or _xml.text(item, "path") or f"{kind}{number}",
        kind=(_xml.text(item, "hddType") or _xml.text(item, "nasType") or kind).lower(),
        state=_VOLUME_STATES.get(state, VolumeState.UNKNOWN),
        capacity=(_xml.number(item, "capacity") or 0) * MEBIBYTE,
        free=(_xml.number(item, "freeSpace") or 0) * MEBIBYTE,
        writable=_xml.text(item, "property").upper() != "RO",
        raw=_xml.to_dict(item),
    )
