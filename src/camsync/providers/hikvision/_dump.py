"""The anonymised dump: what a device answers to the questions that camsync asks, made to be shown.

Answers are kept whole: status, type and body, errors too. What identifies the device, its place or
its people is replaced in all of them together before anything is handed out.
"""

from __future__ import annotations

import logging

from collections.abc import Mapping
from importlib import metadata
from typing import Any, Final

from ..._scrub import Scrubber
from ..._time import utcnow
from ...errors import (
    AuthenticationError,
    CamsyncError,
    DeviceTimeoutError,
    ProtocolError,
    TLSError,
    UnreachableError,
)
from ...transport import UNAUTHORIZED, Answer
from . import _xml
from ._client import IsapiClient


_log = logging.getLogger("camsync.hikvision")
VERSION: Final = 1
_ROOT: Final = "/ISAPI/"
_SEARCH: Final = f"POST {_ROOT}ContentMgmt/search"
_INFO: Final = f"GET {_ROOT}System/deviceInfo"
PATHS: Final = (
    "System/deviceInfo",
    "System/time",
    "System/status",
    "System/capabilities",
    "System/Video/inputs/channels",
    "Security/adminAccesses",
    "Security/userCheck",
    "Streaming/channels",
    "ContentMgmt/InputProxy/channels",
    "ContentMgmt/InputProxy/channels/status",
    "ContentMgmt/Storage",
    "ContentMgmt/capabilities",
    "ContentMgmt/record/tracks",
    "ContentMgmt/search/profile",
    "ContentMgmt/download/capabilities",
)
"""What is asked, below ``/ISAPI/``: what camsync itself uses, and what the simulator can play."""

_SILENCES: Final = 3
"""After so many questions in a row without any answer the others are not asked."""

_NO_ANSWER = (UnreachableError, DeviceTimeoutError)


def make_dump(
    client: IsapiClient, *, scrubber: Scrubber, observed: Mapping[str, Any], search: bytes | None
) -> dict[str, Any]:
    """Ask the device and return its answers without what identifies anybody.

    Args:
        scrubber: Replaces; what it knows from elsewhere is replaced here too.
        observed: What camsync itself found out about the device, as JSON values.
        search: The body of one search in the dialect that the device understands, or None.

    Raises:
        AuthenticationError: The login is refused. It was tried once.
        CamsyncError: The device gives no answer at all, or not over TLS.
    """
    made = utcnow()
    address = client.transport.address
    scrubber.know(address.host, "address")
    scrubber.know(client.transport.login.username, "user name")
    endpoints = _Asking(client).everything(search)
    bodies = [entry["body"] for entry in endpoints.values() if "body" in entry]
    scrubber.learn(*bodies)
    shown = {name: _shown(entry, scrubber) for name, entry in endpoints.items()}
    model, firmware = _who(shown.get(_INFO, {}).get("body", ""))
    return {
        "camsync_dump": VERSION,
        "model": model,
        "firmware": firmware,
        "made": made.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "camsync": _own_version(),
        "observed": scrubber.json(dict(observed)),
        "endpoints": shown,
    }


class _Asking:
    """Asks one question after the other; counts those that nobody answers."""

    def __init__(self, client: IsapiClient) -> None:
        self._client = client
        self._silences = 0
        self._answered = False

    def everything(self, search: bytes | None) -> dict[str, dict[str, Any]]:
        """Return all answers by ``METHOD path``; their bodies are bytes as they came."""
        found: dict[str, dict[str, Any]] = {}
        for path in PATHS:
            found[f"GET {_ROOT}{path}"] = self._ask("GET", path)
        if search is not None:
            found[_SEARCH] = {**self._ask("POST", "ContentMgmt/search", search), "request": search}
        return found

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        if self._silences >= _SILENCES:
            return {"error": "not asked: the device had stopped answering"}
        try:
            answer = self._answer(method, path, body)
        except (AuthenticationError, TLSError):
            raise
        except CamsyncError as error:
            silent = isinstance(error, _NO_ANSWER)
            if silent and not self._answered:
                raise
            self._silences = self._silences + 1 if silent else 0
            _log.info("no answer to %s: %s", path, error.message)
            return {"error": f"{error.category.value}: {type(error).__name__}"}
        self._silences, self._answered = 0, True
        kind = answer.headers.get("Content-Type", "")
        return {"status": answer.status, "content_type": kind, "body": answer.body}

    def _answer(self, method: str, path: str, body: bytes | None) -> Answer:
        answer = self._client.transport.request(method, _ROOT + path, body)
        if answer.status == UNAUTHORIZED:
            # The login remembers its refusal: this raises it, with its reason, and sends nothing.
            self._client.get(path)
        return answer


def _shown(entry: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    """Return an answer with everything replaced that has to be, as text."""
    return {name: _shown_value(value, scrubber) for name, value in entry.items()}


def _shown_value(value: Any, scrubber: Scrubber) -> Any:
    if isinstance(value, bytes):
        return scrubber.document(value).decode("utf-8", "surrogateescape")
    return scrubber.text(value) if isinstance(value, str) else value


def _who(body: str) -> tuple[str, str]:
    """Return model and firmware of a body to be shown; empty texts when it does not say."""
    try:
        root = _xml.parse(body.encode("utf-8", "surrogateescape"), "System/deviceInfo")
    except ProtocolError:
        return "", ""
    return _xml.text(root, "model"), _xml.text(root, "firmwareVersion")


def _own_version() -> str:
    try:
        return metadata.version("camsync")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
