"""The shapes of secrets and of what identifies a device, for scanning files."""

from __future__ import annotations

import base64
import re

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs


SCRUBBED: Final = "scrubbed"

# The value of a secret in JSON, whatever its name: not scrubbed, not stars, not an explanation.
_NAMES: Final = (
    "password|appSecret|accessToken|kitToken|playToken|liveToken|streamToken|token|sign|secret"
    "|sessionID|apiKey|privateKey|refreshToken|rfSessionId"
)

SHAPES: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "Digest login": re.compile(r"Digest\s{1,4}username=", re.IGNORECASE),
        "Basic login": re.compile(
            r"\bBasic\s{1,4}(?!scrubbed)[A-Za-z0-9+/]{8,}={0,2}(?![A-Za-z0-9+/])"
        ),
        "bearer token": re.compile(r"\bBearer\s{1,4}[A-Za-z0-9._~+/-]{12,}", re.IGNORECASE),
        "session cookie": re.compile(r"WebSession_[0-9a-z]{1,64}=[0-9a-f]{8,}", re.IGNORECASE),
        "password in a URL": re.compile(
            r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{1,256}:[^\s/@\"'<>]{1,256}@"
        ),
        "password element": re.compile(
            r"<(?:\w{1,30}:)?(?:password|adminPassword|loginPassword)>"
            r"(?!\s{0,4}(?:scrubbed|\*{1,40})?\s{0,4}<)[^<]+",
            re.IGNORECASE,
        ),
        "secret in JSON": re.compile(
            rf"[\"'](?:{_NAMES})[\"']\s{{0,4}}:\s{{0,4}}[\"'](?!scrubbed|\*)[^\"']{{6,}}[\"']",
            re.IGNORECASE,
        ),
        "signed request": re.compile(
            r"\"system\"\s{0,9}:\s{0,9}\{[^{}]{0,400}\"nonce\"\s{0,9}:\s{0,9}\"(?!scrubbed)[^\"]{6,}\""
        ),
        "access token": re.compile(r"\b(?:At|Kt|Ut|St)_[0-9A-Za-z]{16,}"),
        "signed URL": re.compile(
            r"[?&;](?:token|sign|signature|digest|t|c|expires|x-amz-signature)="
            r"(?!scrubbed)[0-9A-Za-z%+/_.~-]{16,}",
            re.IGNORECASE,
        ),
        "encrypted token": re.compile(r"\bgAAAAA[A-Za-z0-9_-]{40,}"),
        "private key": re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"),
        "JSON web token": re.compile(
            r"\beyJ[A-Za-z0-9_-]{10,4096}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"
        ),
        "cloud access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        "credential store": re.compile(r"^\W{0,4}camsync_credentials\b", re.MULTILINE),
    }
)
"""A shape, and what tells a value of that shape from an innocent or scrubbed one."""

_PLACE: Final = r"(?:example|test|invalid|localhost|recorder|nvr|host|camera|device)"
_STRICT: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "Digest login": re.compile(
            r"\bresponse=\\?[\"'](?P<value>[0-9a-f]{32}(?:[0-9a-f]{32})?)\b"
        ),
        "Basic login": re.compile(r"\bBasic\s{1,4}(?P<value>[A-Za-z0-9+/]{16,}={0,2})"),
        "bearer token": re.compile(r"\bBearer\s{1,4}(?P<value>[A-Za-z0-9._~+/-]{24,})"),
        "session cookie": re.compile(r"WebSession_[0-9a-z]{1,64}=(?P<value>[0-9a-f]{32,})"),
        "password in a URL": re.compile(
            r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>{}]{1,256}:(?P<value>[^\s/@\"'<>{}]{8,256})@"
            rf"(?!(?:[\w-]+\.)*{_PLACE}\b)"
        ),
        "access token": re.compile(r"\b(?:At|Kt|Ut|St)_(?P<value>[0-9A-Za-z]{20,})"),
        "encrypted token": re.compile(r"\b(?P<value>gAAAAA[A-Za-z0-9_-]{60,})"),
        "private key": re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:\\n|\s){1,4}(?P<value>[A-Za-z0-9+/=]{32,})"
        ),
        "JSON web token": re.compile(
            r"\b(?P<value>eyJ[A-Za-z0-9_-]{16,4096}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{20,})"
        ),
        "cloud access key": re.compile(r"\b(?P<value>(?:AKIA|ASIA)[0-9A-Z]{16})\b"),
    }
)
"""For source code and documentation, which speak of secrets all the time: values of full length
that look drawn by lot."""

