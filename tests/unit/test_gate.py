from __future__ import annotations

import contextlib
import copy
import datetime as dt
import gc
import threading
import time

import pytest

from camsync import (
    AuthenticationError,
    CancelledError,
    Capability,
    ChannelId,
    ConfigurationError,
    DestinationError,
    DeviceBusyError,
    DeviceId,
    DeviceTimeoutError,
    Recording,
    RecordingKey,
    TimeSpan,
    UnreachableError,
)
from camsync.download import Limiter
from camsync.provider import Provider
from camsync.sync import _gate, _turns
from camsync.sync._gate import Gate, Gated


START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=dt.timezone.utc)
RECORDING = Recording(
    key=RecordingKey(
        provider="fake", device=DeviceId("D"), channel=ChannelId("1"), start=START, item="a"
    ),
    channel_name="",
    start=START,
    end=START + dt.timedelta(minutes=1),
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Look twenty times as often, so that tests do not wait."""
    monkeypatch.setattr(_turns, "_LOOK", 0.0125)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Stream:
    """The open bytes of a recording."""

    container, size, offset = "mpeg-ps", 1000, 0

    def __init__(self, error=None):
        self.error = error
        self.aborted = False

    def readinto(self, buffer):
        if self.error is not None:
            raise self.error
        return len(buffer)

    def abort(self):
        self.aborted = True


class Device:
    """A provider that can be told how to answer; plans are one for each call of `open`."""

    name = "fake"
    capabilities = Capability.DOWNLOAD
    extra = "its own"

    def __init__(self, *plans):
        self.plans = list(plans)
        self.calls = []
        self.open_streams = 0
        self.searching = self.searched_at_once = 0
        self.closed = False

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        self.calls.append((recording, offset, cancel))
        plan = self.plans.pop(0) if self.plans else Stream()
        if isinstance(plan, BaseException):
            raise plan
        self.open_streams += 1
        try:
            yield plan
        finally:
            self.open_streams -= 1

    def search(self, channel, span, *, kinds=None):
        self.searching += 1
        self.searched_at_once = max(self.searching, self.searched_at_once)
        try:
            for number in range(3):
                time.sleep(0.001)
                yield (channel, span, kinds, number)
        finally:
            self.searching -= 1

    def devices(self):
        return ["device"]

    def channels(self, device=None):
        return ["channel", device]

    def storage(self, device=None):
        return ["disk", device]

    def close(self):
        self.closed = True


def in_thread(function, *args, **options):
    """Run in a thread of its own; the list that comes back gets the result or the error."""
    results = []

    def run():
        try:
            results.append(function(*args, **options))
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def until(condition):
    """Wait for something that another thread does."""
    for _ in range(4000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError


# -- Turns


@pytest.mark.parametrize(
    "options", [{"cap": 0}, {"minimum": 0}, {"minimum": 9}, {"start": 0}, {"ceiling": 0}]
)
def test_numbers_that_make_no_sense(options):
    """They are refused before anything is asked."""
    with pytest.raises(ConfigurationError, match="makes no sense"):
        Gate(**options)


def test_places_are_given_in_order():
    """Who came first goes first, except who was sent back."""
    gate = Gate(cap=1)
    held = gate.take()
    order, threads = [], []

    def wait(name, *, first=False):
        slot = gate.take(first=first)
        order.append(name)
        gate.give_back(slot)

    for number, name in enumerate("abc", 1):
        threads.append(in_thread(wait, name)[0])
        until(lambda: gate.figures.waiting == number)  # noqa: B023 - it is over when it returns
    threads.append(in_thread(wait, "refused", first=True)[0])
    until(lambda: gate.figures.waiting == 4)
    gate.give_back(held)
    for thread in threads:
        thread.join(20)

    assert ["refused", "a", "b", "c"] == order
    assert (0, 0) == (gate.figures.streams, gate.figures.waiting)


def test_waiting_for_a_place_can_be_cancelled():
    """Whoever is cancelled leaves the queue, and a place that is free is not taken either."""
    gate, cancel = Gate(cap=1), threading.Event()
    held = gate.take()
    thread, results = in_thread(gate.take, cancel)
    until(lambda: gate.figures.waiting == 1)
    cancel.set()
    thread.join(20)

    assert [CancelledError] == list(map(type, results))
    assert 0 == gate.figures.waiting
    gate.give_back(held)
    with pytest.raises(CancelledError):
        gate.take(cancel)
    assert 0 == gate.figures.streams


def test_a_dead_thread_gives_its_place_back():
    """Even when it never came to say so."""
    gate = Gate(cap=1)
    thread, results = in_thread(gate.take)
    thread.join(20)

    assert 1 == gate.figures.streams
    assert gate.take() is not results[0]
    gate.give_back(results[0])
    assert 1 == gate.figures.streams


def test_giving_back_twice_is_fine():
    """The second time frees nobody else's place."""
    gate = Gate(cap=1)
    first = gate.take()
    gate.give_back(first)
    gate.take()
    gate.give_back(first)

    assert 1 == gate.figures.streams


def test_bytes_let_the_number_rise():
    """The one who reads opens the place for the one who waits."""
    clock = Clock()
    gate = Gate(cap=3, start=1, clock=clock)
    gate.opened(gate.take())
    thread, results = in_thread(gate.take)
    until(lambda: gate.figures.waiting == 1)
    clock.now += 2.0
    gate.moved(4000)
    thread.join(20)

    assert 1 == len(results)
    figures = gate.figures
    assert (2, 4000, 2000.0, 1) == (figures.limit, figures.bytes, figures.rate, figures.opened)


def test_bytes_that_are_held_back_do_not():
    """A limit of our own is no sign of what the device can do."""
    clock = Clock()
    gate = Gate(cap=3, start=1, clock=clock)
    gate.opened(gate.take())
    clock.now += 2.0
    gate.moved(4000, throttled=True)

    assert 1 == gate.figures.limit


@pytest.mark.parametrize(
    ("asked", "expected"), [(None, 1.0), (0.5, 1.0), (20.0, 20.0), (7200.0, 60.0)]
)
def test_a_refused_device_is_left_alone(asked, expected):
    """For as long as it asks, within reason; nobody gets a place until then."""
    clock = Clock()
    gate = Gate(clock=clock)
    gate.refused(gate.take(), asked)
    thread, results = in_thread(gate.take)
    until(lambda: gate.figures.waiting == 1)
    clock.now = expected - 0.01
    time.sleep(0.05)
    assert [] == results
    clock.now = expected
    thread.join(20)

    assert 1 == len(results)
    assert 1 == gate.figures.refused


def test_a_restart_is_one_incident():
    """All streams break at once: the number is halved once, not once for each."""
    gate = Gate(cap=8, start=8)
    slots = [gate.take() for _ in range(8)]
    for slot in slots:
        gate.opened(slot)
    for slot in slots:
        gate.broke(slot)

    assert (4, 7, 8) == (gate.figures.limit, gate.figures.ceiling, gate.figures.broken)
    for slot in slots:
        gate.give_back(slot)
    slots = [gate.take() for _ in range(4)]
    gate.broke(slots[0])
    assert 2 == gate.figures.limit


def test_repr_shows_how_it_stands():
    """For logs and debuggers."""
    gate = Gate()
    gate.take()

    assert "<Gate 1 of 2 streams, 0 waiting>" == repr(gate)


# -- One search at a time


def test_searches_take_turns():
    """No device is asked for two at once."""
    device = Device()
    gated = Gated(device, Gate())
    span = TimeSpan(START, START + dt.timedelta(hours=1))
    pairs = [in_thread(lambda: list(gated.search("c", span, kinds=["k"]))) for _ in range(6)]
    for thread, _ in pairs:
        thread.join(20)

    assert 1 == device.searched_at_once
    assert [[("c", span, ["k"], number) for number in range(3)]] == pairs[0][1]
    assert all(len(results[0]) == 3 for _, results in pairs)


def test_a_search_within_a_search_does_not_wait_for_itself():
    """One thread never asks at the same time as itself."""
    gated = Gated(Device(), Gate())
    outer = gated.search("a", None)
    next(outer)

    assert 3 == len(list(gated.search("b", None)))
    thread, results = in_thread(lambda: list(gated.search("c", None)))
    assert 2 == len(list(outer))
    thread.join(20)
    assert 3 == len(results[0])


def test_a_search_that_is_given_up_ends():
    """What is not read to its end holds nobody up."""
    gated = Gated(Device(), Gate())
    begun = gated.search("a", None)
    next(begun)
    del begun
    gc.collect()
    thread, results = in_thread(lambda: list(gated.search("b", None)))
    thread.join(20)

    assert 3 == len(results[0])


def test_a_search_of_a_dead_thread_ends():
    """A generator that outlives its thread holds nobody up, and does no harm when it goes on."""
    gated = Gated(Device(), Gate())
    kept = gated.search("a", None)
    thread, results = in_thread(next, kept)
    thread.join(20)
    other = gated.search("b", None)

    assert 1 == len(results)
    next(other)
    assert 2 == len(list(kept))
    assert 2 == len(list(other))


# -- Streams through the gate


def test_stream_is_the_providers_own():
    """Its facts and bytes pass through; its place is taken while it is open."""
    device, cancel = Device(), threading.Event()
    gated = Gated(device, Gate())
    with gated.open(RECORDING, offset=7, cancel=cancel) as stream:
        assert ("mpeg-ps", 1000, 0) == (stream.container, stream.size, stream.offset)
        assert 10 == stream.readinto(memoryview(bytearray(10)))
        assert (1, 1, 10) == (
            gated.gate.figures.streams,
            gated.gate.figures.opened,
            gated.gate.figures.bytes,
        )

    assert [(RECORDING, 7, cancel)] == device.calls
    assert (0, 0) == (gated.gate.figures.streams, device.open_streams)


def test_stream_can_be_broken_off():
    """From another thread; and what then breaks is no fault of the device."""
    inner = Stream()
    gated = Gated(Device(inner), Gate())
    with gated.open(RECORDING) as stream:
        stream.abort()
        inner.error = UnreachableError("broke")
        with pytest.raises(UnreachableError):
            stream.readinto(memoryview(bytearray(10)))

    assert inner.aborted
    assert 0 == gated.gate.figures.broken


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (UnreachableError("reset"), 1),
        (DeviceTimeoutError("silent"), 1),
        (DeviceBusyError("enough"), 1),
        (AuthenticationError("refused"), 0),
        (ValueError("a bug"), 0),
    ],
)
@pytest.mark.parametrize("when", ["open", "read"])
def test_what_breaks_is_told_to_the_gate(error, broken, when):
    """Once for a stream, and only what has to do with the number of streams."""
    gated = Gated(Device(error if when == "open" else Stream(error)), Gate())
    if when == "open" and isinstance(error, DeviceBusyError):
        error.retryable = False
        broken = 0

    with contextlib.suppress(type(error)), gated.open(RECORDING) as stream:
        for _ in range(2):
            with pytest.raises(type(error)):
                stream.readinto(memoryview(bytearray(10)))
        assert when == "read"

    assert broken == gated.gate.figures.broken
    assert 0 == gated.gate.figures.streams


