"""The Imou client against the simulated platform: login, devices, cards, plans, search, download."""

from __future__ import annotations

import datetime as dt
import functools
import json
import logging
import math
import threading
import traceback

import attrs
import pytest

from camsync import Channel, DeviceKind, TimeSpan, VolumeState
from camsync._retry import RetryPolicy
from camsync._secret import Secret
from camsync._time import utcnow
from camsync.errors import (
    AuthenticationError,
    BudgetExceededError,
    CamsyncError,
    CertificateError,
    ClockSkewError,
    ConfigurationError,
    DeviceAsleepError,
    DeviceBusyError,
    DeviceOfflineError,
    DownloadUnsupportedError,
    NoCloudPlanError,
    NoLocalStorageError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RecordingNotFoundError,
    RequestRejectedError,
    UnreachableError,
    UnsupportedError,
)
from camsync.models import CheckStatus
from camsync.providers.imou import ImouClient, _hls, _listing, _parse, open_account
from camsync.providers.imou._budget import Budget
from camsync.providers.imou._codes import error_of
from camsync.providers.imou._lists import DeviceLists
from camsync.providers.imou._openapi import OpenApi
from camsync.providers.imou._parse import read_result
from camsync.providers.imou._wire import RawRecord
from camsync.testing.imou.simulator import ImouSimulator
from camsync.transport import Answer


UTC = dt.timezone.utc
SECRET = "planted-app-secret-77"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)
QUICK = RetryPolicy(attempts=3, total=5.0, initial=0.0)


@pytest.fixture
def play():
    """Return a function that starts a simulator and a client of it."""
    running = []

    def start(devices=1, *, client=None, **options):
        options = {"segment_seconds": 300, **options}
        simulator = ImouSimulator(devices=devices, app_secret=SECRET, **options).start()
        running.append(simulator)
        made = _connect(simulator, **(client or {}))
        running.append(made)
        return simulator, made

    yield start
    for one in reversed(running):
        (one.stop if isinstance(one, ImouSimulator) else one.close)()


def _connect(simulator: ImouSimulator, **options) -> ImouClient:
    settings = {
        "base_url": simulator.base_url,
        "timezone": "+08:00",
        "retry": QUICK,
        **options,
    }
    return ImouClient(simulator.app_id, simulator.app_secret, **settings)


