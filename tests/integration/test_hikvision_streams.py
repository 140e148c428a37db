"""The bytes of a recording, from recorders that lie about them, hang, and give up."""

from __future__ import annotations

import hashlib
import socket
import threading
import time

from collections.abc import Iterator

import attrs
import pytest

from camsync import (
    AuthenticationError,
    CamsyncError,
    CancelledError,
    ConfigurationError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceTimeoutError,
    DownloadUnsupportedError,
    HikvisionISAPI,
    ProtocolError,
    Recording,
    RetryPolicy,
    ShortReadError,
    TimeSpan,
    UnreachableError,
    UnsupportedError,
)
from camsync.testing import RecorderSimulator


@pytest.fixture
def _short_grace(monkeypatch):
    """Wait a tenth as long for bytes behind the end that nobody has announced."""
    monkeypatch.setattr("camsync.providers.hikvision._download._GRACE", 0.3)


@pytest.fixture
def simulator() -> Iterator[RecorderSimulator]:
    """Play a recorder with short recordings."""
    with RecorderSimulator(channels=1, hours=0.2, segment_seconds=20) as simulator:
        yield simulator


@pytest.fixture
def provider(simulator: RecorderSimulator) -> Iterator[HikvisionISAPI]:
    """Return a provider with little patience."""
    with _open(simulator) as provider:
        yield provider


def _open(
    simulator: RecorderSimulator, read_timeout: float = 1.0, time_mode: str = "local"
) -> HikvisionISAPI:
    return HikvisionISAPI(
        simulator.host,
        simulator.username,
        simulator.password,
        port=simulator.port,
        time_mode=time_mode,  # type: ignore[arg-type]
        timeout=(2.0, read_timeout),
        retry=RetryPolicy(attempts=1),
    )


def _first(provider: HikvisionISAPI) -> Recording:
    return next(provider.search(provider.channels()[0], TimeSpan.last(hours=1)))


def _read(provider: HikvisionISAPI, recording: Recording) -> bytes:
    content = bytearray()
    buffer = memoryview(bytearray(1 << 16))
    with provider.open(recording) as stream:
        while count := stream.readinto(buffer):
            content += buffer[:count]
    return bytes(content)


def _truth(simulator: RecorderSimulator, recording: Recording) -> str:
    (same,) = [one for one in simulator.recordings(1) if one.name == recording.key.item]
    digest = hashlib.sha256()
    for piece in simulator.content(same):
        digest.update(piece)
    return digest.hexdigest()


def test_the_bytes_are_the_recorders(simulator, provider):
    """Byte for byte what the recorder holds, in the announced number."""
    recording = _first(provider)

    content = _read(provider, recording)

    assert hashlib.sha256(content).hexdigest() == _truth(simulator, recording)
    assert len(content) == recording.size
    assert content.startswith(b"IMKH")


@pytest.mark.parametrize("fault", ["length-missing", "length-zero", "length-short", "length-long"])
def test_wrong_lengths_lose_nothing(simulator, provider, fault):
    """Whatever Content-Length says, all announced bytes arrive."""
    recording = _first(provider)
    simulator.enable(fault)

    assert hashlib.sha256(_read(provider, recording)).hexdigest() == _truth(simulator, recording)


@pytest.mark.usefixtures("_short_grace")
@pytest.mark.parametrize("fault", ["length-missing", "length-zero", None])
def test_a_connection_that_stays_open_at_the_end(simulator, provider, fault):
    """At 100 % reading stops, with or without a length, long before the read timeout."""
    recording = _first(provider)
    simulator.enable("hang-at-end")
    if fault:
        simulator.enable(fault)
    with _open(simulator, read_timeout=30.0) as patient:
        begun = time.monotonic()
        content = _read(patient, recording)

    assert hashlib.sha256(content).hexdigest() == _truth(simulator, recording)
    assert time.monotonic() - begun < 15


@pytest.mark.usefixtures("_short_grace")
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("hang-at-start", (DeviceTimeoutError,)),
        ("hang-in-middle", (DeviceTimeoutError,)),
        ("drop-after-headers", (ShortReadError,)),
        ("drop-in-middle", (ShortReadError, UnreachableError)),
        ("truncate-file", (ShortReadError,)),
        ("send-nothing", (ShortReadError,)),
        ("busy-503", (DeviceBusyError,)),
        ("busy-403", (DeviceBusyError,)),
        ("error-500", (DeviceFaultError,)),
        ("xml-error-200", (CamsyncError,)),
        ("reset-connection", (UnreachableError,)),
    ],
)
def test_what_goes_wrong_has_a_name(simulator, provider, fault, kinds):
    """Each failure is the right typed error, and all of these are worth another try."""
    recording = _first(provider)
    simulator.enable(fault)

    with pytest.raises(kinds) as caught:
        _read(provider, recording)

    assert caught.value.retryable or fault == "xml-error-200"
    assert caught.value.next_step
    simulator.disable(fault)
    assert len(_read(provider, recording)) == recording.size


