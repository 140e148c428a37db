"""Recordings as a recorder hands them out: IMKH header and MPEG program stream, of any length.

The picture comes from two ten-second loops with a burnt-in clock (``assets``, made by
``tools/make_assets.py``). The loop is wrapped in packs once; then each second of it is copied and
its time stamps are rewritten. So a recording of any length needs constant memory, the same
arguments always give the same bytes, and the size is known without making a single one of them.
"""

from __future__ import annotations

import functools
import math

from collections.abc import Iterator
from importlib import resources
from typing import Final

import attrs

from ._ps import (
    AUDIO_ID,
    CLOCK_AT,
    CLOCK_HZ,
    CLOCK_SIZE,
    END_CODE,
    PTS_AT,
    PTS_SIZE,
    VIDEO_ID,
    clock_reference,
    envelope,
    imkh,
    pack_header,
    packets,
    padding,
    presentation_time,
    stream_map,
    system_header,
)


FRAME_RATE: Final = 25
GROUP: Final = 25
"""Frames from one key frame to the next."""

_TICKS: Final = CLOCK_HZ // FRAME_RATE
_WRAP: Final = (1 << 33) - 1
_DELIMITERS: Final = {"h264": b"\0\0\0\1\x09", "h265": b"\0\0\0\1\x46"}
_SAMPLES: Final = 8_000 // FRAME_RATE
_PADDING_PIECE: Final = 15 * (0xFFFF + 6)
"""About 1 MiB, a whole number of padding packets."""
CODECS: Final = ("h264", "h265")
AUDIO: Final = (None, "g711a", "g711u")


@functools.cache
def pictures(codec: str) -> tuple[bytes, ...]:
    """Return the access units of the ten-second loop, without delimiters."""
    asset = resources.files(__package__).joinpath("assets").joinpath(f"clock.{codec}")
    units = asset.read_bytes().split(_DELIMITERS[codec])[1:]
    return tuple(unit[unit.index(b"\0\0\0\1") :] for unit in units)


@functools.cache
def tone(audio: str) -> tuple[bytes, ...]:
    """Return a second of a 400 Hz tone in G.711, one piece per frame."""
    encode = _a_law if audio == "g711a" else _u_law
    wave = [round(8_000 * math.sin(math.tau * 400 * n / 8_000)) for n in range(8_000)]
    sound = bytes(encode(sample) for sample in wave)
    return tuple(sound[at : at + _SAMPLES] for at in range(0, len(sound), _SAMPLES))


