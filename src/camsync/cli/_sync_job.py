"""The work of ``camsync sync``: read the configuration, run, write the figures, report."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .._places import absolute
from .._secret import Secret
from ..catalogue import Catalogue, Holdings, State
from ..download import Limiter
from ..errors import CamsyncError
from ..sync import EventKind, SyncEvent
from ..sync._hooks import Hooks
from ..sync._metrics import Metrics, Standing
from ._flags import trouble_of
from ._format import utc_text
from ._json import stamp
from ._json_lines import gave_up
from ._log_file import logging_into
from ._names import Names
from ._output import SAID, Output
from ._signals import Stop
from ._spending import Spending
from ._sync_connections import Connections
from ._sync_options import Request, catalogue_home
from ._sync_run import OnEvent, Outcome, Run, problem_event
from ._sync_show import Named, event_line, report_outcome, showing, unnamed
from ._watch import in_time, watch


_STOPPING = "stopping; once more ends at once"
_LEVELS = {
    EventKind.FETCHED: logging.INFO,
    EventKind.FOUND: logging.INFO,
    EventKind.FAILED: logging.WARNING,
    EventKind.GONE: logging.WARNING,
    EventKind.PROBLEM: logging.WARNING,
}
"""What the log gets a line for."""
_log = logging.getLogger("camsync.cli")


class Job:
    """One ``camsync sync``, however many runs it has.

    Args:
        catalogue: What ``--catalogue`` or its variable says.
        given: For ``--metrics`` and ``--log``.
        quiet: Whether only failures are worth a word.
    """

    def __init__(
        self,
        output: Output,
        request: Request,
        catalogue: Secret | None,
        *,
        given: Mapping[str, str],
        quiet: bool,
    ) -> None:
        self._output = output
        self._request = request
        self._catalogue = catalogue
        self._given = given
        self._quiet = quiet
        self._config = request.load()
        output.quiet = quiet
        self._limiter: tuple[object, Limiter | None] | None = None

    def once(self) -> int:
        """Run once and return the exit code."""
        with self._ready() as (connections, stop):
            outcome = self._run(connections, stop)
            code = outcome.code(stop)
            report_outcome(self._output, outcome, code=code, quiet=self._quiet)
        return code

    def watched(self, interval: dt.timedelta) -> int:
        """Run every *interval* until a signal comes; return its exit code."""
        spending = Spending(interval)
        with self._ready() as (connections, stop):

            def run() -> None:
                self._reload()
                outcome = self._run(connections, stop)
                code = outcome.code(stop)
                report_outcome(self._output, outcome, code=code, quiet=self._quiet)
                connections.keep_learnt()
                for warning in spending.after_run(connections):
                    self._warn(warning)

            watch(run, interval, stop, announce=self._announce, failed=self._failed)
        return stop.code

    @contextlib.contextmanager
    def _ready(self) -> Iterator[tuple[Connections, Stop]]:
        log = self._path("log", self._config.log)
        with logging_into(log), Connections(self._output, self._request.way) as connections:
            connections.ask(self._config.places)
            with Stop(self._output, _STOPPING) as stop, in_time(stop):
                yield connections, stop

    def _path(self, name: str, configured: Path | None) -> Path | None:
        return absolute(self._given[name]) if name in self._given else configured

    def _run(self, connections: Connections, stop: Stop) -> Outcome:
        config, names = self._config, Names.known()
        home: Any = catalogue_home(self._catalogue, config)  # a URL stays wrapped
        named = names.short if len(config.sources) > 1 else unnamed
        with (
            Hooks(config.hooks, cancel=stop) as hooks,
            showing(self._output, quiet=self._quiet, named=named, cancel=stop) as show,
        ):
            on_event = _both(show, hooks, named)
            try:
                with Catalogue(home) as catalogue:
                    outcome = Run(
                        config,
                        connections,
                        catalogue,
                        cancel=stop,
                        limiter=self._shared(),
                        on_event=on_event,
                    ).sync()
                    self._measure(outcome, names, catalogue)
            except CamsyncError as error:
                on_event(problem_event(error))
                self._measure(Outcome(), names, failed=True)
                raise
        return outcome

    def _shared(self) -> Limiter | None:
        """Return the limiter, the same one in all runs until the file says another limit."""
        if self._limiter is None or self._limiter[0] != self._config.bandwidth:
            self._limiter = self._config.bandwidth, self._config.limiter()
        return self._limiter[1]

    def _measure(
        self,
        outcome: Outcome,
        names: Names,
        catalogue: Catalogue | None = None,
        *,
        failed: bool = False,
    ) -> None:
        path = self._path("metrics", self._config.metrics)
        elsewhere = len(outcome.elsewhere)
        lost = len(outcome.errors) - elsewhere + failed
        if path is None or (elsewhere and not (lost or outcome.problems or outcome.reports)):
            return  # the other run has the figures
        metrics = Metrics(path)
        places = [place for place, _, _ in self._config.places]
        metrics.update(
            outcome.reports,
            problems=lost,
            untried=[problem.device for problem in outcome.problems],
            elsewhere=bool(elsewhere),
            standing=self._standing(outcome, catalogue),
            devices=names.devices(places),
        )
        try:
            metrics.write()
        except CamsyncError as error:  # the footage is here: that is what counts
            self._output.warning(str(error))

    def _standing(
        self, outcome: Outcome, catalogue: Catalogue | None
    ) -> dict[tuple[str, str], Standing]:
        """Return how things stand with all channels, where some may not have been looked at."""
        found: dict[tuple[str, str], Standing] = {}
        if catalogue is None or not (outcome.all_problems or outcome.errors):
            return found
        wanted = {task.dest for task in self._config.tasks()}
        with contextlib.suppress(CamsyncError):  # figures are no reason to lose a report
            for dest in wanted.intersection(catalogue.destinations()):
                for place, state in standing_of(catalogue.at(dest)):
                    found[place] = state.joined(found.get(place))
        return found

    def _warn(self, text: str) -> None:
        """Say what is worth knowing, and no failure."""
        _log.warning("%s", text, extra={SAID: True})
        if not self._quiet:
            self._output.warning(text)

    def _reload(self) -> None:
        """Read the file again; what is wrong with it now does not end what was right before."""
        try:
            fresh = self._request.load()
        except CamsyncError as error:
            self._failed(error)
            return
        if fresh != self._config:
            self._config = fresh
            if not self._quiet and not self._output.json:
                self._output.note("the configuration has changed, and was read again")

    def _announce(self, moment: dt.datetime) -> None:
        self._output.document({"event": "next", "at": stamp(moment)}, indent=None)
        if not self._quiet and not self._output.json:
            self._output.note(f"next run {utc_text(moment)}")

    def _failed(self, error: Exception) -> None:
        if isinstance(error, CamsyncError):
            _log.warning("%s", error, extra={SAID: True})
            _log.debug("a run failed", exc_info=error)
        else:
            _log.error("a run failed", exc_info=error, extra={SAID: True})
            step = "please report it, with what -vv prints"
            name = type(error).__name__
            error = CamsyncError(f"unexpected {name}: {error}", next_step=step)
        if self._output.json:
            gave_up(self._output, error)
        else:
            self._output.problem("error", error)


def standing_of(holdings: Holdings) -> Iterator[tuple[tuple[str, str], Standing]]:
    """Yield how things stand with each channel of a destination."""
    for known in holdings.channels():
        counts = Counter(entry.state for entry in trouble_of(holdings, known))
        state = Standing(
            watermark=known.mark.watermark,
            waiting=counts[State.FAILED],
            quarantined=counts[State.QUARANTINED],
        )
        yield (str(known.device), str(known.channel)), state


def _both(show: OnEvent, hooks: Hooks, named: Named) -> OnEvent:
    def on_event(event: SyncEvent) -> None:
        level = _LEVELS.get(event.kind)
        if level is not None:
            _log.log(level, "%s", event_line(event, named), extra={SAID: True})
        hooks(event)
        show(event)

    return on_event
