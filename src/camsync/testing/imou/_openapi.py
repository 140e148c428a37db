"""The vendor's Open Platform: ``POST /openapi/{method}``, and status 200 whatever happens."""

from __future__ import annotations

import json

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from ..recorder._replies import Delivery, Reply, Request, html_reply
from . import _codes, _devices, _media, _records
from ._call import Call, check, envelope
from ._cloud import Cloud, Refused


PREFIX: Final = "/openapi/"
METHODS: Final[Mapping[str, Callable[[Call], dict[str, Any] | None]]] = MappingProxyType(
    {**_devices.METHODS, **_records.METHODS, **_media.METHODS}
)
"""Every method that the simulator answers."""

_JSON: Final = "application/json;charset=UTF-8"
_LOGIN: Final = "accessToken"
_CARD: Final = frozenset({"deviceStorage", "deviceSdcardStatus"})
_HUGE: Final = 2**26
_PAUSE: Final = 0.25


def _scopes(method: str, value: Mapping[str, Any]) -> frozenset[str]:
    """Return what kinds of faults strike a call."""
    params = value.get("params")
    scopes = {"any", "login" if method == _LOGIN else "token"}
    if isinstance(params, dict) and "deviceId" in params:
        scopes.add("device")
    if method in _CARD or method.startswith("queryLocal"):
        scopes.add("sd")
    elif "CloudRecord" in method:
        scopes.add("cloud")
    elif method == "createDeviceRecordHls":
        scopes.add("media")
    return frozenset(scopes)


class OpenAPI:
    """Answers what is below ``/openapi/``."""

    prefix = PREFIX

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def answer(self, request: Request) -> Reply:
        """Answer one call."""
        method = request.path[len(PREFIX) :]
        self._cloud.called(method)
        return self._early(request) or self._result(method, request)

    def _early(self, request: Request) -> Reply | None:
        faults = self._cloud.faults
        if faults.take("slow"):
            self._cloud.stopped.wait(_PAUSE)
        fault = faults.first("redirect-api", "not-json", "huge-answer", "no-code")
        if fault == "redirect-api":
            target = f"{_devices.FOREIGN}{request.target}"
            return Reply(status=302, content_type="text/html", headers=(("Location", target),))
        if fault == "not-json":
            return html_reply(200, "OK", "this is no JSON")
        if fault == "huge-answer":
            delivery = Delivery(chunks=_huge(), announced=None, ending="close")
            return Reply(content_type=_JSON, delivery=delivery)
        if fault == "no-code":
            return _reply({"result": {"msg": _codes.message("0"), "data": {}}, "id": ""})
        return None

    def _result(self, method: str, request: Request) -> Reply:
        number: object = ""
        try:
            value = envelope(request.body)
            number = value.get("id") or ""
            code = self._cloud.faults.scripted(method, _scopes(method, value))
            if code is not None:
                raise Refused(code)
            data = self._data(method, value, request)
        except Refused as refusal:
            code = refusal.code
            return _reply({"result": {"msg": _codes.message(code), "code": code}, "id": number})
        result: dict[str, Any] = {"msg": _codes.message("0"), "code": "0"}
        if self._cloud.faults.take("null-data"):
            result["data"] = None
        elif data is not None:
            result["data"] = data
        return _reply({"result": result, "id": number})

    def _data(
        self, method: str, value: Mapping[str, Any], request: Request
    ) -> dict[str, Any] | None:
        params = check(self._cloud, value)
        self._cloud.bill()
        if method != _LOGIN:
            if "token" not in params:
                raise Refused(_codes.MISSING)
            if not self._cloud.tokens.good(params["token"]):
                raise Refused(_codes.STALE)
        handler = METHODS.get(method)
        if handler is None or request.method != "POST":
            raise Refused(_codes.NO_METHOD)
        host = request.headers.get("host", "")
        return handler(Call(cloud=self._cloud, method=method, params=params, host=host))


def _reply(value: object) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(body=body, content_type=_JSON)


def _huge() -> Iterator[bytes]:
    yield b'{"result":{"code":"0","msg":"'
    for _ in range(_HUGE // 2**16):
        yield b"x" * 2**16
    yield b'"},"id":"1"}'
