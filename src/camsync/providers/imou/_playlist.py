"""HLS playlists: from a server's text to segments that may be fetched. The only user of m3u8.

A playlist comes from outside and says where to go next, so it is bounded before it is parsed, only
the tags that are needed reach the parser, and every address in it is checked. Addresses are
signed: they live in `Secret`, and no error keeps a frame in which one lies open.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
import re
import statistics

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import attrs
import m3u8

from ..._secret import Secret
from ...errors import (
    CamsyncError,
    DownloadUnsupportedError,
    ProtocolError,
    ShortReadError,
)
from ...transport import is_loopback, read_url
from ...transport._address import Address, is_public


_logger = logging.getLogger("camsync.imou")

Allowed = Callable[[str], bool]

LONGEST = 4 * 1024 * 1024
"""Bytes of a playlist."""

MOST_SEGMENTS = 50_000
_MOST_NUMBER = 1 << 63
_LONGEST_LINE = 8192
_LONGEST_SEGMENT = 24 * 3600
_SAME_LENGTH = 0.01
_VIDEO = ("avc1", "avc3", "hvc1", "hev1", "mp4v", "dvh1", "dvhe")
_AT_HOME = {"home", "internal", "intranet", "lan", "local", "localdomain", "localhost", "private"}
"""Top-level domains that name nothing in the internet: of standards, and of common routers."""

_TAGS = {
    "#EXTM3U",
    "#EXTINF",
    "#EXT-X-BYTERANGE",
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-ENDLIST",
    "#EXT-X-GAP",
    "#EXT-X-KEY",
    "#EXT-X-MAP",
    "#EXT-X-MEDIA",
    "#EXT-X-MEDIA-SEQUENCE",
    "#EXT-X-STREAM-INF",
}
_UNSUPPORTED = {
    "#EXT-X-DEFINE": "variables in its addresses",
    "#EXT-X-I-FRAMES-ONLY": "single pictures only",
    "#EXT-X-SKIP": "a part of the list left out",
}
_TARGET = "#EXT-X-TARGETDURATION"
_DEFAULT_TARGET = 5.0
_METHOD = re.compile(r"[A-Z][A-Z0-9-]{0,19}", re.ASCII)
_RANGE = re.compile(r"\s*(\d{1,15})(?:@(\d{1,15}))?\s*", re.ASCII)
_IV = re.compile(r"0[xX]([0-9A-Fa-f]{1,32})", re.ASCII)


@attrs.frozen(kw_only=True)
class Key:
    """How a segment is encrypted with AES-128.

    Attributes:
        iv: The initialisation vector; None for the segment's number.
    """

    uri: Secret
    iv: bytes | None = None


@attrs.frozen(kw_only=True)
class Segment:
    """A piece of a recording.

    Attributes:
        number: Its media sequence number.
        name: A digest of its file name, without what is signed.
        span: First and last byte of it in the file behind *uri*; None for all of it.
        restarts: Whether its time stamps need not go on from those of the one before.
    """

    number: int
    uri: Secret
    seconds: float
    name: str
    span: tuple[int, int] | None = None
    key: Key | None = None
    restarts: bool = False

    def is_like(self, other: Segment) -> bool:
        """Whether length and place in the file do not speak against both being the same."""
        return abs(self.seconds - other.seconds) <= _SAME_LENGTH and self.span == other.span


@attrs.frozen(kw_only=True)
class Master:
    """A playlist of playlists: the best of them that holds video."""

    best: Secret
    bandwidth: int


@attrs.frozen(kw_only=True)
class Playlist:
    """A playlist of segments.

    Attributes:
        first: The number of the first segment, also when there is none yet.
        ended: Whether no more segments will come.
        target: Seconds after which a growing playlist is worth another look.
        usual: Seconds that a segment has, by the playlist: the median.
    """

    first: int
    segments: tuple[Segment, ...]
    ended: bool
    target: float
    usual: float = 0.0

    @property
    def next(self) -> int:
        """The number that the segment behind the last one has."""
        return self.first + len(self.segments)

    def get(self, number: int) -> Segment | None:
        """Return a segment by its number, if it is here."""
        index = number - self.first
        return self.segments[index] if 0 <= index < len(self.segments) else None

    def continues(self, old: Playlist) -> bool:
        """Whether nothing speaks against this being *old*, seen later or under a new address."""
        if self.ended and (self.next < old.next or (old.ended and self.next != old.next)):
            return False
        places: dict[str, set[int]] = {}
        for segment in self.segments:
            places.setdefault(segment.name, set()).add(segment.number)
        return all(self._agrees(segment, places.get(segment.name)) for segment in old.segments)

    def _agrees(self, old: Segment, places: set[int] | None) -> bool:
        """Compare one segment; names that are new with every address say nothing."""
        twin = self.get(old.number)
        if places is not None and old.number not in places:
            return False
        return twin is None or twin.is_like(old)


def read_playlist(
    body: io.BytesIO, base: Secret, allowed: Allowed | None = None
) -> Master | Playlist:
    """Read a playlist.

    Args:
        body: The text. (A plain string would show in a traceback.)
        base: The playlist's own address.
        allowed: Whether media may come from a host; None for every public one.

    Raises:
        ProtocolError: It is no playlist, it is too long, or it names an address that may not be
            asked.
        DownloadUnsupportedError: It needs what camsync does not do; the message says what.
        ShortReadError: It says that a part of the recording is missing.
    """
    failure: CamsyncError
    try:
        return _read(body, base, allowed)
    except CamsyncError as error:
        failure = error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        failure = ProtocolError(f"the playlist cannot be read ({type(error).__name__})")
    # Raised here, without its past: that holds the text in its frames and quotes its lines.
    failure.__cause__ = failure.__context__ = None
    raise failure.with_traceback(None)


def _read(body: io.BytesIO, base: Secret, allowed: Allowed | None) -> Master | Playlist:
    text = body.getvalue().decode("utf-8-sig")
    named = _check_bounds(text)
    found = m3u8.parse(text, custom_tags_parser=_only_known)
    if len(found["segments"]) + len(found["playlists"]) != named:
        msg = "the playlist names addresses that belong to nothing"
        raise ProtocolError(msg)
    place = _Place(base, allowed)
    if found["is_variant"]:
        return _master(found, place)
    return _media(found, place)


def _check_bounds(text: str) -> int:
    """Check what costs time and memory; return the number of addresses."""
    if not text.startswith("#EXTM3U"):
        document = text.lstrip()[:1] in {"<", "{"}
        msg = f"a {'document' if document else 'text'} came that is no playlist"
        raise ProtocolError(msg, next_step="try again; run 'camsync doctor' if it stays")
    lines = text.splitlines()
    named = sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if len(text) > LONGEST or named > MOST_SEGMENTS or max(map(len, lines)) > _LONGEST_LINE:
        msg = f"the playlist is too long: {len(text)} characters, {named} segments"
        raise ProtocolError(msg)
    return named


def _only_known(line: str, lineno: int, data: dict[str, Any], state: dict[str, Any]) -> bool:
    """Keep from the parser what is not needed: vendors write odd dates, for one thing."""
    # It keeps each key that it meets to compare it with every later one, for nothing that is needed
    # here: with many keys that takes hours.
    data["keys"].clear()
    tag, _, value = line.partition(":")
    if tag in _UNSUPPORTED:
        msg = f"the playlist has {_UNSUPPORTED[tag]}, which camsync cannot read"
        raise DownloadUnsupportedError(msg)
    if tag == _TARGET:
        data["targetduration"] = float(value)
    return tag not in _TAGS


# -- Addresses -----------------------------------------------------------------------------------


class _Place:
    """Where a playlist lies, and where it may point to."""

    def __init__(self, base: Secret, allowed: Allowed | None) -> None:
        self._base = base
        self._home = read_url(base).address
        self._allowed = allowed

    def join(self, uri: str) -> Secret:
        """Return the whole address behind *uri*, if it may be fetched."""
        try:
            whole = Secret(urljoin(self._base.reveal(), uri))
            address = read_url(whole).address
        except ValueError:  # our ConfigurationError is one
            msg = "the playlist names an address that is no https address"
            raise ProtocolError(msg) from None
        if not self._may_ask(address):
            msg = f"the playlist names {address}, which camsync does not ask for media"
            raise ProtocolError(msg, next_step="nothing was sent there; report it")
        return whole

    def _may_ask(self, address: Address) -> bool:
        """Name servers can lie, too: `Web` looks at the peer again when it is connected."""
        if address == self._home:
            return True
        if is_loopback(self._home.host):
            return address.secure or is_loopback(address.host)
        fits = self._allowed is None or self._allowed(address.host)
        return address.secure and fits and _may_be_public(address.host)


def _may_be_public(host: str) -> bool:
    name = host.rstrip(".").lower()
    last = name.rpartition(".")[2]
    if ":" not in host and not re.fullmatch(r"\d+|0x[0-9a-f]*", last, re.ASCII):
        # One word without a dot (``router``) is a name that only the network at home knows.
        return last not in _AT_HOME and not name.endswith(".home.arpa") and "." in name
    return is_public(host)


def _name(uri: Secret) -> str:
    path = urlsplit(uri.reveal()).path
    return hashlib.sha256(path.rpartition("/")[2].encode()).hexdigest()[:16]


# -- Playlists of playlists ----------------------------------------------------------------------


def _master(found: Mapping[str, Any], place: _Place) -> Master:
    if found["segments"]:
        msg = "the playlist is of both kinds at once"
        raise ProtocolError(msg)
    videos = [one for one in found["playlists"] if _is_video(one["stream_info"])]
    if not videos:
        msg = "the service offers no video, only sound"
        raise DownloadUnsupportedError(msg)
    best = max(videos, key=_bandwidth)
    if any(one.get("type") == "AUDIO" and one.get("uri") for one in found["media"]):
        _logger.warning("the service offers the sound apart from the video: it is left out")
    return Master(best=place.join(best["uri"]), bandwidth=_bandwidth(best))


def _bandwidth(one: Mapping[str, Any]) -> int:
    return int(one["stream_info"].get("bandwidth", 0))


def _is_video(info: Mapping[str, Any]) -> bool:
    codecs = str(info.get("codecs", ""))
    return bool(not codecs or info.get("resolution") or any(each in codecs for each in _VIDEO))


# -- Playlists of segments -----------------------------------------------------------------------


def _media(found: Mapping[str, Any], place: _Place) -> Playlist:
    first = int(found["media_sequence"])
    if not 0 <= first < _MOST_NUMBER:  # a number is the IV of its segment, which has 16 bytes
        msg = "the playlist counts its segments from a number that makes no sense"
        raise ProtocolError(msg)
    segments = tuple(_segments(found["segments"], first, place))
    longest = max((segment.seconds for segment in segments), default=_DEFAULT_TARGET)
    target = float(found.get("targetduration", longest))
    return Playlist(
        first=first,
        segments=segments,
        ended=bool(found["is_endlist"]),
        target=target if math.isfinite(target) else _DEFAULT_TARGET,
        usual=statistics.median(one.seconds for one in segments) if segments else 0.0,
    )


def _segments(raw: list[Mapping[str, Any]], first: int, place: _Place) -> Iterator[Segment]:
    keys: dict[tuple[tuple[str, str], ...], Key | None] = {}
    before: tuple[str, int] = ("", 0)
    for number, one in enumerate(raw, first):
        _check_kind(one)
        uri, seconds = str(one["uri"]), float(one["duration"])
        if not 0 <= seconds <= _LONGEST_SEGMENT:
            msg = f"the playlist says that segment {number} lasts {seconds} s"
            raise ProtocolError(msg)
        span = _span(one.get("byterange"), before[1] if before[0] == uri else None)
        before = (uri, span[1] + 1 if span else 0)
        wanted = tuple(sorted(one.get("key", {}).items()))
        if wanted not in keys:
            keys[wanted] = _key(dict(wanted), place)
        whole = place.join(uri)
        yield Segment(
            number=number,
            uri=whole,
            seconds=seconds,
            name=_name(whole),
            span=span,
            key=keys[wanted],
            restarts=bool(one.get("discontinuity")),
        )


def _check_kind(one: Mapping[str, Any]) -> None:
    if one.get("gap_tag"):
        msg = "the service says that it has lost a part of the recording"
        raise ShortReadError(msg)
    if one.get("init_section"):
        msg = "the service sends fragmented MP4, which camsync does not put together yet"
        raise DownloadUnsupportedError(msg)


def _span(text: str | None, follows: int | None) -> tuple[int, int] | None:
    """Read a byte range; without a begin, it follows the one before in the same file."""
    if text is None:
        return None
    found = _RANGE.fullmatch(text)
    length = int(found.group(1)) if found else 0
    begin = int(found.group(2)) if found and found.group(2) else follows
    if not length or begin is None:
        msg = "the playlist holds a byte range that makes no sense"
        raise ProtocolError(msg)
    return begin, begin + length - 1


def _key(wanted: Mapping[str, str], place: _Place) -> Key | None:
    method = wanted.get("method", "NONE")
    if method == "NONE":
        return None
    if method != "AES-128" or wanted.get("keyformat", "identity") != "identity":
        # A broken line has anything in the method's place, a key's address with its token too.
        named = f" ({method})" if _METHOD.fullmatch(method) else ""
        msg = f"the footage is encrypted in a way that camsync cannot undo{named}"
        step = "switch off the encryption of the camera's video in the vendor's app"
        raise DownloadUnsupportedError(msg, next_step=step)
    iv = wanted.get("iv")
    found = _IV.fullmatch(iv) if iv is not None else None
    if iv is not None and found is None:
        msg = "the playlist holds an initialisation vector that makes no sense"
        raise ProtocolError(msg)
    return Key(
        uri=place.join(wanted["uri"]),
        iv=bytes.fromhex(found.group(1).zfill(32)) if found else None,
    )
