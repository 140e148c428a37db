"""Requests and replies, and the error documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs

from ._personality import ISAPI, Personality
from ._xmlout import Element, document, leaf, leaves, rooted


@attrs.frozen(kw_only=True)
class Request:
    """What a client asked: *target* as it stood in the request line, *path* without the query."""

    method: str
    target: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Delivery:
    """A long body and how it is sent.

    Attributes:
        chunks: The bytes.
        announced: What Content-Length says; None leaves it out.
        limit: Bytes after which it ends early, or None.
        ending: ``keep`` the connection, ``close`` it, or ``hang`` on it in silence.
        drip: Whether it comes in tiny pieces.
        finished: Called once when it is over, whatever happened.
    """

    chunks: Iterable[bytes]
    announced: int | None
    limit: int | None = None
    ending: str = "keep"
    drip: bool = False
    finished: Callable[[], None] | None = None


@attrs.frozen(kw_only=True)
class Reply:
    """What the device answers. *reset* breaks the connection instead."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/xml"
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery | None = None
    reset: bool = False


@attrs.frozen(kw_only=True)
class Problem:
    """An error as ``ResponseStatus`` tells it."""

    status: int
    code: int
    text: str
    sub: str
    number: int


def _problem(status: int, code: int, sub: str, number: int) -> Problem:
    text = {
        2: "Device Busy",
        3: "Device Error",
        4: "Invalid Operation",
        5: "Invalid XML Format",
        6: "Invalid XML Content",
    }[code]
    return Problem(status=status, code=code, text=text, sub=sub, number=number)


SEARCH_BUSY: Final = _problem(503, 2, "serviceUnavailable", 0x20000002)
BUSY: Final = _problem(503, 2, "deviceBusy", 0x20000004)
DEVICE_ERROR: Final = _problem(500, 3, "deviceError", 0x30000001)
NOT_SUPPORTED: Final = _problem(403, 4, "notSupport", 0x40000001)
WRONG_METHOD: Final = _problem(403, 4, "methodNotAllowed", 0x40000004)
INVALID_OPERATION: Final = _problem(403, 4, "invalidOperation", 0x40000006)
NO_RECORD: Final = _problem(403, 4, "noRecord", 0x4000109D)
BAD_FORMAT: Final = _problem(400, 5, "badXmlFormat", 0x50000001)
BAD_PARAMETERS: Final = _problem(400, 6, "badParameters", 0x60000001)
BAD_CONTENT: Final = _problem(400, 6, "badXmlContent", 0x60000003)
MANY_SPANS: Final = _problem(400, 6, "timeSpanNumOverLimit", 0x60001044)


class Refusal(Exception):  # noqa: N818 - not an error: the device's answer
    """Ends the handling of a request with an error document; it never leaves the simulator."""

    def __init__(self, problem: Problem, description: str = "") -> None:
        super().__init__(problem.sub)
        self.problem = problem
        self.description = description


def xml_reply(who: Personality, root: Element, status: int = 200) -> Reply:
    """Return a document as the device labels it."""
    kind = "application/xml" if who.is_camera else 'application/xml; charset="UTF-8"'
    return Reply(status=status, body=document(who, root), content_type=kind)


def html_reply(status: int, title: str, words: str) -> Reply:
    """Return a small web page."""
    page = (
        "<!DOCTYPE html>\r\n"
        f"<html><head><title>Document Error: {title}</title></head>\r\n"
        f"<body><h2>Access Error: {status} -- {title}</h2>\r\n<p>{words}</p>\r\n</body>\r\n</html>\r\n"
    )
    return Reply(status=status, body=page.encode(), content_type="text/html")


def error_reply(
    who: Personality,
    url: str,
    problem: Problem,
    *,
    description: str = "",
    status: int | None = None,
) -> Reply:
    """Return *problem* as ``ResponseStatus``; newer recorders add the numeric code."""
    children = leaves(
        requestURL=url,
        statusCode=problem.code,
        statusString=problem.text,
        subStatusCode=problem.sub,
    )
    if description:
        children += (leaf("description", description),)
    if who.namespace == ISAPI:
        children += leaves(errorCode=problem.number, errorMsg=problem.sub)
    return xml_reply(who, rooted(who, "ResponseStatus", children), status or problem.status)
