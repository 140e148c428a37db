"""The other ways in which a known value is written: each part by part the same in its stand-in.

What is done to the value is done to the stand-in, so that the two still belong together: the short
serial number of the one becomes that of the other.
"""

from __future__ import annotations

import re

from collections.abc import Callable, Iterator
from typing import Final

from ._fakes import ADDRESS, MAC, NAME, SERIAL


_TAIL: Final = re.compile(r"\d{8,10}(?P<area>[A-Z]{4,6})(?P<number>\d{7,9})(?P<end>[A-Z]{0,4})")
_NUMBER: Final = re.compile(r"\d{7,}", re.ASCII)
_SHORT: Final = 9
_FEW: Final = 5
_IPV4: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)

Way = Callable[[str], str]


def spellings(kind: str, value: str, fake: str, keep: int = 0) -> Iterator[tuple[str, str]]:
    """Yield *value* and *fake* in other spellings, the ones nearest to the value first.

    Args:
        keep: How many characters at its begin are a model.
    """
    for way in _ways(kind, value, keep):
        yield way(value), way(fake)


def _ways(kind: str, value: str, keep: int) -> Iterator[Way]:
    if kind == MAC:
        yield from _MAC_WAYS
        return
    if kind == ADDRESS and _IPV4.fullmatch(value):
        yield lambda text: text.replace(".", "-")
        yield lambda text: text.replace(".", "_")
        yield lambda text: ".".join(part.zfill(3) for part in text.split("."))
        return
    shapes: list[Way] = [str]
    if kind == SERIAL:
        shapes += [_cut(*part) for part in _parts(value, keep)]
    elif kind == NAME and " " in value:
        shapes += [_joined(mark) for mark in ("_", "-") + ("",) * (len(value) > _FEW)]
    for shape in shapes:
        yield shape
        yield lambda text, shape=shape: shape(text).lower()  # type: ignore[misc]
        yield lambda text, shape=shape: shape(text).upper()  # type: ignore[misc]


def _parts(value: str, keep: int) -> Iterator[tuple[int, int | None]]:
    """Yield where the parts of a serial number are that stand for it elsewhere."""
    if keep:
        yield keep, None
    form = _TAIL.search(value, keep)
    if form is not None:
        yield form.start(), form.end("number")
        yield form.start("area"), form.end()
        yield form.start("area"), form.end("number")
        yield form.end("number") - _SHORT, form.end("number")
        yield form.start("number"), form.end()
        yield form.span("number")
        return
    numbers = list(_NUMBER.finditer(value, keep))
    if numbers:
        yield numbers[-1].span()


def _cut(start: int, end: int | None) -> Way:
    return lambda text: text[start:end]


def _joined(mark: str) -> Way:
    return lambda text: text.replace(" ", mark)


def _digits(mark: str, size: int) -> Way:
    def write(text: str) -> str:
        digits = "".join(char for char in text if char.isalnum()).lower()
        return mark.join(digits[start : start + size] for start in range(0, len(digits), size))

    return write


def _upper(way: Way) -> Way:
    return lambda text: way(text).upper()


_MAC_WAYS: Final = tuple(
    each
    for way in (_digits("", 12), _digits("-", 4), _digits(".", 4), _digits(":", 4))
    for each in (way, _upper(way))
)
