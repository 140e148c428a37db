"""Events, plans and reports as JSON: `camsync.models._documents` has what they are made of."""

from __future__ import annotations

from collections.abc import Iterable

from ..models import RecordingKey
from ..models._documents import (
    Document,
    ErrorDocument,
    downloaded_json,
    error_json,
    failed_json,
    progress_json,
    recording_json,
    stamp,
)
from ._values import Plan, PlanItem, Problem, SyncEvent, SyncReport, Totals


__all__ = ["event_json", "plan_json", "problem_json", "report_json"]


def totals_json(totals: Totals) -> Document:
    """Return how far the run is."""
    return {
        "files_done": totals.files_done,
        "files_total": totals.files_total,
        "bytes_done": totals.bytes_done,
        "bytes_total": totals.bytes_total,
        "rate": round(totals.rate, 1),
        "eta": None if totals.eta is None else round(totals.eta, 1),
    }


def event_json(event: SyncEvent, told: ErrorDocument = error_json) -> Document:
    """Return an event; what it is not about is left out."""
    document: Document = {
        "event": event.kind.value,
        "at": stamp(event.at),
        "device": event.device,
        "channel": event.channel,
        "message": event.message,
        "totals": totals_json(event.totals),
    }
    if event.recording is not None:
        document["recording"] = recording_json(event.recording)
    if event.progress is not None:
        document["progress"] = progress_json(event.progress)
    if event.file is not None:
        document["file"] = downloaded_json(event.file)
    if event.error is not None:
        document["error"] = told(event.error)
    if event.report is not None:
        document["report"] = report_json(event.report, told)
    return document


def problem_json(problem: Problem, told: ErrorDocument = error_json) -> Document:
    """Return what could not be looked at, and why."""
    return {
        "device": problem.device,
        "channel": problem.channel,
        "error": told(problem.error),
    }


def _uris(keys: Iterable[RecordingKey]) -> list[str]:
    return [key.uri for key in keys]


def report_json(report: SyncReport, told: ErrorDocument = error_json) -> Document:
    """Return what came of a run."""
    marks = [
        {"device": device, "channel": channel, "watermark": stamp(mark)}
        for (device, channel), mark in report.marks.items()
    ]
    return {
        "id": report.id,
        "dest": str(report.dest),
        "started": stamp(report.started),
        "finished": stamp(report.finished),
        "complete": report.complete,
        "downloaded": len(report.downloaded),
        "bytes": report.bytes,
        "found": len(report.found),
        "held": report.held,
        "in_progress": report.in_progress,
        "failed": [failed_json(each, told) for each in report.failed],
        "problems": [problem_json(each, told) for each in report.problems],
        "waiting": _uris(report.waiting),
        "quarantined": _uris(report.quarantined),
        "gone": _uris(report.gone),
        "left": report.left,
        "stopped": report.stopped,
        "stopped_by": None if report.stopped_by is None else told(report.stopped_by),
        "cancelled": report.cancelled,
        "marks": marks,
    }


def item_json(item: PlanItem) -> Document:
    """Return one recording of a plan, and what is to be done about it."""
    document: Document = {
        "key": item.key.uri,
        "device": item.key.device,
        "channel": item.key.channel,
        "verdict": item.verdict.value,
        "reason": item.reason,
        "start": stamp(item.key.start),
        "size": item.size,
    }
    if item.recording is not None:
        document["end"] = stamp(item.recording.end)
        document["channel_name"] = item.recording.channel_name
    return document


def plan_json(plan: Plan, told: ErrorDocument = error_json) -> Document:
    """Return what a run would do."""
    return {
        "dest": str(plan.dest),
        "made_at": stamp(plan.made_at),
        "bytes": plan.bytes,
        "unsized": plan.unsized,
        "items": [item_json(item) for item in plan.items],
        "problems": [problem_json(each, told) for each in plan.problems],
    }
