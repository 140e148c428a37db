"""What a sync shows while it goes on, and what it says at the end."""

from __future__ import annotations

import contextlib
import time

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from rich.progress import TaskID

from .._cancel import CancelToken
from .._time import utcnow
from ..models import Recording, RecordingKey, Stage
from ..sync import EventKind, Problem, SyncEvent, SyncReport, Totals
from ..sync._describe import event_json, problem_json, report_json
from ._advice import words
from ._bars import bars_on, bytes_text
from ._format import clean
from ._json import error_json, stamp
from ._output import Output
from ._progress import event_text, title
from ._sync_run import OnEvent, Outcome


_PAUSE = 3.0
_MOST_BARS = 12
_OVER = frozenset({EventKind.FETCHED, EventKind.FOUND, EventKind.FAILED})
_TROUBLES = frozenset({EventKind.FAILED, EventKind.PROBLEM, EventKind.GONE})


def totals_text(totals: Totals) -> str:
    """Return ``3/12 files, 100.0 MiB of 270.0 MiB, 4.5 MiB/s, ETA 0:38``."""
    amount = bytes_text(totals.bytes_done, totals.bytes_total, totals.rate, totals.eta)
    return f"{totals.files_done}/{totals.files_total} files, {amount}"


Named = Callable[[str], str]
"""What comes before the name of a camera: which recorder it is of, where there are several."""


def unnamed(_device: str) -> str:
    """Return nothing: there is but one recorder."""
    return ""


def event_line(event: SyncEvent, named: Named = unnamed) -> str:
    """Return an event as one line."""
    parts = (event.kind.value, _what(event, named), words(event.message))
    return clean(": ".join(part for part in parts if part))


def _what(event: SyncEvent, named: Named) -> str:
    if event.recording is not None:
        return _titled(event.recording, named)
    device = named(event.device) or event.device
    return f"{device} channel {event.channel}" if event.channel else device


def _titled(recording: Recording, named: Named) -> str:
    return clean(f"{named(str(recording.key.device))} {title(recording)}".strip())


@contextlib.contextmanager
def showing(
    output: Output, *, quiet: bool, named: Named = unnamed, cancel: CancelToken | None = None
) -> Iterator[OnEvent]:
    """Give the function that shows events: JSON lines, bars, lines now and then, or nothing.

    What is given up because *cancel* is set has not failed, and is not shown as if it had.
    """
    with _shown(output, quiet=quiet, named=named) as show:

        def on_event(event: SyncEvent) -> None:
            stopped = cancel is not None and cancel.is_set()
            if not (stopped and event.progress is not None):
                show(event)

        yield on_event


@contextlib.contextmanager
def _shown(output: Output, *, quiet: bool, named: Named) -> Iterator[OnEvent]:
    if output.json:
        yield lambda event: output.document(line_json(event), indent=None)
    elif quiet:
        yield _silent
    elif output.err.is_terminal:
        with Bars(output, named).running() as on_event:
            yield on_event
    else:
        yield Lines(output, named)


def _silent(event: SyncEvent) -> None:
    """Show nothing: what has failed is said at the end."""


def line_json(event: SyncEvent) -> dict[str, Any]:
    """Return an event as JSON, with advice in the words of the command line."""
    document = event_json(event, error_json)
    if event.error is not None:
        document["message"] = words(event.message)
    return document


def _remark(output: Output, event: SyncEvent, named: Named) -> None:
    """Print what stays worth reading: the end of the run does not repeat it."""
    what = _what(event, named)
    if event.error is not None:
        if what:  # else it has ended the whole run, whose end says it
            output.problem(f"{event.kind.value}: {clean(what)}", event.error)
    elif event.kind in _TROUBLES:
        output.note(event_line(event, named), "red")
    elif event.progress is not None and event.progress.stage is Stage.RETRY:
        what = _titled(event.progress.recording, named)
        output.note(f"{what}: {words(event.progress.message)}", "yellow")


