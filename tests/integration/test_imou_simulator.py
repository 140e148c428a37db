"""The simulated Open Platform over HTTP: envelope, login, lists, records, storage, faults, captures."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import re
import uuid

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from camsync.errors import ConfigurationError
from camsync.testing.imou import KINDS, ImouSimulator
from camsync.testing.imou._call import signature
from camsync.testing.imou._cloud import HOSTS
from camsync.testing.imou._faults import CODES


CAPTURES = Path(__file__).parents[3] / "shared" / "captures" / "imou"
UTC = dt.timezone.utc
NOW = dt.datetime(2026, 5, 20, 12, 0, 0, tzinfo=UTC)
DAY = {"beginTime": "2026-05-20 00:00:00", "endTime": "2026-05-20 23:59:59"}

with_captures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason="the captures are not beside the project"
)


class Client:
    """A plain client of the Open Platform, as any integrator would write it."""

    def __init__(self, sim: ImouSimulator) -> None:
        self.sim = sim
        self.sign = "md5"
        self.session = requests.Session()
        self.session.trust_env = False
        self.token: str | None = None

    @property
    def device(self) -> str:
        """The id of the first device."""
        return self.sim.devices[0].id

    def envelope(self, **changes: Any) -> dict[str, Any]:
        """Return a signed envelope; *changes* replace members, None removes them."""
        values = {"time": int(self.sim._cloud.clock().timestamp()), "nonce": uuid.uuid4().hex}
        values |= {name: changes[name] for name in values if name in changes}
        system = {
            "ver": "1.0",
            "appId": self.sim.app_id,
            "sign": signature(self.sign, app_secret=self.sim.app_secret, **values),
            **values,
            **changes,
        }
        return {name: value for name, value in system.items() if value is not None}

    def post(self, method: str, body: object, **options: Any) -> requests.Response:
        """Send a body as it is, or as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.sim.base_url}/openapi/{method}"
        return self.session.post(url, data=data, timeout=10, allow_redirects=False, **options)

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method and return the result, whatever it is."""
        if method != "accessToken":
            params = {"token": self.token, **params}
        body = {"system": self.envelope(), "id": "7", "params": params}
        reply = self.post(method, body)
        assert 200 == reply.status_code
        assert "7" == reply.json()["id"]
        return reply.json()["result"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method and return its data."""
        result = self.result(method, **params)
        assert "0" == result["code"], result
        return result["data"]

    def code(self, method: str, **params: Any) -> str:
        """Call a method and return the result code."""
        return self.result(method, **params)["code"]

    def login(self) -> Client:
        """Get a token."""
        self.token = self.call("accessToken")["accessToken"]
        return self


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """A function that starts a simulator and returns a client that is logged in."""
    with contextlib.ExitStack() as stack:

        def start(*, login: bool = True, **options: Any) -> Client:
            options = {"clock": lambda: NOW, "devices": 1, **options}
            client = Client(stack.enter_context(ImouSimulator(**options)))
            stack.callback(client.session.close)
            return client.login() if login else client

        yield start


# -- The envelope --------------------------------------------------------------------------------


BODIES = {
    b"": "OP1004",
    b" \r\n": "OP1004",
    b"{": "OP1003",
    b"[]": "OP1003",
    b"[" * 100_000: "OP1003",
    b"{}": "OP1002",
    b'{"system": {}, "params": {}, "id": "1"}': "OP1002",
    b'{"system": {}, "params": [], "id": "1"}': "OP1002",
}


def test_bodies_that_are_no_call(connect):
    """Each is answered with status 200 and a code."""
    client = connect(login=False)
    for body, code in BODIES.items():
        reply = client.post("accessToken", body)
        assert (200, code) == (reply.status_code, reply.json()["result"]["code"]), body[:40]


CHANGES = (
    ({"ver": None}, "OP1002"),
    ({"appId": ""}, "OP1008"),
    ({"appId": "somebody"}, "SN1004"),
    ({"time": int(NOW.timestamp()) - 301}, "SN1002"),
    ({"time": int(NOW.timestamp()) + 301}, "SN1002"),
    ({"time": int(NOW.timestamp()) - 299}, "0"),
    ({"time": 1.5}, "SN1003"),
    ({"nonce": ""}, "SN1003"),
    ({"sign": 5}, "SN1003"),
    ({"sign": "0" * 32}, "SN1001"),
)


def test_the_checks_of_the_envelope(connect):
    """A missing member, a wrong application, a wrong clock, a wrong sign."""
    client = connect(login=False)
    for changes, code in CHANGES:
        body = {"system": client.envelope(**changes), "id": "1", "params": {}}
        assert code == client.post("accessToken", body).json()["result"]["code"], changes


