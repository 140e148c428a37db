"""Imou: the answers of both surfaces, playlists, segments, and what OAuth brings back."""

from __future__ import annotations

import datetime as dt
import io
import json

from typing import Any

from camsync._secret import Secret
from camsync._time import UTC
from camsync.models import Channel, ChannelId, DeviceId
from camsync.providers.imou import (
    _inventory,
    _oauth,
    _parse,
    _playlist,
    _rest_parse,
    _search,
    _stamps,
    _zones,
)
from camsync.providers.imou._wire import CLOUD, SD
from camsync.testing.imou._ts import segment
from fuzz.bombs import json_bombs, text_bombs
from fuzz.registry import answers, as_text, target


SECRETS = (Secret("At_0000a1b2c3"), Secret("x" * 32))
JSON = [
    b"[",
    b"]",
    b"{",
    b"}",
    b":",
    b",",
    b"null",
    b"true",
    b"false",
    b'""',
    b'"\\ud800"',
    b'"\\u0000"',
    b"1e400",
    b"NaN",
    b"0.5",
    b"-1",
    b'"0"',
    b'"result":',
    b'"code":',
    b'"msg":',
    b'"data":',
    b'"token":',
    b'"url":',
    b'"https://a/?b=c"',
    b'"deviceId":',
    b'"channels":',
    b'"channelList":',
    b'"channelId":',
    b'"recordId":',
    b'"beginTime":',
    b'"2026-03-03 20:00:30"',
    b'"2200-12-31 23:59:59"',
    b'"encryptMode":',
]
_BERLIN = _zones.read_zone({"timeZone": "Europe/Berlin"}) or UTC


def _envelope(kind: str = "data") -> tuple[bytes, ...]:
    opening = {
        "data": '{"result":{"code":"0","msg":"","data":',
        "list": '{"result":{"code":"0","msg":"","data":{"deviceList":',
        "records": '{"result":{"code":"0","msg":"","data":{"records":',
        "code": '{"result":{"code":',
    }[kind]
    return json_bombs(opening, "}" * opening.count("{"))


@target("imou-result", lambda: [*answers("accessToken"), *_envelope(), *_envelope("code")], JSON)
def result(data: bytes) -> None:
    """The envelope of every answer."""
    found = _parse.read_result(data, "accessToken", SECRETS)
    _parse.plain(found.data)
    repr(found)


@target(
    "imou-devices",
    lambda: [*answers("listDeviceDetailsByPage", "deviceBaseDetailList"), *_envelope("list")],
    JSON,
)
def devices(data: bytes) -> None:
    """Lists of devices, and the models that are made of them."""
    found = _parse.read_result(data, "deviceBaseDetailList")
    for fields in _parse.listed(found.data, "deviceList", "deviceBaseDetailList"):
        device = _parse.read_device(fields)
        if device is not None:
            _inventory.device_of(device)
            _inventory.channels_of(device)


def _record_seeds() -> list[bytes]:
    return [*answers("queryCloudRecords", "queryLocalRecords"), *_envelope("records")]


@target("imou-records", _record_seeds, [*JSON, b'"fileLength":', b'"records":', b'"type":'])
def records(data: bytes) -> None:
    """Lists of recordings, and the recordings and keys that are made of them."""
    found = _parse.read_result(data, "queryCloudRecords")

    def read(rows: Any) -> Any:
        return _parse.read_records(rows, "8L0DF93PAZ00000", "0", CLOUD)

    raw, _ = _parse.read_page(found.data, "records", "queryCloudRecords", read)
    channel = Channel(device=DeviceId("8L0DF93PAZ00000"), id=ChannelId("0"), name="Gate")
    for one in raw[:100]:
        _ = _zones.to_utc(one.begin, _BERLIN), _zones.to_utc(one.end, _BERLIN)
        made = _search.recording_of(one, channel, _BERLIN)
        if made is not None and type(made.key).parse(made.key.uri) != made.key:
            msg = f"{made.key!r} is read back as another"
            raise AssertionError(msg)


@target(
    "imou-zone",
    lambda: [*answers("timeZoneQueryByDay"), *_envelope()],
    [
        *JSON,
        b'"timeZone":',
        b'"8"',
        b'"-14"',
        b'"UTC+5:30"',
        b'"Europe/Berlin"',
        b'"beginWeekSunTime":"3-5-0 02:00:00"',
        b'"endWeekSunTime":"10-5-0 03:00:00"',
    ],
)
def zone(data: bytes) -> None:
    """The time zone of a device."""
    found = _zones.read_zone(_parse.read_result(data, "timeZoneQueryByDay").data)
    if found is not None:
        for year in (1971, 2026, 2199):
            wall = dt.datetime(year, 7, 1)  # noqa: DTZ001 - wall time, on purpose
            f"{_zones.to_utc(wall, found).astimezone(found):%Y %Z}"
        _zones.write_zone(found)


