"""`Scrubber`: walks documents and text, and decides what is replaced by what."""

from __future__ import annotations

import json
import os
import re

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeVar

from ..errors import ConfigurationError
from . import _markup
from ._fakes import ADDRESS, IDENTIFIER, MAC, NAME, POSITION, SECRET, SERIAL, USER, Fakes
from ._shapes import SCRUBBED
from ._tags import KEEP, is_common, is_plain, kind_of
from ._text import SERIAL_LINE, FreeText, whole


Text = TypeVar("Text", str, bytes)
_KINDS: Final = frozenset({ADDRESS, IDENTIFIER, MAC, NAME, POSITION, SECRET, SERIAL, USER})
_MODEL: Final = "model"
_DEEPEST: Final = 3
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
_INDENT: Final = re.compile(r"\n( {1,8})[\"\[{]")
_MARKS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_CONTAINERS: Final = ("{", "[", "<")
# Hosts of the vendors and of the standards: everybody's devices name them.
_PUBLIC_HOST: Final = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:hikvision\.com|isapi\.org|hik-connect\.com|std-cgi\.com|onvif\.org|w3\.org"
    r"|easy4ip\.com|imoulife\.com|lechange\.com|ezviz(?:life)?\.com|github\.com|python\.org"
    r"|example(?:\.com|\.net|\.org)?|[a-z0-9-]+\.(?:invalid|example|test))|localhost",
    re.IGNORECASE,
)


