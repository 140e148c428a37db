"""A playback: segments, keys and playlists behind one URL that does not live for long.

That HLS comes out of ``createDeviceRecordHls`` is documented, and nothing else about it: segments,
playlists, keys, expiry and status codes are modelled on RFC 8216 and on what clients report.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading

from collections.abc import Iterator

import attrs

from ._footage import Footage, Piece


SEQUENCE = 7
"""The media sequence number of the first segment: not 0, for IVs depend on it."""
_BLOCK = 16
_ROTATION = 2
_RELOADS = 3
ELSEWHERE = "https://media.imou.invalid"
"""A host that does not exist."""
_PRIVATE = "http://10.0.0.1"
_OVERSTATED = 3
FOLDER = "inside/"
_VARIANTS = ((640_000, "640x360", "media.m3u8"), (160_000, "320x180", "low.m3u8"))


@attrs.define(kw_only=True, eq=False)
class Playback:
    """What one answered ``createDeviceRecordHls`` opens."""

    id: str
    sign: str
    pieces: tuple[Piece, ...]
    styles: frozenset[str]
    expires: dt.datetime
    base_url: str
    longest: int
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _asked: dict[str, int] = attrs.field(factory=dict)
    _served: int = 0

    @classmethod
    def of(
        cls,
        footage: Footage,
        *,
        number: str,
        styles: frozenset[str],
        expires: dt.datetime,
        base_url: str,
        longest: int,
    ) -> Playback:
        """Prepare a playback of *footage*."""
        restart = "hls-discontinuity" in styles
        return cls(
            id=number,
            sign=hashlib.sha256(f"sign {number}".encode()).hexdigest()[:24],
            pieces=footage.cut(longest, restart_in_the_middle=restart),
            styles=styles,
            expires=expires,
            base_url=base_url,
            longest=longest,
        )

    # -- State ------------------------------------------------------------------------------------

    def open(self, now: dt.datetime) -> bool:
        """Whether its URLs still work."""
        with self._lock:
            served = self._served
        spent = "hls-expires-midway" in self.styles and served >= max(len(self.pieces) // 2, 1)
        return now < self.expires and not spent

    def ask(self, playlist: str) -> int:
        """Count a GET of a playlist; return the how-manieth it is."""
        with self._lock:
            self._asked[playlist] = self._asked.get(playlist, 0) + 1
            return self._asked[playlist]

    def serve(self) -> None:
        """Count a segment."""
        with self._lock:
            self._served += 1

    # -- Bytes ------------------------------------------------------------------------------------

    @property
    def encrypted(self) -> bool:
        """Whether segments are encrypted."""
        return bool(self.styles & {"hls-aes", "hls-aes-iv", "hls-key-rotation"})

    def key(self, number: int) -> bytes:
        """Return the key with that number."""
        return hashlib.sha256(f"key {self.id} {number}".encode()).digest()[:_BLOCK]

    def key_of(self, segment: int) -> int:
        """Return the number of the key of a segment."""
        return segment // _ROTATION if "hls-key-rotation" in self.styles else 0

    def _iv(self, segment: int) -> bytes:
        if "hls-aes-iv" in self.styles:
            return hashlib.sha256(f"iv {self.id} {segment}".encode()).digest()[:_BLOCK]
        return (SEQUENCE + segment).to_bytes(_BLOCK, "big")

    def segment(self, number: int) -> bytes:
        """Return the bytes of a segment as they are served."""
        data = self.pieces[number].data()
        if not self.encrypted:
            return data
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        missing = _BLOCK - len(data) % _BLOCK
        key = self.key(self.key_of(number))
        sealing = Cipher(algorithms.AES(key), modes.CBC(self._iv(number))).encryptor()
        return sealing.update(data + bytes((missing,)) * missing) + sealing.finalize()

    def _size(self, number: int) -> int:
        plain = self.pieces[number].size
        return plain - plain % _BLOCK + _BLOCK if self.encrypted else plain

    @property
    def size(self) -> int:
        """The bytes of all segments together."""
        return sum(self._size(number) for number in range(len(self.pieces)))

    def file(self, begin: int, end: int) -> bytes:
        """Return a range of the file that all segments make up."""
        parts, at = [], 0
        for number in range(len(self.pieces)):
            size = self._size(number)
            if at < end and begin < at + size:
                parts.append(self.segment(number)[max(begin - at, 0) : end - at])
            at += size
        return b"".join(parts)

    # -- Playlists --------------------------------------------------------------------------------

    def url(self, name: str) -> str:
        """Return the absolute URL of a part."""
        return f"{self.base_url}/hls/{self.id}/{name}?sign={self.sign}"

    @property
    def entrance(self) -> str:
        """The name of the playlist that the service's URL leads to."""
        return "master.m3u8" if "hls-master" in self.styles else "media.m3u8"

    def _uri(self, name: str) -> str:
        for style, host in (("hls-elsewhere", ELSEWHERE), ("hls-private-host", _PRIVATE)):
            if style in self.styles:
                return f"{host}/hls/{self.id}/{name}?sign={self.sign}"
        return self.url(name) if "hls-absolute" in self.styles else f"{name}?sign={self.sign}"

    def master(self) -> str:
        """Return the master playlist."""
        lines = ["#EXTM3U", "#EXT-X-VERSION:3"]
        for bandwidth, resolution, name in reversed(_VARIANTS):
            lines.append(f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={resolution}")
            lines.append(self._uri(name))
        return self._joined(lines)

    def loop(self) -> str:
        """Return a master playlist whose only variant is the playlist that was asked for."""
        stream = "#EXT-X-STREAM-INF:BANDWIDTH=640000"
        return self._joined(["#EXTM3U", stream, f"{self.entrance}?sign={self.sign}"])

    def media(self, prefix: str, reload: int, *, empty: bool = False) -> str:
        """Return the media playlist at its how-manieth *reload*, from 1."""
        order, live = self._order(), "hls-live" in self.styles
        shown = min(-(-len(order) * reload // _RELOADS), len(order)) if live else len(order)
        bare = "hls-bare" in self.styles
        lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{self.longest}"]
        if bare:
            lines += ["# a comment", ""]
        else:
            lines += ["#EXT-X-VERSION:4", f"#EXT-X-MEDIA-SEQUENCE:{SEQUENCE}"]
            lines += [] if live else ["#EXT-X-PLAYLIST-TYPE:VOD"]
        for place, number in enumerate(order[: 0 if empty else shown]):
            if place == len(self.pieces):  # the second time
                lines.append("#EXT-X-DISCONTINUITY")
            lines += self._entry(prefix, number)
        if shown == len(order):
            lines.append("#EXT-X-ENDLIST")
        return self._joined(lines)

    def _order(self) -> list[int]:
        """Return the numbers of the segments as the playlist has them."""
        numbers = list(range(len(self.pieces)))
        if "hls-holes" in self.styles:
            third = -(-len(numbers) // 3)
            del numbers[third : 2 * third]
        if "hls-reversed" in self.styles:
            numbers.reverse()
        return numbers * 2 if "hls-twice" in self.styles else numbers

    def _joined(self, lines: list[str]) -> str:
        end = "\r\n" if "hls-bare" in self.styles else "\n"
        return end.join([*lines, ""])

    def _entry(self, prefix: str, number: int) -> Iterator[str]:
        piece = self.pieces[number]
        if piece.restarts:
            yield "#EXT-X-DISCONTINUITY"
        if self.encrypted:
            yield from self._key_line(number)
        factor = _OVERSTATED if "hls-overstated" in self.styles else 1
        yield f"#EXTINF:{factor * piece.seconds:.3f},"
        if "hls-byterange" not in self.styles:
            yield self._uri(f"{prefix}{number}.ts")
            return
        before = sum(self._size(n) for n in range(number))
        # Without an offset it begins where the one before ends.
        place = "" if number % 2 else f"@{before}"
        yield f"#EXT-X-BYTERANGE:{self._size(number)}{place}"
        yield self._uri(f"{prefix}all.ts")

    def _key_line(self, number: int) -> Iterator[str]:
        explicit = "hls-aes-iv" in self.styles
        key = self.key_of(number)
        if number and not explicit and key == self.key_of(number - 1):
            return
        line = f'#EXT-X-KEY:METHOD=AES-128,URI="{self._uri(f"key-{key}")}"'
        yield f"{line},IV=0x{self._iv(number).hex()}" if explicit else line
