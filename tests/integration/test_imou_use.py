"""What users of the Imou client meet from day to day, against the simulated platform."""

from __future__ import annotations

import datetime as dt
import json
import logging
import pickle

from collections import Counter

import attrs
import pytest

from camsync import Channel, Device, RecordingKind, TimeSpan, VolumeState
from camsync._retry import RetryPolicy
from camsync._time import utcnow
from camsync.errors import (
    BudgetExceededError,
    ConfigurationError,
    DeviceAsleepError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceOfflineError,
    DownloadUnsupportedError,
    LicenceError,
    PermissionDeniedError,
    QuotaError,
    ShortReadError,
    UnreachableError,
    UnsupportedError,
)
from camsync.models import CheckStatus
from camsync.providers.imou import ImouClient, _plans, open_account
from camsync.providers.imou._advice import in_the_cloud
from camsync.testing.imou.simulator import ImouSimulator


QUICK = RetryPolicy(attempts=2, total=5.0, initial=0.0)
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def play():
    """Return a function that starts a simulator and a client of it."""
    running = []

    def start(devices=1, *, client=None, **options):
        options = {"segment_seconds": 300, **options}
        simulator = ImouSimulator(devices=devices, **options).start()
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


def _settled() -> TimeSpan:
    return TimeSpan(utcnow() - dt.timedelta(hours=2), utcnow() - dt.timedelta(minutes=12))


# -- Cameras that are away


@pytest.mark.parametrize(
    ("device", "kind"), [("offline", DeviceOfflineError), ("asleep", DeviceAsleepError)]
)
def test_the_cloud_of_a_camera_that_is_away_is_listed(play, device, kind):
    """All of it comes; that the card is missing is said at the end."""
    _, client = play(devices=[device])
    (channel,) = client.channels()
    alone = list(client.search(channel, _settled(), storage="cloud"))
    found = []

    with pytest.raises(kind, match="its cloud recordings were listed"):
        found.extend(client.search(channel, _settled()))

    assert alone
    assert {one.key for one in alone} <= {one.key for one in found}
    assert {"cloud"} == {one.key.stream for one in found}


# -- Zones


def test_zones_are_learnt_and_not_asked_for_again(play):
    """Not by the next client, and not while the camera is offline."""
    simulator, _ = play(devices=["camera", "dst"])
    first = _connect(simulator, timezone=None)
    found = [list(first.search(channel, _settled())) for channel in first.channels()]
    learnt = json.loads(json.dumps(dict(first.learnt)))
    simulator.reset_counters()
    again = _connect(simulator, timezone=None, learnt=learnt)
    before = dict(again.learnt)

    assert found == [list(again.search(channel, _settled())) for channel in again.channels()]

    assert 0 == simulator.calls["timeZoneQueryByDay"] == simulator.calls["timeZoneQueryByWeek"]
    assert learnt == before == again.learnt
    assert {"sign", "host", "zones"} == set(learnt)
    assert {one.id for one in simulator.devices} == set(learnt["zones"])
    simulator.set_online(simulator.devices[0].id, False)
    assert list(again.search(again.channels()[0], _settled(), storage="cloud"))


def test_what_was_learnt_is_there_before_the_first_call(play):
    """A profile that is written again loses nothing; what is no hint of ours is not kept."""
    simulator, _ = play()
    learnt = {"sign": "hmac", "host": "https://openapi-fk.easy4ip.com:443", "zones": {}, "x": 1}

    client = _connect(simulator, learnt=learnt)

    assert {"sign": "hmac", "host": learnt["host"]} == client.learnt
    assert 0 == simulator.requests


# -- Plans