class Scrubber:
    """Replaces consistently: the same value gets the same stand-in wherever it stands.

    Let it `learn` all documents first; then what one of them tells (the name of a camera) is found
    in the others too, and in logs.

    Args:
        seed: Decides about the stand-ins; random by default, and kept nowhere.
    """

    def __init__(self, *, seed: bytes | None = None) -> None:
        self._fakes = Fakes(os.urandom(32) if seed is None else seed)
        self._models: set[str] = set()
        self._secrets: set[str] = set()
        self._replaced: dict[str, str] = {}
        self._text = FreeText(self._fakes, self._fake)
        self._seen = 0

    def __repr__(self) -> str:
        return f"<Scrubber {sum(self.counts.values())} replaced>"

    def __reduce__(self) -> NoReturn:
        msg = "a Scrubber knows the originals and is not pickled"
        raise TypeError(msg)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many different values of each kind were replaced so far."""
        return self._fakes.counts()

    def know(self, value: str, kind: str = NAME) -> None:
        """Tell about a value that is to be replaced wherever it stands.

        Args:
            kind: ``name``, ``user name``, ``address``, ``serial number``, ``identifier``, ``secret``.

        Raises:
            ConfigurationError: There is no such kind.
        """
        if kind not in _KINDS:
            msg = f"{kind!r} is no kind of thing to replace"
            raise ConfigurationError(msg, next_step=f"use one of: {', '.join(sorted(_KINDS))}")
        self._learn_value(kind, value.strip())

    def replace(self, value: str, by: str) -> None:
        """Have *value* replaced by *by* wherever it stands: a folder by ``~``."""
        self._replaced[value] = by
        self._seen = -1

    def learn(self, *documents: bytes | str) -> None:
        """Take in what *documents* (XML, JSON, text) name, models first."""
        texts = [_decoded(one)[0] for one in documents]
        for learn in (self._learn_model, self._learn_named):
            for text in texts:
                self._walk(text, learn, lambda free: free)

    def document(self, body: Text) -> Text:
        """Return an XML or JSON body, or text, with everything replaced.

        In XML every byte outside of what is replaced stays as it is; in JSON the order of keys.
        """
        self.learn(body)
        self._refresh()
        text, codec = _decoded(body)
        fresh = self._walk(self._text.before_tags(text), self._fake_named, self._free)
        if isinstance(body, str):
            return fresh
        return fresh.encode(codec, "surrogateescape")

    def text(self, text: str) -> str:
        """Return text, such as a log, with everything replaced that was learnt or has a shape."""
        self._refresh()
        text = self._text.before_tags(text)
        return self._walk(text, self._fake_named, self._free, json_too=False)

    def json(self, value: Any) -> Any:
        """Return a JSON value with everything replaced; keys stay.

        Raises:
            ConfigurationError: It is nested too deeply.
        """
        try:
            for learn in (self._learn_model, self._learn_named):
                self._walk_json(value, None, learn, lambda free: free, 0)
            return self._walk_json(value, None, self._fake_named, self._free, 0)
        except RecursionError:
            value = None  # a traceback that prints locals must not show it
        # Raised out here, so that no frame of the walk hangs on it.
        msg = "the document is nested too deeply"
        raise ConfigurationError(msg)

    # -- Walking ----------------------------------------------------------------------------------

    def _walk(
        self,
        text: str,
        named: Callable[[str, str], str],
        free: Callable[[str], str],
        depth: int = 0,
        *,
        json_too: bool = True,
    ) -> str:
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        if json_too and text[len(mark) :].lstrip().startswith(("{", "[")):
            try:
                value = json.loads(text[len(mark) :])
                found = self._walk_json(value, None, named, free, depth)
            except (ValueError, RecursionError):
                pass  # looks like JSON and is none, or is too deep to be an answer: text
            else:
                return text if found == value else mark + _written(found, text)
        return _markup.rewrite(text, named, free)

    def _walk_json(
        self,
        value: Any,
        key: str | None,
        named: Callable[[str, str], str],
        free: Callable[[str], str],
        depth: int,
    ) -> Any:
        if isinstance(value, Mapping):
            return {
                free(name) if isinstance(name, str) else name: self._walk_json(
                    item, str(name), named, free, depth
                )
                for name, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._walk_json(item, key, named, free, depth) for item in value]
        kind = None if key is None else kind_of(key)
        if isinstance(value, str) and kind is None:
            holds_more = value.lstrip("\ufeff \r\n\t").startswith(_CONTAINERS)
            inside = holds_more and depth < _DEEPEST
            return self._walk(value, named, free, depth + 1) if inside else free(value)
        if isinstance(value, str):
            return named(str(key), value)
        if kind is None or value is None or isinstance(value, bool):
            return value
        return _like(value, named(str(key), str(value)))

    # -- Learning ---------------------------------------------------------------------------------

    def _learn_model(self, tag: str, value: str) -> str:
        if tag.rpartition(":")[2].lower() == _MODEL and value:
            self._models.add(value)
        return value

    def _learn_named(self, tag: str, value: str) -> str:
        kind = kind_of(tag)
        if kind is not None:
            self._learn_value(kind, value)
        return value

    def _learn_value(self, kind: str, value: str) -> None:
        if kind in {KEEP, POSITION} or is_plain(kind, value) or value in self._models:
            return
        if kind == SECRET:
            self._secrets.add(value)
        elif whole(value) is None and not (kind == ADDRESS and _PUBLIC_HOST.fullmatch(value)):
            self._fakes.know(kind, value, self._prefix(kind, value))

    def _prefix(self, kind: str, value: str) -> int:
        """Return how much of a serial number is its model."""
        if kind != SERIAL:
            return 0
        models = [model for model in self._models if value.startswith(model)]
        if models:
            return max(map(len, models))
        shape = SERIAL_LINE.fullmatch(value)
        return len(shape["line"]) if shape else 0

    # -- Replacing --------------------------------------------------------------------------------

    def _fake_named(self, tag: str, value: str) -> str:
        """Replace what stands in an element or under a key of that name."""
        kind = kind_of(tag)
        if kind is None:
            return self._free(value)
        return self._fake(kind, value)

    def _fake(self, kind: str, value: str) -> str:
        if is_plain(kind, value) or value in self._models:
            return value
        if kind in {SECRET, POSITION}:
            self._fakes.count(kind, value)
            return SCRUBBED if kind == SECRET else re.sub(r"\d", "0", value)
        shape = whole(value)
        if shape is not None:
            return self._text.shaped(shape, value)
        if kind == ADDRESS and _PUBLIC_HOST.fullmatch(value):
            return value
        return self._fakes.of(kind, value, self._prefix(kind, value))

    def _free(self, text: str) -> str:
        """Replace in text that stands in no element: what was learnt, and what has a shape."""
        self._refresh()
        return self._text(text)

    def _refresh(self) -> None:
        """Tell the text's pattern about what has been learnt since it was built."""
        state = self._fakes.size() + len(self._secrets) + len(self._replaced)
        if state != self._seen:
            words = {**self._fakes.known(), **dict.fromkeys(self._secrets, SCRUBBED)}
            rare = {word: by for word, by in words.items() if not is_common(word)}
            self._text.know({**rare, **self._replaced})
            self._seen = state


def _decoded(body: str | bytes) -> tuple[str, str]:
    """Return the text of a body, and the encoding that gives its bytes back."""
    if isinstance(body, str):
        return body, "utf-8"
    for mark, codec in _MARKS.items():
        if body.startswith(mark):
            return _attempt(body, codec)
    declared = _DECLARED.search(body[:_HEAD])
    codec = declared[1].decode().lower() if declared else "utf-8"
    return _attempt(body, _CODECS.get(codec, "utf-8"))


def _attempt(body: bytes, codec: str) -> tuple[str, str]:
    try:
        text = body.decode(codec)
        if text.encode(codec) == body:
            return text, codec
    except ValueError:
        pass  # not what it says it is: its bytes are kept all the same
    return body.decode("utf-8", "surrogateescape"), "utf-8"


def _written(value: Any, like: str) -> str:
    """Return *value* as JSON in the style of *like*: on one line, or indented."""
    lines = _INDENT.search(like)
    indent = len(lines[1]) if lines else None
    text = json.dumps(value, indent=indent, ensure_ascii=like.isascii())
    try:
        text.encode()
    except UnicodeEncodeError:  # half a pair, which only the escaped form can hold
        return json.dumps(value, indent=indent)
    return text


def _like(number: Any, text: str) -> Any:
    """Return *text* as a number if that is what it replaces."""
    try:
        return type(number)(text)
    except ValueError:
        return text
