"""`Pruning` what was fetched long ago: on request only, and never anything else."""

from __future__ import annotations

import datetime as dt
import os

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .._cancel import CancelToken, check_cancelled
from ..errors import ConfigurationError
from ..models import RecordingKey
from . import _steps
from ._book import unknown
from ._codec import from_seconds, plain, to_seconds
from ._disk import digest_of, is_below, require_there, size_of
from ._reconcile import Reconciling
from ._schema import BATCH, CHANNEL, RECORDING
from ._sql import is_in
from ._trouble import sensible
from ._values import Entry, Pruning, State


_HELD = (is_in(State.VERIFIED), RECORDING.c.pruned_at.is_(None))
_MANY = 5000
_DAY = 24 * 3600
_LEAP = 400 * _DAY
"""Seconds without a run after which the clock is more likely to be wrong than the user to be back."""


class Retention(Reconciling):
    """Deleting the oldest files, and protecting some."""

    def pin(self, key: RecordingKey, on: bool = True) -> None:  # noqa: FBT001, FBT002 - pin(key, False)
        """Protect a recording from `prune`, or not any more.

        Raises:
            ConfigurationError: The catalogue does not know *key*.
        """
        if not self._change([key], _steps.PIN, pinned=int(on)):
            raise unknown(key)

    def prune(
        self,
        *,
        keep: dt.timedelta | None = None,
        max_bytes: int | None = None,
        dry_run: bool = True,
        now: dt.datetime | None = None,
        cancel: CancelToken | None = None,
    ) -> Pruning:
        """Delete files of old recordings, the oldest first; by default only say which.

        Only files that the catalogue holds are deleted, and only if they are, byte for byte, what
        they were when they were verified, and lie in a folder that is no link to somewhere else.
        A dry run compares their sizes only. Pinned ones, and those that are still to be replaced
        by their complete version, stay. A recording whose file was pruned is never fetched again.

        Args:
            keep: Delete what ended longer ago than this.
            max_bytes: Delete until the files of this destination are no larger than this together.
            dry_run: Delete nothing.
            now: The moment that *keep* counts back from; the present by default.
            cancel: Stops between two files.

        Raises:
            ConfigurationError: Neither *keep* nor *max_bytes* is given, or one is negative; or
                *keep* would count back from a present that is more than 400 days after all that was
                ever noted: the clock is wrong. Nothing was deleted.
            DestinationError: The destination is not there, is empty, or is on another disk than its
                files: nothing was deleted.
            CancelledError: *cancel* was set; what was deleted until then is noted as pruned.
        """
        _check_limits(keep, max_bytes)
        self.check_mounted()
        before = None if keep is None else self._before(keep, now)
        result = _Result(self.dest, dry_run, self._bytes_there(cancel), cancel)
        for entry in self._candidates(before, max_bytes, result):
            check_cancelled(cancel)
            if self._may_delete(entry, result):
                if not result.deleted:
                    self._check_before_first(
                        dry_run=dry_run, clock=keep is not None and now is None
                    )
                self._prune_one(entry, result)
        return result.value()

    def _check_before_first(self, *, dry_run: bool, clock: bool) -> None:
        if clock:
            self._check_clock()
        if not dry_run:
            require_there(self.dest)

    def _before(self, keep: dt.timedelta, now: dt.datetime | None) -> int:
        present = self._now() if now is None else to_seconds(now)
        return present - int(keep.total_seconds())

    def _check_clock(self) -> None:
        """Refuse to count back from a present that comes long after everything that was noted.

        A run that has just been under the same clock proves nothing: what was noted within the last
        day does not count, unless there is nothing else.
        """
        now = self._now()
        past = [moment for moment in self._moments(now - _DAY) if moment is not None]
        if not past or now - max(past) <= _LEAP:
            return
        with sensible("a time"):
            last = from_seconds(max(past))
        msg = (
            f"the clock of this computer says {from_seconds(now):%Y-%m-%d}, but the last that was "
            f"noted of {self.dest} is of {last:%Y-%m-%d}: "
            "by that clock fresh files are old"
        )
        step = "set the clock; if it is right, run a sync and prune a day later, or give now="
        raise ConfigurationError(msg, next_step=step)

    def _moments(self, until: int) -> list[int | None]:
        """Return when a file was last finished, and when a run last began, no later than *until*."""
        done, began = RECORDING.c.done_at, BATCH.c.started_at
        selects = (
            sa.select(sa.func.max(done)).where(self._mine(), done <= until),
            sa.select(sa.func.max(began)).where(BATCH.c.destination_id == self._id, began <= until),
        )
        with self._catalogue.reading() as connection:
            return [connection.execute(select).scalar() for select in selects]

    def _bytes_there(self, cancel: CancelToken | None) -> int:
        """Return the bytes of the files that are held and that really are on the disk."""
        total = 0
        with sensible("a file"):
            for path, size in self._files():
                check_cancelled(cancel)
                total += min(_bytes_of(self.dest / path), size)
        return total

    def _files(self) -> Iterator[tuple[str, int]]:
        """Yield path and size of each file that is held, channel by channel: an index serves that."""
        order = (RECORDING.c.start, RECORDING.c.id)
        held = sa.select(*order, RECORDING.c.path, RECORDING.c.file_size)
        held = held.where(*_HELD, RECORDING.c.path.is_not(None)).order_by(*order).limit(_MANY)
        channels = sa.select(CHANNEL.c.id).where(CHANNEL.c.destination_id == self._id)
        with self._catalogue.reading() as connection:
            numbers = connection.execute(channels).scalars().all()
        for number in numbers:
            after: list[Any] = [RECORDING.c.channel_id == number]
            while True:
                with self._catalogue.reading() as connection:
                    rows = connection.execute(held.where(*after)).all()
                yield from ((plain(row.path), row.file_size or 0) for row in rows)
                if len(rows) < _MANY:
                    break
                last = sa.tuple_(rows[-1].start, rows[-1].id)
                after = [RECORDING.c.channel_id == number, sa.tuple_(*order) > last]

    def _candidates(
        self, before: int | None, max_bytes: int | None, result: _Result
    ) -> Iterator[Entry]:
        for entry in self.entries(states=[State.VERIFIED]):
            too_old = before is not None and to_seconds(entry.end) < before
            too_much = max_bytes is not None and result.left > max_bytes
            if not (too_old or too_much):
                # What comes later may have ended earlier, but not by more than it lasts.
                if before is None or to_seconds(entry.start) >= before:
                    return
            elif entry.held:
                yield entry

    def _may_delete(self, entry: Entry, result: _Result) -> bool:
        """Whether a file may be deleted, as far as that can be said without reading it."""
        path = self.dest / (entry.path or "")
        try:
            reason = _reason_to_keep(entry, size_of(path)) or result.reason_of_place(path)
        except OSError as error:
            reason = f"cannot be looked at: {error.strerror}"
        if reason:
            result.keep(entry, reason)
        return not reason

    def _prune_one(self, entry: Entry, result: _Result) -> None:
        if not result.dry_run and (problem := self._delete_same(entry, result.cancel)):
            return result.keep(entry, problem)
        return result.delete(entry)

    def _delete_same(self, entry: Entry, cancel: CancelToken | None) -> str:
        """Delete a file if its bytes are what they were; return why not, or an empty text."""
        try:
            same = digest_of(self.dest / (entry.path or ""), cancel) == entry.sha256
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return self._delete(entry) if same else "has other bytes than when it was verified"

    def _delete(self, entry: Entry) -> str:
        """Delete the file; return what went wrong, or an empty text.

        The row comes first: a crash in between leaves a file too much, and not one that is
        fetched again.
        """
        was = _steps.was(entry)
        if not self._change([entry.key], _steps.PRUNE, pruned_at=self._now(), **was):
            return "has been changed meanwhile"
        try:
            (self.dest / (entry.path or "")).unlink(missing_ok=True)
        except OSError as error:
            self._change([entry.key], _steps.KEEP)
            return f"cannot be deleted: {error.strerror}"
        return ""