def test_errors_of_the_caller_are_no_news_for_the_gate():
    """A full disk says nothing about the device."""
    gated = Gated(Device(), Gate())
    with pytest.raises(OSError, match="full"), gated.open(RECORDING):
        raise OSError("full")  # noqa: EM101

    assert (0, 0) == (gated.gate.figures.broken, gated.gate.figures.streams)


def test_what_is_checked_when_a_turn_comes_spares_the_device():
    """The turn is given back, and the device is not asked."""
    gone = DestinationError("the disk is gone")

    def check():
        raise gone

    device = Device()
    gated = Gated(device, Gate(), check=check)
    with pytest.raises(DestinationError), gated.open(RECORDING):
        pytest.fail("there is no stream")

    assert [] == device.calls
    assert (0, 0, 0) == (
        gated.gate.figures.opened,
        gated.gate.figures.broken,
        gated.gate.figures.streams,
    )


def busy(**options):
    """Return what a device says that has no room."""
    return DeviceBusyError("no room", **options)


class Impatient(Gate):
    """A gate whose clock runs on when somebody waits."""

    def __init__(self, **options):
        self.clock = Clock()
        super().__init__(clock=self.clock, **options)
        real = self._changed.wait

        def wait(seconds):
            self.clock.now += 5.0
            return real(0.0001)

        self._changed.wait = wait


