"""`Work`: what happens to a recording between being seen and being on disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .._places import absolute
from ..errors import (
    CamsyncError,
    CancelledError,
    Category,
    ConfigurationError,
    DestinationBusyError,
)
from ..models import Downloaded, RecordingKey
from . import _steps
from ._book import unknown
from ._codec import exact, from_seconds, shown, to_seconds
from ._rows import Rows
from ._schema import RECORDING, UNSETTLED
from ._sql import is_in
from ._values import CLAIMED, Entry, State


_FIRST_WAIT = 15 * 60
_LONGEST_WAIT = 24 * 3600
_LONGEST_DOUBTFUL_WAIT = 3600
_DOUBT = 8
_WEEK = 7 * 24 * 3600
_DOUBLINGS = 10
_THEIRS = frozenset(
    {
        Category.MEDIA,
        Category.DEVICE,
        Category.PROTOCOL,
        Category.NOT_FOUND,
        Category.UNSUPPORTED,
    }
)
"""Failures that the recording itself may be to blame for."""
_MAYBE_THEIRS = frozenset({Category.NETWORK, Category.BUSY})
_MORE_PATIENCE = 4
_OF_THE_MOMENT = frozenset({Category.NETWORK, Category.BUSY, Category.DISK})
"""Failures that may be over by the next run."""


class Work(Rows):
    """Planning, leasing, and what comes of it."""

    def plan(self, keys: Iterable[RecordingKey], *, batch: str) -> int:
        """Note that the run *batch* wants to fetch *keys*; return for how many that is new."""
        return self._change(keys, _steps.PLAN, batch=batch)

    def lease(self, key: RecordingKey, *, owner: str, seconds: float, begin: bool = False) -> bool:
        """Claim a recording for *owner*; False if somebody else has it, or nothing is left to do.

        Of all who ask at a time one gets it. A lease that has run out is anybody's.

        Args:
            seconds: For how long; see `renew`.
            begin: Note in the same step that its transfer begins; see `begin`.
        """
        step = _steps.LEASE_AND_BEGIN if begin else _steps.LEASE
        return self._change([key], step, **_lease(owner, self._now(), seconds)) == 1

    def renew(self, owner: str, seconds: float) -> int:
        """Make all leases of *owner* last for *seconds* from now; return how many there are."""
        mine = (self._mine(), UNSETTLED, is_in(*CLAIMED), RECORDING.c.lease_owner == owner)
        update = RECORDING.update().where(*mine).values(_lease(owner, self._now(), seconds))
        with self._catalogue.writing() as connection:
            return connection.execute(update).rowcount

    def release(self, key: RecordingKey, *, owner: str | None = None) -> None:
        """Give up a lease: the recording is `State.SEEN` again.

        Args:
            owner: Whose lease it was. If somebody else has leased it meanwhile, nothing is changed.
                None gives up anybody's.
        """
        if owner is None:
            self._change([key], _steps.RELEASE)
        else:
            self._change([key], _steps.RELEASE_OWN, lease_owner=owner)

    def begin(self, key: RecordingKey, *, owner: str) -> None:
        """Note that a transfer begins; the lease stays as long as it was.

        Raises:
            ConfigurationError: The catalogue does not know *key*.
            DestinationBusyError: Somebody else has leased it.
        """
        row = self._row(key)
        if self._change([key], _steps.BEGIN, lease_owner=owner, lease_from=self._now()):
            return
        with self._catalogue.reading() as connection:
            other = connection.execute(sa.select(RECORDING.c.lease_owner).where(*row)).scalar()
        if other is None:
            raise unknown(key)
        msg = f"{key} is being fetched by another run ({other})"
        raise DestinationBusyError(msg)

    def verified(self, file: Downloaded, *, batch: str, sha256: str = "") -> None:
        """Note that a file is complete and under its final name, be it new or found there.

        Args:
            sha256: Hexadecimal digest of the file; empty when it was not read. The digest of what
                had this name before is then not forgotten because a file was found: `reconcile`
                says whether it still is that file.

        Raises:
            ConfigurationError: The file is not below the destination.
        """
        values = {
            "in_progress": int(file.recording.in_progress),
            "start": to_seconds(file.recording.start),
            "end": to_seconds(_end(file)),
            "path": self._relative(file.path),
            "file_size": file.size,
            "duration": file.duration,
            "container": file.container,
            "codec": file.codec.value,
            "batch": batch,
            "done_at": self._now(),
        }
        unread = _steps.VERIFY_FOUND if file.existing else _steps.VERIFY_UNREAD
        step = _steps.VERIFY if sha256 else unread
        if sha256:
            values["sha256"] = sha256
        if not self._change([file.recording.key], step, **values):
            self.observe([file.recording], batch=batch)
            self._change([file.recording.key], step, **values)

    def failed(
        self,
        key: RecordingKey,
        error: CamsyncError,
        *,
        quarantine_after: int = 5,
        doubtful: bool = False,
        owner: str | None = None,
    ) -> Entry:
        """Note that a run could not fetch a recording, and when to try again.

        The first pause takes 15 minutes; each failure doubles it, up to 24 hours. After a broken
        connection or a full disk the first try is due at once, but after what has not failed. A
        cancelled transfer is no failure. One that is held already stays held.

        Args:
            quarantine_after: After so many failures in a row the recording is tried only once a
                week. Only those count that it may be to blame for: a full disk or a refused login
                is no fault of its own, and of a broken connection it takes four times as many.
            doubtful: It may be the whole device, of which nothing else could be fetched either:
                then no pause is longer than an hour, and it takes eight times as many. See
                `quarantine`.
            owner: Who has failed. If somebody else has leased it meanwhile, nothing is changed.

        Raises:
            ConfigurationError: The catalogue does not know *key*.
        """
        entry = self.find([key]).get(key)
        if entry is None:
            raise unknown(key)
        if isinstance(error, CancelledError):
            self.release(key, owner=owner)
        else:
            limit = quarantine_after * (_DOUBT if doubtful else 1)
            longest = _LONGEST_DOUBTFUL_WAIT if doubtful else _LONGEST_WAIT
            values = self._failure(entry.failures + 1, error, limit, longest)
            if owner is None:
                self._change([key], _steps.FAIL, **values)
            else:
                self._change([key], _steps.FAIL_OWN, **values, lease_owner=owner)
        return self.find([key])[key]

    def quarantine(self, keys: Collection[RecordingKey], *, after: int = 5) -> int:
        """Leave alone, for a week each time, what has failed so often; return how much that is.

        Args:
            keys: What has failed while others of the same device did not.
            after: See `failed`.
        """
        hopeless = [
            entry.key
            for entry in self.find(keys).values()
            if entry.failures >= _patience(entry.error_category, after)
        ]
        return self._change(hopeless, _steps.REST, next_try=self._now() + _WEEK)

    def _failure(
        self, failures: int, error: CamsyncError, limit: int, longest: int
    ) -> dict[str, Any]:
        at_once = error.category in _OF_THE_MOMENT
        pauses = min(failures - 1 - at_once, _DOUBLINGS)
        wait = min(_FIRST_WAIT * 2**pauses, longest) if pauses >= 0 else 0
        hopeless = failures >= _patience(error.category.value, limit)
        state = State.QUARANTINED if hopeless else State.FAILED
        code = " ".join(filter(None, (type(error).__name__, error.vendor_sub_code)))
        return {
            "state": state.value,
            "failures": failures,
            "error": shown(error.message),
            "error_category": error.category.value,
            "error_code": shown(code),
            "next_try": self._now() + (_WEEK if hopeless else wait),
        }

    def missed(self, keys: Collection[RecordingKey]) -> list[RecordingKey]:
        """Note that a complete search has not listed *keys*; return those that are gone now.

        A recorder whose disk is not up yet lists nothing, and one that is repaired lists what it
        had: only what is missed twice, `MISSED_FOR` apart, is gone.
        """
        entries = self.find(keys).values()
        lost = [entry.key for entry in entries if entry.missed_for(from_seconds(self._now()))]
        self._change(keys, _steps.MISS, missed_at=self._now())
        self.gone(lost)
        return lost

    def elsewhere(self, keys: Iterable[RecordingKey]) -> None:
        """Note that the host's own table has recordings: they are not to be fetched.

        They are `State.VERIFIED` without a path. What is held below the destination stays as it is.
        """
        self._change(keys, _steps.ELSEWHERE, done_at=self._now())

    def gone(self, keys: Iterable[RecordingKey]) -> None:
        """Note that the device has lost recordings; those that are held stay held.

        One that was to be fetched again, for it had become longer or its file was changed, is held
        again with the file that is there; only what that lacks is lost (`Entry.lost_end`).
        """
        self._change(keys, _steps.LOSE)

    def rearm(self, keys: Collection[RecordingKey] | None = None) -> int:
        """Let what has failed, or is in quarantine, be tried again at once; return how many.

        Args:
            keys: None for all of this destination.
        """
        if keys is not None:
            return self._change(keys, _steps.REARM)
        beaten = (self._mine(), UNSETTLED, is_in(*_steps.BEATEN))
        update = RECORDING.update().where(*beaten).values(_steps.AFRESH)
        with self._catalogue.writing() as connection:
            return connection.execute(update).rowcount

    def _release_all(self) -> int:
        """Release what runs that are dead by now have leased; return how many."""
        left = (self._mine(), UNSETTLED, is_in(*CLAIMED))
        update = RECORDING.update().where(*left).values(_steps.RELEASED)
        with self._catalogue.writing() as connection:
            return connection.execute(update).rowcount

    def _relative(self, path: Path) -> str:
        try:
            return exact(absolute(path).relative_to(self.dest).as_posix())
        except ValueError as error:
            msg = f"{path} is not below the destination {self.dest}"
            raise ConfigurationError(msg) from error


def _lease(owner: str, now: int, seconds: float) -> dict[str, Any]:
    return {"lease_owner": owner, "lease_from": now, "lease_until": now + int(seconds)}


def _end(file: Downloaded) -> Any:
    """Return where the footage ends: what was still being written had announced some later end."""
    recording = file.recording
    return min(recording.end, file.end) if recording.in_progress else recording.end


def _patience(category: str, limit: int) -> float:
    """Return after how many failures a recording is left alone."""
    if category in _THEIRS:
        return limit
    return limit * _MORE_PATIENCE if category in _MAYBE_THEIRS else float("inf")
