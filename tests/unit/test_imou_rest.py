"""The REST surface without a network: answers, codes, pages, and the proof that a file is the same."""

from __future__ import annotations

import contextlib
import datetime as dt
import json

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync._secret import Secret
from camsync.errors import (
    AuthenticationError,
    CamsyncError,
    DeviceBusyError,
    DeviceOfflineError,
    NoCloudPlanError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RequestRejectedError,
    UnreachableError,
)
from camsync.providers.imou import _rest_codes, _rest_parse
from camsync.providers.imou._file import Proof, open_file
from camsync.providers.imou._rest import RestApi
from camsync.providers.imou._wire import PlaySource
from camsync.testing.imou import ImouSimulator
from camsync.transport import Answer


def _bytes(value) -> bytes:
    return json.dumps(value).encode()


# -- Answers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        b"[]",
        b"{}",
        _bytes({"code": None}),
        _bytes({"code": True}),
        _bytes({"code": 0, "data": []}),
    ],
)
def test_what_is_no_answer(body):
    """Anything but an object with a code is an error that says so, with a next step."""
    with pytest.raises(ProtocolError) as caught:
        _rest_parse.read_result(body, "/path")

    assert "base_url" in caught.value.next_step


@pytest.mark.parametrize("code", [0, "0", " 0 "])
def test_success_is_zero(code):
    """As a number and as text."""
    assert "0" == _rest_parse.read_result(_bytes({"code": code}), "/path").code


_NAMES = ("code", "msg", "data", "devices", "deviceId", "channels", "access_token", "expires_in")
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("read", [_rest_parse.read_result, _rest_parse.read_grant])
@given(value=_ANYTHING)
def test_no_answer_breaks_the_readers(read, value):
    """Whatever JSON comes: a value, or a typed error."""
    with contextlib.suppress(ProtocolError):
        read(_bytes(value), "/path")

    assert {} == _rest_parse.read_failure(_bytes(value)).data


def test_devices_without_an_id_are_left_out():
    """The others stay; channels without an id go, too."""
    data = {
        "devices": [
            {"deviceName": "nobody"},
            {"deviceId": "A", "status": "offline", "channels": [{}, {"channelId": 1}]},
        ]
    }
    (device,) = _rest_parse.read_devices(data, "/path")

    assert ("A", "A", "offline") == (device.id, device.name, device.status)
    assert ["1"] == [one.id for one in device.channels]


def test_records_need_times_and_an_id():
    """Sizes and reasons may be missing; on a card the id has several names."""
    times = {"startTime": "2026-01-01 00:00:00", "endTime": "2026-01-01 00:01:00"}
    found = [
        {"recordId": "1", **times, "fileSize": "7", "recordType": "schedule"},
        {"videoId": "2", **times},
        {"recordId": "3", "startTime": "yesterday", "endTime": "today"},
        {**times},
    ]
    cloud = _rest_parse.read_records(found, "A", "0", "cloud")
    card = _rest_parse.read_records(found, "A", "0", "sd")

    assert [("1", 7, "timing")] == [(one.id, one.size, one.kind) for one in cloud]
    assert ["1", "2"] == [one.id for one in card]


@pytest.mark.parametrize(
    ("data", "status", "plan"),
    [
        ({"totalSize": 10, "usedSize": 99, "cloudEnabled": True}, "normal", "active"),
        ({"totalSize": 0, "cloudEnabled": "false"}, "empty", "none"),
        ({"totalSize": "9", "cloudEnabled": 1}, "normal", "active"),
        ({}, "unknown", "unknown"),
    ],
)
def test_storage_and_plan(data, status, plan):
    """Sizes may be text, used space is never more than there is, and yes has many forms."""
    card = _rest_parse.read_storage(data)

    assert (status, plan) == (card.status, _rest_parse.read_plan(data))
    assert card.used <= card.total


def test_tokens_in_either_shape():
    """As in the standard, and in the plan's envelope; numbers may be text."""
    plain = {"access_token": "a", "expires_in": "60", "token_type": "bearer", "scope": "x"}
    _, top = _rest_parse.read_grant(_bytes(plain), "/token")
    result, inner = _rest_parse.read_grant(_bytes({"code": 0, "data": plain}), "/token")

    assert top == inner
    assert {"access_token", "expires_in", "token_type"} == set(top)
    assert "0" == result.code


