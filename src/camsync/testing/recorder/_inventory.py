"""Channels, streams, tracks and disks."""

from __future__ import annotations

from ._channels import ChannelSetup
from ._device import Device
from ._replies import BAD_PARAMETERS, NOT_SUPPORTED, Refusal
from ._xmlout import Element, leaf, leaves, node, rooted


_CODEC = {"h264": "H.264", "h265": "H.265"}


def _analog(device: Device) -> list[ChannelSetup]:
    return [channel for channel in device.channels if channel.analog]


def _proxied(device: Device) -> list[ChannelSetup]:
    return [channel for channel in device.channels if not channel.analog]


def video_inputs(device: Device) -> Element:
    """``GET System/Video/inputs/channels``: 403 on a network recorder."""
    if device.who.kind == "nvr":
        raise Refusal(NOT_SUPPORTED)
    items = [_input(device, channel) for channel in _analog(device)]
    return rooted(device.who, "VideoInputChannelList", items)


def _input(device: Device, channel: ChannelSetup) -> Element:
    children = leaves(id=channel.number, inputPort=channel.number)
    if device.who.is_camera:
        children += leaves(name=channel.name, videoFormat="PAL")
    else:
        seen = "640*360P25" if channel.records else "NO VIDEO"
        children += leaves(
            videoInputEnabled=True, name=channel.name, videoFormat="PAL", resDesc=seen
        )
    return rooted(device.who, "VideoInputChannel", children)


def proxy_channels(device: Device) -> Element:
    """``GET ContentMgmt/InputProxy/channels``: 403 on a camera; ``size`` is the free slots."""
    if device.who.is_camera:
        raise Refusal(NOT_SUPPORTED)
    used = max(device.who.inputs, len(_analog(device))) + len(_proxied(device))
    items = [_proxy(device, channel) for channel in _proxied(device)]
    free = str(max(device.who.slots - used, 0))
    return rooted(device.who, "InputProxyChannelList", items, size=free)


def _proxy(device: Device, channel: ChannelSetup) -> Element:
    children = [
        *leaves(id=channel.number, name=channel.name),
        _source(channel, *_details(channel) if device.who.details else ()),
        leaf("enableAnr", value=False),
    ]
    if device.who.details:
        children += leaves(
            enableTiming=True, devIndex=f"4e97082b-0000-0000-0000-{channel.number:012d}"
        )
    else:
        children += leaves(connectionStatus="online" if channel.online else "offline")
    return rooted(device.who, "InputProxyChannel", children)


def _details(channel: ChannelSetup) -> tuple[Element, ...]:
    return leaves(
        model="DS-2CD2143G2-I",
        serialNumber=f"DS-2CD2143G2-I20260101AAWR{channel.number:09d}",
        firmwareVersion="V5.7.5 build 241103",
    )


def _source(channel: ChannelSetup, *details: Element) -> Element:
    return node(
        "sourceInputPortDescriptor",
        *leaves(
            proxyProtocol="HIKVISION" if channel.number % 3 else "ONVIF",
            addressingFormatType="ipaddress",
            ipAddress=channel.address,
            managePortNo=8000,
            srcInputPort=1,
            userName="admin",
            streamType="auto",
        ),
        *details,
        leaf("deviceID"),
    )


def proxy_status(device: Device) -> Element:
    """``GET ContentMgmt/InputProxy/channels/status``."""
    if device.who.is_camera:
        raise Refusal(NOT_SUPPORTED)
    items = [
        rooted(
            device.who,
            "InputProxyChannelStatus",
            (
                leaf("id", channel.number),
                _source(channel),
                leaf("online", channel.online),
                node(
                    "streamingProxyChannelIdList",
                    *(
                        leaf("streamingProxyChannelId", channel.number * 100 + stream)
                        for stream in (1, 2)
                    ),
                ),
                leaf("chanDetectResult", "connect" if channel.online else "netUnreachable"),
            ),
        )
        for channel in _proxied(device)
    ]
    return rooted(device.who, "InputProxyChannelStatusList", items)


def _streams(device: Device) -> dict[int, ChannelSetup]:
    streams = (1, 2, 4) if device.who.transcoded else (1, 2)
    return {
        channel.number * 100 + stream: channel for channel in device.channels for stream in streams
    }


