"""The values as JSON: stable keys, UTC times in ISO 8601, bytes, seconds. See the reference."""

from __future__ import annotations

import datetime as dt

from collections.abc import Callable, Iterable
from typing import Any

from .._time import TimeSpan, to_utc
from ..errors import AccountLockedError, CamsyncError, CertificateError
from . import Channel, Device, Downloaded, Failed, Progress, Recording


Document = dict[str, Any]
ErrorDocument = Callable[[CamsyncError], Document]
"""Says an error in somebody's words: the library speaks of arguments, the command line of options."""


def stamp(moment: dt.datetime | None) -> str | None:
    """Return ``2026-09-26T00:13:39Z``; None for None."""
    return None if moment is None else to_utc(moment).isoformat().replace("+00:00", "Z")


def span_json(span: TimeSpan) -> Document:
    """Return the span's bounds."""
    return {"start": stamp(span.start), "end": stamp(span.end)}


def device_json(device: Device) -> Document:
    """Return the device without its ``raw``."""
    return {
        "provider": device.provider,
        "id": device.id,
        "name": device.name,
        "model": device.model,
        "firmware": device.firmware,
        "kind": device.kind.value,
    }


def channel_json(channel: Channel) -> Document:
    """Return the channel without its ``raw``."""
    return {
        "device": channel.device,
        "id": channel.id,
        "name": channel.name,
        "online": channel.online,
        "source": channel.source.value,
        "model": channel.model,
        "codec": channel.codec.value,
        "width": channel.width,
        "height": channel.height,
        "fps": channel.fps,
        "tracks": list(channel.tracks),
        "plan": channel.raw.get("plan"),
    }


def recording_json(recording: Recording) -> Document:
    """Return the recording; ``local_start`` is on the device's wall clock, null if unknown."""
    local = None if recording.utc_offset is None else recording.local_start.isoformat()
    return {
        "key": recording.key.uri,
        "device": recording.key.device,
        "channel": recording.key.channel,
        "channel_name": recording.channel_name,
        "stream": recording.key.stream,
        "start": stamp(recording.start),
        "end": stamp(recording.end),
        "local_start": local,
        "duration": recording.duration.total_seconds(),
        "size": recording.size,
        "size_hint": recording.size_hint,
        "kind": recording.kind.value,
        "in_progress": recording.in_progress,
        "container": recording.container,
    }


def recordings_json(recordings: Iterable[Recording]) -> list[Document]:
    """Return all *recordings*."""
    return [recording_json(recording) for recording in recordings]


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


def downloaded_json(done: Downloaded) -> Document:
    """Return what stands on disk now."""
    return {
        "key": done.recording.key.uri,
        "device": done.recording.key.device,
        "channel": done.recording.key.channel,
        "channel_name": done.recording.channel_name,
        "path": str(done.path),
        "size": done.size,
        "sha256": done.sha256,
        "container": done.container,
        "codec": done.codec.value,
        "width": done.width,
        "height": done.height,
        "fps": done.fps,
        "duration": done.duration,
        "start": stamp(done.start),
        "end": stamp(done.end),
        "existing": done.existing,
        "elapsed": round(done.elapsed, 3),
        "notes": list(done.notes),
    }


def error_json(error: CamsyncError) -> Document:
    """Return everything that the error knows."""
    document: Document = {
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
    if isinstance(error, AccountLockedError):
        document["unlock_at"] = stamp(error.unlock_at)
    if isinstance(error, CertificateError):
        document |= {"expected": error.expected, "actual": error.actual}
    return document


def failed_json(failed: Failed, told: ErrorDocument = error_json) -> Document:
    """Return what could not be fetched, and why."""
    return {"recording": recording_json(failed.recording), "error": told(failed.error)}