def _day(simulator: ImouSimulator) -> TimeSpan:
    """The local day (UTC+8) that began 36 to 12 hours ago: it is over."""
    zone = dt.timezone(dt.timedelta(hours=8))
    end = (utcnow().astimezone(zone) - dt.timedelta(hours=12)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return TimeSpan(end - dt.timedelta(days=1), end)


# -- Login


@pytest.mark.parametrize(("accepted", "logins"), [("md5", 1), ("both", 1), ("hmac", 2)])
def test_the_signature_is_found_out_and_remembered(play, accepted, logins):
    """MD5 is tried first; what works is used from then on and can be kept."""
    simulator, client = play(sign=accepted)
    client.devices()
    client.close()
    client.devices()

    winner = "hmac" if accepted == "hmac" else "md5"
    assert {"sign": winner, "host": simulator.base_url} == client.learnt
    assert logins + 1 == simulator.calls["accessToken"]
    again = _connect(simulator, learnt=client.learnt)
    again.devices()
    assert logins + 2 == simulator.calls["accessToken"]


def test_nothing_is_sent_before_the_first_call(play):
    """Making a client and looking at it costs nothing."""
    simulator, client = play()

    assert "lcsimulator0000001" in repr(client)
    assert {} == client.learnt
    assert "SEARCH" in str(client.capabilities)
    assert 0 == client.usage.calls == simulator.requests


def test_a_wrong_secret_costs_two_calls_and_then_nothing(play):
    """One for each signature; afterwards every call is refused here, until retry_login."""
    simulator, _ = play()
    client = _connect(simulator, max_calls=50)
    wrong = ImouClient("lcother", Secret("wrong"), base_url=simulator.base_url)

    for _ in range(3):
        with pytest.raises(AuthenticationError):
            wrong.devices()
    sent = simulator.calls["accessToken"]
    wrong.retry_login()
    with pytest.raises(AuthenticationError):
        wrong.devices()

    assert sent < simulator.calls["accessToken"] <= 2 * sent
    assert client.devices()


def test_one_signature_can_be_demanded(play):
    """If it is the wrong one, the login is refused with the name of what was tried."""
    _, client = play(sign="hmac", client={"sign": "md5"})

    with pytest.raises(AuthenticationError, match="md5 tried"):
        client.devices()


def test_both_signatures_refused_is_a_refused_login(play):
    """The answer says that both were tried."""
    simulator, client = play()
    simulator.enable("wrong-sign")

    with pytest.raises(AuthenticationError, match="md5 and hmac tried"):
        client.devices()
    with pytest.raises(AuthenticationError, match="nothing more was sent"):
        client.devices()
    assert 2 == simulator.calls["accessToken"]


@pytest.mark.parametrize("fault", ["unknown-app", "app-frozen"])
def test_a_login_that_no_signature_mends_is_tried_once(play, fault):
    """Unknown and frozen apps."""
    simulator, client = play()
    simulator.enable(fault)

    for _ in range(2):
        with pytest.raises(AuthenticationError):
            client.devices()
    assert 1 == simulator.requests


def test_an_unknown_method_at_login_is_no_refused_password(play):
    """A wrong host answers so: nothing more is sent, and the older lists are none of its business."""
    for code, times in (("OP1005", 2), ("OP1012", 1)):
        simulator, client = play()
        simulator.enable(f"code:{code}@accessToken", times=times)

        with pytest.raises(AuthenticationError) as caught:
            client.devices()
        assert code == caught.value.vendor_code
        with pytest.raises(AuthenticationError, match="nothing more was sent"):
            client.devices()
        assert times == simulator.requests
        client.retry_login()
        assert client.devices()
        assert 0 == simulator.calls["deviceBaseList"]


def test_a_wrong_clock_is_measured(play):
    """The error says by how much, and in which direction."""
    for seconds, word in ((900, "behind"), (-900, "ahead of")):
        simulator, client = play()
        simulator.advance(seconds)

        with pytest.raises(ClockSkewError, match=f"{word} the cloud") as caught:
            client.devices()
        assert "NTP" in str(caught.value)


@pytest.mark.parametrize("fault", ["other-domain", "foreign-domain", "no-domain"])
def test_a_domain_that_is_not_the_vendor_s_is_not_followed(play, fault):
    """Requests stay where they were sent."""
    simulator, client = play()
    simulator.enable(fault)

    assert client.devices()
    assert simulator.base_url == client.learnt["host"]


def test_a_domain_may_lack_its_scheme(play):
    """It means https then, which the simulator does not speak."""
    simulator, client = play()
    simulator.enable("bare-domain")

    with pytest.raises(CamsyncError):
        client.devices()
    assert client.learnt["host"].startswith("https://127.0.0.1:")


def test_an_empty_login_is_a_protocol_error(play):
    """Code 0 without a token."""
    simulator, client = play()
    simulator.enable("empty-login")

    with pytest.raises(ProtocolError, match="no token"):
        client.devices()


# -- Sessions


def test_an_ended_session_is_renewed_once(play):
    """TK1002 costs one login and one more try."""
    simulator, client = play()
    client.devices()
    simulator.expire_token()

    assert client.devices()
    assert (2, 3) == (simulator.calls["accessToken"], simulator.calls["listDeviceDetailsByPage"])


@pytest.mark.parametrize("fault", ["token-expired", "token-illegal"])
def test_refused_sessions_do_not_loop(play, fault):
    """When every session is refused, a call costs one try and no further logins."""
    simulator, client = play()
    simulator.enable(fault)

    for _ in range(4):
        with pytest.raises(AuthenticationError):
            client.devices()

    assert 2 == simulator.calls["accessToken"]
    assert 2 + 3 == simulator.calls["listDeviceDetailsByPage"]


def test_threads_share_one_renewal(play):
    """Ten threads whose session has ended log in once together."""
    simulator, client = play()
    client.devices()
    simulator.expire_token()
    found = []

    threads = [threading.Thread(target=lambda: found.append(client.devices())) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 10 == len(found)
    assert 2 == simulator.calls["accessToken"]


# -- Quotas and budgets


def test_a_used_up_quota_stops_everything_at_once(play):
    """No retry, no further request, not even a login; retry_login begins anew."""
    simulator, client = play(devices=1)
    (channel,) = client.channels()
    simulator.enable("quota-month")
    before = simulator.requests

    for _ in range(3):
        with pytest.raises(QuotaError) as caught:
            list(client.search(channel, _day(simulator)))
        assert "OP1013" == caught.value.vendor_code
    with pytest.raises(QuotaError):
        client.devices()

    assert before + 1 == simulator.requests
    simulator.disable("quota-month")
    client.retry_login()
    assert client.devices()


def test_a_daily_limit_of_one_interface_leaves_the_others(play):
    """OP1011 is about one method."""
    simulator, client = play()
    client.devices()
    simulator.enable("code:OP1011@listDeviceDetailsByPage", times=1)

    for _ in range(2):
        with pytest.raises(QuotaError):
            client.devices()
    assert client.storage()
    assert 2 == simulator.calls["listDeviceDetailsByPage"]


def test_a_quota_begins_anew_with_its_period(play):
    """A daily quota ends with the day, a monthly one with the month, both in UTC."""
    for fault, days in (("quota-day", 1), ("quota-month", 10)):
        now = [NOW]
        simulator, client = play(clock=lambda now=now: now[0])
        client._wire._caller._now = lambda now=now: now[0]
        simulator.enable(fault, times=1)
        with pytest.raises(QuotaError):
            client.devices()
        now[0] = NOW + dt.timedelta(hours=11)
        with pytest.raises(QuotaError, match="nothing more"):
            client.devices()
        now[0] = NOW + dt.timedelta(days=days)
        assert client.devices()


def test_your_own_limit_stops_before_the_request(play):
    """The call that would pass max_calls is not sent."""
    simulator, client = play(client={"max_calls": 3})
    client.devices()
    client.devices()

    with pytest.raises(BudgetExceededError):
        client.devices()
    assert 3 == simulator.requests == client.usage.calls
    assert {"accessToken": 1, "listDeviceDetailsByPage": 2} == client.usage.by_method


def test_media_traffic_that_is_used_up_stops_downloads_only(play):
    """FL1004 is about media: searching goes on."""
    simulator, client = play()
    (channel,) = client.channels()
    recording = _one(client, channel)
    simulator.enable("traffic-used-up")

    for _ in range(2):
        with pytest.raises(QuotaError):
            client.open(recording).__enter__()
    assert 1 == simulator.calls["createDeviceRecordHls"]
    assert client.devices()


# -- Trouble on the way


@pytest.mark.parametrize(
    ("fault", "kind", "tries"),
    [
        ("http-404", RequestRejectedError, 1),
        ("http-500", UnreachableError, 3),
        ("http-503", DeviceBusyError, 1),
        ("redirect-api", ProtocolError, 1),
        ("not-json", ProtocolError, 1),
        ("no-code", ProtocolError, 1),
        ("huge-answer", ProtocolError, 1),
        ("reset-connection", UnreachableError, 3),
        ("too-frequent", DeviceBusyError, 3),
        ("nonce-reused", DeviceBusyError, 3),
        ("unheard-of-code", UnsupportedError, 1),
        ("numeric-code", UnsupportedError, 1),
        ("no-permission", PermissionDeniedError, 1),
        ("illegal-value", RequestRejectedError, 1),
    ],
)
def test_trouble_is_typed_and_tried_again_only_where_that_helps(play, fault, kind, tries):
    """What may pass is tried three times, everything else once."""
    simulator, client = play(client={"retry": RetryPolicy(attempts=3, total=0.9, initial=0.0)})
    client.devices()
    before = simulator.requests
    simulator.enable(fault)

    with pytest.raises(kind) as caught:
        client.devices()
    assert caught.value.next_step
    assert tries == simulator.requests - before


def test_a_busy_moment_passes(play):
    """Two refusals, and the third try succeeds with fresh time, nonce and signature."""
    simulator, client = play()
    simulator.enable("too-frequent", times=2)

    assert client.devices()
    assert 3 == simulator.calls["accessToken"]


def test_another_authority_can_be_trusted(play, tmp_path):
    """A proxy that inspects TLS has a CA of its own; without it, nothing is sent."""
    simulator, _ = play(tls=True)
    authority = tmp_path / "proxy.pem"
    authority.write_text(simulator.certificate)

    with pytest.raises(CertificateError, match="not trusted") as caught:
        _connect(simulator).devices()
    assert "verify=" in str(caught.value)
    assert _connect(simulator, verify=str(authority)).devices()


# -- Devices


@pytest.mark.parametrize(
    ("devices", "calls"), [(0, 1), (1, 1), (49, 1), (50, 2), (51, 2), (99, 2), (100, 2), (120, 3)]
)
def test_devices_cost_a_call_per_fifty(play, devices, calls):
    """A full page that may be the last costs one more, unless the count is plainly a total."""
    simulator, client = play(devices=devices)

    assert devices == len(client.devices())
    assert calls == simulator.calls["listDeviceDetailsByPage"]
    assert devices == len(client.channels())
    assert calls == simulator.calls["listDeviceDetailsByPage"]


def test_a_count_that_is_the_page_s_does_not_end_the_list(play):
    """An exact multiple of the page costs one more call, and then it is over."""
    simulator, client = play(devices=100)
    simulator.enable("count-is-page")

    assert 100 == len(client.devices())
    assert 3 == simulator.calls["listDeviceDetailsByPage"]


def test_the_list_is_asked_for_again_after_a_minute(play, monkeypatch):
    """Channels come from the list of the last minute."""
    simulator, client = play()
    client.channels()
    client.channels()
    assert 1 == simulator.calls["listDeviceDetailsByPage"]
    monkeypatch.setattr(_listing, "_LIFE", -1.0)
    client.channels()

    assert 2 == simulator.calls["listDeviceDetailsByPage"]


def test_kinds_and_states_of_devices(play):
    """A recorder has channels; states are said as digits or as words."""
    simulator, client = play(devices=["camera", "nvr", "offline", "asleep"])
    for fault in ("", "status-words", "bare-list"):
        if fault:
            simulator.enable(fault)
        devices = client.devices()

        assert [DeviceKind.CAMERA, DeviceKind.NVR, DeviceKind.CAMERA, DeviceKind.CAMERA] == [
            device.kind for device in devices
        ]
        assert [[True], [True] * 4, [False], [False]] == [
            [channel.online for channel in client.channels(device)] for device in devices
        ]
        json.dumps([dict(device.raw) for device in devices])


def test_devices_without_channels_are_listed(play):
    """They have none, and no card."""
    simulator, client = play()
    simulator.enable("no-channels")

    (device,) = client.devices()
    assert DeviceKind.UNKNOWN is device.kind
    assert () == client.channels() == client.storage()


@pytest.mark.parametrize("code", ["OP1005", "OP1012"])
def test_older_lists_are_used_where_the_new_one_is_not_offered(play, code):
    """Both pairs, in pages, with details; and from then on at once."""
    simulator, client = play(devices=["camera"] * 52 + ["bound", "no-plan"])
    simulator.enable(f"code:{code}@listDeviceDetailsByPage")

    devices = client.devices()

    assert {one.id for one in simulator.devices} == {one.id for one in devices}
    assert "IPC-C22C" == devices[0].model
    plans = [client.plan(channel) for channel in client.channels()]
    assert ("active", "none") == (plans[0], plans[-2])
    client.devices()
    assert 1 == simulator.calls["listDeviceDetailsByPage"]
    assert 0 == simulator.calls["getStorageStrategy"]
    assert (4, 4) == (simulator.calls["deviceBaseList"], simulator.calls["deviceBaseDetailList"])


def test_one_of_the_older_pairs_is_enough(play):
    """Without any of them, the account cannot be listed."""
    simulator, client = play(devices=["camera", "bound"])
    simulator.enable("code:OP1005@listDeviceDetailsByPage")
    simulator.enable("code:OP1005@deviceOpenList")

    assert 1 == len(client.devices())
    simulator.enable("code:OP1005@deviceBaseList")
    with pytest.raises(UnsupportedError):
        client.devices()


def test_other_trouble_does_not_lead_to_the_older_lists(play):
    """A used-up quota stays what it is."""
    simulator, client = play()
    simulator.enable("code:OP1013@listDeviceDetailsByPage")

    with pytest.raises(QuotaError):
        client.devices()
    assert 0 == simulator.calls["deviceBaseList"]


def test_a_list_without_a_list_is_a_protocol_error(play):
    """Unless there is no data at all, which is how some platforms say that there is nothing."""
    simulator, client = play()
    client.devices()
    simulator.enable("null-data", times=1)

    assert () == client.devices()


def test_a_foreign_device_is_refused(play):
    """A device of another account, or of another provider."""
    _, client = play()
    (device,) = client.devices()

    for stranger in (attrs.evolve(device, id="X"), attrs.evolve(device, provider="hikvision")):
        with pytest.raises(ConfigurationError, match="does not belong"):
            client.storage(stranger)


# -- Cards and plans


def test_cards_are_volumes_in_any_state(play):
    """No card, an unformatted one and one that cannot be asked are states, not failures."""
    simulator, client = play(devices=["camera", "no-card", "unformatted", "offline", "asleep"])
    client.devices()
    before = simulator.requests

    cards = client.storage()

    assert [
        VolumeState.OK,
        VolumeState.MISSING,
        VolumeState.UNFORMATTED,
        VolumeState.OFFLINE,
        VolumeState.OFFLINE,
    ] == [card.state for card in cards]
    assert (31254904832, 3750588580) == (cards[0].capacity, cards[0].free)
    assert 2 + 1 + 2 + 0 + 1 == simulator.requests - before


@pytest.mark.parametrize(
    ("fault", "states"),
    [("code:DV1049@deviceStorage", [VolumeState.MISSING]), ("not-supported", [])],
)
def test_codes_about_cards_are_states_too(play, fault, states):
    """A missing card may be a code; a device without a place for one has no volume."""
    simulator, client = play()
    client.devices()
    simulator.enable(fault)

    assert states == [card.state for card in client.storage()]


def test_plans_are_asked_for_where_the_list_does_not_say_them(play):
    """One call for all, unless one is refused: then in halves, and by another method for that one."""
    simulator, client = play(devices=["camera", "plan-expired", "no-plan", "bound"])

    assert ["active", "expired", "none", "active"] == [
        client.plan(channel) for channel in client.channels()
    ]
    assert (5, 1) == (
        simulator.calls["deviceBaseDetailList"],
        simulator.calls["getStorageStrategy"],
    )


def test_a_plan_that_nobody_says_is_unknown(play):
    """Both methods may not be offered."""
    simulator, client = play()
    (channel,) = client.channels()
    simulator.enable("code:OP1005@deviceBaseDetailList")
    simulator.enable("code:OP1005@getStorageStrategy")

    assert "unknown" == client.plan(channel)


# -- Search


def _truth(simulator, channel, span, *storages):
    """What the simulator says is recorded and has a length."""
    return sorted(
        (clip.start, clip.storage, clip.id)
        for clip in simulator.history(channel.device)
        if clip.channel == channel.id
        and clip.storage in storages
        and clip.seconds
        and clip.start < span.end
        and clip.end > span.start
    )


def _found(client, channel, span, **options):
    return [
        (one.start, one.key.stream, one.raw["id"])
        for one in client.search(channel, span, **options)
    ]


def _one(client, channel):
    span = TimeSpan.last(hours=2)
    return next(one for one in client.search(channel, span, storage="sd") if not one.in_progress)


@pytest.mark.parametrize(
    "fault",
    [None, "duplicate-records", "endless-pages", "empty-without-records", "empty-is-an-error"],
)
def test_search_finds_everything_once(play, fault):
    """Whatever habits the platform has, cloud and card are complete, ordered and unique."""
    simulator, client = play(devices=["nvr"], hours=5, segment_seconds=120)
    if fault:
        simulator.enable(fault)
    channel = client.channels()[1]
    span = TimeSpan(utcnow() - dt.timedelta(hours=4), utcnow() - dt.timedelta(minutes=9))

    for storage, places in (("cloud", ["cloud"]), ("sd", ["sd"]), ("both", ["cloud", "sd"])):
        found = _found(client, channel, span, storage=storage)
        assert _truth(simulator, channel, span, *places) == sorted(found)
        assert sorted(start for start, *_ in found) == [start for start, *_ in found]


def test_search_is_lazy_by_day(play):
    """The first recording costs the first day's pages only."""
    simulator, client = play(hours=60, segment_seconds=7200, clock=lambda: NOW)
    client._wire._caller._now = lambda: NOW
    (channel,) = client.channels()
    span = TimeSpan(NOW - dt.timedelta(hours=50), NOW)
    client.search(channel, span)
    before = simulator.requests

    next(client.search(channel, span))

    assert 1 + 1 + 1 == simulator.requests - before  # calendar, cloud, card


def test_the_newest_are_listed_where_positions_are_not_offered(play):
    """GetCloudRecords pages backwards, 30 at a time, and is used from then on."""
    simulator, client = play(hours=61, segment_seconds=300)
    (channel,) = client.channels()
    span = _day(simulator)
    simulator.enable("code:OP1005@queryCloudRecords")

    found = _found(client, channel, span, storage="cloud")

    assert _truth(simulator, channel, span, "cloud") == found
    assert len(found) > 60
    _found(client, channel, span, storage="cloud")
    assert 1 == simulator.calls["queryCloudRecords"]


def test_endless_newest_pages_end(play):
    """A page that brings nothing new is the last."""
    simulator, client = play(hours=61, segment_seconds=300)
    (channel,) = client.channels()
    simulator.enable("code:OP1012@queryCloudRecords")
    simulator.enable("duplicate-records")

    found = _found(client, channel, _day(simulator), storage="cloud")

    assert _truth(simulator, channel, _day(simulator), "cloud") == found


def test_other_trouble_in_the_cloud_is_an_error(play):
    """It does not lead to another method."""
    simulator, client = play()
    (channel,) = client.channels()
    simulator.enable("code:OP1009@queryCloudRecords")

    with pytest.raises(PermissionDeniedError):
        _found(client, channel, TimeSpan.last(hours=1), storage="cloud")


@pytest.mark.parametrize(
    ("device", "storage", "kind"),
    [
        ("no-plan", "cloud", NoCloudPlanError),
        ("plan-expired", "cloud", NoCloudPlanError),
        ("no-card", "sd", NoLocalStorageError),
        ("offline", "both", DeviceOfflineError),
        ("asleep", "sd", DeviceAsleepError),
        ("shared", "both", PermissionDeniedError),
    ],
)
def test_what_cannot_be_searched_is_typed(play, device, storage, kind):
    """No plan, no card, offline, asleep, somebody else's."""
    _, client = play(devices=[device])
    (channel,) = client.channels()

    with pytest.raises(kind) as caught:
        _found(client, channel, TimeSpan.last(hours=1), storage=storage)
    assert caught.value.next_step


def test_an_offline_camera_s_cloud_can_be_searched(play):
    """What is in the cloud stays there."""
    _, client = play(devices=["offline"])
    (channel,) = client.channels()

    assert _found(client, channel, TimeSpan.last(hours=2), storage="cloud")


@pytest.mark.parametrize("device", ["no-plan", "no-card"])
def test_one_place_is_enough_when_both_are_asked(play, device):
    """A camera without a plan has its card, one without a card has the cloud."""
    _, client = play(devices=[device])
    (channel,) = client.channels()

    places = {place for _, place, _ in _found(client, channel, TimeSpan.last(hours=2))}
    assert {"sd" if device == "no-plan" else "cloud"} == places


def test_a_sleeping_camera_is_woken_on_request(play):
    """One call to wake it, and one more try."""
    simulator, client = play(devices=["asleep"], client={"wake": True, "storage": "sd"})
    naps = []
    client._wire._caller._sleep = naps.append
    (channel,) = client.channels()

    assert _found(client, channel, TimeSpan.last(hours=2))
    assert 1 == simulator.calls["wakeUpDevice"]
    assert [4.0] == naps


def test_zones_are_asked_from_the_devices(play):
    """Each device once; times come out right although each has a zone of its own."""
    simulator, _ = play(devices=["camera", "dst"])
    client = _connect(simulator, timezone=None)
    span = TimeSpan(utcnow() - dt.timedelta(hours=2), utcnow() - dt.timedelta(minutes=9))

    for channel in client.channels():
        for _ in range(2):
            found = _found(client, channel, span)
            assert _truth(simulator, channel, span, "cloud", "sd") == sorted(found)
    assert 2 == simulator.calls["timeZoneQueryByDay"]
    assert 0 == simulator.calls["timeZoneQueryByWeek"]


def test_without_a_zone_there_is_no_search(play):
    """The error says which argument helps."""
    simulator, _ = play()
    client = _connect(simulator, timezone=None)
    (channel,) = client.channels()
    simulator.enable("no-zone")

    with pytest.raises(ConfigurationError, match="timezone="):
        _found(client, channel, TimeSpan.last(hours=1))


@pytest.mark.parametrize("now", [dt.datetime(2026, 3, 29, 12), dt.datetime(2026, 10, 25, 12)])
def test_days_on_which_clocks_change_are_complete(play, now):
    """On the days of 23 and of 25 hours every clip is found at its true time."""
    now = now.replace(tzinfo=UTC)
    simulator, _ = play(devices=["dst"], hours=20, segment_seconds=600, clock=lambda: now)
    client = _connect(simulator, timezone="Europe/Berlin")
    client._wire._caller._now = lambda: now
    (channel,) = client.channels()
    span = TimeSpan(now - dt.timedelta(hours=16), now - dt.timedelta(hours=2))

    found = _found(client, channel, span)

    assert _truth(simulator, channel, span, "cloud", "sd") == sorted(found)


def test_a_day_of_twenty_cameras_costs_no_more_than_its_pages(play):
    """The table: calls made against the least that days and pages allow."""
    simulator, client = play(devices=20, hours=61, segment_seconds=2400)
    span = _day(simulator)
    channels = client.channels()
    simulator.reset_counters()
    least = {"queryCloudRecords": 0, "queryLocalRecords": 0}
    for channel in channels:
        clips = [
            clip
            for clip in simulator.history(channel.device)
            if clip.start < span.end and clip.end >= span.start
        ]
        for method, storage, size in (
            ("queryCloudRecords", "cloud", 100),
            ("queryLocalRecords", "sd", 30),
        ):
            count = sum(clip.storage == storage for clip in clips)
            least[method] += (
                math.floor(count / size) + 1
            )  # only a short page says that it is the last

    found = sum(1 for channel in channels for _ in client.search(channel, span))
    calls = dict(simulator.calls)

    assert 20 * 36 <= found
    assert least["queryLocalRecords"] == calls["queryLocalRecords"]
    # One call for the whole account may find out how the cloud lists what reaches over midnight.
    assert calls["queryCloudRecords"] - least["queryCloudRecords"] in {0, 1}
    assert set(least) == set(calls)


def test_a_recording_is_found_again_by_its_key(play):
    """In its own place only; what is gone is said to be gone."""
    _simulator, client = play()
    (channel,) = client.channels()
    span = TimeSpan.last(hours=2)
    for storage in ("cloud", "sd"):
        recording = next(client.search(channel, span, storage=storage))
        assert recording == client.locate(recording.key)

    with pytest.raises(RecordingNotFoundError):
        client.locate(attrs.evolve(recording.key, item="gone"))
    with pytest.raises(CamsyncError):
        client.locate(attrs.evolve(recording.key, device="X"))
    with pytest.raises(ConfigurationError):
        client.locate(attrs.evolve(recording.key, provider="hikvision"))


def test_a_channel_is_needed_not_its_number(play):
    """The mistake is named."""
    _, client = play()

    with pytest.raises(ConfigurationError, match="a Channel is needed"):
        next(client.search("0", TimeSpan.last(hours=1)))


# -- Download


def test_a_download_is_complete_and_counted(play):
    """What is read is what the simulator holds, and the budget knows its bytes."""
    simulator, client = play(segment_seconds=60, hours=1)
    (channel,) = client.channels()
    recording = _one(client, channel)
    assert "experimental" == client.can_download(recording).level

    with client.open(recording) as stream:
        content = b"".join(iter(lambda: _read(stream), b""))

    (clip,) = [one for one in simulator.history() if one.id == recording.raw["id"]]
    assert b"".join(simulator.content(clip)) == content
    assert client.usage.bytes >= len(content)
    assert "yes" == client.can_download(recording).level


def _read(stream) -> bytes:
    buffer = bytearray(1 << 16)
    return bytes(buffer[: stream.readinto(memoryview(buffer))])


def test_media_limits_stop_before_the_request(play):
    """With max_bytes reached, no URL is asked for."""
    simulator, client = play(client={"max_bytes": 0})
    recording = _one(client, client.channels()[0])

    with pytest.raises(BudgetExceededError):
        client.open(recording).__enter__()
    assert 0 == simulator.calls["createDeviceRecordHls"]


@pytest.mark.parametrize(("fault", "code"), [("no-hls", "OP1005"), ("hls-denied", "OP1012")])
def test_downloads_that_are_not_allowed_are_refused_once(play, fault, code):
    """The vendor's code is said, and the account is not asked again for each recording."""
    simulator, client = play()
    recording = _one(client, client.channels()[0])
    simulator.enable(fault)

    for _ in range(3):
        with pytest.raises(DownloadUnsupportedError) as caught:
            client.open(recording).__enter__()
        assert code == caught.value.vendor_code

    assert 1 == simulator.calls["createDeviceRecordHls"]
    assert "no" == client.can_download(recording).level
    assert "DOWNLOAD" not in str(client.capabilities)
    simulator.disable(fault)
    client.retry_login()
    with client.open(recording) as stream:
        assert _read(stream)


def test_one_device_that_cannot_play_says_nothing_about_others(play):
    """Only refusals of the whole account are remembered."""
    simulator, client = play()
    recording = _one(client, client.channels()[0])
    simulator.enable("code:DV1026@createDeviceRecordHls", times=1)

    with pytest.raises(DownloadUnsupportedError):
        client.open(recording).__enter__()
    with client.open(recording) as stream:
        assert _read(stream)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("no-url", ProtocolError), ("code:OP1003@createDeviceRecordHls", RequestRejectedError)],
)
def test_other_refusals_keep_their_kind(play, fault, kind):
    """They are no lack of support."""
    simulator, client = play()
    recording = _one(client, client.channels()[0])
    simulator.enable(fault)

    with pytest.raises(kind):
        client.open(recording).__enter__()