@target("imou-state", lambda: [*answers("deviceStorage", "deviceSdcardStatus"), *_envelope()], JSON)
def state(data: bytes) -> None:
    """The state of a card, and the calendar of a month."""
    fields = _parse.read_result(data, "deviceStorage").data
    card = _parse.read_storage(fields, _parse.read_card(fields))
    _inventory.volume_of("8L0DF93PAZ00000", card)
    _parse.read_days(fields, 2026, 2)


_REST = (
    b'{"code":0,"msg":"","data":{"devices":[{"deviceId":"8L0D","channels":[{"channelId":"0"}]}]}}',
    (
        b'{"code":"0","data":{"videos":[{"recordId":"1","startTime":"2026-03-03T20:00:30",'
        b'"endTime":"2026-03-03 20:01:00","fileSize":"12","recordType":"all"}],"hasMore":true}}'
    ),
    b'{"access_token":"At_1","refresh_token":"Rt_1","expires_in":259200,"token_type":"Bearer"}',
    b'{"code":0,"data":{"totalSize":"100","usedSize":3,"cloudEnabled":"true","total":1}}',
)
_REST_WORDS = [b'"expires_in":', b'"devices":', b'"videos":', b'"startTime":', b'"hasMore":']


@target(
    "imou-rest",
    lambda: [*_REST, *json_bombs('{"code":0,"data":', "}"), *json_bombs('{"code":', "}")],
    [*JSON, *_REST_WORDS, b'"access_token":', b'"cloudEnabled":', b'"totalSize":'],
)
def rest(data: bytes) -> None:
    """The answers of the REST surface."""
    failure = _rest_parse.read_failure(data, SECRETS)
    repr(failure)
    found = _rest_parse.read_result(data, "/v1/devices", SECRETS).data
    _rest_parse.says_more(found, 1)
    _rest_parse.read_storage(found)
    _rest_parse.read_plan(found)
    for key in ("videos", "records"):
        rows = _parse.items(found, key)
        _rest_parse.read_records(rows, "8L0D", "0", SD)
    for device in _rest_parse.read_devices(found, "/v1/devices"):
        _inventory.device_of(device)
        _inventory.channels_of(device)


@target(
    "imou-grant",
    lambda: [
        _REST[2],
        *json_bombs('{"access_token":', "}"),
        *json_bombs('{"access_token":"a","expires_in":', "}"),
    ],
    [*JSON, *_REST_WORDS, b'"access_token":', b'"refresh_token":', b'"error":"invalid_grant"'],
)
def grant(data: bytes) -> None:
    """The answer of the token endpoint."""
    _, fields = _rest_parse.read_grant(data, "/oauth/token", SECRETS)
    repr(_oauth.read_tokens("client", fields))


@target(
    "imou-callback",
    lambda: [
        b"https://shop.example/cb?code=abc&state=xyz",
        b"https://shop.example/cb?error=access_denied&state=xyz",
        b"code=abc&state=xyz",
        *text_bombs("https://shop.example/cb?code=abc&state=xyz"),
    ],
    [
        b"code=",
        b"state=xyz",
        b"error=",
        b"error_description=",
        b"&",
        b"?",
        b"#",
        b"%ff",
        b"[",
        b"]",
    ],
    longest=8192,
)
def callback(data: bytes) -> None:
    """The URL that a browser came back to."""
    query = _oauth.query_of(Secret(as_text(data)))
    state_given = _oauth.state_of(query)
    repr(_oauth.code_of("client", query, state_given))
    repr(_oauth.code_of("client", query, "xyz"))


@target(
    "imou-learnt",
    lambda: [
        b'{"8L0D":{"zone":"Europe/Berlin","asked":"2026-03-03"}}',
        b'{"search":{"list_tag":"trackList","verb":"POST"}}',
        *json_bombs('{"8L0D":', "}"),
        *json_bombs('{"search":', "}"),
    ],
    [*JSON, b'"zone":', b'"asked":', b'"2026-03-03"', b'"+25:00"', b'"CST-8:00:00"', b'"search":'],
)
def learnt(data: bytes) -> None:
    """What a profile keeps of a device: an edited one, or one of another version."""
    from camsync.providers.hikvision._dialect import recall_dialect

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    _zones.Zones(None, learnt=found, ask=lambda _: None).learnt.items()
    if isinstance(found, dict):
        recall_dialect(found)


