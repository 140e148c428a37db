"""Search as the simulated devices answer it: dialects, pages, time, emptiness, faults."""

from __future__ import annotations

import datetime as dt
import re
import time
import xml.etree.ElementTree as ET

import attrs
import pytest
import requests

from camsync.testing import PERSONALITIES, RecorderSimulator


GUID = "{CA77BA52-0780-0001-34B2-6120F2501D36}"
OTHER = "{CA77BA52-0780-0001-34B2-6120F2501D37}"
UTC = dt.timezone.utc
NOON = dt.datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
BERLIN = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"


@attrs.frozen
class Page:
    """A search answer, read."""

    status: str
    total: int
    items: list[dict[str, str]]
    text: str
    id: str | None
    root: ET.Element


def _description(
    *,
    tracks=(101,),
    begin="2026-06-01T00:00:00Z",
    until="2026-06-30T23:59:59Z",
    guid=GUID,
    tag="trackList",
    position: object = 0,
    spelling="searchResultPostion",
    most: object = 40,
    spans=1,
    extra="",
    declaration="",
) -> str:
    ids = "".join(f"<trackID>{track}</trackID>" for track in tracks)
    span = f"<timeSpan><startTime>{begin}</startTime><endTime>{until}</endTime></timeSpan>"
    return (
        f"{declaration}<CMSearchDescription{extra}><searchID>{guid}</searchID>"
        f"<{tag}>{ids}</{tag}><timeSpanList>{span * spans}</timeSpanList>"
        f"<maxResults>{most}</maxResults><{spelling}>{position}</{spelling}></CMSearchDescription>"
    )


def _ask(client, query: str = "", **description) -> requests.Response:
    return client.ask(f"ContentMgmt/search{query}", _description(**description))


def _today(client, query: str = "", **description) -> Page:
    """Search 26 hours around the fixed noon."""
    window = {"begin": "2026-06-30T20:00:00Z", "until": "2026-07-02T02:00:00Z"}
    return _page(_ask(client, query, **{**window, **description}))


def _page(reply: requests.Response) -> Page:
    assert 200 == reply.status_code, reply.text
    root = ET.fromstring(reply.content)
    for item in root.iter():
        item.tag = item.tag.rpartition("}")[2]
    items = [
        {leaf.tag: leaf.text or "" for leaf in item.iter()} for item in root.iter("searchMatchItem")
    ]
    return Page(
        root.findtext("responseStatusStrg", ""),
        int(root.findtext("numOfMatches", "")),
        items,
        reply.text,
        root.findtext("searchID"),
        root,
    )


def _refused(reply: requests.Response) -> tuple[int, str]:
    root = ET.fromstring(reply.content)
    return reply.status_code, next(
        item.text or "" for item in root.iter() if item.tag.endswith("subStatusCode")
    )


def _still(client_of, **options):
    """A device whose clock stands at noon."""
    return client_of(**{"clock": lambda: NOON, "hours": 3.0, **options})


def _names(items) -> list[str]:
    return [re.search(r"name=(\w+)", item["playbackURI"])[1] for item in items]


@pytest.mark.parametrize("model", PERSONALITIES)
def test_all_pages_together_are_the_truth(connect, model):
    """With one searchID, and counting items, each model's pages hold each file once."""
    client = _still(connect, model=model, channels=2, z_means="utc", page_cap=11)
    found, page = [], None
    while page is None or page.status == "MORE":
        page = _today(client, position=len(found))
        found += page.items
    expected = client.sim.recordings(1)
    expected = [item for item in expected if item.track == 101]
    assert [item.name for item in expected] == _names(found)
    assert [f"{item.start:%Y-%m-%dT%H:%M:%SZ}" for item in expected] == [
        item["startTime"] for item in found
    ]
    assert [item.size for item in expected] == [
        int(item["playbackURI"].rpartition("=")[2]) for item in found
    ]
    assert len(expected) == page.total > 150


