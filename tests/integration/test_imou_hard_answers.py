"""What a hostile, broken or unexpected cloud answers: typed, cheap, complete, no secret shown."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import traceback

import attrs
import pytest

from camsync import ImouClient, RetryPolicy, TimeSpan
from camsync.errors import (
    AuthenticationError,
    CamsyncError,
    CancelledError,
    ConfigurationError,
    LicenceError,
    NoCloudPlanError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    UnreachableError,
)
from camsync.models import Channel
from camsync.providers.imou._aside import aside, waiting
from camsync.transport import Answer


UTC = dt.timezone.utc
SECRET = "SeCrEtSeCrEt-0123456789-zyxwvu"
TOKEN = "b64tok/ABCDEF-ghijkl-mnopqr"
CHANNEL = Channel(device="D", id="0", name="Door")
DAY = TimeSpan(dt.datetime(2026, 6, 1, 8, tzinfo=UTC), dt.datetime(2026, 6, 1, 20, tzinfo=UTC))
RECORD = {
    "recordId": "r1",
    "recordRegionId": "g",
    "beginTime": "2026-06-01 10:00:00",
    "endTime": "2026-06-01 10:01:00",
}


QUICK = RetryPolicy(attempts=3, initial=0)


def _ok(data=None, code="0", msg="ok"):
    return {"result": {"code": code, "msg": msg, "data": data}}


class _Cloud:
    """Stands for the transport: answers each method from a table; what is not in it is unknown."""

    def __init__(self, home, answers):
        self.home, self.asked = home, []
        self._answers = {"accessToken": _ok({"accessToken": TOKEN, "expireTime": 9000}), **answers}

    def post(self, url, body):
        method, sent = url.rpartition("/")[2], json.loads(body.reveal())
        self.asked.append(method)
        answer = self._answers.get(method, _ok(None, "OP1005", "Invalid request URL."))
        answer = answer(sent) if callable(answer) else answer
        return Answer(status=200, headers={}, body=json.dumps(answer).encode())

    def close(self):
        pass


@pytest.fixture
def start(tmp_path):
    """Return a function that makes a client of a cloud with these answers."""

    def made(answers, **options):
        settings = {"timezone": "UTC", "retry": RetryPolicy(attempts=1), **options}
        client = ImouClient("app", SECRET, usage=tmp_path / "usage.json", **settings)
        caller = client._wire._caller
        caller._web = cloud = _Cloud(caller._web.home, answers)
        return client, cloud

    return made


def _tries(ask, times=3, kind=CamsyncError):
    for _ in range(times):
        with pytest.raises(kind) as caught:
            ask()
    return caught.value


def _is_md5(sent):
    return len(sent["system"]["sign"]) == 32


# -- Answers that break off


class _Cutting(_Cloud):
    """Cuts the first answers of a method, as a connection that breaks does."""

    def __init__(self, home, answers, method, cuts):
        super().__init__(home, answers)
        self._method, self._cuts = method, cuts

    def post(self, url, body):
        answer = super().post(url, body)
        if not url.endswith(self._method) or not self._cuts:
            return answer
        self._cuts -= 1
        half = len(answer.body) // 2
        return attrs.evolve(answer, body=answer.body[:half], missing=half)


@pytest.mark.parametrize("method", ["accessToken", "deviceStorage"])
def test_an_answer_that_breaks_off_is_tried_again(start, method):
    """It was not the cloud's last word: as often as the policy says, and each try is counted."""
    client, cloud = start({"deviceStorage": _ok({"totalBytes": 8})}, retry=QUICK)
    caller = client._wire._caller
    caller._web = cloud = _Cutting(cloud.home, cloud._answers, method, 2)

    assert {"totalBytes": 8} == caller.call("deviceStorage", {"deviceId": "D"})
    assert 3 == cloud.asked.count(method)
    assert 4 == client.usage.calls

    cloud._cuts = 9
    client.retry_login()
    with pytest.raises(UnreachableError, match="in the middle of the answer") as caught:
        caller.call("deviceStorage", {"deviceId": "D"})
    assert "internet" in caught.value.next_step
    assert 6 == cloud.asked.count(method)


