"""What the catalogue says, without a word to any device: where it is, and of which folder."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._places import absolute
from .._secret import Secret
from ..errors import ConfigurationError
from ._sync_options import catalogue_home


if TYPE_CHECKING:
    from ..catalogue import Catalogue, Holdings
    from ..sync._config import SyncConfig


@contextlib.contextmanager
def opened(home: Secret | None, config: str | None = None) -> Iterator[Catalogue]:
    """Open the catalogue: the option's, else that of the file of recorders, else the user's own.

    None is made: where there is none yet, an empty one in memory takes its place.

    Raises:
        ConfigurationError: The file cannot be used, or there is no catalogue where one was named.
        CatalogueError: The catalogue cannot be read.
        MissingExtraError: The extra ``sync`` is not installed.
    """
    with looked_into(home, config) as (catalogue, _):
        yield catalogue


@contextlib.contextmanager
def looked_into(home: Secret | None, config: str | None) -> Iterator[tuple[Catalogue, str]]:
    """Do the same, and say where the catalogue is, or would be."""
    from ..catalogue import Catalogue
    from ..catalogue._place import place_of

    given: Any = catalogue_home(home, _config(home, config))  # a URL stays wrapped
    place = place_of(given)
    if home is not None and place.file is not None and not place.file.exists():
        msg = f"there is no catalogue {place}"
        step = "check --catalogue and CAMSYNC_CATALOGUE; the first sync makes it"
        raise ConfigurationError(msg, next_step=step)
    with Catalogue(given, create=False) as catalogue:
        yield catalogue, str(place)


def _config(home: Secret | None, path: str | None) -> SyncConfig | None:
    if home is not None:
        return None
    from ..sync._config import SyncConfig

    return SyncConfig.load(path) if path is not None or SyncConfig.find().exists() else None


def known(catalogue: Catalogue, dest: str) -> Holdings:
    """Return what the catalogue has of a folder that was synced to.

    Raises:
        ConfigurationError: It has never heard of it.
    """
    return catalogue.at(chosen(catalogue, [dest])[0])


def chosen(catalogue: Catalogue, dests: Sequence[str]) -> list[Path]:
    """Return the folders that are meant: all without a choice.

    Raises:
        ConfigurationError: The catalogue has never heard of one.
    """
    there = catalogue.destinations()
    named = [absolute(Path(dest).expanduser()) for dest in dests]
    known = {dest: catalogue.known_as(dest) for dest in named}
    strangers = [str(dest) for dest in named if known[dest] is None]
    if strangers:
        msg = f"nothing was ever synced to {', '.join(strangers)}"
        names = ", ".join(map(str, there)) or "no folder yet"
        raise ConfigurationError(msg, next_step=f"the catalogue {catalogue} knows: {names}")
    return [each for each in known.values() if each is not None] or there