class _Result:
    """What has been pruned so far."""

    def __init__(self, dest: Path, dry_run: bool, left: int, cancel: CancelToken | None) -> None:  # noqa: FBT001
        self.dry_run = dry_run
        self.left = left
        self.cancel = cancel
        self._root = os.path.realpath(dest)
        self._inside: dict[Path, bool] = {}
        self.deleted: list[Entry] = []
        self.kept: list[tuple[Entry, str]] = []

    def keep(self, entry: Entry, reason: str) -> None:
        self.kept.append((entry, reason))

    def reason_of_place(self, path: Path) -> str:
        """Return why a file must stay because of where it is, or an empty text."""
        if path.parent not in self._inside:
            self._inside[path.parent] = is_below(path, self._root)
        return "" if self._inside[path.parent] else "is outside the destination, behind a link"

    def delete(self, entry: Entry) -> None:
        self.deleted.append(entry)
        self.left -= entry.file_size or 0

    def value(self) -> Pruning:
        return Pruning(
            dry_run=self.dry_run,
            deleted=tuple(self.deleted),
            kept=tuple(self.kept),
            bytes=sum(entry.file_size or 0 for entry in self.deleted),
            left=self.left,
        )


def _bytes_of(path: Path) -> int:
    try:
        return size_of(path) or 0
    except OSError:  # nobody knows: it must not make others go
        return 0


def _reason_to_keep(entry: Entry, size: int | None) -> str:
    if not entry.sha256:
        return "was found there, not fetched"
    if entry.pinned:
        return "is pinned"
    if entry.in_progress:
        return "is to be replaced by its complete version"
    if size is None:
        return "is not there"
    if size != entry.file_size:
        return f"has {size} bytes, not {entry.file_size} as when it was verified"
    return ""


def _check_limits(keep: Any, max_bytes: Any) -> None:
    if keep is None and max_bytes is None:
        msg = "prune needs keep= or max_bytes=: nothing is deleted without a limit"
        raise ConfigurationError(msg)
    if keep is not None and keep < dt.timedelta(0):
        msg = f"keep must not be negative, but is {keep}"
        raise ConfigurationError(msg)
    if max_bytes is not None and max_bytes < 0:
        msg = f"max_bytes must not be negative, but is {max_bytes}"
        raise ConfigurationError(msg)
