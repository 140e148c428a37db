"""The stream of an HLS recording, with a media server in memory that does what it is told."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import threading
import traceback

from functools import partial
from pathlib import Path

import pytest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st

import camsync

from camsync import (
    BudgetExceededError,
    CancelledError,
    CorruptMediaError,
    DestinationError,
    DeviceBusyError,
    DeviceFaultError,
    DiskFullError,
    DownloadUnsupportedError,
    PermissionDeniedError,
    ProtocolError,
    RecordingNotFoundError,
    RetryPolicy,
    ShortReadError,
    UnreachableError,
)
from camsync._secret import Secret
from camsync.providers.imou import _aes, _feed, _hls, _segments, _spool
from camsync.providers.imou._wire import PlaySource
from camsync.testing.imou._ts import segment
from camsync.testing.recorder._ps import presentation_time
from camsync.transport._traces import chain


HOST = "https://media.easy4ip.com"
TOKEN = "t0psecret"
QUICK = RetryPolicy(attempts=3, initial=0.0)
PACKAGE = str(Path(camsync.__file__).parent)
WAIT = 20


CLOCK = 90_000


def head(stamp, stream=0xE0):
    """Return a packet in which a picture begins that is shown at a time, in ticks."""
    pes = b"\0\0\1" + bytes((stream, 0, 0, 0x84, 0x80, 5)) + presentation_time(stamp % (1 << 33))
    return (b"\x47\x41\0\x10" + pes).ljust(188, b"\xff")


def ts(number, packets=3):
    """Return 4 s of two pictures each, and packets that can be told from those of others."""
    begin = CLOCK * (1 + 4 * number)
    rest = (b"\x47\x01\0\x10" + bytes((number & 0xFF, n & 0xFF)) * 92 for n in range(packets - 2))
    return head(begin) + head(begin + 2 * CLOCK) + b"".join(rest)


class Reply:
    """One answer: bytes, or what happens instead."""

    def __init__(self, *parts, status=200, declared="right", headers=None):
        self.status = status
        self.parts = list(parts)
        size = sum(len(part) for part in parts if isinstance(part, bytes))
        self.declared = size if declared == "right" else declared
        self.headers = headers or {}
        self.url = Secret(HOST)
        self.aborted = threading.Event()
        self.waiting = threading.Event()
        self.closed = False

    def readinto(self, view):
        if not self.parts:
            return 0
        part = self.parts.pop(0)
        if isinstance(part, BaseException):
            raise part
        if part == "silence":
            self.waiting.set()
            assert self.aborted.wait(WAIT)
            raise UnreachableError("the connection broke")  # noqa: EM101, TRY003
        view[: min(len(part), len(view))] = part[: len(view)]
        if len(part) > len(view):
            self.parts.insert(0, part[len(view) :])
        return min(len(part), len(view))

    def abort(self):
        self.aborted.set()

    def close(self):
        self.closed = True


class Server:
    """A media server: for each path a list of answers, the last one for all further requests."""

    def __init__(self, **answers):
        self.answers = {}
        self.log = []
        self.headers = []
        self.changed = threading.Condition()
        self.replies = []
        for path, answer in answers.items():
            self.put(path, answer)

    def put(self, path, *answers):
        self.answers[path] = list(answers)

    def get(self, url, *, headers=None, byte_range=None, cancel=None):
        path = url.reveal().removeprefix(HOST + "/").partition("?")[0]
        answers = self.answers[path]
        one = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(one):
            one = one(byte_range)
        if isinstance(one, int):
            one = Reply(status=one)
        if isinstance(one, BaseException):
            raise one
        reply = one if isinstance(one, Reply) else Reply(one)
        reply.url = url
        with self.changed:
            self.log.append(path)
            self.headers.append(dict(headers or {}))
            self.replies.append(reply)
            self.changed.notify_all()
        return reply

    def wait_for(self, path):
        """Wait until a path was asked for."""
        with self.changed:
            assert self.changed.wait_for(lambda: path in self.log, WAIT)


def listing(*names, ended=True, first=0, seconds=4, lines=()):
    """Return a playlist of the given segments."""
    text = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", f"#EXT-X-MEDIA-SEQUENCE:{first}", *lines]
    for name in names:
        text += [f"#EXTINF:{seconds},", f"{name}?sign={TOKEN}"]
    return "\n".join([*text, *(["#EXT-X-ENDLIST"] if ended else [])]).encode()


def simple(count=4, **more):
    """Return a server with one recording of some segments."""
    names = [f"{n}.ts" for n in range(count)]
    server = Server(list=listing(*names))
    for n, name in enumerate(names):
        server.put(name, ts(n))
    for path, answers in more.items():
        server.put(path.replace("_", "."), *answers)
    return server


class Source:
    """Hands out addresses, and counts how often."""

    def __init__(self, *paths, headers=None):
        self.paths = list(paths or ["list"])
        self.calls = 0
        self.headers = headers or {}

    def __call__(self, cancel):
        self.calls += 1
        path = self.paths.pop(0) if len(self.paths) > 1 else self.paths[0]
        if isinstance(path, BaseException):
            raise path
        return PlaySource(url=Secret(f"{HOST}/{path}?sign={TOKEN}"), headers=self.headers)


def drain(stream, size=1000):
    """Read a stream to its end."""
    buffer, data = memoryview(bytearray(size)), bytearray()
    while got := stream.readinto(buffer):
        data += buffer[:got]
    return bytes(data)


def fetch(server, source=None, **options):
    """Return all bytes of a recording."""
    with _hls.open_hls(source or Source(), server, **{"policy": QUICK, **options}) as stream:
        return drain(stream)


def all_of(count):
    """Return what a recording of some segments holds."""
    return b"".join(map(ts, range(count)))


def shown(error):
    """Return all that a debugger would show of our own frames, and all words of the chain."""
    parts = []
    for one in chain(error):
        parts += [str(one), repr(one.args)]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE):
                parts += map(repr, frame.f_locals.values())
    return "\n".join(parts)


# -- The stream


def test_all_segments_in_order():
    """The bytes of all segments come once, in order; the end is an end."""
    with _hls.open_hls(Source(), simple(), policy=QUICK) as stream:
        assert ("mpeg-ts", 0, None) == (stream.container, stream.offset, stream.size)
        assert all_of(4) == drain(stream)
        assert 0 == stream.readinto(memoryview(bytearray(10)))
        assert "<HlsStream 4 segments>" == repr(stream)


def test_master_playlist():
    """Behind a playlist of playlists, the best one is followed, one level deep."""
    server = simple()
    server.put("master", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlist\n")

    assert all_of(4) == fetch(server, Source("master"))
    server.put("loop", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmaster\n")
    with pytest.raises(ProtocolError, match="playlists of playlists"):
        fetch(server, Source("loop"))


def test_empty_recording():
    """A playlist without footage is no footage, and not an empty recording."""
    with pytest.raises(ShortReadError, match="no footage at all"):
        fetch(simple(0))


def test_every_byte_is_counted():
    """Playlists, keys and segments cost alike, and so do tries in vain."""
    counted = []
    server = simple(1)
    server.put("0.ts", Reply(ts(0)[:200], declared=564), ts(0))
    fetch(server, count=counted.append)

    assert len(listing("0.ts")) + 200 + len(ts(0)) == sum(counted)


def test_headers_stay_with_their_host():
    """What the first address needs is not told to other hosts."""
    server = Server(list=listing("https://cdn.example.com/0.ts", "1.ts"))
    server.put("https://cdn.example.com/0.ts", ts(0))
    server.put("1.ts", ts(1))

    assert all_of(2) == fetch(server, Source(headers={"X-Token": Secret(TOKEN)}))
    assert [["X-Token"], [], ["X-Token"]] == [list(each) for each in server.headers]


def test_no_more_than_three_segments_are_held():
    """A slow reader costs no memory: the next segment waits until one is read."""
    server = simple(8)
    with _hls.open_hls(Source(), server, policy=QUICK) as stream:
        server.wait_for("2.ts")
        with stream._changed:
            assert stream._changed.wait_for(lambda: len(stream._ready) == 3, WAIT)
        for n in range(8):
            assert stream._held <= _hls.MOST_SPOOLS
            buffer = memoryview(bytearray(len(ts(n))))
            assert len(buffer) == stream.readinto(buffer)
            assert max(map(server.log.index, server.log)) <= n + 3
        assert 0 == stream.readinto(buffer)
    assert all(reply.closed for reply in server.replies)


def test_long_segments_go_to_a_file(monkeypatch):
    """Memory is bounded by what a segment may hold there."""
    monkeypatch.setattr(_spool, "IN_MEMORY", 1000)
    server = Server(**{"list": listing("0.ts"), "0.ts": ts(0, 4000)})

    assert ts(0, 4000) == fetch(server)


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EIO, DestinationError)]
)
def test_no_room_for_a_long_segment(monkeypatch, number, kind):
    """A full folder for temporary files is told as such."""

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(number, "the disk says no")

    monkeypatch.setattr(_spool.tempfile, "SpooledTemporaryFile", lambda _: Full())
    with pytest.raises(kind, match="the disk says no"):
        fetch(simple())


def test_absurdly_long_segment(monkeypatch):
    """A server cannot fill the disk with one segment."""
    monkeypatch.setattr(_spool, "LONGEST_SEGMENT", 1000)
    with pytest.raises(ProtocolError, match="longer than 1000 bytes"):
        fetch(simple(**{"1_ts": (ts(0, 20),)}))


def test_absurdly_long_playlist(monkeypatch):
    """Nor memory with a playlist."""
    endless = Reply(*[b"#" * 100_000] * 50, declared=None)
    with pytest.raises(ProtocolError, match="a document is longer"):
        fetch(Server(list=endless))


# -- What is no footage


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Reply(), ShortReadError, "is empty"),
        (Reply(ts(0)[:-1]), ShortReadError, "middle of a packet"),
        (Reply(ts(0), declared=9999), ShortReadError, "564 of 9999 bytes"),
        (Reply(b"<html>busy</html>"), ProtocolError, "a document came"),
        (Reply(b'  {"code": "TK1002"}'), ProtocolError, "a document came"),
        (Reply(ts(0) + b"\xff" * 188), ProtocolError, "something came"),
        (Reply(ts(0), status=204), ProtocolError, "makes no sense"),
        (408, DeviceBusyError, "busy"),
        (500, DeviceFaultError, "error of its own"),
        (UnreachableError("broken"), UnreachableError, "broken"),
        (Reply(UnreachableError("broken")), UnreachableError, "broken"),
    ],
)
def test_bad_segments(answer, kind, words):
    """What does not come as a whole stream is tried again, and then an error."""

    def bad(_):
        return Reply(*answer.parts, status=answer.status, declared=answer.declared)

    server = simple(**{"2_ts": (bad if isinstance(answer, Reply) else answer,)})
    with pytest.raises(kind, match=words) as caught:
        fetch(server)
    assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        lambda _: Reply(ts(2)[:300], UnreachableError("broken")),
        lambda _: Reply(ts(2)[:188], declared=564),
        lambda _: Reply(b"<html>"),
        503,
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_failed_segment_is_fetched_again(bad, times):
    """From its border: no half of it is handed out twice."""
    server = simple(**{"2_ts": ([bad] * times + [ts(2)])})

    assert all_of(4) == fetch(server)
    assert times + 1 == len(server.log) - 4


@pytest.mark.parametrize(
    ("text", "expected"), [("7", 7.0), ("soon", None), ("99999", None), (None, None)]
)
def test_a_wish_to_wait_is_passed_on(text, expected):
    """A server that is busy may say for how long."""
    reply = Reply(status=429, headers={"Retry-After": text} if text else {})
    with pytest.raises(DeviceBusyError) as caught:
        fetch(Server(list=reply), policy=RetryPolicy(attempts=1))
    assert expected == caught.value.retry_after


def real(seconds):
    """Return a real transport stream."""
    return segment("h264", 0, 0, seconds)


def cut(data):
    """Cut a transport stream in the middle, between two packets."""
    return data[: len(data) // 376 * 188]


def lasting(*answers):
    """Return a server with two segments of 4 s, the second with the given answers."""
    server = Server(list=listing("0.ts", "1.ts"))
    server.put("0.ts", real(4))
    server.put("1.ts", *answers)
    return server


def test_a_segment_that_is_cut_between_packets():
    """Only its time stamps tell; it is fetched again."""
    second = segment("h264", 0, 4, 4)

    assert real(4) + second == fetch(lasting(cut(second), second))


def test_a_segment_that_stays_shorter_than_announced(caplog):
    """When the next one goes on from there, the playlist is wrong: that costs two segments."""
    parts = [segment("h264", 0, 2 * n, 2) for n in range(4)]
    server = Server(list=listing(*(f"{n}.ts" for n in range(4))))
    for n, part in enumerate(parts):
        server.put(f"{n}.ts", part)

    assert b"".join(parts) == fetch(server, seconds=8.0)
    assert ["list", "0.ts", "0.ts", "1.ts", "1.ts", "2.ts", "3.ts"] == server.log
    assert ["segments are shorter than the playlist says"] == caplog.messages


def test_a_segment_that_stays_cut():
    """When the next one begins later, a part is missing."""
    server = lasting(cut(segment("h264", 0, 4, 4)))
    server.put("list", listing("0.ts", "1.ts", "2.ts"))
    server.put("2.ts", segment("h264", 0, 8, 4))

    with pytest.raises(ShortReadError, match="end of a segment is missing"):
        fetch(server)


def test_an_ended_playlist_is_compared_with_what_was_announced():
    """That it says it is complete proves nothing, unless nobody knows how long it will be."""
    with pytest.raises(ShortReadError, match=r"16\.0 of 24\.0 announced") as caught:
        fetch(simple(), seconds=24.0)
    assert (24.0, 16.0) == (caught.value.expected, caught.value.received)
    assert all_of(4) == fetch(simple(), seconds=24.0, in_progress=True)
    assert all_of(4) == fetch(simple(), seconds=17.5)


def test_a_last_segment_that_was_cut():
    """No next one tells: all that was announced must be there but for two seconds, not for 5 %."""
    server = simple(25, **{"24_ts": (head(CLOCK * 97) * 2,)})

    assert 24 * 564 + 2 * 188 == len(fetch(server, seconds=98.0))
    with pytest.raises(ShortReadError, match=r"96\.0 of 100\.0 announced"):
        fetch(server, seconds=100.0)
    assert all_of(24) == fetch(simple(24), seconds=100.0)


def test_a_segment_without_anything():
    """Nothing to see and nothing to hear is never right: the next one need not come first."""
    server = simple(**{"1_ts": (b"\x47\x1f\xff\x10".ljust(188, b"\xff") * 3,)})

    with pytest.raises(ShortReadError, match=r"0\.0 of 4\.0 s of a segment"):
        fetch(server)
    assert ["list", "0.ts", "1.ts", "1.ts", "1.ts"] == server.log


@pytest.mark.parametrize("restart", [[], ["#EXT-X-DISCONTINUITY"]])
def test_a_segment_that_comes_twice(restart):
    """Not even where time stamps may begin anew."""
    server = simple()
    names = ("0.ts", "1.ts", "0.ts")
    lines = [line for name in names for line in ("#EXTINF:4,", name)]
    server.put("list", listing(lines=[*lines[:4], *restart, *lines[4:]]))
    with pytest.raises(ShortReadError, match="twice"):
        fetch(server)


def test_fillers_may_be_alike():
    """A segment without a second of footage is told from no other."""
    server = simple()
    names = ("0.ts", "fill.ts", "fill.ts", "1.ts")
    lines = [line for name in names for line in (f"#EXTINF:{4 * (name[0] != 'f')},", name)]
    server.put("list", listing(lines=lines))
    server.put("fill.ts", b"\x47\x1f\xff\x10".ljust(188, b"\xff"))

    assert 1128 + 2 * 188 == len(fetch(server, seconds=8.0))


def test_names_beside_where_a_redirect_has_led():
    """Relative addresses belong to where the playlist came from."""
    server = simple()
    moved = Reply(listing("0.ts"))
    get = server.get

    def redirected(url, **options):
        reply = get(url, **options)
        if reply is moved:
            reply.url = Secret(f"{HOST}/cdn/list")
        return reply

    server.put("list", moved)
    server.put("cdn/0.ts", ts(0))
    server.get = redirected

    assert ts(0) == fetch(server)
    assert ["list", "cdn/0.ts"] == server.log


def test_a_limit_stops_before_the_request():
    """When nothing more may come, nothing more is asked for."""
    left = [len(listing("0.ts", "1.ts", "2.ts", "3.ts")) + 2 * len(ts(0))]

    def count(size):
        left[0] -= size

    def check():
        if left[0] <= 0:
            msg = "enough"
            raise BudgetExceededError(msg)
        return left[0]

    server = simple()
    with pytest.raises(BudgetExceededError, match="enough"):
        fetch(server, count=count, check=check)
    assert (0, ["list", "0.ts", "1.ts"]) == (left[0], server.log)


def test_no_more_is_read_than_may_come():
    """Each read is as long as there is room; the end needs none."""
    sizes = []

    class Watched(Reply):
        def readinto(self, view):
            sizes.append(len(view))
            return super().readinto(view)

    server = Server(list=listing("0.ts"))
    server.put("0.ts", Watched(ts(0), declared=None))
    rooms = iter([9999, 9999, 9999, 300, 264, 0])

    assert ts(0) == fetch(server, check=lambda: next(rooms))
    assert [300, 264, 1] == sizes[:3]


# -- Byte ranges


def ranged(span, *, status=206, text=None):
    """Answer with a part of a file of four segments."""
    whole = all_of(4)
    first, last = span
    headers = {"Content-Range": text or f"bytes {first}-{last}/{len(whole)}"}
    return Reply(whole[first : last + 1], status=status, headers=headers)


RANGES = [f"#EXTINF:4,\n#EXT-X-BYTERANGE:564@{564 * n}\nall.ts" for n in range(4)]


def test_byte_ranges():
    """One file in pieces is fetched piece by piece."""
    server = Server(list=listing(lines=RANGES))
    server.put("all.ts", ranged)

    assert all_of(4) == fetch(server)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda _: Reply(all_of(4)), DownloadUnsupportedError),
        (lambda span: ranged(span, text="bytes 5-9/99"), ProtocolError),
        (lambda span: Reply(ranged(span).parts[0], status=206), ProtocolError),
        (
            lambda span: ranged((span[0], span[1] - 188), text=f"bytes {span[0]}-{span[1]}"),
            ShortReadError,
        ),
    ],
)
def test_servers_that_do_not_do_ranges(answer, kind):
    """Neither the whole file nor another part of it is taken for the part."""
    server = Server(list=listing(lines=RANGES))
    server.put("all.ts", answer)
    with pytest.raises(kind):
        fetch(server)


# -- Encryption

KEY = bytes(range(16))


def sealed(data, iv, key=KEY):
    """Encrypt a segment."""
    padder = PKCS7(128).padder()
    padded = padder.update(data) + padder.finalize()
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return cipher.update(padded) + cipher.finalize()


def encrypted(*, iv=None, count=4, **more):
    """Return a server with an encrypted recording."""
    vector = f",IV=0x{iv.hex()}" if iv else ""
    line = f'#EXT-X-KEY:METHOD=AES-128,URI="key?sign={TOKEN}"{vector}'
    names = [f"{n}.ts" for n in range(count)]
    server = Server(list=listing(*names, first=5, lines=[line]), key=KEY)
    for n, name in enumerate(names):
        server.put(name, sealed(ts(n), iv or (5 + n).to_bytes(16, "big")))
    for path, answers in more.items():
        server.put(path.replace("_", "."), *answers)
    return server


@pytest.mark.parametrize("iv", [None, bytes(range(16, 32))])
def test_encrypted_segments(iv):
    """The vector is the segment's number unless it is given; the key is fetched once."""
    server = encrypted(iv=iv)

    assert all_of(4) == fetch(server)
    assert 1 == server.log.count("key")