def test_what_crosses_midnight_may_not_be_played():
    """The code means a wrong value otherwise; the error says what it is about."""

    def refuse(method, params):
        code = "OP1003"
        raise error_of(code, "", method)

    wire = OpenApi(_Cloud(refuse), None)
    record = RawRecord(
        id="x",
        device="D",
        channel="0",
        begin=dt.datetime(2026, 7, 1, 23, 59),
        end=dt.datetime(2026, 7, 2, 0, 1),
        storage="sd",
    )

    with pytest.raises(DownloadUnsupportedError, match="midnight"):
        wire.play_url(record)
    with pytest.raises(RequestRejectedError):
        wire.play_url(attrs.evolve(record, end=record.begin))


def test_support_is_judged_by_recording(play):
    """An own key is a doubt, another provider's recording is none of ours."""
    _, client = play()
    recording = _one(client, client.channels()[0])
    locked = attrs.evolve(recording, raw={**recording.raw, "encrypted": True})
    foreign = attrs.evolve(recording, key=attrs.evolve(recording.key, provider="hikvision"))

    assert "key" in client.can_download(locked).reason
    assert "no" == client.can_download(foreign).level


# -- Doctor


def _checks(client) -> dict[str, tuple[CheckStatus, str]]:
    return {check.name: (check.status, check.seen) for check in client.diagnose()}


