"""Pages of recordings from servers that cut, move, repeat and put their clocks back."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest

from camsync import Channel, TimeSpan
from camsync.errors import ProtocolError
from camsync.providers.imou._lists import _devices
from camsync.providers.imou._pages import ByTime, Lengths, Page, by_position
from camsync.providers.imou._parse import read_page
from camsync.providers.imou._search import Search, places_of
from camsync.providers.imou._wire import RawRecord
from camsync.providers.imou._zones import local_days


UTC = dt.timezone.utc
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NIGHT = dt.datetime(2026, 10, 24, 23, 0, tzinfo=UTC)  # 01:00 in Berlin, two hours before the change
DAY = (dt.datetime(2026, 10, 25), dt.datetime(2026, 10, 25, 23, 59, 59))
REPEATED = (dt.datetime(2026, 10, 25, 2), dt.datetime(2026, 10, 25, 3))
CHANNEL = Channel(device="D", id="0", name="Door")


def _record(number: int, begin: dt.datetime, seconds: int = 60) -> RawRecord:
    end = begin + dt.timedelta(seconds=seconds)
    return RawRecord(
        id=str(number), device="D", channel="0", begin=begin, end=end, storage="cloud", region="r"
    )


def _list(count: int) -> list[RawRecord]:
    return [_record(one, DAY[0] + dt.timedelta(minutes=one)) for one in range(count)]


def _positions(records, *, size=30, limit=10**6, lengths=None, asked=None, whose="m"):
    """Page through a list that may be changed by *asked*, which is told of each question."""

    def ask(first, last):
        if asked is not None:
            asked(first, last)
        found = records[first - 1 : min(last, first - 1 + limit)]
        return Page(records=tuple(found), length=len(found))

    return [
        one.id
        for one in by_position(ask, size, method="m", whose=whose, lengths=lengths or Lengths())
    ]


def _ids(count: int) -> list[str]:
    return [str(one) for one in range(count)]


@pytest.mark.parametrize(
    ("count", "calls"), [(0, 1), (7, 1), (29, 1), (30, 2), (36, 2), (58, 2), (59, 3)]
)
def test_positions_cost_a_call_per_page(count, calls):
    """Although each page begins with the last record of the one before."""
    asked = []
    assert _ids(count) == _positions(_list(count), asked=lambda *place: asked.append(place))
    assert calls == len(asked)


@pytest.mark.parametrize("shift", [1, 3, 14, 40])
def test_records_that_are_deleted_meanwhile_hide_no_others(shift):
    """A card that overwrites its oldest files moves all others up between two calls."""
    records, asked = _list(210), []

    def moved(*place):
        asked.append(place)
        if len(asked) == 2:
            del records[:shift]

    there = {*_ids(30), *(str(one) for one in range(shift, 210))}
    assert there == set(_positions(records, asked=moved))


def test_a_list_that_moves_all_the_time_is_complete():
    """Three records are lost to the card behind each page, and none to the search."""
    records, asked = _list(210), []

    def moved(*place):
        if asked:
            del records[:3]
        asked.append(place)

    assert _ids(210) == _positions(records, asked=moved)
    assert len(asked) < 20


@pytest.mark.parametrize("limit", [10, 20, 32, 50, 64])
def test_a_server_that_gives_less_than_it_is_asked_for_is_asked_on(limit):
    """A page of a usual length may have been cut off."""
    assert _ids(130) == _positions(_list(130), size=100, limit=limit)


def test_a_suspicious_length_is_suspicious_once():
    """After one question more it is known that nothing was cut off; and longer pages prove it too."""
    lengths, asked = Lengths(), []

    def note(*place):
        asked.append(place)

    for count, calls in ((50, 2), (50, 1), (20, 1), (64, 2), (60, 1), (100, 2), (90, 1)):
        asked.clear()
        _positions(_list(count), size=100, lengths=lengths, asked=note)
        assert calls == len(asked)
    asked.clear()
    _positions(_list(20), size=100, lengths=lengths, asked=note, whose="another device")
    assert 2 == len(asked)


def test_a_server_that_knows_whole_pages_only_is_understood():
    """Where a range is rounded down to pages, the next whole page follows."""
    records = _list(70)

    def ask(first, last):
        begin = (first - 1) // 30 * 30
        found = records[begin : begin + 30]
        return Page(records=tuple(found), length=len(found))

    found = by_position(ask, 30, method="m", whose="m", lengths=Lengths())
    assert _ids(70) == [one.id for one in found]


def test_a_server_that_gives_the_same_for_ever_is_left():
    """Nothing new twice is the end."""
    page = Page(records=tuple(_list(30)), length=30)
    found = list(by_position(lambda *_: page, 30, method="m", whose="m", lengths=Lengths()))

    assert 30 == len(found)


# -- Paging by time


def _autumn(step: int, count: int = 120) -> list[RawRecord]:
    """Clips of a minute, every *step* minutes, by the wall clock of a night that has an hour twice."""
    made = []
    for number in range(count):
        begin = NIGHT + dt.timedelta(minutes=step * number)
        walls = [
            (begin + dt.timedelta(minutes=more)).astimezone(BERLIN).replace(tzinfo=None, fold=0)
            for more in (0, 1)
        ]
        record = _record(number, walls[0])
        made.append(
            RawRecord(
                id=record.id,
                device="D",
                channel="0",
                begin=walls[0],
                end=walls[1],
                storage="cloud",
                region="r",
            )
        )
    return made


def _by_time(records, limit, *, newest=False, size=None, repeated=REPEATED, **options):
    def ask(begin, end):
        asked.append((begin, end))
        order = records[::-1] if newest else records
        found = [one for one in order if begin <= one.begin <= end][:limit]
        return Page(records=tuple(found), length=len(found), **options)

    asked: list = []
    pages = ByTime(ask, size, "m", "m", Lengths(), repeated)
    return [one.id for one in pages.run(*DAY)], asked


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("step", [1, 2, 7])
@pytest.mark.parametrize("limit", [20, 30, 50])
def test_the_hour_that_comes_twice_is_complete(limit, step, newest):
    """Wall times that run back neither hide records nor mix their order up."""
    found, asked = _by_time(_autumn(step), limit, newest=newest)

    assert (_ids(120)[::-1] if newest else _ids(120)) == found
    assert len(asked) < 60


@pytest.mark.parametrize("newest", [False, True])
def test_a_size_that_is_asked_for_ends_a_list_at_once(newest):
    """A page that is shorter than asked for, and of no usual length, is the last."""
    found, asked = _by_time(_autumn(7, 37), 30, newest=newest, size=30)

    assert set(_ids(37)) == set(found)
    assert len(asked) <= 6


def test_a_crowd_in_one_minute_is_told(caplog):
    """More in a minute than come at once cannot be told apart: that is worth a warning."""
    crowd = [_record(one, REPEATED[0] + dt.timedelta(seconds=one % 50)) for one in range(60)]

    found, _ = _by_time(crowd, 20)
    assert len(found) < 60
    assert "more may be missing" in caplog.text


def test_a_server_that_says_all_is_asked_once():
    """With its word there is no need to ask on."""
    found, asked = _by_time(_autumn(7, 30), 30, more=False)

    assert _ids(30) == found
    assert 1 == len(asked)


def test_more_that_does_not_come_is_an_error():
    """A server that says there is more has to give it."""
    with pytest.raises(ProtocolError, match="does not give it"):
        _by_time(_autumn(7, 5), 5, more=True, repeated=None)


def test_the_word_of_the_server_counts_in_the_repeated_hour():
    """Parts are asked for while it says that there is more."""

    def ask(begin, end):
        found = [one for one in records if begin <= one.begin <= end]
        return Page(records=tuple(found[:10]), length=len(found[:10]), more=len(found) > 10)

    records = _autumn(3)
    pages = ByTime(ask, None, "m", "m", Lengths(), REPEATED)
    assert _ids(120) == [one.id for one in pages.run(*DAY)]


# -- What a search makes of it


class _Cloud:
    """A cloud that lists by overlap or by begin, and counts its calls."""

    def __init__(self, records, *, overlap):
        self.records, self.overlap, self.asked = records, overlap, []

    def cloud_days(self, device, channel, year, month):
        return None

    def cloud_records(self, device, channel, begin, end, *, typed=False, repeated=None):
        self.asked.append((begin, end))
        first = (lambda one: one.end) if self.overlap else (lambda one: one.begin)
        return iter([one for one in self.records if first(one) >= begin and one.begin <= end])


def _found(wire, begin, end, reaching, zone=UTC):
    search = Search(
        wire=wire,
        channel=CHANNEL,
        zone=zone,
        span=TimeSpan(begin.replace(tzinfo=zone), end.replace(tzinfo=zone)),
        places=places_of("cloud"),
        reaching=reaching,
    )
    return [one.raw["id"] for one in search.run()]


MORNING = dt.datetime(2026, 6, 1)
NOON = dt.datetime(2026, 6, 1, 12)
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize("overlap", [True, False])
def test_what_began_before_the_span_is_found(overlap):
    """Hours before, and on the evening before: whichever way the cloud lists."""
    records = [
        _record(1, MORNING - HOUR / 2, 3600),
        _record(2, MORNING + 2 * HOUR, 3 * 3600),
    ]
    wire = _Cloud(records, overlap=overlap)

    assert ["1"] == _found(wire, MORNING, MORNING + HOUR, {})
    assert ["2"] == _found(wire, MORNING + 4 * HOUR, MORNING + 5 * HOUR, {})


def test_one_call_finds_out_how_the_cloud_lists():
    """Once for all channels; where something reaches over midnight it costs nothing."""
    inside = _Cloud([_record(1, MORNING + HOUR)], overlap=True)
    reaching = {}
    for calls in (2, 1, 1):
        inside.asked.clear()
        _found(inside, MORNING, NOON, reaching)
        assert calls == len(inside.asked)
    over, reaching = _Cloud([_record(1, MORNING - HOUR / 2, 3600)], overlap=True), {}
    _found(over, MORNING, NOON, reaching)

    assert 1 == len(over.asked)
    assert {"cloud": True} == reaching


def test_a_cloud_that_lists_by_begin_is_asked_for_each_evening():
    """It costs one call more for each search that begins at midnight, and none for another."""
    wire, reaching = _Cloud([_record(1, MORNING + HOUR)], overlap=False), {}
    for begin, calls in ((MORNING, 3), (MORNING, 2), (MORNING + 3 * HOUR, 1)):
        wire.asked.clear()
        _found(wire, begin, NOON, reaching)
        assert calls == len(wire.asked)
    assert {"cloud": False} == reaching


def test_footage_without_a_gap_needs_no_evening():
    """What begins at midnight itself leaves no room for anything that goes on over it."""
    wire, reaching = _Cloud([_record(1, MORNING)], overlap=False), {}
    _found(wire, MORNING, NOON, reaching)

    assert 1 == len(wire.asked)
    assert {} == reaching


def test_on_the_day_of_the_change_nothing_is_found_out():
    """Its wall times prove nothing: there the evening is asked for."""
    wire, reaching = _Cloud(_autumn(7), overlap=True), {}
    found = _found(wire, DAY[0], DAY[0] + 10 * HOUR, reaching, BERLIN)

    assert len(found) > 60
    assert 2 == len(wire.asked)
    assert {} == reaching


def _hour(number, begin, end):
    walls = [dt.datetime.fromisoformat(f"2026-10-25 {wall}:00") for wall in (begin, end)]
    return RawRecord(
        id=str(number), device="D", channel="0", begin=walls[0], end=walls[1], storage="cloud"
    )


@pytest.mark.parametrize("newest", [False, True])
def test_a_clip_of_the_whole_repeated_hour_is_one(newest):
    """It begins and ends at the same wall time, and the next one is behind it."""
    clips = [
        _hour(1, "01:00", "02:00"),
        _hour(2, "02:00", "02:00"),
        _hour(3, "02:00", "03:00"),
        _hour(4, "03:00", "04:00"),
    ]
    wire = _Cloud(clips[::-1] if newest else clips, overlap=True)
    search = Search(
        wire=wire,
        channel=CHANNEL,
        zone=BERLIN,
        span=TimeSpan(*(one.replace(tzinfo=BERLIN) for one in (DAY[0], DAY[0] + 9 * HOUR))),
        places=places_of("cloud"),
    )

    found = list(search.run())
    assert [(23, HOUR), (0, HOUR), (1, HOUR), (2, HOUR)] == [
        (one.start.hour, one.duration) for one in found
    ]


def test_a_clip_without_length_before_the_change_is_none():
    """If the clock goes back later in the list, equal times mean nothing."""
    clips = [_hour(1, "02:10", "02:10"), _hour(2, "02:50", "02:55"), _hour(3, "02:05", "02:09")]
    clips.append(_hour(4, "03:10", "03:11"))

    found = _found(_Cloud(clips, overlap=True), DAY[0], DAY[0] + 9 * HOUR, {}, BERLIN)
    assert ["2", "3", "4"] == found


@pytest.mark.parametrize(
    ("zone", "date", "expected"),
    [
        ("Europe/Berlin", "2026-10-25", ("02:00", "03:00")),
        ("Europe/Berlin", "2026-03-29", None),
        ("Europe/Berlin", "2026-06-01", None),
        ("Australia/Lord_Howe", "2026-04-05", ("01:30", "02:00")),
        ("America/Havana", "2026-11-01", ("00:00", "01:00")),
    ],
)
def test_the_wall_times_of_a_day_that_come_twice(zone, date, expected):
    """In autumn only, and not everywhere an hour."""
    begin = dt.datetime.fromisoformat(date).replace(tzinfo=zoneinfo.ZoneInfo(zone))
    (day,) = local_days(TimeSpan(begin, begin + 3 * HOUR), zoneinfo.ZoneInfo(zone))

    walls = None if day.repeated is None else tuple(f"{one:%H:%M}" for one in day.repeated)
    assert expected == walls


def test_a_day_without_recordings_may_lack_the_list():
    """Instead of an empty one."""
    assert ([], 0) == read_page({"records": None}, "records", "queryCloudRecords", list)


def test_a_device_without_an_id_is_left_out():
    """Nothing could be asked of it; the others are there."""
    found = _devices([{"deviceName": "Nobody"}, {"deviceId": "D1", "deviceName": "Door"}])

    assert ["D1"] == [device.id for device in found]