def test_retry_after_is_kept(simulator, provider):
    """A busy device's wish is handed on to whoever retries."""
    recording = _first(provider)
    simulator.enable("busy-503-retry-after")

    with pytest.raises(DeviceBusyError) as caught:
        _read(provider, recording)

    assert caught.value.retry_after == 1.0


def test_a_web_page_instead_of_footage(simulator, provider):
    """What is no recorder is named."""
    recording = _first(provider)
    simulator.enable("html-404")

    with pytest.raises(DownloadUnsupportedError, match="404"):
        _read(provider, recording)


def test_get_when_post_is_refused():
    """A camera that takes only GET is asked again that way, once, and remembered."""
    with (
        RecorderSimulator(model="DS-2CD2185FWD-I", hours=0.2, segment_seconds=20) as simulator,
        _open(simulator, time_mode="utc") as provider,
    ):
        channel = provider.channels()[0]
        recordings = list(provider.search(channel, TimeSpan.last(hours=1)))[:2]
        for recording in recordings:
            assert len(_read(provider, recording)) == recording.size
        verbs = [line.method for line in simulator.requests_log if "download" in line.path]

    assert verbs == ["POST", "GET", "GET"]


def test_aborting_from_another_thread(simulator, provider):
    """A blocked read ends soon after abort."""
    recording = _first(provider)
    simulator.enable("hang-in-middle")
    with _open(simulator, read_timeout=30.0) as patient, patient.open(recording) as stream:
        timer = threading.Timer(0.3, stream.abort)
        timer.start()
        buffer = memoryview(bytearray(1 << 20))
        begun = time.monotonic()
        with pytest.raises(CamsyncError):
            sum(iter(lambda: stream.readinto(buffer), 0))
        timer.join()

    assert time.monotonic() - begun < 10


def _cancelled(provider: HikvisionISAPI, recording: Recording) -> float:
    """Cancel the opening after a moment and return how long it took all the same."""
    cancel = threading.Event()
    timer = threading.Timer(0.3, cancel.set)
    begun = time.monotonic()
    timer.start()
    with pytest.raises(CancelledError), provider.open(recording, cancel=cancel):
        pass
    timer.join()
    return time.monotonic() - begun


def test_cancelling_the_wait_for_the_first_byte(simulator, provider):
    """A device that sends headers and then nothing is left soon after cancel is set."""
    recording = _first(provider)
    simulator.enable("hang-at-start")

    with _open(simulator, read_timeout=30.0) as patient:
        assert _cancelled(patient, recording) < 10


def test_cancelling_the_wait_for_an_answer(provider):
    """A device that accepts and stays silent is left soon after cancel is set."""
    recording = _first(provider)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with HikvisionISAPI("127.0.0.1", "admin", "x", port=port, timeout=(2, 30)) as patient:
            assert _cancelled(patient, recording) < 10


def test_connections_are_kept_for_the_next_recording(simulator, provider):
    """Reading to the end leaves the connection usable, so files cost one request each."""
    recordings = list(provider.search(provider.channels()[0], TimeSpan.last(hours=1)))[:3]
    simulator.reset_counters()
    for recording in recordings:
        _read(provider, recording)

    assert simulator.requests == len(recordings)


def test_a_recording_without_uri_is_refused(provider):
    """A recording from somewhere else is named before anything is sent."""
    recording = attrs.evolve(_first(provider), raw={})

    with pytest.raises(ConfigurationError, match="playback URI"), provider.open(recording):
        pass


def test_a_stream_tells_its_state(provider):
    """The repr counts bytes."""
    recording = _first(provider)
    with provider.open(recording) as stream:
        assert repr(stream) == f"<IsapiStream 4096 of {recording.size} bytes>"


def test_not_xml_and_huge_answers(simulator, provider):
    """A search answered with a web page, or without end, is one typed error."""
    channel = provider.channels()[0]
    provider.clock()
    for fault in ("not-xml-search", "huge-xml"):
        simulator.enable(fault)
        with pytest.raises(ProtocolError):
            list(provider.search(channel, TimeSpan.last(hours=1)))
        simulator.disable(fault)


@pytest.mark.parametrize("fault", ["redirect-https", "redirect-elsewhere"])
def test_redirects_are_not_followed(simulator, provider, fault):
    """The login never travels to where a redirect points."""
    simulator.enable(fault)

    with pytest.raises(UnreachableError, match="redirects") as caught:
        provider.devices()

    assert ("https=True" in str(caught.value)) == (fault == "redirect-https")


def test_nobody_at_home():
    """A closed port and a dead host are unreachable, with a next step."""
    with RecorderSimulator(channels=1) as simulator:
        port = simulator.port
    with (
        HikvisionISAPI("127.0.0.1", "admin", "x", port=port, retry=RetryPolicy(attempts=1)) as gone,
        pytest.raises(UnreachableError, match="cannot be reached") as caught,
    ):
        gone.devices()

    assert caught.value.next_step