def test_the_doctor_sees_a_healthy_account(play):
    """All steps, in order, with what was seen."""
    _, client = play(devices=6, client={"max_calls": 100})
    checks = _checks(client)

    assert [
        "host",
        "clock",
        "login",
        "devices",
        "plan",
        "card",
        "search",
        "download",
        "quota",
    ] == list(checks)
    assert {CheckStatus.OK} == {status for status, _ in checks.values()}
    assert "signed with md5" in checks["login"][1]
    assert "hours left" in checks["login"][1]
    assert "active; 1 more not asked" in checks["plan"][1]
    assert "3.8 of 31.3 GB free" in checks["card"][1]
    assert "of your limit of 100" in checks["quota"][1]


def test_the_doctor_sees_what_is_wrong_with_devices(play):
    """Offline, without a plan, without a card, with nothing to play."""
    simulator, client = play(devices=["plan-expired", "no-card", "unformatted", "offline"])
    simulator.enable("no-hls")
    checks = _checks(client)

    assert CheckStatus.WARNING is checks["devices"][0]
    assert (CheckStatus.WARNING, True) == (checks["plan"][0], "expired" in checks["plan"][1])
    assert CheckStatus.WARNING is checks["card"][0]
    assert "no card" in checks["card"][1]
    assert CheckStatus.FAILED is checks["download"][0]
    assert "OP1005" not in checks["quota"][1]


