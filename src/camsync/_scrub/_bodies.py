"""Bodies of answers: bytes in the encoding that they say, or that they look like."""

from __future__ import annotations

import re

from typing import Final


_HEAD: Final = 200
_DECLARED: Final = re.compile(rb"encoding=[\"']([A-Za-z0-9_.-]{1,20})[\"']")
_CODECS: Final = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "windows-1258": "cp1258",
}
_HALVES: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # the others are bytes in disguise
_MARKS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UNMARKED: Final = {
    re.compile(rb"[<{\[\s]\0"): "utf-16-le",
    re.compile(rb"\0[<{\[\s]"): "utf-16-be",
}


def decoded(body: str | bytes) -> tuple[str, str]:
    """Return the text of a body, and the encoding that gives its bytes back."""
    if isinstance(body, str):
        return body, "utf-8"
    for mark, codec in _MARKS.items():
        if body.startswith(mark):
            return _attempt(body, codec)
    for first, codec in _UNMARKED.items():
        if first.fullmatch(body[:2]):
            return _attempt(body, codec)
    declared = _DECLARED.search(body[:_HEAD])
    codec = declared[1].decode().lower() if declared else "utf-8"
    return _attempt(body, _CODECS.get(codec, "utf-8"))


def encoded(text: str, codec: str) -> bytes:
    """Return the bytes of a text from `decoded`; what no encoding has becomes a question mark.

    A device may name half of a character (``&#xD800;``), which a stand-in then holds, too.
    """
    try:
        return text.encode(codec, "surrogateescape")
    except UnicodeEncodeError:
        return _HALVES.sub("?", text).encode(codec, "surrogateescape")


def _attempt(body: bytes, codec: str) -> tuple[str, str]:
    try:
        text = body.decode(codec)
        if text.encode(codec) == body:
            return text, codec
    except ValueError:
        pass  # not what it says it is: its bytes are kept all the same
    return body.decode("utf-8", "surrogateescape"), "utf-8"
