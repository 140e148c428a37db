"""Answers of the Open Platform: from JSON to values. No I/O.

What is secret in an answer (tokens, signed URLs, keys) is wrapped as soon as it is read.
"""

from __future__ import annotations

import calendar
import datetime as dt
import json
import logging
import re

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote_plus

import attrs

from ..._secret import Secret
from ...errors import ProtocolError
from ._wire import CardStatus, Place, Plan, RawChannel, RawDevice, RawRecord, RawStorage, Status


_SECRET_KEY: Final = re.compile(
    r"token(?!_?type)|url|secret|psk|sign(?!al)|passw|hls|rtmp|rtsp", re.IGNORECASE
)
_PRIVATE_KEY: Final = re.compile(r"pwd|passw|key|ticket|auth|addr", re.IGNORECASE)
_SECRET_TEXT: Final = re.compile(
    r"\b(?:At|Kt|Ut|St)_\w+|\b[a-z][a-z0-9+.-]*://\S+|\b[0-9A-Fa-f]{32,}\b|[A-Za-z0-9+/]{43}="
)
_LONGEST_MESSAGE: Final = 160
_CODE: Final = re.compile(r"-?[A-Za-z0-9_]{1,16}", re.ASCII)
_STAMP: Final = re.compile(
    r"\s*(\d{4})(-?)(\d\d)\2(\d\d)[ T](\d\d)(:?)(\d\d)\6(\d\d)(?:\.0{1,9})?\s*", re.ASCII
)
_YEARS: Final = range(1970, 2201)
"""Of a clock that may be set wrong, but whose times can be reckoned with."""
_LONGEST_NUMBER: Final = 18
_MOST_PAGES: Final = 1000
_NOTHING: Final[Mapping[str, Any]] = {}
_log = logging.getLogger("camsync.imou")
Secrets = Sequence[Secret | None]
Rows = list[Mapping[str, Any]]


@attrs.frozen
class Result:
    """The envelope of an answer.

    Attributes:
        code: The vendor's, or ``?`` for what is none.
        msg: The vendor's words, cleaned: no token, no URL, no control characters.
    """

    code: str
    msg: str
    data: Mapping[str, Any] = attrs.field(repr=False)


def read_result(body: bytes, method: str, secrets: Secrets = ()) -> Result:
    """Read the envelope; ``data`` may be absent or null.

    Args:
        secrets: What was sent, and may be echoed.

    Raises:
        ProtocolError: It is no JSON, or has no result code.
    """
    found = _envelope(body, secrets)
    del body  # no frame of an error shows what it holds
    if isinstance(found, str):
        raise malformed(method, found)
    return found


def _envelope(body: bytes, secrets: Secrets) -> Result | str:
    """Read the envelope, or say what is wrong with it: nothing is raised where the body is known."""
    root = _loaded(body)
    result = root.get("result") if isinstance(root, dict) else None
    code = result.get("code") if isinstance(result, dict) else None
    if not isinstance(result, dict) or isinstance(code, bool) or not isinstance(code, (str, int)):
        return "has no result code"
    data = result.get("data")
    if data is not None and not isinstance(data, dict):
        return "has data of a wrong kind"
    words = clean_message(result.get("msg"), secrets)
    return Result(clean_code(code, secrets), words, data or _NOTHING)


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
        key: _secret(value) if _SECRET_KEY.search(key) else value for key, value in fields.items()
    }


class _Hidden(dict[str, Any]):
    """An object in which all is wrapped: secret fields inside of each other are walked once."""


def _secret(value: object) -> object:
    """Wrap what a secret field holds, whatever its kind; flags are none."""
    if isinstance(value, _Hidden):
        return value
    if isinstance(value, dict):
        return _Hidden({key: _secret(one) for key, one in value.items()})
    if isinstance(value, list):
        return [_secret(one) for one in value]
    kept = value is None or isinstance(value, (bool, Secret))
    return value if kept else Secret(str(value))


def hidden(words: str, secrets: Secrets) -> str:
    """Return *words* without what was sent and echoed, as it is or as a form writes it."""
    for secret in secrets:
        if secret:
            words = words.replace(secret.reveal(), "***")
            words = words.replace(quote_plus(secret.reveal()), "***")
    return words