def test_the_time_may_be_text(connect):
    """A time of digits counts as the number that it is."""
    client = connect(login=False)
    system = client.envelope()
    body = {"system": system | {"time": str(system["time"])}, "id": "1", "params": {}}
    assert "0" == client.post("accessToken", body).json()["result"]["code"]


def test_a_nonce_is_good_once(connect):
    """A request that comes again is refused, until five minutes have passed."""
    client = connect(login=False)
    body = {"system": client.envelope(nonce="again"), "id": "1", "params": {}}
    assert "0" == client.post("accessToken", body).json()["result"]["code"]
    assert "SN1005" == client.post("accessToken", body).json()["result"]["code"]
    client.sim.advance(301)
    body["system"] = client.envelope(nonce="again")
    assert "0" == client.post("accessToken", body).json()["result"]["code"]


@pytest.mark.parametrize(
    ("accepted", "used", "code"),
    [
        ("md5", "md5", "0"),
        ("md5", "hmac", "SN1001"),
        ("hmac", "md5", "SN1001"),
        ("hmac", "hmac", "0"),
        ("both", "md5", "0"),
        ("both", "hmac", "0"),
    ],
)
def test_which_signature_is_accepted(connect, accepted, used, code):
    """One of the two, or both."""
    client = connect(login=False, sign=accepted)
    client.sign = used
    assert code == client.code("accessToken")


def test_unknown_methods_and_paths(connect):
    """OP1005 for a method, also for GET, a web page for other paths."""
    client = connect()
    assert "OP1005" == client.code("bindDevicePlayback")
    body = {"system": client.envelope(), "id": "1", "params": {}}
    url = f"{client.sim.base_url}/openapi/accessToken"
    reply = client.session.get(url, data=json.dumps(body), timeout=10)
    assert "OP1005" == reply.json()["result"]["code"]
    assert 404 == client.session.get(f"{client.sim.base_url}/", timeout=10).status_code


# -- Login ---------------------------------------------------------------------------------------


def test_the_token_stays_the_same_while_its_time_falls(connect):
    """A second login gives the same token with less time, and counts as a login."""
    client = connect(token_seconds=1_000)
    client.sim.advance(100)
    data = client.call("accessToken")
    assert (client.token, 900) == (data["accessToken"], data["expireTime"])
    assert client.sim.base_url == data["currentDomain"]
    assert (2, 1, 2) == (
        client.sim.logins,
        client.sim.tokens_issued,
        client.sim.calls["accessToken"],
    )


def test_tokens_expire(connect):
    """By themselves and on demand; none, and a wrong one, are refused."""
    client = connect(token_seconds=1_000)
    assert "0" == client.code("deviceOnline", deviceId=client.device)
    client.sim.expire_token()
    assert "TK1002" == client.code("deviceOnline", deviceId=client.device)
    assert "0" == client.login().code("deviceOnline", deviceId=client.device)
    client.sim.advance(1_000)
    assert "TK1002" == client.code("deviceOnline", deviceId=client.device)
    assert "TK1002" == client.code("deviceOnline", token="At_guess")
    body = {"system": client.envelope(), "id": "1", "params": {}}
    assert "OP1002" == client.post("deviceOnline", body).json()["result"]["code"]


@pytest.mark.parametrize(
    ("fault", "domain"),
    [
        ("other-domain", "https://openapi-or.easy4ip.com:443"),
        ("foreign-domain", "https://openapi.imou.invalid:443"),
        ("no-domain", None),
    ],
)
def test_other_domains(connect, fault, domain):
    """The login may name another host, or none."""
    client = connect(login=False, faults=[fault])
    assert domain == client.call("accessToken").get("currentDomain")


def test_domains_and_logins_that_are_odd(connect):
    """A domain without a scheme, a login without data, a new token beside the old one."""
    client = connect(faults=["bare-domain"])
    assert f"127.0.0.1:{client.sim.port}" == client.call("accessToken")["currentDomain"]
    client.sim.enable("empty-login", times=1)
    assert {} == client.call("accessToken")
    client.sim.enable("new-token", times=1)
    old = client.token
    assert old != client.login().token
    assert "0" == client.code("deviceOnline", token=old, deviceId=client.device)


def test_another_data_centre_has_no_devices(connect):
    """Asked under the name of another data centre it logs in, and lists nothing."""
    client = connect(region="fk")
    for code, count in (("fk", 1), ("sg", 0)):
        client.session.headers["Host"] = HOSTS[code]
        assert count == client.call("listDeviceDetailsByPage", page=1, pageSize=9)["count"]
    del client.session.headers["Host"]
    client.sim.enable("wrong-region", times=1)
    assert [] == client.call("deviceBaseList", bindId=-1, limit=9)["deviceList"]


