"""Time: spans, the recorder's zone grammar, and what ``Z`` means."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import pickle
import zoneinfo

import attrs
import pytest

from hypothesis import assume, example, given
from hypothesis import strategies as st

from camsync import ConfigurationError, DeviceClock, DeviceZone, ProtocolError, TimeSpan, ZMeaning
from camsync._time import (
    UTC,
    WireReader,
    WireTime,
    aware,
    ensure_aware,
    is_aware,
    round_offset,
    to_utc,
    utcnow,
)
from camsync._zone import DstRule, parse_timezone


HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)
START = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

BERLIN = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"
SYDNEY = "CST-10:00:00DST01:00:00,M10.1.0/02:00:00,M4.1.0/03:00:00"
LORD_HOWE = "CST-10:30:00DST00:30:00,M10.1.0/02:00:00,M4.1.0/02:00:00"
ZONES = [
    (BERLIN, "Europe/Berlin"),
    (SYDNEY, "Australia/Sydney"),
    (LORD_HOWE, "Australia/Lord_Howe"),
]
"""What a recorder says, and the same place in the zone database."""

moments = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2199, 12, 30), timezones=st.timezones())
lengths = st.timedeltas(min_value=SECOND, max_value=dt.timedelta(days=40))
spans = st.builds(
    lambda start, length: TimeSpan(to_utc(start), to_utc(start) + length), moments, lengths
)


# -- Aware datetimes


def test_utcnow_is_aware():
    """The host's clock comes with its zone."""
    assert UTC is utcnow().tzinfo
    assert abs(dt.datetime.now(UTC) - utcnow()) < dt.timedelta(seconds=5)


@given(moments)
def test_aware_datetimes_pass_unchanged(moment):
    """The caller's zone is kept, and the moment is the same in UTC."""
    assert is_aware(moment)
    assert moment is ensure_aware(moment)
    # Not "==": in a repeated hour, datetimes of different zones are never equal (PEP 495).
    assert dt.timedelta(0) == to_utc(moment) - moment
    assert UTC is to_utc(moment).tzinfo


class Undecided(dt.tzinfo):
    """A tzinfo that does not know its offset, which Python treats as naive."""

    def utcoffset(self, _when):
        return None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (dt.datetime(2026, 1, 1), "since must be timezone-aware"),
        (dt.datetime(2026, 1, 1, tzinfo=Undecided()), "since must be timezone-aware"),
        (dt.date(2026, 1, 1), "since must be a datetime, not date"),
        ("2026-01-01", "since must be a datetime, not str"),
    ],
)
def test_naive_and_foreign_values_are_refused(value, message):
    """The message names the argument."""
    with pytest.raises(ConfigurationError, match=message):
        ensure_aware(value, "since")


def test_the_validator_names_the_field_and_lets_none_pass():
    """An optional datetime may be absent, but not naive."""

    @attrs.frozen
    class Holder:
        when: dt.datetime | None = attrs.field(validator=aware)

    assert Holder(None).when is None
    assert START == Holder(START).when
    with pytest.raises(ConfigurationError, match="when must be timezone-aware"):
        Holder(dt.datetime(2026, 1, 1))


# -- Spans


@pytest.mark.parametrize("length", [dt.timedelta(0), -SECOND])
def test_a_span_needs_length(length):
    """An empty or reversed span is a mistake, and says so before a device is asked."""
    with pytest.raises(ConfigurationError, match="must end after"):
        TimeSpan(START, START + length)


def test_a_span_needs_aware_bounds():
    """Neither bound may be naive."""
    with pytest.raises(ConfigurationError, match="start must be timezone-aware"):
        TimeSpan(dt.datetime(2026, 1, 1), START)
    with pytest.raises(ConfigurationError, match="end must be timezone-aware"):
        TimeSpan(START, dt.datetime(2027, 1, 1))


def test_last_ends_now():
    """``TimeSpan.last(hours=24)`` is the day until now."""
    span = TimeSpan.last(hours=24)

    assert DAY == span.duration
    assert abs(utcnow() - span.end) < dt.timedelta(seconds=5)
    assert TimeSpan(START - 90 * dt.timedelta(minutes=1), START) == TimeSpan.last(
        now=START, hours=1, minutes=30
    )