def test_a_refused_stream_is_tried_again():
    """Here, so that the recording does not pay for it; in the end there is a stream."""
    device = Device(busy(), busy(retry_after=30.0), busy())
    gated = Gated(device, Impatient())
    with gated.open(RECORDING) as stream:
        assert 10 == stream.readinto(memoryview(bytearray(10)))

    assert 4 == len(device.calls)
    assert (3, 1) == (gated.gate.figures.refused, gated.gate.figures.opened)
    assert gated.gate.clock.now >= 30


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (busy(), 1 + _gate._PATIENCE),
        (busy(retry_after=3600.0), 1),
        (busy(retryable=False), 1),
    ],
)
def test_patience_has_an_end(monkeypatch, error, calls):
    """A device that always refuses, asks for an hour, or means it, is not asked for ever."""
    monkeypatch.setattr(_turns, "HOPELESS", 1e9)
    device = Device(*[error] * 20)
    with pytest.raises(DeviceBusyError), Gated(device, Impatient()).open(RECORDING):
        pytest.fail("there is no stream")

    assert calls == len(device.calls)


def test_a_device_that_refuses_for_minutes_is_left_alone():
    """All who wait hear of it, and nothing more is sent."""
    device = Device(*[busy(retry_after=50.0)] * 20)
    gated = Gated(device, Impatient())
    with (
        pytest.raises(DeviceBusyError, match="every download for 2 minutes"),
        gated.open(RECORDING),
    ):
        pytest.fail("there is no stream")
    asked = len(device.calls)
    with pytest.raises(DeviceBusyError, match="every download"), gated.open(RECORDING):
        pytest.fail("there is no stream")

    assert asked == len(device.calls) < 6


