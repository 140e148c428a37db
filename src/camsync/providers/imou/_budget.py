"""What an account has used this month, kept on disk, and the limits that its owner has set.

The vendor counts calls and media traffic per account and month, whoever makes them: so all
processes of this computer share one file. It holds no secret.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import weakref

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs

from ..._places import absolute, config_folder
from ..._private import TO_READ, locked, read_private, replace_private
from ..._time import UTC, utcnow
from ..._words import size_text
from ...errors import (
    BudgetExceededError,
    ConfigurationError,
    DamagedStoreError,
    StoreUnavailableError,
)


_log = logging.getLogger("camsync.imou")
_FILE: Final = "imou-usage.json"
_MARK: Final = "camsync_imou_usage"
_VERSION: Final = 1
_RAISE_CALLS: Final = "raise max_calls, or wait for the next month"
_RAISE_BYTES: Final = "raise max_bytes, or wait for the next month"
BLOCK: Final = 4 * 1024 * 1024
_CALLS: Final = 10
"""So many bytes and calls are counted ahead, so that not each of them writes the file."""
_MONTHS: Final = 3
"""Months that are kept: a clock that is wrong for a while must not make a new one of this month."""


@attrs.frozen(kw_only=True)
class Usage:
    """What one account has used in one month, as counted on this computer.

    The vendor's own count may be higher: it knows of other computers and of the vendor's apps.

    Attributes:
        account: The app id.
        month: ``"2026-11"``, in UTC. Most sources say that the vendor begins anew on the 1st, one
            says on the day of the month on which the account was registered: not yet verified.
        calls: Requests sent, failed ones included.
        bytes: Media bytes received.
        by_method: Requests per method.
        max_calls: Your own limit of requests, or None.
        max_bytes: Your own limit of media bytes, or None.
    """

    account: str
    month: str
    calls: int = 0
    bytes: int = 0
    by_method: Mapping[str, int] = attrs.field(factory=dict)
    max_calls: int | None = None
    max_bytes: int | None = None


class Budget:
    """Counts for one account and guards its limits; for several threads and processes.

    Calls and media bytes are counted on disk in blocks (10 calls, 4 MiB), each *before* the first
    call or byte that it covers; `settle` gives back what is left of them. So whatever dies, a limit
    is never passed and nothing goes uncounted: a crash counts at most one block too much, and
    while several processes work, each may hold one. Bytes are known only once they have come: with
    *max_bytes* what may come more is the rest of the one read that reached it.

    Without limits a file that cannot be written is only worth a warning, and counts are kept in
    memory; with limits it is an error, because they could not be kept.

    Args:
        path: The file; None for ``imou-usage.json`` in camsync's folder.
        now: The clock.

    Raises:
        ConfigurationError: A limit is no whole number from 0.
    """

    def __init__(
        self,
        account: str,
        *,
        path: Path | str | None = None,
        max_calls: int | None = None,
        max_bytes: int | None = None,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        for name, limit in (("max_calls", max_calls), ("max_bytes", max_bytes)):
            if limit is not None and (type(limit) is not int or limit < 0):
                msg = f"{name} must be a whole number from 0, or None, not {limit!r}"
                raise ConfigurationError(msg)
        self._path = absolute(path) if path is not None else config_folder() / _FILE
        self._now = now
        self._empty = Usage(account=account, month="", max_calls=max_calls, max_bytes=max_bytes)
        self._lock = threading.Lock()
        self._memory: Usage | None = None
        self._month = ""
        # Counted on disk, but not used yet; bytes that have come but are not counted are negative.
        self._spare_calls = 0
        self._spare_bytes = 0
        self._methods: Counter[str] = Counter()
        _budgets.add(self)

    def _forget_spare(self) -> None:
        """In a child process: what was counted ahead belongs to the parent, and so does the lock."""
        self._lock = threading.Lock()
        self._spare_calls = self._spare_bytes = 0
        self._methods.clear()

    @property
    def usage(self) -> Usage:
        """What was used this month so far.

        Raises:
            DamagedStoreError: The file is damaged.
            StoreUnavailableError: It cannot be read.
        """
        with self._lock:
            self._roll()
            return self._used()

    def _used(self) -> Usage:
        used = self._merged(self._fresh(self._memory) if self._memory else self._of(self._read()))
        return attrs.evolve(
            used, calls=used.calls - self._spare_calls, bytes=used.bytes - self._spare_bytes
        )

    def call(self, method: str) -> None:
        """Count a call that is about to be sent.

        Raises:
            BudgetExceededError: It would be one too many. It must not be sent.
            StoreUnavailableError: There are limits, and the file cannot be written.
        """
        with self._lock:
            self._roll()
            if not self._spare_calls:
                self._reserve_calls(method)
            self._spare_calls -= 1
            self._methods[method] += 1

    def _reserve_calls(self, method: str) -> None:
        granted = 0

        def counted(used: Usage) -> Usage:
            nonlocal granted
            granted = _CALLS if used.max_calls is None else min(_CALLS, used.max_calls - used.calls)
            if granted <= 0:
                msg = f"{method}: your {used.max_calls} calls of {used.month} are used up"
                raise BudgetExceededError(msg, next_step=_RAISE_CALLS)
            return attrs.evolve(used, calls=used.calls + granted)

        self._change(counted)
        self._spare_calls = granted

    def check_bytes(self, expected: int | None = None) -> int:
        """Look whether media may be asked for.

        Args:
            expected: About so many bytes.

        Returns:
            Bytes that may come before the next look.

        Raises:
            BudgetExceededError: *max_bytes* is reached, or would be passed by what is expected.
        """
        with self._lock:
            self._roll()
            if self._spare_bytes <= 0:
                self._reserve_bytes(1)
            limit = self._empty.max_bytes
            if limit is None or expected is None:
                return self._spare_bytes
            left = limit - self._used().bytes
            if expected > left:
                about = f"this recording has about {size_text(expected)}"
                msg = f"{about}, {size_text(left)} are left of max_bytes"
                raise BudgetExceededError(msg, next_step=_RAISE_BYTES)
            return self._spare_bytes

    def count(self, received: int) -> None:
        """Count media bytes as they come.

        Raises:
            BudgetExceededError: *max_bytes* is passed: stop here.
        """
        with self._lock:
            self._roll()
            self._spare_bytes -= received
            if self._spare_bytes < 0:
                self._reserve_bytes(-self._spare_bytes)

    def _reserve_bytes(self, wanted: int) -> None:
        """Count bytes on disk: at least *wanted*, which have come, or the next ones."""
        granted = 0
        passed: Usage | None = None

        def counted(used: Usage) -> Usage:
            nonlocal granted, passed
            room = wanted + BLOCK if used.max_bytes is None else used.max_bytes - used.bytes
            granted = max(wanted, min(BLOCK, room))
            if room < wanted:  # what has come has come
                passed, granted = used, max(-self._spare_bytes, 0)
            return attrs.evolve(used, bytes=used.bytes + granted)

        self._change(counted)
        self._spare_bytes += granted
        if passed is not None:
            msg = f"your {passed.max_bytes} media bytes of {passed.month} are used up"
            raise BudgetExceededError(msg, next_step=_RAISE_BYTES)

    def settle(self) -> None:
        """Give back what was counted ahead; at the end of a download, and of the program."""
        with self._lock:
            self._roll()
            calls, size = self._spare_calls, self._spare_bytes
            if calls or size or self._methods:
                self._change(
                    lambda used: attrs.evolve(
                        used, calls=max(used.calls - calls, 0), bytes=max(used.bytes - size, 0)
                    )
                )
                self._spare_calls = self._spare_bytes = 0

    def _roll(self) -> None:
        """Begin anew with the month: what was counted ahead belongs to the old one."""
        month = f"{self._now().astimezone(UTC):%Y-%m}"
        if month != self._month:
            self._month, self._spare_calls, self._spare_bytes = month, 0, 0
            self._methods.clear()

    def _merged(self, used: Usage) -> Usage:
        return attrs.evolve(used, by_method=dict(Counter(used.by_method) + self._methods))

    def _change(self, change: Callable[[Usage], Usage]) -> None:
        if self._memory is not None:
            self._memory = self._merged(change(self._fresh(self._memory)))
            self._methods.clear()
            return
        try:
            with locked(self._path):
                book = self._read()
                used = self._merged(change(self._of(book)))
                book[used.account] = _entry(used, book.get(used.account, {}))
                _write(self._path, book)
        except StoreUnavailableError as error:
            if (self._empty.max_calls, self._empty.max_bytes) != (None, None):
                raise
            _log.warning("calls are counted in memory only: %s", error.message)
            self._memory = self._merged(change(self._fresh(self._empty)))
        self._methods.clear()

    def _read(self) -> dict[str, Any]:
        content = read_private(self._path, others=TO_READ)
        if content is None:
            return {}
        try:
            book = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _damaged(self._path) from error
        if not isinstance(book, dict) or book.get(_MARK) != _VERSION:
            raise _damaged(self._path)
        accounts = book.get("accounts")
        if not isinstance(accounts, dict):
            raise _damaged(self._path)
        return accounts

    def _of(self, book: Mapping[str, Any]) -> Usage:
        """Return this month's counts; other months have to make sense as well."""
        try:
            months = _months(book.get(self._empty.account, {}))
            found = {month: self._used_in(month, entry) for month, entry in months.items()}
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise _damaged(self._path) from error
        return found.get(self._month, attrs.evolve(self._empty, month=self._month))

    def _used_in(self, month: str, entry: Mapping[str, Any]) -> Usage:
        return attrs.evolve(
            self._empty,
            month=month,
            calls=int(entry.get("calls", 0)),
            bytes=int(entry.get("bytes", 0)),
            by_method={str(key): int(value) for key, value in entry.get("by_method", {}).items()},
        )

    def _fresh(self, used: Usage) -> Usage:
        return used if used.month == self._month else attrs.evolve(self._empty, month=self._month)


