"""Search answers: from XML to matches, from matches to recordings. No I/O."""

from __future__ import annotations

import datetime as dt
import logging

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

import attrs

from ..._time import DeviceClock, WireTime
from ...errors import ProtocolError
from ...models import DeviceId, Recording, RecordingKey, RecordingKind
from . import _xml
from ._inventory import PROVIDER, split_track


_log = logging.getLogger("camsync.hikvision")

MORE = "MORE"
_VIDEO = frozenset({"", "video"})  # pictures, sound and metadata come in the same lists
_SHORTEST = dt.timedelta(seconds=1)  # the wire counts whole seconds
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


@attrs.frozen(kw_only=True)
class Match:
    """One ``searchMatchItem`` as the device wrote it."""

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
    matches = () if found is None else _xml.children(found, "searchMatchItem")
    total = _xml.number(root, "totalMatches")
    return Page(
        matches=[_read_match(item) for item in matches],
        more=_xml.text(root, "responseStatusStrg").upper() == MORE,
        total=total if total is not None else _xml.number(root, "numOfMatches"),
    )


def _read_match(item: _xml.Element) -> Match:
    """Read one item in a single walk: a search can have 100,000 of them."""
    fields: dict[str, str] = {}
    for child in item.iter():
        value = child.text
        if value is not None and isinstance(child.tag, str):
            fields.setdefault(child.tag.rpartition("}")[2], value)
    uri = fields.get("playbackURI", "").strip()
    query = uri_fields(uri)
    return Match(
        track=fields.get("trackID", "").strip(),
        start=fields.get("startTime", "").strip(),
        end=fields.get("endTime", "").strip(),
        uri=uri,
        name=query.get("name") or fields.get("name", "").strip(),
        content=fields.get("contentType", "").strip().lower(),
        descriptor=fields.get("metadataDescriptor", "").strip(),
        size=_size(query.get("size", "")),
    )


def uri_fields(uri: str) -> Mapping[str, str]:
    """Return the query fields of a ``playbackURI``: starttime, endtime, name, size."""
    query = uri.partition("?")[2]
    pairs = (part.partition("=") for part in query.split("&"))
    return {name.lower(): unquote(value) for name, found, value in pairs if found}


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
        return sorted(made, key=lambda recording: recording.key)

    def recording(self, match: Match, previous: dt.datetime | None = None) -> Recording:
        """Make a `Recording`; wire times become UTC.

        Args:
            previous: The start of the segment before. In autumn it settles which of two equal
                wall-clock hours is meant: segments come in the order of their start.

        Raises:
            ProtocolError: A time is missing or unreadable.
        """
        start_wire, end_wire = WireTime.parse(match.start), WireTime.parse(match.end)
        start = self._not_before(previous, start_wire)
        end = self._not_before(start + _SHORTEST, end_wire)
        channel, stream = split_track(match.track)
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
            end=max(end, start + _SHORTEST),
            size=match.size,
            kind=_kind(match.descriptor),
            in_progress=end > self.newest,
            utc_offset=self.clock.local(start).utcoffset(),
            raw=match.raw,
        )

    def _not_before(self, earliest: dt.datetime | None, wire: WireTime) -> dt.datetime:
        """Return *wire* in UTC: the second of two readings if the first lies before *earliest*."""
        first = self.clock.from_wire(wire)
        if earliest is None or first >= earliest:
            return first
        again = self.clock.from_wire(WireTime(wire.wall.replace(fold=1), wire.offset))
        return max(first, again)


def _size(digits: str) -> int | None:
    plain = digits.isascii() and digits.isdigit() and len(digits) < len("9223372036854775808")
    return (int(digits) or None) if plain else None


def _kind(descriptor: str) -> RecordingKind:
    if not descriptor:
        return RecordingKind.UNKNOWN
    word = descriptor.rpartition("/")[2].lower()
    return _KINDS.get(word, RecordingKind.EVENT)
