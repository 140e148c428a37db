"""From a page of matches to recordings, and whole searches."""

from __future__ import annotations

import json
import sys
import time

from typing import Any

from .common import Arguments, provider


_MATCH = (
    "<searchMatchItem><sourceID>{0}</sourceID><trackID>101</trackID><timeSpan>"
    "<startTime>2026-09-26T%02d:%02d:39Z</startTime><endTime>2026-09-26T%02d:%02d:57Z</endTime>"
    "</timeSpan><mediaSegmentDescriptor><contentType>video</contentType><codecType>H.264-BP"
    "</codecType><playbackURI>rtsp://192.168.1.64/Streaming/tracks/101/?starttime=x&amp;endtime=y"
    "&amp;name=%017d&amp;size=1063577704</playbackURI></mediaSegmentDescriptor><metadataMatches>"
    "<metadataDescriptor>recordType.meta.hikvision.com/timing</metadataDescriptor>"
    "</metadataMatches></searchMatchItem>"
)


def _page(first: int, count: int) -> bytes:
    items = (
        _MATCH % (n // 60 % 24, n % 60, n // 60 % 24, n % 60, n)
        for n in range(first, first + count)
    )
    head = "<CMSearchResult><responseStatusStrg>MORE</responseStatusStrg><matchList>"
    return f"{head}{''.join(items)}</matchList></CMSearchResult>".encode()


def _by_camsync() -> Any:
    import datetime as dt

    from camsync._time import UTC, DeviceClock, ZMeaning
    from camsync.providers.hikvision import _xml
    from camsync.providers.hikvision._matches import Maker, read_page

    clock = DeviceClock(zone=dt.timezone(dt.timedelta(hours=8)), z_means=ZMeaning.LOCAL)
    newest = dt.datetime(2030, 1, 1, tzinfo=UTC)
    maker = Maker(device="S", clock=clock, channel_name="", newest=newest)
    return lambda page: len(maker.recordings(read_page(_xml.parse(page, "x")).matches))


def _by_xmltodict() -> Any:
    import xmltodict

    return lambda page: len(xmltodict.parse(page)["CMSearchResult"]["matchList"]["searchMatchItem"])


def _by_etree() -> Any:
    from xml.etree import ElementTree as ET

    paths = (
        "trackID",
        "timeSpan/startTime",
        "timeSpan/endTime",
        "mediaSegmentDescriptor/playbackURI",
        "metadataMatches/metadataDescriptor",
    )

    def parse_page(page: bytes) -> int:
        items = ET.fromstring(page).iter("searchMatchItem")
        return len([[item.findtext(path) for path in paths] for item in items])

    return parse_page


def parse(a: Arguments) -> None:
    """Read so many matches, page by page; making the pages is not counted."""
    makers = {"camsync": _by_camsync, "xmltodict": _by_xmltodict, "etree": _by_etree}
    work = makers[a["kind"]]()
    seconds, found = 0.0, 0
    for first in range(0, a["count"], a["page"]):
        page = _page(first, a["page"])
        begun = time.perf_counter()
        found += work(page)
        seconds += time.perf_counter() - begun
    assert found == a["count"], found
    print(json.dumps({"seconds": seconds, "microseconds": seconds / found * 1e6}))


def serve_recordings(a: Arguments) -> None:
    """Play a recorder with one channel until the input ends."""
    from camsync.testing import RecorderSimulator

    simulator = RecorderSimulator(
        model="DS-7616NI-E2", channels=1, hours=a["hours"], timezone="CST-0:00:00"
    )
    with simulator:
        login = {"user": simulator.username, "password": simulator.password}
        print(json.dumps({**a, **login, "port": simulator.port, "https": False}), flush=True)
        sys.stdin.read()


def search(a: Arguments) -> None:
    """`search` over everything; the recordings are counted, not kept."""
    import camsync

    with provider(a) as link:
        span = camsync.TimeSpan.last(hours=a["hours"] + 1)
        print(json.dumps({"found": sum(1 for _ in link.search(link.channels()[0], span))}))


def search_peer(a: Arguments) -> None:
    """What the peers do: requests and xmltodict, a page after the other of every day."""
    import datetime as dt
    import uuid

    import requests
    import xmltodict

    from requests.auth import HTTPDigestAuth

    session = requests.Session()
    session.auth = HTTPDigestAuth(a["user"], a["password"])
    url = f"http://127.0.0.1:{a['port']}/ISAPI/ContentMgmt/search"
    end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
    day, found = end - dt.timedelta(hours=a["hours"] + 2), set()
    while day < end:
        after = min(day + dt.timedelta(days=1), end)
        search_id, position = uuid.uuid4(), 0
        while True:
            body = (
                f'<CMSearchDescription version="1.0"><searchID>{{{search_id}}}</searchID>'
                "<trackList><trackID>101</trackID></trackList><timeSpanList><timeSpan>"
                f"<startTime>{day:%Y-%m-%dT%H:%M:%SZ}</startTime>"
                f"<endTime>{after:%Y-%m-%dT%H:%M:%SZ}</endTime></timeSpan></timeSpanList>"
                f"<maxResults>40</maxResults><searchResultPostion>{position}"
                "</searchResultPostion></CMSearchDescription>"
            )
            reply = session.post(url, data=body, timeout=60)
            reply.raise_for_status()
            answer = xmltodict.parse(reply.content, force_list=("searchMatchItem",))
            answer = answer["CMSearchResult"]
            items = (answer.get("matchList") or {}).get("searchMatchItem", [])
            found.update(one["mediaSegmentDescriptor"]["playbackURI"] for one in items)
            position += len(items)
            if answer["responseStatusStrg"] != "MORE" or not items:
                break
        day = after
    print(json.dumps({"found": len(found)}))
