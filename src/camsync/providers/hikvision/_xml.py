"""ISAPI documents: read without trust, written without string formatting.

Eight namespaces and none occur in real answers, up to three in one device, so elements are found
by local name only. The only importer of lxml.
"""

from __future__ import annotations

import re

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from lxml import etree

from ...errors import ProtocolError


Element: TypeAlias = "etree._Element"  # noqa: SLF001 - lxml has no public name for it
Node: TypeAlias = "tuple[str, str | list[Node]]"
_MAX_DEPTH = 64
_MOST_TAGS = 400_000
"""Opening and closing ones. The largest answer that a cap of 4 MiB admits, a page of 7,000 matches,
has half as many; a million empty elements would take seconds and 200 MiB."""

_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_SHOWN = 60


def parse(body: bytes, what: str) -> Element:
    """Parse an answer.

    Entities, DTDs and the network are off; the size is capped by the transport, depth and number
    of elements here.

    Args:
        what: The document for error messages, ``"System/time"``.

    Raises:
        ProtocolError: The bytes are no XML, XML with a document type, or too many elements.
    """
    # Nearly all answers are too short to be looked through for that.
    if len(body) > _MOST_TAGS and body.count(b"<") > _MOST_TAGS:
        msg = f"the answer to {what} has more than {_MOST_TAGS // 2} elements"
        raise ProtocolError(msg, next_step="is this the address of a recorder?")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(body.lstrip(b"\xef\xbb\xbf \t\r\n"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        msg = f"the answer to {what} is not XML: it begins with {body[:_SHOWN]!r}"
        raise ProtocolError(msg) from error
    if root.getroottree().docinfo.internalDTD is not None:
        msg = f"the answer to {what} brings a document type, which no device needs"
        raise ProtocolError(msg)
    return root


def local(element: Element) -> str:
    """Return the tag without its namespace; empty for comments."""
    tag: object = element.tag  # a function for comments, whatever the stubs say
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: Element, name: str) -> Iterator[Element]:
    """Yield the direct children called *name*."""
    return (child for child in element if local(child) == name)


def rows(element: Element, item: str, fields: Sequence[str]) -> list[list[str | None]]:
    """Return the first stripped text of each of *fields* below each *item*, however deep it is.

    The texts stand in the order of *fields*; None is what is missing. One pass for all of
    *element*: a search can have 100,000 items.
    """
    places = {name: place for place, name in enumerate(fields)}
    known: dict[str, int | None] = {}  # by tag, as a document can have many namespaces
    blank: list[str | None] = [None] * len(fields)
    row = blank.copy()  # takes what stands before the first item, for nobody
    found: list[list[str | None]] = []
    for child in element.iter(f"{{*}}{item}", *(f"{{*}}{name}" for name in fields)):
        tag = child.tag
        if tag not in known:
            known[tag] = places.get(local(child))
        place = known[tag]
        if place is None:
            row = blank.copy()
            found.append(row)
        elif row[place] is None and (words := child.text) is not None:
            row[place] = words.strip()
    return found


def find(element: Element | None, *path: str) -> Element | None:
    """Follow *path* through first children, or return None."""
    for name in path:
        if element is None:
            return None
        element = next(children(element, name), None)
    return element


def text(element: Element | None, *path: str) -> str:
    """Return the stripped text at *path*; an empty text when it is missing."""
    found = find(element, *path)
    return (found.text or "").strip() if found is not None else ""


def number(element: Element | None, *path: str) -> int | None:
    """Return the whole number at *path*, or None when it is missing or no number."""
    digits = text(element, *path)
    return int(digits) if _NUMBER.fullmatch(digits) else None


def flag(element: Element | None, *path: str) -> bool | None:
    """Return the boolean at *path*, or None when it is missing or neither true nor false."""
    return {"true": True, "false": False, "1": True, "0": False}.get(text(element, *path).lower())


def to_dict(element: Element, depth: int = 0) -> Mapping[str, Any]:
    """Return an element's children as nested dictionaries, lists where a name repeats."""
    found: dict[str, list[Any]] = {}
    for child in element:
        name = local(child)
        if name and depth <= _MAX_DEPTH:
            value = to_dict(child, depth + 1) if len(child) else (child.text or "").strip()
            found.setdefault(name, []).append(value)
    return {name: held if len(held) > 1 else held[0] for name, held in found.items()}


def build(
    node: Node,
    *,
    attributes: Mapping[str, str] | None = None,
    namespace: str | None = None,
    declaration: bool = False,
) -> bytes:
    """Write a request body from nested ``(name, text or children)`` pairs.

    Args:
        attributes: Attributes of the root.
        namespace: The default namespace; some firmware rejects any (DS-7616NXI V4.84).
        declaration: Whether to begin with ``<?xml …?>``; the same firmware rejects that too.
    """
    root = _element(node, namespace, {None: namespace} if namespace else None)
    for name, value in (attributes or {}).items():
        root.set(name, value)
    if declaration:
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return etree.tostring(root)


def _element(node: Node, namespace: str | None, nsmap: Mapping[None, str] | None) -> Element:
    name, content = node
    tag = f"{{{namespace}}}{name}" if namespace else name
    element = etree.Element(tag, nsmap=nsmap)  # type: ignore[arg-type]  # stubs want a dict
    if isinstance(content, str):
        element.text = content
    else:
        element.extend([_element(child, namespace, nsmap) for child in content])
    return element