def test_a_whole_answer_is_not_called_cut(start):
    """Nonsense to its end is the cloud's last word, and what is whole needs no right length."""
    client, cloud = start({"deviceStorage": {"nothing": 1}}, retry=QUICK)
    caller = client._wire._caller

    with pytest.raises(ProtocolError):
        caller.call("deviceStorage", {"deviceId": "D"})
    assert 1 == cloud.asked.count("deviceStorage")

    cloud._answers["deviceStorage"] = _ok({"totalBytes": 8})
    whole = cloud.post
    cloud.post = lambda *what: attrs.evolve(whole(*what), missing=99)
    assert {"totalBytes": 8} == caller.call("deviceStorage", {"deviceId": "D"})


# -- Lists


def test_what_is_no_record_hides_no_others(start, caplog):
    """A null in a full page neither ends the list nor goes by unseen."""
    clock = [f"2026-06-01 {9 + one // 60:02d}:{one % 60:02d}" for one in range(205)]
    records = [
        {**RECORD, "recordId": str(one), "beginTime": f"{at}:00", "endTime": f"{at}:30"}
        for one, at in enumerate(clock)
    ]
    records[50] = None

    def ranged(sent):
        first, last = map(int, sent["params"]["queryRange"].split("-"))
        return _ok({"records": records[first - 1 : last]})

    client, _ = start({"queryCloudRecords": ranged})

    assert 204 == len(list(client.search(CHANNEL, DAY, storage="cloud")))
    assert "1 of 100 records unreadable" in caplog.text


@pytest.mark.parametrize(
    "records",
    [
        {"a": RECORD},
        "none",
        7,
        [None],
        [{**RECORD, "beginTime": 1780000000}],
        [{**RECORD, "recordId": None}],
        [{**RECORD, "beginTime": "9999-12-31 23:50:00", "endTime": "9999-12-31 23:59:59"}],
        [{**RECORD, "beginTime": "0001-01-01 00:00:00"}],
    ],
)
def test_records_that_cannot_be_read_are_no_empty_day(start, records):
    """Nothing readable in an answer full of recordings is an error."""
    client, _ = start({"queryCloudRecords": _ok({"records": records})})

    with pytest.raises(ProtocolError, match="records"):
        list(client.search(CHANNEL, DAY, storage="cloud"))


@pytest.mark.parametrize(
    "form", ["2026-06-01T10:00:00", "20260601T100000", "2026-06-01 10:00:00.0"]
)
def test_other_forms_of_a_wall_time_are_read(start, form):
    """ISO 8601 without a zone says the same."""
    client, _ = start({"queryCloudRecords": _ok({"records": [{**RECORD, "beginTime": form}]})})
    (found,) = client.search(CHANNEL, DAY, storage="cloud")

    assert dt.datetime(2026, 6, 1, 10, tzinfo=UTC) == found.start


def test_devices_behind_one_that_cannot_be_read_are_listed(start):
    """A null in a full page does not end the list of devices."""
    devices = [{"deviceId": f"D{one}", "channelList": [{"channelId": 0}]} for one in range(70)]
    devices[49] = None

    def paged(sent):
        first = (sent["params"]["page"] - 1) * 50
        return _ok({"deviceList": devices[first : first + 50], "count": 70})

    client, _ = start({"listDeviceDetailsByPage": paged})
    assert 69 == len(client.devices())


def test_a_device_that_is_listed_twice_has_all_its_channels(start):
    """Bound with three channels, and one of them shared as well."""
    rows = [
        {"deviceId": "D", "channelList": [{"channelId": one} for one in range(3)]},
        {"deviceId": "D", "channelList": [{"channelId": 0}, {"channelId": 7}]},
    ]
    client, _ = start({"listDeviceDetailsByPage": _ok({"deviceList": rows, "count": 2})})

    assert ["0", "1", "2", "7"] == [one.id for one in client.channels()]


