"""Stand-ins for what identifies somebody: of the same form, the same for the same value.

Digits become digits, letters become letters of the same case and script, so that a defect that
comes from a length or from an encoding shows with the stand-in too. Which stand-in it is depends on
a seed that nobody writes down.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import re
import string
import unicodedata

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NoReturn


ADDRESS: Final = "address"
IDENTIFIER: Final = "identifier"
MAC: Final = "MAC address"
NAME: Final = "name"
POSITION: Final = "position"
SECRET: Final = "secret"  # noqa: S105 - the name of a kind
SERIAL: Final = "serial number"
USER: Final = "user name"

# The ranges that are reserved for documentation, and the one for benchmarks when they are used up.
_DOCUMENTATION: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15")
)
_DOCUMENTATION6: Final = ipaddress.IPv6Network("2001:db8::/32")
_HOSTS: Final = 254
_ROOM: Final = 500
_CROWDED: Final = 64
_LOCAL_MAC: Final = "020000"
_HEX: Final = re.compile(r"[0-9A-Fa-f{}():-]+", re.ASCII)
_MAC_NOTATION: Final = re.compile(r"(?:[0-9A-Fa-f]{2}[.:-]?){5}[0-9A-Fa-f]{2}", re.ASCII)
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4: Final = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}", re.ASCII)
_FACE: Final = "0123456789abcdef"

# Scripts whose letters are spread over more than one block of 256: the whole of it is used, since
# the block alone would say half of what the letter is.
_WIDE: Final = ((0x1E00, 0x1EFF), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3))
_FIRST_OTHER: Final = 0x80
_UNDECODED: Final = "".join(map(chr, range(0xDC80, 0xDD00)))

Numbers = Sequence[int]


class Fakes:
    """Gives every value a stand-in of its own, and the same one each time.

    Args:
        seed: Decides about the stand-ins.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._known: dict[str, tuple[str, int]] = {}
        self._given: dict[str, str] = {}
        self._own: set[str] = set()
        self._taken: set[str] = set()
        self._counted: dict[str, str] = {}
        self._addresses = 0

    def __reduce__(self) -> NoReturn:
        msg = "what knows the originals is not pickled"
        raise TypeError(msg)

    def know(self, kind: str, value: str, keep: int = 0) -> None:
        """Remember *value*, so that it is found wherever it stands and is nobody's stand-in.

        If it was handed out as the stand-in of another one before, it is a value in its own right
        from now on.

        Args:
            keep: How many characters at its begin tell nothing about the owner.
        """
        self._own.discard(value)
        self._known.setdefault(value, (kind, keep))

    def of(self, kind: str, value: str, keep: int = 0) -> str:
        """Return the stand-in of *value*; a stand-in stands for itself."""
        if value in self._own:
            return value
        kind, keep = self._known.get(value, (kind, keep))
        if kind == MAC and _MAC_NOTATION.fullmatch(value):
            return self.mac(value)
        if kind == ADDRESS and _IPV4.fullmatch(value):
            return self.ipv4(value)
        if value not in self._given:
            head, tail = value[:keep], value[keep:]
            like_hex = kind == IDENTIFIER and _HEX.fullmatch(tail) is not None
            fake = self._free(
                value, lambda numbers: head + disguise(tail, numbers, like_hex=like_hex)
            )
            self._note(kind, value, fake)
        return self._given[value]

    def mac(self, value: str) -> str:
        """Return the stand-in of a MAC address, in the same notation."""
        digits = "".join(char for char in value if char.isalnum()).lower()
        if digits.startswith(_LOCAL_MAC) or digits in {"0" * 12, "f" * 12}:
            return value
        if digits not in self._given:
            fake = self._free(
                digits,
                lambda numbers: _LOCAL_MAC + "".join(_FACE[n % 16] for n in numbers[:6]),
            )
            self._note(MAC, digits, fake)
        fresh = iter(self._given[digits])
        upper = value.upper() == value
        return "".join(
            (next(fresh).upper() if upper else next(fresh)) if char.isalnum() else char
            for char in value
        )

    def ipv4(self, value: str) -> str:
        """Return the stand-in of an IPv4 address; masks and what every device has stay."""
        address = ipaddress.IPv4Address(value)
        first = address.packed[0]
        public = any(address in network for network in _DOCUMENTATION)
        if public or first in {0, 127} or first >= 224:  # noqa: PLR2004 - multicast, masks
            return value
        if value not in self._given:
            self._addresses += 1
            make = _ipv4 if self._addresses < _ROOM else _crowded_ipv4
            self._note(ADDRESS, value, self._free(value, make))
        return self._given[value]

    def ipv6(self, value: str) -> str:
        """Return the stand-in of an IPv6 address, in the short notation."""
        address = ipaddress.IPv6Address(value)
        if address in _DOCUMENTATION6 or address.is_unspecified or address.is_loopback:
            return value
        canonical = address.compressed
        if canonical not in self._given:
            self._note(ADDRESS, canonical, self._free(canonical, _ipv6))
        return self._given[canonical]

    def count(self, kind: str, value: str) -> None:
        """Count a value that gets no stand-in of its own: a secret, a position."""
        self._counted[value] = kind

    def counts(self) -> Mapping[str, int]:
        """Return how many values of each kind were replaced."""
        return dict(sorted(Counter(self._counted.values()).items()))

    def known(self) -> Iterator[tuple[str, int, str, str]]:
        """Yield what `know` was told: the kind, what is kept, the value and its stand-in."""
        for value, (kind, keep) in list(self._known.items()):
            yield kind, keep, value, self.of(kind, value, keep)

    def is_own(self, value: str) -> bool:
        """Whether *value* is a stand-in, and not known to be somebody's own as well."""
        return value in self._own

    def is_serial(self, value: str) -> bool:
        """Whether `know` was told that *value* is a serial number."""
        return self._known.get(value, ("", 0))[0] in {SERIAL, MAC}

    def size(self) -> int:
        """Return how many values are known: whoever has used `known` can tell that there are more."""
        return len(self._known)

    def _note(self, kind: str, value: str, fake: str) -> None:
        self._given[value] = fake
        self._taken.add(fake)
        self._own.add(fake)
        if fake != value:
            self.count(kind, value)

    def _free(self, value: str, make: Callable[[Numbers], str]) -> str:
        """Return what *make* makes, which neither stands for another value nor is one itself.

        What has no letter and no digit stands for itself. A form that is crowded (names of one
        digit) grows by a letter.
        """
        attempt = -1
        while True:
            attempt += 1
            fake = make(self._numbers(value, attempt)) + "x" * (attempt // _CROWDED)
            # Crosses and stars stand for nothing: they are left as they are wherever they stand.
            blank = not set(fake) - set("xX*")
            used = fake in self._taken or fake in self._known or fake == value
            if not blank and not used:
                return fake
            if fake == value and not any(_kin(char) != char for char in value):
                return fake

    def _numbers(self, value: str, attempt: int) -> Numbers:
        text = f"{attempt}:{value}".encode("utf-8", "surrogatepass")
        stream = hashlib.shake_256(self._seed + b"\0" + text).digest(4 * (len(value) + 8))
        return memoryview(stream).cast("I")


def _ipv4(numbers: Numbers) -> str:
    network = _DOCUMENTATION[numbers[0] % 3]
    return str(network[1 + numbers[1] % _HOSTS])


def _crowded_ipv4(numbers: Numbers) -> str:
    return str(_DOCUMENTATION[3][1 + numbers[0] % 0x1FFFE])


def _ipv6(numbers: Numbers) -> str:
    return f"2001:db8::{1 + numbers[0] % 0xFFFE:x}:{1 + numbers[1] % 0xFFFE:x}"


def disguise(text: str, numbers: Numbers, *, like_hex: bool = False) -> str:
    """Return *text* with other letters and digits; punctuation and blanks stay."""
    return "".join(
        _chosen(char, number, like_hex=like_hex)
        for char, number in zip(text, numbers, strict=False)
    )


def _chosen(char: str, number: int, *, like_hex: bool) -> str:
    kin = _kin(char)
    if like_hex and char in string.ascii_letters:
        kin = "ABCDEF" if char.isupper() else "abcdef"
    return kin[number % len(kin)]


@functools.lru_cache(maxsize=2048)
def _kin(char: str) -> str:
    """Return the characters that may stand for *char*: the same sort, script and length."""
    for own in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        if char in own:
            return own
    code = ord(char)
    if code < _FIRST_OTHER:
        return char
    if char in _UNDECODED:
        return _UNDECODED
    sort = unicodedata.category(char)
    if sort[0] not in "LMNS":
        return char
    first, last = next(
        (span for span in _WIDE if span[0] <= code <= span[1]), (code & ~0xFF, code | 0xFF)
    )
    block = map(chr, range(max(first, _FIRST_OTHER), last + 1))
    return "".join(other for other in block if unicodedata.category(other) == sort)