def test_the_doctor_goes_on_when_one_channel_fails(play):
    """The others are searched."""
    _, client = play(devices=["camera", "shared"])

    status, seen = _checks(client)["search"]
    assert CheckStatus.WARNING is status
    assert "recordings" in seen


def test_the_doctor_says_when_nothing_can_be_searched(play):
    """The step fails; nothing can be played then."""
    _, client = play(devices=["shared"])
    checks = _checks(client)

    assert CheckStatus.FAILED is checks["search"][0]
    assert CheckStatus.SKIPPED is checks["download"][0]


def test_the_doctor_finds_nothing_recorded(play):
    """A camera that does not record is worth a warning; the whole day was looked at."""
    simulator, client = play()
    client.channels()
    simulator.enable("code:OP1019@queryLocalRecords")
    simulator.enable("code:RC1001@queryCloudRecords")

    assert (CheckStatus.WARNING, "recordings of the last 24 hours: none") == (
        _checks(client)["search"]
    )


def test_the_doctor_sees_an_empty_account(play):
    """A login that works with an empty list is what a wrong region looks like."""
    simulator, client = play()
    simulator.enable("wrong-region")
    checks = _checks(client)

    assert CheckStatus.WARNING is checks["devices"][0]
    assert {CheckStatus.SKIPPED} == {
        checks[name][0] for name in ("plan", "card", "search", "download")
    }


