"""Rewrites the texts between the tags of XML, and the values of attributes, byte by byte.

Not a parser: what is cut off in the middle, as in a log, or is no XML at all goes through too. The
work grows with the length alone.
"""

from __future__ import annotations

import re

from collections.abc import Callable, Iterator
from typing import Final


_ENTITY: Final = re.compile(
    r"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));", re.ASCII
)
_NAMES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_OPEN: Final = re.compile(r"<(?=[^\W\d]|[/!?])")
_TAG: Final = re.compile(r"<([^\W\d][\w.-]{0,80}(?::[\w.-]{1,80})?)(?=[\s/>])")
_ATTRIBUTE: Final = re.compile(r"(?<![\w:.-])([\w:.-]{1,80})(\s{0,4}=\s{0,4})(\"[^\"]*\"|'[^']*')")
_TECHNICAL: Final = re.compile(r"xmlns.*|version|encoding|standalone|opt|min|max|size|def|range")
_LAST: Final = 0x10FFFF
_DEEPEST: Final = 3

Named = Callable[[str, str], str]
Free = Callable[[str], str]


def rewrite(text: str, named: Named, free: Free) -> str:
    """Return *text* with its values replaced; everything else stays as it is.

    Args:
        named: Gets the name of an element or attribute, and the value without blanks around it.
        free: Gets text that stands in no element.
    """
    return "".join(_pieces(text, named, free))


def _pieces(text: str, named: Named, free: Free) -> Iterator[str]:
    here = _Here()
    position = 0
    ends = {"<![CDATA[": "]]>", "<!--": "-->"}
    while position < len(text):
        found = _OPEN.search(text, position)
        start = found.start() if found else len(text)
        if start > position:
            here.text |= not text[position:start].isspace()
            yield _value(text[position:start], here.tag, here.named(named), free)
            position = start
            continue
        opening = next((one for one in ends if text.startswith(one, start)), None)
        if opening is not None:
            end = text.find(ends[opening], start)
            if end < 0:  # never closed, so no later one is either: it is text
                del ends[opening]
                continue
            end += len(ends[opening])
            yield _section(text[start:end], opening, here.tag, named, free)
        else:
            end = _end(text, start)
            here.move(text, start, end)
            yield _in_tag(text[start:end], named, free)
        position = end


class _Here:
    """In which element a text stands; in ``<name>Villa<b>Aurora</b></name>`` in both of them."""

    def __init__(self) -> None:
        self.tag: str | None = None
        self.text = False
        self._around: list[str] = []

    def named(self, named: Named) -> Named:
        """Return *named*, which asks about the element around when its own says nothing."""
        if not self._around:
            return named
        around = self._around[0]

        def both(tag: str, value: str) -> str:
            fresh = named(tag, value)
            return named(around, value) if fresh == value else fresh

        return both

    def move(self, text: str, start: int, end: int) -> None:
        """Go on behind the tag that stands there."""
        opened = _TAG.match(text, start, end)
        if opened is not None:
            if self.tag is not None and (self.text or self._around):
                self._around.append(self.tag)
                if len(self._around) > _DEEPEST:  # no text with marks in it, but cut off
                    self._around.clear()
            self.tag = None if text.endswith("/>", start, end) else opened[1]
            if self.tag is None and self._around:
                self.tag = self._around.pop()
        elif not text.startswith(("<!", "<?"), start):
            self.tag = self._around.pop() if self._around else None
        else:
            return
        self.text = bool(self._around)


def _end(text: str, start: int) -> int:
    """Return where the tag ends: behind its ``>``, or before the next ``<``."""
    again = text.find("<", start + 1)
    limit = again if again >= 0 else len(text)
    close = text.find(">", start + 1, limit)
    return close + 1 if close >= 0 else limit


def _value(raw: str, tag: str | None, named: Named, free: Free) -> str:
    core = raw.strip()
    if not core:
        return raw
    if tag is None and "&#" not in core:
        return free(raw)
    plain = _unescaped(core)
    fresh = named(tag, plain) if tag is not None else free(plain)
    if fresh == plain:
        return raw
    lead = raw[: len(raw) - len(raw.lstrip())]
    return lead + _escaped(fresh, core) + raw[len(raw.rstrip()) :]


def _section(raw: str, opening: str, tag: str | None, named: Named, free: Free) -> str:
    inner = raw[len(opening) : -3]
    core = inner.strip()
    if opening == "<!--" or tag is None or not core:
        return opening + free(inner) + raw[-3:]
    return opening + inner.replace(core, named(tag, core), 1) + raw[-3:]


def _in_tag(raw: str, named: Named, free: Free) -> str:
    name = _TAG.match(raw)
    if name is None:
        return raw if raw.startswith(("</", "<?")) and raw.endswith(">") else free(raw)

    # `<Transport http://192.0.2.1:80>`, as in a log, is no tag: what is no attribute is text.
    position = name.end()
    parts = [raw[:position]]
    for match in _ATTRIBUTE.finditer(raw):
        parts += [_gap(raw[position : match.start()], free), _attribute(match, named)]
        position = match.end()
    return "".join([*parts, _gap(raw[position:], free)])


def _gap(raw: str, free: Free) -> str:
    return free(raw) if raw.strip(" \t\r\n/>") else raw


def _attribute(match: re.Match[str], named: Named) -> str:
    name, equals, quoted = match.groups()
    plain = _unescaped(quoted[1:-1])
    if _TECHNICAL.fullmatch(name) or not plain.strip():
        return match[0]
    fresh = named(name, plain)
    if fresh == plain:
        return match[0]
    return f"{name}{equals}{quoted[0]}{_escaped(fresh, quoted[1:-1])}{quoted[0]}"


def _unescaped(raw: str) -> str:
    return _ENTITY.sub(_char, raw) if "&" in raw else raw


def _char(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _NAMES[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if code <= _LAST else match[0]


def _escaped(text: str, like: str) -> str:
    """Return *text* escaped; quotes only where *like*, which it replaces, had them escaped too."""
    if "&" not in like:
        return text  # nothing was escaped, so what looks like markup was text before as well
    for name, char in _NAMES.items():
        if char not in "\"'" or f"&{name};" in like:
            text = text.replace(char, f"&{name};")
    return text
