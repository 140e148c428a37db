"""Playing a device dump: its recorded answers, and its channels for what is simulated."""

from __future__ import annotations

import json
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
        )

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
    inputs, proxied = tuple(_channels(video, analog=True)), tuple(_channels(proxy, analog=False))
    free = None if proxy is None else proxy.get("size")
    return Dump(
        model=_text(info, "model") or data.get("model"),
        firmware=_text(info, "firmwareVersion") or data.get("firmware"),
        device_type=_text(info, "deviceType"),
        device_name=_text(info, "deviceName"),
        static={name: reply for name, reply in static.items() if name.split(" ")[1] not in _ALIVE},
        inputs=inputs,
        proxied=proxied,
        slots=int(free) + len(inputs) + len(proxied) if free and free.isdecimal() else None,
        zone=_zone(_text(_xml(static, "GET /ISAPI/System/time"), "timeZone")),
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the dump {path} cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    except ValueError as error:
        msg = f"the dump {path} is no JSON"
        raise ConfigurationError(msg) from error
    return data if isinstance(data, Mapping) else {}


def _replies(endpoints: Mapping[str, Any]) -> Iterator[tuple[str, Reply]]:
    for name, answer in endpoints.items():
        method, _, path = name.partition(" ")
        if not path.startswith("/") or not isinstance(answer, Mapping):
            msg = f"the dump has an endpoint without a method and a path: {name!r}"
            raise ConfigurationError(msg)
        status = answer.get("status", 200)
        # A login that failed while the dump was made says nothing about the device.
        if status != 401:
            yield (
                f"{method.upper()} {path}",
                Reply(
                    status=status,
                    body=str(answer.get("body", "")).encode(),
                    content_type=answer.get("content_type", "application/xml"),
                ),
            )


def _xml(static: Mapping[str, Reply], endpoint: str) -> ET.Element | None:
    reply = static.get(endpoint)
    if reply is None or reply.status != 200:
        return None
    try:
        return ET.fromstring(reply.body)  # noqa: S314 - the user's own file; expat caps entities
    except ET.ParseError as error:
        msg = f"the dump's answer to {endpoint} is no XML"
        raise ConfigurationError(msg) from error


def _text(root: ET.Element | None, tag: str) -> str | None:
    found = None if root is None else root.findtext(f"{{*}}{tag}")
    return found.strip() if found else None


def _channels(root: ET.Element | None, *, analog: bool) -> Iterator[ChannelSetup]:
    for item in () if root is None else root:
        number = _text(item, "id")
        if number and number.isdecimal():
            yield ChannelSetup(
                number=int(number),
                name=_text(item, "name") or "",
                analog=analog,
                records=_text(item, "resDesc") != "NO VIDEO",
            )


def _zone(text: str | None) -> DeviceZone | None:
    if text is None:
        return None
    try:
        return DeviceZone.parse(text)
    except ProtocolError as error:
        msg = "the dump declares a time zone that makes no sense"
        raise ConfigurationError(msg) from error
