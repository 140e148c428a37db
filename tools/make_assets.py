"""Make the recorder simulator's video: two short elementary streams with a burnt-in clock.

Run it with PyAV installed; it writes ``src/camsync/testing/recorder/assets/clock.h264`` and
``clock.h265``: 640x360, 25 frames a second, ten seconds, one closed group of pictures a second,
no B-frames, an access unit delimiter before each picture (the simulator splits there and drops
the delimiters). The picture shows the time within the loop, the number of the frame and a bar that
sweeps from left to right, so that a test can tell which frame it looks at.

The encoders run with one thread and without rate control by wall time: the same versions of
libx264 and libx265 give the same bytes again.
"""

from __future__ import annotations

import argparse

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av


WIDTH, HEIGHT, RATE, SECONDS = 640, 360, 25, 10
ASSETS: Final = (
    Path(__file__).resolve().parent.parent / "src" / "camsync" / "testing" / "recorder" / "assets"
)
CELL: Final = 10
"""Size of one dot of the font in pixels."""

FONT: Final = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111",
    "3": "01110 10001 00001 00110 00001 10001 01110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "01110 10000 11110 10001 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00001 01110",
    ":": "00000 00100 00100 00000 00100 00100 00000",
    ".": "00000 00000 00000 00000 00000 01100 01100",
}

ENCODERS: Final = {
    "h264": (
        "libx264",
        {
            "preset": "slow",
            "threads": "1",
            "x264-params": "keyint=25:min-keyint=25:scenecut=0:bframes=0:open-gop=0:aud=1"
            ":repeat-headers=1:bitrate=200:vbv-maxrate=260:vbv-bufsize=260",
        },
    ),
    "h265": (
        "libx265",
        {
            "preset": "medium",
            "x265-params": "keyint=25:min-keyint=25:scenecut=0:bframes=0:open-gop=0:aud=1"
            ":repeat-headers=1:info=0:bitrate=140:vbv-maxrate=200:vbv-bufsize=200"
            ":pools=none:frame-threads=1:log-level=error",
        },
    ),
}


def _fill(luma: bytearray, left: int, top: int, width: int, height: int, value: int) -> None:
    row = bytes((value,)) * width
    for line in range(top, top + height):
        start = line * WIDTH + left
        luma[start : start + width] = row


def _write(luma: bytearray, text: str, left: int, top: int) -> None:
    for place, letter in enumerate(text):
        for line, dots in enumerate(FONT[letter].split()):
            for column, dot in enumerate(dots):
                if dot == "1":
                    x = left + (place * 6 + column) * CELL
                    _fill(luma, x, top + line * CELL, CELL, CELL, 235)


def picture(number: int) -> av.VideoFrame:
    """Draw frame *number* of the loop."""
    luma = bytearray(bytes(60 + x * 60 // WIDTH for x in range(WIDTH)) * HEIGHT)
    seconds, rest = divmod(number, RATE)
    _write(luma, f"00:{seconds:02d}.{rest * 100 // RATE:02d}", 60, 60)
    _write(luma, f"{number:04d}", 60, 170)
    left = number * (WIDTH - 40) // (RATE * SECONDS)
    _fill(luma, left - left % 2, 280, 40, 50, 200 - number % RATE * 4)
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane, data in zip(
        frame.planes,
        (luma, bytes((118,)) * (WIDTH * HEIGHT // 4), bytes((134,)) * (WIDTH * HEIGHT // 4)),
        strict=True,
    ):
        lines = (data[at : at + plane.width] for at in range(0, len(data), plane.width))
        plane.update(b"".join(bytes(line).ljust(plane.line_size, b"\0") for line in lines))
    frame.pts = number
    frame.time_base = Fraction(1, RATE)
    return frame


def encode(codec: str) -> bytes:
    """Encode the loop and return it as an Annex B stream."""
    name, options = ENCODERS[codec]
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(RATE), Fraction(1, RATE)
    encoder.options = options
    packets = [packet for n in range(RATE * SECONDS) for packet in encoder.encode(picture(n))]
    packets += encoder.encode(None)
    return b"".join(without_notes(bytes(packet), codec) for packet in packets)


def without_notes(unit: bytes, codec: str) -> bytes:
    """Drop the SEI messages: they carry the encoder's settings, which nobody needs here."""
    kept = []
    for nal in unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]:
        kind = nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63
        if kind not in ((6,) if codec == "h264" else (39, 40)):
            kept.append(b"\0\0\0\1" + nal)
    return b"".join(kept)


def main() -> None:
    """Write the two files and say how big they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ASSETS)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for codec in ENCODERS:
        data = encode(codec)
        (out / f"clock.{codec}").write_bytes(data)
        print(f"clock.{codec}: {len(data)} bytes")


if __name__ == "__main__":
    main()
