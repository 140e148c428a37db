"""The parts of the Imou simulator: zones, histories, tokens, faults, the cast, dumps, parameters."""

from __future__ import annotations

import datetime as dt
import inspect
import itertools
import json
import re
import subprocess
import sys
import zoneinfo

from pathlib import Path

import attrs
import hypothesis.strategies as st
import pytest

from hypothesis import given

from camsync._zone import parse_timezone
from camsync.errors import ConfigurationError
from camsync.testing.imou import FAULTS, KINDS, ImouSimulator, SimulatedDevice, _codes, _zones
from camsync.testing.imou._call import Call, signature
from camsync.testing.imou._cast import SimulatedChannel
from camsync.testing.imou._cloud import Clock, Nonces, Refused, Tokens
from camsync.testing.imou._faults import ImouFaults
from camsync.testing.imou._history import CLOUD, SD, Window
from camsync.testing.imou._media import covered
from camsync.testing.imou._openapi import METHODS


UTC = dt.timezone.utc
CAPTURES = Path(__file__).parents[3] / "shared" / "captures" / "imou"
NOW = dt.datetime(2026, 5, 20, 12, 0, 0, tzinfo=UTC)


def _sim(now: dt.datetime = NOW, **options) -> ImouSimulator:
    return ImouSimulator(clock=lambda: now, **options)


def _wall(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007


# -- Signatures ----------------------------------------------------------------------------------


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures are not beside the project")
def test_both_signatures_equal_the_documented_vector():
    """MD5 and HMAC give what the vendor's page says for its example."""
    vector = json.loads((CAPTURES / "doc_samples" / "sign_vectors.json").read_text())
    values = {
        "time": vector["time"],
        "nonce": vector["nonce"],
        "app_secret": vector["appSecret"],
    }
    assert vector["md5_hex"] == signature("md5", **values)
    assert vector["hmac_sha256_b64"] == signature("hmac", **values)


# -- Zones ---------------------------------------------------------------------------------------


def test_a_zone_with_daylight_saving_tells_both_changes():
    """Berlin changes on the last Sundays of March and October, by wall clock before the change."""
    told = _zones.by_day(zoneinfo.ZoneInfo("Europe/Berlin"), 2026)
    assert ("1", "week") == (told["timeZone"], told["mode"])
    assert ("03-29 02:00:00", "10-25 03:00:00") == (told["beginSunTime"], told["endSunTime"])
    assert ("3-5-0 02:00:00", "10-5-0 03:00:00") == (
        told["beginWeekSunTime"],
        told["endWeekSunTime"],
    )


def test_the_southern_summer_begins_late_in_the_year():
    """In Sydney daylight saving begins in October and ends in April, on first Sundays."""
    told = _zones.by_week(zoneinfo.ZoneInfo("Australia/Sydney"), 2026)
    assert "10" == told["timeZone"]
    assert ("10-1-0 02:00:00", "4-1-0 03:00:00") == (told["beginSunTime"], told["endSunTime"])


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("+08:00", "8"), ("-05:30", "-5.5"), ("UTC", "0"), ("Asia/Ho_Chi_Minh", "7")],
)
def test_a_zone_without_daylight_saving_has_only_its_offset(zone, hours):
    """Everything about a change of clocks is empty, and the mode is none."""
    told = _zones.by_day(parse_timezone(zone), 2026)
    assert (hours, "none") == (told.pop("timeZone"), told.pop("mode"))
    assert {"areaIndex": "0"} == {name: value for name, value in told.items() if value}
    assert "" == _zones.by_week(parse_timezone(zone), 2026)["beginSunTime"]


# -- Histories -----------------------------------------------------------------------------------


def test_a_card_is_covered_without_gaps_up_to_now():
    """Normal clips follow each other; the newest is being written and ends with the clock."""
    sim = _sim(devices=1, hours=2, segment_seconds=30)
    clips = [clip for clip in sim.history() if clip.storage == SD]
    plain = [clip for clip in clips if clip.kind == "normal" and clip.seconds]
    assert all(later.start == one.end for one, later in itertools.pairwise(plain))
    assert (NOW, True) == (plain[-1].end, plain[-1].in_progress)
    assert not any(clip.in_progress for clip in clips if clip is not plain[-1])
    assert 240 == pytest.approx(len(plain), abs=1)


