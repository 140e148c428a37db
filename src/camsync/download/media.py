"""The media stage: MPEG to MP4 without re-encoding the picture. The only user of PyAV.

What FFmpeg's libraries need help with, each seen with PyAV 17 and 18 (FFmpeg 8.1):

* A demuxer that is left to guess takes some program streams for MP3, and a playlist could make it
  open other files: the format is given, from our own look at the first bytes.
* µ-law sound is known as such only behind an ``IMKH`` header and with a stream map: the reading
  starts at the header, and a missing map is put in.
* A packet without a decoding time is a frame like any other. Only an empty packet is a flush.
* A source that ends early remuxes without an error: `probe` measures what came out.
"""

from __future__ import annotations

import abc
import collections
import contextlib
import datetime as dt

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import attrs
import av

from .._cancel import CancelToken, check_cancelled
from .._time import to_utc
from ..errors import CorruptMediaError, DestinationError, DiskFullError
from ..models import Codec
from ._files import FULL
from ._source import Sink, Source
from ._timeline import Joints, Timeline
from ._walk import Head


_FORMATS = {"mpeg-ps": "mpeg", "mpeg-ts": "mpegts", "mp4": "mov"}
_CODECS = {
    "h264": Codec.H264,
    "hevc": Codec.H265,
    "mjpeg": Codec.MJPEG,
    "mpeg4": Codec.MPEG4,
}
_TAGS = {"h264": "avc1", "hevc": "hvc1"}
"""``hvc1`` because Apple's players refuse the ``hev1`` that FFmpeg would choose."""

_BUFFER = 1 << 18
_SOUND_FRAME = 1024
_SOUND_OPTIONS = {"aac_coder": "fast"}
"""The encoder's default needs ten times as long for telephone sound: 100 s for an hour of it."""

_SOUND_BITS = 4
"""Bits for a sample: half of what G.711 needs."""

_MOST_SOUND_BITS = 128_000

_MOST_HELD = 64
"""Packets of sound: where a clock begins anew, they come a moment before the picture's."""


@attrs.frozen(kw_only=True)
class Plan:
    """What `remux` has to know about the source and the result.

    Attributes:
        head: What the first bytes say.
        mapped: Whether a program stream has a stream map of its own.
        sound: Whether there are packets of sound.
        created: Start of the footage, for ``creation_time``.
        comment: A line for the file's comment.
        close_gaps: Whether time stamps that jump forward are joined.
    """

    head: Head
    mapped: bool = True
    sound: bool = False
    created: dt.datetime
    comment: str = ""
    close_gaps: bool = False


@attrs.frozen(kw_only=True)
class MediaInfo:
    """What an MP4 file turned out to hold."""

    codec: Codec
    width: int
    height: int
    fps: float | None
    duration: float


def probe(file: BinaryIO) -> MediaInfo:
    """Open an MP4 file as a player would.

    Raises:
        CorruptMediaError: It cannot be opened, or does not hold exactly one video stream.
    """
    file.seek(0)
    with _media_errors("the MP4 file cannot be read back"), contextlib.ExitStack() as stack:
        container = stack.enter_context(av.open(file, format="mov"))
        if len(container.streams.video) != 1:
            msg = f"the MP4 file holds {len(container.streams.video)} video streams"
            raise CorruptMediaError(msg)
        stream = container.streams.video[0]
        length = (stream.duration or 0) * (stream.time_base or 0)
        return MediaInfo(
            codec=_CODECS.get(stream.codec_context.name, Codec.UNKNOWN),
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            fps=float(stream.average_rate) if stream.average_rate else None,
            duration=float(length),
        )


