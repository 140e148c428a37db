"""The ten rules that an ISAPI client must obey, each against a recorder that punishes breaking it."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Iterator

import attrs
import pytest

from camsync import (
    AccountLockedError,
    AuthenticationError,
    Capability,
    Channel,
    ChannelSource,
    ConfigurationError,
    DeviceKind,
    HikvisionISAPI,
    ProtocolError,
    Recording,
    RecordingKey,
    RecordingKind,
    RecordingNotFoundError,
    RequestRejectedError,
    RetryPolicy,
    TimeSpan,
    VolumeState,
    download,
)
from camsync._time import UTC, ZMeaning
from camsync.testing import PERSONALITIES, RecorderSimulator


QUICK = RetryPolicy(attempts=2, initial=0.01, total=5)


def _open_provider(simulator: RecorderSimulator, **options: object) -> HikvisionISAPI:
    options = {"port": simulator.port, "retry": QUICK, "timeout": (2.0, 5.0), **options}
    password = str(options.pop("password", simulator.password))
    return HikvisionISAPI(simulator.host, simulator.username, password, **options)  # type: ignore[arg-type]


def _found(provider: HikvisionISAPI, channel: int = 0, hours: float = 3) -> list[Recording]:
    return list(provider.search(provider.channels()[channel], TimeSpan.last(hours=hours)))


def _truth(
    simulator: RecorderSimulator, channel: int, hours: float = 3
) -> list[tuple[str, dt.datetime]]:
    since = dt.datetime.now(UTC) - dt.timedelta(hours=hours)
    return sorted(
        (one.name, one.start.replace(microsecond=0))
        for one in simulator.recordings(channel)
        if one.end > since and one.track % 100 == 1
    )


def _keys(recordings: list[Recording]) -> list[tuple[str, dt.datetime]]:
    return sorted((one.key.item, one.start) for one in recordings)


@pytest.mark.parametrize("model", sorted(PERSONALITIES))
def test_every_personality_gives_all_recordings_of_every_channel(model: str):
    """Whatever tags, pages and times a firmware uses: nothing missing, nothing double, right times."""
    with (
        RecorderSimulator(model=model, channels=2, hours=3, segment_seconds=60) as simulator,
        _open_provider(simulator) as provider,
    ):
        for channel in provider.channels():
            listed = list(provider.search(channel, TimeSpan.last(hours=2)))
            expected = _truth(simulator, int(channel.id), 2)
            if not expected:  # a wire without a picture
                assert listed == []
                continue
            # A recording may have begun between the two looks.
            assert set(_keys(listed)) <= set(_truth(simulator, int(channel.id), 2.1))
            assert len(set(expected) - set(_keys(listed))) <= 1
            assert listed[-1].in_progress
            assert not listed[0].in_progress


def test_channels_of_a_network_recorder():
    """Rule 2 and 3: one endpoint refuses, the free-slot count is not the channel count."""
    with RecorderSimulator(channels=4) as simulator, _open_provider(simulator) as provider:
        channels = provider.channels()

        assert provider.devices()[0].kind is DeviceKind.NVR
        assert [one.id for one in channels] == ["1", "2", "3", "4"]
        assert {one.source for one in channels} == {ChannelSource.NETWORK}
        assert [one.online for one in channels] == [True, True, True, False]
        assert _found(provider, 3), "an offline channel still has recordings"


def test_channels_of_a_hybrid_recorder():
    """Wires and network channels in one list, dead wires offline."""
    with (
        RecorderSimulator(model="iDS-7204HUHI-M1", channels=6) as simulator,
        _open_provider(simulator) as provider,
    ):
        sources = [one.source for one in provider.channels()]

        assert provider.devices()[0].kind is DeviceKind.DVR
        assert sources == [ChannelSource.ANALOG] * 4 + [ChannelSource.NETWORK] * 2
        assert [one.online for one in provider.channels()][:4] == [True, False, True, False]


def test_channels_of_a_camera():
    """A camera refuses the recorder's list and is one channel."""
    with (
        RecorderSimulator(model="DS-2CD2185FWD-I") as simulator,
        _open_provider(simulator) as provider,
    ):
        (channel,) = provider.channels()

        assert provider.devices()[0].kind is DeviceKind.CAMERA
        assert channel.source is ChannelSource.BUILT_IN