def test_cards_have_twins_and_clips_without_length():
    """An event clip has the times of a normal one, and some clips end when they begin."""
    clips = [clip for clip in _sim(devices=1, hours=1).history() if clip.storage == SD]
    events = [clip for clip in clips if clip.kind == "videomotion"]
    normal = {(clip.start, clip.end): clip.id for clip in clips if clip.kind == "normal"}
    assert events
    assert all(normal[clip.start, clip.end] != clip.id for clip in events)
    empty = [clip for clip in clips if not clip.seconds]
    assert {0} == {clip.size for clip in empty}
    assert len(clips) == len({clip.id for clip in clips})
    assert clips == sorted(clips, key=lambda clip: clip.start)


def test_the_cloud_has_finished_clips_with_pauses():
    """Both kinds occur, lengths differ, and nothing is uploaded before it is finished."""
    clips = [clip for clip in _sim(devices=1, hours=3).history() if clip.storage == CLOUD]
    assert {"1000", "2000"} == {clip.kind for clip in clips}
    assert all(one.end < later.start for one, later in itertools.pairwise(clips))
    assert len({clip.seconds for clip in clips}) > 3
    assert all(clip.end <= NOW and clip.region for clip in clips)


def test_the_name_of_a_clip_does_not_change_when_it_is_finished():
    """The clip being written is found under the same id a minute later."""
    sim = _sim(devices=1, hours=1)
    writing = next(clip for clip in sim.history() if clip.in_progress)
    sim.advance(120)
    same = next(clip for clip in sim.history() if clip.id == writing.id)
    assert (60, False) == (same.seconds, same.in_progress)
    assert writing.seconds < 60


def test_there_is_no_history_where_nothing_records():
    """Without a plan there is nothing in the cloud, without a card nothing on it."""
    sim = _sim(devices=["no-plan", "no-card", "camera"], hours=0.2)
    told = [{clip.storage for clip in sim.history(device.id)} for device in sim.devices]
    assert [{SD}, {CLOUD}, {CLOUD, SD}] == told
    assert sim.history() == [clip for device in sim.devices for clip in sim.history(device.id)]
    assert [] == sim.history("nobody")


def test_a_seed_is_a_history():
    """The same seed gives the same clips, another one gives others."""
    one, same, other = (_sim(devices=1, hours=1, seed=seed).history() for seed in (4, 4, 5))
    assert one == same
    assert [clip.start for clip in one] != [clip.start for clip in other]


def test_searches_of_the_past_are_remembered():
    """The same window of a day that is over is computed once, and only so many are kept."""
    sim = _sim(devices=1, hours=30, segment_seconds=600)
    cloud, device = sim._cloud, sim.devices[0]

    def search(minute: int):
        begin = _wall(f"2026-05-20 10:{minute:02d}:00")
        window = Window(begin=begin, end=begin + dt.timedelta(hours=1))
        return cloud.clips(device, device.channels[0], SD, window)

    first = search(0)
    assert first is search(0)
    sim.advance(3_600 * 24)
    assert first == search(0)
    for minute in range(40):
        search(minute)
    assert 32 == len(cloud._found)


