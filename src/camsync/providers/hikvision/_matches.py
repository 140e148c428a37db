"""Search answers: from XML to matches, from matches to recordings. No I/O."""

from __future__ import annotations

import datetime as dt
import functools
import logging
import operator
import re

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import attrs

from ..._time import DeviceClock, WireReader, WireTime
from ...errors import ProtocolError
from ...models import DeviceId, Recording, RecordingKey, RecordingKind
from . import _xml
from ._inventory import PROVIDER, split_track


_log = logging.getLogger("camsync.hikvision")

MORE = "MORE"
_VIDEO = frozenset({"", "video"})  # pictures, sound and metadata come in the same lists
_SHORTEST = dt.timedelta(seconds=1)  # the wire counts whole seconds
_ORDER = operator.attrgetter("key.channel", "key.stream", "key.start", "key.item")
"""The order of one device's keys: comparing the keys themselves builds two tuples each time."""

_MOST_DIGITS = 18
"""Of a size: more do not fit into 63 bits."""

_USUAL_END = re.compile(rf"[^?]*\?[^?]*&name=([^&%]+)&size=(\d{{1,{_MOST_DIGITS}}})", re.ASCII)
_place = functools.lru_cache(maxsize=64)(split_track)

_KINDS = {
    "timing": RecordingKind.CONTINUOUS,
    "cmr": RecordingKind.CONTINUOUS,
    "motion": RecordingKind.MOTION,
    "vmd": RecordingKind.MOTION,
    "alarm": RecordingKind.ALARM,
    "alarmandmotion": RecordingKind.ALARM,
    "manual": RecordingKind.MANUAL,
    "command": RecordingKind.MANUAL,
}
_ITEM = "searchMatchItem"
_FIELDS = (
    "trackID",
    "startTime",
    "endTime",
    "playbackURI",
    "name",
    "contentType",
    "metadataDescriptor",
)


class Match(NamedTuple):
    """One ``searchMatchItem`` as the device wrote it; a tuple is made in half the time."""

    track: str
    start: str
    end: str
    uri: str
    name: str
    content: str
    descriptor: str
    size: int | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from others; the end may still move."""
        return self.track, self.name, self.start

    @property
    def raw(self) -> Mapping[str, str]:
        """The fields under the device's own names."""
        return {
            "trackID": self.track,
            "startTime": self.start,
            "endTime": self.end,
            "playbackURI": self.uri,
            "name": self.name,
            "contentType": self.content,
            "metadataDescriptor": self.descriptor,
        }


@attrs.frozen(kw_only=True)
class Page:
    """One answer to a search.

    Attributes:
        more: Whether the device says that there is more.
        total: The total of the query, if said. ``numOfMatches`` is the *total* on real recorders
            (68 with 30 items in the page, V4.84.031), so it says nothing about the page.
    """

    matches: Sequence[Match]
    more: bool
    total: int | None


def read_page(root: _xml.Element) -> Page:
    """Read a ``CMSearchResult``; a missing and an empty ``matchList`` are the same.

    Raises:
        ProtocolError: It is another document.
    """
    if _xml.local(root) != "CMSearchResult":
        msg = f"the device answers a search with <{_xml.local(root)[:40]}>"
        raise ProtocolError(msg)
    found = _xml.find(root, "matchList")
    total = _xml.number(root, "totalMatches")
    return Page(
        matches=[] if found is None else [_match(row) for row in _xml.rows(found, _ITEM, _FIELDS)],
        more=_xml.text(root, "responseStatusStrg").upper() == MORE,
        total=total if total is not None else _xml.number(root, "numOfMatches"),
    )


def _match(row: Sequence[str | None]) -> Match:
    track, start, end, uri, element, content, descriptor = row
    name, size = _name_and_size(uri or "")
    return Match(
        track or "",
        start or "",
        end or "",
        uri or "",
        name or element or "",
        content.lower() if content else "",
        descriptor or "",
        size,
    )


def _name_and_size(uri: str) -> tuple[str, int | None]:
    """Return what `uri_fields` says of the file, where it can without making the dictionary.

    Every recorder that is known ends its URIs in the usual way: a twentieth of the whole time.
    """
    usual = _USUAL_END.fullmatch(uri)
    if usual is not None:
        return usual[1], int(usual[2]) or None
    fields = uri_fields(uri)
    return fields.get("name", ""), _size(fields.get("size", ""))


def uri_fields(uri: str) -> Mapping[str, str]:
    """Return the query fields of a ``playbackURI``: starttime, endtime, name, size."""
    fields: dict[str, str] = {}
    for part in uri.partition("?")[2].split("&"):
        name, found, value = part.partition("=")
        if found:
            fields[name.lower()] = unquote(value) if "%" in value else value
    return fields


@attrs.frozen(kw_only=True)
class Maker:
    """Makes recordings of one device from matches.

    Attributes:
        newest: Segments that end after this instant are still being written or settling.
    """

    device: DeviceId
    clock: DeviceClock
    channel_name: str
    newest: dt.datetime
    _reader: WireReader = attrs.field(init=False, repr=False, eq=False)

    @_reader.default
    def _read_with(self) -> WireReader:
        return WireReader(self.clock)

    def recordings(self, matches: Iterable[Match]) -> list[Recording]:
        """Make recordings from matches in the device's order; return them oldest first.

        An item with unreadable times is left out, with a warning in the log: it must not hide
        the others.
        """
        made: list[Recording] = []
        for match in matches:
            if match.content not in _VIDEO:
                continue
            try:
                made.append(self.recording(match, made[-1].start if made else None))
            except ProtocolError as error:
                _log.warning("left out an item that makes no sense: %s", error.message)
        return sorted(made, key=_ORDER)

    def recording(self, match: Match, previous: dt.datetime | None = None) -> Recording:
        """Make a `Recording`; wire times become UTC.

        Args:
            previous: The start of the segment before. In autumn it settles which of two equal
                wall-clock hours is meant: segments come in the order of their start.

        Raises:
            ProtocolError: A time is missing or unreadable.
        """
        start = self._reader.utc(match.start)
        if previous is not None and start < previous:
            start = self._second(match.start, start)
        earliest = start + _SHORTEST
        end = self._reader.utc(match.end)
        if end < earliest:
            end = self._second(match.end, end)
        channel, stream = _place(match.track)
        key = RecordingKey(
            provider=PROVIDER,
            device=self.device,
            channel=channel,
            stream=stream,
            start=start,
            item=match.name,
        )
        return Recording(
            key=key,
            channel_name=self.channel_name,
            start=start,
            end=max(end, earliest),
            size=match.size,
            kind=_kind(match.descriptor),
            in_progress=end > self.newest,
            utc_offset=self._reader.offset(start),
            raw=match.raw,
        )

    def _second(self, text: str, first: dt.datetime) -> dt.datetime:
        """Return the second of two readings of a time; *first* where there is only one."""
        wire = WireTime.parse(text)
        again = self.clock.from_wire(WireTime(wire.wall.replace(fold=1), wire.offset))
        return max(first, again)


def _size(digits: str) -> int | None:
    plain = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    return (int(digits) or None) if plain else None


@functools.lru_cache(maxsize=64)
def _kind(descriptor: str) -> RecordingKind:
    if not descriptor:
        return RecordingKind.UNKNOWN
    word = descriptor.rpartition("/")[2].lower()
    return _KINDS.get(word, RecordingKind.EVENT)
