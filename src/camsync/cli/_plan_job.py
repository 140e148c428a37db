"""The work of ``camsync plan``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._secret import Secret
from ..catalogue import Catalogue
from ..sync import Plan, PlanItem, Verdict
from ..sync._describe import plan_json, problem_json
from ._advice import words
from ._format import length_text, size_text, utc_text
from ._json import error_json
from ._output import Output
from ._signals import Stop
from ._sync_connections import Connections
from ._sync_options import Request, catalogue_home
from ._sync_run import Outcome, Run
from ._sync_show import show_problems
from ._watch import in_time


_COLUMNS = ("what", "device?", "channel~", "start (UTC)", "length>", "size>", "why~")
_STOPPING = "stopping; once more ends at once"


def show_plan(
    output: Output, request: Request, catalogue: Secret | None, *, everything: bool
) -> int:
    """Make the plans of all tasks, show them, and return the exit code."""
    config = request.load()
    home: Any = catalogue_home(catalogue, config)  # a URL stays wrapped
    with Connections(output, request.way) as connections:
        connections.ask(config.places)
        with (
            Stop(output, _STOPPING) as stop,
            in_time(stop),
            Catalogue(home) as opened,
        ):
            outcome = Run(config, connections, opened, cancel=stop).plan()
            code = outcome.code(stop)
            _report(output, outcome, everything=everything)
    return code


def _report(output: Output, outcome: Outcome, *, everything: bool) -> None:
    output.document(
        {
            "plans": [plan_json(plan, error_json) for plan in outcome.plans],
            "problems": [problem_json(each, error_json) for each in outcome.problems],
            "errors": [
                {"dest": str(dest), "error": error_json(error)} for dest, error in outcome.errors
            ],
        }
    )
    if output.json:
        return
    for plan in outcome.plans:
        _show(output, plan, everything=everything)
    show_problems(output, outcome)


def _show(output: Output, plan: Plan, *, everything: bool) -> None:
    shown = [item for item in plan.items if everything or item.verdict is not Verdict.HELD]
    if shown:
        output.table("", _COLUMNS, _rows(shown))
    output.line(f"{plan.dest}: {plan}")


def _rows(items: Sequence[PlanItem]) -> Iterator[Sequence[str]]:
    for item in items:
        recording = item.recording
        name = "" if recording is None else recording.channel_name
        length = None if recording is None else recording.duration.total_seconds()
        yield (
            item.verdict.value,
            str(item.key.device),
            f"{item.key.channel} {name}".strip(),
            utc_text(item.key.start),
            f"{length_text(length)}+"
            if item.verdict is Verdict.IN_PROGRESS
            else length_text(length),
            size_text(item.size),
            words(item.reason),
        )
