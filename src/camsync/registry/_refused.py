"""Refused logins that outlive the process: a changed password must not lock the account.

A recorder locks an account after a few failed logins. An object remembers that it was refused,
but a scheduled run is a new process each time, and a pool is several at once. So each account has
a small private file that says which password was refused, and when. A password that is not the
refused one is sent at once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import secrets

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .._places import data_folder
from .._private import locked, read_private, replace_private, unavailable
from .._secret import Secret
from .._time import UTC, utcnow
from ..errors import AccountLockedError, AuthenticationError, CamsyncError, DamagedStoreError


_log = logging.getLogger("camsync.registry")
FOLDER = "refused-logins"
_MARK = "camsync_refused_logins"
_VERSION = 1
_FIRST = dt.timedelta(hours=1)
_LONGEST = dt.timedelta(hours=24)
_DOUBLINGS = 5
_SHORTEST = dt.timedelta(minutes=1)
_FEW = 2
"""With so many tries left, or fewer, the next one is a day away."""
_KEPT = dt.timedelta(days=7)
"""For so long after its time a refusal still counts as one in a row."""
_MOST = 4
"""Different refused passwords that are kept: two jobs with two old ones must not take turns."""
_SET_BACK = dt.timedelta(minutes=5)
# The refused password may well be right elsewhere. So what is kept is made by scrypt, with a salt
# of its own for each file: guessing costs 32 MiB and about a tenth of a second per guess. It is
# computed only where there is a refusal to compare with.
_COST = {"n": 2**15, "r": 8, "p": 1}
_MEMORY = 64 * 1024 * 1024
_SALT = 16


@attrs.frozen(kw_only=True)
class Refusal:
    """What is known of one refused password. It shows nothing of it but a slow digest.

    Attributes:
        at: When it was refused, for the last time.
        until: Until when it is not sent again.
        times: How often in a row.
        tries_left: Failed logins before the device locks the account, if it has said so.
        unlocked: When the lock ends, if the device has locked the account; else None.
    """

    digest: str = attrs.field(repr=False)
    at: dt.datetime
    until: dt.datetime
    times: int = 1
    tries_left: int | None = None
    unlocked: dt.datetime | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Refusal:
        """Read what `as_json` has made."""
        unlocked = fields["unlocked"]
        left = fields["tries_left"]
        return cls(
            digest=str(fields["digest"]),
            at=_moment(fields["at"]),
            until=_moment(fields["until"]),
            times=int(fields["times"]),
            tries_left=None if left is None else int(left),
            unlocked=None if unlocked is None else _moment(unlocked),
        )

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return attrs.asdict(
            self, value_serializer=lambda _, __, value: _plain(value), recurse=False
        )

    def holds(self, now: dt.datetime) -> bool:
        """Whether nothing may be sent yet. One that lies in the future was noted by a wrong clock."""
        return self.at - _SET_BACK <= now < min(self.until, self.at + 2 * _LONGEST)

    def again(self, now: dt.datetime) -> Refusal:
        """Return what follows from one refusal more."""
        hold = min(_FIRST * 2 ** min(self.times, _DOUBLINGS), _LONGEST)
        return Refusal(digest=self.digest, at=now, until=now + hold, times=self.times + 1)

    def explained(self, tries_left: int | None, unlocked: dt.datetime | None) -> Refusal:
        """Return the same with what the device has said about it."""
        until = self.until
        if unlocked is not None:
            until = max(unlocked, self.at + _SHORTEST)
        elif tries_left is not None and tries_left <= _FEW:
            until = self.at + _LONGEST
        return attrs.evolve(self, tries_left=tries_left, unlocked=unlocked, until=until)


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.datetime) else value


@attrs.frozen(kw_only=True)
class _Book:
    """What a file holds."""

    salt: bytes = attrs.field(factory=lambda: secrets.token_bytes(_SALT))
    refusals: Sequence[Refusal] = ()

    @classmethod
    def of(cls, content: bytes, path: Path) -> _Book:
        try:
            document = json.loads(content)
            if document[_MARK] == _VERSION:
                found = tuple(Refusal.of(each) for each in document["refusals"])
                return cls(salt=bytes.fromhex(document["salt"]), refusals=found)
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            msg = f"{path} does not hold refused logins ({type(error).__name__})"
            raise DamagedStoreError(msg) from error
        msg = f"{path} was written by another version of camsync"
        raise DamagedStoreError(msg)

    def content(self, account: str) -> bytes:
        document = {
            _MARK: _VERSION,
            "account": account,
            "salt": self.salt.hex(),
            "refusals": [each.as_json() for each in self.refusals],
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    def find(self, digest: str) -> Refusal | None:
        return next((each for each in self.refusals if each.digest == digest), None)

    def without(self, digest: str, now: dt.datetime) -> Sequence[Refusal]:
        return [
            each for each in self.refusals if each.digest != digest and now < each.until + _KEPT
        ]


class Guard:
    """Stands before the login of one account: asked before anything is sent, told how it ended.

    Thread-safe, and several processes share what it knows. Where its file cannot be read or
    written, nothing is held back: what cannot be remembered must not keep footage from anybody.

    Args:
        account: Who logs in where: ``hikvision://admin@192.168.1.64:80``.
        secret: What is sent.
        command: What stores another password.
        insist: Send it in any case, once.
    """

    def __init__(self, account: str, secret: Secret, *, command: str, insist: bool = False) -> None:
        name = hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._account = account
        self._secret = secret
        self._command = command
        self._path = data_folder() / FOLDER / f"{name}.json"
        self._insists = insist
        self._seen: tuple[tuple[int, ...] | None, Refusal | None] = (None, None)
        self._digests: dict[bytes, str] = {}
        self._warned = False

    def check(self) -> None:
        """Raise if the same password was refused not long ago. Sends nothing.

        Raises:
            AuthenticationError: It was, and is not sent.
        """
        if self._insists:
            return
        found = self._mine()
        if found is not None and found.holds(utcnow()):
            raise self._error(found)

    def insist(self) -> None:
        """Let the next login pass, whatever is remembered: somebody wants it so."""
        self._insists = True

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other processes from logging in to the account while the block runs."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(self._path))
            except CamsyncError as error:
                _log.info("several processes may log in at once: %s", error.message)
            yield

    def accepted(self) -> None:
        """Forget the refusals of this password. Called within `turn`."""
        self._insists = False
        if self._mine() is not None:
            self._replace(None)

    def refused(self) -> None:
        """Remember that the password was refused. Called within `turn`."""
        self._insists = False
        now = utcnow()
        before = self._mine()
        fresh = Refusal(digest="", at=now, until=now + _FIRST)  # its digest needs the file's salt
        self._replace(fresh if before is None else before.again(now))

    def explained(self, tries_left: int | None, unlocked: dt.datetime | None) -> str | None:
        """Add what the device has said about the last refusal. Called outside of `turn`.

        Returns:
            What the user can do now; None if nothing is remembered.
        """
        with self.turn():
            before = self._mine()
            if before is None:
                return None
            known = before.explained(tries_left, unlocked)
            self._replace(known)
        return self._step(known)

    def __repr__(self) -> str:
        return f"<Guard of {self._account}>"

    def _mine(self) -> Refusal | None:
        """Return what is remembered of this password. Costs a look at the folder if unchanged."""
        try:
            mark = _mark(self._path)
            if mark is None:
                return None
            if mark != self._seen[0]:
                book = self._read()
                self._seen = mark, book.find(self._digest(book.salt)) if book.refusals else None
        except CamsyncError as error:
            self._warn(error)
            return None
        return self._seen[1]

    def _read(self) -> _Book:
        content = read_private(self._path)
        return _Book() if content is None else _Book.of(content, self._path)

    def _replace(self, mine: Refusal | None) -> None:
        """Put *mine* in the place of what is remembered of this password; None forgets it."""
        try:
            try:
                book = self._read()
            except CamsyncError as error:
                self._warn(error)
                book = _Book()
            digest = self._digest(book.salt)
            others = book.without(digest, utcnow())
            ours = [] if mine is None else [attrs.evolve(mine, digest=digest)]
            kept = [*ours, *others][:_MOST]
            if kept:
                book = attrs.evolve(book, refusals=kept)
                replace_private(self._path, book.content(self._account))
            else:
                _remove(self._path)
        except CamsyncError as error:
            self._warn(error)

    def _digest(self, salt: bytes) -> str:
        if salt not in self._digests:
            self._digests[salt] = hashlib.scrypt(
                self._secret.reveal().encode("utf-8", "surrogatepass"),
                salt=salt,
                maxmem=_MEMORY,
                **_COST,
            ).hex()
        return self._digests[salt]

    def _warn(self, error: CamsyncError) -> None:
        if not self._warned:
            _log.warning("a refused login is not remembered for other runs: %s", error.message)
        self._warned = True

    def _error(self, found: Refusal) -> AuthenticationError:
        often = f", {found.times} times in a row" if found.times > 1 else ""
        left = "" if found.tries_left is None else f"; {found.tries_left} tries were left"
        when = f"{found.at:%Y-%m-%d %H:%M} UTC"
        step = self._step(found)
        if found.unlocked is not None:
            msg = f"{self._account} was locked after failed logins at {when}; nothing was sent now"
            return AccountLockedError(msg, unlock_at=found.unlocked, next_step=step)
        msg = (
            f"{self._account} has refused this password at {when}{often}{left}; "
            "nothing was sent now, because recorders lock the account"
        )
        return AuthenticationError(msg, next_step=step)

    def _step(self, found: Refusal) -> str:
        until = f"{found.until:%Y-%m-%d %H:%M} UTC"
        if found.unlocked is not None:
            return (
                "find the program with the wrong password, and unlock on the recorder under "
                f"System > User; nothing is sent before {until}, but by {self._command}"
            )
        return (
            f"store the right password, which is tried at once: {self._command}; "
            f"the refused one is not sent again before {until}"
        )


def _mark(path: Path) -> tuple[int, ...] | None:
    """Return what changes with the file; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unavailable(path, "read", error) from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unavailable(path, "deleted", error) from error
