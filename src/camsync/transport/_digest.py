"""HTTP Digest as recorders speak it: RFC 7616, and RFC 2069 where there is no ``qop``.

Pure functions and one small value with a counter; nothing here touches a socket.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading

from collections.abc import Iterable, Mapping

import attrs

from .._secret import Secret


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BLANK = re.compile(r"[\s,]*")
_EQUALS = re.compile(r"\s*=\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)', re.DOTALL)
_TOKEN68 = re.compile(r"\s+[0-9A-Za-z._~+/-]+=*(?=\s*(?:,|$))")
_LONGEST = 8192
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_STRENGTH = ("SHA-256", "MD5")


@attrs.frozen
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header: lower-case scheme and parameter names."""

    scheme: str
    params: Mapping[str, str]

    @property
    def stale(self) -> bool:
        """Whether the device says that only the nonce was too old."""
        return self.params.get("stale", "").lower() == "true"

    @property
    def algorithm(self) -> str:
        """The hash, without ``-sess``; MD5 when the device does not say."""
        return self._algorithm.removesuffix("-SESS")

    @property
    def session(self) -> bool:
        """Whether the ``-sess`` variant is asked for."""
        return self._algorithm.endswith("-SESS")

    @property
    def _algorithm(self) -> str:
        return self.params.get("algorithm", "MD5").upper()

    @property
    def qop(self) -> str | None:
        """``"auth"``, None for the old form without it, or ``""`` if we cannot do what is offered."""
        offered = self.params.get("qop")
        if not offered:
            return None
        return "auth" if "auth" in re.split(r"[\s,]+", offered.lower()) else ""

    @property
    def garbled(self) -> bool:
        """Whether it holds control characters, which an answer would have to repeat."""
        return any(_CONTROL.search(value) for value in self.params.values())

    @property
    def usable(self) -> bool:
        """Whether this is a Digest challenge that we can answer."""
        known = self.algorithm in _STRENGTH and self.qop != ""
        whole = "nonce" in self.params and not self.garbled
        return self.scheme == "digest" and known and whole


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read all challenges of all ``WWW-Authenticate`` headers, merged ones included.

    Empty values (``opaque=""``), parentheses and commas in quotes are normal on recorders.
    What cannot be read is skipped: a broken challenge is as good as none.
    """
    found: list[Challenge] = []
    for header in headers:
        found.extend(_parse(header[:_LONGEST]))
    return found


def _parse(text: str) -> list[Challenge]:
    found: list[Challenge] = []
    params: dict[str, str] = {}
    position = _skip(text, 0)
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            position = _skip(text, position + 1)
            continue
        equals = _EQUALS.match(text, token.end())
        if equals is None:
            params = {}
            found.append(Challenge(token.group().lower(), params))
            blob = _TOKEN68.match(text, token.end())
            position = _skip(text, blob.end() if blob else token.end())
        else:
            value, position = _value(text, equals.end())
            params.setdefault(token.group().lower(), value)
            position = _skip(text, position)
    return found


def _skip(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _value(text: str, position: int) -> tuple[str, int]:
    quoted = _QUOTED.match(text, position)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted.group(1), flags=re.DOTALL), quoted.end()
    token = _TOKEN.match(text, position)
    return (token.group(), token.end()) if token else ("", position)


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the strongest Digest challenge that we can answer, or None."""
    usable = [challenge for challenge in challenges if challenge.usable]
    return min(usable, key=lambda one: _STRENGTH.index(one.algorithm), default=None)


class Nonce:
    """A nonce in use: shared by all threads of a provider, with one rising counter.

    Attributes:
        proven: Whether the device has accepted it once. Only a proven nonce may be retried.
    """

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge
        self.proven = False
        self._count = 0
        self._cnonce = secrets.token_hex(8)
        self._keyed: tuple[str, Secret, Secret] | None = None
        self._lock = threading.Lock()

    def header(self, username: str, password: Secret, method: str, uri: str) -> Secret:
        """Return the value of ``Authorization`` for one request."""
        with self._lock:
            self._count += 1
            count = f"{self._count:08x}"
        return self._header(username, password, method, uri, count)

    def _header(self, username: str, password: Secret, method: str, uri: str, count: str) -> Secret:
        params = self.challenge.params
        nonce, qop = params["nonce"], self.challenge.qop
        middle = f"{nonce}:{count}:{self._cnonce}:{qop}" if qop else nonce
        response = self._hash(self._ha1(username, password), middle, self._hash(method, uri))
        before = (
            f'Digest username="{_escape(username)}", realm="{_escape(params.get("realm", ""))}", '
            f'nonce="{_escape(nonce)}", uri="{uri}"'
        )
        after = self._rest(count)
        # Nothing but this one expression ever holds the whole.
        return Secret(f'{before}, response="{response.reveal()}"{after}'.encode().decode("latin-1"))

    def _rest(self, count: str) -> str:
        """Return the fields behind the response, each with a comma before it."""
        params, qop = self.challenge.params, self.challenge.qop
        fields = ""
        if "algorithm" in params:
            fields += f", algorithm={params['algorithm']}"
        if "opaque" in params:
            fields += f', opaque="{_escape(params["opaque"])}"'
        if qop:
            fields += f', qop={qop}, nc={count}, cnonce="{self._cnonce}"'
        elif self.challenge.session:
            fields += f', cnonce="{self._cnonce}"'
        return fields

    def _ha1(self, username: str, password: Secret) -> Secret:
        """Return what stands for user and password. It is the same for every request."""
        keyed = self._keyed
        if keyed is None or keyed[0] != username or keyed[1] is not password:
            keyed = self._keyed = username, password, self._make_ha1(username, password)
        return keyed[2]

    def _make_ha1(self, username: str, password: Secret) -> Secret:
        ha1 = self._hash(username, self.challenge.params.get("realm", ""), password)
        if self.challenge.session:
            return self._hash(ha1, self.challenge.params["nonce"], self._cnonce)
        return ha1

    def _hash(self, *parts: str | Secret) -> Secret:
        """Hash *parts*, joined with colons; no variable ever holds a plain secret."""
        if self.challenge.algorithm == "SHA-256":
            digest = hashlib.sha256()
        else:
            digest = hashlib.md5(usedforsecurity=False)
        for number, part in enumerate(parts):
            digest.update(b":" if number else b"")
            digest.update((part.reveal() if isinstance(part, Secret) else part).encode())
        return Secret(digest.hexdigest())

    def __repr__(self) -> str:
        return f"<Nonce {self.challenge.algorithm} used={self._count} proven={self.proven}>"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
