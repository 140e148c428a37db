"""Where a catalogue lives: a file, the memory, or a PostgreSQL server."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from .._places import absolute, data_folder
from .._private import locked
from .._secret import Secret
from ..errors import (
    CatalogueUnavailableError,
    ConfigurationError,
    MissingExtraError,
    StoreUnavailableError,
)
from ._mistyped import STEP, mistyped


_FILE = "catalogue.sqlite3"
_MEMORY = ":memory:"
_BUSY = 30.0
"""Seconds that a writer waits for another one."""


class Place(Protocol):
    """A home for a catalogue; ``str()`` says which, without any secret."""

    @property
    def shared(self) -> bool:
        """Whether several computers may use it at a time: then leases divide the work."""
        ...

    @property
    def file(self) -> Path | None:
        """The file, if it is one."""
        ...

    def engine(self) -> sa.Engine:
        """Return a new engine. Nothing is connected yet."""
        ...

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keep others from opening the same catalogue while the block runs."""
        ...

    def remember(self) -> None:
        """Note which file was opened."""
        ...

    def check(self) -> None:
        """Check that it is still the file that was opened.

        Raises:
            CatalogueUnavailableError: It was deleted, or replaced by another one.
        """
        ...


Given = Secret | os.PathLike[str] | None


def wrapped(url: str | os.PathLike[str] | None) -> Given:
    """Wrap what may hold a password. Never raises: the caller's frame still shows it."""
    return url if url is None or isinstance(url, os.PathLike) else Secret.of(url)


def place_of(given: Given) -> Place:
    """Return the home that the user has named: see `Catalogue`.

    Raises:
        ConfigurationError: It cannot be one.
        MissingExtraError: PostgreSQL without psycopg.
    """
    if given is None:
        return FilePlace(data_folder() / _FILE)
    if not isinstance(given, Secret):
        return FilePlace(absolute(given))
    try:
        is_url = "://" in given.reveal()
    except TypeError as error:
        msg = "a catalogue must be a path or a URL"
        raise ConfigurationError(msg) from error
    if is_url:
        return _on_a_server(given)
    if mistyped(given.reveal()):
        msg = "the catalogue is neither a URL nor what a path looks like; it may hold a password"
        raise ConfigurationError(msg, next_step=STEP)
    return MemoryPlace() if given.reveal() == _MEMORY else FilePlace(absolute(given.reveal()))


def _on_a_server(url: Secret) -> Place:
    try:
        from ._postgres import PostgresPlace
    except ImportError as error:
        extra = "postgres"
        raise MissingExtraError.for_extra(extra, "a catalogue in PostgreSQL") from error
    return PostgresPlace(url)


class _SqlitePlace:
    """What file and memory have in common."""

    shared = False

    def _engine(self, path: str | Path, **options: Any) -> sa.Engine:
        def connect() -> sqlite3.Connection:
            # Transactions are begun by the event below: sqlite3's own way begins them late.
            return sqlite3.connect(
                path, timeout=_BUSY, isolation_level=None, check_same_thread=False
            )

        engine = sa.create_engine(
            "sqlite://", creator=connect, poolclass=sa.QueuePool, hide_parameters=True, **options
        )
        sa.event.listen(engine, "connect", _prepare)
        sa.event.listen(engine, "begin", _begin)
        return engine


class FilePlace(_SqlitePlace):
    """A file, made with mode 0600; the user's own folder for it is made with mode 0700."""

    def __init__(self, path: Path) -> None:
        self.file: Path | None = path
        self._path = path
        self._opened: tuple[int, int] | None = None

    def __str__(self) -> str:
        return str(self._path)

    def engine(self) -> sa.Engine:
        """Return a new engine."""
        return self._engine(self._path, pool_size=5, max_overflow=10)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock file beside the catalogue, and make the catalogue if there is none.

        Raises:
            CatalogueUnavailableError: The file cannot be made or locked, or its folder is missing.
        """
        self._check_folder()
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self._path))
                # To close a file of SQLite's ends the locks that other connections of this process
                # have on it: one that is there is not touched.
                if not self._path.is_file():
                    # SQLite gives the rights of this file to those that it makes beside it.
                    os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            except (StoreUnavailableError, OSError) as error:
                msg = f"the catalogue {self._path} cannot be opened: {_reason(error)}"
                raise CatalogueUnavailableError(msg) from error
            yield

    def _check_folder(self) -> None:
        folder = self._path.parent
        if folder == data_folder() or os.path.lexists(folder):
            return
        msg = f"the catalogue {self._path} cannot be opened: there is no folder {folder}"
        raise CatalogueUnavailableError(
            msg, next_step="is its disk mounted, and its path correct? Else make the folder"
        )

    def remember(self) -> None:
        """Note which file was opened."""
        self._opened = self._identity()

    def check(self) -> None:
        """Check that it is still the file that was opened: what is written to another one is lost.

        Raises:
            CatalogueUnavailableError: It was deleted, or replaced by another one.
        """
        if self._opened is None:
            return
        present = self._identity()
        if present != self._opened:
            what = "deleted" if present is None else "replaced by another file"
            msg = f"the catalogue {self._path} was {what} while it was in use"
            step = "start again: it then uses what is there, and finds the files that were fetched"
            raise CatalogueUnavailableError(msg, next_step=step)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class MemoryPlace(_SqlitePlace):
    """The memory of this process: gone with the `Catalogue`."""

    file: Path | None = None

    def __str__(self) -> str:
        return _MEMORY

    def remember(self) -> None:
        """Do nothing: nobody can take its place."""

    def check(self) -> None:
        """Do nothing: see `remember`."""

    def engine(self) -> sa.Engine:
        """Return an engine with one connection, which is the database: threads take turns."""
        return self._engine(_MEMORY, pool_size=1, max_overflow=0)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Do nothing: nobody else can open it."""
        yield


def _prepare(connection: Any, _record: object) -> None:
    """Set up a new connection to SQLite: durable after a commit, foreign keys checked."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    """Begin a transaction; one that writes takes its turn now, for it could not wait later."""
    writes = connection.get_execution_options().get("camsync_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _reason(error: OSError) -> str:
    return getattr(error, "message", None) or error.strerror or type(error).__name__