def test_each_key_is_fetched_once():
    """Keys may change and come back."""
    lines = []
    for n in range(4):
        lines += [f'#EXT-X-KEY:METHOD=AES-128,URI="k{n % 2}"', "#EXTINF:4,", f"{n}.ts"]
    server = Server(list=listing(lines=lines), k0=KEY, k1=KEY[::-1])
    for n in range(4):
        server.put(f"{n}.ts", sealed(ts(n), n.to_bytes(16, "big"), KEY[:: 1 - 2 * (n % 2)]))

    assert all_of(4) == fetch(server)
    assert (1, 1) == (server.log.count("k0"), server.log.count("k1"))


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"key": [KEY[:10]]}, ProtocolError),
        ({"key": [KEY[::-1]]}, (ProtocolError, CorruptMediaError)),
        (
            {"1_ts": [lambda _: Reply(sealed(ts(1), (6).to_bytes(16, "big"))[:-16])]},
            (CorruptMediaError, ShortReadError),
        ),
        (
            {"1_ts": [lambda _: Reply(sealed(ts(1), (6).to_bytes(16, "big"))[:-3])]},
            CorruptMediaError,
        ),
    ],
)
def test_bad_encryption(more, kind):
    """A wrong key, a cut segment and a wrong padding are noticed, and nothing plain is shown."""
    with pytest.raises(kind) as caught:
        fetch(encrypted(**more))
    assert TOKEN not in shown(caught.value)
    assert KEY.hex() not in shown(caught.value)