_BASE = Secret("https://media.easy4ip.com/a/b/list.m3u8?sign=t0psecret")
_MEDIA = (
    b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n"
    b'#EXT-X-KEY:METHOD=AES-128,URI="key?x",IV=0x01\n#EXTINF:4.0,\n1.ts?t=1\n'
    b"#EXT-X-DISCONTINUITY\n#EXT-X-BYTERANGE:100@0\n#EXTINF:3.5,title\n2.ts\n"
    b"#EXT-X-BYTERANGE:100\n#EXTINF:3.5,title\n2.ts\n#EXT-X-ENDLIST\n"
)
_MASTER = (
    b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b",URI="a.m3u8"\n'
    b'#EXT-X-STREAM-INF:BANDWIDTH=1280000,CODECS="avc1.4d401f",RESOLUTION=640x360\nlow.m3u8\n'
)
_TAGS = [line.split(b":")[0] + b":" for line in (_MEDIA + _MASTER).splitlines() if line[:1] == b"#"]


def _playlists() -> list[bytes]:
    head = b"#EXTM3U\n"
    lines = {
        1_000_000: b"#\n",
        60_000: b"#EXTINF:1,\na\n",
        49_000: b"#EXTINF:1,\na.ts\n",
        20_000: b'#EXT-X-KEY:METHOD=AES-128,URI="%d"\n#EXTINF:1,\na.ts\n',
        4_000: b'#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1"\na.m3u8\n',
        30_000: b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b",URI="c"\n',
    }
    bombs = [
        head + (b"".join(map(line.__mod__, range(count))) if b"%d" in line else line * count)
        for count, line in lines.items()
    ]
    bombs += [
        head + b"#EXT-X-MEDIA-SEQUENCE:" + b"9" * 5000,
        head + b"#EXTINF:1e400,\na.ts\n",
        head + b"#EXT-X-KEY:" + b"A='" * 2700 + b"\n",
        head + b"#EXT-X-KEY:" + b'"' * 8001 + b"\n",
        (head + b"#EXT-X-KEY:" + b"a=\"b'," * 1300 + b"\n") * 400,
        head + b"#EXTINF:" + b"," * 8000 + b"\na.ts",
        head + b"x" * 5_000_000,
    ]
    return [*answers("playlist"), _MEDIA, _MASTER, *bombs, *text_bombs("#EXTM3U\n#EXTINF:1,\na.ts")]


@target(
    "imou-playlist",
    _playlists,
    [
        *_TAGS,
        b"#EXTM3U\n",
        b"#EXTINF:4,\na.ts\n",
        b"#EXT-X-GAP\n",
        b'#EXT-X-MAP:URI="a"\n',
        b"#EXT-X-BYTERANGE:1@1\n",
        b"METHOD=NONE",
        b"METHOD=SAMPLE-AES",
        b'KEYFORMAT="x"',
        b"http://169.254.169.254/",
        b"https://[::1]/",
        b"//x\\y/",
        b"file:///etc/passwd",
        b"\x85",
        b"\x0b",
        b"\n",
        b'"',
        b"'",
        b",",
        b"=",
    ],
    extra=4.0,  # 50,000 addresses, the most of them that are taken, are checked one by one
)
def playlist(data: bytes) -> None:
    """An HLS playlist, seen once and again."""
    found = _playlist.read_playlist(io.BytesIO(data), _BASE)
    if isinstance(found, _playlist.Playlist):
        _ = found.next, found.get(found.first), found.continues(found)


@target(
    "imou-segment",
    lambda: [segment("h264", 0, 0, 2), segment("h265", 0, 0, 1), b"\x47" * 1880, bytes(188 * 3)],
    [b"\x47", b"\x47\x40\0\x10", b"\x47\x41\0\x30", b"\0\0\1\xe0", b"\0\0\1\xc0", b"\xff" * 184],
)
def segment_times(data: bytes) -> None:
    """The time stamps of a segment, whose packets are in step by then."""
    whole = len(data) // 188 * 188
    measured = _stamps.measure(io.BytesIO(data[:whole]))
    _ = measured.main, measured.seconds
