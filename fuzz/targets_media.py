"""Containers: what a device or a cloud sends as footage, and what stands on the disk already."""

from __future__ import annotations

import io
import struct

from camsync.download import _boxes, _ts, _walk
from camsync.testing.imou._ts import segment
from camsync.testing.recorder._media import program_stream
from fuzz.bombs import text_bombs
from fuzz.registry import target


_KILO = 1024
_LONGEST = 32 * _KILO
PACK = b"\0\0\1\xba\x44" + bytes(8) + b"\xf8"
_MIB = 1 << 20


def _stream(codec: str, **options: object) -> bytes:
    return b"".join(program_stream(codec, seconds=1.0, **options))  # type: ignore[arg-type]


def _program_streams() -> list[bytes]:
    short = [_stream("h264")[: 12 * _KILO], _stream("h265", audio="g711a")[: 12 * _KILO]]
    packet = b"\0\0\1\xe0\0\x03\x80\0\0"
    return [
        *short,
        PACK,
        PACK + packet * 1000,
        PACK * 10_000,
        PACK + b"\0\0\1\xe0\0\0" * 10_000,
        PACK + (b"\0\0\1\x01" + PACK) * 10_000,
        PACK + b"\0\0\1" * 300_000,
        PACK + b"\0\0\1\xba" * (_MIB // 4),
        PACK + b"\0\0\1\xbc\xff\xff" + b"\xff" * 70_000,
        PACK + b"\0\0\1\xbc\x03\xfa\xe0\xff\0\0\x03\xf0" + b"\x1b\xe0\0\0" * 252,
        PACK + bytes(_MIB),
        b"IMKH" + b"\xff" * 36 + PACK,
        *text_bombs("<html>"),
    ]


@target(
    "media-ps",
    _program_streams,
    [
        PACK,
        b"\0\0\1\xba",
        b"\0\0\1\xb9",
        b"\0\0\1\xbb\0\x06",
        b"\0\0\1\xbc",
        b"\0\0\1\xbe\0\x10",
        b"\0\0\1\xc0",
        b"\0\0\1\xe0\0\x0a\x80\x80\x05\x21\0\1\0\1",
        b"\0\0\1\xef\xff\xff",
        b"\0\0\1\0",
        b"IMKH",
        b"ftyp",
        b"\0" * 188,
    ],
    longest=_LONGEST,
)
def program_streams(data: bytes) -> None:
    """First bytes, and the walk through a program stream."""
    head = _walk.sniff(data[: _walk.HEAD])
    _walk.stream_map(head)
    if head.container == "mpeg-ps":
        _walk.walk_ps(io.BytesIO(data), head)


def _transport_streams() -> list[bytes]:
    packet = b"\x47\x41\0\x10" + bytes(184)
    out_of_step = b"\x47\x1f\xff\x10" + bytes(184)
    return [
        segment("h264", 0, 0, 2)[: 188 * 80],
        segment("h265", 0, 0, 2)[: 188 * 80],
        packet,
        packet * 1000,
        (out_of_step * 3 + b"\0") * 2000,
        (out_of_step + b"\x47\0") * 5000,
        b"\x47" * _MIB,
        b"\x47\0" * (_MIB // 2),
        (b"\x47" + bytes(187) + b"\x47" + bytes(186)) * 2800,
        b"\x47\x40\0\x3f\xff" + b"\xff" * 183,
        b"\x47\x40\0\x10\xff\0" + b"\xff" * 182,
        bytes(_MIB),
    ]


@target(
    "media-ts",
    _transport_streams,
    [
        b"\x47",
        b"\x47\x40\0\x10\0",
        b"\x47\x41\0\x30\x07\x50",
        b"\x47\x41\0\xd0",
        b"\x47\x1f\xff\x10",
        b"\0\xb0\x0d\0\1\xc1\0\0\0\1\xf0\0",
        b"\2\xb0\x12\0\1\xc1\0\0\xe1\0\xf0\0\x1b\xe1\0\xf0\0",
        b"\0\0\1\xe0\0\0\x80\xc0\x0a\x31\0\1\0\1\x11\0\1\0\1",
        b"\xff" * 184,
        b"\0" * 188,
    ],
    longest=_LONGEST,
)
def transport_streams(data: bytes) -> None:
    """The walk through a transport stream."""
    _walk.stream_map(_walk.Head(container="mpeg-ts"))
    _ts.walk_ts(io.BytesIO(data))


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _film(version: int = 0, created: int = 3_786_922_800, scale: int = 1000) -> bytes:
    layout = ">IQQIQ" if version else ">IIIII"
    times = struct.pack(layout, version << 24, created, created, scale, 4000) + bytes(80)
    entry = bytes(12) + b"avc1" + bytes(24) + struct.pack(">HH", 640, 360) + bytes(40)
    table = _box(b"stbl", _box(b"stsd", entry), _box(b"stsz", struct.pack(">III", 0, 0, 100)))
    handler = _box(b"hdlr", bytes(8), b"vide", bytes(12))
    media = _box(b"mdia", _box(b"mdhd", times), handler, _box(b"minf", table))
    text = _box(b"data", struct.pack(">II", 1, 0), b"camsync:hik://D/101/20240101T100000Z/x")
    meta = _box(b"udta", _box(b"meta", bytes(4), _box(b"ilst", _box(b"\xa9cmt", text))))
    movie = _box(b"moov", _box(b"mvhd", times), _box(b"trak", media), meta)
    return _box(b"ftyp", b"isom", bytes(4)) + _box(b"mdat", b"x" * 100) + movie


def _films() -> list[bytes]:
    deep = b""
    for _ in range(500):
        deep = _box(b"moov", deep)
    return [
        _film(),
        _film(1),
        _film(1, created=(1 << 64) - 1),
        _film(scale=0),
        _film(scale=1),
        _film()[:-1],
        deep,
        _box(b"free") * 100_000,
        _box(b"mdat") + _box(b"moov", _box(b"free") * 100_000),
        b"\0\0\0\1mdat\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\0\0\1mdat" + bytes(8),
        b"\0\0\0\0mdat",
        _box(b"mdat") + _box(b"moov", _box(b"udta", _box(b"meta"))),
    ]


@target(
    "media-mp4",
    _films,
    [
        *(
            kind
            for kind in (b"ftyp", b"mdat", b"moov", b"trak", b"mdia", b"mdhd", b"mvhd", b"hdlr")
        ),
        *(
            kind
            for kind in (b"minf", b"stbl", b"stsd", b"stsz", b"udta", b"meta", b"ilst", b"data")
        ),
        b"\xa9cmt",
        b"vide",
        b"soun",
        b"\0\0\0\1",
        b"\0\0\0\0",
        b"\0\0\0\x08free",
        b"\1\0\0\0",
    ],
    longest=_LONGEST,
)
def films(data: bytes) -> None:
    """The boxes of an MP4 file."""
    found = _boxes.read_mp4(io.BytesIO(data))
    _ = found.created.isoformat(), found.comment
