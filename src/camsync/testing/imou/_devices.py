"""Login, and the calls about devices: lists, details, states, abilities, storage, zones."""

from __future__ import annotations

import datetime as dt

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from . import _codes
from ._call import Call
from ._cast import SimulatedChannel, SimulatedDevice
from ._cloud import HOSTS, Cloud, Refused
from ._zones import by_day, by_week


Data = dict[str, Any]
Method = Callable[[Call], "Data | None"]
Item = TypeVar("Item")

FOREIGN: Final = "https://openapi.imou.invalid:443"
_PAGE_ONLY: Final = ("deviceVersion", "deviceAbility", "channelNum", "accessType")


# -- Login (captured) --------------------------------------------------------------------------------


def access_token(call: Call) -> Data:
    """The same token until it expires, with what is left of its life."""
    faults = call.cloud.faults
    if faults.take("empty-login"):
        return {}
    token, left = call.cloud.tokens.current(new=faults.take("new-token"))
    call.cloud.logged_in()
    data = {"expireTime": left, "currentDomain": _domain(call.cloud), "accessToken": token}
    if faults.take("no-domain"):
        del data["currentDomain"]
    return data


def _domain(cloud: Cloud) -> str:
    fault = cloud.faults.first("other-domain", "foreign-domain", "bare-domain")
    if fault == "bare-domain":
        return cloud.base_url.partition("://")[2]
    return {
        None: cloud.base_url,
        "other-domain": f"https://{HOSTS['or']}:443",
        "foreign-domain": FOREIGN,
    }[fault]


# -- Lists ---------------------------------------------------------------------------------------


def _visible(call: Call, source: str) -> list[SimulatedDevice]:
    """Return the account's devices; none when the client asks another data centre (reported)."""
    host = call.host.partition(":")[0]
    away = host in HOSTS.values() and host != HOSTS.get(call.cloud.settings.region)
    if away or call.cloud.faults.take("wrong-region"):
        return []
    return [
        device
        for device in call.cloud.devices
        if source == "bindAndShare" or device.shared == (source == "share")
    ]


def _count(call: Call, page: Sequence[object], everything: Sequence[object]) -> int:
    return len(page if call.cloud.faults.take("count-is-page") else everything)


def details_by_page(call: Call) -> Data:
    """One page of everything (shape: published samples, further members as the official client)."""
    page, size = call.number("page", 1, 10**6), call.number("pageSize", 1, 50)
    found = _visible(call, call.choice("source", "bindAndShare", "bind", "share"))
    some = found[(page - 1) * size : page * size]
    return {"count": _count(call, some, found), "deviceList": _pages(call, some)}


def details_by_ids(call: Call) -> Data:
    """The same for the devices that are named (documented)."""
    some = [device for device, _ in _named(call)]
    return {"count": len(some), "deviceList": _pages(call, some)}


def _pages(call: Call, devices: Iterable[SimulatedDevice]) -> list[Data]:
    faults = call.cloud.faults
    bare, words = faults.take("bare-list"), faults.take("status-words")
    items = []
    for device in devices:
        state = call.cloud.state(device)
        state = state if words else _online(state)
        item: Data = {
            "deviceId": device.id,
            "deviceName": device.name,
            "deviceStatus": state,
            "brand": "Imou",
            "deviceModel": device.model,
            "deviceVersion": device.version,
            "deviceAbility": device.ability,
            "channelNum": str(len(device.channels)),
            "accessType": "PaaS",
            "channelList": [_page_channel(channel, state) for channel in device.channels],
        }
        item |= {name: value for name, value in device.page.items() if name != "deviceStatus"}
        items.append({k: v for k, v in item.items() if not (bare and k in _PAGE_ONLY)})
    return _without_channels(call, items, "channelList")


def _page_channel(channel: SimulatedChannel, state: str) -> Data:
    return {
        "channelId": int(channel.id),
        "channelName": channel.name,
        "channelStatus": state,
        "cameraStatus": "off",
    }