def test_a_wrong_key_is_named_as_a_reason():
    """A user who reads that something else came would look in the wrong place."""
    with pytest.raises(ProtocolError, match="decrypted with its key, is no MPEG"):
        fetch(encrypted(**{"1_ts": [sealed(b"\xff" * 1000, (6).to_bytes(16, "big"))]}))


def test_a_second_try_for_the_key():
    """A key that does not come whole is fetched again."""
    assert all_of(4) == fetch(encrypted(key=[KEY[:10], KEY]))


@given(
    data=st.binary(max_size=200),
    key=st.binary(min_size=16, max_size=16),
    iv=st.binary(min_size=16, max_size=16),
    cuts=st.lists(st.integers(0, 216), max_size=5),
)
def test_decryption_in_pieces(data, key, iv, cuts):
    """However the bytes are cut, the plain ones come out, without the padding."""
    secret = sealed(data, iv, key)
    borders = [0, *sorted(min(cut, len(secret)) for cut in cuts), len(secret)]
    cipher = _aes.Decryptor(Secret(key.hex()), iv)
    plain = b"".join(cipher.update(memoryview(secret[a:b])) for a, b in itertools.pairwise(borders))

    assert data == plain + cipher.finish()


# -- Addresses that expire


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("where", ["list", "0_ts", "2_ts", "key"])
def test_one_new_address(status, where):
    """An address that has expired is renewed once, and the rest goes on where it was."""
    server = encrypted()
    path = where.replace("_", ".")
    server.put(path, status, *server.answers[path])
    source = Source()

    assert all_of(4) == fetch(server, source)
    assert 2 == source.calls
    assert 1 == server.log.count("3.ts")