def test_the_doctor_stops_at_the_first_broken_step(play):
    """Without a login, without devices, without a host: the rest is skipped, the quota is shown."""
    simulator, client = play()
    simulator.enable("app-frozen", times=1)
    checks = _checks(client)
    assert CheckStatus.FAILED is checks["login"][0]
    assert {CheckStatus.SKIPPED} == {checks[name][0] for name in ("devices", "card", "download")}
    assert CheckStatus.OK is checks["quota"][0]

    client.retry_login()
    simulator.enable("code:OP1009@listDeviceDetailsByPage", times=1)
    assert CheckStatus.FAILED is _checks(client)["devices"][0]

    client.close()
    simulator.stop()
    checks = _checks(client)
    assert CheckStatus.FAILED is checks["host"][0]
    assert "clock" not in checks


def test_the_doctor_looks_at_the_clock(play):
    """Two minutes are worth a warning before they become five."""
    simulator, client = play()
    simulator.advance(120)
    status, seen = _checks(client)["clock"]

    assert CheckStatus.WARNING is status
    assert "behind" in seen
    client._wire._caller.skew = None
    assert CheckStatus.SKIPPED is _checks(client)["clock"][0]


# -- What the simulator does not do


class _Cloud:
    """Answers calls from a function, in the place of the real caller."""

    def __init__(self, answer):
        self.asked = []
        self._answer = answer

    def call(self, method, params, *, cancel=None):
        self.asked.append(method)
        return self._answer(method, params)