@given(spans)
def test_a_span_is_half_open(span):
    """The start belongs to it, the end does not: neighbours do not share an instant."""
    assert span.start in span
    assert span.end not in span
    assert span.end - dt.timedelta(microseconds=1) in span
    assert span.start - dt.timedelta(microseconds=1) not in span
    assert "now" not in span


@given(spans, spans)
def test_overlap_and_intersection_agree(one, other):
    """Both look at it the same way from either side."""
    shared = one.intersection(other)

    assert one.overlaps(other) == other.overlaps(one) == (shared is not None)
    assert shared == other.intersection(one)
    if shared is not None:
        assert shared.start in one
        assert shared.start in other
        assert shared.duration <= min(one.duration, other.duration)


def test_neighbours_do_not_overlap():
    """A recording that ends when the next begins is not found twice."""
    one = TimeSpan(START, START + HOUR)
    other = TimeSpan(START + HOUR, START + 2 * HOUR)

    assert not one.overlaps(other)
    assert one.intersection(other) is None
    assert TimeSpan(START + HOUR / 2, START + HOUR) == one.intersection(
        TimeSpan(START + HOUR / 2, START + 2 * HOUR)
    )


@given(spans, st.timedeltas(min_value=dt.timedelta(0), max_value=DAY))
def test_padding_widens_both_sides(span, margin):
    """Recorders cut segments where they like: searches look a little further."""
    padded = span.padded(margin)

    assert span.duration + 2 * margin == padded.duration
    assert span == padded.intersection(span)


@given(spans, st.timedeltas(min_value=HOUR, max_value=dt.timedelta(days=60)))
def test_split_pieces_together_are_the_span(span, longest):
    """No gap, no overlap, nothing too long."""
    pieces = list(span.split(longest))

    assert span.start == pieces[0].start
    assert span.end == pieces[-1].end
    assert all(piece.duration <= longest for piece in pieces)
    assert all(one.end == two.start for one, two in itertools.pairwise(pieces))


def test_split_is_by_elapsed_time_even_when_clocks_change():
    """The day on which the clocks change has 25 hours: two pieces, not one of 25 hours."""
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    span = TimeSpan(
        dt.datetime(2026, 10, 25, tzinfo=berlin), dt.datetime(2026, 10, 26, tzinfo=berlin)
    )

    assert [24 * HOUR, HOUR] == [piece.duration for piece in span.split()]


@pytest.mark.parametrize("longest", [dt.timedelta(0), -HOUR])
def test_split_needs_a_length(longest):
    """Pieces without length would never end."""
    with pytest.raises(ConfigurationError, match="without length"):
        list(TimeSpan(START, START + HOUR).split(longest))


# -- The recorder's zone


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("CST-8:00:00", 8),
        (" CST-8:00:00\n", 8),
        ("CST+5:00:00", -5),
        ("CST5:00:00", -5),
        ("CST-5:30:00", 5.5),
        ("CST-05:45", 5.75),
        ("GMT+0:00:00", 0),
        ("-7:00:00", 7),
        ("CST-1:00:00DST01:00:00", 1),
        (BERLIN, 1),
        ("CST-1:00:00DST01:00:00,M3.5.0,M10.5.0", 1),
    ],
)
def test_declared_zones_are_read(text, hours):
    """POSIX counts westwards: ``-8`` is east of Greenwich; the letters mean nothing."""
    zone = DeviceZone.parse(text)
    winter = dt.datetime(2026, 1, 15, 12, tzinfo=zone)

    assert hours * HOUR == winter.utcoffset()
    assert winter == winter.astimezone(DeviceZone.parse(str(zone)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Europe/Berlin",
        "CST",
        "CST-8",
        "CST-8:0:0",
        "CST-24:00:00",
        "CST-23:00:00DST02:00:00",
        "CST-8:00:00 and more",
        "CST-1:00:00DST01:00:00,M3.5.0/02:00:00",
        "CST-1:00:00DST01:00:00,M13.5.0/02:00:00,M10.5.0/03:00:00",
        "CST-1:00:00DST01:00:00,M3.6.0/02:00:00,M10.5.0/03:00:00",
        "CST-1:00:00DST01:00:00,M3.5.7/02:00:00,M10.5.0/03:00:00",
        "CST-٨:00:00",
        "x" * 500,
    ],
)
def test_zones_that_make_no_sense_are_refused(text):
    """The message is short whatever the device sent, and says how to go on."""
    with pytest.raises(ProtocolError, match="time zone") as caught:
        DeviceZone.parse(text)

    assert "timezone=" in str(caught.value)
    assert len(str(caught.value)) < 250