def test_plans_of_many_cameras_cost_one_call(play, monkeypatch):
    """One for fifty devices; they are kept for a while, also beyond a new list."""
    simulator, client = play(devices=["camera"] * 10 + ["no-plan", "nvr"])
    for _ in range(2):
        client.devices()
        plans = Counter(client.plan(channel) for channel in client.channels())
        assert {"active": 14, "none": 1} == plans
    assert 1 == simulator.calls["deviceBaseDetailList"]
    assert 0 == simulator.calls["getStorageStrategy"]

    client.retry_login()
    client.plan(client.channels()[0])
    assert 2 == simulator.calls["deviceBaseDetailList"]
    monkeypatch.setattr(_plans, "LIFE", -1.0)
    client.plan(client.channels()[0])
    assert 3 == simulator.calls["deviceBaseDetailList"]


def test_more_cameras_than_a_page_are_asked_for_in_pages(play):
    """Fifty at once is the most."""
    simulator, client = play(devices=60)

    assert ["active"] * 60 == [client.plan(channel) for channel in client.channels()]
    assert 2 == simulator.calls["deviceBaseDetailList"]


def test_a_camera_that_tells_no_plan_is_asked_once(play):
    """Its own method is the last resort, and the answer is kept."""
    simulator, client = play(devices=["bound", "camera"])

    for _ in range(2):
        assert ["active", "active"] == [client.plan(channel) for channel in client.channels()]
    assert 3 == simulator.calls["deviceBaseDetailList"]
    assert 1 == simulator.calls["getStorageStrategy"]


def test_a_channel_that_is_not_listed_has_a_plan_too(play):
    """A channel that was kept from an earlier list."""
    simulator, client = play()
    (channel,) = client.channels()
    other = _connect(simulator)

    assert "active" == other.plan(attrs.evolve(channel, raw={}))


# -- The doctor


def _checks(client) -> dict[str, object]:
    return {check.name: check for check in client.diagnose()}


def test_the_doctor_lists_no_more_than_it_needs(play):
    """One page per place, however long the day's list is."""
    simulator, client = play(devices=4, segment_seconds=20, hours=26)
    checks = _checks(client)

    assert CheckStatus.OK is checks["search"].status
    assert CheckStatus.OK is checks["download"].status
    assert "Camera 1: cloud and card; Camera 2: cloud and card" in checks["search"].seen
    pages = (simulator.calls["queryCloudRecords"], simulator.calls["queryLocalRecords"])
    assert max(pages) <= 2 * 3  # two days near midnight
    assert min(pages) >= 3


def test_the_doctor_knows_cameras_that_are_only_offline(play):
    """Nothing is wrong with their cards."""
    _, client = play(devices=["camera", "offline"])
    card = _checks(client)["card"]

    assert CheckStatus.WARNING is card.status
    assert "bring the cameras that are offline back: their cards cannot be asked" == card.advice


def test_the_doctor_says_what_is_wrong_with_cards(play):
    """Both kinds of trouble have their own advice; one camera of another owner hides nothing."""
    _, client = play(devices=["unformatted", "offline", "shared"])
    card = _checks(client)["card"]

    assert CheckStatus.WARNING is card.status
    assert "look at these cards in the vendor's app; bring the cameras" in card.advice
    assert "unknown" in card.seen


@pytest.mark.parametrize(
    ("fault", "advice"), [("quota-month", "next month"), ("quota-day", "tomorrow")]
)
def test_the_doctor_s_quota_is_not_all_right_when_it_is_used_up(play, fault, advice):
    """The step says what the cloud said, and when it is over."""
    simulator, client = play()
    simulator.enable(fault)
    checks = _checks(client)

    assert CheckStatus.FAILED is checks["login"].status
    assert CheckStatus.FAILED is checks["quota"].status
    assert "step 'login'" in checks["quota"].seen
    assert "counted here" in checks["quota"].seen
    assert advice in checks["quota"].advice


def test_the_doctor_s_quota_knows_your_own_limit(play):
    """It is the first step that failed for it which is named."""
    _, client = play(client={"max_calls": 1})
    quota = _checks(client)["quota"]

    assert CheckStatus.FAILED is quota.status
    assert "step 'devices'" in quota.seen
    assert "raise max_calls" in quota.advice


