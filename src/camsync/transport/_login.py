"""The login that all threads and both byte paths of one provider share.

Recorders lock the account after a few failed logins, so the rules are strict: until the password
is proven, requests go one after the other; a 401 to a nonce that never worked is final; after
that nothing is sent any more until somebody says so. Only a success proves a password: who is
busy, forbids or sends elsewhere may not have looked at it.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import threading

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from .._secret import Secret
from ..errors import (
    AuthenticationError,
    CamsyncError,
    ConfigurationError,
    InsecureAuthenticationError,
    ProtocolError,
)
from ._digest import Challenge, Nonce, choose, parse_challenges


UNAUTHORIZED = 401
_FRESH_TRIES = 2
_PROVING = range(200, 300)
_GARBLED = "check host and port: perhaps this is no recorder; restart it if it is"


class Reply(Protocol):
    """What the login needs to know of an answer."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def challenges(self) -> Sequence[str]:
        """The values of all ``WWW-Authenticate`` headers."""
        ...

    def discard(self) -> None:
        """Throw the rest of the answer away, so that the connection can be used again."""
        ...


class Guard(Protocol):
    """Remembers refused logins beyond one object: for other processes, and for the next run."""

    def check(self) -> None:
        """Raise `AuthenticationError` if nothing may be sent."""
        ...

    def turn(self) -> contextlib.AbstractContextManager[None]:
        """Have one login at a time, whichever process it is of."""
        ...

    def accepted(self) -> None:
        """Note that the password was accepted; within `turn`."""
        ...

    def refused(self) -> None:
        """Note that the password was refused; within `turn`."""
        ...

    def explained(self, tries_left: int | None, unlocked: datetime | None) -> str | None:
        """Note what the device says of the last refusal; outside of `turn`.

        Returns:
            What the user can do now, if that differs from the usual.
        """
        ...

    def insist(self) -> None:
        """Let the next login pass."""
        ...