offsets = st.integers(-14 * 4, 14 * 4).map(lambda quarters: quarters * HOUR / 4)
clocks = st.integers(0, 24 * 3600 - 1).map(lambda seconds: seconds * SECOND)
rules = st.builds(DstRule, st.integers(1, 12), st.integers(1, 5), st.integers(0, 6), clocks)
zones = st.one_of(
    st.builds(DeviceZone, offsets),
    st.builds(DeviceZone, offsets, st.sampled_from([HOUR, HOUR / 2, 2 * HOUR]), rules, rules),
)


@given(zones)
def test_a_zone_reads_back_from_its_text(zone):
    """What ``str`` writes is what a recorder would declare."""
    assert zone == DeviceZone.parse(str(zone))


@given(zones)
def test_a_zone_is_a_value(zone):
    """Zones compare, hash, copy and pickle: datetimes that carry them travel."""
    again = pickle.loads(pickle.dumps(zone))

    assert zone == again == copy.deepcopy(zone)
    assert hash(zone) == hash(again)


@pytest.mark.parametrize(
    ("rule", "year", "expected"),
    [
        ("M3.5.0/02:00:00", 2026, "2026-03-29T02:00:00"),
        ("M10.5.0/03:00:00", 2026, "2026-10-25T03:00:00"),
        ("M3.2.0/02:00:00", 2026, "2026-03-08T02:00:00"),
        ("M11.1.0/02:00:00", 2026, "2026-11-01T02:00:00"),
        ("M2.5.6/00:00:00", 2024, "2024-02-24T00:00:00"),
        ("M2.5.4/00:00:00", 2024, "2024-02-29T00:00:00"),
        ("M12.5.3/23:59:59", 2025, "2025-12-31T23:59:59"),
    ],
)
def test_rules_name_a_day_of_each_year(rule, year, expected):
    """Week 5 is the last one, whether the month has four or five of that weekday."""
    month, week, rest = rule[1:].split(".")
    weekday, clock = rest.split("/")
    hours, minutes, seconds = map(int, clock.split(":"))
    made = DstRule(
        int(month),
        int(week),
        int(weekday),
        dt.timedelta(hours=hours, minutes=minutes, seconds=seconds),
    )

    assert expected == made.in_year(year).isoformat()
    assert rule == str(made)


def _moments(moment, zone):
    """Yield moments until 2027: each half hour around a change of the clocks, every 6.5 hours else."""
    while moment.year < 2027:
        yield moment
        around = (moment + way * DAY for way in (-1, 1))
        offsets = {each.replace(tzinfo=zone).utcoffset() for each in around}
        moment += HOUR / 2 if len(offsets) > 1 else 13 * HOUR / 2


@pytest.mark.parametrize(("declared", "name"), ZONES)
def test_a_year_of_utc_hours_agrees_with_the_zone_database(declared, name):
    """From UTC to the wall: offset, fold and daylight saving are the same, at any time of day."""
    zone, real = DeviceZone.parse(declared), zoneinfo.ZoneInfo(name)

    for moment in _moments(dt.datetime(2025, 12, 31, tzinfo=UTC), real):
        here, there = moment.astimezone(zone), moment.astimezone(real)
        assert there.replace(tzinfo=None) == here.replace(tzinfo=None)
        assert (there.fold, there.utcoffset()) == (here.fold, here.utcoffset())
        assert there.dst() == here.dst()
        assert moment == here.astimezone(UTC)


@pytest.mark.parametrize(("declared", "name"), ZONES)
def test_a_year_of_wall_times_agrees_with_the_zone_database(declared, name):
    """From the wall to UTC, with both folds: the gap and the repeated hour follow PEP 495."""
    zone, real = DeviceZone.parse(declared), zoneinfo.ZoneInfo(name)

    for wall in _moments(dt.datetime(2026, 1, 1), real):
        for fold in (0, 1):
            here, there = (wall.replace(tzinfo=each, fold=fold) for each in (zone, real))
            assert there.utcoffset() == here.utcoffset(), (wall, fold)
            assert there.astimezone(UTC) == here.astimezone(UTC)


