"""A dump of an account: its device lists as JSON, which the simulator plays."""

from __future__ import annotations

import datetime as dt
import functools
import json

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from camsync.errors import ConfigurationError

from . import _codes, _devices
from ._call import Call
from ._cast import Defaults, SimulatedChannel, SimulatedDevice
from ._cloud import Cloud, Refused


_PAGES: Final = ("listDeviceDetailsByPage", "listDeviceDetailsByIds")
_DETAILS: Final = ("deviceBaseDetailList", "deviceOpenDetailList")
_LISTS: Final = ("deviceBaseList", "deviceOpenList")
_OPEN: Final = ("deviceOpenDetailList", "deviceOpenList")
_STATES: Final = {"0": "offline", "1": "online", "3": "upgrading", "4": "sleep"}


def load(source: str | Path | Mapping[str, Any], defaults: Defaults) -> list[SimulatedDevice]:
    """Read a dump from a file or from its parsed JSON.

    Raises:
        ConfigurationError: It is no dump of an Imou account.
    """
    data = source if isinstance(source, Mapping) else _read(Path(source))
    endpoints = data.get("endpoints")
    if data.get("camsync_dump") != 1 or not isinstance(endpoints, Mapping):
        msg = "this is no dump of a version that can be read"
        raise ConfigurationError(msg, next_step="a dump has camsync_dump: 1 and endpoints")
    found: dict[str, dict[str, Any]] = {}
    for method in (*_PAGES, *_DETAILS, *_LISTS):
        for item in _items(endpoints, method):
            part = "page" if method in _PAGES else "detail" if method in _DETAILS else "base"
            facts = found.setdefault(item["deviceId"], {"page": {}, "detail": {}, "base": {}})
            facts[part] |= item
            facts["bound"] = facts.get("bound", False) or method in _OPEN
    if not found:
        msg = "the dump has no devices"
        raise ConfigurationError(msg, next_step=f"it needs an answer to one of: {_expected()}")
    card = functools.partial(_card, endpoints)
    return [_device(place, facts, card, defaults) for place, facts in enumerate(found.values())]


def _expected() -> str:
    return ", ".join(f"POST /openapi/{method}" for method in (*_PAGES, *_DETAILS, *_LISTS))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the dump {path} cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"the dump {path} is no JSON"
        raise ConfigurationError(msg) from error
    return data if isinstance(data, Mapping) else {}


def _items(endpoints: Mapping[str, Any], method: str) -> Iterator[Mapping[str, Any]]:
    """Yield the devices of one answer."""
    data = _fields(_result(endpoints, method).get("data"))
    items = data.get("deviceList") or []
    if not isinstance(items, list) or not all(_has_id(item) for item in items):
        raise _strange(method)
    yield from items


def _has_id(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("deviceId"), str)