# -- Codes


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("401", AuthenticationError),
        ("403", PermissionDeniedError),
        ("429", DeviceBusyError),
        ("503", DeviceBusyError),
        ("500", UnreachableError),
        ("404", RequestRejectedError),
        ("1", RequestRejectedError),
        ("90210", RequestRejectedError),
        ("tired", RequestRejectedError),
        ("ST1004", NoCloudPlanError),
        ("DV1007", DeviceOfflineError),
        ("OP1013", QuotaError),
        ("TK1002", AuthenticationError),
    ],
)
def test_codes_have_meanings(code, error):
    """Like a status, like the vendor's table, or as it is; always with a next step."""
    found = _rest_codes.failure_of(code, "words", "/path")

    assert type(found) is error
    assert code == found.vendor_code
    assert found.next_step
    assert (code in {"401", "TK1002"}) == _rest_codes.is_stale(found)


@pytest.mark.parametrize(("wish", "wait"), [("7", 7.0), ("soon", None), ("9999999", None)])
def test_a_wish_to_wait_is_kept(wish, wait):
    """Retry-After in seconds, and only if it makes sense."""
    answer = Answer(status=503, headers={"Retry-After": wish}, body=b"x")
    with pytest.raises(DeviceBusyError) as caught:
        _rest_codes.check_status(answer, "/path")

    assert wait == caught.value.retry_after
    assert 503 == caught.value.http_status


@pytest.mark.parametrize("echo", ["Bearer a+b/c=", "token=a%2Bb%2Fc%3D", "x" * 155 + "a+b/c="])
def test_echoed_secrets_are_taken_out(echo):
    """As they are, as a form writes them, and where the words are cut."""
    answer = Answer(status=400, headers={}, body=_bytes({"code": 7, "msg": echo}))
    with pytest.raises(RequestRejectedError) as caught:
        _rest_codes.check_status(answer, "/path", (Secret("a+b/c="), None))

    assert "a+" not in str(caught.value)
    assert "a%2B" not in str(caught.value)
    assert "7" == caught.value.vendor_code


# -- Pages


class _Caller:
    """Answers with pages of so many records."""

    def __init__(self, pages: int, newest_first: bool) -> None:
        self.size, self.newest_first, self.calls = pages, newest_first, 0
        self.records = [
            {
                "recordId": str(minute),
                "startTime": f"2026-01-01 00:{minute:02d}:00",
                "endTime": f"2026-01-01 00:{minute:02d}:30",
            }
            for minute in range(45)
        ]

    def post(self, path, **body):
        self.calls += 1
        found = [
            one
            for one in self.records
            if one["endTime"] >= body["startTime"] and one["startTime"] <= body["endTime"]
        ]
        if self.newest_first:
            found.reverse()
        return {"records": found[: self.size]}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("size", [10, 20, 30, 45, 50])
