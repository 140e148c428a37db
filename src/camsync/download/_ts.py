"""MPEG transport streams without a media library: what is in one, and is all of it there?

As with program streams nothing is trusted and memory stays the same. Layouts are those of
ISO 13818-1. A recording from HLS is many transport streams in a row: counters and time stamps may
begin anew at any table of programs, and where they do, nothing is missing.
"""

from __future__ import annotations

from typing import BinaryIO

import attrs

from ..errors import CorruptMediaError
from ..models import Codec
from ._stream import CLOCK, LONGEST_STEP, StreamSummary, Ticks, time_stamp
from ._window import FileWindow, Window


PACKET = 188
_SYNC = 0x47
_WINDOW = PACKET * 4096
_SURE = 3
"""Packets in a row that make a place a begin."""

_RESTART = CLOCK // 2
"""A step back that is longer than the reordering of pictures: the clock began anew."""

_HOLE, _HOLE_STEPS = CLOCK // 2, 5
"""A step that is longer than this, and than so many steps before it, leaves something out."""

_NO_PID = 0x1FFF
_VIDEO = {0x01: Codec.UNKNOWN, 0x02: Codec.UNKNOWN, 0x10: Codec.MPEG4}
_VIDEO |= {0x1B: Codec.H264, 0x24: Codec.H265}
_AUDIO = frozenset({0x03, 0x04, 0x0F, 0x11, 0x81, 0x83, 0x84, 0x87, 0x90, 0x91})
"""MPEG, AAC, AC-3 and, from cameras, G.711."""

_LOST_FLOOR = 20
_LOST_SHARE = 50


@attrs.frozen(kw_only=True)
class TsSummary(StreamSummary):
    """What a walk through a whole transport stream has found.

    Attributes:
        restarts: How often the time stamps begin anew.
        missing: Seconds by which single steps of the time stamps are too long, jumps left out.
        lost: Places at which the counters say that packets are missing.
    """

    restarts: int
    missing: float
    lost: int