_budgets: weakref.WeakSet[Budget] = weakref.WeakSet()


def _forget_spares() -> None:
    for budget in list(_budgets):
        budget._forget_spare()  # noqa: SLF001 - its own module


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_forget_spares)


def _months(entry: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what an account has used, by month."""
    return {str(entry.get("month", "")): entry, **dict(entry.get("others", {}))}


def _entry(used: Usage, before: Mapping[str, Any]) -> dict[str, Any]:
    """Write this month into what is kept of an account: the latest months, and this one."""
    months = {month: one for month, one in _months(before).items() if month}
    months[used.month] = _written(used)
    kept = {*sorted(months)[-_MONTHS:], used.month}
    latest = max(kept)
    others = {month: _counts(months[month]) for month in sorted(kept) if month != latest}
    return {**_counts(months[latest]), "month": latest, **({"others": others} if others else {})}


def _counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "others"}


def _written(used: Usage) -> dict[str, Any]:
    return {
        "month": used.month,
        "calls": used.calls,
        "bytes": used.bytes,
        "by_method": dict(used.by_method),
    }


def _write(path: Path, accounts: Mapping[str, Any]) -> None:
    book = {_MARK: _VERSION, "accounts": accounts}
    replace_private(path, json.dumps(book, indent=1, sort_keys=True).encode())


def _damaged(path: Path) -> DamagedStoreError:
    return DamagedStoreError(
        f"{path} does not hold what camsync writes there",
        next_step="delete it: the counts of this month are lost then",
    )