def test_one_second_clips_are_possible():
    """The shortest clip there is needs no shift and no variation."""
    clips = _sim(devices=1, hours=0.01, segment_seconds=0.2).history()
    assert {0, 1} == {clip.seconds for clip in clips}


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-10-26"])
def test_the_days_of_the_change_of_clocks_lose_nothing(day):
    """Every clip is found on the day that its wall clock shows, 23 or 25 hours of them."""
    sim = _sim(
        dt.datetime(2026, 10, 27, tzinfo=UTC)
        if "10" in day
        else dt.datetime(2026, 3, 30, tzinfo=UTC),
        devices=["dst"],
        hours=72,
        segment_seconds=600,
    )
    cloud, device = sim._cloud, sim.devices[0]
    window = Window(begin=_wall(f"{day} 00:00:00"), end=_wall(f"{day} 23:59:59"))
    found = list(cloud.clips(device, device.channels[0], SD, window))
    told = [clip for clip in sim.history() if clip.storage == SD and clip.begin_time[:10] == day]
    reaching = {clip.id for clip in found} - {clip.id for clip in told}
    assert {clip.id for clip in told} <= {clip.id for clip in found}
    assert len(reaching) <= 1
    hours = {"2026-03-29": 23, "2026-10-25": 25, "2026-10-26": 24}[day]
    assert hours * 6 == pytest.approx(
        sum(1 for clip in told if clip.kind == "normal" and clip.seconds), abs=1
    )


@pytest.mark.parametrize(
    ("begin", "end", "whole", "found"),
    [
        ("10:00:00", "10:30:00", False, True),
        ("09:00:00", "10:00:00", False, False),
        ("09:00:00", "10:00:01", False, True),
        ("09:00:00", "10:00:01", True, False),
        ("10:59:59", "11:30:00", True, True),
        ("11:00:01", "11:30:00", False, False),
        ("10:00:00", "10:00:00", False, True),
        ("09:59:59", "09:59:59", False, False),
        ("10:30:00", "09:30:00", False, True),
    ],
)
def test_a_window_holds_what_reaches_into_it(begin, end, whole, found):
    """Ends are not part of a clip, the last second of the window is, and clocks may go back."""
    window = Window(begin=_wall("2026-05-20 10:00:00"), end=_wall("2026-05-20 11:00:00"))
    clip = [_wall(f"2026-05-20 {each}") for each in (begin, end)]
    assert found == window.holds(*clip, whole=whole)


def test_what_several_clips_show_is_played_once():
    """Twins, neighbours and clips inside others are joined; a gap begins a new span."""
    sim = _sim(devices=1, hours=1)
    device = sim.devices[0]
    clips = [clip for clip in sim.history() if clip.storage == SD][10:18]
    window = Window(begin=_wall(clips[0].begin_time), end=_wall(clips[-1].end_time))
    whole = covered(device, clips, window)
    assert [int((clips[-1].end - clips[0].start).total_seconds())] == [
        length for _, length in whole.spans
    ]
    part = Window(
        begin=window.begin + dt.timedelta(seconds=90), end=window.end - dt.timedelta(seconds=70)
    )
    assert whole.seconds - 160 == covered(device, clips, part).seconds
    gaps = covered(device, [clip for clip in clips if clip is not clips[3]][::3], window)
    assert len(gaps.spans) > 1
    assert covered(device, [], window).spans == ()


# -- Tokens, nonces, clock ---------------------------------------------------------------------


def test_a_token_lives_until_its_time_is_over():
    """The same one with less and less time, then another."""
    clock = Clock(lambda: NOW)
    tokens = Tokens(clock, 100, seed=1)
    first, left = tokens.current()
    clock.advance(30.5)
    assert (first, 69) == tokens.current()
    assert (100, True) == (left, tokens.good(first))
    clock.advance(70)
    assert not tokens.good(first)
    second, _ = tokens.current()
    third, _ = tokens.current(new=True)
    assert 3 == len({first, second, third}) == tokens.issued
    assert tokens.good(second)
    tokens.expire()
    assert not tokens.good(third)
    assert not tokens.good(7)


def test_a_nonce_is_forgotten_after_five_minutes():
    """Within five minutes it is refused, later it is new again."""
    nonces = Nonces()
    assert nonces.fresh("a", NOW)
    assert not nonces.fresh("a", NOW + dt.timedelta(seconds=300))
    assert nonces.fresh("a", NOW + dt.timedelta(seconds=301))


# -- Faults --------------------------------------------------------------------------------------


