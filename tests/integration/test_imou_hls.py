"""HLS over real connections: the simulated cloud's playbacks, its styles and its faults."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import traceback

import av
import pytest

from camsync import (
    CancelledError,
    Capability,
    ChannelId,
    Codec,
    DeviceId,
    DeviceTimeoutError,
    DownloadUnsupportedError,
    ProtocolError,
    Recording,
    RecordingKey,
    RetryPolicy,
    ShortReadError,
    UnreachableError,
    download,
)
from camsync._secret import Secret
from camsync.providers.imou import _feed, _hls
from camsync.providers.imou._wire import PlaySource
from camsync.testing.imou.simulator import ImouSimulator
from camsync.transport._bulk import Bulk
from camsync.transport._traces import chain
from camsync.transport._web import Web


QUICK = RetryPolicy(attempts=3, initial=0.0)


@pytest.fixture
def cloud():
    """A simulated cloud with short clips of six segments."""
    options = {"devices": 1, "hours": 1.0, "segment_seconds": 12.0, "hls_seconds": 2.0}
    with ImouSimulator(**options) as sim:
        yield sim


@pytest.fixture
def web(cloud):
    """A transport to it."""
    with contextlib.closing(Web(cloud.base_url, timeout=(20.0, 20.0))) as transport:
        yield transport


def test_nothing_but_playlists_is_outside_of_the_folder(cloud, web):
    """Whoever takes names to be beside the URL that was asked for finds nothing."""
    cloud.enable("hls-folder")
    player = Player(cloud)
    playback = cloud._cloud.playbacks.create(player.clip.footage)

    with contextlib.closing(web.get(playback.url("0.ts"))) as reply:
        assert 404 == reply.status
    assert player.content == fetch(player, web)
    assert 1 == player.calls


@pytest.fixture
def dials(monkeypatch):
    """The connections that are made."""
    made = []
    connect = Bulk._connect

    def counted(self):
        made.append(self)
        return connect(self)

    monkeypatch.setattr(Bulk, "_connect", counted)
    return made


class Player:
    """Asks the cloud for the address of one clip, as often as it has to."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.clip = next(clip for clip in cloud.history() if clip.storage == "sd")
        self.calls = 0
        self.signs = []

    def __call__(self, cancel):
        self.calls += 1
        playback = self.cloud._cloud.playbacks.create(self.clip.footage)
        self.signs.append(playback.sign)
        return PlaySource(url=Secret(playback.url(playback.entrance)))

    @property
    def content(self):
        """What has to come."""
        return b"".join(self.cloud.content(self.clip))


def fetch(player, web, **options):
    """Return all bytes that come."""
    data, buffer = bytearray(), memoryview(bytearray(50_000))
    with _hls.open_hls(player, web, **{"policy": QUICK, **options}) as stream:
        while got := stream.readinto(buffer):
            data += buffer[:got]
    return bytes(data)


def asked(cloud, part):
    """Return how many requests there were for paths with a part."""
    return sum(1 for one in cloud.requests_log if part in str(one))


@pytest.mark.parametrize(
    "style",
    [
        None,
        "hls-master",
        "hls-aes",
        "hls-aes-iv",
        "hls-key-rotation",
        "hls-byterange",
        "hls-absolute",
        "hls-one-shot",
        "hls-bare",
        "segment-without-length",
        "segment-type",
        "segment-redirect",
        "playlist-redirect",
    ],
)
def test_every_style(cloud, web, style):
    """However it is offered, the same bytes come."""
    if style is not None:
        cloud.enable(style)
    player = Player(cloud)

    assert player.content == fetch(player, web)
    assert 1 == player.calls


def test_one_connection_is_enough(cloud, web, dials):
    """It is kept for the playlist, the key and all segments."""
    cloud.enable("hls-aes")
    player = Player(cloud)
    counted = []

    assert player.content == fetch(player, web, count=counted.append)
    assert 1 == len(dials)
    assert (6, 1) == (asked(cloud, ".ts"), asked(cloud, "/key-"))
    assert cloud.bytes_sent <= sum(counted)


def test_a_growing_playlist(cloud, web, monkeypatch):
    """It is looked at again until it is complete."""
    waits = []
    monkeypatch.setattr(_feed, "pause", lambda seconds, _: waits.append(seconds))
    cloud.enable("hls-live")
    player = Player(cloud)

    assert player.content == fetch(player, web)
    assert waits


def test_an_address_that_expires_midway(cloud, web):
    """One new address, and no byte twice."""
    cloud.enable("hls-expires-midway", 1)
    player = Player(cloud)

    assert player.content == fetch(player, web)
    assert 2 == player.calls


