"""The ISAPI verbs on a scripted transport: documents, errors, refusals, what is optional."""

from __future__ import annotations

import datetime as dt
import logging

from collections.abc import Callable

import attrs
import pytest

from camsync import (
    AccountLockedError,
    AuthenticationError,
    DeviceBusyError,
    DeviceFaultError,
    ProtocolError,
    RetryPolicy,
    Secret,
    TimeSpan,
    UnreachableError,
)
from camsync._time import UTC, DeviceClock, ZMeaning
from camsync.models import DeviceKind
from camsync.providers.hikvision._client import IsapiClient
from camsync.providers.hikvision._search import Searcher
from camsync.transport import Address, Answer
from camsync.transport._login import Login


STATUS = (
    b"<ResponseStatus><statusCode>%s</statusCode><subStatusCode>%s</subStatusCode></ResponseStatus>"
)
LOCKED = b"<userCheck><lockStatus>lock</lockStatus><unlockTime>60</unlockTime></userCheck>"


@attrs.define
class Scripted:
    """A transport that answers from a list and remembers what it was asked."""

    answers: list[Answer | Exception]
    asked: list[tuple[str, str, bool]] = attrs.field(factory=list)
    login: Login = attrs.field(factory=lambda: Login("admin", Secret("pw")))
    address: Address = attrs.field(factory=lambda: Address.of("127.0.0.1"))

    def request(
        self, method: str, path: str, body: bytes | None = None, *, anonymous: bool = False
    ) -> Answer:
        self.asked.append((method, path, anonymous))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _answer(status: int, body: bytes = b"<a/>") -> Answer:
    return Answer(status=status, headers={}, body=body)


def _client(*answers: Answer | Exception, attempts: int = 3) -> tuple[IsapiClient, Scripted]:
    transport = Scripted(list(answers))
    retry = RetryPolicy(attempts=attempts, initial=0)
    return IsapiClient(transport, retry), transport  # type: ignore[arg-type]


def test_a_document_is_fetched_below_isapi():
    """Paths are relative to /ISAPI/."""
    client, transport = _client(_answer(200, b"<DeviceInfo/>"))

    assert client.get("System/deviceInfo").tag == "DeviceInfo"
    assert transport.asked == [("GET", "/ISAPI/System/deviceInfo", False)]


def test_connection_trouble_is_tried_again(caplog):
    """A broken connection and a busy device get another try, and the log says so."""
    busy = _answer(503, STATUS % (b"2", b"deviceBusy"))
    client, transport = _client(UnreachableError("gone"), busy, _answer(200))
    with caplog.at_level(logging.WARNING, "camsync"):
        client.get("x")

    assert len(transport.asked) == 3
    assert "retrying x" in caplog.text


def test_tries_end():
    """After the last try the error is the device's own."""
    client, transport = _client(*[_answer(503)] * 3)

    with pytest.raises(DeviceBusyError):
        client.get("x")
    assert len(transport.asked) == 3


def test_an_answer_that_breaks_off_is_tried_again():
    """It was not the device's last word; one that is nonsense to its end is."""
    cut = attrs.evolve(_answer(200, b"<DeviceInfo><mo"), missing=100)
    client, transport = _client(cut, _answer(200, b"<DeviceInfo/>"), _answer(200, b"<Device"))

    assert client.get("x").tag == "DeviceInfo"
    assert len(transport.asked) == 2
    with pytest.raises(ProtocolError):
        client.get("x")
    assert len(transport.asked) == 3


