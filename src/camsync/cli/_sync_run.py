"""One run over all sources of a configuration, with one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .._cancel import CancelToken
from .._time import utcnow
from ..catalogue import Catalogue
from ..download import Limiter
from ..errors import AuthenticationError, CamsyncError, Category, DestinationBusyError
from ..sync import EventKind, Plan, Problem, Source, SyncEvent, SyncReport, make_plan, sync
from ..sync._config import SyncConfig, Task
from ._exit import CODES, FAILED, OK, code_for
from ._place import said_at
from ._signals import Stop
from ._sync_connections import Connections


OnEvent = Callable[[SyncEvent], object]
_SPENT = "as much was fetched as the limits allow"


@attrs.define(kw_only=True)
class Outcome:
    """What a run brought.

    Attributes:
        reports: One for each task that could begin.
        plans: The same, of a dry run.
        problems: The sources that could not even be tried.
        errors: The destinations that could not be used, and why.
        stopped: Why tasks were left out, in words.
    """

    reports: list[SyncReport] = attrs.field(factory=list)
    plans: list[Plan] = attrs.field(factory=list)
    problems: list[Problem] = attrs.field(factory=list)
    errors: list[tuple[Path, CamsyncError]] = attrs.field(factory=list)
    stopped: str = ""

    @property
    def all_problems(self) -> list[Problem]:
        """Those of the reports and the plans, too."""
        parts: Sequence[SyncReport | Plan] = [*self.reports, *self.plans]
        return [*self.problems, *(each for part in parts for each in part.problems)]

    @property
    def complete(self) -> bool:
        """Whether everything that could be had is here."""
        done = all(report.settled for report in self.reports)
        return done and not (self.all_problems or self.errors or self.stopped)

    @property
    def nothing(self) -> bool:
        """Whether not a single channel could be looked at."""
        looked = any(report.marks for report in self.reports)
        return not looked and not any(plan.items for plan in self.plans)

    @property
    def elsewhere(self) -> list[tuple[Path, CamsyncError]]:
        """The destinations at which another run is at work: that one brings what is new."""
        return [each for each in self.errors if isinstance(each[1], DestinationBusyError)]

    @property
    def only_elsewhere(self) -> bool:
        """Whether nothing is amiss but that another run is at work."""
        done = all(report.settled for report in self.reports)
        busy = bool(self.errors) and self.elsewhere == self.errors
        return busy and done and not (self.all_problems or self.stopped)

    @property
    def troubled(self) -> bool:
        """Whether something has failed: not what waits, what a limit has left, or another run has."""
        ended = any(report.failed or report.stopped_by for report in self.reports)
        return ended or bool(self.all_problems) or self.elsewhere != self.errors

    @property
    def _busy(self) -> bool:
        """Whether the only device there is has refused whatever was asked for, being busy."""
        devices = {device for report in self.reports for device, _ in report.marks}
        came = any(report.downloaded or report.found for report in self.reports)
        found = [error for report in self.reports for error in report.errors]
        busy = bool(found) and all(error.category is Category.BUSY for error in found)
        others = self.problems or self.errors
        return busy and not came and not others and len(devices) == 1

    def code(self, stop: Stop | None = None) -> int:
        """Return the exit code: the leaf's own if one error has stopped everything."""
        if stop is not None and stop.is_set():
            return stop.code
        if self.complete:
            return OK
        if self.only_elsewhere:
            return code_for(self.elsewhere[0][1])
        if self._busy:
            return CODES[Category.BUSY]
        ends = {code_for(each.stopped_by) for each in self.reports if each.stopped_by is not None}
        if len(ends) == 1:
            return ends.pop()
        found = [error for _, error in self.errors] + [each.error for each in self.all_problems]
        codes = {code_for(error) for error in found}
        return codes.pop() if self.nothing and len(codes) == 1 else FAILED


@attrs.define
class _Budget:
    """What is left of the limits that hold for the whole run."""

    files: int = 0
    bytes: int = 0

    def options(self, task: Task) -> Mapping[str, Any] | None:
        """Return the options of a task; None when nothing is left for it."""
        options = dict(task.options)
        for name, spent in (("max_files", self.files), ("max_bytes", self.bytes)):
            limit = options.get(name)
            if limit is None or task.own_limits:
                continue
            options[name] = limit - spent
            if options[name] < 1:
                return None
        return options

    def spend(self, report: SyncReport) -> None:
        """Take off what a task has fetched."""
        self.files += len(report.downloaded)
        self.bytes += report.bytes


