"""The media of the simulated Imou cloud: playback URLs, playlists, segments, keys and troubles."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import itertools
import re
import time
import uuid

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import av
import pytest
import requests

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from camsync.testing.imou import KINDS, ImouSimulator, SimulatedClip
from camsync.testing.imou._call import signature
from camsync.testing.imou._hls import _KEPT


UTC = dt.timezone.utc
NOW = dt.datetime(2026, 5, 20, 12, 0, 0, tzinfo=UTC)
TYPES = {"sd": "localRecord", "cloud": "cloudRecord"}


class Viewer:
    """A plain client that plays recordings."""

    def __init__(self, sim: ImouSimulator) -> None:
        self.sim = sim
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = None
        self.token = self.result("accessToken")["data"]["accessToken"]

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the Open Platform."""
        now, nonce = int(self.sim._cloud.clock().timestamp()), uuid.uuid4().hex
        sign = signature("md5", time=now, nonce=nonce, app_secret=self.sim.app_secret)
        system = {"ver": "1.0", "appId": self.sim.app_id, "sign": sign, "time": now, "nonce": nonce}
        params = {"token": self.token, **params}
        body = {"system": system, "id": "1", "params": params}
        url = f"{self.sim.base_url}/openapi/{method}"
        return self.session.post(url, json=body, timeout=10).json()["result"]

    def clip(self, storage: str = "sd", place: int = 1) -> SimulatedClip:
        """Return a finished clip of the first device."""
        device = self.sim.devices[0].id
        clips = [clip for clip in self.sim.history(device) if clip.storage == storage]
        return [clip for clip in clips if clip.seconds and not clip.in_progress][place]

    def play(self, clip: SimulatedClip, **changes: Any) -> dict[str, Any]:
        """Ask for a URL and return the whole result."""
        params = {
            "deviceId": clip.device,
            "channelId": clip.channel,
            "streamId": 0,
            "beginTime": clip.begin_time,
            "endTime": clip.end_time,
            "recordType": TYPES[clip.storage],
        }
        return self.result("createDeviceRecordHls", **{**params, **changes})

    def url(self, clip: SimulatedClip, **changes: Any) -> str:
        """Ask for a URL."""
        return self.play(clip, **changes)["data"]["url"]

    def get(self, url: str, **options: Any) -> requests.Response:
        """Fetch something, without following redirects."""
        return self.session.get(url, **{"timeout": 10, "allow_redirects": False, **options})

    def lines(self, url: str) -> list[str]:
        """Return the lines of a playlist."""
        reply = self.get(url)
        assert (200, "application/vnd.apple.mpegurl") == (
            reply.status_code,
            reply.headers["Content-Type"],
        )
        return reply.text.splitlines()

    def segments(self, url: str) -> list[str]:
        """Return the absolute URLs of a playlist's segments."""
        return [urljoin(url, line) for line in self.lines(url) if line and line[0] != "#"]

    def watch(self, clip: SimulatedClip) -> bytes:
        """Fetch all segments of a plain playback."""
        return b"".join(self.get(each).content for each in self.segments(self.url(clip)))