@pytest.mark.parametrize(
    ("status", "kind"), [(403, PermissionDeniedError), (404, RecordingNotFoundError)]
)
@pytest.mark.parametrize("where", ["list", "0_ts", "2_ts"])
def test_never_two_new_addresses_without_progress(status, kind, where):
    """A refusal that stays is told as such."""
    source = Source()
    with pytest.raises(kind, match="also under a new address") as caught:
        fetch(simple(**{where: (status,)}) if where != "list" else Server(list=status), source)
    assert 2 == source.calls
    assert status == caught.value.http_status
    assert TOKEN not in shown(caught.value)


def test_as_many_new_addresses_as_there_is_progress():
    """An address that lives for one segment is slow, and still fine."""
    server = simple()
    for n in range(1, 4):
        server.put(f"{n}.ts", 403, ts(n))
    source = Source()

    assert all_of(4) == fetch(server, source)
    assert 4 == source.calls


def renewed(new, **more):
    """Return a server whose address expires before segment 2, and what it shows then."""
    server = simple(**{"2_ts": (403, ts(2)), **more})
    server.put("new", new)
    return server


def test_new_names_under_a_new_address():
    """Names may be made anew, as long as numbers and lengths are those of before."""
    server = renewed(listing("a.ts", "b.ts", "c.ts", "d.ts"), c_ts=(ts(2),), d_ts=(ts(3),))

    assert all_of(4) == fetch(server, Source("list", "new"))


