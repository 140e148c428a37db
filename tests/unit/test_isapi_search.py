"""Search answers: matches, recordings, dialects and windows, without a device."""

from __future__ import annotations

import datetime as dt
import re
import uuid

from collections.abc import Iterator

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import DeviceId, ProtocolError, Recording, RecordingKey, RecordingKind, TimeSpan
from camsync._time import UTC, DeviceClock, ZMeaning
from camsync._zone import DeviceZone
from camsync.providers.hikvision import _xml
from camsync.providers.hikvision._dialect import DIALECTS, daily_body, download_body
from camsync.providers.hikvision._matches import Maker, Match, read_page, uri_fields
from camsync.providers.hikvision._search import Once, wire_bounds


BERLIN = DeviceZone.parse("CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00")
URI = (
    "rtsp://192.168.1.64/Streaming/tracks/101/?starttime=20260926T001339Z&endtime=20260926T005957Z"
    "&name=00000000214000000&size=1063577704"
)


def _clock(meaning: ZMeaning = ZMeaning.LOCAL) -> DeviceClock:
    return DeviceClock(zone=BERLIN, z_means=meaning)


def _item(
    start: str = "2026-09-26T00:13:39Z", end: str = "2026-09-26T00:59:57Z", **more: str
) -> str:
    uri = more.get("uri", URI).replace("&", "&amp;")
    kind = more.get("kind", "recordType.meta.hikvision.com/timing")
    return (
        f"<searchMatchItem><sourceID>{{0}}</sourceID><trackID>{more.get('track', '101')}</trackID>"
        f"<timeSpan><startTime>{start}</startTime><endTime>{end}</endTime></timeSpan>"
        f"<mediaSegmentDescriptor><contentType>video</contentType><codecType>H.264-BP</codecType>"
        f"<playbackURI>{uri}</playbackURI>{more.get('extra', '')}</mediaSegmentDescriptor>"
        f"<metadataMatches><metadataDescriptor>{kind}"
        "</metadataDescriptor></metadataMatches></searchMatchItem>"
    )


def _result(*items: str, status: str = "OK", **more: str) -> _xml.Element:
    totals = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    text = (
        '<CMSearchResult version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">'
        f"<responseStatus>true</responseStatus><responseStatusStrg>{status}</responseStatusStrg>{totals}"
        f"<matchList>\n{''.join(items)}</matchList></CMSearchResult>"
    )
    return _xml.parse(text.encode(), "a test")


def _maker(meaning: ZMeaning = ZMeaning.LOCAL, newest: dt.datetime | None = None) -> Maker:
    return Maker(
        device=DeviceId("SN"),
        clock=_clock(meaning),
        channel_name="Door",
        newest=newest or dt.datetime(2030, 1, 1, tzinfo=UTC),
    )


def _utc(*fields: int) -> dt.datetime:
    return dt.datetime(*fields, tzinfo=UTC)


def test_a_recording_from_a_match():
    """Wire time becomes UTC, name and size come from the URI, the kind from the descriptor."""
    (match,) = read_page(_result(_item())).matches

    recording = _maker().recording(match)

    assert recording.start == _utc(2026, 9, 25, 22, 13, 39)
    assert recording.end == _utc(2026, 9, 25, 22, 59, 57)
    assert recording.size == 1063577704
    assert recording.kind is RecordingKind.CONTINUOUS
    assert recording.utc_offset == dt.timedelta(hours=2)
    assert recording.local_start.strftime("%H%M%S") == "001339"
    assert recording.key.uri == "hik://SN/101/20260925T221339Z/00000000214000000"
    assert recording.raw["playbackURI"] == URI
    assert not recording.in_progress


def test_utc_devices_and_real_offsets():
    """Z as true UTC, and offsets that mean what they say, even without a colon."""
    page = read_page(
        _result(_item(), _item("2026-06-27T16:51:55+0530", "2026-06-27T17:00:00+05:30"))
    )

    starts = [_maker(ZMeaning.UTC).recording(one).start for one in page.matches]

    assert starts == [_utc(2026, 9, 26, 0, 13, 39), _utc(2026, 6, 27, 11, 21, 55)]