def test_pages_without_end_are_given_up(monkeypatch):
    """All of them new, and each is paid for: it ends with an error, and not silently."""
    monkeypatch.setattr(_parse, "_MOST_PAGES", 20)
    begin, end = dt.datetime(2026, 7, 1), dt.datetime(2026, 7, 1, 23, 59, 59)

    def more(method, params):
        number = len(cloud.asked) * 100
        if method == "listDeviceDetailsByPage":
            return {"deviceList": [{"deviceId": f"{number + place}"} for place in range(50)]}
        if method == "deviceBaseList":
            devices = [
                {"deviceId": f"{number + place}", "bindId": number + place} for place in range(50)
            ]
            return {"deviceList": devices}
        moment = end - dt.timedelta(seconds=len(cloud.asked))
        wall = f"{moment:%Y-%m-%d %H:%M:%S}"
        record = {"beginTime": wall, "endTime": wall}
        return {"records": [{**record, "recordId": f"{number + place}"} for place in range(100)]}

    cloud = _Cloud(more)
    lists, wire = DeviceLists(cloud), OpenApi(cloud, None)
    for ask in (
        lists.devices,
        lambda: lists._by_bind_id("deviceBaseList"),
        lambda: list(wire.sd_records("D", "0", begin, end)),
        lambda: list(wire._newest("D", "0", begin, end)),
    ):
        cloud.asked.clear()
        with pytest.raises(ProtocolError, match="without end"):
            ask()
        assert 20 == len(cloud.asked)


def test_a_list_that_repeats_itself_ends():
    """A page of known devices is the last, and a list by number that does not advance as well."""

    def same(method, params):
        return {"deviceList": [{"deviceId": f"{place}", "bindId": 7} for place in range(50)]}

    cloud = _Cloud(same)

    assert 50 == len(DeviceLists(cloud).devices())
    assert 100 == len(DeviceLists(cloud)._by_bind_id("deviceBaseList"))
    assert 2 + 2 == len(cloud.asked)


def test_a_month_without_recordings_may_be_a_code():
    """The calendar of such a month is empty, not unknown."""

    def nothing(method, params):
        raise RecordingNotFoundError(method)

    assert set() == OpenApi(_Cloud(nothing), None).cloud_days("D", "0", 2026, 7)


def test_the_second_question_for_the_zone_may_help():
    """Days of one year are not taken, weekly rules are."""

    def zone(method, params):
        if method == "timeZoneQueryByDay":
            return {
                "timeZone": "1",
                "beginSunTime": "03-29 02:00:00",
                "endSunTime": "10-25 03:00:00",
            }
        return {"timeZone": "1", "beginSunTime": "3-5-0 02:00:00", "endSunTime": "10-5-0 03:00:00"}

    found = OpenApi(_Cloud(zone), None).zone("D")

    assert dt.timedelta(hours=2) == found.utcoffset(dt.datetime(2026, 7, 1))


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 22 Nov 2026 12:00:00 -0000"])
def test_an_answer_may_lack_a_usable_date(date):
    """Then nothing is known about the clocks."""
    caller = ImouClient("x", "y")._wire._caller
    caller._note_date(Answer(status=200, headers={} if date is None else {"Date": date}, body=b""))

    assert caller.skew is None


def test_a_gateway_of_one_s_own_is_not_left():
    """Neither for the vendor's hosts nor for itself."""
    caller = ImouClient("x", "y", base_url="https://gateway.example")._wire._caller
    for domain in ("https://gateway.example:443", "https://openapi-fk.easy4ip.com"):
        caller._follow(domain)

    assert "https://gateway.example" == caller.root


def test_an_account_is_opened_from_the_parts_of_a_url(play):
    """A data centre's code, or a host with a port; the vendor's hosts are always spoken to with TLS."""
    simulator, _ = play()
    place = {"host": simulator.host, "port": simulator.port}

    with open_account(app_id=simulator.app_id, app_secret=SECRET, **place) as client:
        assert client.devices()
    assert "https://openapi-fk.easy4ip.com" == open_account("fk", "x", "y")._wire._caller.root
    with pytest.raises(ConfigurationError, match="plain HTTP"):
        open_account("gateway.example", "x", "y")
    assert "https://gateway.example:443" == (
        open_account("gateway.example", "x", "y", https=True)._wire._caller.root
    )


# -- Secrets and life


