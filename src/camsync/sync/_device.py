"""One device or account of a run: search its channels, then fetch what is due."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator

from .. import registry
from ..errors import CamsyncError, CancelledError
from ..models import Channel
from ..provider import Provider
from ._context import Context
from ._fetching import Fetching
from ._gate import Gate, Gated
from ._options import Source
from ._search import Survey


_SPARE = 2
"""Workers beyond the open streams: they verify, remux and write while the line stays busy."""


class DeviceRun:
    """The part of a run that concerns one source.

    Args:
        context: What all parts share.
        source: Whose recordings are wanted.

    Attributes:
        channels: The channels that were searched to the end.
    """

    def __init__(self, context: Context, source: Source) -> None:
        self._context = context
        self._source = source
        self._label = source.label_shown
        self.channels: tuple[Channel, ...] = ()

    def run(self) -> None:
        """Search, then fetch what is due. Whatever goes wrong with the device is noted."""
        options = self._context.options
        try:
            with provider_of(self._source) as provider:
                gate = self._gate()
                gated = Gated(
                    provider, gate, limiter=options.limiter, check=self._context.tree.check
                )
                found = Survey(self._context, self._source, writes=True).run(gated)
                self.channels = found.channels
                elsewhere = options.executor is not None and isinstance(self._source.provider, str)
                fetching = Fetching(
                    self._context,
                    self._label,
                    self._source.provider if elsewhere else gated,
                    workers=options.concurrency + (0 if elsewhere else _SPARE),
                )
                fetching.run(found.due)
                self._context.books.note_pace(self._label, gate.figures, self._context.now)
        except CancelledError:
            return  # the report says so
        except CamsyncError as error:
            self._context.problem(self._label, error)

    def _gate(self) -> Gate:
        """Return a gate that begins with what the last run has learnt of this device."""
        cap = self._context.options.concurrency
        pace = self._context.books.pace(self._label, self._context.now)
        if pace is None:
            return Gate(cap=cap)
        return Gate(cap=cap, start=pace.streams, ceiling=pace.ceiling)

    def plan(self) -> None:
        """Search only, and change nothing."""
        try:
            with provider_of(self._source) as provider:
                Survey(self._context, self._source, writes=False).run(provider)
        except CancelledError:
            return  # the caller asks the token
        except CamsyncError as error:
            self._context.problem(self._label, error)


@contextlib.contextmanager
def provider_of(source: Source) -> Iterator[Provider]:
    """Yield the source's provider; one that is made for a URL is closed at the end."""
    if not isinstance(source.provider, str):
        yield source.provider
        return
    with registry.connect(source.provider) as provider:
        yield provider