@pytest.fixture
def watching() -> Iterator[Callable[..., Viewer]]:
    """A function that starts a simulator and returns a client for it."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> Viewer:
            options = {
                "clock": lambda: NOW,
                "devices": 1,
                "hours": 0.1,
                "segment_seconds": 20,
                **options,
            }
            viewer = Viewer(stack.enter_context(ImouSimulator(**options)))
            stack.callback(viewer.session.close)
            return viewer

        yield start


def _content(viewer: Viewer, clip: SimulatedClip) -> bytes:
    return b"".join(viewer.sim.content(clip))


# -- What is played ------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["sd", "cloud"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_clip_is_played_to_the_frame(watching, codec, storage):
    """The segments are what the simulator says they are, and PyAV counts every picture."""
    viewer = watching(codec=codec)
    clip = viewer.clip(storage)
    data = viewer.watch(clip)
    told = viewer.sim.expected(clip)
    assert _content(viewer, clip) == data
    assert (clip.size, told.segments) == (len(data), -(-clip.seconds // 4))
    assert len(data) == told.size == viewer.sim.bytes_sent
    with av.open(io.BytesIO(data), format="mpegts") as container:
        video = container.streams.video[0]
        times = [packet.pts for packet in container.demux(video) if packet.size]
        length = float(video.duration * video.time_base)
    assert (told.frames, told.first_pts, told.seconds) == (len(times), times[0], length)
    assert codec == told.codec


def test_different_moments_look_different(watching):
    """The video goes on from clip to clip, so that two clips are not the same bytes."""
    viewer = watching()
    assert viewer.watch(viewer.clip(place=0)) == viewer.watch(viewer.clip(place=0))
    one, other = (clip for clip in (viewer.clip("sd", 0), viewer.clip("cloud", 0)))
    assert viewer.watch(one) != viewer.watch(other)


def test_a_part_of_a_clip_and_more_than_one(watching):
    """Any window is played as far as it is covered; records that cover the same time count once."""
    viewer = watching()
    clip, later = viewer.clip(place=0), viewer.clip(place=1)
    begin = clip.begin_time[:-2] + f"{int(clip.begin_time[-2:]) + 5:02d}"
    data = b"".join(
        viewer.get(each).content for each in viewer.segments(viewer.url(clip, beginTime=begin))
    )
    assert 15 * 25 == _frames(data)
    both = viewer.segments(viewer.url(clip, endTime=later.end_time))
    assert 40 * 25 == _frames(b"".join(viewer.get(each).content for each in both))


def _frames(data: bytes) -> int:
    with av.open(io.BytesIO(data), format="mpegts") as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def test_gaps_are_discontinuities(watching):
    """Two clips in the cloud with a pause between them are two streams in one playlist."""
    viewer = watching()
    one, two = viewer.clip("cloud", 0), viewer.clip("cloud", 1)
    lines = viewer.lines(viewer.url(one, endTime=two.end_time))
    assert 1 == lines.count("#EXT-X-DISCONTINUITY")
    lengths = [float(line[8:-1]) for line in lines if line.startswith("#EXTINF:")]
    assert one.seconds + two.seconds == sum(lengths)


def test_the_clip_that_is_being_written_can_be_played(watching):
    """As far as it was listed, although it has grown meanwhile."""
    viewer = watching(hours=0.098)
    clip = next(each for each in viewer.sim.history() if each.in_progress)
    viewer.sim.advance(3)
    data = b"".join(viewer.get(each).content for each in viewer.segments(viewer.url(clip)))
    assert clip.seconds * 25 == _frames(data)


def test_a_clip_of_the_hour_that_comes_twice(watching):
    """A clip that ends before it begins, by the wall clock, is played in full."""
    end = dt.datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    viewer = watching(devices=["dst"], clock=lambda: end, hours=1, segment_seconds=70)
    clip = next(clip for clip in viewer.sim.history() if clip.end_time < clip.begin_time)
    assert clip.seconds * 25 == viewer.sim.expected(clip).frames == _frames(viewer.watch(clip))


LONG_AGO = {"beginTime": "2020-01-01 00:00:00", "endTime": "2020-01-01 00:01:00"}
REASONS = (
    ("camera", "sd", {"recordType": "anyRecord"}, "OP1003"),
    ("camera", "sd", {"recordType": None}, "OP1002"),
    ("camera", "sd", {"streamId": 2}, "OP1003"),
    ("camera", "sd", LONG_AGO, "OP1019"),
    ("camera", "cloud", LONG_AGO, "RC1001"),
    ("camera", "sd", {"endTime": "2020-01-01 00:00:00"}, "OP1003"),
    ("offline", "sd", {}, "DV1007"),
    ("offline", "cloud", {}, "0"),
    ("asleep", "sd", {}, "DV1030"),
    ("no-card", "sd", {}, "DV1049"),
    ("unformatted", "sd", {}, "OP1019"),
    ("no-plan", "cloud", {}, "RC1001"),
    ("shared", "cloud", {}, "DV1012"),
    ("encrypted", "cloud", {}, "LV1004"),
)


def test_what_cannot_be_played(watching):
    """Each reason has its code."""
    viewer = watching(devices=tuple(KINDS))
    ids = dict(zip(KINDS, (device.id for device in viewer.sim.devices), strict=True))
    for kind, storage, changes, code in REASONS:
        result = viewer.play(viewer.clip(storage), deviceId=ids[kind], **changes)
        assert code == result["code"], (kind, storage, changes)


def test_a_clip_without_length_is_nothing(watching):
    """It is listed, and there is nothing to play."""
    viewer = watching()
    clip = next(clip for clip in viewer.sim.history() if not clip.seconds)
    assert "OP1019" == viewer.play(clip)["code"]


def test_days_may_have_to_be_kept_apart(watching):
    """With a fault that follows the document to the letter, a window within one day only."""
    midnight = dt.datetime(2026, 5, 20, 16, 3, tzinfo=UTC)
    viewer = watching(clock=lambda: midnight)
    clip = next(
        each
        for each in viewer.sim.history()
        if each.begin_time[:10] != each.end_time[:10] and each.storage == "sd"
    )
    assert "0" == viewer.play(clip)["code"]
    viewer.sim.enable("same-day-only")
    assert "OP1003" == viewer.play(clip)["code"]
    assert "0" == viewer.play(viewer.clip(place=0))["code"]


# -- URLs ----------------------------------------------------------------------------------------


def test_urls_are_signed_and_die(watching):
    """Without the signature nothing is served, and after its time nothing either."""
    viewer = watching(url_seconds=60)
    url = viewer.url(viewer.clip())
    segment = viewer.segments(url)[0]
    for each in (url, segment):
        assert 403 == viewer.get(each.partition("?")[0]).status_code
        assert 405 == viewer.session.post(each, timeout=10).status_code
    assert 200 == viewer.get(segment).status_code
    viewer.sim.advance(60)
    assert {403} == {viewer.get(each).status_code for each in (url, segment)}
    assert 200 == viewer.get(viewer.url(viewer.clip())).status_code


def test_what_is_not_there(watching):
    """Unknown playbacks, parts and segments are 404."""
    viewer = watching()
    url = viewer.url(viewer.clip())
    parts = re.fullmatch(r"(.*/hls/)(\w+)/media.m3u8(.*)", url)
    for name in (f"{parts[2]}/99.ts", f"{parts[2]}/index.html", f"{'0' * 24}/media.m3u8"):
        assert 404 == viewer.get(f"{parts[1]}{name}{parts[3]}").status_code


def test_old_playbacks_are_forgotten(watching):
    """A thousand are kept."""
    viewer = watching()
    clip = viewer.clip()
    url = viewer.url(clip)
    for _ in range(_KEPT):
        viewer.sim._cloud.playbacks.create(clip.footage)
    assert 404 == viewer.get(url).status_code


def test_odd_answers_instead_of_a_url(watching):
    """Another host, none at all, or a URL that has expired."""
    viewer = watching()
    viewer.sim.enable("url-elsewhere", times=1)
    assert viewer.url(viewer.clip()).startswith("https://media.imou.invalid/")
    viewer.sim.enable("no-url", times=1)
    assert {} == viewer.play(viewer.clip())["data"]
    viewer.sim.enable("url-expired", times=1)
    assert 403 == viewer.get(viewer.url(viewer.clip())).status_code


# -- Styles --------------------------------------------------------------------------------------


def test_the_plain_playlist(watching):
    """Relative URIs, whole seconds, an end."""
    viewer = watching()
    lines = viewer.lines(viewer.url(viewer.clip()))
    assert "#EXTM3U" == lines[0]
    assert "#EXT-X-ENDLIST" == lines[-1]
    assert {"#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:7"} <= set(lines)
    assert [f"{n}.ts" for n in range(5)] == [
        line.partition("?")[0] for line in lines if line[0] != "#"
    ]


def test_a_master_playlist_has_two_variants(watching):
    """The better one stands last; both play the clip, under names of their own."""
    viewer = watching(faults=["hls-master"])
    clip = viewer.clip()
    url = viewer.url(clip)
    low, high = viewer.segments(url)
    widths = re.findall(r"BANDWIDTH=(\d+)", viewer.get(url).text)
    assert ["160000", "640000"] == widths
    for variant, prefix in ((low, "low-"), (high, "")):
        segments = viewer.segments(variant)
        assert f"/{prefix}0.ts?" in segments[0]
        assert _content(viewer, clip) == b"".join(viewer.get(one).content for one in segments)


@pytest.mark.parametrize("style", ["hls-aes", "hls-aes-iv", "hls-key-rotation"])
def test_encrypted_segments(watching, style):
    """AES-128 in CBC with padding; the IV is given, or the sequence number."""
    viewer = watching(faults=[style])
    clip = viewer.clip()
    url = viewer.url(clip)
    data, key, explicit, number = b"", b"", None, 7
    keys = []
    for line in viewer.lines(url):
        found = re.fullmatch(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)"(?:,IV=0x(\w{32}))?', line)
        if found:
            key, explicit = viewer.get(urljoin(url, found[1])).content, found[2]
            keys.append(found[1])
        elif line[0] != "#":
            iv = bytes.fromhex(explicit) if explicit else number.to_bytes(16, "big")
            opening = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
            plain = opening.update(viewer.get(urljoin(url, line)).content) + opening.finalize()
            data += plain[: -plain[-1]]
            number += 1
    assert _content(viewer, clip) == data
    assert {"hls-aes": (1, 1), "hls-aes-iv": (5, 1), "hls-key-rotation": (3, 3)}[style] == (
        len(keys),
        len(set(keys)),
    )


def test_a_discontinuity_restarts_the_clock(watching):
    """In the middle time stamps begin anew, and the pictures are the same."""
    viewer = watching(faults=["hls-discontinuity"])
    clip = viewer.clip()
    url = viewer.url(clip)
    lines = viewer.lines(url)
    middle = lines.index("#EXT-X-DISCONTINUITY")
    assert 2 == sum(1 for line in lines[:middle] if line[0] != "#")
    first = []
    for segment in viewer.segments(url):
        with av.open(io.BytesIO(viewer.get(segment).content), format="mpegts") as container:
            first.append(next(container.demux(video=0)).pts)
    assert [90_000, 450_000, 90_000, 450_000, 810_000] == first


@pytest.mark.parametrize("more", [[], ["hls-aes"]])
def test_segments_as_ranges_of_one_file(watching, more):
    """Every other range has no offset; together they are the file."""
    viewer = watching(faults=["hls-byterange", *more])
    clip = viewer.clip()
    url = viewer.url(clip)
    at, pieces, whole = 0, [], ""
    for line, uri in itertools.pairwise(viewer.lines(url)):
        found = re.fullmatch(r"#EXT-X-BYTERANGE:(\d+)(?:@(\d+))?", line)
        if found:
            whole = urljoin(url, uri)
            at = int(found[2] or at)
            end = at + int(found[1]) - 1
            reply = viewer.get(whole, headers={"Range": f"bytes={at}-{end}"})
            assert 206 == reply.status_code
            assert reply.headers["Content-Range"].startswith(f"bytes {at}-{end}/")
            pieces.append(reply.content)
            at = end + 1
    assert 5 == len(pieces)
    assert b"".join(pieces) == viewer.get(whole).content
    assert more or _content(viewer, clip) == b"".join(pieces)
    tail = viewer.get(whole, headers={"Range": f"bytes={at - 5}-"})
    assert (206, 5) == (tail.status_code, len(tail.content))
    assert 416 == viewer.get(whole, headers={"Range": f"bytes={at}-"}).status_code
    viewer.sim.enable("segment-ignores-range")
    assert 200 == viewer.get(whole, headers={"Range": "bytes=0-9"}).status_code


def test_a_live_playlist_grows(watching):
    """Each reload shows another third, and the last one the end."""
    viewer = watching(faults=["hls-live"])
    url = viewer.url(viewer.clip())
    shown = [viewer.get(url).text for _ in range(4)]
    assert [2, 4, 5, 5] == [text.count("#EXTINF") for text in shown]
    assert [False, False, True, True] == ["#EXT-X-ENDLIST" in text for text in shown]


def test_absolute_and_odd_playlists(watching):
    """Whole URLs; hosts that one must not follow; the least that a playlist needs."""
    viewer = watching()
    for style, start in (
        ("hls-absolute", viewer.sim.base_url),
        ("hls-elsewhere", "https://media.imou.invalid/"),
        ("hls-private-host", "http://10.0.0.1/"),
    ):
        viewer.sim.enable(style, times=1)
        uris = [
            line for line in viewer.lines(viewer.url(viewer.clip())) if not line.startswith("#")
        ]
        assert all(uri.startswith(start) for uri in uris)
    viewer.sim.enable("hls-bare", times=1)
    text = viewer.get(viewer.url(viewer.clip())).text
    assert "SEQUENCE" not in text
    assert "\r\n\r\n" in text


def test_one_shot_urls(watching):
    """A second GET of the playlist is refused; a new URL is good again."""
    viewer = watching(faults=["hls-one-shot"])
    url = viewer.url(viewer.clip())
    assert [200, 403] == [viewer.get(url).status_code for _ in range(2)]
    assert 200 == viewer.get(viewer.url(viewer.clip())).status_code


def test_a_url_that_expires_midway(watching):
    """Half of the segments come; the rest needs a new URL, and is the same."""
    viewer = watching()
    clip = viewer.clip()
    viewer.sim.enable("hls-expires-midway", times=1)
    replies = [viewer.get(each) for each in viewer.segments(viewer.url(clip))]
    assert [200, 200, 403, 403, 403] == [reply.status_code for reply in replies]
    rest = viewer.segments(viewer.url(clip))[2:]
    data = b"".join(reply.content for reply in replies[:2])
    assert _content(viewer, clip) == data + b"".join(viewer.get(each).content for each in rest)


# -- Troubles ------------------------------------------------------------------------------------


TROUBLES = {
    "playlist-403": 403,
    "playlist-404": 404,
    "segment-403": 403,
    "segment-404": 404,
    "segment-500": 500,
    "playlist-html": 200,
    "segment-html": 200,
    "playlist-redirect": 302,
    "playlist-moved": 302,
    "segment-redirect": 302,
    "segment-moved": 302,
}


def test_playlists_and_segments_that_are_not_served(watching):
    """A status, a web page, or a redirect; the next time all is well."""
    viewer = watching()
    playlist = viewer.url(viewer.clip())
    segment = viewer.segments(playlist)[0]
    for fault, status in TROUBLES.items():
        url = segment if fault.startswith("segment") else playlist
        viewer.sim.enable(fault, times=1)
        reply = viewer.get(url)
        assert (status, "text/html") == (reply.status_code, reply.headers["Content-Type"]), fault
        if fault.endswith("-moved"):
            assert reply.headers["Location"].startswith("https://media.imou.invalid/hls/")
        assert 200 == viewer.get(url).status_code
        if fault.endswith("-redirect"):
            viewer.sim.enable(fault)
            assert 200 == viewer.get(urljoin(url, reply.headers["Location"])).status_code
            viewer.sim.disable(fault)


def test_playlists_that_are_none(watching):
    """Nothing in it, itself in it, far too much of it."""
    viewer = watching()
    url = viewer.url(viewer.clip())
    viewer.sim.enable("playlist-empty", times=1)
    assert [] == viewer.segments(url)
    viewer.sim.enable("playlist-loop", times=1)
    assert [url] == viewer.segments(url)
    viewer.sim.enable("playlist-bomb", times=1)
    with viewer.get(url, stream=True) as reply:
        assert str(2**26) == reply.headers["Content-Length"]
        assert 2**26 == sum(map(len, reply.iter_content(2**20)))


def test_segments_that_end_too_early(watching):
    """Half of what was announced, half with a length that fits, all without a length."""
    viewer = watching()
    segment = viewer.segments(viewer.url(viewer.clip()))[0]
    whole = viewer.get(segment).content
    viewer.sim.enable("segment-truncated", times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        viewer.get(segment)
    viewer.sim.enable("segment-short", times=1)
    assert whole[: len(whole) // 2] == viewer.get(segment).content
    viewer.sim.enable("segment-without-length", times=1)
    reply = viewer.get(segment)
    assert (whole, False) == (reply.content, "Content-Length" in reply.headers)
    viewer.sim.enable("segment-type", times=1)
    reply = viewer.get(segment)
    assert (whole, "text/html") == (reply.content, reply.headers["Content-Type"])


def test_segments_that_take_their_time(watching):
    """Drops of half a kilobyte, or half of it and then silence."""
    viewer = watching(segment_seconds=1)
    segment = viewer.segments(viewer.url(viewer.clip(place=0)))[0]
    whole = viewer.get(segment).content
    viewer.sim.enable("segment-slow", times=1)
    assert whole == viewer.get(segment).content
    viewer.sim.enable("segment-hangs", times=1)
    with pytest.raises(requests.exceptions.ConnectionError, match="timed out"):
        viewer.get(segment, timeout=0.2)


def test_keys_that_do_not_help(watching):
    """Refused, too short, or wrong."""
    viewer = watching(faults=["hls-aes"])
    url = viewer.url(viewer.clip())
    key = urljoin(url, re.search('URI="([^"]+)"', viewer.get(url).text)[1])
    good = viewer.get(key).content
    found = {}
    for fault in ("key-403", "key-500", "key-short", "key-wrong"):
        viewer.sim.enable(fault, times=1)
        reply = viewer.get(key)
        found[fault] = (reply.status_code, len(reply.content))
        assert good != reply.content
    assert (16, 403, 500) == (len(good), found["key-403"][0], found["key-500"][0])
    assert ((200, 10), (200, 16)) == (found["key-short"], found["key-wrong"])


def test_a_stop_breaks_what_hangs(watching):
    """It returns within a second or two, whatever clients do."""
    viewer = watching()
    segment = viewer.segments(viewer.url(viewer.clip()))[0]
    viewer.sim.enable("segment-hangs")
    with viewer.get(segment, stream=True):
        began = time.monotonic()
        viewer.sim.stop()
    assert time.monotonic() - began < 5


def test_bandwidth(watching):
    """A limit slows media down, and nothing is lost."""
    viewer = watching(bandwidth=20_000_000)
    clip = viewer.clip()
    assert _content(viewer, clip) == viewer.watch(clip)