_MADE_UP: Final = re.compile(r"example|scrubbed|hunter|secret|password|(.)\1{5}", re.IGNORECASE)
_VARIED: Final = 7
NOT_A_SECRET: Final = "not a secret"  # noqa: S105 - the opposite
"""A line of source code with these words may hold what looks like one: a vector of an RFC."""


IDENTITIES: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "MAC address": re.compile(
            r"(?<!\w)(?<!\b[0-9A-Fa-f]{2}[:-])(?!02([:-])00\1|(?:00[:-]){5}00|(?:[fF]{2}[:-]){5})"
            r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\2){4}[0-9A-Fa-f]{2}(?![\w]|[:-][0-9A-Fa-f]{2}\b)"
        ),
        "public address": re.compile(
            r"(?<![\w.])(?!(?:0|10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168|192\.0\.2|198\.51\.100"
            r"|203\.0\.113|198\.1[89]|22[4-9]|2[34]\d|25[0-5]|1\.0\.0|8\.8\.8)\.)"
            r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
            r"(?![\w]|\.\d)"
        ),
        "serial number": re.compile(
            r"\bi?[A-Z]{2,4}-[A-Z0-9/()-]{4,30}?20\d{6}[A-Z]{4,6}(?!0{5})\d{7,9}(?:[A-Z]{4})?\b"
        ),
    }
)
"""What identifies a device and is neither documentation nor made up."""


@attrs.frozen
class Finding:
    """Something that looks like a secret; the thing itself is not kept.

    Attributes:
        kind: Which shape it has.
        line: Line number from 1.
    """

    kind: str
    line: int


def find_secrets(text: str, known: Iterable[str] = ()) -> list[Finding]:
    """Look for everything in *text* that has a secret's shape, or is one of the *known* secrets."""
    literal = [re.compile(re.escape(secret)) for secret in known if secret]
    return findings(text, [*SHAPES.items(), *(("known secret", pattern) for pattern in literal)])


def find_real_secrets(text: str) -> list[Finding]:
    """Look for secrets in source code and documentation: only for what looks like a real value."""
    lines = text.splitlines()
    found = [
        Finding(kind, text.count("\n", 0, match.start()) + 1)
        for kind, pattern in _STRICT.items()
        for match in pattern.finditer(text)
        if _looks_real(_plain_login(match["value"]) if kind == "Basic login" else match["value"])
    ]
    return sorted(
        (one for one in found if NOT_A_SECRET not in "".join(lines[one.line - 1 : one.line])),
        key=lambda finding: finding.line,
    )


def _plain_login(value: str) -> str:
    """Return the password of a Basic login; empty when it is none."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _looks_real(value: str) -> bool:
    letters, digits = (any(map(test, value)) for test in (str.isalpha, str.isdigit))
    varied = len(set(value)) >= _VARIED
    return letters and digits and varied and _MADE_UP.search(value) is None


def find_identities(text: str) -> list[Finding]:
    """Look for MAC addresses, public addresses and serial numbers that could be somebody's own.

    Addresses and MAC addresses in the ranges for documentation and for local use are nobody's.
    """
    return findings(text, IDENTITIES.items())


def findings(text: str, patterns: Iterable[tuple[str, re.Pattern[str]]]) -> list[Finding]:
    """Return where the *patterns*, named by their kinds, match; ordered by line."""
    found = [
        Finding(kind, text.count("\n", 0, match.start()) + 1)
        for kind, pattern in patterns
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda finding: finding.line)