def problem_event(error: CamsyncError, device: str = "") -> SyncEvent:
    """Return what is told of an error; without a *device* it has ended more than that of one."""
    return SyncEvent(
        kind=EventKind.PROBLEM, at=utcnow(), device=device, error=error, message=error.message
    )


def _nobody(_event: SyncEvent) -> None:
    """Tell nobody."""


class _Told:
    """Passes the events of a task on, and says what has ended it: hooks must hear of that, too."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._begun = False

    def __call__(self, event: SyncEvent) -> None:
        if event.kind in {EventKind.STARTED, EventKind.FINISHED}:
            self._begun = event.kind is EventKind.STARTED
        self._on_event(event)

    def ended(self, dest: Path, error: CamsyncError) -> None:
        """Tell what has ended the task, and that it has ended, if it was told that it has begun."""
        self(problem_event(error))
        if self._begun:
            kind, message = EventKind.FINISHED, f"{dest}: {error.message}"
            self(SyncEvent(kind=kind, at=utcnow(), error=error, message=message))


class Run:
    """Goes through the tasks of a configuration, one after the other.

    Args:
        connections: Where the providers come from.
        limiter: What all tasks share.
        on_event: Gets each `SyncEvent`.
    """

    def __init__(
        self,
        config: SyncConfig,
        connections: Connections,
        catalogue: Catalogue,
        *,
        cancel: CancelToken,
        limiter: Limiter | None = None,
        on_event: OnEvent = _nobody,
    ) -> None:
        self._config = config
        self._connections = connections
        self._catalogue = catalogue
        self._cancel = cancel
        self._limiter = limiter
        self._on_event = on_event
        self.outcome = Outcome()

    def sync(self) -> Outcome:
        """Bring everything that is new. Only what concerns all tasks is raised."""
        budget = _Budget()
        for task in self._config.tasks():
            options = budget.options(task)
            if options is None:
                self.outcome.stopped = _SPENT
                continue
            told = _Told(self._on_event)
            more = {**options, "bandwidth": self._limiter, "on_event": told}
            report = self._task(task, sync, more, told)
            if report is not None:
                if report.stopped_by is not None:
                    told.ended(task.dest, report.stopped_by)
                budget.spend(report)
                self.outcome.reports.append(report)
        return self.outcome

    def plan(self) -> Outcome:
        """Say what `sync` would do."""
        for task in self._config.tasks():
            plan = self._task(task, make_plan, task.options)
            if plan is not None:
                self.outcome.plans.append(plan)
        return self.outcome

    def _task(
        self,
        task: Task,
        do: Callable[..., Any],
        options: Mapping[str, Any],
        told: _Told | None = None,
    ) -> Any:
        """Do a task; None if it could not be begun, or has come to no end of its own."""
        sources = [] if self._cancel.is_set() else self._sources(task)
        if not sources:
            return None
        try:
            done = do(
                sources,
                task.dest,
                catalogue=self._catalogue,
                cancel=self._cancel,
                **options,
            )
        except CamsyncError as error:
            self.outcome.errors.append((task.dest, error))
            if told is not None and not isinstance(error, DestinationBusyError):
                told.ended(task.dest, error)
            return None
        for problem in done.problems:
            if isinstance(problem.error, AuthenticationError):
                self._connections.refused(problem.device)
        return done

    def _sources(self, task: Task) -> list[Source]:
        sources = []
        for wish in task.wishes:
            try:
                with said_at(wish.named):
                    provider = self._connections.provider(wish.place, wish.account)
            except CamsyncError as error:
                self._problem(wish.place, error)
                continue
            sources.append(
                Source(
                    provider=provider,
                    channels=wish.channels,
                    since=wish.since,
                    label=wish.place,
                )
            )
        return sources

    def _problem(self, place: str, error: CamsyncError) -> None:
        self.outcome.problems.append(Problem(device=place, error=error))
        self._on_event(problem_event(error, place))