class Lines:
    """Prints a line every few seconds, for log files and pipes."""

    def __init__(
        self,
        output: Output,
        named: Named = unnamed,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = output
        self._named = named
        self._clock = clock
        self._next = clock() + _PAUSE

    def __call__(self, event: SyncEvent) -> None:
        """Take one event."""
        _remark(self._output, event, self._named)
        if self._clock() < self._next or event.progress is None:
            return
        self._next = self._clock() + _PAUSE
        what = _titled(event.progress.recording, self._named)
        current = f"{what}: {event_text(event.progress)}"
        self._output.note(f"{totals_text(event.totals)}; {current}")


class Bars:
    """Keeps a bar for each download on the terminal, and one for the whole run."""

    def __init__(self, output: Output, named: Named = unnamed) -> None:
        self._output = output
        self._named = named
        self._bars: dict[RecordingKey, TaskID] = {}
        self._display = bars_on(output.err)

    @contextlib.contextmanager
    def running(self) -> Iterator[OnEvent]:
        """Show the bars while the block runs."""
        whole = self._display.add_task("all", total=None, figures="searching")
        with self._display:
            yield lambda event: self._show(event, whole)

    def _show(self, event: SyncEvent, whole: TaskID) -> None:
        _remark(self._output, event, self._named)
        if event.progress is not None:
            self._move(event)
        elif event.kind in _OVER and event.recording is not None:
            self._drop(event.recording.key)
        totals = event.totals
        figures = totals_text(totals) if totals.files_total else "searching"
        self._display.update(
            whole, completed=totals.bytes_done, total=totals.bytes_total or None, figures=figures
        )

    def _move(self, event: SyncEvent) -> None:
        progress = event.progress
        if progress is None or progress.stage in {Stage.DONE, Stage.SKIPPED, Stage.FAILED}:
            return
        key = progress.recording.key
        if key not in self._bars:
            if len(self._bars) >= _MOST_BARS:
                return
            name = _titled(progress.recording, self._named)
            self._bars[key] = self._display.add_task(name, total=None, figures="")
        self._display.update(
            self._bars[key],
            completed=progress.bytes_done,
            total=progress.bytes_total,
            # The reason of a retry stands above: here it would push the figures aside.
            figures="retry" if progress.stage is Stage.RETRY else event_text(progress),
        )

    def _drop(self, key: RecordingKey) -> None:
        bar = self._bars.pop(key, None)
        if bar is not None:
            self._display.remove_task(bar)


def outcome_json(outcome: Outcome, code: int) -> dict[str, Any]:
    """Return the last line of a run."""
    return {
        "event": "run",
        "at": stamp(utcnow()),
        "complete": outcome.complete,
        "code": code,
        "stopped": outcome.stopped,
        "reports": [report_json(report, error_json) for report in outcome.reports],
        "problems": [problem_json(each, error_json) for each in outcome.problems],
        "errors": [
            {"dest": str(dest), "error": error_json(error)} for dest, error in outcome.errors
        ],
    }


def report_outcome(output: Output, outcome: Outcome, *, code: int, quiet: bool) -> None:
    """Say what a run brought; *quiet* says nothing unless something has failed.

    What went wrong with a device or a recording was said when it did, unless *quiet* was asked for.
    """
    output.document(outcome_json(outcome, code), indent=None)
    if output.json or (quiet and not outcome.troubled):
        return
    say = output.note if quiet else output.line
    for report in outcome.reports:
        say(f"{report.dest}: {_summary(report)}")
        for failed in report.failed if quiet else ():
            output.problem(f"failed: {title(failed.recording)}", failed.error)
    if quiet:
        _show_problems(output, outcome)
    for report in outcome.reports:
        if report.stopped_by is not None:
            output.problem(f"stopped: {report.dest}", report.stopped_by)
    show_ends(output, outcome, quiet=quiet)


def _summary(report: SyncReport) -> str:
    """Return the report in words, without the error behind its end: that has lines of its own."""
    return str(report if report.stopped_by is None else attrs.evolve(report, stopped=""))


def show_problems(output: Output, outcome: Outcome) -> None:
    """Say on stderr what could not be looked at."""
    _show_problems(output, outcome)
    show_ends(output, outcome)


def _show_problems(output: Output, outcome: Outcome) -> None:
    for problem in outcome.all_problems:
        output.problem(f"problem: {_name(problem)}", problem.error)


def show_ends(output: Output, outcome: Outcome, *, quiet: bool = False) -> None:
    """Say on stderr which destinations could not be used, and what was not begun."""
    for dest, error in outcome.errors:
        if not (quiet and (dest, error) in outcome.elsewhere):
            output.problem(f"error: {dest}", error)
    if outcome.stopped and not quiet:
        output.note(f"not begun: {outcome.stopped}")


def _name(problem: Problem) -> str:
    return f"{problem.device} channel {problem.channel}" if problem.channel else problem.device
