"""Events and reports as JSON: stable names, UTC times in ISO 8601, bytes, seconds."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterable
from typing import Any

from .._time import to_utc
from ..errors import CamsyncError
from ..models import Downloaded, Failed, Progress, Recording, RecordingKey
from ._values import Plan, PlanItem, Problem, SyncEvent, SyncReport, Totals


Document = dict[str, Any]


def stamp(moment: dt.datetime | None) -> str | None:
    """Return ``2026-09-26T00:13:39Z``."""
    return None if moment is None else to_utc(moment).isoformat().replace("+00:00", "Z")


def error_json(error: CamsyncError) -> Document:
    """Return what went wrong and what to do."""
    return {
        "type": type(error).__name__,
        "category": error.category.value,
        "message": error.message,
        "next_step": error.next_step,
        "vendor_code": error.vendor_code,
        "vendor_sub_code": error.vendor_sub_code,
        "http_status": error.http_status,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
    }


def recording_json(recording: Recording) -> Document:
    """Return the recording without its ``raw``."""
    return {
        "key": recording.key.uri,
        "device": recording.key.device,
        "channel": recording.key.channel,
        "channel_name": recording.channel_name,
        "stream": recording.key.stream,
        "start": stamp(recording.start),
        "end": stamp(recording.end),
        "size": recording.size,
        "kind": recording.kind.value,
        "in_progress": recording.in_progress,
    }


def file_json(file: Downloaded) -> Document:
    """Return what stands on disk now."""
    return {
        "path": str(file.path),
        "size": file.size,
        "sha256": file.sha256,
        "container": file.container,
        "codec": file.codec.value,
        "duration": file.duration,
        "start": stamp(file.start),
        "end": stamp(file.end),
        "existing": file.existing,
        "elapsed": round(file.elapsed, 3),
        "notes": list(file.notes),
    }


def progress_json(progress: Progress) -> Document:
    """Return how far one recording is."""
    return {
        "stage": progress.stage.value,
        "bytes_done": progress.bytes_done,
        "bytes_total": progress.bytes_total,
        "rate": round(progress.rate, 1),
        "eta": None if progress.eta is None else round(progress.eta, 1),
        "message": progress.message,
    }


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


def event_json(event: SyncEvent) -> Document:
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
        document["file"] = file_json(event.file)
    if event.error is not None:
        document["error"] = error_json(event.error)
    if event.report is not None:
        document["report"] = report_json(event.report)
    return document


def problem_json(problem: Problem) -> Document:
    """Return what could not be looked at, and why."""
    return {
        "device": problem.device,
        "channel": problem.channel,
        "error": error_json(problem.error),
    }


def failed_json(failed: Failed) -> Document:
    """Return what could not be fetched, and why."""
    return {"recording": recording_json(failed.recording), "error": error_json(failed.error)}


def _uris(keys: Iterable[RecordingKey]) -> list[str]:
    return [key.uri for key in keys]


def report_json(report: SyncReport) -> Document:
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
        "failed": [failed_json(each) for each in report.failed],
        "problems": [problem_json(each) for each in report.problems],
        "waiting": _uris(report.waiting),
        "quarantined": _uris(report.quarantined),
        "gone": _uris(report.gone),
        "left": report.left,
        "stopped": report.stopped,
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


def plan_json(plan: Plan) -> Document:
    """Return what a run would do."""
    return {
        "dest": str(plan.dest),
        "made_at": stamp(plan.made_at),
        "bytes": plan.bytes,
        "unsized": plan.unsized,
        "items": [item_json(item) for item in plan.items],
        "problems": [problem_json(each) for each in plan.problems],
    }
