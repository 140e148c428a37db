"""Search over local days and both places, with a wire that answers from lists."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import attrs
import pytest

from camsync import Channel, RecordingKind, TimeSpan
from camsync._time import utcnow
from camsync.errors import (
    ConfigurationError,
    DeviceAsleepError,
    DeviceOfflineError,
    NoCloudPlanError,
    NoLocalStorageError,
    UnsupportedError,
)
from camsync.providers.imou._search import (
    Search,
    places_of,
    record_of,
    recording_of,
)
from camsync.providers.imou._wire import RawRecord


UTC = dt.timezone.utc
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
CHANNEL = Channel(device="D", id="0", name="Door")
HOUR = dt.timedelta(hours=1)


@attrs.define
class _Wire:
    """Answers like the cloud: what overlaps the window, in the given order."""

    cloud: list[RawRecord] = attrs.field(factory=list)
    sd: list[RawRecord] = attrs.field(factory=list)
    days: set[int] | None = None
    missing: tuple[type[Exception], ...] = ()
    asked: list[tuple] = attrs.field(factory=list)
    typed: bool = False

    def cloud_days(self, device, channel, year, month):
        self.asked.append(("bitmap", year, month))
        return self.days

    def cloud_records(self, device, channel, begin, end, *, typed=False, **_):
        self.typed = typed
        return self._found("cloud", NoCloudPlanError, self.cloud, begin, end)

    def sd_records(self, device, channel, begin, end, **_):
        return self._found("sd", NoLocalStorageError, self.sd, begin, end)

    def _found(self, place, error, records, begin, end):
        self.asked.append((place, begin, end))
        if error in self.missing:
            msg = "none"
            raise error(msg)
        yield from (one for one in records if one.begin <= end and one.end >= begin)


def _record(begin: str, end: str, item: str = "", storage: str = "sd", kind: str = "") -> RawRecord:
    return RawRecord(
        id=item or begin,
        device="D",
        channel="0",
        begin=dt.datetime.fromisoformat(begin),
        end=dt.datetime.fromisoformat(end),
        storage=storage,
        region="r" if storage == "cloud" else "",
        kind=kind,
    )


def _found(wire, span, *, storage="both", zone=UTC, kinds=None, channel=CHANNEL):
    search = Search(
        wire=wire,
        channel=channel,
        zone=zone,
        span=span,
        places=places_of(storage),
        kinds=kinds,
        reaching={"cloud": True},
    )
    return list(search.run())


def _span(begin: str, end: str, zone=UTC) -> TimeSpan:
    return TimeSpan(
        *(dt.datetime.fromisoformat(text).replace(tzinfo=zone) for text in (begin, end))
    )


def test_both_places_come_together_oldest_first():
    """Clips of cloud and card are merged by their start; equal times stay two recordings."""
    wire = _Wire(
        cloud=[
            _record("2026-07-01 01:00:00", "2026-07-01 01:01:00", storage="cloud"),
            _record("2026-07-01 03:00:00", "2026-07-01 03:01:00", storage="cloud"),
        ],
        sd=[
            _record("2026-07-01 02:00:00", "2026-07-01 02:05:00", "a"),
            _record("2026-07-01 02:00:00", "2026-07-01 02:05:00", "b", kind="videomotion"),
        ],
    )

    found = _found(wire, _span("2026-07-01", "2026-07-02"))

    assert [(1, "cloud"), (2, "sd"), (2, "sd"), (3, "cloud")] == [
        (one.start.hour, one.key.stream) for one in found
    ]
    assert RecordingKind.MOTION is found[2].kind
    assert 2 == len(wire.asked)


def test_what_crosses_midnight_comes_once():
    """It is listed on both days."""
    wire = _Wire(sd=[_record("2026-07-01 23:59:00", "2026-07-02 00:01:00")])

    assert 1 == len(_found(wire, _span("2026-07-01", "2026-07-03"), storage="sd"))


def test_the_same_record_twice_in_an_answer_comes_once():
    """Pages overlap."""
    record = _record("2026-07-01 01:00:00", "2026-07-01 01:01:00")

    assert 1 == len(_found(_Wire(sd=[record, record]), _span("2026-07-01", "2026-07-02")))


def test_clips_without_length_and_outside_the_span_are_left_out():
    """They hold nothing of what was asked for."""
    wire = _Wire(
        sd=[
            _record("2026-07-01 01:55:00", "2026-07-01 02:00:00"),
            _record("2026-07-01 02:00:00", "2026-07-01 02:00:00"),
            _record("2026-07-01 02:00:00", "2026-07-01 02:10:00", "x"),
        ]
    )

    found = _found(wire, _span("2026-07-01 02:00:00", "2026-07-01 03:00:00"), storage="sd")

    assert ["x"] == [one.key.item for one in found]


def test_kinds_are_chosen_and_none_costs_nothing():
    """An empty choice asks nobody."""
    wire = _Wire(
        sd=[
            _record("2026-07-01 01:00:00", "2026-07-01 01:01:00", kind="normal"),
            _record("2026-07-01 02:00:00", "2026-07-01 02:01:00", kind="whatever"),
        ]
    )
    span = _span("2026-07-01", "2026-07-02")

    found = _found(wire, span, kinds={RecordingKind.EVENT}, storage="sd")

    assert [2] == [one.start.hour for one in found]
    wire.asked.clear()
    assert [] == _found(wire, span, kinds=())
    assert [] == wire.asked


def test_the_future_costs_nothing():
    """Days that have not begun anywhere are not asked for."""
    wire = _Wire()
    start = utcnow() + dt.timedelta(days=9)

    assert [] == _found(wire, TimeSpan(start, start + HOUR))
    assert [] == wire.asked


def test_no_plan_and_no_card_are_states_when_both_are_asked():
    """They are asked once, not every day."""
    wire = _Wire(missing=(NoCloudPlanError, NoLocalStorageError))

    assert [] == _found(wire, _span("2026-07-01", "2026-07-03"))
    assert ["cloud", "sd"] == [place for place, *_ in wire.asked]


@pytest.mark.parametrize(
    ("storage", "error"), [("cloud", NoCloudPlanError), ("sd", NoLocalStorageError)]
)
def test_no_plan_or_no_card_is_an_error_when_only_that_is_asked(storage, error):
    """Somebody who asks for the card wants to know that there is none."""
    with pytest.raises(error):
        _found(_Wire(missing=(error,)), _span("2026-07-01", "2026-07-02"), storage=storage)


def test_a_channel_that_is_listed_without_a_plan_is_not_asked_in_the_cloud():
    """The list has said it already; who asks for the cloud alone is answered by the cloud."""
    channel = attrs.evolve(CHANNEL, raw={"storageStrategyStatus": "notExist"})
    wire = _Wire()
    span = _span("2026-07-01", "2026-07-02")

    _found(wire, span, channel=channel)
    _found(wire, span, channel=channel, storage="cloud")

    assert ["sd", "cloud"] == [place for place, *_ in wire.asked]


def _days_asked(wire) -> list[int]:
    return [one[1].day for one in wire.asked if one[0] == "cloud"]


def test_a_bitmap_saves_the_empty_days_of_long_spans():
    """It is asked for once a month, from three days on, and what it does not mark is not asked for."""
    wire = _Wire(days={3, 5})

    _found(wire, _span("2026-07-02", "2026-07-08"), storage="cloud")

    assert [("bitmap", 2026, 7)] == [one for one in wire.asked if one[0] == "bitmap"]
    assert [3, 5] == _days_asked(wire)


def test_a_bitmap_does_not_hide_what_reaches_over_the_first_midnight():
    """The first day is asked for when the day before is marked."""
    wire = _Wire(days={1, 5})

    _found(wire, _span("2026-07-02", "2026-07-06"), storage="cloud")

    assert [2, 5] == _days_asked(wire)


def test_short_spans_and_unknown_months_do_without_a_bitmap():
    """Two days cost two calls; three without an answer cost four."""
    short, unknown = _Wire(days=set()), _Wire(days=None)

    _found(short, _span("2026-07-01", "2026-07-03"), storage="cloud")
    _found(unknown, _span("2026-07-01", "2026-07-04"), storage="cloud")

    assert [1, 2] == _days_asked(short)
    assert 2 == len(short.asked)
    assert [1, 2, 3] == _days_asked(unknown)
    assert 4 == len(unknown.asked)


def test_a_day_of_25_hours_is_read_in_the_order_of_its_clips():
    """Of two equal hours, the second is meant as soon as the clock has gone back."""
    walls = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    wire = _Wire(
        sd=[
            _record(f"2026-10-25 {wall}:00", f"2026-10-25 {wall}:50", str(place))
            for place, wall in enumerate(walls)
        ]
    )

    found = _found(wire, _span("2026-10-25", "2026-10-26", BERLIN), zone=BERLIN, storage="sd")

    assert [(23, 30), (0, 0), (0, 30), (1, 0), (1, 30), (2, 0)] == [
        (one.start.hour, one.start.minute) for one in found
    ]
    assert [2, 2, 2, 1, 1, 1] == [one.utc_offset / HOUR for one in found]


def test_a_list_that_begins_with_the_newest_is_turned_round():
    """Otherwise the repeated hour would be read the wrong way."""
    walls = ["03:00", "02:10", "02:40"]
    wire = _Wire(
        sd=[
            _record(f"2026-10-25 {wall}:00", f"2026-10-25 {wall}:50", str(place))
            for place, wall in enumerate(walls)
        ]
    )

    found = _found(wire, _span("2026-10-25", "2026-10-26", BERLIN), zone=BERLIN, storage="sd")

    assert [(0, 40), (1, 10), (2, 0)] == [(one.start.hour, one.start.minute) for one in found]


def test_a_clip_over_the_change_of_clocks_has_a_length():
    """Its wall end lies before its wall begin, in UTC it does not."""
    record = _record("2026-10-25 02:55:00", "2026-10-25 02:05:00")

    found = recording_of(record, CHANNEL, BERLIN)

    assert dt.timedelta(minutes=10) == found.duration


def test_a_day_of_23_hours_has_no_hole():
    """Wall times that do not exist are read as the clock before the change would show them."""
    wire = _Wire(
        sd=[
            _record("2026-03-29 01:59:00", "2026-03-29 03:00:00"),
            _record("2026-03-29 02:30:00", "2026-03-29 02:31:00"),
            _record("2026-03-29 03:00:00", "2026-03-29 03:01:00"),
        ]
    )

    found = _found(wire, _span("2026-03-29", "2026-03-30", BERLIN), zone=BERLIN, storage="sd")

    assert [(0, 59), (1, 0), (1, 30)] == [(one.start.hour, one.start.minute) for one in found]
    assert dt.timedelta(minutes=1) == found[0].duration


def test_what_has_just_ended_is_still_in_progress():
    """Two minutes after its end a recording counts as settled."""
    now = utcnow().replace(tzinfo=None, microsecond=0)
    old, new = (
        recording_of(
            RawRecord(
                id="x",
                device="D",
                channel="0",
                begin=now - dt.timedelta(minutes=9),
                end=now - dt.timedelta(seconds=ago),
                storage="cloud",
            ),
            CHANNEL,
            UTC,
        )
        for ago in (180, 60)
    )

    assert (False, True) == (old.in_progress, new.in_progress)


def test_a_recording_leads_back_to_its_record():
    """What is needed to find the bytes is kept, and travels."""
    record = attrs.evolve(
        _record("2026-07-01 01:00:00", "2026-07-01 01:01:00", "7", "cloud"), size=5, encrypted=True
    )
    recording = recording_of(record, CHANNEL, BERLIN)

    assert attrs.evolve(record, size=None) == record_of(recording)
    assert "r:7" == recording.key.item
    assert 5 == recording.raw["size"]
    assert recording.size is None
    assert 5 == recording.size_hint


def test_a_recording_from_elsewhere_is_refused():
    """Another provider's, and one that comes from no search."""
    recording = recording_of(_record("2026-07-01 01:00:00", "2026-07-01 01:01:00"), CHANNEL, UTC)

    for stranger in (
        attrs.evolve(recording, key=attrs.evolve(recording.key, provider="hikvision")),
        attrs.evolve(recording, key=attrs.evolve(recording.key, stream="both")),
        attrs.evolve(recording, raw={}),
    ):
        with pytest.raises(ConfigurationError, match="comes from no search"):
            record_of(stranger)


