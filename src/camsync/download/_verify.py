"""Is it complete, and is it the video that was announced?

A recorder's own word is worth little: ``Content-Length`` may be missing, zero or wrong, an error
may come with status 200, and a connection that ends early looks like one that ends. So the bytes
are compared with both promises, the container is walked from end to end, and the length in
seconds is compared with the search's.
"""

from __future__ import annotations

from typing import BinaryIO

import attrs

from ..errors import CorruptMediaError, ShortReadError
from ..models import Codec, Recording
from ._aside import Seen
from ._boxes import read_mp4
from ._ts import TsSummary, walk_ts
from ._walk import HEAD, Head, PsSummary, sniff, walk_ps
from ._window import Window


_SLACK = 2.0
_SLACK_SHARE = 0.05
_TOO_LONG = 2.0


@attrs.frozen(kw_only=True)
class Verdict:
    """What is known about bytes that passed.

    Attributes:
        duration: Seconds of video, or None when there are less than two pictures.
        mapped: Whether a program stream has a stream map.
        sound: Whether there are packets of sound.
        close_gaps: Whether jumps in the time stamps are an error of the clock, not gaps in the
            footage: with them, the video would be longer than announced.
        notes: What is odd but no reason to refuse.
    """

    head: Head
    codec: Codec
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    mapped: bool = True
    sound: bool = False
    close_gaps: bool = False
    notes: tuple[str, ...] = ()


def verify(
    file: BinaryIO, recording: Recording, promised: int | None, seen: Seen | None = None
) -> Verdict:
    """Check the bytes of *recording* in *file*, as the device has sent them.

    Args:
        file: The complete bytes.
        recording: What was announced.
        promised: Bytes that the stream has promised, or None.
        seen: What `look` has found in all of these bytes as they came, if it has.

    Raises:
        ShortReadError: Bytes or seconds are missing.
        CorruptMediaError: It is no video, or not this one.
    """
    size = file.seek(0, 2)
    if not size:
        msg = "the device sent nothing at all"
        raise ShortReadError(msg, expected=promised or recording.size, received=0)
    file.seek(0)
    head = sniff(file.read(HEAD))
    notes = _check_size(size, recording, promised)
    if head.container == "mp4":
        verdict = _verify_mp4(file, recording, head)
    else:
        found = _walk(file, head) if seen is None else seen.found()
        verdict = _verify_stream(found, recording, head, whole=size == recording.size)
    return attrs.evolve(verdict, notes=notes + verdict.notes)


def _check_size(size: int, recording: Recording, promised: int | None) -> tuple[str, ...]:
    """Compare with what was announced; either promise is enough, because either may be wrong."""
    announced = None if recording.in_progress else recording.size
    if size in {promised, announced}:
        return ()
    expected = announced if announced is not None else promised
    if expected is None:
        return ()
    if size < expected:
        msg = f"{size} of {expected} announced bytes arrived"
        raise ShortReadError(msg, expected=expected, received=size)
    return (f"{size - expected} bytes more than announced",)


def _verify_mp4(file: BinaryIO, recording: Recording, head: Head) -> Verdict:
    found = read_mp4(file)
    return Verdict(
        head=head,
        codec=found.codec,
        duration=found.seconds,
        width=found.width,
        height=found.height,
        fps=found.fps,
        notes=check_duration(found.seconds, recording),
    )


def look(window: Window) -> PsSummary | TsSummary | None:
    """Walk through a recording as it comes; an MP4 file shows what it is only as a whole.

    Raises:
        CorruptMediaError: It is no video.
    """
    head = sniff(window.at(0, HEAD))
    return None if head.container == "mp4" else _walk(window, head)


def _walk(source: BinaryIO | Window, head: Head) -> PsSummary | TsSummary:
    return walk_ts(source) if head.container == "mpeg-ts" else walk_ps(source, head)


def _verify_stream(
    found: PsSummary | TsSummary, recording: Recording, head: Head, *, whole: bool
) -> Verdict:
    if found.truncated and not whole:
        msg = "the recording breaks off in the middle of a packet"
        raise ShortReadError(msg, expected=recording.size)
    notes: tuple[str, ...] = ()
    if found.garbage:
        notes += (f"{found.garbage} bytes skipped that are no video",)
    if isinstance(found, TsSummary):
        notes += _holes(found)
    if found.truncated:
        notes += ("the last packet is cut short on the device already",)
    seconds, close_gaps = _length(found, recording)
    if close_gaps:
        notes += (f"jumps of {found.gaps:.0f} s in the time stamps closed",)
    if found.frames > 1:
        notes += check_duration(seconds, recording)
    return Verdict(
        head=head,
        codec=found.codec,
        duration=seconds if found.frames > 1 else None,
        mapped=found.mapped,
        sound=found.audio > 0,
        close_gaps=close_gaps,
        notes=notes,
    )


def _holes(found: TsSummary) -> tuple[str, ...]:
    lost = f"packets are missing at {found.lost} places" if found.lost else ""
    missing = f"{found.missing:.1f} s of video are missing in between" if found.missing else ""
    return tuple(note for note in (lost, missing) if note)


def _length(found: PsSummary | TsSummary, recording: Recording) -> tuple[float, bool]:
    """Return the seconds of a stream, and whether they are those without the gaps."""
    seconds = found.seconds + found.gaps
    if found.gaps and not recording.in_progress and seconds > _longest(recording):
        return found.seconds, True
    return seconds, False


def measure(file: BinaryIO, recording: Recording, head: Head) -> float | None:
    """Return the seconds of video in *file*, or None when it holds less than two pictures.

    Raises:
        CorruptMediaError: It is not what it begins like.
    """
    if head.container == "mp4":
        return read_mp4(file).seconds
    found = _walk(file, head)
    return _length(found, recording)[0] if found.frames > 1 else None


def _slack(recording: Recording) -> float:
    return max(_SLACK, _SLACK_SHARE * recording.duration.total_seconds())


def _longest(recording: Recording) -> float:
    return recording.duration.total_seconds() + _slack(recording)


def is_long_enough(seconds: float, recording: Recording) -> bool:
    """Whether *seconds* of video are what was announced: all but 2 s, or 5 % of a long one."""
    return seconds >= recording.duration.total_seconds() - _slack(recording)


def is_too_long(seconds: float, recording: Recording) -> bool:
    """Whether *seconds* of video are more than twice what was announced."""
    announced = recording.duration.total_seconds()
    return seconds > _TOO_LONG * announced + _slack(recording)


def check_duration(seconds: float, recording: Recording) -> tuple[str, ...]:
    """Compare the length of the video with the announced one.

    A recording that was still being written has an end in the future: nothing to compare.

    Raises:
        ShortReadError: It is too short; the numbers are seconds.
        CorruptMediaError: It is more than twice as long.
    """
    announced = recording.duration.total_seconds()
    if recording.in_progress:
        return ()
    if not is_long_enough(seconds, recording):
        msg = f"{seconds:.1f} of {announced:.1f} announced seconds of video arrived"
        raise ShortReadError(msg, expected=announced, received=seconds)
    if is_too_long(seconds, recording):
        msg = f"{seconds:.1f} s of video arrived, but {announced:.1f} s were announced"
        raise CorruptMediaError(msg)
    if seconds > _longest(recording):
        return (f"{seconds - announced:.1f} s longer than announced",)
    return ()
