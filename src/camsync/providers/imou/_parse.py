"""Answers of the Open Platform: from JSON to values. No I/O.

What is secret in an answer (tokens, signed URLs, keys) is wrapped as soon as it is read.
"""

from __future__ import annotations

import datetime as dt
import json
import re

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from ..._secret import Secret
from ...errors import ProtocolError
from ._wire import CardStatus, Place, Plan, RawChannel, RawDevice, RawRecord, RawStorage, Status


_SECRET_KEY: Final = re.compile(
    r".*(token|url|secret|psk|sign|password|hls|rtmp|rtsp)|hls", re.IGNORECASE
)
_SECRET_TEXT: Final = re.compile(
    r"\b(?:At|Kt|Ut|St)_\w+|\b[a-z][a-z0-9+.-]*://\S+|\b[0-9A-Fa-f]{32,}\b|[A-Za-z0-9+/]{43}="
)
_LONGEST_MESSAGE: Final = 160
_STAMP: Final = re.compile(r"\s*(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\s*", re.ASCII)
_LONGEST_NUMBER: Final = 18
_MOST_PAGES: Final = 1000
_NOTHING: Final[Mapping[str, Any]] = {}


@attrs.frozen
class Result:
    """The envelope of an answer.

    Attributes:
        msg: The vendor's words, cleaned: no token, no URL, no control characters.
    """

    code: str
    msg: str
    data: Mapping[str, Any] = attrs.field(repr=False)


def read_result(body: bytes, method: str) -> Result:
    """Read the envelope; ``data`` may be absent or null.

    Raises:
        ProtocolError: It is no JSON, or has no result code.
    """
    root = _loaded(body)
    result = root.get("result") if isinstance(root, dict) else None
    code = result.get("code") if isinstance(result, dict) else None
    if not isinstance(result, dict) or isinstance(code, bool) or not isinstance(code, (str, int)):
        raise malformed(method, "has no result code")
    data = result.get("data")
    if data is not None and not isinstance(data, dict):
        raise malformed(method, "has data of a wrong kind")
    return Result(str(code).strip()[:40], clean_message(result.get("msg")), data or _NOTHING)


def malformed(method: str, what: str) -> ProtocolError:
    """Build the error for an answer that makes no sense."""
    step = "check that the base URL belongs to the vendor; try again later"
    return ProtocolError(f"the cloud's answer to {method} {what}", next_step=step)


def _loaded(body: bytes) -> object:
    """Read JSON in a frame of its own: the library's errors quote the document."""
    try:
        return json.loads(body, object_hook=_wrapped)
    except (ValueError, RecursionError):
        return None


def _wrapped(fields: dict[str, Any]) -> dict[str, Any]:
    """Wrap what is secret. ``currentDomain`` is none: it names a host."""
    return {
        key: Secret(value) if isinstance(value, str) and _SECRET_KEY.fullmatch(key) else value
        for key, value in fields.items()
    }


def clean_message(msg: object) -> str:
    """Return the vendor's words without what may be secret in them."""
    text = msg if isinstance(msg, str) else ""
    text = "".join(char if char.isprintable() else " " for char in text)
    return _SECRET_TEXT.sub("***", text)[:_LONGEST_MESSAGE].strip()


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can be kept: text, numbers, flags; no secrets and nothing nested."""
    return {
        key: value for key, value in fields.items() if isinstance(value, (str, int, float, bool))
    }


def text(fields: Mapping[str, Any], *keys: str) -> str:
    """Return the first of these fields that says something, as text."""
    for key in keys:
        value = fields.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return ""


def number(value: object) -> int | None:
    """Return a count of bytes, written as a number or as text; None when it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    digits = str(value).strip()
    fits = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    return int(digits) if fits else None


