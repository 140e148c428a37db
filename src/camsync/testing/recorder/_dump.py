"""Playing a device dump: its recorded answers, and its channels for what is simulated."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from camsync._zone import DeviceZone
from camsync.errors import ConfigurationError, ProtocolError

from ._channels import ChannelSetup
from ._personality import PERSONALITIES, Personality
from ._replies import Reply


_ALIVE: Final = frozenset(
    {
        "/ISAPI/System/time",
        "/ISAPI/System/status",
        "/ISAPI/Security/userCheck",
        "/ISAPI/ContentMgmt/search",
        "/ISAPI/ContentMgmt/download",
    }
)
"""Answered by the simulator even if the dump has them: a stopped clock would be of no use."""


_LONGEST: Final = 64 * 1024 * 1024
_MOST_CHANNELS: Final = 1024
_STATUSES: Final = range(100, 600)
_LIST_TAGS: Final = frozenset({"trackList", "trackIDList"})
_UNREACHED: Final = ("network", "not asked")
_LINE: Final = re.compile(r"[ -~]{0,200}")


@attrs.frozen(kw_only=True)
class Dump:
    """What a dump says about a device.

    Attributes:
        model: Model name, if known.
        firmware: Firmware version, if known.
        device_type: ``deviceType``, if known.
        device_name: ``deviceName``, if known.
        static: The answers to play, by ``METHOD path``.
        inputs: Analog inputs in the dump.
        proxied: IP channels in the dump.
        slots: Places for IP channels and inputs, if known.
        zone: The declared time zone, if known.
        page_cap: Items on a page of search, if known.
        z_means: What ``Z`` meant when the dump was made, if that was found out.
        list_tag: The list tag that the device understood, if that was found out.
    """

    model: str | None
    firmware: str | None
    device_type: str | None
    device_name: str | None
    static: Mapping[str, Reply]
    inputs: tuple[ChannelSetup, ...]
    proxied: tuple[ChannelSetup, ...]
    slots: int | None
    zone: DeviceZone | None
    page_cap: int | None = None
    z_means: str | None = None
    list_tag: str | None = None

    def personality(self, fallback: Personality) -> Personality:
        """Return the closest ready-made personality, under the dump's own names."""
        base = PERSONALITIES.get((self.model or "").partition("/")[0].partition("(")[0])
        if base is None:
            base = self._by_channels(fallback)
        return attrs.evolve(
            base,
            model=self.model or base.model,
            firmware=self.firmware or base.firmware,
            device_type=self.device_type or base.device_type,
            device_name=self.device_name or base.device_name,
            slots=self.slots or base.slots,
            inputs=len(self.inputs) or base.inputs,
            page_cap=self.page_cap or base.page_cap,
            z_means=self.z_means or base.z_means,
            list_tags=self._list_tags(base),
        )

    def _list_tags(self, base: Personality) -> frozenset[str]:
        """Return the base's list tags, unless the device was seen to understand another one."""
        if self.list_tag is None or self.list_tag in base.list_tags:
            return base.list_tags
        return frozenset({self.list_tag})

    def _by_channels(self, fallback: Personality) -> Personality:
        """Decide by the channel endpoint that answers: the device type cannot be trusted."""
        proxy = self._status("GET /ISAPI/ContentMgmt/InputProxy/channels")
        video = self._status("GET /ISAPI/System/Video/inputs/channels")
        if proxy == video == 200:
            return PERSONALITIES["iDS-7204HUHI-M1"]
        if video == 200:
            return PERSONALITIES["DS-2CD2185FWD-I"]
        return PERSONALITIES["DS-7616NI-K2"] if proxy == 200 else fallback

    def _status(self, endpoint: str) -> int | None:
        reply = self.static.get(endpoint)
        return None if reply is None else reply.status

    def channels(self, codec: str) -> tuple[ChannelSetup, ...]:
        """Return the dump's channels; empty when it has no channel list."""
        both = (*self.inputs, *self.proxied)
        if codec != "mixed":
            return tuple(attrs.evolve(channel, codec=codec) for channel in both)
        codecs = ("h264", "h265")
        return tuple(
            attrs.evolve(channel, codec=codecs[place % 2]) for place, channel in enumerate(both)
        )


def load(source: Path | str | Mapping[str, Any]) -> Dump:
    """Read a dump from a file or from its parsed JSON.

    Raises:
        ConfigurationError: It is no dump.
    """
    data = source if isinstance(source, Mapping) else _read(Path(source))
    if data.get("camsync_dump") != 1 or not isinstance(data.get("endpoints"), Mapping):
        msg = "this is no device dump of a version that can be read"
        raise ConfigurationError(msg, next_step="a dump has camsync_dump: 1 and endpoints")
    static = dict(_replies(data["endpoints"]))
    info = _xml(static, "GET /ISAPI/System/deviceInfo")
    proxy = _xml(static, "GET /ISAPI/ContentMgmt/InputProxy/channels")
    video = _xml(static, "GET /ISAPI/System/Video/inputs/channels")
    profile = _xml(static, "GET /ISAPI/ContentMgmt/search/profile")
    status = _xml(static, "GET /ISAPI/ContentMgmt/InputProxy/channels/status")
    inputs = tuple(_channels(video, analog=True))
    proxied = tuple(_with_states(_channels(proxy, analog=False), status))
    free = _small(None if proxy is None else proxy.get("size"))
    observed = data.get("observed")
    return Dump(
        model=_text(info, "model") or _said(data, "model"),
        firmware=_text(info, "firmwareVersion") or _said(data, "firmware"),
        device_type=_text(info, "deviceType"),
        device_name=_text(info, "deviceName"),
        static={name: reply for name, reply in static.items() if name.split(" ")[1] not in _ALIVE},
        inputs=inputs,
        proxied=proxied,
        slots=free + len(inputs) + len(proxied) if free else None,
        zone=_zone(_text(_xml(static, "GET /ISAPI/System/time"), "timeZone")),
        page_cap=_small(_text(profile, "maxSearchMatchResults")) or None,
        **_behaviour(observed if isinstance(observed, Mapping) else {}),
    )


