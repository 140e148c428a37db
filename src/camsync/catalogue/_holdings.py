"""`Holdings`: everything that the catalogue knows about one destination."""

from __future__ import annotations

import contextlib
import hashlib
import os

from collections.abc import Iterator

from ._codec import from_seconds
from ._lock import busy, only_here, only_process
from ._prune import Retention


class Holdings(Retention):
    """What was seen for, planned for and brought to one destination. Thread-safe.

    Made by `Catalogue.at`. Every method may raise `CatalogueError`; a row that a method changes is
    on the disk when it returns.

    Attributes:
        dest: The folder, absolute, links not followed.
    """

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes, and other runs of this one, away from the destination.

        In a SQLite catalogue: what a dead run had leased or begun is `State.SEEN` again. In one
        that several computers share (PostgreSQL) there is no such lock: leases divide the work.

        Raises:
            DestinationBusyError: Another run is working on it; the error says which.
        """
        if self._catalogue.place.shared:
            yield
            return
        with self._only_run(), self._only_process(), only_here(self.dest):
            self._release_all()
            yield

    @contextlib.contextmanager
    def _only_run(self) -> Iterator[None]:
        with self._catalogue.claim(self.dest) as mine:
            if not mine:
                raise busy(self.dest, {"pid": os.getpid(), "host": "this computer"})
            yield

    def _only_process(self) -> contextlib.AbstractContextManager[None]:
        file = self._catalogue.place.file
        if file is None:
            return contextlib.nullcontext()
        digest = hashlib.sha256(os.fsencode(self.dest)).hexdigest()[:16]
        now = from_seconds(self._now())
        return only_process(file.with_name(f".{file.name}.{digest}.lock"), self.dest, now)
