"""One recording on its way to one file."""

from __future__ import annotations

import contextlib
import os
import time

from pathlib import Path
from typing import Any

import attrs

from .._cancel import check_cancelled
from ..errors import (
    CamsyncError,
    CorruptMediaError,
    DestinationError,
    RecordingInProgressError,
    ShortReadError,
)
from ..models import Codec, Downloaded, Recording, Stage
from ..provider import Provider
from ._ahead import Ahead, GrowingPart, NotMadeError
from ._beside import beside
from ._engine import Fetch
from ._existing import Shelf, end_of, mark
from ._files import PartFile, keep, make_folder, require_space, sweep
from ._options import Options, media_stage
from ._paths import EXTENSIONS, Names, names
from ._progress import Reporter
from ._verify import Verdict, check_duration, look, verify


class Job:
    """Brings one recording to one file."""

    def __init__(
        self, provider: Provider, recording: Recording, options: Options, reporter: Reporter
    ) -> None:
        self._provider = provider
        self._recording = recording
        self._options = options
        self._reporter = reporter
        self._as_mp4 = options.container == "mp4"
        self._begun = time.monotonic()

    def run(self) -> Downloaded:
        """Fetch the recording, unless it is there already.

        Raises:
            CamsyncError: It cannot be had. Nothing stands under its final name.
        """
        try:
            done = self._run()
        except CamsyncError as error:
            self._reporter.fail(error.message)
            raise
        self._reporter.tell(Stage.SKIPPED if done.existing else Stage.DONE, str(done.path))
        return done

    def _run(self) -> Downloaded:
        recording, options = self._recording, self._options
        check_cancelled(options.cancel)
        if recording.in_progress and not options.allow_in_progress:
            msg = "the device is still writing this recording"
            raise RecordingInProgressError(msg)
        shelf = Shelf(
            recording=recording,
            names=self._names(),
            extension="mp4" if self._as_mp4 else EXTENSIONS.get(recording.container, "mpg"),
            as_mp4=self._as_mp4,
            former=options.former,
            cancel=options.cancel,
        )
        existing = shelf.find()
        if existing is not None:
            sweep(existing.path)
            keep(existing.path)
            return existing
        target = self._free_place(shelf)
        make_folder(target.parent)
        sweep(target)
        self._require_space(target.parent, recording.size or 0)
        return self._bring(shelf, target)

    def _names(self) -> Names:
        recording, options = self._recording, self._options
        make = names if options.layout is None else options.layout.names
        camera = options.camera_of(recording)
        return make(recording, options.dest, options.container, options.timezone, camera=camera)

    def _free_place(self, shelf: Shelf) -> Path:
        """Return a path that may be used, before anything is fetched in vain."""
        for path in shelf.choose(shelf.extension):
            if not os.path.lexists(path) or shelf.may_replace(path):
                return path
        raise _taken(path)

    def _require_space(self, folder: Path, size: int) -> None:
        require_space(folder, size * (2 if self._as_mp4 else 1), self._options.min_free)

    def _bring(self, shelf: Shelf, target: Path) -> Downloaded:
        with contextlib.ExitStack() as stack:
            fetched = stack.enter_context(contextlib.ExitStack())
            part, ahead = self._open_part(target, fetched)
            fetch = Fetch(
                self._provider,
                self._recording,
                part,
                self._reporter,
                policy=self._options.retry,
                cancel=self._options.cancel,
                reserve=self._options.min_free,
            )
            verdict = fetch.run(lambda: self._verify(part, ahead, fetch.promised))
            if ahead is None:
                return self._place(shelf, part, verdict)
            plan = self._plan(verdict)
            try:
                film, verdict = self._made_ahead(part, ahead, plan, verdict, stack)
            except (NotMadeError, CorruptMediaError, ShortReadError):
                film = stack.enter_context(PartFile(target))
                verdict = self._check_film(film, verdict, self._remux(part, film, plan))
                return self._place(shelf, film, verdict)
            # Summing up is what is left to wait for: the disk can do its part meanwhile.
            with beside(fetched.close, lambda: keep(film.path)):
                sha256 = film.digest(self._options.cancel)
            return self._place(shelf, film, verdict, sha256)

    def _open_part(
        self, target: Path, stack: contextlib.ExitStack
    ) -> tuple[PartFile, Ahead | None]:
        """Create the file for the bytes as they come, and what makes a film of them, if wanted."""
        if not self._as_mp4:
            return stack.enter_context(PartFile(target, hashed=True, look=look)), None
        ahead = Ahead(target, self._plan, self._options.cancel)
        return stack.enter_context(GrowingPart(target, ahead=ahead, look=look)), ahead

    def _verify(self, part: PartFile, ahead: Ahead | None, promised: int | None) -> Verdict:
        if ahead is not None:
            ahead.end()
        self._reporter.tell(Stage.VERIFY)
        return verify(part.stream(), self._recording, promised, part.seen())

    def _made_ahead(
        self,
        part: PartFile,
        ahead: Ahead,
        plan: Any,
        verdict: Verdict,
        stack: contextlib.ExitStack,
    ) -> tuple[PartFile, Verdict]:
        """Return the film that was made while the bytes came, once it is checked.

        Raises:
            NotMadeError: There is none.
            CorruptMediaError: It is no good.
            ShortReadError: It is too short.
        """
        film, notes = ahead.film(plan, lambda done: self._note_film(done, part))
        self._note_film(part.size, part)
        with contextlib.ExitStack() as trial:
            verdict = self._check_film(trial.enter_context(film), verdict, notes)
            stack.enter_context(trial.pop_all())
        return film, verdict

    def _plan(self, verdict: Verdict) -> Any:
        return media_stage().Plan(
            head=verdict.head,
            mapped=verdict.mapped,
            sound=verdict.sound,
            created=self._recording.start,
            comment=mark(self._recording),
            close_gaps=verdict.close_gaps,
        )

    def _note_film(self, done: int, part: PartFile) -> None:
        self._reporter.advance(Stage.REMUX, done, part.size)

    def _remux(self, part: PartFile, film: PartFile, plan: Any) -> tuple[str, ...]:
        """Put the checked bytes into an MP4 file; return remarks."""
        require_space(film.path.parent, part.size, self._options.min_free)
        self._note_film(0, part)
        notes: tuple[str, ...] = media_stage().remux(
            part.stream(),
            film.stream(),
            plan,
            on_progress=lambda done: self._note_film(done, part),
            cancel=self._options.cancel,
        )
        return notes

    def _check_film(self, film: PartFile, verdict: Verdict, notes: tuple[str, ...]) -> Verdict:
        """Check the film itself, too, and add what it shows."""
        info = media_stage().probe(film.stream())
        if info.codec is Codec.UNKNOWN or not (info.width and info.height):
            msg = "the video cannot be decoded: codec or picture size are unknown"
            raise CorruptMediaError(msg)
        longer = check_duration(info.duration, self._recording)
        return attrs.evolve(
            verdict,
            codec=info.codec,
            duration=info.duration,
            width=info.width,
            height=info.height,
            fps=info.fps,
            # what the walk has noted about the length, it need not hear twice
            notes=verdict.notes + notes + (longer if verdict.duration is None else ()),
        )

    def _place(
        self, shelf: Shelf, part: PartFile, verdict: Verdict, sha256: str | None = None
    ) -> Downloaded:
        """Give *part* its name. Somebody else may have been faster, with this file or another."""
        check_cancelled(self._options.cancel)
        size = part.stream().seek(0, 2)
        sha256 = sha256 or part.digest(self._options.cancel)
        extension = "mp4" if self._as_mp4 else EXTENSIONS[verdict.head.container]
        for path in shelf.choose(extension):
            try:
                part.place(path)
            except FileExistsError:
                found = shelf.complete(path)
                if found is not None:
                    keep(path)
                    return found
                if not shelf.may_replace(path):
                    continue
                part.place(path, replace=True)
            return self._downloaded(path, size, sha256, verdict)
        raise _taken(path)

    def _downloaded(self, path: Path, size: int, sha256: str, verdict: Verdict) -> Downloaded:
        return Downloaded(
            recording=self._recording,
            path=path,
            size=size,
            container="mp4" if self._as_mp4 else verdict.head.container,
            start=self._recording.start,
            end=end_of(self._recording, verdict.duration),
            duration=verdict.duration,
            codec=verdict.codec,
            width=verdict.width,
            height=verdict.height,
            fps=verdict.fps,
            elapsed=time.monotonic() - self._begun,
            notes=verdict.notes,
            sha256=sha256,
        )


def _taken(path: Path) -> DestinationError:
    msg = f"{path} exists and is not known to hold this recording"
    return DestinationError(msg, next_step="move it away, or choose another destination")
