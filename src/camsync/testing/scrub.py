"""Keeps secrets out of what is recorded and committed.

`vcr_options` configures vcrpy so that cassettes of ISAPI hold no login; `find_secrets` looks for
anything that has a secret's shape. ``python -m camsync.testing.scrub PATH…`` scans files and
exits with 1 when it finds something.
"""

from __future__ import annotations

import re
import sys

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs


SCRUBBED = "scrubbed"
_LOGIN_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization"})
_SUFFIXES = frozenset(
    {".yaml", ".yml", ".json", ".xml", ".txt", ".har", ".log", ".csv", ".headers"}
)
_SEARCH_ID = re.compile(rb"<searchID>[^<]*</searchID>")
_HOST = re.compile(r"(?<=://)(127\.0\.0\.1|\[::1\]|localhost):\d+")

# A shape, and what tells a value of that shape from an innocent or scrubbed one.
_SHAPES: Mapping[str, re.Pattern[str]] = {
    "Digest login": re.compile(r"Digest\s+username=", re.IGNORECASE),
    "Basic login": re.compile(r"\bBasic\s+(?!scrubbed)[A-Za-z0-9+/]{8,}={0,2}(?![A-Za-z0-9+/])"),
    "bearer token": re.compile(r"\bBearer\s+[A-Za-z0-9._~+/-]{12,}", re.IGNORECASE),
    "session cookie": re.compile(r"WebSession_[0-9a-z]+=[0-9a-f]{8,}", re.IGNORECASE),
    "password in a URL": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]+:[^\s/@\"'<>]+@"),
    "password element": re.compile(
        r"<(?:\w+:)?(?:password|adminPassword|loginPassword)>(?!\s*(?:scrubbed|\*+)?\s*<)[^<]+",
        re.IGNORECASE,
    ),
    "secret in JSON": re.compile(
        r"[\"'](?:password|appSecret|accessToken|token|sign|secret|sessionID)[\"']\s*:\s*"
        r"[\"'](?!scrubbed|\*)[^\"']{6,}[\"']",
        re.IGNORECASE,
    ),
    "encrypted token": re.compile(r"\bgAAAAA[A-Za-z0-9_-]{40,}"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"),
}


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
    patterns = [*_SHAPES.items(), *(("known secret", pattern) for pattern in literal)]
    found = [
        Finding(kind, text.count("\n", 0, match.start()) + 1)
        for kind, pattern in patterns
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda finding: finding.line)


def scan(paths: Iterable[Path]) -> Iterator[tuple[Path, Finding]]:
    """Scan data files (YAML, JSON, XML, text, HAR) below *paths*; source code is left out."""
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.suffix in _SUFFIXES:
                for finding in find_secrets(file.read_text("utf-8", "replace")):
                    yield file, finding


def scrub_request(request: Any) -> Any:
    """Take the login out of a vcrpy request (a ``before_record_request`` hook).

    The port of a loopback address becomes 80, so that a cassette fits every run.
    """
    for name in [name for name in request.headers if name.lower() in _LOGIN_HEADERS]:
        del request.headers[name]
    request.uri = _HOST.sub(r"\1:80", request.uri)
    return request


def scrub_response(response: dict[str, Any]) -> dict[str, Any]:
    """Take cookies out of a vcrpy response (a ``before_record_response`` hook)."""
    headers = response["headers"]
    for name in [name for name in headers if name.lower() in _LOGIN_HEADERS]:
        headers[name] = [SCRUBBED]
    return response


def isapi_body(first: Any, second: Any) -> None:
    """Compare two request bodies with the random search id left out (a vcrpy matcher).

    vcrpy's default ignores bodies and silently replays page one for page two.

    Raises:
        AssertionError: They differ.
    """
    bodies = [_SEARCH_ID.sub(b"<searchID/>", _bytes(request.body)) for request in (first, second)]
    if bodies[0] != bodies[1]:
        msg = "the request bodies differ"
        raise AssertionError(msg)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else bytes(body)


def vcr_options(record_mode: str = "none") -> dict[str, Any]:
    """Return keyword arguments for ``vcr.VCR``; register `isapi_body` under its name first.

    Examples:
        >>> import vcr
        >>> recorder = vcr.VCR(**vcr_options())
        >>> recorder.register_matcher("isapi_body", isapi_body)
    """
    return {
        "record_mode": record_mode,
        "match_on": ["method", "scheme", "host", "path", "query", "isapi_body"],
        "before_record_request": scrub_request,
        "before_record_response": scrub_response,
        "decode_compressed_response": True,
    }


def main(arguments: list[str]) -> int:
    """Scan the paths in *arguments*; print findings, return 1 when there are any."""
    findings = list(scan([Path(argument) for argument in arguments]))
    for file, finding in findings:
        sys.stdout.write(f"{file}:{finding.line}: {finding.kind}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