def test_waiting_for_a_busy_device_can_be_cancelled():
    """The wait is the gate's, and it looks at the token."""
    cancel = threading.Event()
    device = Device(busy(retry_after=50.0))
    thread, results = in_thread(
        lambda: Gated(device, Gate()).open(RECORDING, cancel=cancel).__enter__()
    )
    until(lambda: device.calls)
    cancel.set()
    thread.join(20)

    assert [CancelledError] == list(map(type, results))


def test_waiting_is_measured_for_each_thread():
    """The engine does not take it for the device's silence."""
    gated = Gated(Device(), Gate(cap=1))
    with gated.open(RECORDING):
        before = gated.waited()

        def other():
            with gated.open(RECORDING):
                return gated.waited()

        thread, results = in_thread(other)
        until(lambda: gated.gate.figures.waiting == 1)
        time.sleep(0.01)
    thread.join(20)

    assert results[0] >= 0.01
    assert before == gated.waited()


def test_the_limiter_holds_bytes_back():
    """Each read pays for its bytes, and the gate knows that they were held back."""
    taken = []

    class Counting(Limiter):
        def take(self, count, cancel=None):
            taken.append(count)
            assert not cancel.is_set()
            return True

    gated = Gated(Device(), Gate(), Counting())
    with gated.open(RECORDING) as stream:
        stream.readinto(memoryview(bytearray(10)))
        stream.readinto(memoryview(bytearray(0)))

    assert [10] == taken
    assert gated.gate._level._window.throttled


@pytest.mark.parametrize("how", ["cancel", "abort"])
def test_held_back_bytes_can_be_cancelled(how):
    """By the caller's token, or by whoever breaks the stream off."""
    cancel = threading.Event()
    gated = Gated(Device(), Gate(), Limiter(1.0))
    with gated.open(RECORDING, cancel=cancel) as stream:
        thread, results = in_thread(stream.readinto, memoryview(bytearray(1000)))
        until(lambda: gated._limiter._asked)
        cancel.set() if how == "cancel" else stream.abort()
        thread.join(20)

    assert [CancelledError] == list(map(type, results))


def test_everything_else_is_the_providers():
    """It can be used wherever the provider can."""
    device = Device()
    with Gated(device, Gate()) as gated:
        provider: Provider = gated
        assert ("fake", "its own") == (provider.name, gated.extra)
        assert Capability.DOWNLOAD is provider.capabilities
        assert (["device"], ["channel", 1], ["disk", 2]) == (
            provider.devices(),
            provider.channels(1),
            provider.storage(2),
        )
        assert repr(device) in repr(gated)
        assert repr(gated.gate) in repr(gated)
        with pytest.raises(AttributeError):
            _ = gated.nothing
        with pytest.raises(AttributeError):
            _ = gated._nothing
        with pytest.raises(AttributeError):
            copy.copy(Gated.__new__(Gated)).provider  # noqa: B018

    assert device.closed


def test_many_threads_share_what_the_device_can_do():
    """Never more streams than it takes for long, and every recording gets its bytes."""
    lock, open_now, most, refused = threading.Lock(), set(), [0], [0]

    class Three(Device):
        @contextlib.contextmanager
        def open(self, recording, *, offset=0, cancel=None):
            me = object()
            with lock:
                if len(open_now) >= 3:
                    refused[0] += 1
                    raise busy()
                open_now.add(me)
                most[0] = max(most[0], len(open_now))
            try:
                yield Stream()
            finally:
                with lock:
                    open_now.discard(me)

    clock = Clock()
    gated = Gated(Three(), Gate(clock=clock))

    def fetch():
        for _ in range(20):
            with gated.open(RECORDING) as stream:
                for _ in range(5):
                    clock.now += 0.05
                    stream.readinto(memoryview(bytearray(10)))
        return True

    pairs = [in_thread(fetch) for _ in range(8)]
    for thread, _ in pairs:
        thread.join(30)

    assert [[True]] * 8 == [results for _, results in pairs]
    assert 8 * 20 * 5 * 10 == gated.gate.figures.bytes
    assert refused[0] == gated.gate.figures.refused
    assert most[0] <= 3