def test_the_number_of_matches_is_the_total(connect):
    """Not the length of the page; and the page is capped in silence."""
    page = _today(_still(connect), most=500)
    assert ("MORE", 40) == (page.status, len(page.items))
    assert page.total > 150
    assert GUID.lower() == page.id
    assert page.root.find("totalMatches") is None


def test_newer_firmware_says_total_matches_too(connect):
    """V4.84 has totalMatches, no lockStatus and no name in the items."""
    page = _today(_still(connect, model="DS-7804N-R2"))
    assert str(page.total) == page.root.findtext("totalMatches")
    assert (30, set()) == (len(page.items), {"lockStatus", "name"} & set(page.items[0]))
    older = _today(_still(connect, model="DS-8632N-I8"))
    assert {"lockStatus", "name"} <= set(older.items[0])


def test_a_new_search_id_starts_again_at_page_one(connect):
    """A recorder ignores the position of a searchID that it does not know; a camera does not."""
    client = _still(connect)
    first = _today(client)
    second = _today(client, position=40)
    again = _today(client, guid=OTHER, position=40)
    other_track = _today(client, tracks=(201,), position=40)
    assert _names(first.items) == _names(again.items)
    assert not set(_names(first.items)) & set(_names(second.items))
    assert client.sim.recordings(2)[0].name == _names(other_track.items)[0]
    camera = _still(connect, model="DS-2CD2185FWD-I")
    begun = _names(_today(camera).items)
    assert begun[0] != _names(_today(camera, guid="search", position=40).items)[0]


def test_old_search_ids_are_forgotten(connect):
    """After many others, a searchID is as good as new."""
    client = _still(connect)
    first = _names(_today(client, most=2).items)
    for number in range(70):
        _today(client, guid=f"CA77BA52-0780-0001-34B2-{number:012d}", most=1)
    assert first == _names(_today(client, most=2, position=2).items)


def test_pages_belong_to_one_moment(connect):
    """Files that begin between two pages do not shift the second page."""
    now = [NOON]
    client = connect(clock=lambda: now[0], hours=3)
    total = _today(client).total
    now[0] += dt.timedelta(minutes=10)
    assert total == _today(client, position=40).total
    assert total + 10 == _today(client).total


def test_files_are_whole_and_oldest_first(connect):
    """A narrow window gives the files around it, unclipped."""
    client = _still(connect, z_means="utc", gap_seconds=1)
    middle = client.sim.recordings(1)[20]
    begin, until = (middle.start + dt.timedelta(seconds=n) for n in (20, 21))
    page = _today(client, begin=f"{begin:%Y-%m-%dT%H:%M:%SZ}", until=f"{until:%Y-%m-%dT%H:%M:%SZ}")
    assert [middle.name] == _names(page.items)
    assert f"{middle.start:%Y-%m-%dT%H:%M:%SZ}" == page.items[0]["startTime"]
    assert "OK" == page.status


def test_the_file_being_written_ends_in_the_future(connect):
    """The last item of a recorder is pre-allocated far beyond its clock."""
    client = _still(connect, z_means="utc", channels=1)
    last = client.sim.recordings(1)[-1]
    page = _today(client, begin="2026-07-01T11:59:58Z", until="2026-07-01T12:00:00Z")
    assert last.in_progress
    assert "2026-07-01T12:17:00Z" < page.items[-1]["endTime"] == f"{last.end:%Y-%m-%dT%H:%M:%SZ}"


# -- Dialects ------------------------------------------------------------------------------------


def test_track_id_list_is_ignored_by_some(connect):
    """DS-N308 and V4.84.101 search track 101 then; others understand both spellings."""
    for model, expected in (("DS-N308", "101"), ("DS-7616NXI-K2", "101"), ("DS-7608NI-K2", "201")):
        client = _still(connect, model=model)
        page = _today(client, tracks=(201,), tag="trackIDList")
        assert {expected} == {item["trackID"] for item in page.items}
        assert "201" == _today(client, tracks=(201,)).items[0]["trackID"]


