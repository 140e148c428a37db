"""The session: one token for all threads, asked for again when it ends, and never in a loop."""

from __future__ import annotations

import threading
import time

from collections.abc import Callable
from typing import Final

import attrs

from ..._secret import Secret
from ...errors import AuthenticationError


_REST: Final = 60.0
"""Seconds before its end from which a token is not used, in which a useless one is not asked for
again, and for which any is used."""


@attrs.define(eq=False, kw_only=True)
class Token:
    """A session's token.

    Attributes:
        ends: When, on the monotonic clock.
        worked: Whether the cloud has accepted it.
        replaces: Whether the one before was refused.
    """

    value: Secret
    begun: float
    ends: float
    worked: bool = False
    replaces: bool = False

    @property
    def life(self) -> float:
        """Seconds left."""
        return max(self.ends - time.monotonic(), 0.0)

    @classmethod
    def of(cls, value: Secret, seconds: int) -> Token:
        """Make one that lasts *seconds*, as the cloud counts them: what is left, not a whole life.

        It is used for a minute at least: logging in more often would cost more than a refusal.
        """
        now = time.monotonic()
        return cls(value=value, begun=now, ends=now + max(seconds - _REST, seconds / 2, _REST))


class Tokens:
    """Keeps the token. Thread-safe: those who need a new one at the same time share it."""

    def __init__(self, login: Callable[[], Token]) -> None:
        self._login = login
        self._lock = threading.Lock()
        self._token: Token | None = None

    def current(self, refused: Token | None = None) -> Token:
        """Return a token, by logging in if need be.

        Args:
            refused: The token that the cloud has just refused; another one is returned.

        Raises:
            AuthenticationError: The login was refused; or the last token never worked and took
                the place of one that was refused, so that a third would not help either.
            CamsyncError: The cloud cannot be asked.
        """
        with self._lock:
            token = self._token
            if token is not None and token is not refused and token.life:
                return token
            if token is not None and token is refused:
                self._check_useful(token)
            fresh = self._login()
            fresh.replaces = refused is not None
            self._token = fresh
            return fresh

    @staticmethod
    def _check_useful(token: Token) -> None:
        young = time.monotonic() - token.begun < _REST
        if token.replaces and not token.worked and young:
            msg = "the cloud refuses a session that it has only just given"
            step = "check that nobody else logs in with this app all the time; try again later"
            raise AuthenticationError(msg, next_step=step)

    @property
    def known(self) -> Token | None:
        """The token, if there is one; nothing is sent."""
        return self._token

    def forget(self) -> None:
        """Log in anew at the next call."""
        with self._lock:
            self._token = None