def test_any_code_can_be_scripted():
    """A code for all methods, for one, so many times, and those with names by their scope."""
    faults = ImouFaults(["code:XX1234@accessToken", "slow"])
    faults.enable("code:DV1007", times=1)
    faults.enable("no-plan", times=2)
    everywhere = frozenset({"any"})
    assert "DV1007" == faults.scripted("deviceOnline", everywhere)
    assert faults.scripted("deviceOnline", everywhere) is None
    assert "XX1234" == faults.scripted("accessToken", everywhere)
    assert "ST1004" == faults.scripted("queryCloudRecords", everywhere | {"cloud"})
    assert {"code:XX1234@accessToken": None, "slow": None, "no-plan": 1} == dict(faults.snapshot())


@pytest.mark.parametrize(
    ("name", "times"), [("no-such", None), ("code:", 1), ("code:a b", 1), ("slow", 0)]
)
def test_faults_that_do_not_exist_are_refused(name, times):
    """A name that nobody knows, half a code, or no times at all is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        ImouFaults().enable(name, times)


def test_every_fault_can_be_on_from_the_start():
    """The constructor takes all names, and says what each does."""
    sim = _sim(faults=FAULTS)
    assert set(FAULTS) == set(sim.faults)
    assert all(text for text in FAULTS.values())
    assert sim.FAULTS is FAULTS


def test_another_switch_is_lost_gracefully(monkeypatch):
    """A fault that somebody else used up meanwhile does not strike."""
    faults = ImouFaults(["code:DV1007"])
    monkeypatch.setattr(faults, "take", lambda _: False)
    assert faults.scripted("x", frozenset()) is None


def test_every_code_has_words():
    """Captured words where there are any, ours else, and the general ones for unknown codes."""
    assert "No right, cannot operate." == _codes.message("OP1009")
    assert "Device offline." == _codes.message("DV1007")
    assert _codes.message("ZZ9999") == _codes.message("OP1001")


# -- The cast ------------------------------------------------------------------------------------


def test_there_is_a_device_of_each_kind():
    """All kinds together make an account with as many devices, each with a channel at least."""
    sim = _sim(devices=tuple(KINDS))
    assert len(KINDS) == len(sim.devices) == len({device.id for device in sim.devices})
    assert {1, 4} == {len(device.channels) for device in sim.devices}
    assert [dt.timedelta(hours=8)] * (len(KINDS) - 1) + [dt.timedelta(hours=2)] == [
        NOW.astimezone(device.zone).utcoffset() for device in sim.devices
    ]


def test_codecs_and_zones_by_device():
    """Mixed takes turns, and a mapping gives each device its zone."""
    ids = [device.id for device in _sim(devices=2).devices]
    zones = {ids[0]: "+01:00", ids[1]: zoneinfo.ZoneInfo("America/New_York")}
    sim = _sim(devices=2, codec="mixed", timezone=zones)
    assert ["h264", "h265"] == [device.codec for device in sim.devices]
    assert ["+0100", "-0400"] == [f"{NOW.astimezone(each.zone):%z}" for each in sim.devices]


def test_devices_of_ones_own():
    """A ready-made device takes part, and is found by its id."""
    own = SimulatedDevice(
        id="MINE", name="x", channels=(SimulatedChannel(id="0", name="a"),), zone=UTC
    )
    sim = _sim(devices=["camera", own])
    assert own is sim.devices[1]
    assert {"MINE"} == {clip.device for clip in sim.history("MINE")}


@pytest.mark.parametrize(
    "options",
    [
        {"devices": ["toaster"]},
        {"devices": -1},
        {"timezone": {}},
        {"timezone": "Mars/Base"},
        {"hours": 0},
        {"segment_seconds": -1},
        {"sign": "sha1"},
        {"codec": "mpeg4"},
        {"region": "eu"},
        {"quota": 0},
        {"bandwidth": 0},
    ],
)
def test_unusable_options(options):
    """Each is a ConfigurationError that says what is wrong."""
    with pytest.raises(ConfigurationError):
        _sim(**options)


def test_ids_must_differ():
    """Two devices with one id would be one."""
    device = _sim(devices=1).devices[0]
    with pytest.raises(ConfigurationError, match="same id"):
        _sim(devices=[device, device])


def test_a_naive_clock_is_refused():
    """The clock must know its zone."""
    with pytest.raises(ConfigurationError):
        ImouSimulator(clock=lambda: dt.datetime(2026, 1, 1))


def test_unknown_devices_cannot_be_switched():
    """Neither online nor asleep."""
    sim = _sim()
    with pytest.raises(ConfigurationError):
        sim.set_online("nobody", online=True)
    with pytest.raises(ConfigurationError):
        sim.put_to_sleep("nobody")


# -- Dumps ---------------------------------------------------------------------------------------


def test_a_dump_plays_the_same_account(tmp_path):
    """What a simulator dumps, another one plays, from a mapping and from a file."""
    first = _sim(devices=tuple(KINDS))
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(first.dump()), encoding="utf-8")

    def facts(sim):
        left_out = attrs.filters.exclude("zone", "codec", "page", "detail")
        return [attrs.asdict(one, filter=left_out) for one in sim.devices]

    assert facts(first) == facts(_sim(devices=first.dump())) == facts(_sim(devices=path))
    assert facts(first) == facts(_sim(devices=str(path)))
    assert "play-token" not in path.read_text(encoding="utf-8")


def _dump(**bodies) -> dict:
    return {
        "camsync_dump": 1,
        "endpoints": {
            f"POST /openapi/{name.replace('__', '?deviceId=')}": {"body": body}
            for name, body in bodies.items()
        },
    }


def _list(*items, code: str = "0") -> dict:
    return {"result": {"code": code, "msg": "", "data": {"deviceList": list(items)}}}


def test_a_dump_needs_little():
    """A bare item of the oldest list is a camera with one channel that is online."""
    (device,) = _sim(devices=_dump(deviceOpenList=_list({"deviceId": "A", "bindId": 3}))).devices
    assert ("A", "0", "online", "notExist", "normal", True) == (
        device.id,
        device.channels[0].id,
        device.status,
        device.plan,
        device.card,
        device.bound,
    )


def test_a_dump_is_believed_in_detail():
    """States as digits or words, plans, cards by their abilities, and members that are new."""
    page = {"deviceId": "A", "deviceStatus": "4", "deviceAbility": "Dormant", "newMember": 1}
    detail = {"deviceId": "B", "status": "strange", "channels": [{"channelId": 2}] * 2}
    detail["channels"] = [{"channelId": 0}, {"channelId": 1, "storageStrategyStatus": "expired"}]
    one, two = _sim(
        devices=_dump(
            listDeviceDetailsByPage=json.dumps(_list(page)),
            deviceBaseDetailList=_list(detail),
            deviceOpenList={"result": {"code": "OP1009"}},
            deviceStorage__B={"result": {"code": "DV1007"}},
        )
    ).devices
    assert ("sleep", "none", True, 1) == (one.status, one.card, one.battery, one.page["newMember"])
    assert ("online", "expired", "NVR", "normal") == (
        two.status,
        two.plan,
        two.catalog,
        two.card,
    )


@pytest.mark.parametrize(
    "dump",
    [
        {},
        {"camsync_dump": 2, "endpoints": {}},
        {"camsync_dump": 1},
        _dump(),
        _dump(deviceBaseList="no json"),
        _dump(deviceBaseList=[]),
        _dump(deviceBaseList={"result": "text"}),
        _dump(deviceBaseList=_list({"deviceId": 7})),
    ],
)
def test_broken_dumps(dump):
    """Each is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        _sim(devices=dump)