@pytest.mark.parametrize("model", ["DS-7616NI-K2", "DS-7616NXI-K2", "DS-7616NI-E2"])
def test_recorders_want_a_guid(connect, model):
    """400 badXmlContent for a word, nothing, or half a GUID; braces and case are free."""
    client = _still(connect, model=model)
    for word in ("search", "", GUID[:-2]):
        assert (400, "badXmlContent") == _refused(_ask(client, guid=word))
    for good in (GUID, GUID.strip("{}"), GUID.lower()):
        assert _today(client, guid=good).items
    assert _today(_still(connect, model="DS-2CD2185FWD-I"), guid="search").items


def test_some_refuse_namespace_and_declaration(connect):
    """DS-7616NXI V4.84 wants the bare form, V4.40 takes all."""
    for options in (
        {"extra": ' xmlns="http://www.hikvision.com/ver20/XMLSchema"'},
        {"declaration": '<?xml version="1.0" encoding="utf-8"?>'},
    ):
        reply = _ask(_still(connect, model="DS-7616NXI-K2"), **options)
        assert (400, "badXmlContent") == _refused(reply)
        assert _today(_still(connect, model="DS-7608NI-K2"), **options).items


def test_the_right_spelling_of_position(connect):
    """It is ignored, or refused by DVR-208G-M1."""
    client = _still(connect)
    first = _today(client)
    ignored = _today(client, spelling="searchResultPosition", position=40)
    assert _names(first.items) == _names(ignored.items)
    strict = _still(connect, model="DVR-208G-M1")
    reply = _ask(strict, spelling="searchResultPosition")
    assert (400, "badXmlContent") == _refused(reply)


def test_a_track_that_does_not_exist(connect):
    """400 on V4.1.18; V4.84 ignores it, alone or among others."""
    reply = _ask(_still(connect, model="DS-7708N-I4"), tracks=(901,))
    assert (400, "badParameters") == _refused(reply)
    assert "Invalid track id." in reply.text
    client = _still(connect, model="DS-7804N-R2")
    assert {"101"} == {item["trackID"] for item in _today(client, tracks=(901,)).items}
    assert {"201"} == {item["trackID"] for item in _today(client, tracks=(201, "x")).items}


def test_several_tracks_come_interleaved(connect):
    """Two tracks in one search, oldest first."""
    items = _today(_still(connect), tracks=(101, 201)).items
    assert {"101", "201"} == {item["trackID"] for item in items[:4]}
    starts = [item["startTime"] for item in items]
    assert sorted(starts) == starts


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("no xml", (400, "badXmlFormat")),
        (_description(spans=2), (400, "timeSpanNumOverLimit")),
        (_description(spans=0), (400, "badXmlContent")),
        (_description(begin="yesterday"), (400, "badXmlContent")),
        (_description(begin="2026-07-01T00:00:00Z"), (400, "badXmlContent")),
        (_description(position="x"), (400, "badXmlContent")),
        (_description(most=-1), (400, "badXmlContent")),
    ],
)
def test_requests_that_no_device_takes(connect, body, expected):
    """Broken XML, no or several windows, a window backwards, positions that are no numbers."""
    assert expected == _refused(connect().ask("ContentMgmt/search", body))


def test_numbers_may_be_missing_or_zero(connect):
    """No maxResults, or zero, means a full page; no position means the first."""
    client = _still(connect)
    body = _description(begin="2026-06-30T20:00:00Z", until="2026-07-02T02:00:00Z", most=0)
    assert 40 == len(_page(client.ask("ContentMgmt/search", body)).items)
    short = re.sub("<maxResults>.*(?=</CMS)", "", body)
    assert 40 == len(_page(client.ask("ContentMgmt/search", short)).items)


def test_search_is_post_only(connect):
    """GET gives 403 methodNotAllowed."""
    reply = connect().ask("ContentMgmt/search", _description(), method="GET")
    assert (403, "methodNotAllowed") == _refused(reply)


# -- Emptiness and width -------------------------------------------------------------------------