def test_totals_are_not_page_lengths():
    """NumOfMatches counts the query; MORE says whether there is more."""
    page = read_page(_result(_item(), status="MORE", numOfMatches="68"))

    assert (len(page.matches), page.more, page.total) == (1, True, 68)
    assert read_page(_result(totalMatches="3", numOfMatches="1")).total == 3


@pytest.mark.parametrize(
    "text",
    [
        "<CMSearchResult><responseStatusStrg>NO MATCHES</responseStatusStrg></CMSearchResult>",
        "<CMSearchResult><matchList>\n</matchList></CMSearchResult>",
        "<CMSearchResult><matchList/><numOfMatches>0</numOfMatches></CMSearchResult>",
    ],
)
def test_empty_in_all_shapes(text: str):
    """No list, a blank list and NO MATCHES are the same: nothing found."""
    page = read_page(_xml.parse(text.encode(), "a test"))

    assert list(page.matches) == []
    assert not page.more


def test_another_document_is_an_error():
    """A search is not answered with something else."""
    with pytest.raises(ProtocolError, match="DeviceInfo"):
        read_page(_xml.parse(b"<DeviceInfo/>", "a test"))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("recordType.meta.hikvision.com/motion", RecordingKind.MOTION),
        ("recordType.meta.isapi.com/MOTION", RecordingKind.MOTION),
        ("recordType.meta.std-cgi.com/allEvent", RecordingKind.EVENT),
        ("recordType.meta.hikvision.com/manual", RecordingKind.MANUAL),
        ("", RecordingKind.UNKNOWN),
    ],
)
def test_kinds(word: str, kind: RecordingKind):
    """The descriptor's last word says why it was recorded; a new word is some event."""
    (match,) = read_page(_result(_item(kind=word))).matches

    assert _maker().recording(match).kind is kind


def test_names_and_sizes_may_be_missing():
    """The name may stand in its own element; an absurd size is no size."""
    uri = "rtsp://h/Streaming/tracks/101/?starttime=x&size=99999999999999999999"
    (match,) = read_page(_result(_item(uri=uri, extra="<name>ch01_08</name>"))).matches
    recording = _maker().recording(match)

    assert match.name == "ch01_08"
    assert recording.size is None
    assert uri_fields("rtsp://h/no-query") == {}


_PARTS = st.sampled_from(
    [
        *(
            "name=",
            "NAME=",
            "size=",
            "Size=",
            "\u017fize=",
            "name",
            "starttime=",
            "&",
            "&",
            "?",
            "=",
        ),
        *(
            "%26",
            "%C3%A9",
            "00000000214000000",
            "1063577704",
            "0",
            "9" * 19,
            "\uff11\uff12",
            " ",
            "\n",
        ),
    ]
)
_QUERIES = st.lists(_PARTS, max_size=12).map("".join)


@given(st.one_of(_QUERIES, _QUERIES.map("rtsp://h/?{}&name=a?b&size=12".format)))
def test_the_usual_uri_is_read_like_the_others(query: str):
    """Name and size are what the query's fields say, with and without the short way."""
    uri = f"rtsp://h/tracks/101/?{query}"
    (match,) = read_page(_result(_item(uri=uri))).matches
    fields = uri_fields(uri.strip())
    size = fields.get("size", "")

    assert fields.get("name", "") == match.name
    assert (int(size) or None if re.fullmatch(r"[0-9]{1,18}", size) else None) == match.size


def test_in_progress_by_its_end():
    """An end in the future, or within the settle time, means that it is still being written."""
    (match,) = read_page(_result(_item())).matches

    early = _maker(newest=_utc(2026, 9, 25, 22, 30)).recording(match)

    assert early.in_progress


def test_a_segment_without_length_gets_a_second():
    """Start and end in the same second: the wire counts no finer."""
    (match,) = read_page(_result(_item("2026-09-26T00:00:00Z", "2026-09-26T00:00:00Z"))).matches

    assert _maker().recording(match).duration == dt.timedelta(seconds=1)


