"""The REST surface of the integration plan, on the same server and over the same cameras.

The vendor does not document this surface, and no answer of it was ever captured: paths, parameters
and members are those that the plan names; everything else (limits, statuses, codes, URLs, ranges,
and all of OAuth that the plan leaves out) is modelled on RFC 6749, 7636, 6750 and 9110.
"""

from __future__ import annotations

import json

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import attrs

from camsync.errors import ConfigurationError

from ..recorder._replies import Reply, Request, html_reply
from . import _codes
from ._call import Call
from ._cast import SimulatedDevice
from ._cloud import Cloud, Refused
from ._history import CLOUD, SD, SimulatedClip, Window
from ._rest_auth import Consent, json_reply
from ._rest_faults import GatewayFaults
from ._rest_files import Files


if TYPE_CHECKING:
    from ._router import Surface

Data = dict[str, Any]

_SERVICE: Final = "/cloudStorage/v1/"
_CARDS: Final = "/deviceVideoService/v1/"
_WHO: Final = "/api/v1/user/info"
_PAGE: Final = 100
_PAUSE: Final = 0.25
_STATES: Final = {"online": "online", "offline": "offline", "sleep": "sleep"}
_ELSEWHERE: Final = "https://media.imou.invalid/file.mp4"
_TROUBLES: Final = {
    "unauthorized": (401, 401),
    "unauthorized-code": (200, 401),
    "forbidden": (403, 403),
    "not-found": (404, 404),
    "too-many": (429, 429),
    "trouble": (500, 500),
    "unknown-code": (200, 12345),
}
_WHO_TROUBLES: Final = {"no-user-info": (404, 404), "user-info-refused": (200, 1)}
"""Faults that answer with a status and a code."""
_BARE: Final = frozenset({"deviceId", "recordId", "startTime", "endTime"})