@given(
    st.sampled_from(ZONES),
    st.datetimes(dt.datetime(2010, 1, 1), dt.datetime(2035, 1, 1)),
    st.integers(0, 1),
)
@example((BERLIN, "Europe/Berlin"), dt.datetime(2026, 3, 29, 2, 30), 0)
@example((BERLIN, "Europe/Berlin"), dt.datetime(2026, 3, 29, 2, 30), 1)
@example((BERLIN, "Europe/Berlin"), dt.datetime(2026, 10, 25, 2, 30), 0)
@example((BERLIN, "Europe/Berlin"), dt.datetime(2026, 10, 25, 2, 30), 1)
def test_any_wall_time_agrees_with_the_zone_database(pair, wall, fold):
    """The rules hold for the years around ours, to the microsecond."""
    zone, real = DeviceZone.parse(pair[0]), zoneinfo.ZoneInfo(pair[1])

    here, there = (wall.replace(tzinfo=each, fold=fold) for each in (zone, real))

    assert there.utcoffset() == here.utcoffset()


@given(zones, st.datetimes(dt.datetime(1971, 1, 2), dt.datetime(2199, 12, 30)))
def test_utc_survives_the_wall_clock(zone, moment):
    """Whatever a recorder declares, UTC to wall and back is the same moment."""
    # Rules whose seasons touch or fall within hours of each other exist in no real zone.
    if zone.begins is not None and zone.ends is not None:
        apart = (zone.begins.month - zone.ends.month) % 12
        assume(2 <= apart <= 10)
    moment = moment.replace(tzinfo=UTC)

    assert moment == moment.astimezone(zone).astimezone(UTC)


def test_names_and_time_only_values():
    """``tzname`` is an offset; a bare time has no daylight saving."""
    zone = DeviceZone.parse(BERLIN)

    assert "UTC+01:00" == dt.datetime(2026, 1, 1, tzinfo=zone).tzname()
    assert "UTC+02:00" == dt.datetime(2026, 7, 1, tzinfo=zone).tzname()
    assert HOUR == zone.utcoffset(None)
    assert dt.time(12, tzinfo=zone).dst() == dt.timedelta(0)


# -- What a device writes


@pytest.mark.parametrize(
    ("text", "wall", "offset"),
    [
        ("2026-09-26T00:13:39Z", "2026-09-26T00:13:39", None),
        ("2026-09-26t00:13:39z", "2026-09-26T00:13:39", None),
        ("2026-09-26 00:13:39", "2026-09-26T00:13:39", None),
        ("20260926T001339Z", "2026-09-26T00:13:39", None),
        (" 2026-09-26T00:13:39.250Z ", "2026-09-26T00:13:39", None),
        ("2026-09-26T00:13:39+05:30", "2026-09-26T00:13:39", 5.5),
        ("2026-09-26T00:13:39-0800", "2026-09-26T00:13:39", -8),
        ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:00", 0),
    ],
)
def test_times_on_the_wire_are_read(text, wall, offset):
    """Digits and a real offset are kept apart; ``Z`` is not taken at its word."""
    stamp = WireTime.parse(text)

    assert wall == stamp.wall.isoformat()
    assert (None if offset is None else offset * HOUR) == stamp.offset


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("yesterday", "cannot be read"),
        ("2026-09-26", "cannot be read"),
        ("2026-09-26T00:13:39+8", "cannot be read"),
        ("2026-13-26T00:13:39Z", "impossible time"),
        ("2026-02-30T00:13:39Z", "impossible time"),
        ("2026-09-26T24:00:00Z", "impossible time"),
        ("0000-00-00T00:00:00Z", "impossible time"),
        ("1901-01-01T00:00:00Z", "impossible time"),
        ("9999-01-01T00:00:00Z", "impossible time"),
    ],
)
def test_times_that_cannot_be_are_refused(text, message):
    """A broken clock is reported, not guessed."""
    with pytest.raises(ProtocolError, match=message):
        WireTime.parse(text)


