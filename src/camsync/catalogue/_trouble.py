"""What databases complain about, in camsync's words."""

from __future__ import annotations

import contextlib
import sqlite3

from collections.abc import Iterator

import sqlalchemy as sa

from ..errors import (
    CamsyncError,
    CatalogueError,
    CatalogueServerError,
    CatalogueUnavailableError,
    DamagedCatalogueError,
    DiskFullError,
)
from ._codec import shown


_LONGEST = 300
_SERVER = "postgresql://"
_DAMAGED = ("not a database", "malformed", "corrupt")
_FULL = ("disk is full", "no space left")
NONSENSE = ValueError, TypeError, AttributeError, OverflowError
"""What comes of working with values that camsync does not write."""

_BUSY = ("is locked", "deadlock detected", "could not serialize", "too many clients")


@contextlib.contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn what the database at *place* says into camsync's errors.

    Raises:
        DiskFullError: There is no room for the catalogue.
        DamagedCatalogueError: The file is damaged, or is something else.
        CatalogueUnavailableError: Anything else; of a server it is a `CatalogueServerError`.
    """
    try:
        yield
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, sqlite3.Error) as error:
        raise trouble(place, error) from error
    except UnicodeDecodeError:  # SQLite quotes what it found in the place of its schema
        msg = f"the catalogue {place} is damaged: there are bytes that are no text in its schema"
        raise DamagedCatalogueError(msg) from None


@contextlib.contextmanager
def sensible(what: str) -> Iterator[None]:
    """Turn what comes of values that make no sense into camsync's error.

    Only for work with what was read: the caller's own mistakes are none of the catalogue.

    Args:
        what: What is read, such as ``"channel 1"``.

    Raises:
        DamagedCatalogueError: It holds what camsync does not write.
    """
    try:
        yield
    except NONSENSE as error:
        raise nonsense(what, error) from error


def nonsense(what: str, error: Exception) -> DamagedCatalogueError:
    """Build the error for a row that holds what camsync does not write; see `sensible`."""
    words = shown(str(error), _LONGEST)
    return DamagedCatalogueError(f"{what} of the catalogue makes no sense: {words}")


def trouble(place: str, error: Exception) -> CamsyncError:
    """Build the error for what a database said; SQLAlchemy's wrapping is taken off."""
    cause = getattr(error, "orig", None) or error
    words = shown(" ".join(str(cause).split()), _LONGEST)
    lower = words.lower()
    if any(word in lower for word in _FULL):
        return DiskFullError(f"no room left for the catalogue {place}: {words}")
    if any(word in lower for word in _DAMAGED):
        return DamagedCatalogueError(f"the catalogue {place} is damaged: {words}")
    kind = CatalogueServerError if place.startswith(_SERVER) else CatalogueUnavailableError
    if any(word in lower for word in _BUSY) or isinstance(error, sa.exc.TimeoutError):
        return kind(
            f"the catalogue {place} is busy: {words}",
            next_step="try again; if it stays, look for a program that keeps it locked",
            retryable=True,
        )
    return kind(f"the catalogue {place} cannot be used: {words}")


def closed(place: str) -> CatalogueError:
    """Build the error for a catalogue that was closed."""
    msg = f"the catalogue {place} has been closed"
    return CatalogueError(msg, next_step="make a new Catalogue")
