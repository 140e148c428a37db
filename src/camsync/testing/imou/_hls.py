"""The media side: playlists, segments and keys over HTTP."""

from __future__ import annotations

import datetime as dt
import random
import re
import threading

from collections.abc import Iterator
from typing import Final

from ..recorder._replies import Delivery, Reply, Request, html_reply
from ._cloud import Clock
from ._faults import STYLES, ImouFaults
from ._footage import Footage
from ._playback import ELSEWHERE, FOLDER, Playback
from ._ts import PACKET


PREFIX: Final = "/hls/"
_PATH: Final = re.compile(
    r"/hls/(?P<id>[0-9a-f]{24})/(?P<folder>inside/)?(?:(?P<list>master|media|low)\.m3u8"
    r"|(?P<low>low-)?(?:(?P<number>\d{1,6})|(?P<all>all))\.ts|key-(?P<key>\d{1,6}))",
    re.ASCII,
)
_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?", re.ASCII)
_PLAYLIST: Final = "application/vnd.apple.mpegurl"
_BOMB: Final = 2**26
_KEPT: Final = 1_000
_NULL_PACKET: Final = b"\x47\x1f\xff\x10".ljust(PACKET, b"\xff")
_NULLS: Final = 200


class Playbacks:
    """All playbacks that were asked for, and the answers to requests below ``/hls/``."""

    prefix = PREFIX

    def __init__(
        self, clock: Clock, faults: ImouFaults, *, seconds: float, longest: int, seed: int
    ) -> None:
        self.base_url = ""
        self._clock = clock
        self._faults = faults
        self._life = dt.timedelta(seconds=seconds)
        self._longest = longest
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._open: dict[str, Playback] = {}

    def create(self, footage: Footage) -> Playback:
        """Prepare a playback; the styles that are on decide how it is offered."""
        styles = frozenset(name for name in STYLES if self._faults.take(name))
        now = self._clock()
        with self._lock:
            number = f"{self._random.getrandbits(96):024x}"
            playback = Playback.of(
                footage,
                number=number,
                styles=styles,
                longest=self._longest,
                expires=now if self._faults.take("url-expired") else now + self._life,
                base_url=self.base_url,
            )
            self._open[number] = playback
            while len(self._open) > _KEPT:
                del self._open[next(iter(self._open))]
        return playback

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        match = _PATH.fullmatch(request.path)
        playback = self._open.get(match["id"]) if match else None
        if request.method != "GET":
            return _refused(405, "Method Not Allowed")
        if match is None or playback is None:
            return _refused(404, "Not Found")
        if request.query.get("sign") != playback.sign or not playback.open(self._clock()):
            return _refused(403, "Forbidden")
        if "hls-folder" in playback.styles and not match["folder"]:
            return _into_folder(playback, match["list"])
        return self._part(playback, match, request)

    def _part(self, playback: Playback, match: re.Match[str], request: Request) -> Reply:
        if match["list"]:
            return self._playlist(playback, match["list"], request)
        if match["key"]:
            return self._key(playback, int(match["key"]))
        return self._segment(playback, match["number"], request)

    # -- Playlists --------------------------------------------------------------------------------

    def _playlist(self, playback: Playback, name: str, request: Request) -> Reply:
        early = self._trouble(request, "playlist", "playlist-403", "playlist-404", "playlist-html")
        if early is not None:
            return early
        reload = playback.ask(name)
        if reload > 1 and "hls-one-shot" in playback.styles:
            return _refused(403, "Forbidden")
        if self._faults.take("playlist-bomb"):
            return Reply(content_type=_PLAYLIST, delivery=Delivery(chunks=_bomb(), announced=_BOMB))
        return Reply(body=self._text(playback, name, reload).encode(), content_type=_PLAYLIST)

    def _text(self, playback: Playback, name: str, reload: int) -> str:
        if self._faults.take("playlist-loop"):
            return playback.loop()
        if name == "master":
            return playback.master()
        empty = self._faults.take("playlist-empty")
        return playback.media("low-" if name == "low" else "", reload, empty=empty)

    # -- Keys -------------------------------------------------------------------------------------

    def _key(self, playback: Playback, number: int) -> Reply:
        fault = self._faults.first("key-403", "key-500", "key-short", "key-wrong")
        if fault in ("key-403", "key-500"):
            return _failed(fault)
        key = playback.key(number)
        key = {"key-short": key[:10], "key-wrong": key[::-1]}.get(fault or "", key)
        return Reply(body=key, content_type="application/octet-stream")

    # -- Segments ---------------------------------------------------------------------------------

    def _segment(self, playback: Playback, number: str | None, request: Request) -> Reply:
        early = self._trouble(
            request, "segment", "segment-403", "segment-404", "segment-500", "segment-html"
        )
        if early is not None:
            return early
        if number is not None:
            if int(number) >= len(playback.pieces):
                return _refused(404, "Not Found")
            playback.serve()
            return self._sent(self._spoilt(playback.segment(int(number))), 200, ())
        return self._range(playback, request)

    def _spoilt(self, data: bytes) -> bytes:
        """Return what is left of a segment that is still a transport stream."""
        fault = self._faults.first("segment-cut", "segment-blank")
        if fault == "segment-cut":
            return data[: len(data) // PACKET // 4 * PACKET]
        return _NULL_PACKET * _NULLS if fault == "segment-blank" else data

    def _range(self, playback: Playback, request: Request) -> Reply:
        match = _RANGE.fullmatch(request.headers.get("range", ""))
        size = playback.size
        if match is None or self._faults.take("segment-ignores-range"):
            playback.serve()
            return self._sent(playback.file(0, size), 200, ())
        begin, end = int(match[1]), min(int(match[2] or size - 1), size - 1)
        if begin > end:
            return Reply(status=416, headers=(("Content-Range", f"bytes */{size}"),))
        playback.serve()
        headers = (("Content-Range", f"bytes {begin}-{end}/{size}"),)
        return self._sent(playback.file(begin, end + 1), 206, headers)

    def _sent(self, data: bytes, status: int, headers: tuple[tuple[str, str], ...]) -> Reply:
        faults, size = self._faults, len(data)
        kind = "text/html" if faults.take("segment-type") else "video/mp2t"
        course = faults.first(
            "segment-hangs", "segment-truncated", "segment-short", "segment-without-length"
        )
        limit, announced, ending = {
            None: (None, size, "keep"),
            "segment-hangs": (size // 2, size, "hang"),
            "segment-truncated": (size // 2, size, "close"),
            "segment-short": (size // 2, size // 2, "keep"),
            "segment-without-length": (None, None, "close"),
        }[course]
        delivery = Delivery(
            chunks=(data,),
            announced=announced,
            limit=limit,
            ending=ending,
            drip=faults.take("segment-slow"),
        )
        return Reply(status=status, content_type=kind, headers=headers, delivery=delivery)

    def _trouble(self, request: Request, kind: str, *names: str) -> Reply | None:
        """Return the reply of a fault that comes before everything else, if one is on."""
        moves = [f"{kind}-moved"]
        if "moved" not in request.query:  # else it would never arrive
            moves.append(f"{kind}-redirect")
        fault = self._faults.first(*moves, *names)
        if fault is None:
            return None
        if fault.endswith("-html"):
            return html_reply(200, "OK", "this is a web page")
        if fault not in moves:
            return _failed(fault)
        away = f"{ELSEWHERE}{request.target}"
        target = away if fault.endswith("-moved") else f"{request.target}&moved=1"
        return Reply(status=302, content_type="text/html", headers=(("Location", target),))


def _into_folder(playback: Playback, name: str | None) -> Reply:
    """Return the way to a playlist in the folder; nothing else is outside of it."""
    if name is None:
        return _refused(404, "Not Found")
    target = f"/hls/{playback.id}/{FOLDER}{name}.m3u8?sign={playback.sign}"
    return Reply(status=302, content_type="text/html", headers=(("Location", target),))


def _failed(fault: str) -> Reply:
    """Return the status that a fault ends with."""
    return _refused(int(fault[-3:]), "Failed")


def _refused(status: int, words: str) -> Reply:
    return html_reply(status, words, "no")


def _bomb() -> Iterator[bytes]:
    yield b"#EXTM3U\n"
    line = b"#".ljust(2**16 - 1, b"x") + b"\n"
    left = _BOMB - 8
    while left:
        yield line[-min(left, len(line)) :]
        left -= min(left, len(line))
