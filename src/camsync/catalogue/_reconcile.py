"""`Reconciling`: comparing catalogue and disk, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import attrs

from .._cancel import CancelToken, check_cancelled
from . import _steps
from ._codec import exact
from ._disk import Found, digest_of, require_there, size_of, walk
from ._folders import Folders
from ._marks import Marks
from ._mounted import Mounted, mount_point
from ._paces import Paces
from ._values import Entry, Reconciliation, State


_STALE = 3600
"""Seconds without a write after which a part file is nobody's."""

_OPEN = frozenset(State) - {State.VERIFIED, State.GONE}


@attrs.define
class _Findings:
    """What has been found so far."""

    checked: int = 0
    missing: list[Entry] = attrs.field(factory=list)
    changed: list[Entry] = attrs.field(factory=list)
    adopted: list[Entry] = attrs.field(factory=list)
    unknown: list[Found] = attrs.field(factory=list)
    parts: list[PurePosixPath] = attrs.field(factory=list)
    unreadable: list[PurePosixPath] = attrs.field(factory=list)
    known: set[int] = attrs.field(factory=set)
    """Hashes of the paths that the catalogue expects: a million of them in 80 MiB."""

    def result(self) -> Reconciliation:
        return Reconciliation(
            checked=self.checked,
            missing=tuple(self.missing),
            changed=tuple(self.changed),
            adopted=tuple(self.adopted),
            unknown=tuple(found.path for found in self.unknown),
            parts=tuple(self.parts),
            unreadable=tuple(self.unreadable),
        )


class Reconciling(Marks, Folders, Paces, Mounted):
    """Comparing what should be on disk with what is."""

    def reconcile(
        self,
        *,
        deep: bool = False,
        repair: bool = False,
        forget: bool = False,
        cancel: CancelToken | None = None,
    ) -> Reconciliation:
        """Compare catalogue and disk both ways. No file is ever changed or deleted by this.

        A recording whose file is missing is `State.SEEN` again, and is fetched by the next run,
        unless it was pruned; or its file is found elsewhere below the destination, by size and
        SHA-256. One that is found outside the folder of its camera is pinned: somebody has put it
        there to keep it.

        Args:
            deep: Read every file whose SHA-256 is known, and compare.
            repair: Let recordings with a changed file be fetched again, too. The file stays until
                the next run has the whole recording, which then takes its place.
            forget: The files that are not there are gone for good, even if that is all of them: do
                not ask whether the disk is mounted. Use it for a new disk.

        Raises:
            DestinationError: The destination is not there, is empty, or is on another disk than its
                files: its disk is not mounted.
            CancelledError: *cancel* was set; nothing was changed.
        """
        if not forget:
            self.check_mounted()
        findings = _Findings()
        for entry in self._expected():
            check_cancelled(cancel)
            if not (findings.checked or forget):
                require_there(self.dest)
            self._check(entry, findings, deep=deep, cancel=cancel)
        findings.known.update(self._to_be_replaced())
        self._look_around(findings, cancel)
        moved = self._find_moved(findings, cancel)
        self._adopt(findings, moved)
        self._change([entry.key for entry in findings.missing], _steps.FETCH_AGAIN)
        if repair:
            self._change([entry.key for entry in findings.changed], _steps.REPLACE)
        if forget:
            self._note_mount(str(mount_point(self.dest)))
        return findings.result()

    def _expected(self) -> Iterator[Entry]:
        return (entry for entry in self.entries(states=[State.VERIFIED]) if entry.held)

    def _to_be_replaced(self) -> Iterator[int]:
        """Yield hashes of the paths of files that are no good, but not unknown."""
        for entry in self.entries(states=_OPEN):
            if entry.path is not None and entry.file_end is not None:
                yield hash(entry.path)

    def _check(
        self, entry: Entry, findings: _Findings, *, deep: bool, cancel: CancelToken | None
    ) -> None:
        relative = PurePosixPath(entry.path or "")
        path = self.dest / relative
        findings.checked += 1
        findings.known.add(hash(relative))
        try:
            size = size_of(path)
            if size is None:
                findings.missing.append(entry)
            elif size != entry.file_size or (
                deep and entry.sha256 and digest_of(path, cancel) != entry.sha256
            ):
                findings.changed.append(entry)
        except OSError:
            findings.unreadable.append(relative)

    def _look_around(self, findings: _Findings, cancel: CancelToken | None) -> None:
        now = self._now()
        for found in walk(self.dest, findings.unreadable.append, cancel):
            if found.is_part and now - found.changed > _STALE:
                findings.parts.append(found.path)
            elif found.is_video and hash(found.path) not in findings.known:
                findings.unknown.append(found)

    def _find_moved(
        self, findings: _Findings, cancel: CancelToken | None
    ) -> list[tuple[Entry, Found]]:
        """Return the missing entries of which the file is somewhere else, each with that file."""
        wanted = {
            (entry.file_size, entry.sha256): entry for entry in findings.missing if entry.sha256
        }
        sizes = {size for size, _ in wanted}
        moved: list[tuple[Entry, Found]] = []
        for found in findings.unknown:
            if found.size not in sizes:
                continue
            try:
                digest = digest_of(self.dest / found.path, cancel)
            except OSError:
                findings.unreadable.append(found.path)
                continue
            entry = wanted.pop((found.size, digest), None)
            if entry is not None:
                moved.append((entry, found))
        return moved

    def _adopt(self, findings: _Findings, moved: list[tuple[Entry, Found]]) -> None:
        for entry, found in moved:
            pinned = entry.pinned or not _same_camera(entry, found)
            place = {**_steps.was(entry), "path": exact(str(found.path)), "pinned": int(pinned)}
            self._change([entry.key], _steps.MOVE, **place)
            findings.adopted.append(attrs.evolve(entry, path=found.path, pinned=pinned))
            findings.missing.remove(entry)
            findings.unknown.remove(found)


def _same_camera(entry: Entry, found: Found) -> bool:
    """Whether a file was found in the outermost folder that it was written to."""
    before = entry.path or PurePosixPath()
    return before.parent.parts[:1] == found.path.parent.parts[:1]
