"""The bytes of an MPEG program stream (ISO/IEC 13818-1), and the header that recorders put before.

Only what a recorder writes: pack header with clock reference, system header, program stream map,
PES packets with a presentation time on the first packet of a picture, padding packets.
"""

from __future__ import annotations

import struct

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


CLOCK_HZ: Final = 90_000
END_CODE: Final = b"\0\0\1\xb9"
PACKET: Final = 5_120
"""The longest PES packet, headers included."""

VIDEO_ID: Final = 0xE0
AUDIO_ID: Final = 0xC0
STREAM_TYPES: Final[Mapping[str, int]] = MappingProxyType(
    {"h264": 0x1B, "h265": 0x24, "g711a": 0x90, "g711u": 0x91}
)
_IMKH_VIDEO: Final = {"h264": 1, "h265": 5}
_IMKH_AUDIO: Final = {"g711a": 0x7111, "g711u": 0x7110}

CLOCK_AT, CLOCK_SIZE = 4, 6
PES_HEADER: Final = 19
"""First PES packet of a picture: 9 fixed bytes, 5 of time stamp, 5 of stuffing."""
PTS_AT, PTS_SIZE = 9, 5


def imkh(codec: str, audio: str | None) -> bytes:
    """Return the 40 bytes of the vendor's ``HIK_MEDIAINFO`` for a program stream."""
    sound = (_IMKH_AUDIO[audio], 1, 16, 8_000, 64_000) if audio else (0, 0, 0, 0, 0)
    head = struct.pack("<4sHHHH", b"IMKH", 0x0102, 0, 2, _IMKH_VIDEO[codec])
    return head + struct.pack("<HBBII", *sound) + bytes(16)


def envelope(header: bytes) -> bytes:
    """Put the 24 bytes before an IMKH header that a DS-9632NI-M8 V5.04.081 sends.

    Only the first eight are known; the rest is filled with zeros.
    """
    return struct.pack(">II", 0x40, 0x13) + bytes(16) + header


def clock_reference(ticks: int) -> bytes:
    """Write *ticks* of 90 kHz as the six bytes of a pack's clock reference."""
    value = (1 << 46) | (ticks >> 30 & 7) << 43 | 1 << 42
    value |= (ticks >> 15 & 0x7FFF) << 27 | 1 << 26 | (ticks & 0x7FFF) << 11 | 1 << 10 | 1
    return value.to_bytes(6, "big")


def presentation_time(ticks: int) -> bytes:
    """Write *ticks* of 90 kHz as the five bytes of a presentation time stamp."""
    value = (0b0010 << 36) | (ticks >> 30 & 7) << 33 | 1 << 32
    value |= (ticks >> 15 & 0x7FFF) << 17 | 1 << 16 | (ticks & 0x7FFF) << 1 | 1
    return value.to_bytes(5, "big")


def pack_header(rate: int) -> bytes:
    """Return a pack header at time zero; *rate* is in units of 50 bytes a second."""
    mux = (rate << 2 | 3).to_bytes(3, "big")
    return b"\0\0\1\xba" + clock_reference(0) + mux + b"\xfe" + b"\xff" * 6


def system_header(rate: int, *, audio: bool) -> bytes:
    """Return the system header that stands before a key frame."""
    body = ((1 << 23) | rate << 1 | 1).to_bytes(3, "big")
    body += bytes((int(audio) << 2, 0xE1, 0x7F, VIDEO_ID, 0xE0, 0xE8))
    body += bytes((AUDIO_ID, 0xC0, 0x20)) if audio else b""
    return b"\0\0\1\xbb" + len(body).to_bytes(2, "big") + body


def stream_map(codec: str, audio: str | None) -> bytes:
    """Return the program stream map: which stream id holds which codec."""
    streams = [(STREAM_TYPES[codec], VIDEO_ID)]
    if audio:
        streams.append((STREAM_TYPES[audio], AUDIO_ID))
    table = b"".join(bytes((kind, number, 0, 0)) for kind, number in streams)
    body = b"\xe0\xff\0\0" + len(table).to_bytes(2, "big") + table
    start = b"\0\0\1\xbc" + (len(body) + 4).to_bytes(2, "big") + body
    return start + _crc(start).to_bytes(4, "big")


def _crc(data: bytes) -> int:
    """CRC-32/MPEG-2, bit by bit: it runs over two dozen bytes, once."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


def packets(stream: int, unit: bytes) -> bytes:
    """Wrap one access unit in PES packets; the first one carries a time stamp of zero.

    There is no decoding time: without B-frames it equals the presentation time, and the standard
    forbids writing it then.
    """
    parts = []
    first = PACKET - PES_HEADER
    head = b"\x8c\x80\x0a" + presentation_time(0) + b"\xff" * 5
    parts.append(_packet(stream, head, unit[:first]))
    step = PACKET - 9
    parts += [
        _packet(stream, b"\x88\x00\x00", unit[at : at + step])
        for at in range(first, len(unit), step)
    ]
    return b"".join(parts)


def _packet(stream: int, head: bytes, payload: bytes) -> bytes:
    length = len(head) + len(payload)
    return b"\0\0\1" + bytes((stream,)) + length.to_bytes(2, "big") + head + payload


def padding(size: int) -> bytes:
    """Return padding packets of *size* bytes together; fewer than six bytes are left out."""
    longest = 0xFFFF + 6
    whole, rest = divmod(size, longest)
    if 0 < rest < 6 and whole:
        # A packet cannot be shorter than its header: take the bytes from the one before.
        return padding(whole * longest - 6) + _padding(rest + 6)
    return _padding(longest) * whole + (_padding(rest) if rest >= 6 else b"")


def _padding(size: int) -> bytes:
    return b"\0\0\1\xbe" + (size - 6).to_bytes(2, "big") + b"\xff" * (size - 6)
