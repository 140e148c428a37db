"""Our own mutations: seeded, aware of structure, and without anything that must be compiled."""

from __future__ import annotations

import random
import re

from collections.abc import Callable, Sequence


_NUMBER = re.compile(rb"\d+")
_NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"00",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"2147483647",
    b"2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"999999999999999999",
    b"1e309",
    b"1.5",
    b"0x7f",
    b"9" * 400,
    b"9" * 5000,
)
_BYTES = (b"\0", b"\xff", b"\x7f", b"\n", b"\r\n", b"\x1b[2J", b"\xc0\x80", b"\xed\xa0\x80", b"%00")
_BYTES += (
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    "\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
    "٣".encode(),
    b"%ff",
)
_PAIRS = (
    (b"[", b"]"),
    (b"{", b"}"),
    (b'{"a":', b"}"),
    (b"<a>", b"</a>"),
    (b"(", b")"),
    (b'"', b'"'),
)
_CODECS = ("utf-16", "utf-16-le", "utf-32", "utf-7", "latin-1")
_DEPTHS = (2, 8, 70, 300, 1000, 5000)
_TIMES = (2, 16, 256, 4096)


class Mutator:
    """Makes inputs out of seeds. The same seed of *chance* makes the same inputs.

    Args:
        longest: Bytes that an input may have.
    """

    def __init__(
        self, seeds: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random, longest: int
    ) -> None:
        self._corpus = [seed for seed in seeds if len(seed) <= longest] or [b""]
        self._own = len(self._corpus)
        self._tokens = tokens or _BYTES
        self._chance = chance
        self._longest = longest
        steps: tuple[tuple[int, Callable[[bytes], bytes]], ...] = (
            (4, self._flip),
            (3, self._put_byte),
            (3, self._cut),
            (2, self._end),
            (2, self._repeat),
            (5, self._put_token),
            (3, self._swap_token),
            (4, self._number),
            (3, self._splice),
            (1, self._nest),
            (1, self._encode),
            (2, self._field),
        )
        self._steps = [step for weight, step in steps for _ in range(weight)]

    def make(self) -> bytes:
        """Return the next input."""
        data = self._chance.choice(self._corpus)
        for _ in range(self._chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            data = self._chance.choice(self._steps)(data)
        return data[: self._longest]

    def keep(self, data: bytes, most: int = 400) -> None:
        """Go on from *data* too: it made the parser do something new."""
        if len(self._corpus) < self._own + most:
            self._corpus.append(data)
        else:
            self._corpus[self._own + self._chance.randrange(most)] = data

    # -- Steps -----------------------------------------------------------------------------------

    def _at(self, data: bytes) -> int:
        return self._chance.randrange(len(data) + 1)

    def _span(self, data: bytes) -> tuple[int, int]:
        first = self._at(data)
        length = min(len(data) - first, int(self._chance.expovariate(0.05)))
        return first, first + length

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self._chance.randrange(len(data))
        return data[:at] + bytes((data[at] ^ 1 << self._chance.randrange(8),)) + data[at + 1 :]

    def _put_byte(self, data: bytes) -> bytes:
        at = self._at(data)
        odd = self._chance.choice(_BYTES)
        fresh = odd if self._chance.random() < 0.5 else bytes((self._chance.randrange(256),))
        return data[:at] + fresh + data[at + self._chance.randrange(2) :]

    def _cut(self, data: bytes) -> bytes:
        first, end = self._span(data)
        return data[:first] + data[end:]

    def _end(self, data: bytes) -> bytes:
        return data[: self._at(data)]

    def _repeat(self, data: bytes) -> bytes:
        first, end = self._span(data)
        times = min(self._chance.choice(_TIMES), self._longest // max(end - first, 1))
        return data[:first] + data[first:end] * times + data[end:]

    def _put_token(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._chance.choice(self._tokens) + data[at:]

    def _swap_token(self, data: bytes) -> bytes:
        """Put one word of the language in the place of another one that is there."""
        old = self._chance.choice(self._tokens)
        at = data.find(old)
        if at < 0 or not old:
            return self._put_token(data)
        return data[:at] + self._chance.choice(self._tokens) + data[at + len(old) :]

    def _number(self, data: bytes) -> bytes:
        found = [match.span() for match in _NUMBER.finditer(data, 0, 4096)]
        if not found:
            return self._put_byte(data)
        first, end = self._chance.choice(found)
        if self._chance.random() < 0.4:
            near = int(data[first:end][:18]) + self._chance.choice((-1, 1, 10, 100))
            fresh = str(near).encode().zfill(end - first)
        else:
            fresh = self._chance.choice(_NUMBERS)
        return data[:first] + fresh + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._chance.choice(self._corpus)
        return data[: self._at(data)] + other[self._at(other) :]

    def _nest(self, data: bytes) -> bytes:
        first, end = self._span(data)
        opening, closing = self._chance.choice(_PAIRS)
        depth = self._chance.choice(_DEPTHS)
        return data[:first] + opening * depth + data[first:end] + closing * depth + data[end:]

    def _encode(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode(self._chance.choice(_CODECS), "replace")

    def _field(self, data: bytes) -> bytes:
        """Write a number of one to eight bytes over what is there: lengths of binary formats."""
        width = self._chance.choice((1, 2, 4, 8))
        if len(data) < width:
            return data
        at = self._chance.randrange(len(data) - width + 1)
        top = 1 << 8 * width
        value = self._chance.choice((0, 1, top - 1, top >> 1, (top >> 1) - 1, len(data), 7, 188))
        return data[:at] + (value % top).to_bytes(width, "big") + data[at + width :]