@pytest.mark.parametrize(
    "fault",
    [
        "segment-500",
        "segment-truncated",
        "segment-short",
        "segment-html",
        "segment-403",
        "segment-404",
        "playlist-403",
    ],
)
def test_a_fault_that_passes(cloud, web, fault):
    """What fails once is fetched again, from the segment's border."""
    cloud.enable(fault, 1)
    player = Player(cloud)

    assert player.content == fetch(player, web)
    assert 1 == cloud.fault_hits[fault]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("hls-elsewhere", UnreachableError),
        ("hls-private-host", ProtocolError),
        ("playlist-html", ProtocolError),
        ("playlist-empty", ShortReadError),
        ("playlist-bomb", ProtocolError),
        ("playlist-loop", ProtocolError),
        ("playlist-moved", ProtocolError),
        ("segment-moved", ProtocolError),
        ("segment-truncated", UnreachableError),
        ("segment-short", ShortReadError),
    ],
)
def test_a_fault_that_stays(cloud, web, caplog, fault, kind):
    """It is told as what it is, and without the address."""
    cloud.enable(fault)
    if fault == "playlist-loop":
        cloud.enable("hls-master")
    player = Player(cloud)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kind) as caught:
        fetch(player, web)
    seen = shown(caught.value) + caplog.text
    assert [] == [sign for sign in player.signs if sign in seen]


def shown(error):
    """Return all that a debugger would show of our own frames, and all words of the chain."""
    parts = []
    for one in chain(error):
        parts += [str(one), repr(one.args), repr(vars(one))]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                parts += map(repr, frame.f_locals.values())
    return "\n".join(parts)


def test_ranges_that_are_ignored(cloud, web):
    """The whole file instead of a part of it is refused before it has come."""
    cloud.enable("hls-byterange")
    cloud.enable("segment-ignores-range")
    with pytest.raises(DownloadUnsupportedError, match="ignores byte ranges"):
        fetch(Player(cloud), web)


def test_silence(cloud):
    """A server that stops in the middle of a segment is waited for as long as it was said."""
    cloud.enable("segment-hangs")
    web = Web(cloud.base_url, timeout=(20.0, 0.5))
    with contextlib.closing(web), pytest.raises(DeviceTimeoutError):
        fetch(Player(cloud), web, policy=RetryPolicy(attempts=1))


@pytest.mark.parametrize("way", ["abort", "cancel"])
def test_stopping_while_the_server_is_silent(cloud, way):
    """Both wake the reader long before the time-out."""
    cloud.enable("segment-hangs")
    stop = threading.Event()
    with contextlib.closing(Web(cloud.base_url, timeout=(5.0, 60.0))) as web:
        with _hls.open_hls(Player(cloud), web, cancel=stop) as stream:
            wake = stream.abort if way == "abort" else stop.set
            timer = threading.Timer(0.2, wake)
            timer.start()
            with pytest.raises(CancelledError):
                stream.readinto(memoryview(bytearray(1000)))
            timer.join()
        assert not stream._thread.is_alive()


def test_resume_over_real_connections(cloud, web):
    """A stream that broke goes on behind the last segment, with a new address."""
    player = Player(cloud)
    data, buffer = bytearray(), memoryview(bytearray(50_000))
    with _hls.open_hls(player, web, policy=RetryPolicy(attempts=1)) as stream:
        while stream.bookmark.segments < 2:
            data += buffer[: stream.readinto(buffer)]
        place = stream.bookmark
    rest = bytearray()
    with _hls.open_hls(player, web, resume=place) as stream:
        assert place.bytes == stream.offset
        while got := stream.readinto(buffer):
            rest += buffer[:got]

    assert player.content == bytes(data[: place.bytes] + rest)


# -- Up to the film


class Provider:
    """What the download engine needs of a provider."""

    name = "imou"
    capabilities = Capability.SEARCH | Capability.DOWNLOAD

    def __init__(self, player, web):
        self.player, self.web = player, web

    def open(self, recording, *, offset=0, cancel=None):
        return _hls.open_hls(self.player, self.web, cancel=cancel, policy=QUICK)


def recording(clip):
    """Return a clip as a search would."""
    key = RecordingKey(
        provider="imou",
        device=DeviceId(clip.device),
        channel=ChannelId("0"),
        stream="sd",
        start=clip.start,
        item="1",
    )
    end = clip.start + dt.timedelta(seconds=clip.seconds)
    return Recording(key=key, channel_name="Gate", start=key.start, end=end, container="mpeg-ts")


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("style", ["hls-aes", "hls-discontinuity", "hls-expires-midway"])
@pytest.mark.parametrize("container", ["mp4", "original"])
def test_download(tmp_path, codec, style, container):
    """From a playlist to a file: every picture, from time zero, as long as announced."""
    options = {"devices": 1, "hours": 1.0, "segment_seconds": 12.0, "hls_seconds": 2.0}
    with ImouSimulator(**options, codec=codec, faults=[style]) as sim:
        with contextlib.closing(Web(sim.base_url)) as web:
            player = Player(sim)
            item = recording(player.clip)
            done = download(Provider(player, web), item, tmp_path, container=container, min_free=0)
        expected = sim.expected(player.clip)
    with av.open(str(done.path)) as film:
        pictures = sum(1 for _ in film.decode(video=0))

    assert ({"mp4": ".mp4", "original": ".ts"}[container], ()) == (done.path.suffix, done.notes)
    assert (Codec(codec), expected.frames) == (done.codec, pictures)
    assert pytest.approx(expected.seconds, abs=0.05) == done.duration
