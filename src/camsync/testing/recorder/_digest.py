"""The device's side of the login: Digest in its variants, Basic, and the lock after failures.

A first request without credentials is no failed login; a stale nonce with the right password
neither. Everything else that does not log in counts, and after too many the account is locked,
for the right password too.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import secrets
import threading

from collections.abc import Callable
from typing import Final
from urllib.request import parse_http_list, parse_keqv_list

import attrs

from ._faults import Faults
from ._personality import Personality


_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}
_MOST_NONCES: Final = 4_096
_STALE_AFTER: Final = 3


@attrs.frozen(kw_only=True)
class Verdict:
    """What the door says to one request.

    Attributes:
        ok: Whether the request is let in.
        challenges: ``WWW-Authenticate`` values, when it is not.
    """

    ok: bool
    challenges: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Lock:
    """The state of the account lock: whole seconds until it ends, and tries that are left."""

    locked: bool
    seconds: int
    tries: int


@attrs.define
class _Nonce:
    born: dt.datetime
    uses: int = 0
    highest: int = 0
    seen: set[int] = attrs.field(factory=set)
    url: str | None = None


class Door:
    """Checks the ``Authorization`` header of each request."""

    def __init__(
        self,
        who: Personality,
        faults: Faults,
        *,
        username: str,
        password: str,
        clock: Callable[[], dt.datetime],
        allowed: int,
        lock_seconds: float,
    ) -> None:
        self._who = who
        self._faults = faults
        self._username = username
        self._password = password
        self._clock = clock
        self._allowed = allowed
        self._lock_seconds = lock_seconds
        self._guard = threading.Lock()
        self._nonces: dict[str, _Nonce] = {}
        self._failures = 0
        self._until: dt.datetime | None = None
        self.failed = 0

    @property
    def realm(self) -> str:
        """The protection space; cameras show words, recorders hex digits."""
        return "IP Camera(83813)" if self._who.challenge == "camera" else "fe12f37b0a5c4e21"

    def state(self) -> Lock:
        """Return whether the account is locked, and for how long."""
        with self._guard:
            return self._state()

    def _state(self) -> Lock:
        if self._until is not None:
            left = (self._until - self._clock()).total_seconds()
            if left > 0:
                return Lock(locked=True, seconds=max(round(left), 1), tries=0)
            self._until, self._failures = None, 0
        return Lock(locked=False, seconds=0, tries=self._allowed - self._failures)

    def unlock(self) -> None:
        """Lift the lock and forget the failed logins."""
        with self._guard:
            self._until, self._failures = None, 0

    def check(self, method: str, url: str, authorization: str | None) -> Verdict:
        """Decide about one request."""
        with self._guard:
            if authorization is None or self._state().locked:
                return self._refuse(stale=False)
            scheme, _, rest = authorization.partition(" ")
            if scheme.lower() == "basic":
                answer = self._basic(rest)
            else:
                answer = self._digest(method, url, rest) if scheme.lower() == "digest" else "wrong"
            if answer == "right" and self._faults.take("unauthorized-midway"):
                answer = "wrong"
            if answer == "wrong":
                self._count_failure()
            if answer != "right":
                return self._refuse(stale=answer == "stale")
            self._failures = 0
            return Verdict(ok=True)

    def _count_failure(self) -> None:
        self.failed += 1
        self._failures += 1
        if self._failures >= self._allowed:
            self._until = self._clock() + dt.timedelta(seconds=self._lock_seconds)

    def _on(self, name: str) -> bool:
        return name in self._faults.snapshot()

    # -- Basic ------------------------------------------------------------------------------------

    @property
    def _takes_basic(self) -> bool:
        return self._who.basic or self._on("basic-only") or self._on("digest-and-basic")

    def _basic(self, token: str) -> str:
        try:
            given = base64.b64decode(token.strip(), validate=True)
        except binascii.Error:
            return "wrong"
        right = f"{self._username}:{self._password}".encode()
        return "right" if self._takes_basic and hmac.compare_digest(given, right) else "wrong"

    # -- Digest -----------------------------------------------------------------------------------

    def _digest(self, method: str, url: str, text: str) -> str:
        try:
            given = parse_keqv_list(parse_http_list(text))
        except (ValueError, IndexError):
            return "wrong"
        if self._on("basic-only") or not self._matches(given, method, url):
            return "wrong"
        return "right" if self._fresh(given, url) else "stale"

    def _matches(self, given: dict[str, str], method: str, url: str) -> bool:
        algorithm = given.get("algorithm", "MD5").upper()
        if algorithm not in self._algorithms() or given.get("username") != self._username:
            return False
        if given.get("uri") != url or given.get("realm") != self.realm:
            return False
        if ("qop" in given) == self._on("digest-no-qop"):
            return False

        def digest(value: str) -> str:
            return hashlib.new(_HASHES[algorithm], value.encode()).hexdigest()

        first = digest(f"{self._username}:{self.realm}:{self._password}")
        second = digest(f"{method}:{url}")
        parts = [first, given.get("nonce", "")]
        if "qop" in given:
            parts += [given.get("nc", ""), given.get("cnonce", ""), given["qop"]]
        right = digest(":".join([*parts, second]))
        return hmac.compare_digest(right.encode(), given.get("response", "").encode())

    def _fresh(self, given: dict[str, str], url: str) -> bool:
        nonce = self._nonces.get(given.get("nonce", ""))
        if nonce is None or self._worn_out(nonce, url):
            return False
        if "nc" in given and not self._rising(nonce, given["nc"]):
            return False
        nonce.uses += 1
        nonce.url = url
        return True

    def _worn_out(self, nonce: _Nonce, url: str) -> bool:
        age = (self._clock() - nonce.born).total_seconds()
        most = self._who.nonce_uses
        if age > self._who.nonce_seconds or (most is not None and nonce.uses >= most):
            return True
        take = self._faults.take
        return (
            take("nonce-always-stale")
            or (nonce.uses >= 1 and take("nonce-once"))
            or (nonce.uses >= _STALE_AFTER and take("stale-nonce"))
            or (nonce.url not in (None, url) and take("nonce-per-url"))
        )

    def _rising(self, nonce: _Nonce, count: str) -> bool:
        """Refuse a count that was used before; parallel requests may overtake each other."""
        try:
            number = int(count, 16)
        except ValueError:
            return False
        late = number <= nonce.highest and self._faults.take("nonce-strict-order")
        if late or number in nonce.seen:
            return False
        nonce.seen.add(number)
        nonce.highest = max(nonce.highest, number)
        return True

    # -- Challenges -------------------------------------------------------------------------------

    def _algorithms(self) -> tuple[str, ...]:
        if self._on("sha256-only"):
            return ("SHA-256",)
        return ("SHA-256", "MD5") if self._on("two-challenges") else ("MD5",)

    def _refuse(self, *, stale: bool) -> Verdict:
        challenges = []
        if not self._on("basic-only"):
            nonce = self._new_nonce()
            challenges = [self._challenge(nonce, name, stale=stale) for name in self._algorithms()]
        if self._takes_basic:
            challenges.append(f'Basic realm="{self.realm}"')
        return Verdict(ok=False, challenges=tuple(challenges))

    def _new_nonce(self) -> str:
        now = self._clock()
        if self._who.challenge == "camera":
            nonce = base64.b64encode(secrets.token_hex(8).encode()).hex()
        else:
            nonce = f"{secrets.token_hex(16)}:{int(now.timestamp())}"
        while len(self._nonces) >= _MOST_NONCES:
            del self._nonces[next(iter(self._nonces))]
        self._nonces[nonce] = _Nonce(now)
        return nonce

    def _challenge(self, nonce: str, algorithm: str, *, stale: bool) -> str:
        word = str(stale).upper()
        qop = "" if self._on("digest-no-qop") else 'qop="auth", '
        if self._who.challenge == "camera" and algorithm == "MD5":
            return f'Digest {qop}realm="{self.realm}", nonce="{nonce}", stale="{word}"'
        return (
            f'Digest realm="{self.realm}", domain="::", {qop}nonce="{nonce}", opaque="", '
            f'algorithm="{algorithm}", stale="{word}"'
        )
