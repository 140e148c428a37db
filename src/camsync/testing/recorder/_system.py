"""``System/*``, ``Security/*`` and the capability documents."""

from __future__ import annotations

from ._device import Device
from ._digest import Lock
from ._personality import ISAPI
from ._replies import Reply, xml_reply
from ._wire import local_time
from ._xmlout import Element, leaf, leaves, node, rooted


def device_info(device: Device) -> Element:
    """``GET System/deviceInfo``."""
    who = device.who
    children = leaves(
        deviceName=who.device_name,
        deviceID=f"48473931-3030-0000-0000-{device.timeline.plan.seed % 2**48:012x}",
        model=who.model,
        serialNumber=device.serial,
        macAddress="02:00:00:00:00:01",
        firmwareVersion=who.firmware,
        firmwareReleasedDate=who.build,
        encoderVersion="V5.0",
        encoderReleasedDate="build 231018",
        deviceType=who.device_type,
        telecontrolID=88 if who.is_camera else 255,
        hardwareVersion="0x0" if who.is_camera else "B-R-K51-00",
    )
    return rooted(who, "DeviceInfo", children)


def time(device: Device) -> Element:
    """``GET System/time``; a zone with daylight saving stands between line ends, as seen."""
    zone = str(device.zone)
    children = leaves(
        timeMode="NTP",
        localTime=local_time(device.who, device.zone, device.clock()),
        timeZone=f"\n{zone}\n" if device.zone.saving else zone,
    )
    return rooted(device.who, "Time", children)


def status(device: Device) -> Element:
    """``GET System/status``."""
    now = device.clock()
    cpu = node("CPU", *leaves(cpuDescription="2786.91", cpuUtilization=12))
    memory = leaves(
        memoryDescription="DDR Memory", memoryUsage=" 244.175781", memoryAvailable=" 255.894531"
    )
    return rooted(
        device.who,
        "DeviceStatus",
        (
            leaf("currentDeviceTime", local_time(device.who, device.zone, now)),
            leaf("deviceUpTime", max(round((now - device.started).total_seconds()), 0)),
            node("CPUList", cpu),
            node("MemoryList", node("Memory", *memory)),
        ),
    )


def system_capabilities(device: Device) -> Element:
    """``GET System/capabilities``, as far as recordings are concerned."""
    inner = () if device.who.is_camera else (content_capabilities(device),)
    system = node("SysCap", *leaves(isSupportDst=True), node("VideoCap", *_video_cap(device)))
    return rooted(device.who, "DeviceCap", (system, *inner))


def _video_cap(device: Device) -> tuple[Element, ...]:
    return leaves(videoInputPortNums=device.who.inputs, videoOutputPortNums=0)


def content_capabilities(device: Device) -> Element:
    """``GET ContentMgmt/capabilities``: ``RacmCap``."""
    who = device.who
    return rooted(
        who,
        "RacmCap",
        (
            leaf("isSupportZeroChan", who.kind != "ipc"),
            leaf("inputProxyNums", who.slots),
            leaf("nasNums", 8),
            leaf(
                "recordSearchType",
                opt="CMR,MOTION,ALARM,EDR,ALARMANDMOTION,Command,manual,AllEvent",
            ),
            *leaves(
                isSupportMainAndSubRecord=who.sub_stream,
                isSupportFindCommonFileByUTC=True,
                isSupportPlaybackByUTC=True,
            ),
        ),
    )


def search_profile(device: Device) -> Element:
    """``GET ContentMgmt/search/profile``."""
    children = leaves(
        searchProfile="full",
        textSearch=False,
        maxSearchTimespans=1,
        maxSearchTracks=len(device.timeline.tracks),
        maxSearchMatchResults=device.who.page_cap,
        maxConcurrentSearches=device.who.searches,
    )
    return rooted(device.who, "CMSearchProfile", children)


def download_capabilities(device: Device) -> Element:
    """``GET ContentMgmt/download/capabilities``."""
    children = leaves(
        isSupportDownloadbyFileName=True, isSupportDownloadbyTime=device.who.by_window
    )
    return rooted(device.who, "DownloadAbility", children)


def admin_accesses(device: Device) -> Element:
    """``GET Security/adminAccesses``: the ports; RTSP moved to 10554 on newer recorders."""
    ports = {
        "HTTP": 80 if device.tls else device.port,
        "RTSP": 10554 if device.who.namespace == ISAPI else 554,
        "HTTPS": device.port if device.tls else 443,
        "DEV_MANAGE": 8000,
    }
    items = [
        rooted(device.who, "AdminAccessProtocol", leaves(id=n, enabled=True, protocol=p, portNo=q))
        for n, (p, q) in enumerate(ports.items(), start=1)
    ]
    return rooted(device.who, "AdminAccessProtocolList", items)


def user_check(device: Device, *, ok: bool) -> Reply:
    """``GET Security/userCheck``, and the body of a recorder's 401."""
    lock: Lock = device.door.state()
    children = leaves(
        statusValue=200 if ok else 401,
        statusString="OK" if ok else "Unauthorized",
        isActivated=True,
    )
    if ok:
        children += leaves(
            isDefaultPassword=device.faults.take("default-password"),
            isRiskPassword=device.faults.take("risky-password"),
        )
    else:
        children += leaves(
            lockStatus="lock" if lock.locked else "unlock",
            unlockTime=lock.seconds,
            retryLoginTime=lock.tries,
        )
    return xml_reply(device.who, rooted(device.who, "userCheck", children), 200 if ok else 401)
