"""How long a segment is by its own time stamps: a server may cut one between two packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


_PACKET = 188
_WINDOW = _PACKET * 1024
_CLOCK = 90_000
_LONGEST = 3600 * _CLOCK
"""Ticks; time stamps that lie further apart have wrapped, or begin anew in between."""

_STAMP = 14
"""Bytes of the head of a packet of video with a time stamp."""


def video_seconds(file: Any) -> float | None:
    """Return the seconds of video in a transport stream, or None when it does not tell."""
    stamps = sorted(set(_stamps(file)))
    if len(stamps) < 2 or stamps[-1] - stamps[0] > _LONGEST:  # noqa: PLR2004
        return None
    span = (stamps[-1] - stamps[0]) / _CLOCK
    return span * len(stamps) / (len(stamps) - 1)


def _stamps(file: Any) -> Iterator[int]:
    """Yield the presentation times of all pictures."""
    file.seek(0)
    while data := file.read(_WINDOW):
        for at, flags in zip(range(0, len(data), _PACKET), data[1::_PACKET], strict=True):
            if flags & 0x40:
                head = _payload(data[at : at + _PACKET])[:_STAMP]
                video = head[:3] == b"\0\0\1" and len(head) == _STAMP and head[3] >> 4 == 0xE  # noqa: PLR2004
                if video and head[7] & 0x80:
                    yield _time(head[9:14])


def _payload(packet: bytes) -> bytes:
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _time(field: bytes) -> int:
    high, middle, low = (
        field[0] >> 1 & 7,
        (field[1] << 8 | field[2]) >> 1,
        (field[3] << 8 | field[4]) >> 1,
    )
    return high << 30 | middle << 15 | low
