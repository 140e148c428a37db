"""From a request to a reply: what goes wrong first, then the door, then the endpoint."""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from . import _download, _inventory, _system
from ._device import Device
from ._replies import (
    NOT_SUPPORTED,
    WRONG_METHOD,
    Problem,
    Refusal,
    Reply,
    Request,
    error_reply,
    html_reply,
    xml_reply,
)
from ._search import Searches, daily_distribution
from ._xmlout import Element


_USER_CHECK: Final = "/ISAPI/Security/userCheck"
_ELSEWHERE: Final = "http://recorder.invalid"
_MOVED: Final = "moved"

_DOCUMENTS: Final[Mapping[str, Callable[[Device], Element]]] = MappingProxyType(
    {
        "/ISAPI/System/deviceInfo": _system.device_info,
        "/ISAPI/System/time": _system.time,
        "/ISAPI/System/status": _system.status,
        "/ISAPI/System/capabilities": _system.system_capabilities,
        "/ISAPI/System/Video/inputs/channels": _inventory.video_inputs,
        "/ISAPI/Security/adminAccesses": _system.admin_accesses,
        "/ISAPI/Streaming/channels": _inventory.streaming_channels,
        "/ISAPI/ContentMgmt/InputProxy/channels": _inventory.proxy_channels,
        "/ISAPI/ContentMgmt/InputProxy/channels/status": _inventory.proxy_status,
        "/ISAPI/ContentMgmt/Storage": _inventory.storage,
        "/ISAPI/ContentMgmt/capabilities": _system.content_capabilities,
        "/ISAPI/ContentMgmt/record/tracks": _inventory.tracks,
        "/ISAPI/ContentMgmt/search/profile": _system.search_profile,
        "/ISAPI/ContentMgmt/download/capabilities": _system.download_capabilities,
    }
)
_NUMBERED: Final = re.compile(
    r"/ISAPI/(?P<what>Streaming/channels|ContentMgmt/record/tracks)/(?P<number>\d{1,9})"
    r"(?P<days>/dailyDistribution)?",
    re.ASCII,
)
_LOWER: Final = {path.lower(): path for path in _DOCUMENTS}
_REDIRECTS: Final = ("redirect-https", "redirect-elsewhere", "redirect-http", "redirect-loop")
_SPECIAL: Final = ("/ISAPI/ContentMgmt/search", "/ISAPI/ContentMgmt/download", _USER_CHECK)


class Router:
    """Answers requests for one device."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._searches = Searches()
        self.unauthorized = 0

    def answer(self, request: Request) -> Reply:
        """Answer one request, whatever it is."""
        early = self._before(request)
        if early is not None:
            return early
        path = self._canonical(request.path)
        door = self._device.door
        verdict = door.check(request.method, request.target, request.headers.get("authorization"))
        if not verdict.ok:
            self.unauthorized += 1
            headers = tuple(("WWW-Authenticate", text) for text in verdict.challenges)
            return attrs.evolve(self._unauthorized(path), headers=headers)
        try:
            return self._endpoint(path, request)
        except Refusal as refusal:
            return self._error(request, refusal.problem, refusal.description)

    def _before(self, request: Request) -> Reply | None:
        faults = self._device.faults
        fault = faults.first("reset-connection", *_REDIRECTS, "html-404")
        if fault is None and request.method == "GET" and _MOVED not in request.query:
            fault = faults.first("redirect-same-host")
        if fault is None:
            return None
        if fault == "reset-connection":
            return Reply(reset=True)
        if fault == "html-404":
            return _missing()
        moved = html_reply(302, "Found", "moved")
        return attrs.evolve(moved, headers=(("Location", self._target(fault, request)),))

    def _target(self, fault: str, request: Request) -> str:
        if fault == "redirect-same-host":
            return f"{request.target}{'&' if request.query else '?'}{_MOVED}=1"
        host = self._device.host
        starts = {
            "redirect-https": f"https://{host}:443",
            "redirect-http": f"http://{host}:80",
            "redirect-elsewhere": _ELSEWHERE,
        }
        return starts.get(fault, "") + request.target

    def _canonical(self, path: str) -> str:
        """Return the documented spelling where the device does not care about case."""
        if not self._device.who.ignores_case:
            return path
        for known in (*_SPECIAL, *_LOWER.values()):
            if known.lower() == path.lower():
                return known
        return re.sub(
            "/isapi/(streaming/channels|contentmgmt/record/tracks)",
            lambda match: {
                "s": "/ISAPI/Streaming/channels",
                "c": "/ISAPI/ContentMgmt/record/tracks",
            }[match[1][0].lower()],
            path,
            count=1,
            flags=re.IGNORECASE,
        )

    def _unauthorized(self, path: str) -> Reply:
        """Recorders say in each 401 how the lock stands, cameras only when asked or locked."""
        device = self._device
        asked = path == _USER_CHECK or device.door.state().locked
        if device.who.is_camera and not asked:
            return html_reply(401, "Unauthorized", "Authentication Error")
        return _system.user_check(device, ok=False)

    def _endpoint(self, path: str, request: Request) -> Reply:
        device = self._device
        if path == "/ISAPI/ContentMgmt/search":
            return self._searches.answer(device, request)
        if path == "/ISAPI/ContentMgmt/download":
            return _download.answer(device, request)
        if path == _USER_CHECK:
            return _system.user_check(device, ok=True)
        numbered = _NUMBERED.fullmatch(path)
        if numbered and numbered["days"] and numbered["what"].startswith("Content"):
            return daily_distribution(device, int(numbered["number"]), request)
        static = device.static.get(f"{request.method} {path}")
        return static or self._document(path, numbered, request)

    def _document(self, path: str, numbered: re.Match[str] | None, request: Request) -> Reply:
        device = self._device
        build: Callable[[Device], Element] | None = _DOCUMENTS.get(path)
        if numbered and not numbered["days"]:
            kind = _inventory.streaming_channel
            if numbered["what"].startswith("Content"):
                kind = _inventory.track
            number = int(numbered["number"])
            return self._get(request, lambda _: kind(device, number))
        if build is not None:
            return self._get(request, build)
        if path.startswith("/ISAPI/"):
            return self._error(request, NOT_SUPPORTED)
        return _missing()

    def _get(self, request: Request, build: Callable[[Device], Element]) -> Reply:
        if request.method != "GET":
            raise Refusal(WRONG_METHOD)
        return xml_reply(self._device.who, build(self._device))

    def _error(self, request: Request, problem: Problem, description: str = "") -> Reply:
        return error_reply(self._device.who, request.path, problem, description=description)


def _missing() -> Reply:
    return html_reply(404, "Not Found", "no such document")
