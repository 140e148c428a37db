"""What callers hand in: the value that is needed, or an error that says where to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._time import TimeSpan
from ..errors import ConfigurationError
from ._key import RecordingKey


if TYPE_CHECKING:
    from . import Channel, Device, Recording


def as_device(value: object) -> Device:
    """Refuse a device's serial number or name where the device itself is needed.

    Raises:
        ConfigurationError: *value* is none.
    """
    from . import Device

    if isinstance(value, Device):
        return value
    wanted = f" whose id is {value[:60]!r}" if isinstance(value, str) else ""
    raise _wrong(value, "Device", f"pass the one of devices(){wanted}, or nothing for all")


def as_channel(value: object) -> Channel:
    """Refuse a channel's number or name where the channel itself is needed.

    Raises:
        ConfigurationError: *value* is none.
    """
    from . import Channel

    if isinstance(value, Channel):
        return value
    raise _wrong(value, "Channel", "take one from channels()")


def as_recording(value: object) -> Recording:
    """Refuse a key or a path where the recording itself is needed.

    Raises:
        ConfigurationError: *value* is none.
    """
    from . import Recording

    if isinstance(value, Recording):
        return value
    raise _wrong(value, "Recording", "take one from search(), or from locate() for a key")


def as_key(value: object) -> RecordingKey:
    """Refuse a text or a recording where a key is needed.

    Raises:
        ConfigurationError: *value* is none.
    """
    if isinstance(value, RecordingKey):
        return value
    raise _wrong(value, "RecordingKey", "for example recording.key, or RecordingKey.parse(text)")


def as_span(value: object) -> TimeSpan:
    """Refuse a pair of times or texts where a span is needed.

    Raises:
        ConfigurationError: *value* is none.
    """
    if isinstance(value, TimeSpan):
        return value
    step = "for example TimeSpan.last(hours=2), or TimeSpan(start, end) of aware datetimes"
    raise _wrong(value, "TimeSpan", step)


def _wrong(value: object, kind: str, step: str) -> ConfigurationError:
    # What else was given may be anything, and long: its type says enough.
    shown = repr(value[:60]) if isinstance(value, str) else f"{type(value).__name__}: {value!r}"
    return ConfigurationError(f"a {kind} is needed, not {shown[:120]}", next_step=step)