# -- Device lists --------------------------------------------------------------------------------


def _ids(data: dict[str, Any]) -> list[str]:
    return [item["deviceId"] for item in data["deviceList"]]


def test_pages_of_devices(connect):
    """Pages count from 1, the last one is short, and a multiple of the size ends with an empty one."""
    client = connect(devices=7)
    pages = [client.call("listDeviceDetailsByPage", page=n, pageSize=3) for n in (1, 2, 3, 4)]
    assert [3, 3, 1, 0] == [len(page["deviceList"]) for page in pages]
    assert [device.id for device in client.sim.devices] == [
        number for page in pages for number in _ids(page)
    ]
    assert {7} == {page["count"] for page in pages}
    client.sim.enable("count-is-page")
    assert 1 == client.call("listDeviceDetailsByPage", page=3, pageSize=3)["count"]
    for wrong in ({"page": 0, "pageSize": 5}, {"page": 1, "pageSize": 51}):
        assert "OP1003" == client.code("listDeviceDetailsByPage", **wrong)


def test_whose_devices(connect):
    """All, one's own, or those that somebody shares."""
    client = connect(devices=["camera", "shared"])
    mine, theirs = (device.id for device in client.sim.devices)
    for source, expected in (
        ("bind", [mine]),
        ("share", [theirs]),
        ("bindAndShare", [mine, theirs]),
    ):
        data = client.call("listDeviceDetailsByPage", page=1, pageSize=9, source=source)
        assert expected == _ids(data)
        assert expected == _ids(client.call("deviceBaseList", bindId=-1, limit=9, type=source))


def test_the_older_lists_page_by_the_last_bind_id(connect):
    """-1 begins, the last item's bindId goes on; app and interface have lists of their own."""
    client = connect(devices=["camera", "bound", "camera", "camera"])
    found, after = [], -1
    while True:
        items = client.call("deviceBaseList", bindId=after, limit=2)["deviceList"]
        found += [item["deviceId"] for item in items]
        if len(items) < 2:
            break
        after = items[-1]["bindId"]
    ids = [device.id for device in client.sim.devices]
    assert [ids[0], ids[2], ids[3]] == found
    assert [ids[1]] == _ids(client.call("deviceOpenList", bindId=-1, limit=50))
    details = [{"deviceId": ids[1]}]
    assert [ids[1]] == _ids(client.call("deviceOpenDetailList", deviceList=details))
    assert "OP1009" == client.code("deviceBaseDetailList", deviceList=details)


def test_details_name_the_channels_that_were_asked_for(connect):
    """All channels, or those of channelList; states, plan and encryption stand in them."""
    client = connect(devices=["nvr", "encrypted", "plan-expired"])
    nvr, encrypted, expired = (device.id for device in client.sim.devices)
    asked = [
        {"deviceId": nvr, "channelList": "0,3"},
        {"deviceId": encrypted},
        {"deviceId": expired},
    ]
    items = client.call("deviceBaseDetailList", deviceList=asked)["deviceList"]
    assert [["0", "3"], ["0"], ["0"]] == [
        [channel["channelId"] for channel in item["channels"]] for item in items
    ]
    assert [0, 1, 0] == [item["encryptMode"] for item in items]
    assert "expired" == items[2]["channels"][0]["storageStrategyStatus"]
    page = client.call("listDeviceDetailsByIds", deviceList=[{"deviceId": nvr}])
    assert 4 == len(page["deviceList"][0]["channelList"])
    for wrong, code in ((None, "OP1002"), ("x", "OP1003"), ([1], "OP1003")):
        assert code == client.code("listDeviceAbility", deviceList=wrong)
    assert "OP1009" == client.code("listDeviceAbility", deviceList=[{"deviceId": "nobody"}])


def test_lists_with_less_in_them(connect):
    """Only the published members, states as words, no channels."""
    client = connect(devices=["asleep"])
    one = {"page": 1, "pageSize": 1}
    full = client.call("listDeviceDetailsByPage", **one)["deviceList"][0]
    assert ("4", "1") == (full["deviceStatus"], full["channelNum"])
    # The official client takes a device with this member for something else than a camera.
    assert "productId" not in full
    client.sim.enable("status-words")
    assert "sleep" == client.call("listDeviceDetailsByPage", **one)["deviceList"][0]["deviceStatus"]
    client.sim.enable("bare-list")
    bare = client.call("listDeviceDetailsByPage", **one)["deviceList"][0]
    assert "deviceVersion" in full.keys() - bare.keys()
    client.sim.enable("no-channels")
    assert "channelList" not in client.call("listDeviceDetailsByPage", **one)["deviceList"][0]
    base = client.call("deviceBaseList", bindId=-1, limit=1)["deviceList"][0]
    assert {"deviceId", "bindId", "aplist"} == set(base)