class Gateway:
    """The simulated gateway: who may call, what there is, and what goes wrong.

    Attributes:
        faults: See `camsync.testing.imou._rest_faults.FAULTS`.
        consent: Codes and tokens.
        files: The MP4 files that URLs lead to.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.faults = GatewayFaults()
        self.consent = Consent(cloud, self.faults)
        self.files = Files(cloud, self.faults)
        self._cloud = cloud
        self._calls: Mapping[tuple[str, str], Callable[[Request], Data]] = {
            ("GET", _WHO): self._who,
            ("GET", f"{_SERVICE}device/list"): self._list,
            ("GET", f"{_SERVICE}device/info"): self._info,
            ("GET", f"{_SERVICE}device/storage"): self._storage,
            ("POST", f"{_SERVICE}records/query"): self._records,
            ("GET", f"{_SERVICE}records/download"): self._download,
            ("POST", f"{_CARDS}videos/query"): self._videos,
        }

    def surfaces(self) -> tuple[Surface, ...]:
        """Return what answers below each of the plan's paths."""
        return (
            _Part("/oauth/authorize", self.consent.authorize),
            _Part("/oauth/token", self._token),
            _Part(_WHO, self.answer),
            _Part(_SERVICE, self.answer),
            _Part(_CARDS, self.answer),
            _Part(self.files.prefix, self.files.answer),
        )

    def _token(self, request: Request) -> Reply:
        self._cloud.called(request.path)
        return self.consent.token(request)

    def agree(self, authorize_url: str) -> str:
        """Do what the owner's browser does: open the page, agree, and return where that leads.

        Raises:
            ConfigurationError: The page does not know the client.
        """
        parts = urlsplit(authorize_url)
        query = dict(parse_qsl(parts.query))
        asked = Request(method="GET", target=authorize_url, path=parts.path, query=query)
        reply = self.consent.authorize(asked)
        if reply.status != 302:
            msg = f"the page answers with status {reply.status}"
            raise ConfigurationError(msg, next_step="check client id and redirect URI")
        return dict(reply.headers)["Location"]

    # -- One call --------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer one bearer call."""
        self._cloud.called(request.path)
        if self.faults.take("slow-call"):
            self._cloud.stopped.wait(_PAUSE)
        early = self._early(request)
        if early is not None:
            return early
        handler = self._calls.get((request.method, request.path))
        if handler is None:
            return json_reply({"code": 404, "msg": "no such path"}, 404)
        try:
            data = handler(request)
        except Refused as refusal:
            return json_reply({"code": refusal.code, "msg": _codes.message(refusal.code)})
        return self._good(data)

    def _good(self, data: Data) -> Reply:
        fault = self.faults.first("no-code", "no-data")
        answer: Data = {"code": 0, "msg": "success", "data": data}
        if fault is not None:
            del answer[fault.removeprefix("no-")]
        if "code" in answer and self.faults.take("text-codes"):
            answer["code"] = "0"
        return json_reply(answer)

    def _early(self, request: Request) -> Reply | None:
        names = _WHO_TROUBLES if request.path == _WHO else _TROUBLES
        fault = self.faults.first(*names, "echo", "not-json", "moved")
        header = request.headers.get("authorization", "")
        if fault == "moved":
            target = f"https://gateway.imou.invalid{request.target}"
            return Reply(status=302, content_type="text/html", headers=(("Location", target),))
        if fault == "not-json":
            return html_reply(200, "OK", "this is a web page")
        if fault == "echo":
            return json_reply({"code": 400, "msg": f"no {header}"})
        if fault is not None:
            status, code = names[fault]
            wish = {"Retry_After": "1"} if fault == "too-many" else {}
            return json_reply({"code": code, "msg": f"{fault} {header}"}, status, **wish)
        if not self.consent.good(header):
            return json_reply({"code": 401, "msg": "token"}, 401, WWW_Authenticate="Bearer")
        return None

    def _call(self, params: Mapping[str, Any]) -> Call:
        return Call(cloud=self._cloud, method="", params=params, host="")

    # -- Devices ---------------------------------------------------------------------------------

    def _who(self, request: Request) -> Data:
        return {"email": "owner@example.com", "name": "Owner"}

    def _list(self, request: Request) -> Data:
        return {"devices": [self._item(device) for device in self._cloud.devices]}

    def _item(self, device: SimulatedDevice, *, alone: bool = False) -> Data:
        item: Data = {
            "deviceId": device.id,
            "deviceName": device.name,
            "deviceModel": device.model,
            "status": _STATES.get(self._cloud.state(device), "online"),
            "channels": [{"channelId": one.id, "channelName": one.name} for one in device.channels],
        }
        hidden = ("no-channels-anywhere",) if alone else ("no-channels", "no-channels-anywhere")
        if self.faults.first(*hidden):
            del item["channels"]
        return self._bare(item)

    def _bare(self, item: Data) -> Data:
        if not self.faults.take("missing-fields"):
            return item
        return {name: value for name, value in item.items() if name in _BARE}

    def _info(self, request: Request) -> Data:
        return self._item(self._call(request.query).device(), alone=True)

    def _storage(self, request: Request) -> Data:
        call = self._call(request.query)
        device = call.device()
        call.reach(device)
        total = device.total_bytes if device.card == "normal" else 0
        return {
            "totalSize": total,
            "usedSize": total // 4,
            "freeSize": total - total // 4,
            "cloudEnabled": device.plan == "using",
        }

    # -- Recordings ------------------------------------------------------------------------------

    def _records(self, request: Request) -> Data:
        params = _body(request)
        if params.get("recordType", "all") not in {"all", "alarm", "schedule"}:
            raise Refused(_codes.ILLEGAL)
        if self.faults.take("plan-code"):
            raise Refused(_codes.NO_PLAN)
        return self._found("records", params, CLOUD)

    def _videos(self, request: Request) -> Data:
        params = _body(request)
        if params.get("storageType") != "1":
            raise Refused(_codes.ILLEGAL)
        return self._found("videos", params, SD)

    def _found(self, name: str, params: Mapping[str, Any], storage: str) -> Data:
        call = self._call(params)
        device = call.own()
        channel = call.channel(device)
        window = Window(begin=call.wall("startTime"), end=call.wall("endTime"))
        if storage == SD:
            call.reach(device)
        if not self._cloud.recorded(device, storage):
            raise Refused(_codes.NO_PLAN if storage == CLOUD else _codes.NO_CARD)
        clips = list(self._cloud.clips(device, channel, storage, window))
        if not clips and self.faults.take("nothing-code"):
            raise Refused(_codes.NOT_IN_CLOUD)
        if self.faults.take("newest-first"):
            clips.reverse()
        return self._page(name, clips)

    def _page(self, name: str, clips: Sequence[SimulatedClip]) -> Data:
        fault = self.faults.first("small-pages", "announced-more")
        most = {"small-pages": 10, "announced-more": 7}.get(fault or "", _PAGE)
        page: Data = {name: [self._bare(_record(clip)) for clip in clips[:most]]}
        return page | ({"hasMore": len(clips) > most} if fault == "announced-more" else {})

    def _download(self, request: Request) -> Data:
        if request.query.get("format") != "mp4":
            raise Refused(_codes.ILLEGAL)
        device = self._call(request.query).own()
        clip = self._clip(device, request.query.get("recordId", ""))
        fault = self.faults.first("url-missing", "url-elsewhere")
        if fault is not None:
            return {} if fault == "url-missing" else {"downloadUrl": _ELSEWHERE}
        return {"downloadUrl": self.files.url(clip, expired=self.faults.take("url-expired"))}

    def _clip(self, device: SimulatedDevice, number: str) -> SimulatedClip:
        now = self._cloud.clock()
        for channel in device.channels if self._cloud.recorded(device, CLOUD) else ():
            track = self._cloud.track(device, channel, CLOUD)
            for clip in track.clips(now, self._cloud.plan.origin, now):
                if clip.id == number:
                    return clip
        raise Refused(_codes.NOT_IN_CLOUD)


@attrs.define
class _Part:
    """One path of the surface."""

    prefix: str
    answer: Callable[[Request], Reply]


def _body(request: Request) -> Mapping[str, Any]:
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Refused(_codes.ILLEGAL) from None
    if not isinstance(value, dict):
        raise Refused(_codes.ILLEGAL)
    return value


def _record(clip: SimulatedClip) -> Data:
    return {
        "recordId": clip.id,
        "startTime": clip.begin_time,
        "endTime": clip.end_time,
        "duration": clip.seconds,
        "fileSize": clip.size,
        "recordType": "alarm" if clip.kind in {"1000", "videomotion"} else "schedule",
    }