class _Unguarded:
    """Nobody but the login itself remembers anything."""

    def check(self) -> None: ...

    def turn(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def accepted(self) -> None: ...

    def refused(self) -> None: ...

    def explained(self, tries_left: int | None, unlocked: datetime | None) -> str | None: ...

    def insist(self) -> None: ...


R = TypeVar("R", bound=Reply)
Send = Callable[["Secret | None"], R]


class _Basic:
    """A password sent as it is; used only over TLS or by explicit wish."""

    def __init__(self) -> None:
        self.proven = False

    def header(self, username: str, password: Secret, method: str, uri: str) -> Secret:
        del method, uri  # Basic does not bind the request
        return Secret(
            f"Basic {base64.b64encode(f'{username}:{password.reveal()}'.encode()).decode()}"
        )


class Login:
    """User name, password, and what the device thinks of them.

    Args:
        basic_allowed: Whether Basic may be used when no Digest is on offer.
        guard: Remembers refusals for other processes, too.

    Raises:
        ConfigurationError: The user name or the password cannot be sent in a header.
    """

    def __init__(
        self,
        username: str,
        password: Secret,
        *,
        basic_allowed: bool = False,
        guard: Guard | None = None,
    ) -> None:
        self.username = username
        self._password = password
        self._basic_allowed = basic_allowed
        self._guard: Guard = guard or _Unguarded()
        self._scheme: Nonce | _Basic | None = None
        self._refusal: AuthenticationError | None = None
        self._lock = threading.Lock()
        if not username or any(ord(char) < ord(" ") for char in username):
            msg = "the user name is empty or holds control characters"
            raise ConfigurationError(msg)
        if not password:
            msg = f"the password of {username!r} is empty"
            raise ConfigurationError(msg, next_step="no recorder takes an empty password")
        if not (_sendable(Secret(username)) and _sendable(password)):
            msg = "the user name or the password holds half a character (a lone surrogate)"
            raise ConfigurationError(msg, next_step="type it again; it was read as something else")

    def run(self, method: str, uri: str, send: Send[R]) -> R:
        """Send a request with whatever login the device wants.

        Costs one round trip once the device has accepted the password, two the first time and
        when the nonce has expired.

        Args:
            uri: The request target exactly as it goes over the wire.
            send: Sends the request with this ``Authorization`` (or none) and returns the reply.

        Returns:
            The reply; with status 401 when the login was refused for good.

        Raises:
            AuthenticationError: An earlier request was refused; nothing was sent.
            InsecureAuthenticationError: Only Basic is on offer, and it is not allowed.
        """
        self.check()
        scheme = self._scheme
        if scheme is None or not scheme.proven:
            with self._lock:
                return self._first(method, uri, send)
        reply = send(self._header(scheme, method, uri))
        if reply.status != UNAUTHORIZED:
            return reply
        with self._lock:
            return self._renew(method, uri, send, reply, scheme)

    def check(self) -> None:
        """Raise a fresh copy of the refusal, if there was one, here or in another process."""
        if self._refusal is not None:
            raise copy.copy(self._refusal)
        self._guard.check()

    def explain(self, refusal: AuthenticationError, *, tries_left: int | None = None) -> None:
        """Replace the bare refusal by one that says more (locked until when?)."""
        self._refusal = refusal
        step = self._guard.explained(tries_left, getattr(refusal, "unlock_at", None))
        refusal.next_step = step or refusal.next_step

    def reset(self) -> None:
        """Forget the refusal and the nonce: the next request tries to log in again."""
        with self._lock:
            self._scheme = None
            self._refusal = None
            self._guard.insist()

    def _header(self, scheme: Nonce | _Basic, method: str, uri: str) -> Secret:
        return scheme.header(self.username, self._password, method, uri)

    def _first(self, method: str, uri: str, send: Send[R]) -> R:
        self.check()
        scheme = self._scheme
        if scheme is not None:  # another thread has logged in while this one waited
            reply = send(self._header(scheme, method, uri))
            if reply.status != UNAUTHORIZED:
                return reply
            return self._renew(method, uri, send, reply, scheme)
        reply = send(None)
        if reply.status != UNAUTHORIZED:
            return reply
        return self._attempt(method, uri, send, reply)

    def _renew(self, method: str, uri: str, send: Send[R], reply: R, used: Nonce | _Basic) -> R:
        """Answer a 401 to a login that had worked: the nonce is old, or the password changed."""
        self._check(reply)
        current = self._scheme
        if current is not None and current is not used:  # renewed while this thread waited
            reply.discard()
            reply = send(self._header(current, method, uri))
            if reply.status != UNAUTHORIZED:
                return reply
        return self._attempt(method, uri, send, reply)

    def _check(self, reply: R) -> None:
        """Look again, now that an answer has come: others may have been refused meanwhile."""
        try:
            self.check()
        except AuthenticationError:
            reply.discard()
            raise

    def _attempt(self, method: str, uri: str, send: Send[R], reply: R) -> R:
        """Log in, while no other process does: what it learns is known before this one sends."""
        with self._guard.turn():
            self._check(reply)
            return self._answer(method, uri, send, reply)

    def _answer(self, method: str, uri: str, send: Send[R], reply: R) -> R:
        """Try with a fresh nonce, and once more if the device calls that one stale.

        The lock is held: no other thread can use this nonce out of order meanwhile.
        """
        for _ in range(_FRESH_TRIES):
            try:
                scheme = self._scheme_for(parse_challenges(reply.challenges))
            finally:
                reply.discard()
            reply = self._send_unproven(scheme, method, uri, send)
            if reply.status != UNAUTHORIZED:
                # A nonce that is not proven is not kept: a 401 to it could not be told from a refusal.
                scheme.proven = reply.status in _PROVING
                self._scheme = scheme if scheme.proven else None
                if scheme.proven:
                    self._guard.accepted()
                return reply
            fresh = choose(parse_challenges(reply.challenges))
            if fresh is None or not fresh.stale:
                break
        return self._refuse(reply)

    def _send_unproven(self, scheme: Nonce | _Basic, method: str, uri: str, send: Send[R]) -> R:
        """Send a login that may be a failed one; whether it was is not known without an answer."""
        try:
            return send(self._header(scheme, method, uri))
        except CamsyncError as error:
            # The device may have counted it. Nobody but the caller may decide to try again.
            error.retryable = False
            error.next_step = (
                "the device gave no answer to the login; it was not tried again by itself, because "
                "it may have counted as a failed one"
            )
            raise

    def _refuse(self, reply: R) -> R:
        message = f"the device refuses the login of {self.username!r}"
        self._refusal = AuthenticationError(message, http_status=UNAUTHORIZED)
        self._guard.refused()
        return reply

    def _scheme_for(self, challenges: Sequence[Challenge]) -> Nonce | _Basic:
        digest = choose(challenges)
        if digest is not None:
            return Nonce(digest)
        if any(challenge.garbled for challenge in challenges):
            msg = "the device's challenge for the login holds control characters; nothing was sent"
            raise ProtocolError(msg, http_status=UNAUTHORIZED, next_step=_GARBLED)
        offered = sorted({challenge.scheme for challenge in challenges})
        if "basic" not in offered:
            msg = f"the device asks for a login that camsync cannot do: {offered or 'nothing'}"
            raise AuthenticationError(
                msg,
                http_status=UNAUTHORIZED,
                next_step="switch the device's web authentication to 'digest'",
            )
        if not self._basic_allowed:
            msg = "the device offers only Basic login, over an unencrypted connection"
            raise InsecureAuthenticationError(msg, http_status=UNAUTHORIZED)
        return _Basic()

    def __repr__(self) -> str:
        state = "refused" if self._refusal else "proven" if self._proven else "unproven"
        return f"<Login {self.username!r} {state}>"

    @property
    def _proven(self) -> bool:
        return self._scheme is not None and self._scheme.proven


def _sendable(secret: Secret) -> bool:
    """Whether *secret* is proper text. The error that says no would hold it, so it ends here."""
    try:
        secret.reveal().encode()
    except UnicodeEncodeError:
        return False
    return True