def remux(
    source: BinaryIO,
    target: BinaryIO,
    plan: Plan,
    *,
    on_progress: Callable[[int], object] | None = None,
    cancel: CancelToken | None = None,
) -> tuple[str, ...]:
    """Write the first video stream and the sound of *source* as MP4 to *target*.

    The index goes to the end of the file ("faststart" would write every byte twice): a copy of
    the result that is cut short is then recognised as such by every player.

    Args:
        source: The recording as it came.
        target: An empty file.
        plan: What is known about both.
        on_progress: Is called with the bytes read so far.
        cancel: Is looked at between packets.

    Returns:
        Remarks on what was changed or left out.

    Raises:
        CorruptMediaError: There is no video in *source* that MP4 can hold.
        DiskFullError: No room for *target*.
        CancelledError: *cancel* was set.
    """
    files = Source(source, plan.head, mapped=plan.mapped), Sink(target)
    with (
        _media_errors("the recording cannot be put into an MP4 file", *files),
        contextlib.ExitStack() as stack,
    ):
        form = _FORMATS[plan.head.container]
        reading = stack.enter_context(av.open(files[0], format=form, buffer_size=_BUFFER))
        writing = stack.enter_context(write_mp4(files[1]))
        stage = _Remux(reading, writing, plan)
        for position in stage.run():
            check_cancelled(cancel)
            if on_progress is not None:
                on_progress(position)
        return tuple(stage.notes)


def write_mp4(file: Sink) -> Any:
    """Open *file* for writing MP4, in blocks: else FFmpeg writes every packet by itself."""
    options = {"flush_packets": "0"}
    return av.open(file, "w", format="mp4", buffer_size=_BUFFER, options=options)


@contextlib.contextmanager
def _media_errors(what: str, *files: Source | Sink) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, OSError, ValueError) as error:
        failure = next((file.failure for file in files if file.failure), None)
        if failure is None:
            reason = getattr(error, "strerror", None) or type(error).__name__
            msg = f"{what}: {reason}"
            raise CorruptMediaError(msg) from error
        msg = f"{what}: {failure.strerror}"
        full = failure.errno in FULL
        raise (DiskFullError(msg) if full else DestinationError(msg)) from failure


class _Remux:
    def __init__(self, reading: Any, writing: Any, plan: Plan) -> None:
        self.notes: list[str] = []
        self._reading = reading
        self._writing = writing
        videos = [stream for stream in reading.streams.video if stream.codec_context is not None]
        if not videos:
            msg = "FFmpeg finds no video in the recording"
            raise CorruptMediaError(msg)
        self._video = videos[0]
        self._joints = Joints() if plan.head.container == "mpeg-ts" else None
        self._times = Timeline(
            self._video, close_gaps=plan.close_gaps, joints=self._joints, leads=True
        )
        writing.metadata["creation_time"] = f"{to_utc(plan.created):%Y-%m-%dT%H:%M:%S.000000Z}"
        if plan.comment:
            writing.metadata["comment"] = plan.comment
        self._out = writing.add_stream_from_template(self._video)
        tag = _TAGS.get(self._video.codec_context.name)
        if tag is not None:
            self._out.codec_context.codec_tag = tag
        self._sound = self._find_sound(plan)
        self._note_the_rest(plan)

    def _find_sound(self, plan: Plan) -> _Sound | None:
        streams = self._reading.streams.audio
        if not streams:
            return None
        stream, name = streams[0], _codec_name(streams[0])
        try:
            if name == "aac" and stream.codec_context.sample_rate:
                return _CopiedSound(stream, self._writing, plan, self._joints)
            sound = _ConvertedSound(stream, self._writing, plan, self._joints)
        except (av.error.FFmpegError, ValueError, AttributeError) as error:
            self.notes.append(f"audio {name} dropped: it cannot be converted ({error})")
            return None
        self.notes.append(f"audio {name} transcoded to AAC")
        return sound

    def _note_the_rest(self, plan: Plan) -> None:
        used = {self._video.index} | ({self._sound.index} if self._sound else set())
        sounds = self._reading.streams.audio
        for stream in self._reading.streams:
            if stream.index not in used and stream not in sounds[:1]:
                self.notes.append(f"{stream.type} stream {_codec_name(stream)} dropped")
        if plan.sound and not sounds:
            self.notes.append("audio dropped: FFmpeg does not recognise it")

    def run(self) -> Iterator[int]:
        """Move all packets; yield the position in the source now and then."""
        begun = False
        picture, place, mux = self._video.index, self._times.place, self._writing.mux
        for packet in self._packets():
            if not packet.size:
                continue
            index = packet.stream_index
            if index == picture:
                if not begun:
                    self._begin(packet)
                    begun = True
                yield max(packet.pos or 0, 0)
                place(packet)
                packet.stream = self._out
                mux(packet)
            elif begun and self._sound is not None and index == self._sound.index:
                self._sound.take(packet)
        if not begun:
            msg = "FFmpeg finds no picture in the recording"
            raise CorruptMediaError(msg)
        if self._sound is not None:
            self.notes += self._sound.finish()

    def _packets(self) -> Iterator[Any]:
        packets: Iterator[Any] = self._reading.demux()
        return packets

    def _begin(self, packet: Any) -> None:
        stamp = packet.dts if packet.dts is not None else packet.pts
        origin = (stamp or 0) * self._times.base
        self._times.begin(origin)
        if self._sound is not None:
            self._sound.begin(origin)