@pytest.mark.parametrize("storage", ["tape", None, 5])
def test_an_unknown_place_is_refused(storage):
    """There are two, and both together."""
    with pytest.raises(ConfigurationError, match="storage must be"):
        places_of(storage)


# -- Kinds that nobody says


def test_kinds_are_asked_from_the_cloud_only_when_they_are_needed():
    """All kinds together choose nothing, so the cheaper list will do."""
    wire = _Wire(
        cloud=[
            _record("2026-07-01 01:00:00", "2026-07-01 01:01:00", storage="cloud", kind="1000"),
            _record("2026-07-01 02:00:00", "2026-07-01 02:01:00", storage="cloud", kind="2000"),
        ]
    )
    span = _span("2026-07-01", "2026-07-02")

    assert 2 == len(_found(wire, span, kinds=set(RecordingKind)))
    assert not wire.typed
    assert [1] == [one.start.hour for one in _found(wire, span, kinds={RecordingKind.ALARM})]
    assert wire.typed


@pytest.mark.parametrize("storage", ["cloud", "sd"])
def test_what_is_of_no_known_kind_is_not_left_out_silently(storage):
    """It may be what is looked for: that is an error, unless the unknown is asked for too."""
    record = _record("2026-07-01 01:00:00", "2026-07-01 01:01:00", storage=storage)
    wire = _Wire(**{storage: [record]})
    span = _span("2026-07-01", "2026-07-02")

    with pytest.raises(UnsupportedError, match="does not say why") as caught:
        _found(wire, span, storage=storage, kinds={RecordingKind.MOTION})
    assert "without kinds" in caught.value.next_step
    both = {RecordingKind.MOTION, RecordingKind.UNKNOWN}
    assert 1 == len(_found(wire, span, storage=storage, kinds=both))