def test_no_secret_is_shown_anywhere(play, caplog, monkeypatch):
    """Not in logs, reprs, values, errors or their variables, whatever goes wrong."""
    at_once = functools.partial(_hls.open_hls, policy=attrs.evolve(_hls.POLICY, initial=0.0))
    monkeypatch.setattr(_hls, "open_hls", at_once)
    caplog.set_level(logging.DEBUG)
    simulator, client = play(devices=["camera", "encrypted"])
    shown = [repr(client), repr(vars(client)), repr(vars(client._wire._caller))]
    channels = client.channels()
    recording = _one(client, channels[0])
    shown += [
        repr(client.devices()),
        json.dumps([dict(one.raw) for one in channels]),
        repr(recording),
    ]
    shown += [json.dumps(dict(recording.raw)), repr(client.usage), repr(client.learnt)]
    token = client._wire._caller.tokens.known.value
    with client.open(recording) as stream:
        _read(stream)
        shown.append(repr(vars(stream)) if hasattr(stream, "__dict__") else repr(stream))
    for fault in (
        "http-500",
        "not-json",
        "reset-connection",
        "wrong-sign",
        "no-url",
        "segment-500",
    ):
        client.retry_login()
        simulator.enable(fault)
        with pytest.raises(CamsyncError) as caught:
            _drain(client, recording)
        simulator.disable(fault)
        lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown.append("".join(lines.format()))
    shown += [record.getMessage() for record in caplog.records]

    secrets = (SECRET, token.reveal(), "play-token-of", '"sign"')
    assert [] == [(secret, text) for text in shown for secret in secrets if secret in text]
    assert any("queryLocalRecords" in record.getMessage() for record in caplog.records)
    assert not any("hls/" in text and "127.0.0.1" in text for text in shown)


def test_secrets_that_the_cloud_repeats_are_taken_out():
    """Whatever its messages quote."""
    caller = ImouClient("x", SECRET)._wire._caller
    secrets = (caller._secret, Secret("other-token"))
    body = {"result": {"code": "OP1009", "msg": f"{SECRET} and other-token"}}

    assert "*** and ***" == read_result(json.dumps(body).encode(), "m", secrets).msg


@pytest.mark.parametrize(
    "make",
    [
        lambda: ImouClient("", SECRET),
        lambda: ImouClient("x", SECRET, region="eu"),
        lambda: ImouClient("x", SECRET, timezone="Mars/Base"),
        lambda: open_account("gateway.example", "x", SECRET),
    ],
)
def test_refused_arguments_do_not_show_the_secret(make):
    """Not even in the variables of the frames between here and the mistake."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)

    assert SECRET not in "".join(trace.format())


def _drain(client, recording) -> None:
    client.devices()
    with client.open(recording) as stream:
        while _read(stream):
            pass


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("", "x"), {}),
        ((" ", "x"), {}),
        (("x", ""), {}),
        (("x", "y"), {"region": "eu"}),
        (("x", "y"), {"base_url": "http://openapi.example"}),
        (("x", "y"), {"sign": "sha1"}),
        (("x", "y"), {"timezone": "Mars/Base"}),
        (("x", "y"), {"storage": "tape"}),
        (("x", "y"), {"timeout": 0}),
        (("x", "y"), {"retry": 3}),
        (("x", "y"), {"max_calls": -1}),
    ],
)
def test_unusable_arguments_are_refused(arguments, options):
    """At once, with what is wrong."""
    with pytest.raises(ConfigurationError):
        ImouClient(*arguments, **options)


def test_a_client_goes_to_its_region():
    """A host that was learnt is used when it is the vendor's."""
    learnt = {"host": "https://openapi-fk.easy4ip.com:443"}

    with ImouClient("x", "y", learnt=learnt) as client:
        assert learnt["host"] == client._wire._caller.root
    assert "<ImouClient unusable>" == repr(ImouClient.__new__(ImouClient))


@pytest.mark.parametrize(
    ("domain", "root"),
    [
        ("https://openapi-fk.easy4ip.com:443", "https://openapi-fk.easy4ip.com:443"),
        ("openapi-or.easy4ip.com:443", "https://openapi-or.easy4ip.com:443"),
        ("https://openapi.evil.example", "https://openapi-sg.easy4ip.com"),
        ("http://openapi-fk.easy4ip.com", "https://openapi-sg.easy4ip.com"),
        ("https://openapi-sg.easy4ip.com", "https://openapi-sg.easy4ip.com:443"),
        ("https://a b", "https://openapi-sg.easy4ip.com"),
        ("", "https://openapi-sg.easy4ip.com"),
    ],
)
def test_the_cloud_may_name_another_of_the_vendor_s_hosts(domain, root):
    """And no other: signed requests would go there."""
    caller = ImouClient("x", "y")._wire._caller
    caller._follow(domain)

    assert root == caller.root


def test_another_protocol_can_be_put_under_the_client(play):
    """The same client, over a wire of its own, with a budget or with the usual one."""
    _simulator, client = play()
    wire, web = client._wire, client._web

    for budget in (None, Budget("other")):
        other = ImouClient.over(wire, web, timezone="+08:00", storage="sd", budget=budget)
        (channel,) = other.channels()
        assert {"sd"} == {one.key.stream for one in other.search(channel, TimeSpan.last(hours=1))}
    assert "other" == other.usage.account


def test_several_threads_share_one_client(play):
    """Searches in parallel find what one alone finds."""
    _, client = play(devices=4, hours=3)
    channels = client.channels()
    span = TimeSpan(utcnow() - dt.timedelta(hours=2), utcnow() - dt.timedelta(minutes=9))
    alone = [_found(client, channel, span) for channel in channels]
    together: dict[int, list] = {}

    def work(place: int, channel: Channel) -> None:
        together[place] = _found(client, channel, span)

    threads = [
        threading.Thread(target=work, args=(place, channel))
        for place, channel in enumerate(channels)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert alone == [together[place] for place in range(4)]