class _Sound(abc.ABC):
    """A stream of sound on the clock of the picture; what comes before the picture is left out."""

    def __init__(self, stream: Any, writing: Any, plan: Plan, joints: Joints | None) -> None:
        self.index: int = stream.index
        self._writing = writing
        self._times = Timeline(stream, close_gaps=plan.close_gaps, joints=joints)
        self._held: collections.deque[Any] = collections.deque()

    def begin(self, origin: Fraction) -> None:
        """Make *origin*, in seconds of the source's clock, the zero."""
        self._times.begin(origin)

    def take(self, packet: Any) -> None:
        """Move one packet, or hold it until the picture has met the new clock, too."""
        self._held.append(packet)
        while self._held and (len(self._held) > _MOST_HELD or not self._times.waits(self._held[0])):
            self._place_next()

    def _place_next(self) -> None:
        packet = self._held.popleft()
        if self._times.place(packet) and packet.pts >= 0:
            self._move(packet)

    @abc.abstractmethod
    def _move(self, packet: Any) -> None: ...

    def finish(self) -> list[str]:
        """Move what is held back, and return remarks."""
        while self._held:
            self._place_next()
        return []


class _CopiedSound(_Sound):
    """AAC goes into MP4 as it is."""

    def __init__(self, stream: Any, writing: Any, plan: Plan, joints: Joints | None) -> None:
        super().__init__(stream, writing, plan, joints)
        self._out = writing.add_stream_from_template(stream)

    def _move(self, packet: Any) -> None:
        packet.stream = self._out
        self._writing.mux(packet)


class _ConvertedSound(_Sound):
    """G.711 and whatever else FFmpeg can decode becomes AAC."""

    def __init__(self, stream: Any, writing: Any, plan: Plan, joints: Joints | None) -> None:
        super().__init__(stream, writing, plan, joints)
        decoder = stream.codec_context
        if not decoder.sample_rate or not decoder.layout.nb_channels:
            msg = "its sampling rate is unknown"
            raise ValueError(msg)
        layout, channels = ("mono", 1) if decoder.layout.nb_channels == 1 else ("stereo", 2)
        decoder.open()
        self._rate: int = decoder.sample_rate
        self._resampler = av.AudioResampler("fltp", layout, self._rate, _SOUND_FRAME)
        self._out = writing.add_stream(
            "aac", rate=self._rate, layout=layout, options=_SOUND_OPTIONS
        )
        bits = min(_SOUND_BITS * self._rate * channels, _MOST_SOUND_BITS)
        self._out.codec_context.bit_rate = bits
        self._out.codec_context.open()
        self._samples = 0
        self._damaged = 0

    def _move(self, packet: Any) -> None:
        try:
            frames = self._decode(packet)
        except av.error.FFmpegError:
            self._damaged += 1
            return
        for frame in frames:
            self._place(frame)
            self._encode(frame)

    def _decode(self, packet: Any) -> list[Any]:
        return list(packet.decode())

    def _place(self, frame: Any) -> None:
        """Count samples, and follow the packets' clock only over a hole: the clock jitters."""
        heard = int((frame.pts or 0) * frame.time_base * self._rate)
        if heard > self._samples + self._rate // 2:
            self._samples = heard
        frame.pts, frame.time_base = self._samples, Fraction(1, self._rate)
        self._samples += frame.samples

    def _encode(self, frame: Any) -> None:
        for piece in self._resampler.resample(frame):
            self._writing.mux(self._out.encode(piece))

    def finish(self) -> list[str]:
        """Move what is held back, and return remarks."""
        super().finish()
        self._encode(None)
        self._writing.mux(self._out.encode(None))
        return [f"{self._damaged} damaged packets of sound left out"] if self._damaged else []


def _codec_name(stream: Any) -> str:
    context = stream.codec_context
    return str(context.name) if context is not None else "unknown"
