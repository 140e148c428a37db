"""``ContentMgmt/search`` and ``dailyDistribution``."""

from __future__ import annotations

import calendar
import datetime as dt
import re
import threading
import xml.etree.ElementTree as ET

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from camsync._time import UTC
from camsync.errors import ProtocolError

from ._device import Device
from ._replies import (
    BAD_CONTENT,
    BAD_FORMAT,
    BAD_PARAMETERS,
    DEVICE_ERROR,
    INVALID_OPERATION,
    MANY_SPANS,
    SEARCH_BUSY,
    WRONG_METHOD,
    Delivery,
    Refusal,
    Reply,
    Request,
    html_reply,
    xml_reply,
)
from ._timeline import SimulatedRecording
from ._wire import Wire
from ._xmlout import Element, leaf, leaves, node, rooted


_GUID: Final = re.compile(r"\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
_MOST_SESSIONS: Final = 64
_LAST_YEAR: Final = 2040
_HUGE: Final = 64 * 2**20


def read_xml(body: bytes) -> ET.Element:
    """Parse a request body.

    Raises:
        Refusal: It is no XML.
    """
    try:
        return ET.fromstring(body)  # noqa: S314 - from the tests' own client; expat caps entities
    except ET.ParseError as error:
        raise Refusal(BAD_FORMAT) from error


def local_name(element: ET.Element) -> str:
    """Return the tag without its namespace."""
    return element.tag.rpartition("}")[2]


def texts(root: ET.Element, tag: str) -> list[str]:
    """Return the texts of all elements named *tag*, in any namespace."""
    return [(item.text or "").strip() for item in root.iter() if local_name(item) == tag]


def refuse_decoration(device: Device, body: bytes, root: ET.Element) -> None:
    """Refuse ``xmlns`` and the XML declaration where the firmware does."""
    if device.who.bare and (root.tag.startswith("{") or body.lstrip().startswith(b"<?xml")):
        raise Refusal(BAD_CONTENT)


@attrs.frozen(kw_only=True)
class _Question:
    """A search request, understood."""

    id: str
    tracks: tuple[int, ...]
    begin: dt.datetime
    until: dt.datetime
    position: int
    most: int

    @property
    def subject(self) -> tuple[object, ...]:
        return self.tracks, self.begin, self.until


class Searches:
    """Answers searches. Remembers the searchIDs it knows: a new one begins at page one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, tuple[tuple[object, ...], dt.datetime]] = OrderedDict()

    def answer(self, device: Device, request: Request) -> Reply:
        """Answer one request.

        Raises:
            Refusal: The device does not like it.
        """
        if request.method != "POST":
            raise Refusal(WRONG_METHOD)
        if device.faults.take("busy-503-search") or not device.searches.take():
            raise Refusal(SEARCH_BUSY)
        try:
            if device.faults.take("slow-search"):
                device.stopped.wait(0.5)
            return self._answer(device, request)
        finally:
            device.searches.give_back()

    def _answer(self, device: Device, request: Request) -> Reply:
        wire = device.wire(std=request.query.get("timeType") == "STD")
        question = _read(device, request, wire)
        if device.faults.take("error-500-search"):
            raise Refusal(DEVICE_ERROR)
        if device.faults.take("not-xml-search"):
            return html_reply(200, "OK", "please log in")
        if device.faults.take("huge-xml"):
            return Reply(delivery=Delivery(chunks=_huge(), announced=None, ending="close"))
        if device.faults.take("wrong-track"):
            question = attrs.evolve(question, tracks=(device.timeline.tracks[0].id,))
        question, now = self._session(device, question)
        found = device.timeline.search(question.tracks, now, question.begin, question.until)
        return _page(device, question, found, wire)

    def _session(self, device: Device, question: _Question) -> tuple[_Question, dt.datetime]:
        """Return the question with its true position, and the moment of its first page."""
        now = device.clock()
        with self._lock:
            known = self._sessions.get(question.id)
            if question.position == 0 or known is None or known[0] != question.subject:
                self._sessions[question.id] = (question.subject, now)
                while len(self._sessions) > _MOST_SESSIONS:
                    self._sessions.popitem(last=False)
                again = device.who.pages and question.position > 0
                return attrs.evolve(question, position=0) if again else question, now
            return question, known[1]


def _read(device: Device, request: Request, wire: Wire) -> _Question:
    root = read_xml(request.body)
    refuse_decoration(device, request.body, root)
    ids = texts(root, "searchID")
    if device.who.guid and not (ids and _GUID.fullmatch(ids[0])):
        raise Refusal(BAD_CONTENT)
    if device.who.misspelt_only and texts(root, "searchResultPosition"):
        raise Refusal(BAD_CONTENT)
    begin, until = _window(device, root, wire)
    return _Question(
        id="".join(ids[:1]).strip("{}").lower(),
        tracks=_tracks(device, root),
        begin=begin,
        until=until,
        position=_number(root, "searchResultPostion", 0),
        most=_most(device, root),
    )


def _number(root: ET.Element, tag: str, default: int) -> int:
    found = texts(root, tag)
    if not found:
        return default
    if not found[0].isdecimal():
        raise Refusal(BAD_CONTENT)
    return int(found[0])


def _most(device: Device, root: ET.Element) -> int:
    cap = device.who.page_cap
    asked = _number(root, "maxResults", cap) or cap
    if asked > cap and device.faults.take("page-cap-400"):
        raise Refusal(BAD_PARAMETERS)
    return min(asked, cap)


def _window(device: Device, root: ET.Element, wire: Wire) -> tuple[dt.datetime, dt.datetime]:
    starts, ends = texts(root, "startTime"), texts(root, "endTime")
    if len(starts) > 1:
        raise Refusal(MANY_SPANS)
    try:
        begin, until = wire.read(starts[0]), wire.read(ends[0])
    except (ProtocolError, IndexError) as error:
        raise Refusal(BAD_CONTENT) from error
    if until <= begin:
        raise Refusal(BAD_CONTENT)
    if device.who.widest is not None:
        if wire.write(until).year >= _LAST_YEAR:
            raise Refusal(BAD_CONTENT)
        if until - begin > device.who.widest:
            raise Refusal(DEVICE_ERROR, "Tag 13 is invalid")
    return begin, until


def _tracks(device: Device, root: ET.Element) -> tuple[int, ...]:
    asked = [
        text
        for item in root.iter()
        if local_name(item) in device.who.list_tags
        for text in texts(item, "trackID")
    ]
    known = {track.id for track in device.timeline.tracks}
    good = tuple(int(text) for text in asked if text.isdecimal() and int(text) in known)
    if len(good) < len(asked) and device.who.bad_track == "400":
        raise Refusal(BAD_PARAMETERS, "Invalid track id.")
    # A device that found no track it knows searches the first one (HiWatch DS-N308).
    return good or (device.timeline.tracks[0].id,)


def _page(
    device: Device, question: _Question, found: Sequence[SimulatedRecording], wire: Wire
) -> Reply:
    who = device.who
    total = len(found) if who.total_cap is None else min(len(found), who.total_cap)
    items = list(found[question.position : min(question.position + question.most, total)])
    if not items and (who.empty == "403" or device.faults.take("empty-403")):
        raise Refusal(INVALID_OPERATION)
    more = question.position + len(items) < total
    if device.faults.take("duplicate-items"):
        items = [item for item in items for _ in range(2)]
    children = [
        *leaves(
            searchID=f"{{{question.id}}}",
            responseStatus=True,
            responseStatusStrg=("MORE" if more else "OK") if items else "NO MATCHES",
        )
    ]
    if who.total_matches and items:
        children.append(leaf("totalMatches", total))
    children.append(leaf("numOfMatches", total if items else 0))
    if items:
        children.append(node("matchList", *(_item(device, item, wire) for item in items)))
    elif who.empty == "blank":
        children.append(Element("matchList", blank=True))
    return xml_reply(who, rooted(who, "CMSearchResult", children))


def _item(device: Device, recording: SimulatedRecording, wire: Wire) -> Element:
    segment = leaves(
        contentType="video",
        # Not the codec: an H.265 recording says the same.
        codecType="H.264-BP",
        playbackURI=device.playback_uri(recording, wire),
    )
    if device.who.item_names:
        segment += leaves(lockStatus="unlock", name=recording.name)
    return node(
        "searchMatchItem",
        *leaves(sourceID="{00000000-0000-0000-0000-000000000000}", trackID=recording.track),
        node(
            "timeSpan",
            *leaves(startTime=wire.long(recording.start), endTime=wire.long(recording.end)),
        ),
        node("mediaSegmentDescriptor", *segment),
        node(
            "metadataMatches",
            leaf("metadataDescriptor", f"recordType.meta.hikvision.com/{recording.kind}"),
        ),
    )


def _huge() -> Iterator[bytes]:
    yield b'<?xml version="1.0" encoding="UTF-8" ?>\n<CMSearchResult>\n<matchList>\n'
    line = b"<searchMatchItem></searchMatchItem>\n"
    piece = line * (2**18 // len(line))
    for _ in range(_HUGE // len(piece) + 1):
        yield piece
    yield b"</matchList>\n</CMSearchResult>\n"


def daily_distribution(device: Device, track: int, request: Request) -> Reply:
    """``POST ContentMgmt/record/tracks/{id}/dailyDistribution``: the device's own days."""
    if request.method != "POST":
        raise Refusal(WRONG_METHOD)
    if device.timeline.track(track) is None:
        raise Refusal(BAD_PARAMETERS, "Invalid track id.")
    root = read_xml(request.body)
    refuse_decoration(device, request.body, root)
    year, month = _number(root, "year", 0), _number(root, "monthOfYear", 0)
    if not (1970 <= year < _LAST_YEAR and 1 <= month <= 12):
        raise Refusal(BAD_PARAMETERS)
    days = range(1, calendar.monthrange(year, month)[1] + 1)
    items = [
        node("day", *_day(number, _recorded(device, track, dt.date(year, month, number))))
        for number in days
    ]
    answer = rooted(device.who, "trackDailyDistribution", (node("dayList", *items),))
    return xml_reply(device.who, answer)


def _day(number: int, recorded: Iterable[SimulatedRecording]) -> tuple[Element, ...]:
    kinds = {item.kind for item in recorded}
    children = leaves(id=number, dayOfMonth=number, record=bool(kinds))
    if kinds:
        children += leaves(recordType="time" if "timing" in kinds else "event")
    return children


def _recorded(device: Device, track: int, day: dt.date) -> Sequence[SimulatedRecording]:
    now = device.clock()
    begin, until = (
        dt.datetime.combine(date, dt.time(), device.zone).astimezone(UTC)
        for date in (day, day + dt.timedelta(days=1))
    )
    # What is pre-allocated for tomorrow is not recorded yet.
    if begin >= now:
        return ()
    return device.timeline.search((track,), now, begin, until)[:16]