def test_pages_are_followed_by_time(size, newest_first):
    """A page that may be full is followed by the next; each record comes once, in their order."""
    caller = _Caller(size, newest_first)
    wire = RestApi(caller, "shop", "gateway")
    begin = dt.datetime(2026, 1, 1)
    found = [one.id for one in wire.cloud_records("A", "0", begin, begin + dt.timedelta(hours=1))]
    expected = [str(minute) for minute in range(45)]

    assert (expected[::-1] if newest_first else expected) == found
    assert caller.calls <= -(-45 // (size - 1)) + 1
    assert size < 45 or caller.calls == 2  # nobody says that there is no more


class _Stubborn:
    """Gives the same page whatever is asked."""

    def __init__(self, **more) -> None:
        self.answer = {"records": _Caller(10, newest_first=False).records[:10], **more}

    def post(self, path, **_):
        return self.answer


def _ids(caller):
    begin = dt.datetime(2026, 1, 1)
    wire = RestApi(caller, "shop", "gateway")
    for one in wire.cloud_records("A", "0", begin, begin + dt.timedelta(hours=1)):
        yield one.id


def test_a_page_that_comes_again_is_told(caplog):
    """A gateway that does not look at times may have more: that is worth a warning."""
    assert [str(minute) for minute in range(10)] == list(_ids(_Stubborn()))
    assert "more may be missing" in caplog.text


@pytest.mark.parametrize("more", [{"hasMore": True}, {"total": 11}])
def test_a_gateway_that_keeps_something_back_is_refused(more):
    """It says itself that there is more: then less is an error."""
    with pytest.raises(ProtocolError, match="does not give it"):
        list(_ids(_Stubborn(**more)))


def test_pages_without_end_end(monkeypatch):
    """A gateway that always has something is left after a while, and loudly."""
    monkeypatch.setattr("camsync.providers.imou._parse._MOST_PAGES", 2)
    found = []

    with pytest.raises(ProtocolError, match="pages without end"):
        found.extend(_ids(_Caller(10, newest_first=False)))


# -- Files


class _Reply:
    """An answer of a media server."""

    def __init__(self, status, headers, body=b"", broken=None):
        self.status, self.headers, self.body = status, headers, body
        self.declared = int(headers["Content-Length"]) if "Content-Length" in headers else None
        self.broken, self.closed = broken, False

    def readinto(self, view):
        if self.broken is not None:
            raise self.broken
        got = min(len(view), len(self.body))
        view[:got], self.body = self.body[:got], self.body[got:]
        return got

    def abort(self):
        pass

    def close(self):
        self.closed = True


class _Web:
    """Gives prepared answers, and keeps what was asked."""

    def __init__(self, *replies):
        self.replies, self.asked = list(replies), []

    def get(self, url, *, headers, byte_range, cancel):
        self.asked.append((dict(headers), byte_range))
        return self.replies[len(self.asked) - 1]


def _source() -> PlaySource:
    return PlaySource(url=Secret("https://media.invalid/f"), kind="file")


PROOF = Proof('"a"', 10)


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (200, {}),
        (416, {}),
        (206, {"Content-Range": "bytes 5-9/10"}),
        (206, {"Content-Range": "bytes 4-8/10"}),
        (206, {"Content-Range": "bytes 4-9/11"}),
        (206, {"Content-Range": "bytes 4-9/*"}),
        (206, {"ETag": '"b"'}),
        (206, {"ETag": 'W/"a"'}),
        (206, {"Content-Length": "5"}),
    ],
)
def test_no_proof_no_offset(status, changes):
    """Everything must fit; else the file is asked for from its begin, on a new connection."""
    headers = {"ETag": '"a"', "Content-Range": "bytes 4-9/10", "Content-Length": "6", **changes}
    first = _Reply(status, headers)
    second = _Reply(200, {"ETag": '"c"', "Content-Length": "3"}, b"abc")
    web = _Web(first, second)
    with open_file(_source, web, offset=4, proof=PROOF) as stream:
        assert (0, 3, Proof('"c"', 3)) == (stream.offset, stream.size, stream.proof)

    assert [({"If-Range": '"a"'}, (4, None)), ({}, None)] == web.asked
    assert first.closed
    assert second.closed


def test_proof_and_offset():
    """When all fits, the bytes begin there; the proof stays that of the whole file."""
    headers = {"ETag": '"a"', "Content-Range": "bytes 4-9/10"}
    with open_file(_source, _Web(_Reply(206, headers, b"456789")), offset=4, proof=PROOF) as stream:
        buffer = bytearray(9)
        assert 6 == stream.readinto(memoryview(buffer))
        assert (4, PROOF, None) == (stream.offset, stream.proof, stream.size)


def test_errors_of_the_line_stay_what_they_are():
    """A broken connection is one, unless the reader has broken off."""
    broken = _Reply(200, {}, broken=UnreachableError("broken"))
    with open_file(_source, _Web(broken)) as stream:
        assert stream.proof is None
        with pytest.raises(UnreachableError):
            stream.readinto(memoryview(bytearray(1)))


# -- The simulator


def test_old_codes_do_not_matter():
    """Every error that a code makes can be raised and shown."""
    for code in ("", "0", "abc", "600", "4o4"):
        assert isinstance(_rest_codes.failure_of(code, "", "/p"), CamsyncError)


def test_mp4_is_the_same_each_time():
    """The same footage gives the same bytes, so that ranges fit together, in both codecs."""
    pytest.importorskip("av")
    from camsync.testing.imou._rest_mp4 import etag, mp4

    with ImouSimulator(devices=2, hours=1, codec="mixed") as sim:
        clips = [next(one for one in sim.history(each.id) if one.seconds) for each in sim.devices]
    for clip in clips:
        first = mp4(clip.footage)
        mp4.cache_clear()
        assert first == mp4(clip.footage)
        assert b"ftyp" == first[4:8]
        assert etag(clip.footage).startswith('"')


def test_a_redirect_is_no_answer():
    """Where a service sends us somewhere else without saying where, it is not this surface."""
    with pytest.raises(ProtocolError, match="302"):
        _rest_codes.check_status(Answer(status=302, headers={}, body=b""), "/path")