def test_the_hour_that_happens_twice():
    """In autumn the order of the segments settles which of two equal hours is meant."""
    walls = ["01:50", "02:10", "02:30", "02:50", "02:10", "02:30", "02:50", "03:10"]
    page = read_page(
        _result(*(_item(f"2026-10-25T{wall}:00Z", f"2026-10-25T{wall}:59Z") for wall in walls))
    )

    recordings = _maker().recordings(page.matches)

    minutes = [(one.start - _utc(2026, 10, 24, 23, 50)).total_seconds() / 60 for one in recordings]
    assert minutes == [0, 20, 40, 60, 80, 100, 120, 140]
    assert {one.duration.total_seconds() for one in recordings} == {59}
    assert [one.utc_offset.total_seconds() / 3600 for one in recordings] == [2] * 4 + [1] * 4


def test_a_nested_file_is_no_second_hour():
    """A sub-file inside the one before keeps its own start, in the repeated hour too."""
    page = read_page(
        _result(
            _item("2026-10-25T02:05:00Z", "2026-10-25T02:40:00Z"),
            _item("2026-10-25T02:30:00Z", "2026-10-25T02:40:00Z"),
        )
    )

    starts = [one.start for one in _maker().recordings(page.matches)]

    assert starts == [_utc(2026, 10, 25, 0, 5), _utc(2026, 10, 25, 0, 30)]


def test_a_segment_across_the_autumn_change():
    """Its end is written an hour early; it is the second of that name."""
    (match,) = read_page(_result(_item("2026-10-25T02:50:00Z", "2026-10-25T02:05:00Z"))).matches

    recording = _maker().recording(match)

    assert recording.start == _utc(2026, 10, 25, 0, 50)
    assert recording.end == _utc(2026, 10, 25, 1, 5)


def test_an_unreadable_item_hides_no_other(caplog):
    """What makes no sense is left out with a warning."""
    page = read_page(_result(_item("0000-00-00T00:00:00Z"), _item()))

    assert len(_maker().recordings(page.matches)) == 1
    assert "makes no sense" in caplog.text


def test_wire_bounds_cover_the_window():
    """Across the autumn change the widest reading is sent, else the plain one."""
    autumn = TimeSpan(_utc(2026, 10, 24, 22), _utc(2026, 10, 25, 1, 15))
    second = TimeSpan(_utc(2026, 10, 25, 1, 15), _utc(2026, 10, 25, 3))
    summer = TimeSpan(_utc(2026, 7, 1), _utc(2026, 7, 2))

    assert wire_bounds(autumn, _clock()) == ("2026-10-24T22:00:00Z", "2026-10-25T03:15:00Z")
    assert wire_bounds(second, _clock()) == ("2026-10-25T01:15:00Z", "2026-10-25T05:00:00Z")
    assert wire_bounds(summer, _clock()) == ("2026-07-01T02:00:00Z", "2026-07-02T02:00:00Z")
    assert wire_bounds(summer, _clock(ZMeaning.UTC)) == (
        "2026-07-01T00:00:00Z",
        "2026-07-02T00:00:00Z",
    )


@given(st.datetimes(dt.datetime(2026, 10, 24), dt.datetime(2026, 10, 26)), st.integers(1, 600))
def test_no_recording_of_a_fold_day_is_lost(begin: dt.datetime, minutes: int):
    """Whatever window is asked for around the change, the wall times inside lie in its bounds."""
    window = TimeSpan(
        begin.replace(tzinfo=UTC), begin.replace(tzinfo=UTC) + dt.timedelta(minutes=minutes)
    )
    first, last = wire_bounds(window, _clock())

    for share in range(11):
        moment = window.start + window.duration * share / 10
        assert first <= _clock().to_wire(moment) <= last


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_well_formed(dialect):
    """Each way to write a search parses, carries a GUID and the device's own spelling."""
    root = _xml.parse(dialect.body(uuid.uuid4(), "1001", "a", "b", 40), "a test")

    assert _xml.text(root, dialect.list_tag, "trackID") == "1001"
    assert _xml.text(root, "searchResultPostion") == "40"
    assert uuid.UUID(_xml.text(root, "searchID"))