def _behaviour(observed: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what camsync found out about the device; what makes no sense is as good as nothing."""
    means, dialect = observed.get("z_means"), observed.get("search")
    tag = dialect.get("list_tag") if isinstance(dialect, Mapping) else None
    return {
        "z_means": means if means in ("local", "utc") else None,
        "list_tag": tag if isinstance(tag, str) and tag in _LIST_TAGS else None,
    }


def _said(data: Mapping[str, Any], key: str) -> str | None:
    """Return what the dump says outside of the device's answers, if it is a line of text."""
    value = data.get(key)
    return value if isinstance(value, str) and value and _is_line(value) else None


def _is_line(text: str) -> bool:
    return len(text) <= 200 and not any(
        char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text
    )


def _small(text: str | None) -> int:
    """Return a number as devices count their channels; 0 for everything else."""
    usable = text is not None and text.isascii() and text.isdecimal() and len(text) <= 4
    return int(text) if usable and text is not None else 0


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LONGEST:
            msg = f"the dump {path} is longer than {_LONGEST} bytes"
            raise ConfigurationError(msg)
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the dump {path} cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    except ConfigurationError:
        raise
    except (ValueError, RecursionError) as error:
        msg = f"the dump {path} is no JSON"
        raise ConfigurationError(msg) from error
    return data if isinstance(data, Mapping) else {}


def _replies(endpoints: Mapping[str, Any]) -> Iterator[tuple[str, Reply]]:
    for name, answer in endpoints.items():
        method, _, path = str(name).partition(" ")
        if not path.startswith("/") or not isinstance(answer, Mapping):
            msg = f"the dump has an endpoint without a method and a path: {str(name)[:80]!r}"
            raise ConfigurationError(msg)
        # A login that failed while the dump was made says nothing about the device.
        if answer.get("status", 200) != 401:
            yield f"{method.upper()} {path}", _reply(name, answer)


def _reply(name: str, answer: Mapping[str, Any]) -> Reply:
    if "error" in answer:
        # What could not be reached then is not reached now; what was odd is an internal error.
        reset = str(answer["error"]).startswith(_UNREACHED)
        return Reply(reset=True) if reset else Reply(status=500, content_type="text/html")
    status, kind = answer.get("status", 200), answer.get("content_type", "application/xml")
    body = answer.get("body", "")
    usable = type(status) is int and status in _STATUSES and isinstance(body, str)
    if not usable or not isinstance(kind, str) or not _LINE.fullmatch(kind):
        msg = f"the dump's answer to {name[:80]!r} has an unusable status, content type or body"
        raise ConfigurationError(msg)
    try:
        content = body.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        msg = f"the dump's answer to {name[:80]!r} holds what is no text"
        raise ConfigurationError(msg) from None
    return Reply(status=status, body=content, content_type=kind)


def _xml(static: Mapping[str, Reply], endpoint: str) -> ET.Element | None:
    reply = static.get(endpoint)
    if reply is None or reply.status != 200 or reply.reset:
        return None
    try:
        # The user's own file; expat caps entities.
        return ET.fromstring(reply.body)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        msg = f"the dump's answer to {endpoint} is no XML"
        raise ConfigurationError(msg) from error


def _text(root: ET.Element | None, tag: str) -> str | None:
    found = None if root is None else root.findtext(f"{{*}}{tag}")
    return found.strip() if found else None


def _channels(root: ET.Element | None, *, analog: bool) -> Iterator[ChannelSetup]:
    if root is not None and len(root) > _MOST_CHANNELS:
        msg = f"the dump has more than {_MOST_CHANNELS} channels"
        raise ConfigurationError(msg)
    seen: set[int] = set()
    for item in () if root is None else root:
        number = _small(_text(item, "id"))
        if number and number not in seen:
            seen.add(number)
            yield ChannelSetup(
                number=number,
                name=_text(item, "name") or "",
                analog=analog,
                online=_text(item, "connectionStatus") != "offline",
                records=_text(item, "resDesc") != "NO VIDEO",
            )


def _with_states(
    channels: Iterator[ChannelSetup], status: ET.Element | None
) -> Iterator[ChannelSetup]:
    """Add what the list of states says: nothing is being recorded of a camera that is away."""
    away = {
        _small(_text(item, "id"))
        for item in (() if status is None else status)
        if _text(item, "online") == "false"
    }
    for channel in channels:
        yield attrs.evolve(channel, online=channel.online and channel.number not in away)


def _zone(text: str | None) -> DeviceZone | None:
    if text is None:
        return None
    try:
        return DeviceZone.parse(text)
    except ProtocolError as error:
        msg = "the dump declares a time zone that makes no sense"
        raise ConfigurationError(msg) from error
