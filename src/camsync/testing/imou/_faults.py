"""The things that go wrong on purpose, by name."""

from __future__ import annotations

import re

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from camsync.errors import ConfigurationError

from ..recorder._faults import Faults


@attrs.frozen
class Scripted:
    """A result code that a fault answers with, and which calls it strikes."""

    code: str
    scope: str
    """``any``, ``login`` (accessToken), ``token`` (all others), ``device``, ``sd``, ``cloud``,
    ``media``."""


CODES: Final[Mapping[str, Scripted]] = MappingProxyType(
    {
        "wrong-sign": Scripted("SN1001", "any"),
        "sign-parameters": Scripted("SN1003", "any"),
        "clock-skew": Scripted("SN1002", "any"),
        "nonce-reused": Scripted("SN1005", "any"),
        "unknown-app": Scripted("SN1004", "any"),
        "app-frozen": Scripted("OP1010", "any"),
        "token-expired": Scripted("TK1002", "token"),
        "token-illegal": Scripted("TK1003", "token"),
        "missing-parameter": Scripted("OP1002", "token"),
        "illegal-value": Scripted("OP1003", "token"),
        "unknown-method": Scripted("OP1005", "token"),
        "no-permission": Scripted("OP1009", "token"),
        "interface-denied": Scripted("OP1012", "token"),
        "operation-failed": Scripted("OP1001", "token"),
        "too-frequent": Scripted("OP1026", "any"),
        "quota-month": Scripted("OP1013", "any"),
        "quota-day": Scripted("OP1014", "any"),
        "quota-interface": Scripted("OP1011", "any"),
        "licence": Scripted("FL1001", "device"),
        "device-unknown": Scripted("DV1002", "device"),
        "device-offline": Scripted("DV1007", "sd"),
        "device-busy": Scripted("DV1009", "device"),
        "device-asleep": Scripted("DV1030", "sd"),
        "channel-offline": Scripted("DV1020", "sd"),
        "not-supported": Scripted("DV1026", "device"),
        "timed-out": Scripted("WF1001", "device"),
        "no-card": Scripted("DV1049", "sd"),
        "no-plan": Scripted("ST1004", "cloud"),
        "plan-expired": Scripted("ST1005", "cloud"),
        "nothing-recorded": Scripted("OP1019", "sd"),
        "nothing-in-the-cloud": Scripted("RC1001", "cloud"),
        "no-hls": Scripted("OP1005", "media"),
        "hls-denied": Scripted("OP1012", "media"),
        "no-play-address": Scripted("OP1021", "media"),
        "traffic-used-up": Scripted("FL1004", "media"),
        "bandwidth-used-up": Scripted("FL1003", "media"),
        "numeric-code": Scripted("13202", "token"),
        "unheard-of-code": Scripted("ZZ9999", "token"),
    }
)
"""Faults that answer with a result code, before anything else is looked at."""

_SCOPES: Final = {
    "any": "any call",
    "login": "accessToken",
    "token": "any call but accessToken",
    "device": "calls about a device",
    "sd": "calls that reach the camera",
    "cloud": "cloud recordings",
    "media": "createDeviceRecordHls",
}

STYLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hls-master": "a master playlist with two variants stands before the media playlist",
        "hls-aes": "AES-128, the media sequence number is the IV",
        "hls-aes-iv": "AES-128 with an explicit IV",
        "hls-key-rotation": "AES-128 with a new key every second segment",
        "hls-discontinuity": "time stamps begin anew in the middle, with EXT-X-DISCONTINUITY",
        "hls-byterange": "one file, its segments are byte ranges, every other without an offset",
        "hls-live": "no ENDLIST at first; each reload shows another third",
        "hls-absolute": "absolute URLs instead of relative ones",
        "hls-one-shot": "the second GET of the same playlist gives 403",
        "hls-expires-midway": "after half of the segments, 403 until there is a new URL",
        "hls-elsewhere": "segments on another host that does not exist",
        "hls-private-host": "segments at an address that is for private networks",
        "hls-folder": "the playlist's URL redirects into a folder, in which its segments are, too",
        "hls-holes": "the middle third of the segments is left out of the playlist",
        "hls-reversed": "the segments in reversed order",
        "hls-twice": "all segments twice over, with EXT-X-DISCONTINUITY in between",
        "hls-overstated": "EXTINF says three times what there is",
        "hls-bare": "no version, no sequence number, CRLF line ends, comments and blank lines",
    }
)
"""How a playback is offered: decided when createDeviceRecordHls is called."""

_OTHERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # -- Login
        "other-domain": "accessToken: currentDomain is the vendor's data centre in Oregon",
        "foreign-domain": "accessToken: currentDomain is a host that is none of the vendor's",
        "bare-domain": "accessToken: currentDomain without a scheme",
        "no-domain": "accessToken: no currentDomain",
        "empty-login": "accessToken: code 0 and no data",
        "new-token": "accessToken: a new token; the old one stays good",
        "wrong-region": "device lists: empty, as in a data centre that is not the account's",
        # -- Answers
        "no-code": "any call: a result without a code",
        "not-json": "any call: a web page with status 200",
        "null-data": "any call: data is null",
        "slow": "any call: takes a quarter of a second",
        "huge-answer": "any call: an answer of 64 MiB",
        "http-404": "any request: status 404 with a web page",
        "http-500": "any request: status 500",
        "http-503": "any request: status 503 with Retry-After: 1",
        "redirect-api": "any call: 302 to another host",
        "reset-connection": "any request: the connection is reset",
        # -- Devices
        "bare-list": "listDeviceDetailsByPage: only what the published samples have",
        "status-words": "listDeviceDetailsByPage: states as words instead of 1 and 0",
        "count-is-page": "lists: count is the length of the page instead of the account's total",
        "no-channels": "device lists: items without their channels",
        "no-zone": "timeZoneQueryByDay, timeZoneQueryByWeek: DV1026",
        # -- Records
        "empty-without-records": "searches: nothing found is data without records",
        "empty-without-data": "searches: nothing found is code 0 without data",
        "empty-is-an-error": "searches: nothing found is OP1019 (card) or RC1001 (cloud)",
        "no-plan-is-empty": "searches: a device without a plan has no records instead of ST1004",
        "begins-within": "searches: only what begins within the window, not what reaches into it",
        "duplicate-records": "searches: each record comes twice",
        "endless-pages": "searches: the last page comes again and again",
        "wrong-bitmap": "bitmaps: all ones",
        # -- Media
        "url-elsewhere": "createDeviceRecordHls: a URL on a host that does not exist",
        "url-expired": "createDeviceRecordHls: a URL that has expired already",
        "same-day-only": "createDeviceRecordHls: OP1003 when begin and end are on different days",
        "no-url": "createDeviceRecordHls: code 0 without a url",
        "playlist-403": "playlist: 403",
        "playlist-404": "playlist: 404",
        "playlist-html": "playlist: status 200 with a web page",
        "playlist-empty": "playlist: no segments",
        "playlist-bomb": "playlist: 64 MiB of it",
        "playlist-loop": "playlist: a master playlist whose variant is itself",
        "playlist-redirect": "playlist: 302 to the same on this host",
        "playlist-moved": "playlist: 302 to another host",
        "segment-403": "segment: 403",
        "segment-404": "segment: 404",
        "segment-500": "segment: 500",
        "segment-slow": "segment: half a kilobyte every 20 ms",
        "segment-hangs": "segment: half of it, then silence",
        "segment-truncated": "segment: half of what Content-Length says, then a close",
        "segment-short": "segment: half of it, with the matching Content-Length",
        "segment-cut": "segment: a quarter of it, cut between two packets, with that Content-Length",
        "segment-blank": "segment: null packets only",
        "segment-without-length": "segment: no Content-Length; the connection closes at the end",
        "segment-html": "segment: status 200 with a web page",
        "segment-type": "segment: labelled text/html",
        "segment-ignores-range": "segment: status 200 and the whole file when a range is asked",
        "segment-redirect": "segment: 302 to the same on this host",
        "segment-moved": "segment: 302 to another host",
        "key-403": "key: 403",
        "key-500": "key: 500",
        "key-short": "key: ten bytes instead of sixteen",
        "key-wrong": "key: another one",
    }
)

FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: f"{_SCOPES[each.scope]}: result code {each.code}" for name, each in CODES.items()},
        **{name: f"playback: {text}" for name, text in STYLES.items()},
        **_OTHERS,
    }
)
"""Every fault with what it does."""

_ANY_CODE: Final = re.compile(r"code:(?P<code>[0-9A-Za-z]{1,12})(?:@(?P<method>[A-Za-z]{1,60}))?")


class ImouFaults(Faults):
    """Which faults are on; besides those of `FAULTS` any ``code:XX1234`` and ``code:XX1234@method``."""

    def enable(self, name: str, times: int | None = None) -> None:
        """Switch a fault on, for good or for the next *times*.

        Raises:
            ConfigurationError: No such fault, or *times* is not positive.
        """
        if name not in FAULTS and _ANY_CODE.fullmatch(name) is None:
            msg = f"the simulator has no fault {name!r}"
            hint = f"use code:XX1234, code:XX1234@method, or one of: {', '.join(FAULTS)}"
            raise ConfigurationError(msg, next_step=hint)
        if times is not None and times < 1:
            msg = f"the fault {name!r} cannot be on for {times} times"
            raise ConfigurationError(msg)
        with self._lock:
            self._left[name] = times

    def scripted(self, method: str, scopes: frozenset[str]) -> str | None:
        """Return the result code that a fault answers this call with, or None."""
        for name in self.snapshot():
            free = _ANY_CODE.fullmatch(name)
            if free is not None:
                code, strikes = free["code"], free["method"] in (None, method)
            else:
                each = CODES.get(name)
                code, strikes = (each.code, each.scope in scopes) if each else ("", False)
            if strikes and self.take(name):
                return code
        return None