def test_requests_escape_what_they_carry():
    """A playback URI goes back exactly as it came."""
    root = _xml.parse(download_body(URI + "&x=<&>"), "a test")

    assert _xml.text(root, "playbackURI") == URI + "&x=<&>"
    assert daily_body(2021, 8) == (
        b"<trackDailyParam><year>2021</year><monthOfYear>08</monthOfYear></trackDailyParam>"
    )


@given(
    st.builds(
        Match,
        track=st.sampled_from(["101", "", "x"]),
        start=st.one_of(st.just("2026-09-26T00:13:39Z"), st.text(max_size=20)),
        end=st.one_of(st.just("2026-09-26T00:13:49Z"), st.text(max_size=20)),
        uri=st.text(max_size=60),
        name=st.text(max_size=20),
        content=st.text(max_size=5),
        descriptor=st.text(max_size=20),
    )
)
def test_no_match_breaks_the_maker(match: Match):
    """Nonsense in any field ends in a recording or in a ProtocolError."""
    try:
        recording = _maker().recording(match)
    except ProtocolError:
        return
    assert recording.end > recording.start


def test_only_video_becomes_recordings():
    """Pictures and metadata in the same list are left out; the order is by time."""
    late, early = _item("2026-09-26T02:00:00Z", "2026-09-26T02:10:00Z"), _item()
    picture = early.replace("<contentType>video", "<contentType>picture")
    page = read_page(_result(late, picture, early))

    recordings = _maker().recordings(page.matches)

    assert [one.start.hour for one in recordings] == [22, 0]


_SPAN = TimeSpan(_utc(2026, 7, 1, 6), _utc(2026, 7, 9))


def _piece(begin: float, hours: float, *, name: str = "", growing: bool = False) -> Recording:
    start = _SPAN.start + dt.timedelta(hours=begin)
    return Recording(
        key=RecordingKey(
            provider="hikvision", device=DeviceId("S"), channel="1", start=start, item=name
        ),
        channel_name="",
        start=start,
        end=start + dt.timedelta(hours=hours),
        in_progress=growing,
    )


def _listed(pieces: list[Recording], around: dt.timedelta) -> Iterator[tuple[TimeSpan, list]]:
    """Yield the windows of a search, on a device that lists what lies beside a window, too."""
    for window in _SPAN.split():
        wide = window.padded(around)
        yield window, [piece for piece in pieces if piece.span.overlaps(wide)]


@given(
    st.lists(
        st.tuples(st.integers(-30, 230), st.integers(1, 60), st.booleans()),
        max_size=30,
        unique=True,
    ),
    st.sampled_from([0, 2, 14, 23, 1_000]),
)
def test_each_recording_comes_once(begun: list[tuple[int, int, bool]], around: int):
    """What is remembered of a day tells them apart as well as a memory of all of them."""
    pieces = [
        _piece(begin, hours, name=f"{number}", growing=growing)
        for number, (begin, hours, growing) in enumerate(begun)
    ]
    once = Once(_SPAN)
    came = []

    for window, listed in _listed(pieces, dt.timedelta(hours=around)):
        came += [piece.key.item for piece in listed if once.fresh(piece)]
        once.leave(window)

    expected = sorted(piece.key.item for piece in pieces if piece.span.overlaps(_SPAN))
    assert expected == sorted(came)


def test_what_is_being_written_comes_once_though_its_end_moves():
    """A search that is read slowly meets it again in a later window, days longer than before."""
    once = Once(_SPAN)
    windows = list(_SPAN.split())

    assert once.fresh(_piece(1, 1, growing=True))
    for window in windows[:4]:
        once.leave(window)

    assert not once.fresh(_piece(1, 24 * 5))


def test_a_long_search_remembers_a_day():
    """The memory of what came does not grow with the number of windows."""
    once = Once(_SPAN)
    sizes = []

    for window, listed in _listed([_piece(hour, 1) for hour in range(186)], dt.timedelta(0)):
        assert all(once.fresh(piece) for piece in listed if piece.start >= window.start)
        once.leave(window)
        sizes.append(len(once._seen))  # what grew, and is nowhere else to be seen

    assert {24} == set(sizes[:-1])