@pytest.mark.parametrize(
    "new",
    [
        listing("0.ts", "1.ts", "2.ts", "3.ts", seconds=5),
        listing("0.ts", "1.ts", "2.ts"),
        listing("9.ts", "0.ts", "1.ts", "2.ts"),
        listing("2.ts", "3.ts", first=2),
        listing("3.ts", first=3),
    ],
)
def test_a_place_that_cannot_be_proven(new):
    """When the new playlist may be another one, it is not taken for the same."""
    with pytest.raises(ShortReadError):
        fetch(renewed(new), Source("list", "new"))


def test_before_the_first_segment_any_playlist_is_right():
    """Nothing was handed out yet, so that nothing has to fit."""
    server = simple(**{"0_ts": (403, ts(0))})
    server.put("new", listing("2.ts", "3.ts", first=40))

    assert ts(2) + ts(3) == fetch(server, Source("list", "new"))


def test_errors_of_the_cloud_are_passed_on():
    """What the request for an address says, the stream says."""
    with pytest.raises(BudgetExceededError, match="enough"):
        fetch(simple(), Source(BudgetExceededError("enough")))
    with pytest.raises(BudgetExceededError, match="enough"):
        fetch(simple(**{"2_ts": (403,)}), Source("list", BudgetExceededError("enough")))