def _without_channels(call: Call, items: list[Data], name: str) -> list[Data]:
    if not call.cloud.faults.take("no-channels"):
        return items
    return [{k: v for k, v in item.items() if k != name} for item in items]


def base_list(call: Call) -> Data:
    """Devices that were added in the app (captured); pages by bindId (documented)."""
    return _by_bind_id(call, bound=False)


def open_list(call: Call) -> Data:
    """Devices that were added with bindDevice (captured); pages by bindId (documented)."""
    return _by_bind_id(call, bound=True)


def _by_bind_id(call: Call, *, bound: bool) -> Data:
    after, limit = call.number("bindId", -1, 10**9), call.number("limit", 1, 128)
    found = _visible(call, call.choice("type", "bindAndShare", "bind", "share"))
    numbers = {device.id: place for place, device in enumerate(call.cloud.devices, 1)}
    listed = [device for device in found if device.bound == bound]
    some = [device for device in listed if numbers[device.id] > max(after, 0)][:limit]
    items = [
        {
            "channels": [
                {"channelName": channel.name, "channelId": channel.id}
                for channel in device.channels
            ],
            "deviceId": device.id,
            "bindId": numbers[device.id],
            "aplist": [],
        }
        for device in some
    ]
    return {
        "count": _count(call, some, listed),
        "deviceList": _without_channels(call, items, "channels"),
    }


def _named(call: Call) -> list[tuple[SimulatedDevice, list[SimulatedChannel]]]:
    """Return the devices of deviceList with the channels that are asked for.

    Raises:
        Refused: OP1002, OP1003, OP1009 for a device that is unknown (captured).
    """
    asked = call.params.get("deviceList")
    if asked is None:
        raise Refused(_codes.MISSING)
    if not isinstance(asked, list) or not all(isinstance(each, dict) for each in asked):
        raise Refused(_codes.ILLEGAL)
    found = []
    for each in asked:
        device = call.cloud.device(str(each.get("deviceId")))
        if device is None:
            raise Refused(_codes.NO_RIGHT)
        wanted = {part.strip() for part in str(each.get("channelList") or "").split(",")} - {""}
        channels = [one for one in device.channels if not wanted or one.id in wanted]
        found.append((device, channels))
    return found


def base_details(call: Call) -> Data:
    """Details of devices of deviceBaseList (captured)."""
    return _details(call, bound=False)


def open_details(call: Call) -> Data:
    """Details of devices of deviceOpenList (captured)."""
    return _details(call, bound=True)


def _details(call: Call, *, bound: bool) -> Data:
    named = _named(call)
    if any(device.bound != bound for device, _ in named):
        raise Refused(_codes.NO_RIGHT)
    items = [_detail(call, device, channels) for device, channels in named]
    return {"count": len(items), "deviceList": _without_channels(call, items, "channels")}


def _detail(call: Call, device: SimulatedDevice, channels: Iterable[SimulatedChannel]) -> Data:
    state = call.cloud.state(device)
    share = "share" if device.shared else ""
    item: Data = {
        "expandChanNum": "",
        "trackFollowStatus": "",
        "catalog": device.catalog,
        "httpPort": "80",
        "privatePort": "37777",
        "rtspPort": "554",
        "deviceId": device.id,
        "version": device.version,
        "aplist": [],
        "accessType": "PaaS",
        "channels": [_detail_channel(device, channel, state, share) for channel in channels],
        "encryptMode": int(device.encrypted),
        "tlsPrivatePort": "443",
        "name": device.name,
        "deviceModel": device.model,
        "ability": device.ability,
        "brand": "easy4Ip",
        "playToken": f"play-token-of-{device.id}=",
        "shareStatus": share or "owner",
        "status": state,
    }
    return item | {name: value for name, value in device.detail.items() if name != "status"}


