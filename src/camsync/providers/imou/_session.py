"""Links that were begun: each is kept for some minutes, and can be finished once."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Callable
from typing import Final, Protocol

import attrs

from ..._secret import Secret
from ..._time import utcnow


_MOST: Final = 1000
"""Links begun and not finished; anybody who may open the page can begin one."""


@attrs.frozen(kw_only=True)
class LinkSession:
    """What the user needs to go on: where to send the browser.

    Attributes:
        authorize_url: The page on which the account's owner logs in and agrees.
        state: Comes back with the callback, and tells which link it belongs to.
        expires: Until when the link can be finished (UTC).
    """

    authorize_url: str = attrs.field(repr=False)
    state: str = attrs.field(repr=False)
    expires: dt.datetime


@attrs.frozen(kw_only=True)
class PendingLink:
    """What is kept between begin and finish.

    Attributes:
        verifier: Proves that both were the same program (PKCE).
        redirect_uri: Where the browser comes back to; it has to be said again.
        expires: Until when it can be finished (UTC).
    """

    verifier: Secret
    redirect_uri: str
    expires: dt.datetime


class SessionStore(Protocol):
    """Keeps links that were begun. Thread-safe; several processes may share one.

    `MemorySessions` is for one process. A web service with several workers needs its own, in
    whatever they share; `PendingLink.verifier` is secret.
    """

    def keep(self, state: str, pending: PendingLink) -> None:
        """Keep *pending* under *state*, at least until it expires."""
        ...

    def take(self, state: str) -> PendingLink | None:
        """Remove what is kept under *state* and return it: to one caller only."""
        ...


class MemorySessions:
    """Keeps links in memory; what has expired is forgotten, and of too many the oldest.

    Args:
        most: How many are kept.
        now: The clock.
    """

    def __init__(self, *, most: int = _MOST, now: Callable[[], dt.datetime] = utcnow) -> None:
        self._most = most
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, PendingLink] = {}

    def keep(self, state: str, pending: PendingLink) -> None:
        """Keep *pending* under *state*."""
        with self._lock:
            now = self._now()
            for old in [key for key, each in self._kept.items() if each.expires <= now]:
                del self._kept[old]
            self._kept[state] = pending
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def take(self, state: str) -> PendingLink | None:
        """Remove what is kept under *state* and return it."""
        with self._lock:
            return self._kept.pop(state, None)

    def __repr__(self) -> str:
        return f"<MemorySessions with {len(self._kept)} links>"