# -- Cards


@pytest.mark.parametrize(
    ("options", "fault", "kind"),
    [
        ({"devices": ["shared", "camera"]}, None, PermissionDeniedError),
        ({"devices": ["camera", "camera"]}, "licence", LicenceError),
        ({"devices": ["camera", "camera"]}, "device-busy", DeviceBusyError),
    ],
)
def test_one_camera_that_refuses_does_not_hide_the_cards_of_the_others(play, options, fault, kind):
    """Of all devices its card is unknown, with the reason; asked for alone it is an error."""
    simulator, client = play(**options)
    first, second = client.devices()
    if fault:
        simulator.enable(fault, times=2 if fault == "device-busy" else 1)

    cards = client.storage()

    assert [(first.id, VolumeState.UNKNOWN), (second.id, VolumeState.OK)] == [
        (card.device, card.state) for card in cards
    ]
    assert "the cloud says" in cards[0].raw["problem"]
    if fault:
        simulator.enable(fault, times=2)
    with pytest.raises(kind):
        client.storage(first)


def test_trouble_on_the_way_is_no_state_of_a_card(play):
    """The cloud that cannot be reached says nothing about cards."""
    simulator, client = play()
    client.devices()
    simulator.stop()

    with pytest.raises(UnreachableError) as caught:
        client.storage()
    assert "internet" in caught.value.next_step


def test_a_busy_cloud_is_no_state_of_a_card(play):
    """Without a code of the vendor's it is the cloud that is busy, and not a device."""
    simulator, client = play(client={"retry": ONCE})
    client.devices()
    simulator.enable("http-503")

    with pytest.raises(DeviceBusyError):
        client.storage()


# -- Sizes and limits


def test_the_listed_size_is_a_hint(play):
    """Of both places; it travels, and the size itself stays unknown."""
    simulator, client = play()
    (channel,) = client.channels()
    truth = {clip.id: clip.size for clip in simulator.history()}

    found = list(client.search(channel, _settled()))

    assert {"cloud", "sd"} == {one.key.stream for one in found}
    for one in found:
        assert (None, truth[one.raw["id"]]) == (one.size, one.size_hint)
    assert found[0].size_hint == pickle.loads(pickle.dumps(found[0])).size_hint


def test_a_recording_that_does_not_fit_into_the_limit_is_not_asked_for(play):
    """What it would cost is known roughly, before anything is paid; what fits is fetched."""
    simulator, client = play(client={"max_bytes": 500_000}, segment_seconds=60)
    (channel,) = client.channels()
    recording = next(client.search(channel, _settled()))

    with pytest.raises(BudgetExceededError) as caught:
        client.open(attrs.evolve(recording, size_hint=561_234)).__enter__()

    assert (
        "this recording has about 548.1 KiB, 488.3 KiB are left of max_bytes"
        == caught.value.message
    )
    assert "raise max_bytes, or wait for the next month" == caught.value.next_step
    assert 0 == simulator.calls["createDeviceRecordHls"]
    with client.open(attrs.evolve(recording, size_hint=499_000)) as stream:
        assert stream.readinto(memoryview(bytearray(9)))
    with client.open(attrs.evolve(recording, size_hint=None)) as stream:
        assert stream.readinto(memoryview(bytearray(9)))


def test_only_the_limit_that_was_reached_is_named(play):
    """Raising the other one would not help."""
    simulator, _ = play()
    calls, size = _connect(simulator, max_calls=0), _connect(simulator, max_bytes=0)
    (channel,) = size.channels()
    recording = next(size.search(channel, _settled()))

    with pytest.raises(BudgetExceededError, match="raise max_calls, or"):
        calls.devices()
    with pytest.raises(BudgetExceededError, match="raise max_bytes, or"):
        size.open(recording).__enter__()


# -- Regions