def clean_message(msg: object, secrets: Secrets = ()) -> str:
    """Return the vendor's words without what may be secret in them.

    Args:
        secrets: What was sent; it is taken out before the words are cut short.
    """
    text = hidden(msg, secrets) if isinstance(msg, str) else ""
    text = "".join(char if char.isprintable() else " " for char in text)
    return _SECRET_TEXT.sub("***", text)[:_LONGEST_MESSAGE].strip()


def clean_code(code: object, secrets: Secrets = ()) -> str:
    """Return a result code, or ``?`` for what has not the shape of one: it may be anything."""
    word = hidden(str(code).strip(), secrets)
    return word if _CODE.fullmatch(word) else "?"


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can be kept: text, numbers, flags; no secrets, no addresses, nothing nested."""
    return {
        key: value
        for key, value in fields.items()
        if isinstance(value, (str, int, float, bool)) and not _is_private(key, value)
    }


def _is_private(key: str, value: object) -> bool:
    if _PRIVATE_KEY.search(key):
        return True
    return isinstance(value, str) and ("://" in value or _SECRET_TEXT.search(value) is not None)


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
    given = text(fields, "deviceName", "name")
    if given and len(channels) == 1:
        channels = {key: _named(one, own, given) for key, one in channels.items()}
    return RawDevice(
        id=own,
        name=given or own,
        model=text(fields, "deviceModel"),
        version=text(fields, "deviceVersion", "version"),
        status=read_status(text(fields, "deviceStatus", "status")),
        kind=text(fields, "catalog", "deviceCatalog"),
        channels=tuple(channels.values()),
        raw=plain(fields),
    )


def _named(channel: RawChannel, device: str, name: str) -> RawChannel:
    """Give a device's only channel the device's name, if its own is the vendor's default."""
    usual = re.fullmatch(rf"{re.escape(device)}-\d+", channel.name, re.ASCII) is not None
    unnamed = not text(channel.raw, "channelName")
    return attrs.evolve(channel, name=name) if usual or unnamed else channel


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


def read_page(
    data: Mapping[str, Any],
    key: str,
    method: str,
    read: Callable[[Rows], list[RawRecord]],
    strange: Callable[[str, str], ProtocolError] | None = None,
) -> tuple[list[RawRecord], int]:
    """Read the recordings of an answer, and say how many it lists.

    Args:
        strange: Makes the error for an answer that makes no sense.

    Raises:
        ProtocolError: What is there is no list; or nothing of it can be read, which would look
            like nothing recorded.
    """
    rows, odd = data.get(key), strange or malformed
    if rows is None:
        return [], 0
    if not isinstance(rows, list):
        raise odd(method, f"has {key} of a wrong kind")
    found = read([one for one in rows if isinstance(one, dict)])
    if rows and not found:
        raise odd(method, f"has {len(rows)} {key}, none with times and an id as expected")
    if len(found) < len(rows):
        _log.warning("%s: %d of %d %s unreadable", method, len(rows) - len(found), len(rows), key)
    return found, len(rows)


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
    """Read ``yyyy-MM-dd HH:mm:ss``: a wall clock without zone.

    Also as ISO 8601 writes it, with ``T`` or without any signs. Numbers are not read: whether they
    count from UTC or from the wall clock nobody says.
    """
    match = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match.group(1)) not in _YEARS:
        return None
    try:
        return dt.datetime(*map(int, match.group(1, 3, 4, 5, 7, 8)))  # type: ignore[arg-type] # noqa: DTZ001
    except ValueError:
        return None


def write_wall(moment: dt.datetime) -> str:
    """Write a wall time the way the cloud does; strftime does not pad the year everywhere."""
    return f"{moment.year:04d}-{moment:%m-%d %H:%M:%S}"


def read_days(data: Mapping[str, Any], year: int, month: int) -> set[int] | None:
    """Read a month's bitmap, one character per day; None when it is none, or of another length."""
    bitmap, days = text(data, "bitmap"), calendar.monthrange(year, month)[1]
    if re.fullmatch(f"[01]{{{days}}}0{{0,{31 - days}}}", bitmap) is None:
        return None
    return {day for day, flag in enumerate(bitmap, 1) if flag == "1"}