def test_a_hundred_calls_cost_a_hundred_and_one_requests():
    """One nonce for all of them."""
    with RecorderSimulator(channels=1) as simulator, _open_provider(simulator) as provider:
        provider.devices()
        simulator.reset_counters()
        provider.retry_login()  # forget the nonce: the count begins with a fresh login

        for _ in range(100):
            provider.storage()

        assert simulator.requests <= 101


def test_threads_share_the_nonce():
    """Eight threads that work at once cost one challenge."""
    with RecorderSimulator(channels=1) as simulator, _open_provider(simulator) as provider:
        provider.devices()
        simulator.reset_counters()
        provider.retry_login()
        threads = [threading.Thread(target=provider.storage) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert simulator.unauthorized == 1
        assert simulator.requests == 9


def test_a_wrong_password_costs_one_failed_login():
    """Rule 10: refused once, the device is left alone until told otherwise."""
    with (
        RecorderSimulator(channels=1) as simulator,
        _open_provider(simulator, password="wrong-password-99") as provider,
    ):
        for _ in range(5):
            with pytest.raises(AuthenticationError) as caught:
                provider.devices()
        requests = simulator.requests
        with pytest.raises(AuthenticationError):
            provider.storage()

        assert simulator.logins_failed == 1
        assert simulator.requests == requests
        assert "wrong-password-99" not in str(caught.value)
        provider.retry_login()
        with pytest.raises(AuthenticationError):
            provider.devices()
        assert simulator.logins_failed == 2


def test_a_locked_account_says_until_when():
    """The lock is read from what the device answers, and no further try is made."""
    with RecorderSimulator(channels=1, failed_logins_allowed=1, lock_seconds=900) as simulator:
        with (
            _open_provider(simulator, password="wrong") as provider,
            pytest.raises(AuthenticationError),
        ):
            provider.devices()
        with _open_provider(simulator) as provider, pytest.raises(AccountLockedError) as caught:
            provider.devices()

    assert caught.value.unlock_at is not None
    left = caught.value.unlock_at - dt.datetime.now(UTC)
    assert dt.timedelta(minutes=14) < left <= dt.timedelta(minutes=15)


@pytest.mark.parametrize(
    "fault",
    [
        "stale-nonce",
        "nonce-once",
        "nonce-per-url",
        "nonce-strict-order",
        "sha256-only",
        "digest-no-qop",
        "two-challenges",
        "digest-and-basic",
    ],
)
def test_every_kind_of_digest(fault: str):
    """Stale, bound and strict nonces, both hashes, the old form: all work, and none fails a login."""
    with (
        RecorderSimulator(channels=2, faults=[fault]) as simulator,
        _open_provider(simulator) as provider,
    ):
        threads = [threading.Thread(target=provider.storage) for _ in range(6)]
        provider.devices()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(provider.channels()) == 2
        assert simulator.logins_failed == 0


def test_a_device_that_calls_every_nonce_stale():
    """It is left alone after one fresh nonce more, and no login was counted as failed."""
    with (
        RecorderSimulator(channels=1, faults=["nonce-always-stale"]) as simulator,
        _open_provider(simulator) as provider,
    ):
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                provider.devices()
        assert simulator.requests <= 4
        assert simulator.logins_failed == 0


def test_basic_only_by_wish_or_over_tls():
    """In the clear it is refused without sending the password; allowed, it works."""
    with RecorderSimulator(channels=1, faults=["basic-only"]) as simulator:
        with (
            _open_provider(simulator) as provider,
            pytest.raises(AuthenticationError, match="Basic"),
        ):
            provider.devices()
        assert simulator.logins_failed == 0
        with _open_provider(simulator, allow_basic=True) as provider:
            assert provider.devices()


def test_a_password_refused_midway_is_final():
    """A password that was right and is refused now costs one more failed login, then silence."""
    with RecorderSimulator(channels=1) as simulator, _open_provider(simulator) as provider:
        provider.devices()
        simulator.enable("unauthorized-midway")
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                provider.storage()

        assert simulator.logins_failed <= 2
        before = simulator.requests
        with pytest.raises(AuthenticationError):
            provider.storage()
        assert simulator.requests == before


def test_pages_keep_one_search_id():
    """Rules 4 to 6: 180 recordings in pages of 40, complete and each once."""
    with RecorderSimulator(channels=1, hours=3, segment_seconds=60) as simulator:
        with _open_provider(simulator, time_mode="local") as provider:
            recordings = _found(provider)
        searches = [
            line for line in simulator.requests_log if "search" in line.path and line.status == 200
        ]

        assert len(recordings) >= 179
        assert len({one.key for one in recordings}) == len(recordings)
        assert len(searches) == 5


def test_duplicate_items_are_dropped():
    """Rule 8: the same file twice is one recording."""
    with (
        RecorderSimulator(channels=1, hours=2, faults=["duplicate-items"]) as simulator,
        _open_provider(simulator, time_mode="local") as provider,
    ):
        recordings = _found(provider)

        assert len({one.key for one in recordings}) == len(recordings) >= 100


def test_the_dialect_that_works_is_remembered():
    """A recorder that refuses the first form is asked in the right one from then on."""
    with RecorderSimulator(channels=1, hours=1, page_cap=30, faults=["page-cap-400"]) as simulator:
        with _open_provider(simulator, time_mode="local") as provider:
            first = _found(provider)
            refused = [line.status for line in simulator.requests_log].count(400)
            assert _found(provider)
        assert first
        assert refused == [line.status for line in simulator.requests_log].count(400) > 0


def test_an_answer_for_another_track_is_not_believed():
    """Rule: check the track of each item; footage of the wrong camera is worse than none."""
    with (
        RecorderSimulator(channels=2, hours=1, faults=["wrong-track"]) as simulator,
        _open_provider(simulator, time_mode="local") as provider,
    ):
        assert _found(provider, 0, 1)
        with pytest.raises(ProtocolError, match="asked for track 201"):
            _found(provider, 1, 1)


def test_nothing_found_in_all_shapes():
    """NO MATCHES, a blank list, 403 from a camera: an empty result each time."""
    past = TimeSpan(dt.datetime(2021, 1, 1, tzinfo=UTC), dt.datetime(2021, 1, 2, tzinfo=UTC))
    for model in ("DS-7616NI-K2", "DS-N308", "DS-2CD2143G2-I"):
        with (
            RecorderSimulator(model=model, channels=1, hours=1) as simulator,
            _open_provider(simulator, time_mode="local") as provider,
        ):
            assert list(provider.search(provider.channels()[0], past)) == []


def test_a_recorder_that_fails_on_wide_windows_is_asked_in_pieces():
    """A device error on a day is answered with smaller windows, so nothing is lost."""
    with RecorderSimulator(channels=1, hours=2) as simulator:
        with _open_provider(simulator, time_mode="local") as provider:
            expected = _keys(_found(provider, hours=2))
            simulator.enable("error-500-search", times=2)
            again = _keys(_found(provider, hours=2))

        assert set(expected) <= set(again)


def test_an_empty_day_is_settled_by_the_calendar():
    """When a search fails and the calendar shows no recording, the day is empty."""
    with (
        RecorderSimulator(channels=1, hours=1) as simulator,
        _open_provider(simulator, time_mode="local") as provider,
    ):
        channel = provider.channels()[0]
        list(provider.search(channel, TimeSpan.last(hours=1)))
        simulator.enable("error-500-search")
        past = TimeSpan(dt.datetime(2021, 1, 1, tzinfo=UTC), dt.datetime(2021, 1, 2, tzinfo=UTC))

        assert list(provider.search(channel, past)) == []


def test_days_with_recordings():
    """The calendar of a month, in the device's own days."""
    with RecorderSimulator(channels=1, hours=30, segment_seconds=600) as simulator:
        with _open_provider(simulator) as provider:
            clock = provider.clock()
            now = clock.local(dt.datetime.now(UTC))
            days = provider.days_with_recordings(provider.channels()[0], now.date())

        assert now.date() in days
        assert days == tuple(sorted(days))


@pytest.mark.parametrize("zone", ["CST-8:00:00", "CST+5:00:00", "CST-5:30:00"])
@pytest.mark.parametrize("meaning", ["local", "utc"])
def test_what_z_means_is_measured(zone: str, meaning: str):
    """Rule 7: the same footage has the same UTC times, whatever the device means by Z."""
    with RecorderSimulator(
        channels=1, hours=14, segment_seconds=600, timezone=zone, z_means=meaning
    ) as simulator:
        with _open_provider(simulator) as provider:
            clock = provider.clock()
            recordings = _keys(_found(provider))

        assert clock.z_means is ZMeaning(meaning)
        assert clock.certain
        assert set(recordings) <= set(_truth(simulator, 1, 3.1))
        assert len(recordings) >= 18


def test_what_z_means_can_be_told():
    """time_mode and timezone settle it without a search."""
    with (
        RecorderSimulator(channels=1, hours=1) as simulator,
        _open_provider(simulator, time_mode="utc", timezone="Asia/Ho_Chi_Minh") as provider,
    ):
        clock = provider.clock()

        assert clock.z_means is ZMeaning.UTC
        assert "as told" in clock.reason
        assert not [line for line in simulator.requests_log if "search" in line.path]


def _autumn_simulator(hours_after: float) -> tuple[RecorderSimulator, dt.datetime]:
    now = dt.datetime(2026, 10, 25, 1, 0, tzinfo=UTC) + dt.timedelta(hours=hours_after)
    simulator = RecorderSimulator(
        channels=1,
        hours=5,
        segment_seconds=600,
        timezone="CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00",
        z_means="local",
        clock=lambda: now,
    )
    return simulator, now


def test_no_recording_is_lost_when_clocks_go_back(monkeypatch):
    """Across the autumn change every recording is there once; order tells the equal hours apart."""
    simulator, now = _autumn_simulator(2)
    monkeypatch.setattr("camsync.providers.hikvision._clock.utcnow", lambda: now)
    monkeypatch.setattr("camsync.providers.hikvision._provider.utcnow", lambda: now)
    with simulator, _open_provider(simulator, time_mode="local") as provider:
        span = TimeSpan(now - dt.timedelta(hours=4), now)
        recordings = list(provider.search(provider.channels()[0], span))
        expected = [one for one in simulator.recordings(1) if one.end > span.start]

    assert len(recordings) == len(expected)
    assert len({one.key for one in recordings}) == len(recordings)
    starts = {one.name: one.start.replace(microsecond=0) for one in expected}
    wrong = [one for one in recordings if starts[one.key.item] != one.start]
    assert wrong == []


def test_storage():
    """Disks in bytes, an empty bay as a state."""
    with RecorderSimulator(channels=1) as simulator, _open_provider(simulator) as provider:
        disk, bay = provider.storage()

        assert disk.capacity == 7630885 * 2**20
        assert bay.state is VolumeState.MISSING


def test_capabilities():
    """What the device records and offers; resuming is never claimed."""
    with RecorderSimulator(channels=1) as simulator, _open_provider(simulator) as provider:
        assert Capability.DAYS in provider.capabilities
        assert Capability.RANGE not in provider.capabilities
        assert Capability.SUB_STREAM not in provider.capabilities
    with (
        RecorderSimulator(model="DS-7732NI-M4", channels=1) as simulator,
        _open_provider(simulator) as provider,
    ):
        assert provider.channels()[0].tracks == ("101", "102")
        assert Capability.SUB_STREAM in provider.capabilities


def test_kinds_are_filtered():
    """Only what was asked for, of what the device recorded."""
    with RecorderSimulator(channels=1, hours=3) as simulator, _open_provider(simulator) as provider:
        channel, span = provider.channels()[0], TimeSpan.last(hours=3)
        motion = list(provider.search(channel, span, kinds={RecordingKind.MOTION}))
        everything = list(provider.search(channel, span))

        assert {one.kind for one in motion} <= {RecordingKind.MOTION}
        assert len(motion) == sum(one.kind is RecordingKind.MOTION for one in everything)


def test_a_key_finds_its_recording_again():
    """A stored key is enough to fetch the footage tomorrow."""
    with RecorderSimulator(channels=2, hours=2) as simulator, _open_provider(simulator) as provider:
        recording = _found(provider, 1, 2)[3]
        key = RecordingKey.parse(recording.key.uri)

        assert provider.locate(key) == recording


def test_a_key_of_something_else_is_refused():
    """Another device's key is an error, an overwritten recording a different one."""
    with RecorderSimulator(channels=1, hours=1) as simulator, _open_provider(simulator) as provider:
        key = _found(provider, 0, 1)[0].key
        serial = key.device
        old = RecordingKey.parse(f"hik://{serial}/101/20200101T000000Z/00000000000000001")
        gone = RecordingKey.parse(f"hik://{serial}/901/20200101T000000Z/x")

        with pytest.raises(RecordingNotFoundError):
            provider.locate(old)
        with pytest.raises(ConfigurationError):
            provider.locate(RecordingKey.parse("hik://OTHER/101/20200101T000000Z/x"))
        with pytest.raises(RequestRejectedError):
            provider.locate(gone)


def test_a_dump_can_be_explored(tmp_path):
    """The simulator plays a device from its answers; the provider sees that device."""
    body = (
        "<InputProxyChannelList><InputProxyChannel><id>7</id><name>Dock</name></InputProxyChannel>"
        "</InputProxyChannelList>"
    )
    dump = {
        "camsync_dump": 1,
        "model": "DS-7608NXI-I2",
        "firmware": "V4.62.210",
        "endpoints": {
            "GET /ISAPI/ContentMgmt/InputProxy/channels": {"status": 200, "body": body},
            "GET /ISAPI/System/Video/inputs/channels": {"status": 403, "body": ""},
        },
    }
    with RecorderSimulator(dump=dump, hours=1) as simulator, _open_provider(simulator) as provider:
        (channel,) = provider.channels()

        assert (channel.id, channel.name) == ("7", "Dock")
        assert _found(provider, 0, 1)


@pytest.fixture
def provider() -> Iterator[HikvisionISAPI]:
    """Return a provider for a small recorder."""
    with RecorderSimulator(channels=1, hours=1) as simulator, _open_provider(simulator) as provider:
        yield provider


@pytest.mark.filterwarnings("ignore::camsync.InsecureConnectionWarning")
def test_arguments_are_checked_before_anything_is_sent():
    """Unusable arguments are configuration errors."""
    for options in (
        {"time_mode": "gmt"},
        {"timezone": "Nowhere/Land"},
        {"timeout": (0, 1)},
        {"verify": False},
        {"verify": "sha256:" + "0" * 64},  # over plain HTTP it would protect nothing
        {"retry": 3},
        {"timeout": None},
        {"verify": "sha256:zz"},
        {"verify": "/no/such/file.pem"},
        {"port": 0},
    ):
        with pytest.raises(ConfigurationError):
            HikvisionISAPI("127.0.0.1", "admin", "x", **options)  # type: ignore[arg-type]


def test_a_foreign_channel_cannot_be_tracked(provider: HikvisionISAPI):
    """A channel whose id is no number is refused by name."""
    channel = Channel(device=provider.devices()[0].id, id="front", name="x")  # type: ignore[arg-type]

    with pytest.raises(ProtocolError, match="front"):
        list(provider.search(channel, TimeSpan.last(hours=1)))
    with pytest.raises(ProtocolError, match="front"):
        provider.days_with_recordings(channel, dt.date(2026, 1, 1))


def test_a_channel_of_another_device_is_refused(provider: HikvisionISAPI):
    """Two recorders both have a channel 1; mixing them up must not find anything."""
    stranger = attrs.evolve(provider.channels()[0], device="another")

    with pytest.raises(ConfigurationError, match="leads to"):
        next(provider.search(stranger, TimeSpan.last(hours=1)))
    with pytest.raises(ConfigurationError, match="leads to"):
        provider.days_with_recordings(stranger, dt.date(2026, 1, 1))


def test_a_key_of_another_vendor_is_refused(provider: HikvisionISAPI):
    """A key says which provider can find it."""
    with pytest.raises(ConfigurationError, match="no key of a Hikvision"):
        provider.locate(RecordingKey.parse("imou://ABC123/0/cloud/20260101T000000Z/1"))


def test_the_clock_is_read_again_after_a_while(monkeypatch):
    """A provider that lives for months notices when clocks change, without measuring again."""
    with RecorderSimulator(channels=1, hours=14, segment_seconds=600) as simulator:
        with _open_provider(simulator) as provider:
            _found(provider)
            monkeypatch.setattr("camsync.providers.hikvision._timekeeper._CLOCK_LIFE", -1.0)
            simulator.reset_counters()
            _found(provider)
        paths = [line.path for line in simulator.requests_log]

    assert sum("System/time" in path for path in paths) == 1
    assert sum("search" in path for path in paths) == 1


def test_more_matches_than_a_device_counts(monkeypatch):
    """V4.61.030 stops at a number of matches: the window is asked in pieces, nothing is lost."""
    monkeypatch.setattr("camsync.providers.hikvision._search._MOST_MATCHES", 50)
    model = attrs.evolve(PERSONALITIES["DS-8632N-I8"], total_cap=50)
    with (
        RecorderSimulator(model=model, channels=1, hours=4, segment_seconds=60) as simulator,
        _open_provider(simulator, time_mode="local") as provider,
    ):
        recordings = _found(provider, hours=4)
        expected = _truth(simulator, 1, 4)

    assert len(set(expected) - set(_keys(recordings))) <= 1
    assert len(recordings) >= 235


def test_a_recorder_whose_clock_is_behind():
    """What counts as still being written is judged by the device's own clock."""
    behind = dt.timedelta(minutes=6)
    with (
        RecorderSimulator(
            channels=1, hours=1, segment_seconds=60, clock=lambda: dt.datetime.now(UTC) - behind
        ) as simulator,
        _open_provider(simulator, timezone="+08:00", time_mode="local") as provider,
    ):
        recordings = _found(provider, hours=2)

    assert [one.in_progress for one in recordings[-3:]] == [True] * 3
    assert not recordings[-5].in_progress


def test_numbers_and_names_are_no_channels(provider: HikvisionISAPI):
    """A usual slip in a notebook gets a usual answer."""
    with pytest.raises(ConfigurationError, match="a Channel is needed"):
        next(provider.search(1, TimeSpan.last(hours=1)))  # type: ignore[arg-type]


def test_a_recording_across_the_autumn_change(monkeypatch, tmp_path):
    """The one segment a year whose end is written before its start is fetched like any other."""
    simulator, now = _autumn_simulator(2)
    monkeypatch.setattr("camsync.providers.hikvision._clock.utcnow", lambda: now)
    monkeypatch.setattr("camsync.providers.hikvision._provider.utcnow", lambda: now)
    change = dt.datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    with simulator, _open_provider(simulator, time_mode="local") as provider:
        span = TimeSpan(change - dt.timedelta(minutes=20), change + dt.timedelta(minutes=20))
        recordings = list(provider.search(provider.channels()[0], span))
        (crossing,) = [one for one in recordings if one.start < change < one.end]
        done = download(provider, crossing, tmp_path, min_free=0)

    assert done.duration == pytest.approx(crossing.duration.total_seconds(), abs=2)


@pytest.mark.parametrize("minutes", [0, 15, 59])
def test_windows_that_begin_in_the_repeated_hour(monkeypatch, minutes):
    """Asked for the second half of the night only, each segment still has its own hour."""
    simulator, now = _autumn_simulator(2)
    monkeypatch.setattr("camsync.providers.hikvision._clock.utcnow", lambda: now)
    monkeypatch.setattr("camsync.providers.hikvision._provider.utcnow", lambda: now)
    start = dt.datetime(2026, 10, 25, 0, minutes, tzinfo=UTC)
    with simulator, _open_provider(simulator, time_mode="local") as provider:
        for span in (TimeSpan(start, now), TimeSpan(start + dt.timedelta(hours=1), now)):
            recordings = list(provider.search(provider.channels()[0], span))
            expected = sorted(
                (one.name, one.start.replace(microsecond=0))
                for one in simulator.recordings(1)
                if one.end > span.start and one.start < span.end
            )
            assert _keys(recordings) == expected


def test_repr_names_the_device(provider: HikvisionISAPI):
    """The repr says where and what, never with which password."""
    assert repr(provider).startswith("<HikvisionISAPI http://127.0.0.1:")
    provider.devices()
    assert provider.devices()[0].id in repr(provider)
    assert "Simulator-1" not in repr(provider)
