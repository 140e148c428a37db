"""Footage for the benchmarks: 1080p at about 8 Mbit/s, in packets as recorders write them.

The simulator's clock is a small picture, and what it adds to reach a bit rate are a few long
padding packets, which cost a reader next to nothing. Here every picture is filled up with filler
data (an H.264 NAL unit of type 12, which decoders skip), so that a GiB has as many packets of
5 KiB as one of a recorder has, and all of it goes through the remuxer.
"""

from __future__ import annotations

import sys

from pathlib import Path

from camsync.testing.recorder import _media, _ps


RATE = 1_000_000
"""Bytes of a second: 8 Mbit/s."""


def write(path: Path, size: int) -> tuple[int, float]:
    """Write a recording of about *size* bytes; return its bytes and seconds."""
    groups = _padded()
    count, written = max(size // RATE, 2), 0
    with path.open("wb") as file:
        written += file.write(_ps.imkh("h264", None))
        for number in range(count):
            tick = _ps.CLOCK_HZ * (number + 1)
            written += file.write(groups[number % len(groups)].at(tick, _media.GROUP))
    return written, float(count)


def _padded() -> list[_media._Group]:
    """Return the seconds of the loop with every picture as large as a recorder's."""
    units = _media.pictures("h264")
    each = RATE // _media.FRAME_RATE
    filled = [unit + _filler(each - len(unit)) for unit in units]
    return [
        _media._group(tuple(filled[at : at + _media.GROUP]), "h264", None, with_map=True)  # noqa: SLF001
        for at in range(0, len(filled) - _media.GROUP + 1, _media.GROUP)
    ]


def _filler(size: int) -> bytes:
    """Return a NAL unit that says nothing."""
    return b"\0\0\0\1\x0c" + b"\xff" * max(size - 6, 1) + b"\x80"


if __name__ == "__main__":
    print(*write(Path(sys.argv[1]), int(sys.argv[2])))