def walk_ts(source: BinaryIO | Window) -> TsSummary:
    """Walk from packet to packet through *source*, a file or what is still coming.

    Raises:
        CorruptMediaError: There is no video, it is encrypted, or much of the file is no stream.
    """
    walk = _TsWalk(source if isinstance(source, Window) else FileWindow(source, _WINDOW))
    size = walk.run()
    summary = walk.summary()
    advice = "switch off the encryption of video in the vendor's app"
    summary.check(size, kind="transport", encrypted=advice)
    if summary.lost > max(_LOST_FLOOR, summary.video // _LOST_SHARE):
        msg = f"packets are missing at {summary.lost} places"
        raise CorruptMediaError(msg, next_step="try again; if it stays, it was recorded like that")
    return summary


class _Clock(Ticks):
    """Follows decoding times, over new begins too, and notes what is left out between two."""

    def __init__(self) -> None:
        super().__init__()
        self.restarts = self.missing = 0
        self._usual = 0

    def _length(self, step: int) -> int:
        """Return by how much a step makes the video longer: a jump is one picture like others."""
        if step > LONGEST_STEP:
            self.gaps += step
            return self._usual
        if step < -_RESTART:
            self.restarts += 1
            return self._usual
        if self._usual and step > max(_HOLE, _HOLE_STEPS * self._usual):
            self.missing += step - self._usual
        if step > 0:
            self._usual = step  # a camera that slows down leaves nothing out
        return step


class _TsWalk:
    def __init__(self, window: Window) -> None:
        self._window = window
        self._codec = Codec.UNKNOWN
        self._mapped = self._truncated = False
        self._maps: set[int] = set()
        self._video_pid = -1
        self._audio_pids: set[int] = set()
        self._counters: dict[int, int] = {}
        self._video = self._audio = self._scrambled = self._garbage = self._lost = 0
        self._clock = _Clock()

    def run(self) -> int:
        """Walk to the end; return the size."""
        position = 0
        while data := self._window.at(position, _WINDOW):
            whole = _in_step(data)
            self._packets(data, whole)
            position += whole
            if not whole:
                position += self._resync(data, last=len(data) < _WINDOW)
        return self._window.end

    def _resync(self, data: bytes, *, last: bool) -> int:
        """Pass over what is no packet; return how much."""
        if last and len(data) < PACKET and data[0] == _SYNC:
            self._truncated = True
            return len(data)
        at = data.find(_SYNC, 1)
        while at >= 0 and not _is_begin(data, at):
            at = data.find(_SYNC, at + 1)
        # near the end of the window nobody can be sure: look again from there
        skipped = at if at >= 0 else max(len(data) - (0 if last else _SURE * PACKET), 1)
        self._garbage += skipped
        return skipped

    def _packets(self, data: bytes, whole: int) -> None:
        """Take packets that are in step. Most are the next piece of a picture, and no more."""
        heads = zip(data[1:whole:PACKET], data[2:whole:PACKET], data[3:whole:PACKET], strict=True)
        counters = self._counters
        for index, (flags, low, control) in enumerate(heads):
            pid = (flags & 0x1F) << 8 | low
            counter = control - 0x10
            plain = flags < 0x40 and pid == self._video_pid  # noqa: PLR2004 - no start, no error
            if plain and counter == (counters.get(pid, _NO_PID) + 1) & 15:
                counters[pid] = counter
                self._video += 1
            else:
                self._packet(data, index * PACKET)

    def _packet(self, data: bytes, at: int) -> None:
        flags, control = data[at + 1], data[at + 3]
        pid = (flags & 0x1F) << 8 | data[at + 2]
        if flags & 0x80 or pid == _NO_PID or not control & 0x10:
            return
        begin = at + 4
        restarted = False
        if control & 0x20:
            begin += 1 + data[begin]
            restarted = data[at + 4] > 0 and data[at + 5] & 0x80 != 0
        self._count(pid, control & 15, restarted=restarted)
        starts = flags & 0x40 != 0
        if pid == self._video_pid:
            self._video += 1
            self._scrambled += control & 0xC0 != 0
            if starts and not control & 0xC0:
                self._note_picture(data[begin : min(begin + 19, at + PACKET)])
        elif pid in self._audio_pids:
            self._audio += 1
        elif starts and (pid == 0 or pid in self._maps):
            self._note_table(pid, data[begin : at + PACKET])

    def _count(self, pid: int, counter: int, *, restarted: bool) -> None:
        """Compare a counter with the one before. A table of programs begins a new reckoning."""
        before = self._counters.get(pid)
        if pid == 0 and before is not None and counter != (before + 1) & 15:
            self._counters.clear()
        elif before is not None and not restarted:
            self._lost += counter not in {before, (before + 1) & 15}
        self._counters[pid] = counter

    def _note_table(self, pid: int, payload: bytes) -> None:
        """Read a table that fits into its packet, as those of one program do."""
        table = payload[1 + payload[0] :] if payload else b""
        length = int.from_bytes(table[1:3], "big") & 0xFFF
        body = table[8 : 3 + length - 4]
        if pid == 0 and table[:1] == b"\x00":
            self._maps = {
                int.from_bytes(body[at + 2 : at + 4], "big") & 0x1FFF
                for at in range(0, len(body) - 3, 4)
                if body[at : at + 2] != b"\0\0"  # the network's own table
            }
        elif pid and table[:1] == b"\x02":
            self._note_map(body)

    def _note_map(self, body: bytes) -> None:
        at = 4 + (int.from_bytes(body[2:4], "big") & 0xFFF)
        video, audio = _NO_PID, set()
        while at + 5 <= len(body):
            kind, pid = body[at], int.from_bytes(body[at + 1 : at + 3], "big") & 0x1FFF
            if kind in _VIDEO and video == _NO_PID:
                video = pid
                self._codec = _VIDEO[kind]
            elif kind in _AUDIO:
                audio.add(pid)
            at += 5 + (int.from_bytes(body[at + 3 : at + 5], "big") & 0xFFF)
        if video != _NO_PID:
            self._mapped, self._video_pid, self._audio_pids = True, video, audio

    def _note_picture(self, head: bytes) -> None:
        """Read the decoding time of a picture; without one, it is the presentation time."""
        if head[:3] != b"\0\0\1" or len(head) < 14 or not head[7] & 0x80:  # noqa: PLR2004
            return
        both = head[7] & 0x40 and len(head) >= 19  # noqa: PLR2004
        self._clock.add(time_stamp(head[14:19] if both else head[9:14]))

    def summary(self) -> TsSummary:
        """Return what was found so far."""
        return TsSummary(
            codec=self._codec,
            mapped=self._mapped,
            video=self._video,
            audio=self._audio,
            frames=self._clock.count,
            seconds=self._clock.seconds,
            gaps=self._clock.gaps / CLOCK,
            restarts=self._clock.restarts,
            missing=self._clock.missing / CLOCK,
            lost=self._lost,
            garbage=self._garbage,
            truncated=self._truncated,
            scrambled=self._scrambled,
        )


def _in_step(data: bytes) -> int:
    """Return how many bytes from the begin on are packets, by their sync bytes alone."""
    whole = len(data) // PACKET
    syncs = data[: whole * PACKET : PACKET]
    good = len(syncs) - len(syncs.lstrip(b"\x47"))
    return good * PACKET


def _is_begin(data: bytes, at: int) -> bool:
    """Whether packets begin at *at*: one sync byte may be a coincidence, three hardly are."""
    syncs = data[at : at + _SURE * PACKET : PACKET]
    return at + _SURE * PACKET <= len(data) and syncs.count(_SYNC) == len(syncs)
