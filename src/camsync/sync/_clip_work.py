"""One call of `clip`: from the chosen recordings to the files under their names."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from .._cancel import check_cancelled
from .._time import TimeSpan
from ..download import download
from ..download._files import PartFile, disk_errors, require_space
from ..download._options import Options, media_stage
from ..download._progress import Reporter
from ..errors import (
    CamsyncError,
    CorruptMediaError,
    FootageGapError,
    RecordingInProgressError,
    RecordingNotFoundError,
    ShortReadError,
)
from ..models import Codec, Progress, Recording, Stage
from ..provider import Provider
from ._clip_held import Shelves
from ._clip_place import Made, Place
from ._clip_values import ClipPart


_RESOLUTION = dt.timedelta(seconds=1)
"""Recorders say when a recording began in whole seconds. Two that overlap by less do not."""

_FETCHING = frozenset({Stage.DOWNLOAD, Stage.VERIFY, Stage.REMUX, Stage.RETRY})
_LONGEST_ERROR = 1.0
"""Seconds by which the clip may be longer or shorter than what was put into it."""


def unfinished(span: TimeSpan) -> RecordingInProgressError:
    """Return the error for a span whose end is yet to come."""
    msg = f"the device is still writing the footage up to {span.end:%Y-%m-%d %H:%M:%S} UTC"
    return RecordingInProgressError(
        msg, next_step="come back a few minutes after that, or ask for an earlier end"
    )


def gap_error(missing: Iterable[TimeSpan]) -> FootageGapError:
    """Return the error for footage that is missing."""
    gaps = tuple(missing)
    more = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
    return FootageGapError(f"footage is missing {in_words(gaps[0])}{more}", gaps=gaps)


def in_words(span: TimeSpan) -> str:
    """Say from when to when."""
    return f"from {span.start:%Y-%m-%d %H:%M:%S} to {span.end:%Y-%m-%d %H:%M:%S} UTC"


def _cut(part: str = "") -> Any:
    media_stage()
    return importlib.import_module(f"camsync.download._cut{part}")


@attrs.define(kw_only=True)
class _Open:
    """A part that is being written."""

    part: PartFile
    splice: Any
    sources: list[Recording] = attrs.field(factory=list)


@attrs.define(kw_only=True)
class Clipping:
    """One call of `clip`, from the chosen recordings to the files under their names.

    Attributes:
        reached: Up to when there is footage in the parts, or a gap that was accepted.
    """

    provider: Provider
    options: Options
    span: TimeSpan
    split: bool
    tolerance: dt.timedelta
    shelves: Shelves
    place: Place
    folder: Path
    parts: contextlib.ExitStack
    reached: dt.datetime = attrs.field(init=False)
    _made: list[_Open] = attrs.field(factory=list, init=False)
    _writing: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack, init=False)
    _reporter: Reporter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.reached = self.span.start

    def run(self, picks: tuple[Recording, ...]) -> tuple[ClipPart, ...]:
        """Make the files."""
        followers = [*picks[1:], None]
        try:
            with self._writing:
                for number, (recording, follower) in enumerate(
                    zip(picks, followers, strict=True), 1
                ):
                    self._reporter = Reporter(
                        recording, self.options.on_event, index=number, count=len(picks)
                    )
                    self._take(recording, follower, number, len(picks))
                self._check_end(picks[-1])
            return self._finish()
        except CamsyncError as error:
            self._reporter.fail(error.message)
            raise

    # -- Recordings -------------------------------------------------------------------------------

    def _take(
        self, recording: Recording, follower: Recording | None, number: int, count: int
    ) -> None:
        """Append what *recording* shows of the span up to where its *follower* goes on."""
        film = self._film(recording, number, count)
        zero = self._zero(recording)
        end = zero + film.length
        until = min(end, self.span.end)
        if follower is not None and end - follower.start >= _RESOLUTION:
            until = min(until, follower.start)
        begin = max(zero, self.span.start)
        if begin < until:
            opened = self._part_for(film, begin)
            opened.sources.append(recording)
            self._append(opened, film, zero=zero, begin=begin, until=until)
            self.reached = min(opened.splice.end, until)
        if film.path.parent == self.folder:
            with disk_errors(film.path):
                film.path.unlink()

    def _zero(self, recording: Recording) -> dt.datetime:
        """Return when the first picture was taken, as exactly as can be known."""
        late = self.reached - recording.start
        if self._made and dt.timedelta(0) < late < _RESOLUTION:
            return self.reached
        return recording.start

    def _append(self, opened: _Open, film: Any, **times: dt.datetime) -> None:
        done = 0
        require_space(self.place.folder, 0, self.options.min_free)
        for size in opened.splice.add(film, **times, cancel=self.options.cancel):
            done += size
            self._reporter.advance(Stage.REMUX, done, film.size)

    def _part_for(self, film: Any, begin: dt.datetime) -> _Open:
        """Return the part that goes on with *film*: the last one, unless there is a gap."""
        gap = begin - self.reached > self.tolerance
        if gap and not self.split:
            raise gap_error([TimeSpan(self.reached, begin)])
        if not self._made:
            return self._new_part()
        last = self._made[-1]
        if not gap and last.splice.film.joins(film):
            return last
        if not self.split:
            change = f"from {last.splice.film.looks} to {film.looks}"
            msg = f"the format changes at {begin:%Y-%m-%d %H:%M:%S} UTC, {change}"
            raise FootageGapError(msg)
        self._writing.close()
        return self._new_part()

    def _new_part(self) -> _Open:
        part = self.parts.enter_context(self.place.part())
        splice = self._writing.enter_context(_cut().Splice(part.stream(), "camsync:clip"))
        self._made.append(_Open(part=part, splice=splice))
        return self._made[-1]

    def _check_end(self, last: Recording) -> None:
        missing = self.span.end - self.reached
        if missing <= self.tolerance:
            return
        if last.in_progress:
            raise unfinished(self.span)
        if not self.split:
            raise gap_error([TimeSpan(self.reached, self.span.end)])

    # -- Files ------------------------------------------------------------------------------------

    def _film(self, recording: Recording, number: int, count: int) -> Any:
        """Return the MP4 file of a recording: the one that is held, else fetched."""
        path = self.shelves.find(recording, self.options.cancel)
        if path is not None:
            try:
                film = self._held_film(path, recording, number)
            except (CorruptMediaError, ShortReadError):
                pass  # not what it looked like: fetched instead
            else:
                self._reporter.tell(Stage.SKIPPED, str(path))
                return film
        return _cut().look(self._fetch(recording, number, count))

    def _held_film(self, path: Path, recording: Recording, number: int) -> Any:
        held = _cut("_held")
        if held.is_film(path):
            return _cut().look(path)
        target = self.folder / f"{number:06d}-held.mp4"
        with disk_errors(target):
            opened = target.open("w+b", buffering=0)
        with opened as file:
            held.make_film(path, recording, file, self.options.cancel)
        return _cut().look(target)

    def _fetch(self, recording: Recording, number: int, count: int) -> Path:
        options = self.options

        def tell(event: Progress) -> None:
            if options.on_event is not None and event.stage in _FETCHING:
                options.on_event(attrs.evolve(event, file_index=number, file_count=count))

        done = download(
            self.provider,
            recording,
            self.folder / f"{number:06d}.mp4",
            on_event=tell,
            cancel=options.cancel,
            retry=options.retry,
            min_free=options.min_free,
            allow_in_progress=True,
        )
        return done.path

    def _finish(self) -> tuple[ClipPart, ...]:
        """Check the parts, and give them their names."""
        if not self._made:
            msg = f"there is no picture {in_words(self.span)}"
            raise RecordingNotFoundError(msg)
        ready = [self._ready(each) for each in self._made]
        check_cancelled(self.options.cancel)
        made = [
            Made(
                part=each.part,
                first=each.sources[0],
                last=each.sources[-1],
                start=max(each.splice.start, self.span.start),
                end=min(each.splice.end, self.span.end),
                created=each.splice.start.replace(microsecond=0),
            )
            for each in self._made
        ]
        paths = self.place.name(made)
        for path in paths:
            self._reporter.tell(Stage.DONE, str(path))
        return tuple(attrs.evolve(each, path=path) for each, path in zip(ready, paths, strict=True))

    def _ready(self, opened: _Open) -> ClipPart:
        """Open a part as a player would, and describe it."""
        self._reporter.tell(Stage.VERIFY)
        splice, file = opened.splice, opened.part.stream()
        info = media_stage().probe(file)
        covered = (splice.end - splice.start).total_seconds()
        if info.codec is Codec.UNKNOWN or abs(info.duration - covered) > _LONGEST_ERROR:
            msg = f"the clip should show {covered:.1f} s of video, but shows {info.duration:.1f}"
            raise CorruptMediaError(msg)
        return ClipPart(
            path=opened.part.path,
            start=splice.start,
            end=splice.end,
            duration=info.duration,
            size=file.seek(0, 2),
            sha256=opened.part.digest(self.options.cancel),
            sources=tuple(each.key for each in opened.sources),
            codec=info.codec,
            width=info.width,
            height=info.height,
            pictures=splice.pictures,
            notes=tuple(splice.notes),
        )
