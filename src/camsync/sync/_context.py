"""What all threads of a run share: its options, its limits, its events, and how it stops."""

from __future__ import annotations

import queue
import threading
import time

from collections.abc import Callable

import attrs

from .._rate import Rate
from .._time import utcnow
from .._words import size_text
from ..errors import CamsyncError
from ..models import Downloaded, Failed, Progress, Recording, RecordingKey, Stage
from ._books import Books
from ._options import Options
from ._tree import Tree
from ._values import EventKind, PlanItem, Problem, SyncEvent, SyncReport, Totals, Verdict
from ._wishes import Wishes


_RATE_EVERY = 0.5
_ON_THE_WIRE = frozenset({Stage.DOWNLOAD, Stage.FAILED})


class Halt:
    """A cancel token: the caller's own, or the run's end."""

    def __init__(self, options: Options) -> None:
        self._cancel = options.cancel
        self._event = threading.Event()
        self._lock = threading.Lock()
        self.reason = ""
        self.error: CamsyncError | None = None

    def is_set(self) -> bool:
        """Whether the work should stop."""
        return self._event.is_set() or self.cancelled

    @property
    def cancelled(self) -> bool:
        """Whether it was the caller who wants it."""
        return self._cancel is not None and self._cancel.is_set()

    def stop(self, reason: str, error: CamsyncError | None = None) -> None:
        """End the run; the first reason counts."""
        with self._lock:
            if not self.reason:
                self.reason, self.error = reason, error
        self._event.set()


class Allowance:
    """How many files and bytes the run may still fetch."""

    def __init__(self, files: int | None, size: int | None) -> None:
        self._files = files
        self._size = self._most = size
        self._unsized = 0
        self._lock = threading.Lock()
        self.reason = ""

    def may_fit_later(self, recording: Recording) -> bool:
        """Whether *recording*, for which `take` had no room, is not too large as such."""
        with self._lock:
            return self._files == 0 or (self._size is not None and _size_of(recording) == 0)

    def take(self, recording: Recording) -> str:
        """Take what *recording* needs; return why not, if that is more than is left."""
        needed = _size_of(recording)
        with self._lock:
            objection = self._objection(needed)
            if not objection:
                self._files = None if self._files is None else self._files - 1
                self._size = None if self._size is None else self._size - needed
                self._unsized += not needed
            return objection

    def _objection(self, needed: int) -> str:
        if self._files == 0:
            return "as many files were fetched as max_files allows"
        if self._size is None or self._most is None:
            return ""
        if needed > self._most:
            sizes = f"{size_text(needed)}, {size_text(self._most)}"
            return f"a recording alone is larger than max_bytes allows ({sizes})"
        # Of several that nobody knows the size of, each could take all that is left.
        if self._size <= 0 or self._size < needed or (not needed and self._unsized):
            return "as many bytes were fetched as max_bytes allows"
        return ""

    def settle(self, recording: Recording, size: int | None) -> None:
        """Correct what was taken by what has come: *size* bytes, or nothing at all (None)."""
        with self._lock:
            if size is None and self._files is not None:
                self._files += 1
            self._unsized -= not _size_of(recording)
            if self._size is not None:
                self._size += _size_of(recording) - (size or 0)


def _size_of(recording: Recording) -> int:
    """Return how many bytes are announced; 0 if nobody knows."""
    return recording.size or recording.size_hint or 0


@attrs.define(kw_only=True)
class Tally:
    """What the report counts."""

    downloaded: list[Downloaded] = attrs.field(factory=list)
    found: list[Downloaded] = attrs.field(factory=list)
    failed: list[Failed] = attrs.field(factory=list)
    problems: list[Problem] = attrs.field(factory=list)
    verdicts: dict[Verdict, list[RecordingKey]] = attrs.field(
        factory=lambda: {verdict: [] for verdict in Verdict}
    )
    begun: set[RecordingKey] = attrs.field(factory=set)
    elsewhere: list[RecordingKey] = attrs.field(factory=list)
    items: list[PlanItem] = attrs.field(factory=list)