def test_a_data_centre_that_does_not_exist_is_named(play):
    """Instead of an attempt to reach a host of that name without TLS."""
    with pytest.raises(ConfigurationError) as caught:
        open_account("eu", "lcapp", "secret")

    assert "there is no data centre 'eu'" == caught.value.message
    assert "use sg, fk, or, cn" in caught.value.next_step
    assert "imou://APPID@sg" in caught.value.next_step
    simulator, _ = play()
    with open_account(
        "localhost", simulator.app_id, simulator.app_secret, port=simulator.port
    ) as client:
        assert "localhost" in repr(client)


def test_data_centres_are_named_in_either_case():
    """SG is sg, in a URL and as an argument."""
    with open_account("FK", "lcapp", "secret") as one, ImouClient("a", "b", region="FK") as other:
        assert "<ImouClient lcapp at openapi-fk.easy4ip.com:443, storage='both'>" == repr(one)
        assert "openapi-fk" in repr(other)


# -- Kinds


def test_kinds_of_the_cloud_are_found_out(play):
    """By the list that tells them; both kinds together are everything."""
    simulator, client = play(hours=3)
    (channel,) = client.channels()
    kinds = {clip.id: clip.kind for clip in simulator.history() if clip.storage == "cloud"}

    parts = {
        kind: {
            one.raw["id"]
            for one in client.search(channel, _settled(), kinds={kind}, storage="cloud")
        }
        for kind in (RecordingKind.ALARM, RecordingKind.CONTINUOUS)
    }

    everything = {one.raw["id"] for one in client.search(channel, _settled(), storage="cloud")}
    assert everything == set().union(*parts.values())
    assert everything
    for kind, number in ((RecordingKind.ALARM, "1000"), (RecordingKind.CONTINUOUS, "2000")):
        assert all(number == kinds[one] for one in parts[kind])


def test_kinds_that_the_cloud_does_not_tell_are_an_error(play):
    """Otherwise everything would be missing, without a word."""
    simulator, client = play()
    (channel,) = client.channels()
    simulator.enable("code:OP1012@getCloudRecords")

    with pytest.raises(UnsupportedError, match="why something was recorded") as caught:
        list(client.search(channel, _settled(), kinds={RecordingKind.ALARM}))
    assert "OP1012" == caught.value.vendor_code
    assert "storage='sd'" in caught.value.next_step
    simulator.disable("code:OP1012@getCloudRecords")
    simulator.enable("code:OP1009@getCloudRecords")
    with pytest.raises(PermissionDeniedError):
        list(client.search(channel, _settled(), kinds={RecordingKind.ALARM}))


# -- Names


def test_an_only_channel_has_its_device_s_name(play):
    """Unless it has a name of its own; the channels of a recorder keep theirs."""
    simulator, client = play(devices=["camera", "nvr"])
    names = [channel.name for channel in client.channels()]
    nvr = simulator.devices[1].id

    assert ["Camera 1", *(f"{nvr}-{number}" for number in range(1, 5))] == names
    first = simulator.devices[0]
    for given, name in (("", "Camera 1"), ("Door", "Door"), ("Camera-1", "Camera-1")):
        page = {"channelList": [{"channelId": "0", "channelName": given}]}
        _, client = play(devices=[attrs.evolve(first, page=page)])
        assert [name] == [channel.name for channel in client.channels()]


# -- Words


def test_a_key_of_the_owner_s_own_has_its_own_advice(play):
    """It cannot be fetched; the app can show it."""
    _, client = play(devices=["encrypted"])
    recording = next(client.search(client.channels()[0], _settled(), storage="cloud"))

    with pytest.raises(DownloadUnsupportedError, match="encryption key of their own") as caught:
        client.open(recording).__enter__()
    assert "LV1004" == caught.value.vendor_code
    assert "switch it off in the Imou app (for new footage), or watch it there" == (
        caught.value.next_step
    )


