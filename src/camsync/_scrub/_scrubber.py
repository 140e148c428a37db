"""`Scrubber`: walks documents and text, and decides what is replaced by what."""

from __future__ import annotations

import hashlib
import json
import os
import re

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeVar

from ..errors import ConfigurationError
from . import _markup
from ._bodies import decoded, encoded
from ._fakes import ADDRESS, IDENTIFIER, MAC, NAME, POSITION, SECRET, SERIAL, USER, Fakes
from ._forms import has_form, pieces
from ._shapes import SCRUBBED
from ._spellings import spellings
from ._tags import KEEP, MODEL, form_of, hands_down, is_common, is_plain, kind_of
from ._text import LABELLED, SERIAL_LINE, FreeText, labelled_value, whole


Text = TypeVar("Text", str, bytes)
_KINDS: Final = frozenset({ADDRESS, IDENTIFIER, MAC, NAME, POSITION, SECRET, SERIAL, USER})
_LONGEST_MODEL: Final = 64
_TELLING: Final = 3
_DEEPEST: Final = 3
_INDENT: Final = re.compile(r"\n( {1,8})[\"\[{]")
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
        self._text = FreeText(self._fakes, self._fake, self._fake_named)
        self._written: set[bytes] = set()
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
        texts = [decoded(one)[0] for one in documents]
        # What this scrubber wrote itself tells nothing: its names are stand-ins.
        texts = [text for text in texts if not self._is_own(text)]
        for learn, free in (
            (self._learn_model, _as_it_is),
            (self._learn_named, self._learn_labelled),
        ):
            for text in texts:
                self._walk(text, learn, free)

    def document(self, body: Text) -> Text:
        """Return an XML or JSON body, or text, with everything replaced.

        In XML every byte outside of what is replaced stays as it is; in JSON the order of keys.
        """
        self.learn(body)
        self._refresh()
        text, codec = decoded(body)
        fresh = self._walk(self._text.before_tags(text), self._fake_named, self._free)
        self._wrote(text, fresh)
        if isinstance(body, str):
            return fresh
        return encoded(fresh, codec)

    def text(self, text: str) -> str:
        """Return text, such as a log, with everything replaced that was learnt or has a shape."""
        self._refresh()
        given, text = text, self._text.before_tags(text)
        fresh = self._walk(text, self._fake_named, self._free, json_too=False)
        self._wrote(given, fresh)
        return fresh

    def json(self, value: Any) -> Any:
        """Return a JSON value with everything replaced; keys stay.

        Raises:
            ConfigurationError: It is nested too deeply.
        """
        try:
            before = json.dumps(value, default=str, skipkeys=True)
            if not self._is_own(before):
                self._walk_json(value, None, self._learn_model, _as_it_is, 0)
                self._walk_json(value, None, self._learn_named, self._learn_labelled, 0)
            fresh = self._walk_json(value, None, self._fake_named, self._free, 0)
            self._wrote(before, json.dumps(fresh, default=str, skipkeys=True))
        except RecursionError:
            value = before = fresh = ""  # a traceback that prints locals must not show it
        else:
            return fresh
        # Raised out here, so that no frame of the walk hangs on it.
        msg = "the document is nested too deeply"
        raise ConfigurationError(msg)

    def _is_own(self, text: str) -> bool:
        """Whether this scrubber wrote it: what holds short names alone may be anybody's."""
        if _digest(text) not in self._written:
            return False
        found: list[str] = []

        def look(_: str, value: str) -> str:
            if len(value) >= _TELLING and self._fakes.is_own(value):
                found.append(value)
            return value

        def look_in(free: str) -> str:
            for match in LABELLED.finditer(free):
                look("", labelled_value(match))
            return free

        self._walk(text, look, look_in)
        return bool(found)

    def _wrote(self, before: str, fresh: str) -> None:
        if fresh != before:
            self._written.add(_digest(fresh))

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
                    item, _key_of(item, str(name), key), named, free, depth
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
        # A model that has no model's form was typed in; a serial number may stand in it.
        named = tag.rpartition(":")[2].lower() == MODEL and 0 < len(value) <= _LONGEST_MODEL
        if named and has_form(MODEL, value):
            self._models.add(value)
        return value

    def _learn_named(self, tag: str, value: str) -> str:
        kind = kind_of(tag)
        if kind == KEEP:
            for part, fits in pieces(str(form_of(tag)), value):
                if not fits:
                    self._learn_value(_typed(part), part.strip())
        elif kind is not None:
            self._learn_value(kind, value)
        return value

    def _learn_labelled(self, text: str) -> str:
        for match in LABELLED.finditer(text):
            value = labelled_value(match)
            if value:
                self._learn_named(match["label"], value)
        return text

    def _learn_value(self, kind: str, value: str) -> None:
        if kind in {KEEP, POSITION} or is_plain(kind, value):
            return
        if value in self._models:
            if kind == NAME:
                return
            self._models.discard(value)  # then it is no model
        shape = whole(value)
        if kind == SECRET:
            self._secrets.add(value)
        elif shape == "mac":
            self._fakes.know(MAC, value)
        elif shape == "ipv4":
            self._fakes.know(ADDRESS, value)
        elif shape is None and not (kind == ADDRESS and _PUBLIC_HOST.fullmatch(value)):
            self._fakes.know(kind, value, self._prefix(kind, value))

    def _prefix(self, kind: str, value: str) -> int:
        """Return how much of a serial number is its model."""
        if kind != SERIAL:
            return 0
        for length in range(min(len(value) - 1, _LONGEST_MODEL), 0, -1):
            if value[:length] in self._models:
                return length
        shape = SERIAL_LINE.fullmatch(value)
        return len(shape["line"]) if shape else 0

    # -- Replacing --------------------------------------------------------------------------------

    def _fake_named(self, tag: str, value: str) -> str:
        """Replace what stands in an element or under a key of that name."""
        kind = kind_of(tag)
        if kind is None:
            return self._free(value)
        if kind == KEEP:
            return "".join(
                self._kept(part, fits=fits) for part, fits in pieces(str(form_of(tag)), value)
            )
        return self._fake(kind, value)

    def _kept(self, part: str, *, fits: bool) -> str:
        """Return a part of what is kept; what was typed in instead of it is replaced."""
        core = part.strip()
        if fits and not any(self._is_serial(word) for word in core.split()):
            return part
        return part.replace(core, self._fake(_typed(core), core), 1)

    def _is_serial(self, word: str) -> bool:
        return self._fakes.is_serial(word) and not is_common(word)

    def _fake(self, kind: str, value: str) -> str:
        if is_plain(kind, value) or (kind == NAME and value in self._models):
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
            words = {**self._words(), **dict.fromkeys(self._secrets, SCRUBBED)}
            rare = {word: by for word, by in words.items() if not is_common(word)}
            self._text.know({**rare, **self._replaced})
            self._seen = state

    def _words(self) -> Mapping[str, str]:
        """Return what is known, in all its spellings; and the stand-ins, which stay as they are."""
        words: dict[str, str] = {}
        others: dict[str, str] = {}
        for kind, keep, value, fake in self._fakes.known():
            words[value] = fake
            if fake != value and not is_common(value):
                for word, by in spellings(kind, value, fake, keep):
                    others.setdefault(word, by)
        words = {**others, **words}
        return {**{by: by for by in words.values()}, **words}


def _as_it_is(text: str) -> str:
    return text


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _typed(text: str) -> str:
    """Return the kind of what somebody typed into a field for something else."""
    return NAME if any(map(str.isalpha, text)) else IDENTIFIER


def _key_of(item: Any, name: str, above: str | None) -> str:
    """Return the key that says what *item* is: its own *name*, or the one *above* it."""
    if above is None or kind_of(name) is not None or not hands_down(above):
        return name
    if isinstance(item, str):
        return name if is_common(item) and kind_of(above) != SECRET else above
    return above if isinstance(item, Mapping | list | tuple) else name


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