# -- States and storage --------------------------------------------------------------------------


def test_each_kind_of_device_answers_as_it_is(connect):
    """Card, plan, states and recordings of all kinds, as the table of kinds says."""
    client = connect(devices=tuple(KINDS), hours=0.5)
    ids = dict(zip(KINDS, (device.id for device in client.sim.devices), strict=True))

    def codes(method: str, **params: Any) -> dict[str, str]:
        found = {
            kind: client.code(method, deviceId=number, channelId="0", **params)
            for kind, number in ids.items()
        }
        return {kind: code for kind, code in found.items() if code != "0"}

    unreachable = {"offline": "DV1007", "asleep": "DV1030"}
    cardless, shared = {"no-card": "DV1049"}, {"shared": "DV1012"}
    planless = {"no-plan": "ST1004", "plan-expired": "ST1005"}
    page = {**DAY, "queryRange": "1-5"}
    assert {} == codes("deviceOnline")
    assert unreachable | cardless | shared == codes("deviceStorage")
    assert unreachable | shared == codes("deviceSdcardStatus")
    assert unreachable == codes("timeZoneQueryByDay") == codes("timeZoneQueryByWeek")
    assert planless | shared == codes("queryCloudRecords", **page)
    assert planless | shared == codes("queryCloudRecordBitmap", year=2026, month=5)
    assert unreachable | cardless | shared == codes("queryLocalRecords", **page)
    assert shared == codes("getStorageStrategy")
    battery = ids.keys() - {"asleep", "offline"}
    assert dict.fromkeys(battery, "DV1026") | {"offline": "DV1007"} == codes("wakeUpDevice")


def test_storage_in_numbers(connect):
    """A card, a card that is not formatted, no card; a plan, an old one, none."""
    client = connect(devices=["camera", "unformatted", "no-card", "plan-expired", "no-plan"])
    ids = [device.id for device in client.sim.devices]
    total = [client.call("deviceStorage", deviceId=number)["totalBytes"] for number in ids[:2]]
    assert [31_254_904_832, 0] == total
    states = [client.call("deviceSdcardStatus", deviceId=number)["status"] for number in ids[:3]]
    assert ["normal", "abnormal", "empty"] == states
    plans = [
        client.call("getStorageStrategy", deviceId=number, channelId="0")["strategyStatus"]
        for number in (ids[0], *ids[3:])
    ]
    assert [1, 0, -1] == plans


def test_devices_come_and_go(connect):
    """Offline, online again, asleep, and awake after wakeUpDevice."""
    client = connect(devices=["camera", "asleep"])
    first, second = (device.id for device in client.sim.devices)
    client.sim.set_online(first, online=False)
    assert "0" == client.call("deviceOnline", deviceId=first)["onLine"]
    client.sim.set_online(first, online=True)
    assert "0" == client.code("deviceStorage", deviceId=first)
    result = client.result("wakeUpDevice", deviceId=second)
    assert ("0", False) == (result["code"], "data" in result)
    assert "0" == client.code("deviceStorage", deviceId=second)
    client.sim.put_to_sleep(second)
    assert "4" == client.call("deviceOnline", deviceId=second)["onLine"]


def test_devices_and_channels_that_do_not_exist(connect):
    """OP1009 for a device, as captured, and DV1028 for a channel."""
    client = connect()
    assert "OP1009" == client.code("deviceOnline", deviceId="nobody")
    assert "OP1002" == client.code("deviceOnline")
    params = {"deviceId": client.device, **DAY, "queryRange": "1-5"}
    assert "DV1028" == client.code("queryCloudRecords", channelId="7", **params)
    assert "0" == client.code("queryCloudRecords", channelId=0, **params)


def test_licences_and_quota(connect):
    """A device beyond the licences is listed and not answered; beyond the quota nothing is."""
    client = connect(devices=2, licences=1, quota=5)
    ids = _ids(client.call("listDeviceDetailsByPage", page=1, pageSize=5))
    assert "0" == client.code("deviceOnline", deviceId=ids[0])
    assert "FL1001" == client.code("deviceOnline", deviceId=ids[1])
    assert ["0", "OP1013", "OP1013"] == [client.code("accessToken") for _ in range(3)]