def test_the_older_list_is_not_asked_for_what_it_has_given(start):
    """Numbers that alternate would cost a thousand calls."""

    def alternating(sent):
        base, other = (1, 100) if sent["params"]["bindId"] != 100 else (51, 50)
        ids = [{"deviceId": f"D{base + one}", "bindId": other} for one in range(50)]
        return _ok({"deviceList": ids})

    empty = _ok({"deviceList": []})
    answers = {
        "deviceBaseList": alternating,
        "deviceBaseDetailList": empty,
        "deviceOpenList": empty,
    }
    client, cloud = start(answers)

    assert 100 == len(client.devices())
    assert 3 == cloud.asked.count("deviceBaseList")


# -- The calendar


MONTH = TimeSpan(dt.datetime(2026, 5, 26, tzinfo=UTC), dt.datetime(2026, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize(("code", "times"), [("OP1005", 1), ("OP1009", 1)])
def test_a_calendar_that_is_refused_ends_no_search(start, code, times):
    """It is not asked for again, and each day is asked for instead."""
    answers = {
        "queryCloudRecords": _ok({"records": []}),
        "queryCloudRecordBitmap": _ok(None, code),
    }
    client, cloud = start(answers)
    for _ in range(2):
        assert [] == list(client.search(CHANNEL, MONTH, storage="cloud"))

    assert times == cloud.asked.count("queryCloudRecordBitmap")
    assert cloud.asked.count("queryCloudRecords") >= 12


def test_no_plan_is_a_state_for_the_calendar_too(start):
    """With both places asked for it is no error, with the cloud alone it is."""
    card = {"queryLocalRecords": _ok({"records": []})}
    client, _ = start({**card, "queryCloudRecordBitmap": _ok(None, "ST1004")})

    assert [] == list(client.search(CHANNEL, MONTH, storage="both"))
    with pytest.raises(NoCloudPlanError):
        list(client.search(CHANNEL, MONTH, storage="cloud"))


@pytest.mark.parametrize(("bitmap", "days"), [("1" * 28, 6), ("0" * 30 + "1", 1), ("", 6)])
def test_a_calendar_of_another_month_s_length_is_none(start, bitmap, days):
    """Days that it does not name would never be asked for."""
    answers = {
        "queryCloudRecords": _ok({"records": []}),
        "queryCloudRecordBitmap": _ok({"bitmap": bitmap}),
    }
    client, cloud = start(answers)
    client._reaching["cloud"] = True
    list(client.search(CHANNEL, MONTH, storage="cloud"))

    assert days == cloud.asked.count("queryCloudRecords")


# -- Logins and what they cost


@pytest.mark.parametrize(
    ("hmac", "words"), [("SN1001", "app id or app secret are wrong"), ("OP1005", "does not know")]
)
def test_a_login_that_is_refused_in_two_ways_is_not_repeated(start, hmac, words):
    """The refusal that says most is told."""

    def login(sent):
        return _ok(None, "OP1005" if _is_md5(sent) else hmac)

    client, cloud = start({"accessToken": login})
    error = _tries(client.devices, kind=AuthenticationError)

    assert words in str(error)
    assert "nothing more was sent" in str(error)
    assert 2 == len(cloud.asked)


def test_a_data_centre_may_want_the_other_signature(start):
    """Although the login took the first; it is changed once, and remembered."""

    def listed(sent):
        return _ok(None, "SN1001") if _is_md5(sent) else _ok({"deviceList": []})

    client, cloud = start({"listDeviceDetailsByPage": listed})
    for _ in range(2):
        assert () == client.devices()

    assert ["accessToken", *["listDeviceDetailsByPage"] * 3] == cloud.asked
    assert "hmac" == client.learnt["sign"]


def test_both_signatures_refused_behind_a_login_is_the_end(start):
    """Each is tried once."""
    client, cloud = start({"listDeviceDetailsByPage": _ok(None, "SN1001")})
    _tries(client.devices, kind=AuthenticationError)

    assert 3 == len(cloud.asked)
    client.retry_login()
    _tries(client.devices, times=1)
    assert 6 == len(cloud.asked)


def test_somebody_else_may_have_changed_the_signature_meanwhile(start):
    """Then the call is only made again, and nothing is changed back."""

    def listed(sent):
        if not _is_md5(sent):
            return _ok({"deviceList": []})
        caller.signer, caller._swapped = caller._signers[1], True
        return _ok(None, "SN1001")

    client, cloud = start({"listDeviceDetailsByPage": listed})
    caller = client._wire._caller
    client.devices()

    assert "hmac" == client.learnt["sign"]
    assert 3 == len(cloud.asked)


def test_a_method_that_no_session_helps_costs_one_login(start):
    """Others may work meanwhile; it does not cost a login each time."""
    answers = {
        "deviceSdcardStatus": _ok(None, "TK1002"),
        "listDeviceDetailsByPage": _ok({"deviceList": []}),
    }
    client, cloud = start(answers)
    for _ in range(4):
        client.devices()
        with pytest.raises(AuthenticationError):
            client._wire.storage("D")

    assert 2 == cloud.asked.count("accessToken")
    assert 5 == cloud.asked.count("deviceSdcardStatus")


def test_another_error_behind_a_new_session_is_that_error(start):
    """It says nothing about sessions."""
    answers = iter([_ok(None, "TK1002"), _ok(None, "OP1009"), _ok({"deviceList": []})])
    client, _ = start({"listDeviceDetailsByPage": lambda _: next(answers)})
    with pytest.raises(PermissionDeniedError):
        client.devices()

    assert () == client.devices()


@pytest.mark.parametrize(("code", "kind"), [("FL1001", LicenceError), ("OP1016", QuotaError)])
def test_what_one_device_may_not_do_is_not_asked_again(start, code, kind):
    """Other devices are asked all the same."""
    client, cloud = start({"deviceSdcardStatus": _ok(None, code)})
    _tries(lambda: client._wire.storage("D"), kind=kind)
    _tries(lambda: client._wire.storage("E"), kind=kind)

    assert 2 == cloud.asked.count("deviceSdcardStatus")


def test_a_zone_that_nobody_says_is_asked_for_once(start):
    """Two calls, until retry_login."""
    client, cloud = start({}, timezone=None)
    error = _tries(lambda: list(client.search(CHANNEL, DAY)), kind=ConfigurationError)
    assert "timezone" in str(error)
    assert 2 == sum(one.startswith("timeZone") for one in cloud.asked)
    client.retry_login()
    _tries(lambda: list(client.search(CHANNEL, DAY)), times=1)

    assert 4 == sum(one.startswith("timeZone") for one in cloud.asked)


def test_a_session_without_a_life_serves_a_minute(start):
    """Not one call only."""
    answers = {
        "accessToken": _ok({"accessToken": TOKEN, "expireTime": 0}),
        "listDeviceDetailsByPage": _ok({"deviceList": []}),
    }
    client, cloud = start(answers)
    for _ in range(3):
        client.devices()

    assert 1 == cloud.asked.count("accessToken")


# -- Breaking off


def test_waiting_for_an_answer_can_be_broken_off(start):
    """The question for a playlist, which may take long, looks at the caller's wish."""
    cancel, go_on = threading.Event(), threading.Event()

    def hanging(_):
        cancel.set()
        go_on.wait(10)
        return _ok(None, "DV1009")

    client, _ = start({"createDeviceRecordHls": hanging})
    with pytest.raises(CancelledError):
        client._wire._caller.call("createDeviceRecordHls", {}, cancel=cancel)
    assert not go_on.is_set()
    go_on.set()


def test_waiting_for_another_try_can_be_broken_off(start):
    """And nothing is sent for somebody who has given up."""
    cancel = threading.Event()

    def busy(_):
        threading.Timer(0.05, cancel.set).start()
        return _ok(None, "DV1009")

    client, cloud = start(
        {"createDeviceRecordHls": busy}, retry=RetryPolicy(attempts=9, initial=9.0, total=99.0)
    )
    for _ in range(2):
        with pytest.raises(CancelledError):
            client._wire._caller.call("createDeviceRecordHls", {}, cancel=cancel)

    assert 1 == cloud.asked.count("createDeviceRecordHls")


def test_slow_work_aside_is_waited_for():
    """As long as nobody breaks it off."""
    assert not aside(lambda: threading.Event().wait(0.25), threading.Event())


def test_a_device_that_fails_may_say_its_zone_later(start):
    """Only what no later try will mend is remembered."""
    client, cloud = start({"timeZoneQueryByDay": _ok(None, "OP1021")}, timezone=None)
    _tries(lambda: list(client.search(CHANNEL, DAY)), kind=ConfigurationError)

    assert 3 == cloud.asked.count("timeZoneQueryByDay")


def test_work_aside_gives_what_it_gives():
    """A result or an error, with and without a wish to break off."""
    never, slept = threading.Event(), []

    def fail():
        msg = "no"
        raise ProtocolError(msg)

    for cancel in (None, never):
        assert 5 == aside(lambda: 5, cancel)
        with pytest.raises(ProtocolError):
            aside(fail, cancel)
        waiting(lambda *given: slept.append(given), 3.0, cancel)
    assert [(3.0,), (3.0, never)] == slept


# -- Secrets


@pytest.mark.parametrize("lead", [0, 100, 135, 140, 150, 159])
@pytest.mark.parametrize("secret", [SECRET, TOKEN])
def test_no_part_of_an_echoed_secret_is_shown(start, caplog, secret, lead):
    """Wherever the vendor's words are cut off, and in the place of a code as well."""
    caplog.set_level(logging.DEBUG)
    for code, msg in (("OP1009", "x" * lead + secret), (secret, "x"), (f"X {secret}", "")):
        client, _ = start({"listDeviceDetailsByPage": _ok(None, code, msg)})
        error = _tries(client.devices, times=1)

        assert secret[:8] not in f"{error} {error.vendor_code} {caplog.text}"
        assert error.vendor_code in {"OP1009", "?"}


@pytest.mark.parametrize("code", ["https://a.b/c?sig=ABCDEFG", "", "a b", "-", "x" * 17])
def test_what_is_no_code_is_not_shown_as_one(start, code):
    """It may be anything."""
    client, _ = start({"listDeviceDetailsByPage": _ok(None, code)})

    assert "?" == _tries(client.devices, times=1).vendor_code


@pytest.mark.parametrize(
    "data",
    [
        {"accessToken": [TOKEN], "expireTime": 5},
        {"accessToken": {"value": TOKEN}, "expireTime": 5},
        {"Token_": TOKEN, "expireTime": 5},
        {"x": {"playTokens": [[TOKEN], {"deep": TOKEN}]}, "tokenId": 12345678},
        {"accessToken": TOKEN},
    ],
)
def test_a_login_that_makes_no_sense_shows_no_token(start, data):
    """Not even in the variables of the library's frames."""
    client, _ = start({"accessToken": _ok(data)})
    with pytest.raises(ProtocolError) as caught:
        client.devices()
    below = caught.value.__traceback__.tb_next
    lines = traceback.TracebackException(
        type(caught.value), caught.value, below, capture_locals=True
    ).format()

    assert not any(TOKEN in line for line in lines)


def test_raw_fields_hold_no_secret_and_no_address(start):
    """Whatever the vendor calls them; what is harmless stays."""
    url = "https://oss.example.com/p.jpg?Signature=PLANTED"
    names = ("pic", "streamAddr", "devicePwd", "wifiPassword", "accessKey", "ticket", "authCode")
    fields = dict.fromkeys(names, "PLANTED") | {"pic": url, "hash": "0123456789abcdef" * 2}
    device = {"deviceId": "D", "logo": url, "encryptMode": 1, "channelNum": 2, **fields}
    device["channelList"] = [{"channelId": 0, "channelName": "c", "encryptMode": 1, **fields}]
    client, _ = start({"listDeviceDetailsByPage": _ok({"deviceList": [device]})})
    shown = [dict(one.raw) for one in (*client.devices(), *client.channels())]

    assert not any("PLANTED" in str(one) or "hash" in one for one in shown)
    assert [1, 1] == [one["encryptMode"] for one in shown]
    assert 2 == shown[0]["channelNum"]
