"""ISAPI: the documents of each endpoint, errors, and what a device writes into headers."""

from __future__ import annotations

import datetime as dt

from collections.abc import Callable
from typing import Any

from camsync._time import UTC, DeviceClock, TimeSpan, WireTime, ZMeaning
from camsync._zone import DeviceZone
from camsync.models import DeviceId, DeviceKind, Recording
from camsync.providers.hikvision import (
    _clock,
    _dialect,
    _errors,
    _inventory,
    _matches,
    _search,
    _xml,
)
from camsync.transport import Address
from fuzz.bombs import text_bombs, xml_bombs
from fuzz.registry import answers, as_text, target


NOW = dt.datetime(2026, 3, 3, 20, 0, tzinfo=UTC)
DEVICE = DeviceId("DS-7616NI-K21620200303CCRRD00000000WCVU")
ADDRESS = Address("192.168.1.64", 80, secure=False)
XML = [
    b"<?xml version='1.0' encoding='UTF-8'?>",
    b"<?xml version='1.0' encoding='GBK'?>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&b;",
    b"&#1;",
    b"&#x10FFFF;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?pi?>",
    b"<a>",
    b"</a>",
    b"<x:a/>",
    b' xmlns="http://www.hikvision.com/ver20/XMLSchema"',
    b' xmlns:x="y"',
    b' version="2.0"',
    b"<id>",
    b"</id>",
    b"<id>-1</id>",
    b"<id>101</id>",
    b"<name>",
    b"true",
    b"false",
    b"NO VIDEO",
]
TIMES = [
    b"2026-03-03T20:00:30Z",
    b"20260303T200030Z",
    b"2026-03-03T20:00:30+05:30",
    b"9999-12-31T23:59:59Z",
    b"0001-01-01T00:00:00-23:59",
    b"2200-12-31T23:59:59-14:00",
    b"1969-01-01T00:00:00+14:00",
    b"CST-8:00:00",
    b"CST+12:30:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00",
    b"DST30:00:00,M3.5.0,M10.5.0",
    b",M1.1.0/99:99:99",
    b",M12.5.6/00:00:00",
]
DST = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"


def _use(clock: DeviceClock) -> None:
    """Do with a clock what the provider does with it."""
    for moment in (NOW, NOW.replace(month=7), NOW.replace(year=1970), NOW.replace(year=2199)):
        wire = clock.to_wire(moment)
        clock.from_wire(wire)
        clock.local(moment).isoformat()
        span = TimeSpan(moment, moment + dt.timedelta(days=1))
        _search.wire_bounds(span, clock)


def _document(
    name: str,
    root: str,
    item: str,
    *endpoints: str,
    holder: str = "",
    tokens: tuple[bytes, ...] = (),
) -> Callable[[Callable[[_xml.Element], Any]], Callable[[bytes], None]]:
    """Register a target that reads a parsed document."""

    def seeds() -> list[bytes]:
        return [*answers(*endpoints), *xml_bombs(root, item, holder)]

    def register(read: Callable[[_xml.Element], Any]) -> Callable[[bytes], None]:
        def run(data: bytes) -> None:
            read(_xml.parse(data, name))

        words = [part.encode() for part in (root, item, holder, f"<{item}>", f"</{item}>") if part]
        return target(name, seeds, [*XML, *words, *tokens])(run)

    return register


@_document("isapi-device-info", "DeviceInfo", "serialNumber", "System/deviceInfo")
def device_info(root: _xml.Element) -> None:
    """``System/deviceInfo``."""
    _inventory.read_device(root, DeviceKind.NVR)


@_document("isapi-time", "Time", "localTime", "System/time", tokens=tuple(TIMES))
def time_of_device(root: _xml.Element) -> None:
    """``System/time``, and all that is reckoned with it."""
    reading = _clock.read_time(root, NOW)
    for given in (None, dt.timezone.utc):
        clock = _clock.zone_of(reading, given)
        _use(clock)
        _use(_clock.given_meaning(clock, ZMeaning.UTC))
        _clock.measure_meaning(clock, DeviceKind.NVR, [lambda *_: [(reading.wall, reading.wall)]])