@attrs.define
class _Reply:
    """An answer that is still on the wire."""

    body: bytes
    declared: int | None
    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)
    closed: bool = False

    def read(self) -> bytes:
        return self.body

    def abort(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


@attrs.define
class _Streaming:
    """A transport with one such answer."""

    reply: _Reply
    address: Address = attrs.field(factory=lambda: Address.of("127.0.0.1"))

    def stream(self, *_: object, **__: object) -> _Reply:
        return self.reply


@pytest.mark.parametrize(
    ("body", "declared", "kind"),
    [
        (b"<a", 9, UnreachableError),
        (b"<a", 2, ProtocolError),
        (b"<a", None, ProtocolError),
        (b"<html/>", 7, ProtocolError),
        (STATUS % (b"3", b"deviceError"), 9, DeviceFaultError),
    ],
)
def test_a_question_that_can_be_cancelled_is_read_alike(
    body: bytes, declared: int | None, kind: type[Exception]
):
    """An answer that breaks off is trouble with the connection there, too."""
    reply = _Reply(body, declared)
    client = IsapiClient(_Streaming(reply), RetryPolicy(attempts=1))  # type: ignore[arg-type]

    with pytest.raises(kind):
        client.get_unless("x", None)
    assert reply.closed


def test_a_web_page_is_no_device_without_channels():
    """A login page of the network answers everything with 200."""
    client, transport = _client(_answer(200, b"<html><body>Log in</body></html>"))

    with pytest.raises(ProtocolError, match="is a web page"):
        client.get("System/Video/inputs/channels")
    assert len(transport.asked) == 1


def test_an_error_with_status_200_is_an_error():
    """A ResponseStatus that reports failure is raised, one that reports success is a document."""
    client, _ = _client(
        _answer(200, STATUS % (b"3", b"deviceError")),
        _answer(200, STATUS % (b"1", b"ok")),
        attempts=1,
    )

    with pytest.raises(DeviceFaultError):
        client.get("x")
    assert client.get("x").tag == "ResponseStatus"


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_optional_documents_may_be_missing(status: int):
    """What a device does not have is None, however it says so."""
    client, _ = _client(_answer(status), attempts=1)

    assert client.get_optional("x") is None


@pytest.mark.parametrize("error", [UnreachableError("gone"), AuthenticationError("no")])
def test_optional_does_not_mean_whatever(error: Exception):
    """A lost connection or a refused login is never taken for a missing document."""
    client, _ = _client(error, attempts=1)

    with pytest.raises(type(error)):
        client.get_optional("x")


def test_a_refusal_is_explained_by_its_body():
    """The lock state in the 401 itself saves a request."""
    client, transport = _client(_answer(401, LOCKED))

    with pytest.raises(AccountLockedError):
        client.get("x")
    assert len(transport.asked) == 1
    with pytest.raises(AccountLockedError):
        transport.login.check()


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (_answer(401, LOCKED), AccountLockedError),
        (_answer(404, b"<html>"), AuthenticationError),
        (UnreachableError("gone"), AuthenticationError),
    ],
)
def test_a_bare_refusal_asks_for_the_lock_state(second: Answer | Exception, kind: type[Exception]):
    """Without details the lock state is asked for, without a login; no answer is no obstacle."""
    client, transport = _client(_answer(401, b"<html>"), second)

    with pytest.raises(kind) as caught:
        client.get("x")
    assert type(caught.value) is kind
    assert transport.asked[1] == ("GET", "/ISAPI/Security/userCheck", True)


def test_the_lock_state_may_be_unknown():
    """A device that does not tell is a typed error."""
    client, _ = _client(_answer(200, b"nothing"))

    with pytest.raises(ProtocolError, match="lock state"):
        client.login_state()


def test_the_wire_log_is_off_unless_asked(caplog):
    """Bodies are logged only by camsync.wire at DEBUG, and never a login."""
    client, _ = _client(_answer(200, b"<a>b</a>"), _answer(200, b"<a>b</a>"))
    with caplog.at_level(logging.DEBUG, "camsync"):
        client.call("POST", "x", b"<q/>")
    (record,) = [record for record in caplog.records if record.name == "camsync.wire"]

    assert record.camsync_request == "<q/>"  # type: ignore[attr-defined]
    assert record.camsync_answer == "<a>b</a>"  # type: ignore[attr-defined]
    with caplog.at_level(logging.INFO, "camsync.wire"):
        caplog.clear()
        client.get("x")
    assert caplog.records == []


def _searcher(
    *answers: Answer | Exception, kind: DeviceKind = DeviceKind.NVR
) -> tuple[Searcher, Scripted]:
    client, transport = _client(*answers, attempts=1)
    return Searcher(client, lambda: kind), transport


def _page(*names: str, more: bool = False, track: str = "101") -> Answer:
    items = "".join(
        f"<searchMatchItem><trackID>{track}</trackID><timeSpan><startTime>2026-01-01T00:00:00Z"
        f"</startTime><endTime>2026-01-01T00:01:00Z</endTime></timeSpan><mediaSegmentDescriptor>"
        f"<playbackURI>rtsp://h/?name={name}</playbackURI></mediaSegmentDescriptor></searchMatchItem>"
        for name in names
    )
    status = "MORE" if more else "OK"
    return _answer(
        200,
        f"<CMSearchResult><responseStatusStrg>{status}</responseStatusStrg><matchList>{items}"
        "</matchList></CMSearchResult>".encode(),
    )


def _names(searcher: Searcher, track: str = "101") -> list[str]:
    return [match.name for match in searcher.matches(track, "a", "b")]


def test_the_second_dialect_wins_and_stays():
    """A form that is refused is not tried again once another has worked."""
    searcher, transport = _searcher(_answer(400), _page("1"), _page("2"))

    assert _names(searcher) == ["1"]
    assert searcher.dialect is not None
    assert searcher.dialect.list_tag == "trackIDList"
    assert _names(searcher) == ["2"]
    assert len(transport.asked) == 3


def test_a_dialect_that_stops_working_is_forgotten():
    """After a firmware update the search learns anew."""
    searcher, _ = _searcher(_page("1"), _answer(400), _answer(400), _page("2"))

    assert _names(searcher) == ["1"]
    assert _names(searcher) == ["2"]