def _a_law(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    level = min(sample if sample >= 0 else ~sample, 32_767) >> 4
    exponent = max(level.bit_length() - 4, 0)
    return (sign | exponent << 4 | level >> max(exponent - 1, 0) & 15) ^ 0x55


def _u_law(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    level = min(abs(sample), 32_635) + 132
    exponent = level.bit_length() - 8
    return ~(sign | exponent << 4 | (level >> exponent + 3 & 15)) & 0xFF


@attrs.frozen
class _Group:
    """A second of the loop in packs, with the places of its time stamps."""

    data: bytes
    clocks: tuple[int, ...]
    stamps: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]

    def at(self, tick: int, frames: int) -> bytes:
        """Return the first *frames* pictures, shown from *tick* on."""
        data = bytearray(self.data[: self.ends[frames - 1]])
        for place, stamps in zip(self.clocks[:frames], self.stamps, strict=False):
            now = tick & _WRAP
            data[place : place + CLOCK_SIZE] = clock_reference(now)
            shown = presentation_time(now)
            for stamp in stamps:
                data[stamp : stamp + PTS_SIZE] = shown
            tick += _TICKS
        return bytes(data)


@functools.lru_cache(maxsize=24)
def _groups(codec: str, audio: str | None, *, with_map: bool) -> tuple[_Group, ...]:
    units = pictures(codec)
    return tuple(
        _group(units[at : at + GROUP], codec, audio, with_map=with_map)
        for at in range(0, len(units), GROUP)
    )


def _group(units: tuple[bytes, ...], codec: str, audio: str | None, *, with_map: bool) -> _Group:
    data = bytearray()
    clocks, stamps, ends = [], [], []
    rate = 12_500
    for number, unit in enumerate(units):
        clocks.append(len(data) + CLOCK_AT)
        data += pack_header(rate)
        if number == 0:
            data += system_header(rate, audio=audio is not None)
            data += stream_map(codec, audio) if with_map else b""
        places = [len(data) + PTS_AT]
        data += packets(VIDEO_ID, unit)
        if audio is not None:
            places.append(len(data) + PTS_AT)
            data += packets(AUDIO_ID, tone(audio)[number])
        stamps.append(tuple(places))
        ends.append(len(data))
    return _Group(bytes(data), tuple(clocks), tuple(stamps), tuple(ends))


@functools.lru_cache(maxsize=2)
def _pad_piece() -> bytes:
    return padding(_PADDING_PIECE)


def _padding_sizes(size: int) -> Iterator[int]:
    """Cut *size* bytes of padding into pieces that need not be made anew."""
    if size < 6:
        return
    while size > 2 * _PADDING_PIECE:
        yield _PADDING_PIECE
        size -= _PADDING_PIECE
    yield size


@attrs.frozen(kw_only=True)
class ProgramStream:
    """One recording's bytes. Iterate over it to get them, as often as you like.

    Attributes:
        codec: ``h264`` or ``h265``.
        frames: Number of pictures, 25 to the second.
        audio: ``g711a``, ``g711u`` or None.
        bitrate: Bits a second that padding packets fill up to, or None for the loop's own rate.
        header: ``imkh`` (40 bytes), ``envelope`` (64 bytes) or ``none``.
        with_map: Whether a program stream map stands before key frames.
        end_code: Whether the end code closes the stream.
        begins: Seconds that the stream's clock shows at its first picture.
    """

    codec: str = attrs.field(default="h264", validator=attrs.validators.in_(CODECS))
    frames: int = attrs.field(validator=attrs.validators.ge(0))
    audio: str | None = attrs.field(default=None, validator=attrs.validators.in_(AUDIO))
    bitrate: int | None = None
    header: str = attrs.field(
        default="imkh", validator=attrs.validators.in_(("imkh", "envelope", "none"))
    )
    with_map: bool = True
    end_code: bool = False
    begins: int = 1

    @property
    def size(self) -> int:
        """The number of bytes, by arithmetic."""
        whole, rest = divmod(self.frames, GROUP)
        groups = self._groups()
        sizes = [len(group.data) + self._pad(group) for group in groups]
        loops, some = divmod(whole, len(groups))
        size = loops * sum(sizes) + sum(sizes[:some])
        if rest:
            size += groups[some].ends[rest - 1]
        return len(self._head()) + size + (len(END_CODE) if self.end_code else 0)

    def __iter__(self) -> Iterator[bytes]:
        head = self._head()
        if head:
            yield head
        groups = self._groups()
        for number in range(-(-self.frames // GROUP)):
            first = number * GROUP
            frames = min(GROUP, self.frames - first)
            group = groups[number % len(groups)]
            yield group.at(self.begins * CLOCK_HZ + first * _TICKS, frames)
            if frames == GROUP:
                yield from self._filling(group)
        if self.end_code:
            yield END_CODE

    def _filling(self, group: _Group) -> Iterator[bytes]:
        for size in _padding_sizes(self._pad(group)):
            yield _pad_piece() if size == _PADDING_PIECE else padding(size)

    def _groups(self) -> tuple[_Group, ...]:
        return _groups(self.codec, self.audio, with_map=self.with_map)

    def _pad(self, group: _Group) -> int:
        """Bytes of padding after a whole *group*; six is the shortest packet."""
        if self.bitrate is None:
            return 0
        missing = self.bitrate * GROUP // FRAME_RATE // 8 - len(group.data)
        return missing if missing >= 6 else 0

    def _head(self) -> bytes:
        header = imkh(self.codec, self.audio)
        return {"imkh": header, "envelope": envelope(header), "none": b""}[self.header]


def program_stream(
    codec: str = "h264",
    seconds: float = 10.0,
    *,
    audio: str | None = None,
    bitrate: int | None = None,
    header: str = "imkh",
    with_map: bool = True,
    end_code: bool = False,
) -> ProgramStream:
    """Return a recording of *seconds*: iterate for its bytes, ask `ProgramStream.size` for how many.

    The arguments are those of `ProgramStream`.
    """
    return ProgramStream(
        codec=codec,
        frames=round(seconds * FRAME_RATE),
        audio=audio,
        bitrate=bitrate,
        header=header,
        with_map=with_map,
        end_code=end_code,
    )
