"""`Catalogue`: the memory of every sync, in one database."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from .._places import absolute
from .._time import utcnow
from ..errors import ConfigurationError
from ._codec import exact, plain, to_seconds
from ._holdings import Holdings
from ._migrate import is_current, migrate
from ._place import MemoryPlace, Place, place_of, wrapped
from ._schema import BATCH, CHANNEL, DESTINATION, FOLDER, PACE, RECORDING, TRACK
from ._sql import insert_if_new
from ._trouble import closed, translated


_OPEN: weakref.WeakSet[Catalogue] = weakref.WeakSet()
_INHERITED: list[sa.Pool] = []


def _renew_all() -> None:
    for catalogue in _OPEN:
        catalogue._renew()  # noqa: SLF001


with contextlib.suppress(AttributeError):  # Windows cannot fork
    os.register_at_fork(after_in_child=_renew_all)


class Catalogue:
    """Knows of every destination what was seen, fetched, failed and lost.

    Thread-safe, safe after a fork, and safe against SIGKILL and power cuts: what a method has
    done is on the disk when it returns. Several processes may use one catalogue.

    Args:
        url: A path: a SQLite file, made with mode 0600 when it is missing; its folder must exist.
            ``"postgresql://USER:PASSWORD@HOST/DATABASE"``: a server that several computers share
            (needs the extra ``postgres``; the password is never shown). ``":memory:"``: nothing
            is kept. None: ``catalogue.sqlite3`` in the user's data folder or ``$CAMSYNC_HOME``.
        clock: Returns the present (aware).
        create: Make a SQLite file that is missing. Without, an empty catalogue in memory takes its
            place: for those who only want to look.

    Raises:
        ConfigurationError: *url* is unusable, a newer camsync has made the catalogue, or the file
            belongs to another program.
        CatalogueUnavailableError: It cannot be opened or reached.
        DamagedCatalogueError: The file is no catalogue.
        MissingExtraError: PostgreSQL without the extra ``postgres``.
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        *,
        clock: Callable[[], datetime] = utcnow,
        create: bool = True,
    ) -> None:
        given = wrapped(url)
        del url  # it may hold a password, which no traceback shall show
        place = place_of(given)
        missing = place.file is not None and not place.file.exists()
        self._place = MemoryPlace() if missing and not create else place
        self._clock = clock
        self._setup()
        _OPEN.add(self)

    def _setup(self) -> None:
        self._busy: set[Path] = set()
        """Destinations that this process has locked."""
        self._new_locks()
        self._engine: sa.Engine | None = self._place.engine()
        try:
            with self._place.alone():
                self._prepare()
                self._place.remember()
        except BaseException:
            self.close()
            raise

    def _new_locks(self) -> None:
        self._guard = threading.Lock()
        # SQLite lets one write at a time; the others sleep and ask again, for up to a tenth of a
        # second each time. Threads of one process hand over at once.
        self._turn: contextlib.AbstractContextManager[object] = (
            contextlib.nullcontext() if self._place.shared else threading.RLock()
        )

    def _prepare(self) -> None:
        with self.reading() as connection:
            current = is_current(connection)
        if not current:  # else whoever only looks would wait for those who write
            with self.writing() as connection:
                migrate(connection, str(self), self.now())
        if self._place.file is not None:  # not before it is known to be a catalogue
            with translated(str(self)), self.engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA journal_mode=WAL").close()

    @property
    def engine(self) -> sa.Engine:
        """The engine, for camsync's own use.

        Raises:
            CatalogueError: The catalogue was closed.
        """
        if self._engine is None:
            raise closed(str(self))
        return self._engine

    @property
    def place(self) -> Place:
        """Where it lives."""
        return self._place

    def now(self) -> int:
        """Return the present in seconds UTC."""
        return to_seconds(self._clock())

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection whose statements all see the same state of things.

        Raises:
            CatalogueError: The database says no.
        """
        with translated(str(self)), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection whose changes all take place, or none of them.

        Raises:
            CatalogueError: The database says no, or its file was deleted or replaced meanwhile;
                nothing was changed.
        """
        engine = self.engine.execution_options(camsync_writes=True)
        with translated(str(self)), self._turn, engine.begin() as connection:
            yield connection
            self._place.check()

    @contextlib.contextmanager
    def claim(self, dest: Path) -> Iterator[bool]:
        """Say whether no other run of this object works on *dest* while the block runs."""
        with self._guard:
            free = dest not in self._busy
            if free:
                self._busy.add(dest)
        try:
            yield free
        finally:
            if free:
                with self._guard:
                    self._busy.discard(dest)

    def at(self, dest: str | os.PathLike[str], *, create: bool = True) -> Holdings:
        """Return what is known about the destination *dest*, a folder.

        It is known by its path as seen from the working folder, or by any other one that leads to
        the same folder. Links in it are not followed otherwise.

        Args:
            create: Enter a destination that is not known yet. Without, it is entered as soon as
                something is noted about it: for those who only want to look.

        Raises:
            ConfigurationError: *dest* is relative, and there is no working folder.
            CatalogueError: The database says no.
        """
        folder = absolute(dest)
        known = self.known_as(folder)
        if known is None and create:
            number: int | None = self.enter(folder)
        else:
            with self.reading() as connection:
                number = connection.execute(_number_of(known or folder)).scalar()
        return Holdings(self, number, folder)

    def known_as(self, dest: str | os.PathLike[str]) -> Path | None:
        """Return the path by which the destination *dest* is known, or None if it is not.

        Raises:
            ConfigurationError: *dest* is relative, and there is no working folder.
            CatalogueError: The database says no.
        """
        folder = absolute(dest)
        known = self.destinations()
        if folder in known:
            return folder
        real = os.path.realpath(folder)
        return next((each for each in known if os.path.realpath(each) == real), None)

    def enter(self, folder: Path) -> int:
        """Enter the destination *folder*, an absolute path, unless it is known; return its number."""
        with self.writing() as connection:
            row = {"path": exact(str(folder)), "created_at": self.now()}
            insert_if_new(connection, DESTINATION, [row])
            number: int = connection.execute(_number_of(folder)).scalar_one()
        return number

    def destinations(self) -> list[Path]:
        """Return every destination that was ever used, in order of their paths."""
        with self.reading() as connection:
            paths = connection.execute(sa.select(DESTINATION.c.path)).scalars()
            return sorted(Path(plain(path)) for path in paths)

    def forget(self, dest: str | os.PathLike[str]) -> None:
        """Forget a destination of which no recording is known, such as one that was a slip.

        Raises:
            ConfigurationError: Nothing was ever synced to *dest*; or the catalogue knows recordings
                of it, without which they would be fetched again.
            DestinationBusyError: A run is working on it.
        """
        folder = absolute(dest)
        if folder not in self.destinations():
            msg = f"nothing was ever synced to {folder}"
            raise ConfigurationError(msg)
        with self.at(folder).lock(), self.writing() as connection:
            mine = _parts_of(folder)
            known = sa.select(sa.func.count()).where(RECORDING.c.channel_id.in_(mine[CHANNEL]))
            count = connection.execute(known).scalar_one()
            if count:
                msg = f"the catalogue knows {count} recordings of {folder}: it is not forgotten"
                step = "to free its disk use prune; a destination without files does no harm"
                raise ConfigurationError(msg, next_step=step)
            for table, numbers in mine.items():
                connection.execute(table.delete().where(table.c.id.in_(numbers)))

    def close(self) -> None:
        """Close all connections. Calling it twice is fine."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _renew(self) -> None:
        """Begin anew in a forked child, whose connections are the parent's."""
        if self._engine is None:
            return
        # Closing them, which happens when nothing refers to them any more, would disturb the parent.
        _INHERITED.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._new_locks()
        self._busy = set()
        if self._place.file is None and not self._place.shared:
            self._engine = None

    def __enter__(self) -> Catalogue:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __str__(self) -> str:
        # A traceback with local variables may show it before it knows where it is.
        return str(getattr(self, "_place", "(not opened)"))

    def __repr__(self) -> str:
        return f"Catalogue({str(self)!r})"


def _number_of(folder: Path) -> sa.Select[Any]:
    return sa.select(DESTINATION.c.id).where(DESTINATION.c.path == exact(str(folder)))


def _parts_of(dest: Path) -> dict[sa.Table, sa.Select[Any]]:
    """Return the numbers of the rows of a destination, in the order in which they can be deleted."""
    number = _number_of(dest)
    channels = sa.select(CHANNEL.c.id).where(CHANNEL.c.destination_id.in_(number))
    tracks = sa.select(TRACK.c.id).where(TRACK.c.channel_id.in_(channels))
    own = {
        table: sa.select(table.c.id).where(table.c.destination_id.in_(number))
        for table in (FOLDER, PACE, BATCH)
    }
    return {TRACK: tracks, **own, CHANNEL: channels, DESTINATION: number}