def test_zones(connect):
    """Each device tells its own; one that cannot says so."""
    client = connect(devices=["camera", "dst"])
    answers = [
        client.call("timeZoneQueryByDay", deviceId=device.id) for device in client.sim.devices
    ]
    assert [("8", "none"), ("1", "week")] == [(one["timeZone"], one["mode"]) for one in answers]
    client.sim.enable("no-zone")
    assert "DV1026" == client.code("timeZoneQueryByDay", deviceId=client.device)


# -- Records -------------------------------------------------------------------------------------


def _search(client: Client, method: str, **params: Any) -> list[dict[str, Any]]:
    params = {"deviceId": client.device, "channelId": "0", **DAY, **params}
    return client.call(method, **params)["records"]


def test_cloud_records_by_their_places(connect):
    """Pages of ranges that begin with 1 hold all records of the day, oldest first."""
    client = connect(hours=30, segment_seconds=120)
    pages = [
        _search(client, "queryCloudRecords", queryRange=f"{n}-{n + 99}") for n in (1, 101, 201, 301)
    ]
    found = [record for page in pages for record in page]
    told = [
        clip
        for clip in client.sim.history()
        if clip.storage == "cloud" and clip.end_time > DAY["beginTime"]
    ]
    assert [clip.id for clip in told] == [record["recordId"] for record in found]
    assert [100, 100] == [len(page) for page in pages[:2]]
    assert [] == pages[3]
    assert {str} == {type(record["size"]) for record in found}
    params = {"deviceId": client.device, "channelId": "0", **DAY}
    assert len(found) == client.call("queryCloudRecordNum", **params)["recordNum"]


def test_the_newest_cloud_records(connect):
    """At most thirty, newest first; the next ones are older than an id."""
    client = connect(hours=2, segment_seconds=60)
    first = _search(client, "getCloudRecords", count=30)
    second = _search(client, "getCloudRecords", count="30", nextRecordId=first[-1]["recordId"])
    begins = [record["beginTime"] for record in [*first, *second]]
    assert sorted(begins, reverse=True) == begins
    assert len(begins) == len(set(begins)) > 30
    assert {1000, 2000} == {record["type"] for record in first}
    assert {int} == {type(record["size"]) for record in first}
    assert first == _search(client, "getCloudRecords", count=30, nextRecordId="unknown")
    params = {"deviceId": client.device, "channelId": "0", **DAY}
    assert "OP1003" == client.code("getCloudRecords", count=31, **params)


def test_records_of_a_card_by_range_and_by_count(connect):
    """Thirty a page either way; a hundred may be asked for and 32 come."""
    client = connect(hours=2, segment_seconds=60)
    by_range = [
        record
        for n in range(1, 200, 30)
        for record in _search(client, "queryLocalRecords", queryRange=f"{n}-{n + 29}")
    ]
    assert 32 == len(_search(client, "queryLocalRecords", queryRange="1-100"))
    by_count, seen, begin = [], set(), DAY["beginTime"]
    while True:
        page = _search(client, "queryLocalRecords", count="30", beginTime=begin)
        by_count += [record for record in page if record["recordId"] not in seen]
        seen |= {record["recordId"] for record in page}
        if len(page) < 30:
            break
        # Not its endTime: the twin of that record, which has the same times, would be lost.
        begin = page[-1]["beginTime"]
    told = [clip.id for clip in client.sim.history() if clip.storage == "sd"]
    assert told == [record["recordId"] for record in by_range]
    assert told == [record["recordId"] for record in by_count]
    params = {"deviceId": client.device, "channelId": "0", **DAY}
    assert len(told) == client.call("queryLocalRecordNum", **params)["recordNum"]


def test_kinds_of_records_on_a_card(connect):
    """Events have a type of their own; the channel's id has a capital."""
    client = connect(hours=1)
    kinds = {
        kind: {
            record["type"]
            for record in _search(client, "queryLocalRecords", type=kind, queryRange="1-100")
        }
        for kind in ("All", "Manual", "Event")
    }
    assert {
        "All": {"normal", "videomotion"},
        "Manual": {"normal"},
        "Event": {"videomotion"},
    } == kinds
    assert {"0"} == {
        record["channelID"] for record in _search(client, "queryLocalRecords", count=9)
    }