def _fields(value: object) -> Mapping[str, Any]:
    """Return an object of JSON; everything else is as good as an empty one."""
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list of JSON."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _result(endpoints: Mapping[str, Any], method: str) -> Mapping[str, Any]:
    """Return the result of one answer, empty without one; the body is JSON, or the text of it."""
    answer = endpoints.get(f"POST /openapi/{method}")
    if answer is None:
        return {}
    try:
        body = answer["body"]
        result = (json.loads(body) if isinstance(body, str) else body)["result"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _strange(method) from error
    if not isinstance(result, dict):
        raise _strange(method)
    return result


def _strange(method: str) -> ConfigurationError:
    msg = f"the dump's answer to {method} is not what that call answers"
    return ConfigurationError(msg)


def _card(endpoints: Mapping[str, Any], device: str, ability: str) -> str:
    """Return what deviceStorage said about the card; without an answer, what the abilities say."""
    result = _result(endpoints, f"deviceStorage?deviceId={device}")
    if result.get("code") == "0":
        return "normal" if _fields(result.get("data")).get("totalBytes") else "unformatted"
    if result.get("code") == _codes.NO_CARD:
        return "none"
    return "normal" if "LocalStorage" in ability or not ability else "none"


def _device(
    place: int, facts: Mapping[str, Any], card: Callable[[str, str], str], defaults: Defaults
) -> SimulatedDevice:
    page, detail, base = facts["page"], facts["detail"], facts["base"]
    number = {**base, **detail, **page}["deviceId"]
    channels = [*_channels(page.get("channelList"), detail.get("channels"), base.get("channels"))]
    status = str(detail.get("status") or page.get("deviceStatus") or "online")
    status = _STATES.get(status, status)
    ability = str(detail.get("ability") or page.get("deviceAbility") or "")
    plans = {str(each.get("storageStrategyStatus")) for each in _objects(detail.get("channels"))}
    return SimulatedDevice(
        id=number,
        name=str(page.get("deviceName") or detail.get("name") or ""),
        model=str(page.get("deviceModel") or detail.get("deviceModel") or ""),
        version=str(detail.get("version") or page.get("deviceVersion") or ""),
        catalog=str(detail.get("catalog") or ("NVR" if len(channels) > 1 else "IPC")),
        channels=tuple(channels),
        ability=ability,
        plan=next((plan for plan in ("using", "expired") if plan in plans), "notExist"),
        card=card(number, ability),
        encrypted=detail.get("encryptMode") == 1,
        shared=detail.get("shareStatus") not in (None, "", "owner"),
        bound=facts["bound"],
        battery="Dormant" in ability,
        status=status if status in _STATES.values() else "online",
        zone=defaults.zone_of(number),
        codec=defaults.codec_of(place),
        page={name: value for name, value in page.items() if name != "channelList"},
        detail={name: value for name, value in detail.items() if name != "channels"},
    )


def _channels(*lists: Any) -> Iterator[SimulatedChannel]:
    """Yield the channels of the first list that there is."""
    found = next((each for each in map(_objects, lists) if each), [{"channelId": "0"}])
    for each in found:
        number = str(each.get("channelId", "0"))
        yield SimulatedChannel(id=number, name=str(each.get("channelName") or ""))


def write(cloud: Cloud) -> dict[str, Any]:
    """Return a dump of the simulated account."""
    everything = [{"deviceId": device.id} for device in cloud.devices]
    asked = [{"deviceId": device.id} for device in cloud.devices if not device.bound]
    bound = [{"deviceId": device.id} for device in cloud.devices if device.bound]
    endpoints = {
        "listDeviceDetailsByIds": _answer(cloud, "listDeviceDetailsByIds", deviceList=everything),
        "deviceBaseDetailList": _answer(cloud, "deviceBaseDetailList", deviceList=asked),
        "deviceOpenDetailList": _answer(cloud, "deviceOpenDetailList", deviceList=bound),
    }
    for device in cloud.devices:
        name = f"deviceStorage?deviceId={device.id}"
        endpoints[name] = _answer(cloud, "deviceStorage", deviceId=device.id)
    return {
        "camsync_dump": 1,
        "provider": "imou",
        "made": f"{cloud.clock().astimezone(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "endpoints": {f"POST /openapi/{name}": answer for name, answer in endpoints.items()},
    }


def _answer(cloud: Cloud, method: str, **params: Any) -> dict[str, Any]:
    call = Call(cloud=cloud, method=method, params=params, host="")
    try:
        result: dict[str, Any] = {"code": "0", "msg": "", "data": _devices.METHODS[method](call)}
    except Refused as refusal:
        result = {"code": refusal.code, "msg": _codes.message(refusal.code)}
    for item in (result.get("data") or {}).get("deviceList", ()):
        item.pop("playToken", None)  # opens the live picture, and no dump has it
    return {
        "status": 200,
        "content_type": "application/json",
        "body": json.dumps({"id": "", "result": result}),
    }
