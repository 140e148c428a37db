"""`Pruning` what was fetched long ago: on request only, and never anything else."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..errors import ConfigurationError
from ..models import RecordingKey
from ._book import unknown
from ._codec import exact, to_seconds
from ._disk import require_there, size_of
from ._reconcile import Reconciling
from ._schema import RECORDING
from ._sql import is_in
from ._values import Entry, Pruning, State


_HELD = (is_in(State.VERIFIED), RECORDING.c.pruned_at.is_(None))


class Retention(Reconciling):
    """Deleting the oldest files, and protecting some."""

    def pin(self, key: RecordingKey, on: bool = True) -> None:  # noqa: FBT001, FBT002 - pin(key, False)
        """Protect a recording from `prune`, or not any more.

        Raises:
            ConfigurationError: The catalogue does not know *key*.
        """
        if not self._change([key], {"pinned": int(on)}):
            raise unknown(key)

    def prune(
        self,
        *,
        keep: dt.timedelta | None = None,
        max_bytes: int | None = None,
        dry_run: bool = True,
        now: dt.datetime | None = None,
    ) -> Pruning:
        """Delete files of old recordings, the oldest first; by default only say which.

        Only files that the catalogue holds are deleted, and only if their size is what it was
        when they were verified. Pinned ones, and those that are still to be replaced by their
        complete version, stay. A recording whose file was pruned is never fetched again.

        Args:
            keep: Delete what ended longer ago than this.
            max_bytes: Delete until the files of this destination are no larger than this together.
            dry_run: Delete nothing.
            now: The moment that *keep* counts back from; the present by default.

        Raises:
            ConfigurationError: Neither *keep* nor *max_bytes* is given, or one is negative.
            DestinationError: The destination is not there, or is empty: nothing was deleted.
        """
        _check_limits(keep, max_bytes)
        total = self._held_bytes()
        before = None if keep is None else self._before(keep, now)
        result = _Result(dry_run, total)
        for entry in self._candidates(before, max_bytes, result):
            if not result.deleted and not dry_run:
                require_there(self.dest)
            self._prune_one(entry, result)
        return result.value()

    def _before(self, keep: dt.timedelta, now: dt.datetime | None) -> int:
        present = self._now() if now is None else to_seconds(now)
        return present - int(keep.total_seconds())

    def _held_bytes(self) -> int:
        total = sa.select(sa.func.sum(RECORDING.c.file_size)).where(self._mine(), *_HELD)
        with self._catalogue.reading() as connection:
            return int(connection.execute(total).scalar() or 0)

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
            elif entry.held and entry.path is not None:
                yield entry

    def _prune_one(self, entry: Entry, result: _Result) -> None:
        path = self.dest / (entry.path or "")
        try:
            size = size_of(path)
        except OSError as error:
            return result.keep(entry, f"cannot be looked at: {error.strerror}")
        if reason := _reason_to_keep(entry, size):
            return result.keep(entry, reason)
        if not result.dry_run and (problem := self._delete(entry)):
            return result.keep(entry, problem)
        return result.delete(entry)

    def _delete(self, entry: Entry) -> str:
        """Delete the file; return what went wrong, or an empty text.

        The row comes first: a crash in between leaves a file too much, and not one that is
        fetched again.
        """
        conditions = (*_HELD, RECORDING.c.path == exact(str(entry.path)), RECORDING.c.pinned == 0)
        if not self._change([entry.key], {"pruned_at": self._now()}, *conditions):
            return "has been changed meanwhile"
        try:
            (self.dest / (entry.path or "")).unlink(missing_ok=True)
        except OSError as error:
            self._change([entry.key], {"pruned_at": None})
            return f"cannot be deleted: {error.strerror}"
        return ""


class _Result:
    """What has been pruned so far."""

    def __init__(self, dry_run: bool, left: int) -> None:  # noqa: FBT001
        self.dry_run = dry_run
        self.left = left
        self.deleted: list[Entry] = []
        self.kept: list[tuple[Entry, str]] = []

    def keep(self, entry: Entry, reason: str) -> None:
        self.kept.append((entry, reason))

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
