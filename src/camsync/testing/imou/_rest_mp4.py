"""MP4 files of what was recorded: the transport stream of the footage, in another container."""

from __future__ import annotations

import functools
import hashlib
import io

from ._footage import Footage


_CUT = 10
"""Seconds of transport stream that are made at once."""


@functools.lru_cache(maxsize=32)
def mp4(footage: Footage) -> bytes:
    """Return an MP4 file of *footage*: the same pictures, and the same bytes each time.

    It needs PyAV, which the extra ``mp4`` brings.
    """
    import av

    stream = io.BytesIO(b"".join(piece.data() for piece in footage.cut(_CUT)))
    target = io.BytesIO()
    with av.open(stream, format="mpegts") as reading, av.open(target, "w", format="mp4") as writing:
        video = reading.streams.video[0]
        copy = writing.add_stream_from_template(video)
        for packet in reading.demux(video):
            if packet.dts is not None:
                packet.stream = copy
                writing.mux(packet)
    return target.getvalue()


@functools.lru_cache(maxsize=32)
def etag(footage: Footage) -> str:
    """Return a strong validator of the file."""
    return f'"{hashlib.sha256(mp4(footage)).hexdigest()[:24]}"'