@given(
    st.sampled_from(["1969", "1970", "1999", "2000", "2023", "2024", "2099", "2100", "2201"]),
    *(st.integers(0, most) for most in (13, 32, 24, 60, 60)),
)
def test_the_usual_form_is_read_like_the_others(year, month, day, hour, minute, second):
    """The short way for what nearly all devices write gives the same, and refuses the same."""
    text = f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    results = []
    for spelling in (text, f" {text} "):
        for zone in (UTC, dt.timezone(5.5 * HOUR), DeviceZone(5.5 * HOUR)):
            device = DeviceClock(zone=zone, z_means=ZMeaning.LOCAL)
            try:
                results.append((WireTime.parse(spelling), device.from_wire(spelling)))
            except ProtocolError as error:
                results.append((error.message, None))

    assert results[0:3] == results[3:6]
    assert results[1] == results[2]
    assert results[0][1] is None or results[0][1].tzinfo is UTC


def clock(meaning: ZMeaning, zone: str = BERLIN) -> DeviceClock:
    """A device's clock."""
    return DeviceClock(zone=DeviceZone.parse(zone), z_means=meaning)


@pytest.mark.parametrize(
    ("meaning", "text", "expected"),
    [
        (ZMeaning.LOCAL, "2026-07-01T12:00:00Z", "2026-07-01T10:00:00+00:00"),
        (ZMeaning.UTC, "2026-07-01T12:00:00Z", "2026-07-01T12:00:00+00:00"),
        (ZMeaning.LOCAL, "2026-07-01T12:00:00", "2026-07-01T10:00:00+00:00"),
        (ZMeaning.LOCAL, "2026-07-01T12:00:00+05:30", "2026-07-01T06:30:00+00:00"),
        (ZMeaning.UTC, "2026-07-01T12:00:00+05:30", "2026-07-01T06:30:00+00:00"),
        (ZMeaning.LOCAL, "2026-10-25T02:30:00Z", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_from_wire(meaning, text, expected):
    """``Z`` means what the device means by it; a real offset is always believed."""
    assert expected == clock(meaning).from_wire(text).isoformat()
    assert expected == clock(meaning).from_wire(WireTime.parse(text)).isoformat()


@given(
    st.sampled_from(ZMeaning),
    st.one_of(
        st.just(dt.timezone(5.5 * HOUR)),
        st.sampled_from(
            [BERLIN, SYDNEY, "CST-8:00:00", "CST-5:00:00DST12:00:00,M3.5.0,M10.5.0"]
        ).map(DeviceZone.parse),
    ),
    st.lists(
        st.one_of(
            st.datetimes(dt.datetime(2026, 3, 25), dt.datetime(2026, 4, 8)),
            st.datetimes(dt.datetime(2026, 10, 1), dt.datetime(2026, 10, 28)),
            st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2099, 12, 31)),
        ),
        max_size=20,
    ),
)
def test_many_times_are_read_like_one(meaning, zone, walls):
    """Whatever a reader remembers of the days before, it says what the clock and the zone say."""
    device = DeviceClock(zone=zone, z_means=meaning)
    reader = WireReader(device)

    for wall in walls:
        for text in (f"{wall:%Y-%m-%dT%H:%M:%S}Z", f"{wall:%Y-%m-%dT%H:%M:%S}+05:30"):
            expected = device.from_wire(text)
            assert expected == reader.utc(text)
            assert reader.utc(text).tzinfo is UTC
            assert expected.astimezone(device.zone).utcoffset() == reader.offset(expected)
            later = expected + 5 * HOUR
            assert later.astimezone(device.zone).utcoffset() == reader.offset(later)


class _CountingZone(dt.tzinfo):
    """Central European Time, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._zone = DeviceZone.parse(BERLIN)

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        self.asked += 1
        return self._zone.utcoffset(when)

    def fromutc(self, when: dt.datetime) -> dt.datetime:
        self.asked += 1
        return self._zone.fromutc(when)


def test_a_day_of_times_asks_the_zone_once():
    """A thousand recordings of a day cost no more questions than one."""
    zone = _CountingZone()
    reader = WireReader(DeviceClock(zone=zone, z_means=ZMeaning.LOCAL))
    first = reader.utc("2026-07-01T02:00:00Z")
    asked = zone.asked

    moments = [reader.utc(f"2026-07-01T12:{minute:02}:00Z") for minute in range(60)]

    assert [2.0] * 60 == [reader.offset(moment) / HOUR for moment in moments]
    assert first + 10 * HOUR == moments[0]
    assert asked == zone.asked


def test_a_day_on_which_clocks_change_is_looked_at_once():
    """Its times are asked for one by one, but the days around it only with the first."""
    zone = _CountingZone()
    reader = WireReader(DeviceClock(zone=zone, z_means=ZMeaning.LOCAL))
    asked = []

    for text in ("2026-10-25T03:30:00Z", "2026-10-25T04:30:00Z", "2026-10-25T05:30:00Z"):
        before = zone.asked
        assert reader.utc(text) == reader.utc(text)
        asked.append(zone.asked - before)

    assert asked[0] > asked[1] == asked[2]


@given(st.sampled_from(ZMeaning), st.sampled_from([BERLIN, SYDNEY, "CST-8:00:00"]), moments)
def test_what_is_written_reads_back(meaning, zone, moment):
    """The wire keeps whole seconds; only the repeated hour is ambiguous, and read as the first."""
    device = clock(meaning, zone)

    again = device.from_wire(device.to_wire(moment))

    lost = moment - again
    if meaning is ZMeaning.LOCAL and device.local(moment).fold:
        lost -= HOUR
    assert dt.timedelta(0) <= lost < SECOND


def test_local_is_the_wall_clock():
    """For names that people read."""
    moment = dt.datetime(2026, 7, 1, 10, tzinfo=UTC)

    assert "2026-07-01T12:00:00+02:00" == clock(ZMeaning.UTC).local(moment).isoformat()


def test_a_clock_refuses_naive_moments():
    """Neither writing nor showing guesses a zone."""
    for method in (clock(ZMeaning.UTC).to_wire, clock(ZMeaning.UTC).local):
        with pytest.raises(ConfigurationError, match="timezone-aware"):
            method(dt.datetime(2026, 7, 1))


@given(st.integers(-14 * 4, 14 * 4), st.integers(-7 * 60, 7 * 60))
def test_measured_offsets_are_rounded_to_quarters(quarters, skew):
    """A clock that is a few minutes off does not make a zone that does not exist."""
    exact = quarters * HOUR / 4

    assert exact == round_offset(exact + skew * SECOND)


# -- Zones that people give


@pytest.mark.parametrize(
    ("given_zone", "hours"),
    [
        ("+08:00", 8),
        ("-3:30", -3.5),
        (" +01:00 ", 1),
        ("CST-8:00:00", 8),
        ("cst+5:00:00", -5),
        (BERLIN, 1),
        ("Asia/Ho_Chi_Minh", 7),
        ("UTC", 0),
        (dt.timezone(2 * HOUR), 2),
    ],
)
def test_time_zones_are_given_in_every_usual_form(given_zone, hours):
    """A name, an offset as people write it, the recorder's own text, or a tzinfo."""
    zone = parse_timezone(given_zone)

    assert hours * HOUR == dt.datetime(2026, 1, 15, tzinfo=zone).utcoffset()


def test_no_time_zone_stays_none():
    """None means: ask the device."""
    assert parse_timezone(None) is None


@pytest.mark.parametrize(
    "text", ["", "CST", "+", "+25:00", "+08", "Middle/Earth", "../../etc/passwd", "/etc/passwd"]
)
def test_what_is_no_time_zone_is_refused(text):
    """The message shows forms that work."""
    with pytest.raises(ConfigurationError, match="is not a time zone") as caught:
        parse_timezone(text)

    assert "Asia/Ho_Chi_Minh" in str(caught.value)


def test_spans_stay_within_what_calendars_bear():
    """Windows and margins are added to spans, so the ends of time are no place for one."""
    last = dt.datetime(9999, 12, 31, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="no recorder"):
        TimeSpan(START, last)
    with pytest.raises(ConfigurationError, match="no recorder"):
        TimeSpan(dt.datetime(1, 1, 2, tzinfo=UTC), START)


def test_impossible_offsets_are_refused():
    """A device that writes +99:00 does not crash the conversion."""
    with pytest.raises(ProtocolError, match="offset"):
        WireTime.parse("2026-11-22T10:02:00+99:00")
