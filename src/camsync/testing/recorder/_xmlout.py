"""XML as recorders write it: one element a line, no indent, empty lists as ``<x></x>``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

import attrs

from ._personality import Personality


@attrs.frozen
class Element:
    """An element with text or with children."""

    tag: str
    text: str = ""
    children: tuple[Element, ...] = ()
    attributes: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    blank: bool = False

    def lines(self) -> Iterator[str]:
        """Yield the lines of the element."""
        attributes = "".join(f" {name}={quoteattr(text)}" for name, text in self.attributes.items())
        if not self.children and not self.blank:
            yield f"<{self.tag}{attributes}>{escape(self.text)}</{self.tag}>"
            return
        yield f"<{self.tag}{attributes}>"
        for child in self.children:
            yield from child.lines()
        yield f"</{self.tag}>"


def leaf(tag: str, value: object = "", **attributes: str) -> Element:
    """Return an element with text; booleans become ``true`` and ``false``."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Element(tag, text, attributes=attributes)


def node(tag: str, *children: Element, **attributes: str) -> Element:
    """Return an element with children, in the order given."""
    return Element(tag, children=children, attributes=attributes)


def leaves(**values: object) -> tuple[Element, ...]:
    """Return one leaf for each keyword."""
    return tuple(leaf(tag, value) for tag, value in values.items())


def rooted(who: Personality, tag: str, children: Iterable[Element], **attributes: str) -> Element:
    """Return an element with the device's ``version`` and ``xmlns``, as roots and items have."""
    named = {"xmlns": who.namespace} if who.namespace else {}
    return Element(
        tag, children=tuple(children), attributes={"version": who.version, **named, **attributes}
    )


def document(who: Personality, root: Element) -> bytes:
    """Write a document: recorders put a blank before ``?>`` and end lines with LF, cameras CRLF."""
    if who.is_camera:
        lines, end = ['<?xml version="1.0" encoding="UTF-8"?>'], "\r\n"
    else:
        lines, end = ['<?xml version="1.0" encoding="UTF-8" ?>'], "\n"
    lines.extend(root.lines())
    return "".join(line + end for line in lines).encode()