def test_no_dialect_works():
    """The error is the device's answer to the most common form, or that it answers off topic."""
    searcher, _ = _searcher(*[_answer(400)] * 8)
    with pytest.raises(Exception, match="HTTP 400"):
        _names(searcher)
    searcher, _ = _searcher(_answer(400), *[_page("1", track="101")] * 7)
    with pytest.raises(ProtocolError, match="asked for track 201"):
        _names(searcher, "201")


def test_pages_that_repeat_themselves_end():
    """A device that gives page one for ever does not keep us."""
    searcher, transport = _searcher(*[_page("1", "2", more=True)] * 3)

    assert _names(searcher) == ["1", "2"]
    assert len(transport.asked) == 2


def test_pages_without_end_are_given_up(monkeypatch):
    """Thousands of pages of new items are no recorder."""
    monkeypatch.setattr("camsync.providers.hikvision._search._MOST_PAGES", 3)
    searcher, _ = _searcher(*[_page(str(number), more=True) for number in range(3)])

    with pytest.raises(ProtocolError, match="does not end"):
        _names(searcher)


def _nothing(sub_code: bytes, kind: DeviceKind) -> list[str]:
    body = STATUS % (b"4", sub_code)
    searcher, _ = _searcher(_answer(403, body), _answer(403, body), kind=kind)
    return _names(searcher)


def test_nothing_found_as_an_error():
    """SearchNull is nothing found; invalidOperation only from a camera."""
    assert _nothing(b"searchNull", DeviceKind.NVR) == []
    assert _nothing(b"invalidOperation", DeviceKind.CAMERA) == []
    with pytest.raises(DeviceBusyError):
        _nothing(b"invalidOperation", DeviceKind.NVR)


def test_the_calendar_needs_days():
    """A calendar without a list is an error; impossible days are left out."""
    day = "<day><dayOfMonth>{}</dayOfMonth><record>true</record></day>"
    days = "<d><dayList>" + "".join(day.format(one) for one in (0, 3, 31)) + "</dayList></d>"
    searcher, _ = _searcher(_answer(200, b"<d/>"), _answer(200, days.encode()))

    with pytest.raises(ProtocolError, match="list of days"):
        searcher.days("101", 2026, 2)
    assert [one.day for one in searcher.days("101", 2026, 2)] == [3]


def test_callables_are_asked_late():
    """What kind of device it is, is asked only when it matters."""
    asked: list[int] = []

    def kind() -> DeviceKind:
        asked.append(1)
        return DeviceKind.NVR

    client, _ = _client(_page("1"), attempts=1)
    wanted: Callable[[], DeviceKind] = kind

    assert [match.name for match in Searcher(client, wanted).matches("101", "a", "b")] == ["1"]
    assert asked == []


def test_pieces_without_a_calendar():
    """A device that fails on a day and has no calendar is asked for the day in pieces."""
    day = TimeSpan(dt.datetime(2026, 1, 1, tzinfo=UTC), dt.datetime(2026, 1, 2, tzinfo=UTC))
    clock = DeviceClock(zone=UTC, z_means=ZMeaning.LOCAL)
    pages = [_page(str(number)) for number in range(4)]
    searcher, transport = _searcher(_answer(500), _answer(404), *pages)

    windows = list(searcher.windows("101", day, clock))

    assert [match.name for _, matches in windows for match in matches] == ["0", "1", "2", "3"]
    assert [window.duration.total_seconds() for window, _ in windows] == [6 * 3600] * 4
    assert len(transport.asked) == 6


def test_a_narrow_window_that_fails_is_an_error():
    """Below a quarter of an hour there is nothing left to split."""
    start = dt.datetime(2026, 1, 1, tzinfo=UTC)
    clock = DeviceClock(zone=UTC, z_means=ZMeaning.LOCAL)
    searcher, _ = _searcher(_answer(500))

    with pytest.raises(DeviceFaultError):
        list(searcher.windows("101", TimeSpan(start, start + dt.timedelta(minutes=15)), clock))


def test_an_empty_answer_is_confirmed_with_the_other_tag():
    """A device that does not know the list tag finds nothing; the other one finds it."""
    searcher, transport = _searcher(_page(), _page("1", track="201"), _page(track="201"))

    assert _names(searcher, "201") == ["1"]
    assert searcher.dialect is not None
    assert searcher.dialect.list_tag == "trackIDList"
    assert _names(searcher, "201") == []
    assert len(transport.asked) == 3, "once proven, an empty answer is believed"


def test_nothing_found_twice_is_nothing():
    """Neither tag finds anything, or the other one is refused: there is nothing."""
    searcher, _ = _searcher(_page(), _page(), _page(), _answer(400))

    assert _names(searcher) == []
    assert _names(searcher) == []


def test_the_first_track_proves_no_dialect():
    """A device that ignores the list answers for track 101, so that hit proves nothing."""
    searcher, transport = _searcher(_page("1"), _page(), _page("2", track="201"))

    assert _names(searcher) == ["1"]
    assert _names(searcher, "201") == ["2"]
    assert len(transport.asked) == 3