def test_bitmaps(connect):
    """A character for each day of the month, 1 where there is something."""
    client = connect(devices=["camera", "unformatted"], hours=60)
    ids = [device.id for device in client.sim.devices]
    for method in ("queryCloudRecordBitmap", "queryLocalRecordBitmap"):
        params = {"deviceId": ids[0], "channelId": "0", "year": 2026}
        assert "0" * 17 + "111" + "0" * 11 == client.call(method, month=5, **params)["bitmap"]
        assert "0" * 28 == client.call(method, month=2, **params)["bitmap"]
    params = {"deviceId": ids[1], "channelId": "0", "year": 2026, "month": 5}
    assert "0" * 31 == client.call("queryLocalRecordBitmap", **params)["bitmap"]
    client.sim.enable("wrong-bitmap")
    assert "1" * 31 == client.call("queryLocalRecordBitmap", **params)["bitmap"]


def test_the_ways_to_say_nothing(connect):
    """An empty list, no list, no data, or an error."""
    client = connect()
    params = {"deviceId": client.device, "channelId": "0", "queryRange": "1-5"}
    params |= {"beginTime": "2020-01-01 00:00:00", "endTime": "2020-01-01 23:59:59"}
    for method, code in (("queryLocalRecords", "OP1019"), ("queryCloudRecords", "RC1001")):
        assert {"records": []} == client.call(method, **params)
        client.sim.enable("empty-without-records", times=1)
        assert {} == client.call(method, **params)
        client.sim.enable("empty-without-data", times=1)
        assert "data" not in client.result(method, **params)
        client.sim.enable("empty-is-an-error", times=1)
        assert code == client.code(method, **params)


def test_searches_that_mislead(connect):
    """Records that come twice, pages without an end, a window that leaves out what reaches into it."""
    client = connect(hours=1, devices=["no-plan", "camera"])
    camera = {"deviceId": client.sim.devices[1].id}
    plain = _search(client, "queryLocalRecords", count=30, **camera)
    client.sim.enable("duplicate-records", times=1)
    twice = _search(client, "queryLocalRecords", count=30, **camera)
    assert [plain[0], plain[0]] == twice[:2]
    assert [] == _search(client, "queryLocalRecords", queryRange="901-930", **camera)
    client.sim.enable("endless-pages", times=1)
    assert 30 == len(_search(client, "queryLocalRecords", queryRange="901-930", **camera))
    late = plain[0]["beginTime"][:-1] + "9"
    assert plain[0] == _search(client, "queryLocalRecords", count=1, beginTime=late, **camera)[0]
    client.sim.enable("begins-within", times=1)
    assert plain[0] != _search(client, "queryLocalRecords", count=1, beginTime=late, **camera)[0]
    client.sim.enable("no-plan-is-empty", times=1)
    assert [] == _search(client, "queryCloudRecords", queryRange="1-9")


def test_windows_that_make_no_sense(connect):
    """An end before the beginning, and a time that is none."""
    client = connect()
    params = {"deviceId": client.device, "channelId": "0", "queryRange": "1-5"}
    wrong = {"beginTime": DAY["endTime"], "endTime": DAY["beginTime"]}
    assert "OP1003" == client.code("queryCloudRecords", **params, **wrong)
    assert "OP1003" == client.code("queryCloudRecords", **params, **{**DAY, "endTime": "now"})
    assert "OP1002" == client.code("queryLocalRecords", **{**params, "queryRange": None}, **DAY)


# -- Faults --------------------------------------------------------------------------------------


def test_faults_with_a_code(connect):
    """Each answers the calls of its scope with its code, once if that is what was asked."""
    client = connect(hours=0.2)
    calls = {"cloud": "queryCloudRecords", "media": "createDeviceRecordHls"}
    params = {"deviceId": client.device, "channelId": "0", **DAY, "queryRange": "1-5"}
    params |= {"recordType": "localRecord"}
    told = {}
    for fault, each in CODES.items():
        method = calls.get(each.scope, "queryLocalRecords")
        client.sim.enable(fault, times=1)
        first, second = client.result(method, **params), client.result(method, **params)
        told[fault] = (first["code"], bool(first["msg"]), second["code"])
    assert {name: (each.code, True, "0") for name, each in CODES.items()} == told
    assert dict.fromkeys(CODES, 1) == dict(client.sim.fault_hits)


def test_faults_leave_other_calls_alone(connect):
    """A card that is missing does not keep the cloud from answering."""
    client = connect(faults=["no-card", "token-expired", "licence"])
    assert "0" == client.code("accessToken")
    client.sim.disable("token-expired")
    assert "0" == client.code("listDeviceDetailsByPage", page=1, pageSize=1)
    assert "FL1001" == client.code("deviceOnline", deviceId=client.device)


