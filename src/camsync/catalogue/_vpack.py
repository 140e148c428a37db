"""VPACK's own tables as a `SyncLedger`."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from .._time import UTC, is_aware, to_utc
from ..models import Channel, Downloaded, Recording, RecordingKey


_HAS = "SELECT 1 FROM downloaded_files WHERE source_id = ? AND drive_file_id = ? LIMIT 1"
_ADD = """
INSERT INTO downloaded_files
    (source_id, camera_name, original_filename, local_file_path, file_size_bytes,
     download_timestamp, recording_start_time, recording_end_time, file_format, checksum,
     sync_batch_id, is_processed, drive_file_id, relative_path)
SELECT :source_id, :camera_name, :original_filename, :local_file_path, :file_size_bytes,
     :download_timestamp, :recording_start_time, :recording_end_time, :file_format, :checksum,
     :sync_batch_id, 0, :drive_file_id, :relative_path
WHERE NOT EXISTS
    (SELECT 1 FROM downloaded_files WHERE source_id = :source_id AND drive_file_id = :drive_file_id)
"""
_WATERMARK = """
SELECT last_file_timestamp FROM last_downloaded_file WHERE source_id = ? AND camera_name = ?
"""
_ADVANCE = """
INSERT INTO last_downloaded_file (source_id, camera_name, last_file_timestamp, last_download_time)
VALUES (:source_id, :camera_name, :moment, :now)
ON CONFLICT (source_id, camera_name) DO UPDATE
SET last_file_timestamp = excluded.last_file_timestamp,
    last_download_time = excluded.last_download_time
"""

Connect = Callable[[], "contextlib.AbstractContextManager[sqlite3.Connection]"]


class VpackLedger:
    """VPACK's ``downloaded_files``, and ``last_downloaded_file`` for the watermarks.

    Each call opens one connection by *connect*, runs one statement and commits: VPACK's connections
    must neither be nested nor kept. Do not call it while VPACK holds a transaction. What the
    database says (`sqlite3.Error`) passes through as VPACK raises it.

    Args:
        connect: VPACK's ``safe_db_connection``.
        source_id: The row of ``video_sources``.
        dest: The destination: the folder whose subfolders are the cameras. Needed if a layout puts
            files deeper than ``dest/camera/file``; without it a file's own folder is its camera.
        batch: The run, for ``sync_batch_id``.
        clock: Returns the present (aware).
    """

    def __init__(
        self,
        connect: Connect,
        source_id: int,
        *,
        dest: str | os.PathLike[str] | None = None,
        batch: str = "",
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(UTC),
    ) -> None:
        self._connect = connect
        self._source_id = source_id
        self._dest = dest
        self._batch = batch
        self._clock = clock

    def has(self, key: RecordingKey) -> bool:
        """Whether VPACK has (or had) the recording."""
        values = (self._source_id, key.uri)
        with self._connect() as connection:
            return connection.execute(_HAS, values).fetchone() is not None

    def add(self, recording: Recording, file: Downloaded) -> None:
        """Insert a row, unless there is one: in one statement, for VPACK has no unique key."""
        row = {
            "source_id": self._source_id,
            "sync_batch_id": self._batch or None,
            "download_timestamp": self._now(),
            **_row(recording, file),
            **_place(file, self._dest),
        }
        with self._connect() as connection:
            connection.execute(_ADD, row)
            connection.commit()

    def watermark(self, channel: Channel) -> dt.datetime | None:
        """Return what `advance` has noted, or None: also for what cannot be read as a time."""
        values = (self._source_id, _name(channel))
        with self._connect() as connection:
            found = connection.execute(_WATERMARK, values).fetchone()
        return None if found is None else _moment(found[0])

    def advance(self, channel: Channel, moment: dt.datetime) -> None:
        """Note the watermark of a channel."""
        row = {
            "source_id": self._source_id,
            "camera_name": _name(channel),
            "moment": to_utc(moment).isoformat(),
            "now": self._now(),
        }
        with self._connect() as connection:
            connection.execute(_ADVANCE, row)
            connection.commit()

    def _now(self) -> str:
        return self._clock().isoformat()


def _name(channel: Channel) -> str:
    """Return what tells a channel apart for ever: its name can be changed, its numbers cannot."""
    return f"{channel.device}/{channel.id}"


def _row(recording: Recording, file: Downloaded) -> dict[str, Any]:
    digest = getattr(file, "sha256", "")
    return {
        "original_filename": file.path.name,
        "local_file_path": os.fspath(file.path),
        "file_size_bytes": file.size,
        "recording_start_time": recording.start.isoformat(),
        "recording_end_time": recording.end.isoformat(),
        "file_format": file.path.suffix,
        "checksum": f"sha256:{digest}" if digest else None,
        "drive_file_id": recording.key.uri,
    }


def _place(file: Downloaded, dest: str | os.PathLike[str] | None) -> dict[str, str]:
    """Return the camera, for which VPACK takes the first folder, and the folders below it."""
    if dest is None:
        return {"camera_name": file.path.parent.name, "relative_path": ""}
    camera, *below = PurePath(os.path.relpath(file.path.parent, dest)).parts or ("",)
    return {"camera_name": camera, "relative_path": "/".join(below)}


def _moment(text: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return to_utc(moment) if is_aware(moment) else None
