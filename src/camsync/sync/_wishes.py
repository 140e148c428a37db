"""The channels that were asked for, and those that there are."""

from __future__ import annotations

import threading

from collections.abc import Iterable, Sequence

from .._typed import names_meant, near_name
from ..errors import ConfigurationError
from ..models import Channel
from ._options import Options, Source, names_of


class Wishes:
    """Compares the two: a typing error must not leave a camera without a copy for weeks.

    Args:
        options: What the caller wants.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._known: dict[int, tuple[Channel, ...]] = {}

    def offered(self, source: Source, channels: Iterable[Channel]) -> None:
        """Note which channels *source* has."""
        with self._lock:
            self._known[id(source)] = tuple(channels)

    def chosen(self, source: Source, channels: Sequence[Channel]) -> list[Channel]:
        """Return the channels of *source* that are wanted, and note which it has."""
        self.offered(source, channels)
        wanted = self._options.wanted(source)
        if wanted is None:
            return list(channels)
        if callable(wanted):
            return [each for each in channels if wanted(each)]
        names: frozenset[str] = frozenset().union(*map(names_of, channels))
        meant = {name for text in wanted for name in names_meant(text, names)[0]}
        return [each for each in channels if not names_of(each).isdisjoint(meant)]

    def unknown(self) -> list[tuple[str, ConfigurationError]]:
        """Return what nobody has: the label of the source, and the error that says it.

        A choice for several sources is only judged when all of them could be asked.
        """
        every = self._options.sources
        own = [each for each in every if each.channels is not None and id(each) in self._known]
        found = [(source.label_shown, self._error([source])) for source in own]
        shared = [source for source in every if source.channels is None]
        if shared and all(id(source) in self._known for source in shared):
            found.append((", ".join(source.label_shown for source in shared), self._error(shared)))
        return [(label, error) for label, error in found if error is not None]

    def _error(self, sources: Sequence[Source]) -> ConfigurationError | None:
        wanted = self._options.wanted(sources[0])
        if wanted is None or callable(wanted):
            return None
        known = [channel for source in sources for channel in self._known[id(source)]]
        names: frozenset[str] = frozenset().union(*map(names_of, known))
        strangers = [part for text in sorted(wanted) for part in names_meant(text, names)[1]]
        if not strangers:
            return None
        msg = f"there is no channel {', '.join(map(repr, strangers))}"
        there = ", ".join(f"{each.id} ({each.name})" for each in known)
        near = near_name(strangers[0], [each.name for each in known])
        return ConfigurationError(msg, next_step=f"{near}there are: {there or 'none'}")