def _lists(**documents: _xml.Element) -> _inventory.Lists:
    empty = {"inputs": None, "proxies": None, "status": None, "streams": None}
    return _inventory.Lists(**{**empty, **documents})


def _channels(**documents: _xml.Element) -> None:
    lists = _lists(**documents)
    _ = lists.kind
    _inventory.read_channels(lists, DEVICE, sub_stream=True)


_PROXIES = "ContentMgmt/InputProxy/channels"
_PROXY = b"<l><InputProxyChannel><id>1</id></InputProxyChannel></l>"


@_document(
    "isapi-inputs", "VideoInputChannelList", "VideoInputChannel", "System/Video/inputs/channels"
)
def inputs(root: _xml.Element) -> None:
    """``System/Video/inputs/channels``, alone and beside IP channels."""
    _channels(inputs=root)
    _channels(inputs=root, proxies=_xml.parse(_PROXY, "proxies"))


@_document("isapi-proxies", "InputProxyChannelList", "InputProxyChannel", _PROXIES)
def proxies(root: _xml.Element) -> None:
    """``ContentMgmt/InputProxy/channels``."""
    _channels(proxies=root)


@_document(
    "isapi-proxy-status",
    "InputProxyChannelStatusList",
    "InputProxyChannelStatus",
    f"{_PROXIES}/status",
)
def proxy_status(root: _xml.Element) -> None:
    """``ContentMgmt/InputProxy/channels/status``."""
    _channels(proxies=_xml.parse(_PROXY, "proxies"), status=root)


@_document("isapi-streams", "StreamingChannelList", "StreamingChannel", "Streaming/channels")
def streams(root: _xml.Element) -> None:
    """``Streaming/channels``."""
    _channels(proxies=_xml.parse(_PROXY, "proxies"), streams=root)


@_document(
    "isapi-storage", "storage", "hdd", "ContentMgmt/Storage", holder="hddList", tokens=(b"nasList",)
)
def storage(root: _xml.Element) -> None:
    """``ContentMgmt/Storage``."""
    _inventory.read_volumes(root, DEVICE)


@_document("isapi-capabilities", "RacmCap", "isSupportZone", "ContentMgmt/capabilities")
def capabilities(root: _xml.Element) -> None:
    """``ContentMgmt/capabilities``, and the plain accessors on any document."""
    _xml.to_dict(root)
    for child in root:
        name = _xml.local(child)
        _xml.number(root, name)
        _xml.flag(root, name)


_CLOCKS = (
    DeviceClock(zone=DeviceZone.parse(DST), z_means=ZMeaning.LOCAL),
    DeviceClock(zone=dt.timezone.utc, z_means=ZMeaning.UTC),
)


def _look_at(recording: Recording) -> None:
    """Do with a recording what everybody does with it."""
    again = type(recording.key).parse(recording.key.uri)
    if again != recording.key:
        msg = f"{recording.key!r} is read back as {again!r}"
        raise AssertionError(msg)
    _ = recording.local_start, recording.duration


@_document(
    "isapi-search",
    "CMSearchResult",
    "searchMatchItem",
    "ContentMgmt/search",
    holder="matchList",
    tokens=(
        *TIMES,
        b"<trackID>101</trackID>",
        b"<trackID>",
        b"<playbackURI>rtsp://a/?starttime=1&amp;name=%ff&amp;size=1</playbackURI>",
        b"MORE",
        b"recordType.meta.std-cgi.com/motion",
        b"video",
    ),
)
def search(root: _xml.Element) -> None:
    """``ContentMgmt/search``: the page, and the recordings of it."""
    page = _matches.read_page(root)
    for clock in _CLOCKS:
        maker = _matches.Maker(device=DEVICE, clock=clock, channel_name="Gate", newest=NOW)
        for recording in maker.recordings(page.matches[:100]):
            _look_at(recording)
    for match in page.matches[:5]:
        _dialect.download_body(match.uri)


@_document(
    "isapi-calendar", "trackDailyDistribution", "day", "ContentMgmt/search", holder="dayList"
)
def calendar(root: _xml.Element) -> None:
    """``ContentMgmt/record/tracks/101/dailyDistribution``."""

    class Client:
        """Answers with the document."""

        def call(self, *_: object, **__: object) -> _xml.Element:
            return root

    client: Any = Client()
    _search.Searcher(client, lambda: DeviceKind.NVR).days("101", 2026, 2)