@pytest.mark.parametrize("text", ["no json", "[]", None])
def test_broken_dump_files(tmp_path, text):
    """No JSON, no object, no file."""
    path = tmp_path / "dump.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError):
        _sim(devices=path)


# -- Parameters ----------------------------------------------------------------------------------


def _call(**params) -> Call:
    return Call(cloud=_sim()._cloud, method="x", params=params, host="")


@pytest.mark.parametrize(
    ("read", "params", "code"),
    [
        (lambda call: call.text("a"), {}, "OP1002"),
        (lambda call: call.text("a"), {"a": ""}, "OP1003"),
        (lambda call: call.text("a"), {"a": 5}, "OP1003"),
        (lambda call: call.choice("a", "x", "y"), {"a": "z"}, "OP1003"),
        (lambda call: call.number("a", 1, 5), {}, "OP1002"),
        (lambda call: call.number("a", 1, 5), {"a": 0}, "OP1003"),
        (lambda call: call.number("a", 1, 5), {"a": "six"}, "OP1003"),
        (lambda call: call.number("a", 1, 5), {"a": 2.5}, "OP1003"),
        (lambda call: call.wall("a"), {"a": "2026-02-30 00:00:00"}, "OP1003"),
        (lambda call: call.wall("a"), {"a": "2026-2-3 0:0:0"}, "OP1003"),
        (lambda call: call.places(), {}, "OP1002"),
        (lambda call: call.places(), {"queryRange": "all"}, "OP1003"),
        (lambda call: call.places(), {"queryRange": "0-9"}, "OP1003"),
        (lambda call: call.places(), {"queryRange": "5-4"}, "OP1003"),
        (lambda call: call.places(), {"queryRange": "1-101"}, "OP1003"),
    ],
)
def test_parameters_are_checked(read, params, code):
    """OP1002 for what is missing, OP1003 for what is wrong."""
    with pytest.raises(Refused) as refusal:
        read(_call(**params))
    assert code == refusal.value.code