def test_a_budget_can_stop_it():
    """What the counter raises, the reader hears."""
    left = [1000]

    def count(size):
        left[0] -= size
        if left[0] < 0:
            msg = "enough"
            raise BudgetExceededError(msg)

    with pytest.raises(BudgetExceededError, match="enough"):
        fetch(simple(), count=count)


TROUBLE = {
    "busy": 503,
    "broken": lambda n: Reply(ts(n)[:300], UnreachableError("broken")),
    "short": lambda n: Reply(ts(n)[:188], declared=564),
    "html": lambda _: Reply(b"<html>"),
    "empty": lambda _: Reply(),
}


@given(
    troubles=st.lists(
        st.tuples(
            st.lists(st.sampled_from(sorted(TROUBLE)), max_size=2),
            st.booleans(),
            st.lists(st.sampled_from(sorted(TROUBLE)), max_size=2),
        ),
        min_size=1,
        max_size=6,
    ),
    master=st.booleans(),
)
def test_whatever_passes_leaves_no_trace(troubles, master):
    """Any mixture of faults that pass and addresses that expire gives each segment once."""
    count = len(troubles)
    server = simple(count)
    server.put("master", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlist\n")
    for n, (before, expires, behind) in enumerate(troubles):
        names = [*before, *(["expired"] if expires else [])] + (behind if expires else [])
        kinds = [403 if name == "expired" else TROUBLE[name] for name in names]
        answers = [
            kind if isinstance(kind, int) else partial(lambda k, n, _: k(n), kind, n)
            for kind in kinds
        ]
        server.put(f"{n}.ts", *answers, ts(n))
    source = Source("master" if master else "list")

    assert all_of(count) == fetch(server, source)
    assert 1 + sum(expires for _, expires, _ in troubles) == source.calls


# -- Going on where an earlier stream has ended


def broken(count=4, at=2, **options):
    """Read a stream until it breaks; return the bytes and the bookmark."""
    server = simple(count, **{f"{at}_ts": (UnreachableError("broken"),)})
    data = bytearray()
    with _hls.open_hls(Source(), server, policy=RetryPolicy(attempts=1)) as stream:
        buffer = memoryview(bytearray(500))
        with contextlib.suppress(UnreachableError):
            while got := stream.readinto(buffer):
                data += buffer[:got]
        return bytes(data), stream.bookmark


def test_resume_at_a_border():
    """A later stream goes on behind the last whole segment."""
    data, place = broken()
    server = simple()
    with _hls.open_hls(Source(), server, policy=QUICK, resume=place) as stream:
        assert (len(data), 8.0) == (stream.offset, place.seconds)
        assert all_of(4) == data + drain(stream)
    assert "0.ts" not in server.log


@pytest.mark.parametrize(
    "other",
    [
        listing("a.ts", "b.ts", "c.ts"),
        listing("0.ts", "1.ts", "2.ts", "3.ts", seconds=3),
        listing("0.ts"),
    ],
)
def test_resume_is_not_possible(other):
    """When the playlist is another one, the stream begins at the begin, and says so."""
    _, place = broken()
    with _hls.open_hls(Source(), Server(list=other, **{"0.ts": ts(0), "a.ts": ts(0)})) as stream:
        assert 0 == stream.offset
    server = Server(list=other)
    for name in ("0.ts", "1.ts", "2.ts", "3.ts", "a.ts", "b.ts", "c.ts"):
        server.put(name, ts(0))
    with _hls.open_hls(Source(), server, resume=place) as stream:
        assert (0, 0) == (stream.offset, stream.bookmark.segments)


@pytest.mark.parametrize(("skip", "left"), [(0, 4), (2, 2), (4, 0), (5, 4)])
def test_segments_can_be_left_out(skip, left):
    """The caller may know how many it has; more than there are is a mistake."""
    assert all_of(4)[-564 * left :] * bool(left) == fetch(simple(), offset_segments=skip)


# -- Recordings that grow


@pytest.fixture
def pauses(monkeypatch):
    """Waiting takes no time, and is noted."""
    seen = []

    def pause(seconds, cancel):
        seen.append(seconds)

    monkeypatch.setattr(_feed, "pause", pause)
    return seen


def growing(*lists):
    """Return a server with a playlist that changes with each look."""
    server = simple(8)
    server.put("list", *lists)
    return server


def test_a_growing_playlist(pauses):
    """It is read again until it says that it has ended."""
    server = growing(
        listing(ended=False),
        listing("0.ts", ended=False),
        listing("0.ts", "1.ts", ended=False),
        listing("0.ts", "1.ts", ended=False),
        listing("1.ts", "2.ts", "3.ts", first=1),
    )

    assert all_of(4) == fetch(server)
    assert [4.0] * 4 == pauses


def test_a_growing_playlist_that_expires(pauses):
    """A new address leads to the same place, also while nothing new is there."""
    server = growing(
        listing("0.ts", ended=False),
        403,
        listing("0.ts", "1.ts", ended=False),
        403,
        listing("0.ts", "1.ts"),
    )
    source = Source()

    assert all_of(2) == fetch(server, source)
    assert 3 == source.calls


@pytest.mark.parametrize(("seconds", "expected"), [(8, 2), (7.5, 2), (9, 2)])
def test_the_announced_end_is_an_end(pauses, seconds, expected):
    """A playlist that never says that it is complete is so when everything announced is there."""
    server = growing(listing("0.ts", "1.ts", ended=False))

    assert all_of(expected) == fetch(server, seconds=seconds)
    assert (5 if seconds > 8 else 0) == len(pauses)


@pytest.mark.parametrize("seconds", [None, 20])
def test_a_recording_that_stops_growing(pauses, seconds):
    """What never comes is an error, not a shorter recording."""
    with pytest.raises(ShortReadError, match="stopped growing"):
        fetch(growing(listing("0.ts", ended=False)), seconds=seconds)
    assert 5 == len(pauses)


def test_a_window_that_slides_past(pauses):
    """Segments that were dropped before they were fetched are missing."""
    with pytest.raises(ShortReadError, match="has dropped a part"):
        fetch(growing(listing("0.ts", ended=False), listing("2.ts", "3.ts", first=2)))


def test_a_playlist_without_end(pauses, monkeypatch):
    """A playlist cannot grow for ever."""
    monkeypatch.setattr(_feed, "MOST_SEGMENTS", 2)
    names = [f"{n}.ts" for n in range(6)]
    lists = [listing(*names[: n + 1], ended=False) for n in range(5)]
    with pytest.raises(ProtocolError, match="grows without end"):
        fetch(growing(*lists))


# -- Stopping


def test_abort_wakes_a_blocked_read():
    """From any thread, and at once."""
    server = simple(**{"1_ts": (Reply("silence"),)})
    with _hls.open_hls(Source(), server) as stream:
        buffer = memoryview(bytearray(1000))
        assert 564 == stream.readinto(buffer)
        server.wait_for("1.ts")
        reply = server.replies[-1]
        assert reply.waiting.wait(WAIT)
        threading.Thread(target=stream.abort).start()
        with pytest.raises(CancelledError, match="broken off"):
            stream.readinto(buffer)
        stream.abort()
    assert reply.closed
    assert not stream._thread.is_alive()


def test_cancel_while_the_server_is_silent():
    """The caller's wish is looked at while nothing comes."""
    stop = threading.Event()
    server = simple(**{"1_ts": (Reply("silence"),)})
    with _hls.open_hls(Source(), server, cancel=stop) as stream:
        buffer = memoryview(bytearray(1000))
        assert 564 == stream.readinto(buffer)
        server.wait_for("1.ts")
        stop.set()
        with pytest.raises(CancelledError, match="by the caller"):
            stream.readinto(buffer)


def test_cancel_while_the_playlist_does_not_come():
    """It is looked at before there is a stream, too."""
    stop = threading.Event()
    silent = Reply("silence")
    threading.Thread(target=lambda: silent.waiting.wait(WAIT) and stop.set()).start()
    with pytest.raises(CancelledError), _hls.open_hls(Source(), Server(list=silent), cancel=stop):
        pytest.fail("there is no stream")


def test_stopping_before_an_answer_is_there():
    """An answer that comes after the wish to stop is broken off at once."""
    stop = _segments.Stop(None)
    reply = Reply()
    stop.set()
    with stop.watching(reply):
        assert reply.aborted.is_set()
    with pytest.raises(CancelledError):
        stop.check()


def test_a_stream_may_be_left_early():
    """What was fetched ahead is forgotten, and what comes late, too."""
    server = simple(8)
    with _hls.open_hls(Source(), server) as stream:
        server.wait_for("2.ts")
    spool = _spool.Spool()
    stream._hand_over(None, spool)

    assert (0, True) == (len(stream._ready), spool._file.closed)
    assert not stream._thread.is_alive()
    assert "7.ts" not in server.log