_STATUS_JSON = b'{"statusCode":4,"statusString":"x","subStatusCode":"notSupport","errorMsg":""}'
_CHECK = (
    b"<userCheck><statusValue>401</statusValue><lockStatus>lock</lockStatus>"
    b"<unlockTime>1800</unlockTime><retryLoginTime>0</retryLoginTime></userCheck>"
)


def _status_seeds() -> list[bytes]:
    from fuzz.bombs import json_bombs

    return [
        *answers("errors"),
        _STATUS_JSON,
        _CHECK,
        *xml_bombs("ResponseStatus", "statusCode"),
        *json_bombs('{"statusCode":', "}"),
    ]


@target(
    "isapi-errors",
    _status_seeds,
    [
        *XML,
        b"ResponseStatus",
        b"userCheck",
        b"subStatusCode",
        b"statusCode",
        b"unlockTime",
        b"lock",
        b"invalidOperation",
        b'"errorMsg":',
        b"[",
        b"{",
    ],
)
def errors(data: bytes) -> None:
    """``ResponseStatus`` in XML and JSON, ``userCheck``, and the errors that they become."""
    for status in (200, 401, 403, 404, 503):
        str(_errors.error_for(status, data, {}, "System/time", ADDRESS))
    str(_errors.login_error("admin", _errors.read_login_state(data)))


@target(
    "isapi-retry-after",
    lambda: [b"120", b"Wed, 21 Oct 2026 07:28:00 GMT", *text_bombs("120")],
    [
        b"GMT",
        b"+0000",
        b"-9999",
        b"Wed, ",
        b" Oct ",
        b"1",
        b":",
        b"00:00:00",
        b"99",
        b"-",
        b"(",
        b")",
    ],
    longest=8192,
)
def retry_after(data: bytes) -> None:
    """The header ``Retry-After``."""
    found = _errors.retry_after({"Retry-After": data.decode("latin-1")})
    if found is not None and not 0 <= found < 1e12:
        msg = f"waits {found} seconds"
        raise AssertionError(msg)


@target(
    "isapi-redirect",
    lambda: [
        b"/doc/page/login.asp",
        b"https://192.168.1.64/x?y#z",
        b"//[::1]:80/",
        b"http://u:p@h:1/",
        *text_bombs("http://192.168.1.64:80/a"),
    ],
    [
        b"http://",
        b"https://",
        b"//",
        b"[",
        b"]",
        b"@",
        b":",
        b"%25",
        b"\\",
        b"?",
        b"#",
        b"192.168.1.64",
    ],
    longest=8192,
)
def redirect(data: bytes) -> None:
    """The header ``Location``."""
    location = data.decode("latin-1")
    str(_errors.error_for(302, b"", {"Location": location}, "System/time", ADDRESS))
    str(_errors.error_for(302, b"", {"Location": location}, "System/time"))


@target(
    "isapi-wire-time", lambda: [*TIMES, *text_bombs("2026-03-03T20:00:30Z")], TIMES, longest=8192
)
def wire_time(data: bytes) -> None:
    """A time as a device writes it."""
    stamp = WireTime.parse(as_text(data))
    for clock in _CLOCKS:
        clock.from_wire(stamp)


@target(
    "isapi-zone",
    lambda: [DST.encode(), b"CST-8:00:00", b" GMT+12:45:00\r\n", *text_bombs(DST)],
    [*TIMES, b"CST", b"DST", b",M", b"/", b":", b"."],
    longest=8192,
)
def zone(data: bytes) -> None:
    """A time zone as a recorder declares it."""
    found = DeviceZone.parse(as_text(data))
    for meaning in ZMeaning:
        _use(DeviceClock(zone=found, z_means=meaning))
    if found.begins is not None and DeviceZone.parse(str(found)) != found:
        msg = f"{found} is read back as another zone"
        raise AssertionError(msg)
    for year in (1900, 2000, 9000):
        moment = dt.datetime(year, 7, 1, tzinfo=UTC).astimezone(found)
        _ = moment.tzname(), moment.isoformat(), moment.timetuple(), f"{moment:%Y %Z}"
