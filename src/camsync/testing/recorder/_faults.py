"""The things that go wrong on purpose, by name."""

from __future__ import annotations

import threading

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from camsync.errors import ConfigurationError


FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # -- The length of a download
        "length-missing": "download: no Content-Length; the connection closes at the end",
        "length-zero": "download: Content-Length 0, then the whole file",
        "length-short": "download: Content-Length says a quarter less than what is sent",
        "length-long": "download: Content-Length says more than is sent, then the connection closes",
        # -- The course of a download
        "hang-at-end": "download: the socket stays open and silent after the last byte",
        "hang-at-start": "download: headers, then silence",
        "hang-in-middle": "download: half of the file, then silence",
        "drop-after-headers": "download: headers, then the connection closes",
        "drop-in-middle": "download: half of the file, then the connection closes",
        "truncate-file": "download: a clean file of half the length, with the matching Content-Length",
        "send-nothing": "download: 200 without a length and without a body, then a close",
        "xml-error-200": "download: status 200 with an error document as its body",
        "busy-503": "download: 503 deviceBusy",
        "busy-503-retry-after": "download: 503 deviceBusy with Retry-After: 1",
        "busy-403": "download: 403 with deviceBusy in the body",
        "error-500": "download: 500 deviceError",
        "garbage-body": "download: bytes that are no video, in the right number",
        "envelope-64": "download: a 64-byte envelope instead of the 40-byte header",
        "no-stream-map": "download: a program stream without a stream map",
        "slow-drip": "download: half a kilobyte every 20 ms",
        # -- Search
        "error-500-search": "search: 500 deviceError",
        "busy-503-search": "search: 503 serviceUnavailable",
        "slow-search": "search: takes half a second, and holds its slot for so long",
        "not-xml-search": "search: status 200 with a web page",
        "huge-xml": "search: an answer of 64 MiB",
        "duplicate-items": "search: each item comes twice",
        "wrong-track": "search: items of the first track, whatever was asked",
        "page-cap-400": "search: 400 badParameters when more items are asked than a page holds",
        "empty-403": "search: a search without hits gives 403",
        # -- Login
        "stale-nonce": "login: a nonce is good for three requests, then stale",
        "nonce-once": "login: a nonce is good for one request, then stale",
        "nonce-per-url": "login: a nonce is good for one URL only",
        "nonce-strict-order": "login: nc must rise with each request, as it arrives",
        "nonce-always-stale": "login: every nonce is stale, even a new one",
        "basic-only": "login: only Basic",
        "digest-and-basic": "login: Digest and Basic, both accepted",
        "sha256-only": "login: Digest with SHA-256 only",
        "digest-no-qop": "login: Digest as in RFC 2069, without qop",
        "two-challenges": "login: two challenges, SHA-256 and MD5, either accepted",
        "default-password": "login: userCheck calls the password the default one",
        "risky-password": "login: userCheck calls the password risky",
        "unauthorized-midway": "login: the right password is refused from now on",
        # -- TLS
        "old-tls": "TLS: nothing newer than TLS 1.0, with the ciphers and hashes of its time",
        # -- Everything
        "redirect-https": "any request: 302 to the same path on port 443 with https",
        "redirect-elsewhere": "any request: 302 to another host",
        "redirect-http": "any request: 302 to the same path on port 80 with http",
        "redirect-same-host": "GET: 302 to the same path with moved=1 behind it, which is answered",
        "redirect-loop": "any request: 302 to itself",
        "html-404": "any request: 404 with a web page, as from something that is no recorder",
        "reset-connection": "any request: the connection is reset",
    }
)
"""Every fault with what it does. Login faults that are on at the same time add up."""

_SETTINGS: Final = frozenset(
    {
        "basic-only",
        "digest-and-basic",
        "sha256-only",
        "digest-no-qop",
        "two-challenges",
        "old-tls",
        "default-password",
        "risky-password",
    }
)
"""Faults that describe the device's settings: on or off, but not for a number of times."""


class Faults:
    """Which faults are on, for how many more times, and how often each has struck."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, int | None] = {}
        self._hits: Counter[str] = Counter()
        for name in names:
            self.enable(name)

    def enable(self, name: str, times: int | None = None) -> None:
        """Switch a fault on, for good or for the next *times*.

        Raises:
            ConfigurationError: No such fault, *times* is not positive, or the fault is a setting
                of the device, such as a way to log in, which is either on or off.
        """
        if name not in FAULTS:
            msg = f"the simulator has no fault {name!r}"
            raise ConfigurationError(msg, next_step=f"use one of: {', '.join(FAULTS)}")
        if times is not None and (times < 1 or name in _SETTINGS):
            msg = f"the fault {name!r} cannot be on for {times} times"
            raise ConfigurationError(msg)
        with self._lock:
            self._left[name] = times

    def disable(self, name: str) -> None:
        """Switch a fault off; it need not be on."""
        with self._lock:
            self._left.pop(name, None)

    def take(self, name: str) -> bool:
        """Whether the fault strikes now; counts it if so."""
        with self._lock:
            if name not in self._left:
                return False
            left = self._left[name]
            if left == 1:
                del self._left[name]
            elif left is not None:
                self._left[name] = left - 1
            self._hits[name] += 1
            return True

    def first(self, *names: str) -> str | None:
        """Return the first of *names* that strikes now, or None."""
        return next((name for name in names if self.take(name)), None)

    def snapshot(self) -> Mapping[str, int | None]:
        """Return the faults that are on, with how many times are left (None: no limit)."""
        with self._lock:
            return MappingProxyType(dict(self._left))

    def hits(self) -> Mapping[str, int]:
        """Return how often each fault has struck."""
        with self._lock:
            return MappingProxyType(dict(self._hits))

    def forget_hits(self) -> None:
        """Set the counts of `hits` back."""
        with self._lock:
            self._hits.clear()