class Context:
    """The shared side of a run. Everything may be called from any thread.

    Attributes:
        halt: Set when the run ends early.
        now: The moment of the run, by this computer's clock.
        tally: What has come of it so far.
        complained: Whether the log has been told that the caller's function fails.

    Args:
        options: What the caller wants.
        books: What is here already.
        keeps: Whether each recording's verdict is kept, for a plan.
    """

    def __init__(
        self,
        options: Options,
        books: Books,
        *,
        keeps: bool = False,
    ) -> None:
        self.options = options
        self.books = books
        self.halt = Halt(options)
        self.allowance = Allowance(options.max_files, options.max_bytes)
        self.wishes = Wishes(options)
        self.tree = Tree(options.dest)
        self.now = utcnow()
        self.tally = Tally()
        self.complained = False
        self.events: queue.SimpleQueue[SyncEvent | BaseException | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._counter = Counter()
        self._keeps = keeps
        self._claimed: set[RecordingKey] = set()

    def tell(
        self,
        kind: EventKind,
        *,
        recording: Recording | None = None,
        device: str = "",
        channel: str = "",
        progress: Progress | None = None,
        file: Downloaded | None = None,
        error: CamsyncError | None = None,
        report: SyncReport | None = None,
        message: str = "",
    ) -> None:
        """Put an event into the queue, which the caller's thread empties."""
        if recording is not None:
            device, channel = str(recording.key.device), str(recording.key.channel)
        event = SyncEvent(
            kind=kind,
            at=utcnow(),
            device=device,
            channel=channel,
            recording=recording,
            progress=progress,
            file=file,
            error=error,
            report=report,
            totals=self._counter.totals(),
            message=message,
        )
        self.events.put(event)

    def problem(self, device: str, error: CamsyncError, channel: str = "") -> None:
        """Note that a device or a channel could not be looked at."""
        with self._lock:
            self.tally.problems.append(Problem(device=device, channel=channel, error=error))
        self.tell(
            EventKind.PROBLEM, device=device, channel=channel, error=error, message=error.message
        )

    def claim(self, key: RecordingKey) -> bool:
        """Whether nobody else of this run has found the recording: a device may be given twice."""
        with self._lock:
            fresh = key not in self._claimed
            self._claimed.add(key)
            return fresh

    def judged(self, item: PlanItem) -> None:
        """Note what is to be done about a recording."""
        with self._lock:
            self.tally.verdicts[item.verdict].append(item.key)
            if self._keeps:
                self.tally.items.append(item)
        if item.verdict is Verdict.FETCH:
            self._counter.due(item)
        if item.verdict is Verdict.GONE:
            self.tell(
                EventKind.GONE,
                device=str(item.key.device),
                channel=str(item.key.channel),
                message=f"{item.key} is not on the device any more, and was never fetched",
            )

    def elsewhere(self, key: RecordingKey) -> None:
        """Note that another worker, of another process or machine, has the recording."""
        self._counter.settled(key)
        with self._lock:
            self.tally.begun.add(key)
            self.tally.elsewhere.append(key)

    def begun(self, key: RecordingKey) -> None:
        """Note that a recording was begun."""
        with self._lock:
            self.tally.begun.add(key)

    def back(self, key: RecordingKey) -> None:
        """Note that a recording was begun and given back."""
        with self._lock:
            self.tally.begun.discard(key)

    def progressed(self, progress: Progress) -> None:
        """Pass on how a download goes."""
        if progress.stage in _ON_THE_WIRE:  # remuxing counts its bytes from the beginning again
            self._counter.bytes(progress.recording.key, progress.bytes_done)
        self.tell(EventKind.PROGRESS, recording=progress.recording, progress=progress)

    def done(self, file: Downloaded) -> None:
        """Note that a recording is here."""
        with self._lock:
            (self.tally.found if file.existing else self.tally.downloaded).append(file)
        self._counter.settled(file.recording.key)
        kind = EventKind.FOUND if file.existing else EventKind.FETCHED
        self.tell(kind, recording=file.recording, file=file, message=str(file.path))

    def handed_over(self, file: Downloaded) -> None:
        """Note that the host has been told of a file that was here already."""
        with self._lock:
            self.tally.found.append(file)
        self.tell(EventKind.FOUND, recording=file.recording, file=file, message=str(file.path))

    def failed(self, recording: Recording, error: CamsyncError) -> None:
        """Note that a recording could not be fetched."""
        with self._lock:
            self.tally.failed.append(Failed(recording=recording, error=error))
        self._counter.settled(recording.key)
        self.tell(EventKind.FAILED, recording=recording, error=error, message=error.message)


class Counter:
    """Files and bytes of the whole run, with a smoothed rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sizes: dict[RecordingKey, int | None] = {}
        self._came: dict[RecordingKey, int] = {}
        self._settled: set[RecordingKey] = set()
        self._bytes = self._announced = self._unsized = 0
        self._rate = Rate()
        self._last = (clock(), 0)

    def due(self, item: PlanItem) -> None:
        """Note that a recording is to be fetched."""
        with self._lock:
            self._sizes[item.key] = item.size
            self._announced += item.size or 0
            self._unsized += item.size is None

    def bytes(self, key: RecordingKey, done: int) -> None:
        """Note how many bytes of a recording have come; fewer than before after a retry."""
        with self._lock:
            self._bytes += done - self._came.get(key, 0)
            self._came[key] = done
            now = self._clock()
            then, before = self._last
            if now - then >= _RATE_EVERY:
                self._rate.measured(self._bytes - before, now - then)
                self._last = (now, self._bytes)

    def settled(self, key: RecordingKey) -> None:
        """Note that nothing more will come of a recording."""
        with self._lock:
            self._settled.add(key)
            self._came.pop(key, None)

    def totals(self) -> Totals:
        """Return how far the run is."""
        with self._lock:
            total = None if self._unsized else self._announced
            left = None if total is None else max(total - self._bytes, 0)
            return Totals(
                files_done=len(self._settled),
                files_total=len(self._sizes),
                bytes_done=self._bytes,
                bytes_total=total,
                rate=self._rate.value,
                eta=self._rate.seconds_for(left),
            )
