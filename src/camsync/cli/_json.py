"""The values as JSON, in the words of the command line. See the reference."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import CamsyncError
from ..models import Channel, Check, Failed, _documents
from ..models._documents import (
    Document,
    channel_json,
    device_json,
    downloaded_json,
    recording_json,
    recordings_json,
    span_json,
    stamp,
)
from ._advice import next_step, words


__all__ = [
    "JSON_FLAG",
    "Document",
    "channel_json",
    "check_json",
    "device_json",
    "downloaded_json",
    "error_json",
    "failed_json",
    "problems_json",
    "recording_json",
    "recordings_json",
    "span_json",
    "stamp",
]

JSON_FLAG = "--json"


def error_json(error: CamsyncError) -> Document:
    """Return everything that the error knows."""
    told = {"message": words(error.message), "next_step": next_step(error)}
    return _documents.error_json(error) | told


def failed_json(failed: Failed) -> Document:
    """Return what could not be fetched, and why."""
    return _documents.failed_json(failed, error_json)


def problems_json(problems: Sequence[tuple[Channel, CamsyncError]]) -> list[Document]:
    """Return the channels that could not be searched, and why."""
    return [
        {
            "device": channel.device,
            "channel": channel.id,
            "channel_name": channel.name,
            "error": error_json(error),
        }
        for channel, error in problems
    ]


def check_json(check: Check) -> Document:
    """Return one step of the connection test."""
    return {
        "name": check.name,
        "status": check.status.value,
        "seen": words(check.seen),
        "advice": words(check.advice),
        "category": None if check.category is None else check.category.value,
    }