def streaming_channels(device: Device) -> Element:
    """``GET Streaming/channels``."""
    items = [_stream(device, number, channel) for number, channel in _streams(device).items()]
    return rooted(device.who, "StreamingChannelList", items)


def streaming_channel(device: Device, number: int) -> Element:
    """``GET Streaming/channels/{id}``; a hybrid recorder answers 400 to a third stream."""
    channel = _streams(device).get(number)
    if channel is None:
        third = device.who.kind == "dvr" and number % 100 == 3
        raise Refusal(BAD_PARAMETERS if third else NOT_SUPPORTED)
    return _stream(device, number, channel)


def _stream(device: Device, number: int, channel: ChannelSetup) -> Element:
    who = device.who
    dynamic = who.transcoded and not channel.analog
    # A frame rate of zero means "as fast as it goes": DS-7616NI-K2, first channel of the capture.
    rate = 0 if who.kind == "nvr" and number == 101 else 2500
    main = number % 100 == 1
    video = (
        leaf("enabled", value=True),
        leaf("dynVideoInputChannelID" if dynamic else "videoInputChannelID", channel.number),
        *leaves(
            videoCodecType=_CODEC[channel.codec],
            videoResolutionWidth=640 if main else 320,
            videoResolutionHeight=360 if main else 180,
            videoQualityControlType="VBR",
            fixedQuality=60,
            vbrUpperCap=256,
            maxFrameRate=rate,
            snapShotImageType="JPEG",
            GovLength=25,
        ),
        node("SmartCodec", leaf("enabled", value=False)),
    )
    protocols = node("ControlProtocol", leaf("streamingTransport", "RTSP"))
    children = (
        leaf("id", number),
        leaf("channelName", channel.name if who.is_camera else number),
        leaf("enabled", value=True),
        node("Transport", node("ControlProtocolList", protocols)),
        node("Video", *video),
        node("Audio", *_audio(device, channel)),
    )
    return rooted(who, "StreamingChannel", children)


def _audio(device: Device, channel: ChannelSetup) -> tuple[Element, ...]:
    audio = device.timeline.plan.audio
    return leaves(
        enabled=audio is not None,
        audioInputChannelID=channel.number,
        audioCompressionType="G.711alaw" if audio == "g711a" else "G.711ulaw",
    )


def tracks(device: Device) -> Element:
    """``GET ContentMgmt/record/tracks``."""
    items = [_track(device, number) for number in _track_ids(device)]
    return rooted(device.who, "TrackList", items)


def track(device: Device, number: int) -> Element:
    """``GET ContentMgmt/record/tracks/{id}``."""
    if number not in _track_ids(device):
        raise Refusal(BAD_PARAMETERS, "Invalid track id.")
    return _track(device, number)


def _track_ids(device: Device) -> list[int]:
    return [track.id for track in device.timeline.tracks]


def _track(device: Device, number: int) -> Element:
    schedule = node("CustomExtension", *leaves(CustomExtensionName="schedule", enableSchedule=True))
    # Enable=false although the channel records: DS-7616NXI-K2(D) V4.84.101.
    children = (
        *leaves(
            id=number,
            Channel=number,
            Enable=False,
            Description="trackType=standard,sourceTag=video,contentType=video,codecType=H.264-BP,"
            "resolution=640x360,framerate=25 fps,bitrate=256 kbps",
            DefaultRecordingMode="CMR",
        ),
        node("CustomExtensionList", schedule),
    )
    return rooted(device.who, "Track", children)


def storage(device: Device) -> Element:
    """``GET ContentMgmt/Storage``: MiB; an empty bay is listed as a disk of recorders."""
    disks = [_disk(device, 1, "ok", 30_436 if device.who.is_camera else 7_630_885)]
    if not device.who.is_camera:
        disks.append(_disk(device, 2, "notexist", 0))
    slots = {"size": "8"} if device.who.is_camera else {}
    return rooted(
        device.who,
        "storage",
        (node("hddList", *disks, **slots), leaf("nasList"), leaf("workMode", "quota")),
    )


def _disk(device: Device, number: int, state: str, capacity: int) -> Element:
    children = leaves(
        id=number,
        hddName=f"hdd{number}",
        hddPath="",
        hddType="SATA",
        status=state,
        capacity=capacity,
        freeSpace=0,
        property="RW",
    )
    return rooted(device.who, "hdd", children)
