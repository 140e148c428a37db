"""The state of a running download: a live display on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time

from collections.abc import Callable, Iterator, Sequence

import attrs

from rich.progress import TaskID

from .._cancel import CancelToken
from ..models import Progress as Event
from ..models import Recording, Stage
from ._advice import words
from ._bars import bars_on, bytes_text
from ._format import clean
from ._output import Output


_PAUSE = 3.0
"""Seconds between two plain lines."""
_FINAL = frozenset({Stage.DONE, Stage.SKIPPED, Stage.FAILED})

OnEvent = Callable[[Event], None]
Clock = Callable[[], float]


@attrs.define
class Tally:
    """How far the whole run is, added up from its events.

    Attributes:
        total: Bytes of all recordings, or None when one of them is unknown.
        files: How many recordings the run has.
        settled: How many of them are done, failed or were there already.
        fetched: Bytes fetched by files that are settled.
    """

    total: int | None
    files: int
    settled: int = 0
    fetched: int = 0
    _passed: int = 0
    _current: int = 0
    _begun: float = attrs.field(factory=time.monotonic)
    _clock: Clock = time.monotonic

    @classmethod
    def of(cls, recordings: Sequence[Recording], clock: Clock = time.monotonic) -> Tally:
        """Return the tally of a run that has not begun."""
        sizes = [recording.size for recording in recordings]
        known = [size for size in sizes if size is not None]
        total = sum(known) if len(known) == len(sizes) else None
        return cls(total=total, files=len(sizes), begun=clock(), clock=clock)

    def add(self, event: Event) -> None:
        """Take one event into account."""
        if event.stage not in _FINAL:
            # The bytes of the later stages, checking and remuxing, are the same ones again.
            if event.stage is Stage.DOWNLOAD:
                self._current = event.bytes_done
            return
        self.settled += 1
        self._passed += event.recording.size or self._current
        if event.stage is Stage.DONE:
            self.fetched += event.recording.size or self._current
        self._current = 0

    @property
    def done(self) -> int:
        """Bytes that need no more waiting: fetched, given up, or there before."""
        return self._passed + self._current

    @property
    def rate(self) -> float:
        """Bytes per second, on average since the run began."""
        elapsed = self._clock() - self._begun
        return (self.fetched + self._current) / elapsed if elapsed > 0 else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds left at that rate, or None while nobody can say."""
        if self.total is None or self.rate <= 0:
            return None
        return max(self.total - self.done, 0) / self.rate

    def text(self) -> str:
        """Return ``3/12 files, 100.0 MiB of 270.0 MiB, 4.5 MiB/s, ETA 0:38``."""
        amount = bytes_text(self.done, self.total, self.rate, self.eta)
        return f"{self.settled}/{self.files} files, {amount}"


def title(recording: Recording) -> str:
    """Return what people call the recording: its camera and its start."""
    return clean(f"{recording.channel_name} {recording.local_start:%Y-%m-%d %H:%M:%S}")


def event_text(event: Event) -> str:
    """Return what one event says about its file."""
    if event.stage is Stage.RETRY:
        return clean(event.message)
    if event.stage is not Stage.DOWNLOAD:
        return str(event.stage.value)
    return bytes_text(event.bytes_done, event.bytes_total, event.rate, event.eta)


@contextlib.contextmanager
def showing(
    output: Output, recordings: Sequence[Recording], cancel: CancelToken
) -> Iterator[OnEvent]:
    """Give the callback that shows a run's events on stderr while the block runs.

    What fails because *cancel* is set is not worth a line of its own.
    """
    tally = Tally.of(recordings)
    if not output.err.is_terminal:
        yield _unless(cancel, PlainProgress(output, tally))
        return
    with LiveProgress(output, tally).running() as on_event:
        yield _unless(cancel, on_event)


def _unless(cancel: CancelToken, show: OnEvent) -> OnEvent:
    def on_event(event: Event) -> None:
        if not cancel.is_set():
            show(event)

    return on_event


def _remark(output: Output, event: Event) -> None:
    """Print what stays worth reading: retries and failures."""
    if event.stage is Stage.RETRY:
        output.note(f"{title(event.recording)}: {words(event.message)}", "yellow")
    elif event.stage is Stage.FAILED:
        output.note(f"{title(event.recording)}: failed: {words(event.message)}", "red")


class PlainProgress:
    """Prints a line every few seconds, for log files and pipes."""

    def __init__(self, output: Output, tally: Tally, *, clock: Clock = time.monotonic) -> None:
        self._output = output
        self._tally = tally
        self._clock = clock
        self._next = clock() + _PAUSE

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self._tally.add(event)
        _remark(self._output, event)
        if self._clock() < self._next:
            return
        self._next = self._clock() + _PAUSE
        current = f"{title(event.recording)}: {event_text(event)}"
        self._output.note(f"{self._tally.text()}; {current}")


class LiveProgress:
    """Keeps two bars on the terminal: the file that is fetched, and the whole run."""

    def __init__(self, output: Output, tally: Tally) -> None:
        self._output = output
        self._tally = tally
        self._display = bars_on(output.err)

    @contextlib.contextmanager
    def running(self) -> Iterator[OnEvent]:
        """Show the bars while the block runs."""
        file = self._display.add_task("", total=None, figures="")
        whole = self._display.add_task("all", total=self._tally.total, figures="")
        with self._display:
            yield lambda event: self._show(event, file, whole)

    def _show(self, event: Event, file: TaskID, whole: TaskID) -> None:
        self._tally.add(event)
        _remark(self._output, event)
        self._display.update(
            file,
            description=title(event.recording),
            completed=event.bytes_done,
            total=event.bytes_total,
            # The reason of a retry stands above: here it would push the figures aside.
            figures="retry" if event.stage is Stage.RETRY else event_text(event),
        )
        self._display.update(
            whole, completed=self._tally.done, total=self._tally.total, figures=self._tally.text()
        )
