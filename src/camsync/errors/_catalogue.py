"""What goes wrong with the catalogue of what was fetched, and with sharing a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._category import Category
from ._base import CamsyncError
from ._download import DestinationError


if TYPE_CHECKING:
    from datetime import datetime


class CatalogueError(CamsyncError):
    """The catalogue could not do what was asked. What it holds is as it was."""

    category = Category.DISK


class CatalogueUnavailableError(CatalogueError, OSError):
    """The catalogue cannot be reached, opened, read or written, or somebody blocks it."""

    default_next_step = "check the path, the permissions and the space on the disk"


class CatalogueServerError(CatalogueUnavailableError):
    """The server that the catalogue is on cannot be reached, or refuses to work."""

    category = Category.NETWORK
    default_next_step = (
        "is the database server running, are host and port correct, does its pg_hba.conf let this "
        "computer in, and do user, password and database exist?"
    )


class DamagedCatalogueError(CatalogueError):
    """The file is no catalogue, or its content contradicts itself."""

    default_next_step = (
        "restore the file from a backup, or move it away: "
        "the next run finds the files that are there and makes a new catalogue"
    )


class DestinationBusyError(DestinationError):
    """Another run is working on the same destination.

    Attributes:
        pid: The other process, or None when it is not known.
        host: The computer that it runs on, or an empty text.
        since: When it began (aware, UTC), or None.
    """

    category = Category.BUSY
    retryable = True
    default_next_step = "wait until the other run has ended, or end it"

    def __init__(
        self,
        message: str,
        *,
        pid: int | None = None,
        host: str = "",
        since: datetime | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.pid = pid
        self.host = host
        self.since = since