def test_answers_that_are_none(connect):
    """No code, a web page, null, 64 MiB, a redirect, a late answer."""
    client = connect()
    body = {"system": client.envelope(), "id": "1", "params": {}}
    client.sim.enable("no-code", times=1)
    assert "code" not in client.post("accessToken", body).json()["result"]
    client.sim.enable("not-json", times=1)
    assert client.post("accessToken", body).text.startswith("<!DOCTYPE html>")
    client.sim.enable("redirect-api", times=1)
    reply = client.post("accessToken", body)
    assert (302, "https://openapi.imou.invalid:443/openapi/accessToken") == (
        reply.status_code,
        reply.headers["Location"],
    )
    client.sim.enable("null-data", times=1)
    assert {"code": "0", "msg": "Operation is successful.", "data": None} == client.result(
        "accessToken"
    )
    client.sim.enable("slow", times=1)
    assert "0" == client.code("accessToken")
    client.sim.enable("huge-answer", times=1)
    with client.post("accessToken", body, stream=True) as reply:
        assert sum(map(len, reply.iter_content(2**20))) > 2**26


@pytest.mark.parametrize("status", [404, 500, 503])
def test_trouble_before_the_service(connect, status):
    """A status other than 200 comes from something that is not the service."""
    client = connect()
    client.sim.enable(f"http-{status}", times=1)
    reply = client.post("accessToken", {})
    assert status == reply.status_code
    assert (status == 503) == ("Retry-After" in reply.headers)


def test_a_reset_connection(connect):
    """The client sees a reset, and the next request works."""
    client = connect()
    client.sim.enable("reset-connection", times=1)
    with pytest.raises(requests.ConnectionError):
        client.code("accessToken")
    assert "0" == client.code("accessToken")


# -- Life ----------------------------------------------------------------------------------------


def test_counters(connect):
    """Requests, calls by method, and what went over the wire, until they are set back."""
    client = connect()
    client.code("deviceOnline", deviceId=client.device)
    client.code("deviceOnline", deviceId="nobody")
    assert {"accessToken": 1, "deviceOnline": 2} == client.sim.calls
    assert ("POST", "/openapi/deviceOnline", 200) == client.sim.requests_log[-1]
    assert (3, 0) == (client.sim.requests, client.sim.bytes_sent)
    client.sim.reset_counters()
    assert (0, {}, 0, 1) == (
        client.sim.requests,
        client.sim.calls,
        client.sim.logins,
        client.sim.tokens_issued,
    )


def test_start_and_stop(connect):
    """It starts once, stops as often as one likes, and can use its port again."""
    client = connect()
    assert re.fullmatch(
        r"<ImouSimulator with 1 devices at http://127.*, running>", repr(client.sim)
    )
    with pytest.raises(ConfigurationError, match="runs already"):
        client.sim.start()
    with pytest.raises(ConfigurationError, match="nothing can listen"):
        ImouSimulator(port=client.sim.port).start()
    client.sim.stop()
    client.sim.stop()
    assert repr(client.sim).endswith("stopped>")
    with ImouSimulator(port=client.sim.port) as again:
        assert again.port == client.sim.port
    assert client.sim.app_secret not in repr(client.sim)


def test_tls(connect, tmp_path):
    """With tls=True it serves HTTPS, and says so to the client."""
    client = connect(tls=True, login=False)
    path = tmp_path / "ca.pem"
    path.write_text(client.sim.certificate)
    client.session.verify = str(path)
    assert client.sim.base_url.startswith("https://")
    assert client.sim.base_url == client.call("accessToken")["currentDomain"]


def test_a_simulator_without_tls_has_no_certificate():
    """There is nothing to trust."""
    assert ImouSimulator().certificate is None


# -- Captures ------------------------------------------------------------------------------------


def _shape(value: Any) -> Any:
    """Return names and types: what a value looks like whatever is in it."""
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _captured(name: str) -> Any:
    return json.loads((CAPTURES / name).read_text(encoding="utf-8"))["result"]


@with_captures
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("accessToken", {}),
        ("deviceBaseList", {"bindId": -1, "limit": 5}),
        ("deviceOpenList", {"bindId": -1, "limit": 5}),
        ("deviceBaseDetailList", {"deviceList": [{"deviceId": 0}]}),
        ("deviceOpenDetailList", {"deviceList": [{"deviceId": 1}]}),
        ("listDeviceAbility", {"deviceList": [{"deviceId": 0}]}),
        ("deviceOnline", {"deviceId": 0}),
        ("deviceStorage", {"deviceId": 0}),
        ("deviceSdcardStatus", {"deviceId": 0}),
    ],
)
def test_answers_have_the_captured_shape(connect, name, params):
    """Members, their types and their nesting are those of the real answer."""
    client = connect(devices=["camera", "bound"])
    ids = [device.id for device in client.sim.devices]
    params = dict(params)
    if "deviceList" in params:
        params["deviceList"] = [{"deviceId": ids[params["deviceList"][0]["deviceId"]]}]
    if "deviceId" in params:
        params["deviceId"] = ids[params["deviceId"]]
    captured = _captured(f"imouapi_fixtures/{name}_ok.json")
    assert _shape(captured) == _shape(client.result(name, **params))


