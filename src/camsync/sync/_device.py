"""One device or account of a run: search its channels, then fetch what is due."""

from __future__ import annotations

import contextlib
import threading

from collections.abc import Iterator

from .. import registry
from .._cancel import check_cancelled
from ..errors import CamsyncError, CancelledError
from ..models import Channel, DeviceId, Recording
from ..provider import Provider
from ._context import Context
from ._fetching import Fetching
from ._gate import Gate, Gated
from ._options import Source
from ._pace import note, recalled
from ._search import OF_THE_CATALOGUE, Survey
from ._values import Verdict


_SPARE = 2
"""Workers beyond the open streams: they verify, remux and write while the line stays busy."""

_POLL = 0.2

Due = tuple[tuple[Channel, Recording], ...]


class Crew:
    """The sources of a run, of which several may lead to the same device.

    What two of them list is fetched by the one that has found it first. If that one is refused, or
    its line is dead, the other takes over what is left.

    Args:
        context: What all parts share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._members: list[DeviceRun] = []
        self.turn = threading.Lock()
        """Held by who takes over: of three sources two could take over the same."""

    def join(self, member: DeviceRun) -> None:
        """Add a source. All join before the first of them begins."""
        self._members.append(member)

    def wait_for_others(self, member: DeviceRun) -> None:
        """Wait until all that lead to a device of *member* have done what they can by themselves.

        Nobody waits before that is done, so that no two wait for each other.

        Raises:
            CancelledError: The run ends.
        """
        shared = (each for each in self._members if each.devices & member.devices)
        for other in shared:
            while not other.done.wait(_POLL):
                check_cancelled(self._context.halt)

    def left_of(self, due: Due) -> Due:
        """Return what of *due* was to be fetched and is not begun."""
        tally = self._context.tally
        left = set(tally.verdicts[Verdict.FETCH]) - tally.begun
        return tuple(pair for pair in due if pair[1].key in left)


class DeviceRun:
    """The part of a run that concerns one source.

    Args:
        context: What all parts share.
        source: Whose recordings are wanted.
        crew: All sources of the run.

    Attributes:
        channels: The channels that were searched to the end.
        done: Set when this source has done what it can by itself.
    """

    def __init__(self, context: Context, source: Source, crew: Crew) -> None:
        self._context = context
        self._source = source
        self._label = source.label_shown
        self._holdings = context.books.holdings
        self._survey = Survey(context, source, writes=True)
        self._crew = crew
        self.channels: tuple[Channel, ...] = ()
        self.done = threading.Event()
        crew.join(self)

    @property
    def devices(self) -> frozenset[DeviceId]:
        """The devices that it leads to, as soon as that is known."""
        return self._survey.devices

    def run(self) -> None:
        """Search, then fetch what is due. Whatever goes wrong with the device is noted.

        Raises:
            CatalogueError: The catalogue cannot be read or written.
            HostError: The host's own table has raised.
        """
        options = self._context.options
        try:
            with provider_of(self._source) as provider:
                gate = self._gate()
                gated = Gated(
                    provider, gate, limiter=options.limiter, check=self._context.tree.check
                )
                found = self._survey.run(gated)
                self.channels = found.channels
                self._fetch(gated, found.due)
                self.done.set()
                self._take_over(gated, found.due)
                note(self._holdings, self._label, gate.figures, self._context.now)
        except CancelledError:
            return  # the report says so
        except OF_THE_CATALOGUE:
            raise
        except CamsyncError as error:
            self._context.problem(self._label, error)
        finally:
            self.done.set()

    def _fetch(self, gated: Gated, due: Due, *, alone: bool = False) -> None:
        options = self._context.options
        elsewhere = options.executor is not None and isinstance(self._source.provider, str)
        workers = options.concurrency + (0 if elsewhere else _SPARE)
        fetching = Fetching(
            self._context,
            self._label,
            self._source.provider if elsewhere else gated,
            workers=1 if alone else workers,
        )
        fetching.run(due)

    def _take_over(self, gated: Gated, due: Due) -> None:
        """Fetch what another source of the same device has found first, and could not fetch.

        Not if this one could not fetch all of its own. One recording comes first, alone: both may
        go by the same account, and recorders lock those that are refused too often.
        """
        twins, crew = tuple(self._survey.twins.values()), self._crew
        if not twins or crew.left_of(due):
            return
        crew.wait_for_others(self)
        with crew.turn:
            left = crew.left_of(twins)
            self._fetch(gated, left[:1], alone=True)
            if not crew.left_of(left[:1]):
                self._fetch(gated, left[1:])

    def _gate(self) -> Gate:
        """Return a gate that begins with what the last run has learnt of this device."""
        cap = self._context.options.concurrency
        pace = recalled(self._holdings.pace_of(self._label), self._context.now)
        if pace is None:
            return Gate(cap=cap)
        return Gate(cap=cap, start=pace.streams, ceiling=pace.ceiling)


def plan(context: Context, source: Source) -> None:
    """Search *source* only, and change nothing.

    Raises:
        CatalogueError: The catalogue cannot be read.
        HostError: The host's own table has raised.
    """
    try:
        with provider_of(source) as provider:
            Survey(context, source, writes=False).run(provider)
    except CancelledError:
        return  # the caller asks the token
    except OF_THE_CATALOGUE:
        raise
    except CamsyncError as error:
        context.problem(source.label_shown, error)


@contextlib.contextmanager
def provider_of(source: Source) -> Iterator[Provider]:
    """Yield the source's provider; one that is made for a URL is closed at the end."""
    if not isinstance(source.provider, str):
        yield source.provider
        return
    with registry.connect(source.provider) as provider:
        yield provider
