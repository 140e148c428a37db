"""Keeps secrets out of what is recorded and committed.

`vcr_options` configures vcrpy so that cassettes hold no login, no token and no signed URL;
`find_secrets` looks for anything that has a secret's shape. ``python -m camsync.testing.scrub PATH…``
scans files and folders, a whole checkout too, and exits with 1 when it finds something.
"""

from __future__ import annotations

import json
import re
import sys

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from camsync._scrub import (
    SCRUBBED,
    Finding,
    Scrubber,
    find_identities,
    find_real_secrets,
    find_secrets,
)
from camsync._scrub._fakes import SECRET
from camsync._scrub._tags import is_plain, kind_of


__all__ = [
    "SCRUBBED",
    "Finding",
    "Scrubber",
    "find_identities",
    "find_secrets",
    "isapi_body",
    "main",
    "scan",
    "scrub_request",
    "scrub_response",
    "vcr_options",
]

_LOGIN_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization"})
_DATA = frozenset(
    {".yaml", ".yml", ".json", ".jsonl", ".xml", ".txt", ".har", ".log", ".csv", ".headers", ".env"}
)
_CODE = frozenset(
    {
        ".py",
        ".pyi",
        ".md",
        ".rst",
        ".toml",
        ".cfg",
        ".ini",
        ".conf",
        ".sh",
        ".ps1",
        ".bat",
        ".ipynb",
    }
    | {".html", ".js", ".service", ".pem", ".key", ".crt", ".tsv", ""}
)
_SKIPPED = frozenset(
    {
        ".git",
        ".venv",
        "venv",
        ".nox",
        ".tox",
        "build",
        "dist",
        "_build",
        "node_modules",
        "__pycache__",
    }
)
_LARGEST = 16 * 1024 * 1024
_SEARCH_ID = re.compile(rb"<searchID>[^<]*</searchID>")
_HOST = re.compile(r"(?<=://)(127\.0\.0\.1|\[::1\]|localhost):\d+")
_SIGNED = re.compile(
    r"(?<=[?&;])(token|sign|signature|digest|accessToken|kitToken|playToken|t|c|expires|x-amz-signature)"
    r"=(?!scrubbed)[0-9A-Za-z%+/_.~=-]{8,4096}",
    re.IGNORECASE,
)


def scan(paths: Iterable[Path]) -> Iterator[tuple[Path, Finding]]:
    """Scan files, and all files below folders.

    Data (YAML, JSON, XML, text, HAR) is searched for every shape of a secret; source code and
    documentation, which speak of secrets all the time, for values that look real. Left out are
    version control, environments, caches, builds, and binary files.
    """
    for path in paths:
        for file in _files(path) if path.is_dir() else [path]:
            find = _search_for(file)
            content = b"" if find is None or not file.is_file() else file.read_bytes()
            if find is not None and content and b"\0" not in content and len(content) <= _LARGEST:
                for finding in find(content.decode("utf-8", "replace")):
                    yield file, finding


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if (
            path.is_symlink()
            or path.name in _SKIPPED
            or path.name.endswith((".egg-info", "_cache"))
        ):
            continue
        if not path.is_dir():
            yield path
        elif not path.name.startswith(".") or path.name in {".ci", ".github", ".gitlab"}:
            yield from _files(path)


def _search_for(file: Path) -> Any:
    if file.suffix in _DATA:
        return lambda text: [*find_secrets(text), *find_identities(text)]
    return find_real_secrets if file.suffix in _CODE else None


def scrub_request(request: Any) -> Any:
    """Take login, tokens and signatures out of a vcrpy request (``before_record_request``).

    The port of a loopback address becomes 80, so that a cassette fits every run.
    """
    for name in [name for name in request.headers if name.lower() in _LOGIN_HEADERS]:
        del request.headers[name]
    request.uri = _SIGNED.sub(rf"\1={SCRUBBED}", _HOST.sub(r"\1:80", request.uri))
    body = getattr(request, "body", None)
    if isinstance(body, bytes | str):
        clean = _without_secrets(body)
        if clean != body:
            request.body = clean
    return request


def scrub_response(response: dict[str, Any]) -> dict[str, Any]:
    """Take cookies, tokens and signatures out of a vcrpy response (``before_record_response``)."""
    headers = response["headers"]
    for name in [name for name in headers if name.lower() in _LOGIN_HEADERS]:
        headers[name] = [SCRUBBED]
    body = response.get("body", {}).get("string")
    if isinstance(body, bytes | str):
        clean = _without_secrets(body)
        if clean != body:
            response["body"]["string"] = clean
            for name in [name for name in headers if name.lower() == "content-length"]:
                headers[name] = [str(len(_bytes(clean)))]
    return response


def _without_secrets(body: Any) -> Any:
    """Return a body without tokens and signatures; names and addresses stay."""
    if isinstance(body, bytes):
        try:
            text = body.decode()
        except UnicodeDecodeError:  # footage
            return body
        return _without_secrets(text).encode()
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _SIGNED.sub(rf"\1={SCRUBBED}", body)
    clean = _clean(value)
    return body if clean == value else json.dumps(clean)


def _clean(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _clean(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, key) for item in value]
    if not isinstance(value, str):
        return value
    if kind_of(key) == SECRET and not is_plain(SECRET, value):
        return SCRUBBED
    return _SIGNED.sub(rf"\1={SCRUBBED}", value)


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