@with_captures
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("accessToken_expired", "TK1002"),
        ("accessToken_wrong_app_id", "OP1008"),
        ("deviceBaseList_wrong_device_id", "OP1009"),
    ],
)
def test_refusals_are_the_captured_ones(connect, name, code):
    """Code and words are what the live service sent."""
    client = connect(faults=[f"code:{code}"], login=False)
    assert _captured(f"imouapi_fixtures/{name}.json") == client.result("deviceOnline")


@with_captures
def test_records_have_the_documented_shape(connect):
    """Cloud records, bitmap and kit token are those of the vendor's samples."""
    client = connect()
    params = {"deviceId": client.device, "channelId": "0"}
    for name, more in (
        ("queryCloudRecords", {**DAY, "queryRange": "1-1"}),
        ("queryCloudRecordBitmap", {"year": 2026, "month": 5}),
        ("getKitToken", {"type": "2"}),
    ):
        sample = _captured(f"doc_samples/{name}.response.json")
        assert _shape(sample) == _shape(client.result(name, **params, **more))


@with_captures
def test_lists_and_card_records_have_the_published_members(connect):
    """Nothing of the samples is missing, and what is more is documented elsewhere."""
    client = connect()
    page = {"page": 1, "pageSize": 5}
    sample = _captured("test_samples/listDeviceDetailsByPage.response.json")["data"]
    full = client.call("listDeviceDetailsByPage", **page)
    more = {"deviceVersion", "deviceAbility", "channelNum", "accessType"}
    assert more == full["deviceList"][0].keys() - sample["deviceList"][0].keys()
    client.sim.enable("bare-list")
    assert _shape(sample) == _shape(client.call("listDeviceDetailsByPage", **page))
    record = _captured("test_samples/queryLocalRecords.response.json")["data"]["records"][0]
    schema = json.loads((CAPTURES / "schema" / "recording_methods.json").read_text())
    known = schema["queryLocalRecords"]["response.records[]"]
    found = _search(client, "queryLocalRecords", count=1)[0]
    assert record.keys() <= found.keys() <= known.keys()
    newest = _search(client, "getCloudRecords", count=1)[0]
    assert {"type"} == newest.keys() - {
        name.split(" ")[0].split(":")[0] for name in schema["getCloudRecords"]["response.records[]"]
    }


@with_captures
def test_every_known_code_can_be_played(connect):
    """All codes of the table come back as they are, with words."""
    client = connect()
    table = json.loads((CAPTURES / "error_codes.json").read_text(encoding="utf-8"))
    for code in (row["code"] for row in table if row["code"] != "0"):
        client.sim.enable(f"code:{code}", times=1)
        result = client.result("deviceOnline", deviceId=client.device)
        assert (code, True) == (result["code"], bool(result["msg"]))


@with_captures
def test_faults_cover_every_category():
    """For each kind of failure in the table there is a fault with a name."""
    table = json.loads((CAPTURES / "error_codes.json").read_text(encoding="utf-8"))
    kinds = {row["code"]: row["category"] for row in table}
    assert set(kinds.values()) - {"ok"} == {
        kinds[each.code] for each in CODES.values() if each.code in kinds
    }


def test_clips_are_listed_as_they_are_told(connect):
    """History and searches say the same about every clip, in both storages."""
    client = connect(hours=0.4, segment_seconds=60)
    for storage, method, size in (
        ("cloud", "queryCloudRecords", "size"),
        ("sd", "queryLocalRecords", "fileLength"),
    ):
        told = [
            (clip.id, clip.begin_time, clip.end_time, clip.size)
            for clip in client.sim.history(client.device)
            if clip.storage == storage
        ]
        found = [
            (record["recordId"], record["beginTime"], record["endTime"], int(record[size]))
            for record in itertools.chain.from_iterable(
                _search(client, method, queryRange=f"{n}-{n + 29}") for n in (1, 31, 61)
            )
        ]
        assert told == found


def test_a_kit_token_is_given_for_a_channel(connect):
    """The vendor's player needs one; its kind is 0, 1 or 2."""
    client = connect()
    params = {"deviceId": client.device, "channelId": "0"}

    assert client.call("getKitToken", type="2", **params)["kitToken"].startswith("Kt_")
    assert "OP1003" == client.code("getKitToken", type="9", **params)