def _detail_channel(
    device: SimulatedDevice, channel: SimulatedChannel, state: str, share: str
) -> Data:
    return {
        "storageStrategyStatus": device.plan,
        "picUrl": "",
        "shareFunctions": "",
        "cameraStatus": "off",
        "remindStatus": "off",
        "channelName": channel.name,
        "resolutions": [],
        "ability": "",
        "deviceId": device.id,
        "channelId": channel.id,
        "shareStatus": share,
        "status": state,
    }


def abilities(call: Call) -> Data:
    """Abilities of devices and channels (captured)."""
    return {
        "deviceList": [
            {
                "channels": [
                    {"channelAbility": device.ability, "channelId": channel.id}
                    for channel in channels
                ],
                "aps": [],
                "ability": device.ability,
                "deviceId": device.id,
            }
            for device, channels in _named(call)
        ]
    }


# -- States --------------------------------------------------------------------------------------


def _online(state: str) -> str:
    """Return the digit for a state: 0, 1 and 4 as a client's source has them, 3 inferred."""
    return {"offline": "0", "online": "1", "upgrading": "3", "sleep": "4"}[state]


def online(call: Call) -> Data:
    """Whether a device and its channels are online (captured)."""
    device = call.device()
    digit = _online(call.cloud.state(device))
    return {
        "channels": [{"channelId": one.id, "onLine": digit} for one in device.channels],
        "deviceId": device.id,
        "onLine": digit,
    }


def wake_up(call: Call) -> None:
    """Wake a battery camera (documented by its name); it stays awake until it is put to sleep."""
    device = call.device()
    if call.cloud.state(device) == "offline":
        raise Refused(_codes.OFFLINE)
    if not device.battery:
        raise Refused(_codes.UNSUPPORTED)
    call.cloud.set_state(device, "online")


# -- Storage -------------------------------------------------------------------------------------


def storage(call: Call) -> Data:
    """Bytes of the card (captured); without a card DV1049 (reported)."""
    device = call.own()
    call.reach(device)
    if device.card == "none":
        raise Refused(_codes.NO_CARD)
    total = device.total_bytes
    return {"totalBytes": total, "usedBytes": total * 88 // 100}


def card_status(call: Call) -> Data:
    """State of the card (captured: normal; documented: the others)."""
    device = call.own()
    call.reach(device)
    return {"status": {"none": "empty", "normal": "normal"}.get(device.card, "abnormal")}


def strategy(call: Call) -> Data:
    """State of the cloud plan (documented for mainland China)."""
    device = call.own()
    call.channel(device)
    status = {"using": 1, "expired": 0, "notExist": -1}[device.plan]
    if status < 0:
        return {"strategyStatus": status, "hasDefault": False}
    return {
        "strategyId": 1,
        "name": "7 days",
        "strategyStatus": status,
        "hasDefault": False,
    }


# -- Time zones (modelled on the vendor's client headers; no answer is known) ------------------------


def zone_by_day(call: Call) -> Data:
    """The zone, with both forms of the change of clocks."""
    return by_day(*_zone(call))


def zone_by_week(call: Call) -> Data:
    """The zone, with the change of clocks as a day of a week of a month."""
    return by_week(*_zone(call))


def _zone(call: Call) -> tuple[dt.tzinfo, int]:
    device = call.device()
    if call.cloud.faults.take("no-zone"):
        raise Refused(_codes.UNSUPPORTED)
    call.reach(device)
    return device.zone, call.cloud.clock().astimezone(device.zone).year


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "accessToken": access_token,
        "listDeviceDetailsByPage": details_by_page,
        "listDeviceDetailsByIds": details_by_ids,
        "deviceBaseList": base_list,
        "deviceOpenList": open_list,
        "deviceBaseDetailList": base_details,
        "deviceOpenDetailList": open_details,
        "listDeviceAbility": abilities,
        "deviceOnline": online,
        "wakeUpDevice": wake_up,
        "deviceStorage": storage,
        "deviceSdcardStatus": card_status,
        "getStorageStrategy": strategy,
        "timeZoneQueryByDay": zone_by_day,
        "timeZoneQueryByWeek": zone_by_week,
    }
)
