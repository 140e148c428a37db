"""Answers of the plan's REST surface: from JSON to values. No I/O.

The shapes are those that the integration plan names: ``{"code": 0, "msg": "…", "data": {…}}``. The
vendor documents none of this, and no answer was ever captured: what is missing is tolerated where
nothing is lost by it.
"""

from __future__ import annotations

import re

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from ..._secret import Secret
from ...errors import ProtocolError
from ._parse import (
    Secrets,
    _loaded,
    clean_code,
    clean_message,
    hidden,
    items,
    number,
    plain,
    read_status,
    read_wall,
    text,
)
from ._wire import SD, Place, Plan, RawChannel, RawDevice, RawRecord, RawStorage


OK: Final = "0"
_TOKEN: Final = re.compile(r"[!-~]{1,8000}", re.ASCII)
_GRANT: Final = ("access_token", "refresh_token")
_WORDS: Final = ("error", "error_description", "token_type")
_KINDS: Final = {"schedule": "timing", "all": ""}
"""The plan's words for why something was recorded, in those of the Open Platform."""
_YES: Final = {"1": True, "true": True, "0": False, "false": False}
_NOTHING: Final[Mapping[str, Any]] = {}


@attrs.frozen
class Result:
    """An answer: its code is 0, a number or text, and its words are cleaned."""

    code: str
    msg: str
    data: Mapping[str, Any] = attrs.field(repr=False)


def strange(path: str, what: str) -> ProtocolError:
    """Build the error for an answer that makes no sense."""
    step = "check that base_url is the root of a gateway that offers this; try again later"
    return ProtocolError(f"the gateway's answer to {path} {what}", next_step=step)


def read_result(body: bytes, path: str, secrets: Secrets = ()) -> Result:
    """Read an answer; ``data`` may be absent or null.

    Args:
        secrets: What was sent, and may be echoed.

    Raises:
        ProtocolError: It is no JSON, or has no result code.
    """
    root = _loaded(body)
    del body  # no frame of an error shows what it holds
    code = root.get("code") if isinstance(root, dict) else None
    if not isinstance(root, dict) or isinstance(code, bool) or not isinstance(code, (str, int)):
        raise strange(path, "has no result code")
    data = root.get("data")
    if data is not None and not isinstance(data, dict):
        raise strange(path, "has data of a wrong kind")
    words = clean_message(root.get("msg"), secrets)
    return Result(clean_code(code, secrets), words, data or _NOTHING)


def read_failure(body: bytes, secrets: Secrets = ()) -> Result:
    """Read what an answer with a failing status says; much of it may be missing.

    Args:
        secrets: What was sent, and may be echoed.
    """
    root = _loaded(body)
    fields = root if isinstance(root, dict) else {}
    code = text(fields, "code")
    words = clean_message(fields.get("msg"), secrets)
    return Result(clean_code(code, secrets) if code else "", words, _NOTHING)


def read_grant(body: bytes, path: str, secrets: Secrets = ()) -> tuple[Result, dict[str, object]]:
    """Read the answer of the token endpoint: as RFC 6749 has it, or with the plan's envelope.

    Args:
        secrets: What was sent, and may be echoed.

    Returns:
        The envelope (its code is 0 without one), and the members of RFC 6749.

    Raises:
        ProtocolError: It is no JSON object, or a token is none that can be sent.
    """
    root = _loaded(body)
    del body  # no frame of an error shows what it holds
    if not isinstance(root, dict):
        raise strange(path, "is no JSON object")
    code = text(root, "code")
    code = clean_code(code, secrets) if code else OK
    data = root.get("data")
    inner = data if "code" in root and isinstance(data, dict) else root
    fields: dict[str, object] = {
        name: value for name in _GRANT if isinstance(value := inner.get(name), Secret) and value
    }
    if any(_TOKEN.fullmatch(str(Secret.of(fields[name]).reveal())) is None for name in fields):  # type: ignore[arg-type]
        raise strange(path, "holds a token that cannot be sent")
    fields |= {name: word for name in _WORDS if (word := hidden(text(inner, name), secrets))}
    seconds = number(inner.get("expires_in"))
    if seconds is not None:
        fields["expires_in"] = seconds
    return Result(code, clean_message(root.get("msg"), secrets), _NOTHING), fields


def read_devices(data: Mapping[str, Any], path: str) -> list[RawDevice]:
    """Read the list of devices; what has no id is left out.

    Raises:
        ProtocolError: There is no list.
    """
    if not isinstance(data.get("devices"), list):
        raise strange(path, "has no devices")
    return [device for one in items(data, "devices") if (device := read_device(one)) is not None]


def read_device(fields: Mapping[str, Any]) -> RawDevice | None:
    """Read one device; None when it has no id."""
    own = text(fields, "deviceId")
    if not own:
        return None
    channels = {one.id: one for one in map(_channel, items(fields, "channels")) if one.id}
    return RawDevice(
        id=own,
        name=text(fields, "deviceName") or own,
        model=text(fields, "deviceModel"),
        status=read_status(text(fields, "status")),
        channels=tuple(channels.values()),
        raw=plain(fields),
    )


def _channel(fields: Mapping[str, Any]) -> RawChannel:
    own = text(fields, "channelId")
    return RawChannel(
        id=own,
        name=text(fields, "channelName") or own,
        status=read_status(text(fields, "status")),
        raw=plain(fields),
    )


def only_channel(device: RawDevice) -> RawChannel:
    """Return the channel of a device that lists none: the plan's "Channel 1", which is 0."""
    return RawChannel(id="0", name=device.name, status=device.status)


def read_records(
    found: Iterable[Mapping[str, Any]], device: str, channel: str, place: Place
) -> list[RawRecord]:
    """Read recordings; what has no readable times or no id is left out."""
    made = (_record(fields, device, channel, place) for fields in found)
    return [record for record in made if record is not None]


def _record(fields: Mapping[str, Any], device: str, channel: str, place: Place) -> RawRecord | None:
    begin, end = read_wall(fields.get("startTime")), read_wall(fields.get("endTime"))
    names = ("recordId", "videoId", "fileName") if place == SD else ("recordId",)
    own = text(fields, *names)
    if begin is None or end is None or not own:
        return None
    kind = text(fields, "recordType").lower()
    return RawRecord(
        id=own,
        device=device,
        channel=channel,
        begin=begin,
        end=end,
        size=number(fields.get("fileSize")),
        kind=_KINDS.get(kind, kind),
        storage=place,
        raw=plain(fields),
    )


def says_more(data: Mapping[str, Any], found: int) -> bool | None:
    """Whether an answer says itself that it is not all, or that it is; None when it does not say."""
    more, total = data.get("hasMore"), number(data.get("total"))
    if isinstance(more, bool):
        return more or (total or 0) > found
    return None if total is None else total > found


def read_storage(data: Mapping[str, Any]) -> RawStorage:
    """Read the sizes of a device's storage, in bytes; the plan has no word for its state."""
    total, used = number(data.get("totalSize")), number(data.get("usedSize")) or 0
    if total is None:
        return RawStorage()
    return RawStorage(total=total, used=min(used, total), status="normal" if total else "empty")


def read_plan(data: Mapping[str, Any]) -> Plan:
    """Read whether there is a plan: the plan says only yes or no."""
    flag = data.get("cloudEnabled")
    enabled = flag if isinstance(flag, bool) else _YES.get(text(data, "cloudEnabled").lower())
    return "unknown" if enabled is None else "active" if enabled else "none"
