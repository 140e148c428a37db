"""The bytes of an MPEG transport stream (ISO/IEC 13818-1): what the segments of HLS consist of.

One programme with one video stream: PAT and PMT before each key frame, one PES packet for each
picture, with the clock reference in its first packet. Tables, packets and counters follow the
standard; that the vendor's segments look like this is modelled, no capture shows one.
"""

from __future__ import annotations

import functools

from typing import Final

from ..recorder._media import FRAME_RATE, GROUP, pictures
from ..recorder._ps import CLOCK_HZ, STREAM_TYPES, _crc, presentation_time


PACKET: Final = 188
TICKS: Final = CLOCK_HZ // FRAME_RATE
START: Final = CLOCK_HZ
"""The presentation time of a stream's first picture: one second."""
LOOP: Final = 10
"""Seconds of video that the assets hold."""

_PMT_PID, _VIDEO_PID = 0x1000, 0x100
_VIDEO_ID: Final = 0xE0
_AHEAD: Final = 9_000
"""How far the clock reference runs ahead of the presentation time: the decoder's buffer."""
_WRAP: Final = (1 << 33) - 1
_BODY: Final = PACKET - 4
_CLOCK: Final = 8
"""Bytes of an adaptation field with a clock reference."""
_DELIMITERS: Final = {"h264": b"\0\0\0\1\x09\xf0", "h265": b"\0\0\0\1\x46\x01\x50"}


def _table(pid: int, body: bytes, counter: int) -> bytes:
    """Return a packet that holds one table, of which *body* is all but length and checksum."""
    table = body[:1] + (0xB000 | len(body) - 1 + 4).to_bytes(2, "big") + body[1:]
    table += _crc(table).to_bytes(4, "big")
    head = bytes((0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10 | counter & 15, 0))
    return (head + table).ljust(PACKET, b"\xff")


def programs(counter: int) -> bytes:
    """Return the packet that says where the map of programme 1 is (PAT)."""
    entry = (1).to_bytes(2, "big") + (0xE000 | _PMT_PID).to_bytes(2, "big")
    return _table(0, b"\x00" + b"\x00\x01\xc1\x00\x00" + entry, counter)


def program_map(codec: str, counter: int) -> bytes:
    """Return the packet that says what the programme consists of (PMT)."""
    video = (0xE000 | _VIDEO_PID).to_bytes(2, "big")
    body = b"\x02" + b"\x00\x01\xc1\x00\x00" + video + b"\xf0\x00"
    body += bytes((STREAM_TYPES[codec],)) + video + b"\xf0\x00"
    return _table(_PMT_PID, body, counter)


def _unit(codec: str, number: int) -> bytes:
    """Return picture *number* of the loop as a PES payload: with its delimiter."""
    return _DELIMITERS[codec] + pictures(codec)[number]


def _pes(unit: bytes, tick: int) -> bytes:
    # A length of zero is allowed for video only: the packet ends where the next one begins.
    return b"\0\0\1" + bytes((_VIDEO_ID, 0, 0, 0x84, 0x80, 5)) + presentation_time(tick) + unit


def _packets_of(size: int) -> int:
    """Return how many packets a PES packet of *size* bytes fills."""
    return 1 + max(-(-(size - (_BODY - _CLOCK)) // _BODY), 0)


@functools.lru_cache(maxsize=4 * LOOP)
def video_packets(codec: str, second: int) -> int:
    """Return how many packets of video a second of the loop has."""
    first = second % LOOP * GROUP
    return sum(_packets_of(14 + len(_unit(codec, first + n))) for n in range(GROUP))


def _clock(tick: int, *, key: bool) -> bytes:
    """Return an adaptation field with a clock reference; a key frame is marked."""
    base = (tick - _AHEAD) & _WRAP
    flags = 0x10 | (0x40 if key else 0)
    return bytes((7, flags)) + (base << 15 | 0x3F << 9).to_bytes(6, "big")


def _filled(field: bytes, missing: int) -> bytes:
    """Lengthen an adaptation field, which may be empty, by *missing* bytes of stuffing."""
    if not missing:
        return field
    if not field:
        return bytes((missing - 1,)) + (b"\x00".ljust(missing - 1, b"\xff") if missing > 1 else b"")
    return bytes((field[0] + missing,)) + field[1:] + b"\xff" * missing


def frame(unit: bytes, tick: int, counter: int, *, key: bool) -> bytes:
    """Return the packets of one picture; the first has *counter*."""
    data, at = _pes(unit, tick), 0
    parts = []
    field = _clock(tick, key=key)
    while at < len(data):
        room = _BODY - len(field)
        piece = data[at : at + room]
        field = _filled(field, room - len(piece))
        control = (0x30 if field else 0x10) | counter & 15
        start = 0x40 if at == 0 else 0
        parts.append(bytes((0x47, start | _VIDEO_PID >> 8, _VIDEO_PID & 0xFF, control)))
        parts += (field, piece)
        at += len(piece)
        counter += 1
        field = b""
    return b"".join(parts)


def size(codec: str, first: int, seconds: int) -> int:
    """Return the bytes of *seconds* from second *first* of the loop on, by arithmetic."""
    loops, rest = divmod(seconds, LOOP)
    whole = sum(video_packets(codec, n) for n in range(LOOP)) if loops else 0
    some = sum(video_packets(codec, first + n) for n in range(rest))
    return (loops * whole + some + 2 * seconds) * PACKET


def segment(codec: str, first: int, begin: int, seconds: int) -> bytes:
    """Return a piece of a stream that begins with second *first* of the loop.

    Args:
        codec: ``h264`` or ``h265``.
        first: The second of the loop that the stream begins with.
        begin: Seconds of the stream before this piece: time stamps and counters go on from there.
        seconds: The length of the piece, which begins with a key frame.
    """
    counter = size(codec, first, begin) // PACKET - 2 * begin
    parts: list[bytes] = []
    for second in range(begin, begin + seconds):
        parts += (programs(second), program_map(codec, second))
        place = (first + second) % LOOP * GROUP
        for number in range(GROUP):
            tick = (START + (second * FRAME_RATE + number) * TICKS) & _WRAP
            parts.append(frame(_unit(codec, place + number), tick, counter, key=number == 0))
            counter += len(parts[-1]) // PACKET
    return b"".join(parts)