def test_a_download_may_be_the_first_request(simulator, provider):
    """A worker that is handed a recording logs in with the download itself."""
    recording = _first(provider)
    simulator.reset_counters()
    cancel = threading.Event()
    with _open(simulator) as worker, worker.open(recording, cancel=cancel) as stream:
        assert stream.readinto(memoryview(bytearray(100))) == 100

    assert simulator.requests == 3, "a login, a look at whose recorder it is, and the footage"
    assert simulator.unauthorized == 1


def test_a_wrong_password_is_final_for_downloads_too(simulator, provider):
    """The bulk path shares the login: one failed login, then silence."""
    recording = _first(provider)
    with HikvisionISAPI(simulator.host, "admin", "wrong", port=simulator.port) as wrong:
        for cancel in (threading.Event(), None, None):
            with pytest.raises(AuthenticationError), wrong.open(recording, cancel=cancel):
                pass

    assert simulator.logins_failed == 1


def test_a_recorder_that_was_restarted(simulator, provider):
    """A kept connection that has died is replaced without an error."""
    recording = _first(provider)
    _read(provider, recording)
    port = simulator.port
    simulator.stop()
    with RecorderSimulator(
        channels=1, hours=0.2, segment_seconds=20, port=port, clock=lambda: recording.end
    ) as again:
        assert again.port == port
        with pytest.raises(CamsyncError) as caught:
            _read(provider, recording)

    assert not isinstance(caught.value, UnreachableError)


def test_no_verb_is_accepted(simulator, provider):
    """A device that refuses both verbs does not hand out footage, and says why."""
    recording = _first(provider)
    refused = UnsupportedError("no", vendor_code="4", vendor_sub_code="methodNotAllowed")

    def stream(*_: object, **__: object) -> None:
        raise refused

    provider._client.stream = stream  # type: ignore[method-assign, assignment]
    with pytest.raises(DownloadUnsupportedError) as caught, provider.open(recording):
        pass

    assert caught.value.vendor_sub_code == "methodNotAllowed"


def test_a_document_that_is_no_error_message():
    """HTML with status 200 instead of footage is a protocol error, not a file."""
    with (
        RecorderSimulator(channels=1, hours=0.2, segment_seconds=20) as simulator,
        _open(simulator) as provider,
    ):
        recording = _first(provider)
        reply = _Page(b"<html>log in first</html>")
        provider._client.stream = lambda *_, **__: reply  # type: ignore[method-assign, assignment]
        with pytest.raises(ProtocolError, match="a document"), provider.open(recording):
            pass

    assert reply.closed


class _Page:
    """A reply with a small document."""

    status = 200
    headers: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.declared = len(body)
        self.closed = False

    def ignore_length(self) -> None:
        pass

    def wait(self, seconds: float) -> None:
        pass

    def readinto(self, view: memoryview) -> int:
        piece, self.body = self.body[: len(view)], self.body[len(view) :]
        view[: len(piece)] = piece
        return len(piece)

    def abort(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class _Nothing(_Page):
    """A reply that announces nothing and keeps silent; then comes what was not announced."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.declared = 0
        self.patience: list[float] = []

    def wait(self, seconds: float) -> None:
        self.patience.append(seconds)

    def readinto(self, view: memoryview) -> int:
        if not self.body:
            msg = "silence"
            raise DeviceTimeoutError(msg)
        return super().readinto(view)


def test_nothing_is_believed_after_a_moment(monkeypatch, provider):
    """Behind Content-Length: 0 nothing may come: the whole timeout is not spent on it."""
    recording = _first(provider)
    reply = _Nothing(b"")
    provider._client.stream = lambda *_, **__: reply  # type: ignore[method-assign, assignment]
    monkeypatch.setattr("camsync.providers.hikvision._download._GRACE", 0.5)

    with pytest.raises(ShortReadError, match="sent nothing"), provider.open(recording):
        pass
    assert [0.5] == reply.patience
    assert reply.closed


def test_what_comes_all_the_same_is_waited_for_as_ever(provider):
    """Content-Length: 0 may be a lie: once it has shown to be one, silence is what it always is."""
    recording = attrs.evolve(_first(provider), size=1000)
    reply = _Nothing(b"IMKH" + b"x" * 100)
    provider._client.stream = lambda *_, **__: reply  # type: ignore[method-assign, assignment]
    buffer = memoryview(bytearray(1 << 16))

    with provider.open(recording) as stream:
        assert 104 == stream.readinto(buffer)
        with pytest.raises(DeviceTimeoutError):
            stream.readinto(buffer)
    assert [1.0, 1.0] == reply.patience  # no longer than the timeout either


def test_footage_without_end_is_cut_off(provider):
    """Far more than was announced is no recording: one file must not fill the disk."""
    recording = attrs.evolve(_first(provider), size=1000)
    reply = _Page(b"IMKH" + b"x" * (17 << 20))
    reply.declared = None
    provider._client.stream = lambda *_, **__: reply  # type: ignore[method-assign, assignment]
    buffer = memoryview(bytearray(1 << 20))

    with provider.open(recording) as stream, pytest.raises(ProtocolError, match="far more"):
        sum(iter(lambda: stream.readinto(buffer), 0))
