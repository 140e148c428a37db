"""The files that download URLs of the simulated gateway lead to: ranges, validators, expiry."""

from __future__ import annotations

import datetime as dt
import random
import re
import threading

from email.utils import format_datetime
from typing import Final

import attrs

from ..recorder._replies import Delivery, Reply, Request, html_reply
from ._cloud import Cloud
from ._history import SimulatedClip
from ._rest_faults import GatewayFaults
from ._rest_mp4 import etag, mp4


_PATH: Final = re.compile(r"/files/(?P<id>[0-9a-f]{24})\.mp4", re.ASCII)
_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?", re.ASCII)
_KEPT: Final = 1_000


@attrs.frozen(kw_only=True)
class _File:
    """What one URL leads to."""

    clip: SimulatedClip
    sign: str
    expires: dt.datetime


class Files:
    """The files whose URLs were asked for."""

    prefix: Final = "/files/"

    def __init__(self, cloud: Cloud, faults: GatewayFaults) -> None:
        self.seconds = 300.0
        self._cloud = cloud
        self._faults = faults
        self._random = random.Random(cloud.plan.seed + 1)
        self._lock = threading.Lock()
        self._open: dict[str, _File] = {}

    def url(self, clip: SimulatedClip, *, expired: bool) -> str:
        """Return a new URL of a recording, signed and good for a while."""
        now = self._cloud.clock()
        with self._lock:
            number, sign = (f"{self._random.getrandbits(96):024x}" for _ in range(2))
            life = dt.timedelta(seconds=0 if expired else self.seconds)
            self._open[number] = _File(clip=clip, sign=sign, expires=now + life)
            while len(self._open) > _KEPT:
                del self._open[next(iter(self._open))]
        return f"{self._cloud.base_url}{self.prefix}{number}.mp4?sign={sign}"

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        match = _PATH.fullmatch(request.path)
        file = self._open.get(match["id"]) if match else None
        if file is None or request.method != "GET":
            return html_reply(404, "Not Found", "no")
        if request.query.get("sign") != file.sign or self._cloud.clock() >= file.expires:
            return html_reply(403, "Forbidden", "no")
        return self._early(request) or self._sent(file, request)

    def _early(self, request: Request) -> Reply | None:
        statuses = {"file-403": 403, "file-404": 404, "file-500": 500, "file-503": 503}
        statuses |= {"file-teapot": 418, "file-html": 200}
        fault = self._faults.first(*statuses)
        if fault is not None:
            page = html_reply(statuses[fault], "No", "no")
            wish = (("Retry-After", "1"),) if fault == "file-503" else ()
            return attrs.evolve(page, headers=wish)
        if "moved" not in request.query and self._faults.take("file-redirect"):
            target = (("Location", f"{request.target}&moved=1"),)
            return Reply(status=302, content_type="text/html", headers=target)
        return None

    def _validators(self, file: _File) -> dict[str, str]:
        fault = self._faults.first("file-changed", "file-without-validators", "file-dated")
        if fault == "file-without-validators":
            return {}
        if fault == "file-dated":
            return {"Last-Modified": format_datetime(file.clip.end, usegmt=True)}
        return {"ETag": '"another"' if fault == "file-changed" else etag(file.clip.footage)}

    def _sent(self, file: _File, request: Request) -> Reply:
        data, headers = mp4(file.clip.footage), self._validators(file)
        size, status, first, last = len(data), 200, 0, len(data) - 1
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        same = request.headers.get("if-range") in {None, *headers.values()}
        if asked is not None and same and not self._faults.take("file-ignores-range"):
            status, first, last = 206, int(asked[1]), min(int(asked[2] or last), last)
            if first > last:
                return Reply(status=416, headers=(("Content-Range", f"bytes */{size}"),))
            wrong = int(self._faults.take("file-wrong-range"))
            headers["Content-Range"] = f"bytes {first + wrong}-{last}/{size}"
        return self._reply(data[first : last + 1], status, headers)

    def _reply(self, data: bytes, status: int, headers: dict[str, str]) -> Reply:
        course = self._faults.first("file-cut", "file-hangs")
        delivery = Delivery(
            chunks=(data,),
            announced=len(data),
            limit=None if course is None else len(data) // 2,
            ending={"file-cut": "close", "file-hangs": "hang"}.get(course or "", "keep"),
            drip=self._faults.take("file-slow"),
        )
        return Reply(
            status=status,
            content_type="video/mp4",
            headers=tuple(headers.items()),
            delivery=delivery,
        )