@given(st.integers(1, 10**6), st.integers(0, 99))
def test_ranges_count_from_one_and_include_both_ends(first, more):
    """A range of n-m is m - n + 1 places."""
    places = _call(queryRange=f"{first}-{first + more}").places()
    assert (first - 1, more + 1) == (places.start, places.stop - places.start)


def test_numbers_may_be_text():
    """The service takes 5 and "5", and defaults count."""
    assert 5 == _call(a="5").number("a", 1, 9) == _call(a=5).number("a", 1, 9)
    assert 0 == _call().number("a", 0, 1, default=0)
    assert "x" == _call().choice("a", "x", "y")


# -- The package ---------------------------------------------------------------------------------


def test_importing_the_simulator_is_light():
    """It needs neither requests nor PyAV, and cryptography only when it encrypts."""
    code = (
        "import sys; from camsync.testing.imou import ImouSimulator; ImouSimulator();"
        "print([n for n in ('requests', 'lxml', 'av', 'cryptography', 'click') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "[]" == done.stdout.strip()


# -- The reference page --------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "imou-simulator.md"
with_page = pytest.mark.skipif(
    not PAGE.is_file(), reason="the documentation is not beside the tests"
)


def _section(heading: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@with_page
@pytest.mark.parametrize(
    ("heading", "table"), [("Faults", FAULTS), ("Kinds of devices", KINDS)], ids=["faults", "kinds"]
)
def test_the_reference_page_lists_everything(heading, table):
    """The tables of faults and kinds are complete, in order, and in the same words."""
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", _section(heading), re.MULTILINE)
    assert list(table.items()) == rows


@with_page
def test_the_reference_page_lists_options_and_methods():
    """The options are those of the constructor, the methods those that are answered."""

    def first_cells(section: str) -> set[str]:
        rows = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
        return {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    options = set(inspect.signature(ImouSimulator).parameters)
    assert options == first_cells(_section("Options"))
    assert set(METHODS) == first_cells(_section("Methods"))


@with_page
def test_the_reference_page_lists_what_can_be_seen():
    """Each public attribute has its place in the table."""
    public = {name for name in dir(ImouSimulator) if not name.startswith("_")}
    elsewhere = {"FAULTS", "KINDS", "app_id", "app_secret", "certificate", "host", "port"}
    shown = set(re.findall(r"`(\w+)(?:\(.*?\))?`", _section("What can be seen and done")))
    assert public - elsewhere - {"start", "stop"} == shown & public