def items(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return a list of objects; a missing one is empty."""
    found = data.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def listed(data: Mapping[str, Any], key: str, method: str) -> list[Mapping[str, Any]]:
    """Return a list that has to be there.

    Raises:
        ProtocolError: It is not.
    """
    if not isinstance(data.get(key), list):
        raise malformed(method, f"has no {key}")
    return items(data, key)


def check_page(number: int, method: str) -> None:
    """Refuse to go on for ever: each page is a call, and paid for.

    Raises:
        ProtocolError: There were 1000 pages, and still no end.
    """
    if number > _MOST_PAGES:
        raise malformed(method, "has pages without end")


_STATUS: Final[Mapping[str, Status]] = {
    "1": "online",
    "online": "online",
    "0": "offline",
    "offline": "offline",
    "3": "upgrading",
    "upgrading": "upgrading",
    "4": "asleep",
    "sleep": "asleep",
    "dormant": "asleep",
}
_PLANS: Final[Mapping[str, Plan]] = {
    "notexist": "none",
    "-1": "none",
    "expired": "expired",
    "0": "expired",
    "using": "active",
    "inuse": "active",
    "1": "active",
    "stopped": "suspended",
    "suspended": "suspended",
    "2": "suspended",
}
_CARDS: Final[frozenset[CardStatus]] = frozenset({"normal", "empty", "abnormal", "recovering"})


def read_status(word: str) -> Status:
    """Read a device's or a channel's state: a digit or a word."""
    return _STATUS.get(word.lower(), "unknown")


def read_plan(word: str) -> Plan:
    """Read the state of a plan. ``notExist`` is captured; the other words are documented."""
    return _PLANS.get(word.lower(), "unknown")


def read_card(fields: Mapping[str, Any]) -> CardStatus:
    """Read the answer to ``deviceSdcardStatus``."""
    word = text(fields, "status").lower()
    return next((status for status in _CARDS if status == word), "unknown")


def read_storage(fields: Mapping[str, Any], status: CardStatus) -> RawStorage:
    """Read the answer to ``deviceStorage``; a total of 0 is a card without a file system."""
    total, used = (number(fields.get(key)) for key in ("totalBytes", "usedBytes"))
    if total == 0 and status != "recovering":
        status = "unformatted"
    elif total is None and status == "normal":
        status = "unknown"
    return RawStorage(total=total or 0, used=min(used or 0, total or 0), status=status)


def read_device(fields: Mapping[str, Any]) -> RawDevice | None:
    """Read one device of any of the lists; None when it has no id."""
    own = text(fields, "deviceId")
    if not own:
        return None
    found = [*items(fields, "channelList"), *items(fields, "channels")]
    secured = text(fields, "encryptMode")
    channels = {one.id: one for one in (read_channel(each, secured) for each in found) if one.id}
    return RawDevice(
        id=own,
        name=text(fields, "deviceName", "name") or own,
        model=text(fields, "deviceModel"),
        version=text(fields, "deviceVersion", "version"),
        status=read_status(text(fields, "deviceStatus", "status")),
        kind=text(fields, "catalog", "deviceCatalog"),
        channels=tuple(channels.values()),
        raw=plain(fields),
    )


def read_channel(fields: Mapping[str, Any], secured: str = "") -> RawChannel:
    """Read one channel.

    Args:
        secured: The device's ``encryptMode``, if the list says it.
    """
    own = text(fields, "channelId")
    return RawChannel(
        id=own,
        name=text(fields, "channelName") or own,
        status=read_status(text(fields, "channelStatus", "status")),
        plan=read_plan(text(fields, "storageStrategyStatus")),
        encrypted={"0": False, "1": True}.get(text(fields, "encryptMode") or secured),
        raw=plain(fields),
    )


def read_records(
    found: Iterable[Mapping[str, Any]], device: str, channel: str, place: Place
) -> list[RawRecord]:
    """Read records; what has no readable times or no id is left out."""
    made = (_record(fields, device, channel, place) for fields in found)
    return [record for record in made if record is not None]


def _record(fields: Mapping[str, Any], device: str, channel: str, place: Place) -> RawRecord | None:
    begin, end = read_wall(fields.get("beginTime")), read_wall(fields.get("endTime"))
    own = text(fields, "recordId", "fileName")
    if begin is None or end is None or not own:
        return None
    return RawRecord(
        id=own,
        region=text(fields, "recordRegionId") if place == "cloud" else "",
        device=device,
        channel=channel,
        begin=begin,
        end=end,
        size=number(fields.get("fileLength")) or number(fields.get("size")),
        kind=text(fields, "type"),
        storage=place,
        encrypted=text(fields, "encryptMode") == "1",
        raw=plain(fields),
    )


def read_wall(value: object) -> dt.datetime | None:
    """Read ``yyyy-MM-dd HH:mm:ss``: a wall clock without zone."""
    match = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return dt.datetime(*map(int, match.groups()))  # type: ignore[arg-type] # noqa: DTZ001
    except ValueError:
        return None


def write_wall(moment: dt.datetime) -> str:
    """Write a wall time the way the cloud does; strftime does not pad the year everywhere."""
    return f"{moment.year:04d}-{moment:%m-%d %H:%M:%S}"


def read_days(data: Mapping[str, Any]) -> set[int] | None:
    """Read a month's bitmap, one character per day; None when it is none."""
    bitmap = text(data, "bitmap")
    if re.fullmatch("[01]{28,31}", bitmap) is None:
        return None
    return {day for day, flag in enumerate(bitmap, 1) if flag == "1"}
