"""The ways to write a search and a download, and which one a device understands.

Firmware differs in list tag, namespace, declaration and form of the search id. One dialect after
the other is tried in a fixed order; the answer is checked by the caller; the winner is kept.
"""

from __future__ import annotations

import uuid

from collections.abc import Mapping
from typing import Any

import attrs

from . import _xml


_KEY = "search"
_VER20 = "http://www.hikvision.com/ver20/XMLSchema"


@attrs.frozen(kw_only=True)
class Dialect:
    """One way to write a search request.

    Attributes:
        list_tag: ``trackList`` (V4.84 needs it) or ``trackIDList`` (V3.4.106, V4.40).
        braces: Whether the search id stands in ``{}``; it is always a GUID.
        namespace: The request's namespace; none is the safest.
        declaration: Whether to begin with ``<?xml …?>``.
        verb: POST everywhere so far; the guide allows GET.
        page: Items asked for per page; devices cap at 30 to 64, some answer 400 above it.
    """

    list_tag: str = "trackList"
    braces: bool = True
    namespace: str | None = None
    declaration: bool = False
    verb: str = "POST"
    page: int = 40

    def body(self, search_id: uuid.UUID, track: str, start: str, end: str, position: int) -> bytes:
        """Write the ``CMSearchDescription``.

        ``searchResultPostion`` is the device's own spelling; the correct one is ignored or
        refused. One track and one time span per search: more is not safe anywhere.
        """
        text = str(search_id).upper()
        return _xml.build(
            (
                "CMSearchDescription",
                [
                    ("searchID", f"{{{text}}}" if self.braces else text),
                    (self.list_tag, [("trackID", track)]),
                    (
                        "timeSpanList",
                        [("timeSpan", [("startTime", start), ("endTime", end)])],
                    ),
                    ("maxResults", str(self.page)),
                    ("searchResultPostion", str(position)),
                ],
            ),
            attributes={"version": "1.0"},
            namespace=self.namespace,
            declaration=self.declaration,
        )


DIALECTS: tuple[Dialect, ...] = (
    Dialect(),
    Dialect(list_tag="trackIDList"),
    Dialect(braces=False, declaration=True),
    Dialect(namespace=_VER20, declaration=True),
    Dialect(list_tag="trackIDList", namespace=_VER20, declaration=True),
    Dialect(page=20),
    Dialect(verb="GET"),
    Dialect(list_tag="trackIDList", verb="GET"),
)
LIST_TAGS = {"trackList": "trackIDList", "trackIDList": "trackList"}
"""Each list tag's other: an empty answer may mean that a tag was not understood."""

_ALL = tuple(attrs.evolve(dialect, list_tag=tag) for dialect in DIALECTS for tag in LIST_TAGS)


def remember_dialect(dialect: Dialect | None) -> dict[str, Any]:
    """Return *dialect* as JSON values to keep; nothing when none has been learnt."""
    return {} if dialect is None else {_KEY: attrs.asdict(dialect)}


def recall_dialect(learnt: Mapping[str, Any]) -> Dialect | None:
    """Return the dialect in *learnt*, or None.

    It is a hint: one that was kept by another version, or changed by hand, is as good as none.
    """
    fields = learnt.get(_KEY)
    if not isinstance(fields, Mapping):
        return None
    known = [one for one in _ALL if attrs.asdict(one) == dict(fields)]
    return known[0] if known else None


def download_body(playback_uri: str) -> bytes:
    """Write the ``downloadRequest``: the URI exactly as the device issued it, escaped once.

    ``version="1.0"`` is needed on V4.84.
    """
    return _xml.build(
        ("downloadRequest", [("playbackURI", playback_uri)]), attributes={"version": "1.0"}
    )


def daily_body(year: int, month: int) -> bytes:
    """Write the ``trackDailyParam`` for one month."""
    return _xml.build(
        ("trackDailyParam", [("year", f"{year:04d}"), ("monthOfYear", f"{month:02d}")])
    )