def test_empty_answers_in_all_shapes(connect):
    """NO MATCHES without a list, with a blank one, or 403."""
    bare = _page(_ask(connect()))
    assert ("NO MATCHES", 0, None) == (bare.status, bare.total, bare.root.find("matchList"))
    blank = _page(_ask(connect(model="DS-N308")))
    assert ("NO MATCHES", 0) == (blank.status, blank.total)
    assert "<matchList>\n</matchList>" in blank.text
    assert (403, "invalidOperation") == _refused(_ask(connect(model="DS-2CD2143G2-I")))
    forced = connect(faults=["empty-403"])
    assert (403, "invalidOperation") == _refused(_ask(forced))


def test_wide_windows_fail_on_v461(connect):
    """More than a month: 500 deviceError; beyond 2040: 400; and totals stop at 4000."""
    client = _still(connect, model="DS-8632N-I8", hours=100, page_cap=500)
    wide = _ask(client, begin="2026-01-01T00:00:00Z", until="2026-12-31T23:59:59Z")
    assert (500, "deviceError") == _refused(wide)
    assert "Tag 13 is invalid" in wide.text
    assert (400, "badXmlContent") == _refused(_ask(client, until="2040-01-01T00:00:00Z"))
    assert 4_000 == _today(client, begin="2026-06-25T00:00:00Z").total
    last = _today(client, begin="2026-06-25T00:00:00Z", position=3_990)
    assert ("OK", 10) == (last.status, len(last.items))
    assert _page(_ask(_still(connect), begin="2020-01-01T00:00:00Z", until="2037-10-10T00:00:00Z"))


# -- Time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "query", "shift"),
    [
        ("DS-7616NI-K2", "", 2),
        ("DS-2CD2185FWD-I", "", 0),
        ("DS-7616NXI-K2", "", 2),
        ("DS-7616NXI-K2", "?timeType=STD", 1),
        ("DS-7616NI-K2", "?timeType=STD", 2),
    ],
)
def test_what_z_means(connect, model, query, shift):
    """Local on recorders, UTC on cameras; timeType=STD is UTC in, but an hour late in summer."""
    client = _still(connect, model=model, timezone=BERLIN)
    first = client.sim.recordings(1)[0].start + dt.timedelta(hours=shift)
    item = _today(client, query).items[0]
    assert f"{first:%Y-%m-%dT%H:%M:%SZ}" == item["startTime"]
    assert f"starttime={first:%Y%m%dT%H%M%SZ}" in item["playbackURI"]


def test_the_window_means_the_same(connect):
    """A recorder reads local time, and under STD UTC."""
    client = _still(connect, model="DS-7616NXI-K2", timezone=BERLIN, hours=3, channels=1)
    utc = {"begin": "2026-07-01T11:59:50Z", "until": "2026-07-01T12:00:00Z"}
    local = {"begin": "2026-07-01T13:59:50Z", "until": "2026-07-01T14:00:00Z"}
    name = client.sim.recordings(1)[-1].name
    assert name in _names(_today(client, **local).items)
    assert name not in _names(_today(client, **utc).items)
    assert name in _names(_today(client, "?timeType=STD", **utc).items)


def test_uris_may_carry_the_http_port(connect):
    """DS-7616NXI-K2(D) does, others leave it out."""
    client = _still(connect, model="DS-7616NXI-K2")
    assert f"rtsp://127.0.0.1:{client.sim.port}/" in _today(client).items[0]["playbackURI"]
    assert "rtsp://127.0.0.1/" in _today(_still(connect)).items[0]["playbackURI"]


# -- Faults --------------------------------------------------------------------------------------


def test_search_faults(connect):
    """Errors come as often as asked, then the search works."""
    client = _still(connect)
    for fault, expected in (
        ("error-500-search", (500, "deviceError")),
        ("busy-503-search", (503, "serviceUnavailable")),
    ):
        client.sim.enable(fault, times=1)
        assert expected == _refused(_ask(client))
        assert client.sim.fault_hits[fault] == 1
    client.sim.enable("page-cap-400")
    assert (400, "badParameters") == _refused(_ask(client, most=41))
    assert _today(client, most=40).items