# -- A card that cannot be asked


@attrs.define
class _Away(_Wire):
    """A camera that goes away after some days of its card were listed."""

    after: int = 0
    kind: type[Exception] = DeviceOfflineError

    def sd_records(self, device, channel, begin, end, **_):
        if sum(place == "sd" for place, *_ in self.asked) >= self.after:
            self.asked.append(("sd",))
            msg = "away"
            raise self.kind(msg)
        return super().sd_records(device, channel, begin, end)


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "word"), [(DeviceOfflineError, "online"), (DeviceAsleepError, "wake=True, --wake")]
)
def test_a_card_that_is_away_does_not_hide_the_cloud(after, kind, word):
    """All days of the cloud come, the card is not asked again, and the error comes at the end."""
    days = range(1, 4)
    wire = _Away(
        cloud=[
            _record(f"2026-07-0{day} 01:00:00", f"2026-07-0{day} 01:01:00", storage="cloud")
            for day in days
        ],
        sd=[_record(f"2026-07-0{day} 02:00:00", f"2026-07-0{day} 02:01:00") for day in days],
        after=after,
        kind=kind,
    )
    found = []
    search = Search(
        wire=wire,
        channel=CHANNEL,
        zone=UTC,
        span=_span("2026-07-01", "2026-07-04"),
        places=places_of("both"),
    )

    with pytest.raises(kind) as caught:
        found.extend(search.run())

    assert ["cloud"] * 3 + ["sd"] * after == sorted(one.key.stream for one in found)
    assert after + 1 == sum(place == "sd" for place, *_ in wire.asked)
    assert "its cloud recordings were listed" in caught.value.next_step
    assert "storage='cloud' (--storage cloud)" in caught.value.next_step
    assert word in caught.value.next_step


