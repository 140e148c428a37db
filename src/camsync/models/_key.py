"""What identifies things for ever: the ids of devices and channels, and the keys of recordings."""

from __future__ import annotations

import datetime as dt
import re

from typing import NewType
from urllib.parse import quote, unquote

import attrs

from .._time import UTC, to_utc
from ..errors import ConfigurationError


DeviceId = NewType("DeviceId", str)
ChannelId = NewType("ChannelId", str)


def _whole_seconds_utc(value: dt.datetime) -> dt.datetime:
    if type(value) is dt.datetime and value.tzinfo is UTC and not value.microsecond:
        return value  # nearly always: a search makes 100,000 of them
    return to_utc(value).replace(microsecond=0)


_SCHEMES = {"hikvision": "hik"}
_PROVIDERS = {scheme: provider for provider, scheme in _SCHEMES.items()}
_COMPACT = "%Y%m%dT%H%M%SZ"
_MAIN_STREAM = "01"
_SHOWN = 200
"""Characters of a wrong key that an error repeats."""


@attrs.frozen(kw_only=True, order=True)
class RecordingKey:
    """What identifies a recording for ever.

    Never an address (DHCP reuses them) and never the end (the segment being written moves it).
    File names are reused when a disk wraps, so the start is part of the key.

    Attributes:
        device: The device's serial number.
        stream: ``"01"`` for the main stream, ``"02"`` for the sub stream, or a vendor's word.
        start: Start in UTC, whole seconds.
        item: What tells recordings with the same start apart: a file name, a record id.
    """

    provider: str
    device: DeviceId
    channel: ChannelId
    stream: str = _MAIN_STREAM
    start: dt.datetime = attrs.field(converter=_whole_seconds_utc)
    item: str = ""

    @property
    def uri(self) -> str:
        """The stable text form: ``hik://DS…/101/20240101T100000Z/00000000214000000``.

        Two digits of stream behind a numeric channel are written as one track number.
        """
        scheme = _SCHEMES.get(self.provider, self.provider)
        place = [str(self.channel), self.stream]
        if _is_track("".join(place)) and len(self.stream) == 2:  # noqa: PLR2004
            place = ["".join(place)]
        # strftime does not pad the year on every platform
        start = f"{self.start.year:04d}{self.start:{_COMPACT.removeprefix('%Y')}}"
        parts = [str(self.device), *place, start, self.item]
        quoted = (quote(part, safe="", errors="surrogatepass") for part in parts)
        return f"{scheme}://" + "/".join(quoted)

    @classmethod
    def parse(cls, uri: str) -> RecordingKey:
        """Read the text form back.

        Raises:
            ConfigurationError: *uri* is not a recording key.
        """
        scheme, found, rest = uri.partition("://")
        try:
            parts = [unquote(part, errors="surrogatepass") for part in rest.split("/")]
            if len(parts) == 4 and _is_track(parts[1]):  # noqa: PLR2004
                parts[1:2] = [parts[1][:-2], parts[1][-2:]]
            device, channel, stream, start, item = parts
            moment = dt.datetime.strptime(start, _COMPACT).replace(tzinfo=UTC)
        except ValueError as error:
            msg = f"{uri[:_SHOWN]!r} is not a recording key"
            raise ConfigurationError(
                msg, next_step="it looks like hik://SERIAL/101/20240101T100000Z/NAME"
            ) from error
        if not (found and scheme and device and channel and stream):
            msg = f"{uri[:_SHOWN]!r} is not a recording key: a part is empty"
            raise ConfigurationError(msg)
        return cls(
            provider=_PROVIDERS.get(scheme, scheme),
            device=DeviceId(device),
            channel=ChannelId(channel),
            stream=stream,
            start=moment,
            item=item,
        )

    def __str__(self) -> str:
        return self.uri


def _is_track(text: str) -> bool:
    return re.fullmatch(r"[1-9]\d*\d\d", text, re.ASCII) is not None