def test_answers_that_are_no_answers(connect):
    """A web page with status 200, and a document of 64 MiB."""
    client = _still(connect, faults=["not-xml-search"])
    reply = _ask(client)
    assert (200, "text/html") == (reply.status_code, reply.headers["Content-Type"])
    client.sim.disable("not-xml-search")
    client.sim.enable("huge-xml")
    with client.ask("ContentMgmt/search", _description(), stream=True) as huge:
        head = next(huge.iter_content(2**20))
        size = len(head) + sum(len(part) for part in huge.iter_content(2**20))
    assert head.startswith(b"<?xml")
    assert size >= 64 * 2**20


def test_items_can_be_wrong(connect):
    """Each item twice, or another track's."""
    client = _still(connect, faults=["duplicate-items"])
    items = _names(_today(client, most=3).items)
    assert [items[0], items[0], items[2], items[2], items[4], items[4]] == items
    client.sim.disable("duplicate-items")
    client.sim.enable("wrong-track")
    assert {"101"} == {item["trackID"] for item in _today(client, tracks=(301,)).items}


def test_one_search_at_a_time(connect):
    """A second search beside one that does not end soon gives 503."""
    client = _still(connect)
    slots = client.sim._device.searches
    assert slots.take()
    assert (503, "serviceUnavailable") == _refused(_ask(client))
    slots.give_back()
    client.sim.enable("slow-search", times=1)
    began = time.monotonic()
    assert _today(client).items
    assert time.monotonic() - began > 0.4


# -- Days ----------------------------------------------------------------------------------------


def _days(client, year: object = 2026, month: object = 7, track: int = 101):
    return client.ask(
        f"ContentMgmt/record/tracks/{track}/dailyDistribution",
        f"<trackDailyParam><year>{year}</year><monthOfYear>{month}</monthOfYear></trackDailyParam>",
    )


def test_days_are_the_devices_own(connect):
    """The evening before counts by the device's zone; what is pre-allocated does not count."""
    now = dt.datetime(2026, 7, 1, 21, 59, 0, tzinfo=UTC)
    client = connect(clock=lambda: now, timezone=BERLIN, hours=25, channels=1)
    root = ET.fromstring(_days(client).content)
    days = [[leaf.text for leaf in day] for day in root.iter() if day.tag.endswith("}day")]
    assert (31, ["1", "1", "true", "time"]) == (len(days), days[0])
    assert ["2", "2", "false"] == days[1]
    june = ET.fromstring(_days(client, month=6).content)
    recorded = [item.text for item in june.iter() if item.tag.endswith("}record")]
    assert ["false"] * 29 + ["true"] == recorded


def test_days_of_motion_only(connect):
    """A day with nothing but motion files says event."""
    client = connect(
        clock=lambda: NOON, hours=0.05, segment_seconds=170, seed=_motion_seed(), channels=1
    )
    assert ["motion"] == [item.kind for item in client.sim.recordings()]
    assert "<recordType>event</recordType>" in _days(client).text


def _motion_seed() -> int:
    """Find a seed whose first file is motion."""
    for seed in range(100):
        sim = RecorderSimulator(
            clock=lambda: NOON, hours=0.05, segment_seconds=170, seed=seed, channels=1
        )
        if [item.kind for item in sim.recordings()] == ["motion"]:
            return seed
    raise AssertionError


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"track": 901}, (400, "badParameters")),
        ({"month": 13}, (400, "badParameters")),
        ({"year": "x"}, (400, "badXmlContent")),
    ],
)
def test_days_that_do_not_exist(connect, options, expected):
    """Unknown tracks and impossible months are 400."""
    assert expected == _refused(_days(connect(), **options))


def test_days_are_post_only(connect):
    """GET is methodNotAllowed."""
    reply = connect().ask("ContentMgmt/record/tracks/101/dailyDistribution")
    assert (403, "methodNotAllowed") == _refused(reply)