@pytest.mark.parametrize(
    ("channel", "missing", "storage"),
    [
        (attrs.evolve(CHANNEL, raw={"storageStrategyStatus": "notExist"}), (), "both"),
        (CHANNEL, (NoCloudPlanError,), "both"),
        (CHANNEL, (), "sd"),
    ],
)
def test_without_a_cloud_a_card_that_is_away_is_an_error_at_once(channel, missing, storage):
    """Nothing of the cloud was listed, so nobody says that it was."""
    wire = _Away(missing=missing)

    with pytest.raises(DeviceOfflineError) as caught:
        _found(wire, _span("2026-07-01", "2026-07-04"), channel=channel, storage=storage)
    assert 1 == sum(place == "sd" for place, *_ in wire.asked)
    assert "were listed" not in caught.value.next_step


# -- A sample


def _sample(wire, span, channel=CHANNEL):
    search = Search(wire=wire, channel=channel, zone=UTC, span=span, places=places_of("both"))
    return [(one.key.stream, one.start.hour) for one in search.sample()]


def test_a_sample_is_one_finished_recording_of_each_place():
    """What has no length or lies outside is none, what is still written is better than none."""
    now = utcnow()
    young = f"{now - dt.timedelta(seconds=30):%Y-%m-%d %H:%M:%S}", f"{now:%Y-%m-%d %H:%M:%S}"
    wire = _Wire(
        cloud=[
            _record("2026-07-01 01:50:00", "2026-07-01 01:58:00", storage="cloud"),
            _record("2026-07-01 02:10:00", "2026-07-01 02:10:00", storage="cloud"),
            _record("2026-07-01 04:00:00", "2026-07-01 04:01:00", storage="cloud"),
            _record("2026-07-01 05:00:00", "2026-07-01 05:01:00", storage="cloud"),
        ],
        sd=[_record(*young)],
    )

    assert [("cloud", 4)] == _sample(wire, _span("2026-07-01 02:00:00", "2026-07-03"))
    assert ["cloud", "sd", "sd"] == [place for place, *_ in wire.asked]
    assert ["sd"] == [place for place, _ in _sample(wire, TimeSpan(now - HOUR, now))]


def test_a_sample_does_without_plan_and_card():
    """They are no failures; a plan that the list denies is not asked for."""
    span = _span("2026-07-01", "2026-07-02")
    wire = _Wire(missing=(NoCloudPlanError, NoLocalStorageError))
    channel = attrs.evolve(CHANNEL, raw={"storageStrategyStatus": "notExist"})

    assert [] == _sample(wire, span)
    assert [] == _sample(wire, span, channel)
    assert ["cloud", "sd", "sd"] == [place for place, *_ in wire.asked]
