"""The version of the tables, and the way from an older one to the present one.

A new catalogue is made as the newest version. An older one is brought forward by every step that
it lacks, all of them in one transaction. A step is never changed once it was released.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from ..errors import ConfigurationError, DamagedCatalogueError
from ._schema import METADATA, VERSION


CURRENT = 3


def _to_2(connection: sa.Connection) -> None:
    """Version 2 remembers what devices bear, what was not listed once, and where disks belong."""
    number = "INTEGER" if connection.dialect.name == "sqlite" else "SERIAL"
    pace = (
        f"CREATE TABLE camsync_pace (id {number} NOT NULL PRIMARY KEY, "
        "destination_id INTEGER NOT NULL REFERENCES camsync_destination (id), "
        "source TEXT NOT NULL, streams INTEGER NOT NULL, ceiling INTEGER, "
        "noted_at BIGINT NOT NULL, UNIQUE (destination_id, source))"
    )
    for words in (
        pace,
        "ALTER TABLE camsync_recording ADD COLUMN missed_at BIGINT",
        "ALTER TABLE camsync_channel ADD COLUMN last_search BIGINT",
        "ALTER TABLE camsync_destination ADD COLUMN mount TEXT",
    ):
        connection.execute(sa.text(words))


def _to_3(connection: sa.Connection) -> None:
    """Version 3 tells files that are to be replaced from those that are missing."""
    for column in ("file_end", "lost_end"):
        connection.execute(sa.text(f"ALTER TABLE camsync_recording ADD COLUMN {column} BIGINT"))


STEPS: Mapping[int, Callable[[sa.Connection], None]] = {2: _to_2, 3: _to_3}
"""From the version before to the version that is the key. A step holds its own words: the tables of
the present version may look different by then."""

_LOCK = 0x63616D73  # "cams", for PostgreSQL's advisory locks


def is_current(connection: sa.Connection) -> bool:
    """Whether the tables are of the present version: then nothing needs to be written."""
    if not sa.inspect(connection).has_table(VERSION.name):
        return False
    return list(connection.execute(sa.select(VERSION.c.version)).scalars()) == [CURRENT]


def migrate(connection: sa.Connection, place: str, now: int) -> None:
    """Bring the tables to the present version, inside the transaction of *connection*.

    Raises:
        ConfigurationError: A newer camsync has made them, or the file belongs to another program.
        DamagedCatalogueError: It does not say which version it has.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    tables = set(sa.inspect(connection).get_table_names())
    if VERSION.name not in tables:
        _create(connection, tables, place, now)
        return
    versions = connection.execute(sa.select(VERSION.c.version)).scalars().all()
    if len(versions) != 1 or not isinstance(versions[0], int) or versions[0] < 1:
        msg = f"the catalogue {place} does not say which version it has"
        raise DamagedCatalogueError(msg)
    _bring_forward(connection, versions[0], place, now)


def _create(connection: sa.Connection, tables: set[str], place: str, now: int) -> None:
    if tables and connection.dialect.name == "sqlite":
        msg = f"{place} is the database of another program"
        raise ConfigurationError(msg, next_step="give the catalogue a file of its own")
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(VERSION.insert().values(version=CURRENT, changed_at=now))


def _bring_forward(connection: sa.Connection, version: int, place: str, now: int) -> None:
    if version > CURRENT:
        msg = (
            f"the catalogue {place} was made by a newer camsync "
            f"(version {version}, this one knows {CURRENT})"
        )
        raise ConfigurationError(msg, next_step="update camsync, or choose another catalogue")
    for each in range(version + 1, CURRENT + 1):
        STEPS[each](connection)
    if version < CURRENT:
        connection.execute(VERSION.update().values(version=CURRENT, changed_at=now))