def test_a_device_s_refusal_of_an_account_s_call_does_not_speak_of_devices(play):
    """There is no firmware to update."""
    simulator, client = play()
    simulator.enable("code:13202@listDeviceDetailsByPage", times=1)

    with pytest.raises(UnsupportedError, match="the account cannot do this") as caught:
        client.devices()
    assert "firmware" not in caught.value.next_step
    simulator.enable("code:13202@deviceSdcardStatus")
    assert () == client.storage()


def test_a_busy_cloud_does_not_speak_of_recorders(play):
    """Nobody views a cloud."""
    simulator, client = play(client={"retry": ONCE})
    simulator.enable("http-503")

    with pytest.raises(DeviceBusyError) as caught:
        client.devices()
    assert "viewers" not in caught.value.next_step


@pytest.mark.parametrize("kind", [ShortReadError, DeviceFaultError, UnreachableError])
def test_advice_about_recorders_is_replaced(kind):
    """Only that of the class: what somebody has said on purpose stays."""
    usual, chosen = kind("x"), kind("x")
    chosen.next_step = "buy a ladder"
    for error in (usual, chosen):
        in_the_cloud(error)

    assert usual.next_step != kind.default_next_step
    assert "recorder" not in usual.next_step
    assert "buy a ladder" == chosen.next_step


def test_an_ignored_domain_is_said_to_be_foreign(play, caplog):
    """To the vendor, or to the base URL that was given."""
    simulator, client = play()
    simulator.enable("foreign-domain")
    caplog.set_level(logging.WARNING)
    client.devices()

    (said,) = [one.getMessage() for one in caplog.records if "to go to" in one.getMessage()]
    assert f"does not belong to {simulator.base_url}: ignored" in said


@pytest.mark.parametrize(
    ("fault", "step"),
    [("quota-month", "next month"), ("quota-day", "tomorrow"), ("quota-interface", "tomorrow")],
)
def test_quotas_say_when_they_begin_anew(play, fault, step):
    """A day or a month."""
    simulator, client = play()
    simulator.enable(fault)

    with pytest.raises(QuotaError) as caught:
        client.devices()
    assert step in caught.value.next_step


# -- Misunderstandings


def test_wrong_arguments_are_named(play):
    """Whatever is handed in instead of what is needed."""
    simulator, client = play()
    (channel,) = client.channels()
    device = simulator.devices[0].id
    misuses = {
        "a Device is needed": [lambda: client.channels(device), lambda: client.storage(device)],
        "a Channel is needed": [
            lambda: list(client.search("0", _settled())),
            lambda: client.plan(0),
        ],
        "a TimeSpan is needed": [
            lambda: list(client.search(channel, ("2026-11-22", "2026-11-23"))),
        ],
        "a Recording is needed": [
            lambda: client.open("x"),
            lambda: client.can_download(channel),
        ],
        "a RecordingKey is needed": [lambda: client.locate("imou://x")],
        "app_id must be text, not int": [lambda: ImouClient(123, "b")],
    }

    for message, calls in misuses.items():
        for call in calls:
            with pytest.raises(ConfigurationError, match=message) as caught:
                call()
            assert caught.value.next_step
    with pytest.raises(
        ConfigurationError, match=f"the one of devices\\(\\) whose id is '{device}'"
    ):
        client.channels(device)
    with pytest.raises(ConfigurationError, match="or nothing for all"):
        client.channels(5)


def test_values_have_a_line_for_people(play):
    """What print shows; the repr stays exact."""
    _, client = play()
    (device,), (channel,) = client.devices(), client.channels()
    recording = next(client.search(channel, _settled(), storage="cloud"))

    assert f"Camera 1 (IPC-C22C, {device.id})" == str(device)
    assert f"Camera 1 (channel 0 of {device.id})" == str(channel)
    assert str(recording).startswith("Camera 1, cloud, 20")
    assert str(recording).endswith(f" UTC, {recording.duration.total_seconds():.0f} s")
    assert [Device.__name__, Channel.__name__] == [
        repr(one).partition("(")[0] for one in (device, channel)
    ]
