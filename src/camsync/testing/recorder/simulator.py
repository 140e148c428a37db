"""`RecorderSimulator`: a Hikvision recorder that exists only on this computer."""

from __future__ import annotations

import datetime as dt

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs

from camsync._time import UTC, ensure_aware, utcnow
from camsync._zone import DeviceZone
from camsync.errors import ConfigurationError, ProtocolError

from ._channels import ChannelSetup, layout
from ._device import Device, Slots
from ._digest import Door
from ._download import media_of
from ._dump import Dump, load
from ._faults import FAULTS, Faults
from ._personality import Personality, find
from ._router import Router
from ._server import Answered, Server, Traffic
from ._timeline import Plan, SimulatedRecording, Timeline
from ._tls import Identity, self_signed
from ._wire import http_date


def _zone(text: str) -> DeviceZone:
    try:
        return DeviceZone.parse(text)
    except ProtocolError as error:
        msg = f"not a recorder's time zone: {text!r}"
        raise ConfigurationError(msg, next_step="for example CST-8:00:00 for UTC+8") from error


def _checked(clock: Callable[[], dt.datetime]) -> Callable[[], dt.datetime]:
    return lambda: ensure_aware(clock(), "the clock").astimezone(UTC)


def _one_of(*allowed: str | None) -> Callable[[object, Any, str | None], None]:
    def check(_: object, attribute: Any, value: str | None) -> None:
        if value not in allowed:
            msg = f"{attribute.alias} must be one of {', '.join(map(str, allowed))}, not {value!r}"
            raise ConfigurationError(msg)

    return check


def _positive(_: object, attribute: Any, value: float | None) -> None:
    if value is not None and value <= 0:
        msg = f"{attribute.alias} must be positive, not {value}"
        raise ConfigurationError(msg)


class Observed:
    """What can be seen from outside of a simulated recorder: counters, states, addresses."""

    _device: Device
    _router: Router
    _traffic: Traffic
    _identity: Identity | None

    @property
    def requests(self) -> int:
        """HTTP requests answered, 401s included."""
        return self._traffic.requests

    @property
    def requests_log(self) -> tuple[Answered, ...]:
        """The last ten thousand requests as (method, path, status)."""
        return tuple(self._traffic.lines)

    @property
    def unauthorized(self) -> int:
        """Requests answered with 401, the ones without credentials included."""
        return self._router.unauthorized

    @property
    def logins_failed(self) -> int:
        """Logins that the device counts as failed."""
        return self._device.door.failed

    @property
    def locked(self) -> bool:
        """Whether the account is locked after failed logins."""
        return self._device.door.state().locked

    @property
    def downloads_active(self) -> int:
        """Downloads that are running, hanging ones included."""
        return self._device.downloads.active

    @property
    def bytes_sent(self) -> int:
        """Bytes of recordings handed to the network."""
        return self._traffic.bytes_sent

    @property
    def faults(self) -> Mapping[str, int | None]:
        """The faults that are on, with how many times they will still strike (None: always)."""
        return self._device.faults.snapshot()

    @property
    def fault_hits(self) -> Mapping[str, int]:
        """How often each fault has struck."""
        return self._device.faults.hits()

    @property
    def personality(self) -> Personality:
        """How the device behaves."""
        return self._device.who

    @property
    def certificate(self) -> str | None:
        """The self-signed certificate as PEM text, with ``tls=True``."""
        return None if self._identity is None else self._identity.certificate

    @property
    def fingerprint(self) -> str | None:
        """The certificate's ``sha256:`` fingerprint, with ``tls=True``."""
        return None if self._identity is None else self._identity.fingerprint


@attrs.define(kw_only=True, eq=False, repr=False)
class RecorderSimulator(Observed):
    """A simulated recorder: a real HTTP server with channels, recordings and video.

    Use it as a context manager, or call `start` and `stop`. It is a simulator: what it does follows
    captures of real devices where there are any, and documents and field reports where not; the
    reference page says which is which. It listens on loopback unless told otherwise.

    Args:
        model: A model of `PERSONALITIES`, or a `Personality` of your own.
        channels: How many channels; a camera has its own number, whatever is asked.
        hours: How far the recordings go back.
        host: The address to listen on.
        port: The port, or 0 for a free one.
        username: The only account.
        password: Its password.
        tls: Serve HTTPS with a new self-signed certificate (needs ``cryptography``).
        timezone: The device's zone in its own grammar, for example
            ``CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00``.
        z_means: ``local`` or ``utc``; None for the personality's.
        segment_seconds: The length of a recording, at least one second; fractions are rounded.
        gap_seconds: Time without recording between two; then none overlap.
        codec: ``h264``, ``h265``, or ``mixed`` (every other channel).
        audio: None, ``g711a`` or ``g711u``.
        bitrate: Bits a second, reached with padding packets; None for the video's own rate.
        failed_logins_allowed: The failed login that locks the account.
        lock_seconds: How long it stays locked.
        faults: Names of `FAULTS` that are on from the start.
        dump: A device dump (file or parsed JSON): its answers are played, and its channels recorded.
        clock: The device's clock, which must return aware datetimes.
        bandwidth: Bytes a second for each connection that downloads.
        total_bandwidth: Bytes a second for all of them together.
        max_downloads: Downloads at the same time; None for the personality's.
        page_cap: Items on a page of search; None for the personality's.
        seed: Another seed, another history.

    Raises:
        ConfigurationError: An argument is unusable.
        MissingExtraError: *tls* is wanted and ``cryptography`` is not installed.
    """

    FAULTS: ClassVar[Mapping[str, str]] = FAULTS

    _model: str | Personality = "DS-7616NI-K2"
    _channels: int = 4
    _hours: float = attrs.field(default=6.0, validator=_positive)
    host: str = "127.0.0.1"
    port: int = 0
    username: str = "admin"
    password: str = attrs.field(default="Simulator-1", repr=False)
    _tls: bool = False
    _timezone: str = "CST-8:00:00"
    _z_means: str | None = attrs.field(default=None, validator=_one_of(None, "local", "utc"))
    _segment_seconds: float = attrs.field(default=60.0, validator=_positive)
    _gap_seconds: float = 0.0
    _codec: str = attrs.field(default="h264", validator=_one_of("h264", "h265", "mixed"))
    _audio: str | None = attrs.field(default=None, validator=_one_of(None, "g711a", "g711u"))
    _bitrate: int | None = attrs.field(default=None, validator=_positive)
    _failed_logins_allowed: int = attrs.field(default=5, validator=_positive)
    _lock_seconds: float = attrs.field(default=1_800.0, validator=_positive)
    _faults: Iterable[str] = ()
    _dump: Path | str | Mapping[str, Any] | None = None
    _clock: Callable[[], dt.datetime] = utcnow
    _bandwidth: float | None = attrs.field(default=None, validator=_positive)
    _total_bandwidth: float | None = attrs.field(default=None, validator=_positive)
    _max_downloads: int | None = attrs.field(default=None, validator=_positive)
    _page_cap: int | None = attrs.field(default=None, validator=_positive)
    _seed: int = 0

    _wanted_port: int = attrs.field(init=False)
    _device: Device = attrs.field(init=False)
    _router: Router = attrs.field(init=False)
    _traffic: Traffic = attrs.field(init=False, factory=Traffic)
    _identity: Identity | None = attrs.field(init=False, default=None)
    _server: Server | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._wanted_port = self.port
        dump = load(self._dump) if self._dump is not None else None
        who, setups = self._cast(dump)
        self._device = self._build(who, setups, (dump and dump.zone) or _zone(self._timezone))
        if dump is not None:
            self._device.static = dump.static
        self._router = Router(self._device)
        if self._tls:
            self._identity = self_signed(self.host)

    def _cast(self, dump: Dump | None) -> tuple[Personality, tuple[ChannelSetup, ...]]:
        """Return who plays, and with which channels."""
        who = find(self._model)
        setups: tuple[ChannelSetup, ...] = ()
        if dump is not None:
            who, setups = dump.personality(who), dump.channels(self._codec)
        if self._page_cap is not None:
            who = attrs.evolve(who, page_cap=self._page_cap)
        return who, setups or layout(who, self._channels, self._codec)

    def _build(
        self, who: Personality, setups: tuple[ChannelSetup, ...], zone: DeviceZone
    ) -> Device:
        faults, clock = Faults(self._faults), _checked(self._clock)
        began = clock()
        door = Door(
            who,
            faults,
            username=self.username,
            password=self.password,
            clock=clock,
            allowed=self._failed_logins_allowed,
            lock_seconds=self._lock_seconds,
        )
        return Device(
            who=who,
            channels=setups,
            timeline=Timeline.of(self._plan(who, began), setups),
            zone=zone,
            z_means=self._z_means or who.z_means,
            clock=clock,
            faults=faults,
            door=door,
            searches=Slots(who.searches),
            downloads=Slots(self._max_downloads or who.downloads),
            started=began,
            host=self.host,
            tls=self._tls,
        )

    def _plan(self, who: Personality, began: dt.datetime) -> Plan:
        return Plan(
            # whole seconds: a wire that knows no smaller ones could not name a file otherwise
            origin=began.replace(microsecond=0) - dt.timedelta(seconds=round(self._hours * 3600)),
            length=max(round(self._segment_seconds), 1),
            gap=max(round(self._gap_seconds), 0),
            seed=self._seed,
            who=who,
            audio=self._audio,
            bitrate=self._bitrate,
        )

    # -- Life -------------------------------------------------------------------------------------

    def start(self) -> RecorderSimulator:
        """Listen, and serve in the background. Returns itself.

        Raises:
            ConfigurationError: It runs already, or the port cannot be had.
        """
        if self._server is not None:
            msg = "this simulator runs already"
            raise ConfigurationError(msg)
        device = self._device
        device.stopped.clear()
        try:
            server = self._listen(device)
        except OSError as error:
            msg = f"nothing can listen on {self.host}:{self._wanted_port}: {error.strerror}"
            hint = "use another port, or 0 for a free one"
            raise ConfigurationError(msg, next_step=hint) from error
        self.port = device.port = server.server_port
        self._server = server
        server.start()
        return self

    def _listen(self, device: Device) -> Server:
        identity = self._identity
        return Server(
            (self.host, self._wanted_port),
            answer=self._router.answer,
            date=lambda: http_date(device.zone, device.clock()),
            stopped=device.stopped,
            traffic=self._traffic,
            name=device.who.server,
            context=(lambda: identity.serving(device.faults)) if identity is not None else None,
            bandwidth=self._bandwidth,
            total_bandwidth=self._total_bandwidth,
        )

    def stop(self) -> None:
        """Break all connections and end all threads. Does nothing when it does not run."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> RecorderSimulator:  # noqa: PYI034 - Self needs Python 3.11
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self._server is not None else "stopped"
        return f"<RecorderSimulator {self._device.who.model} at {self.url}, {state}>"

    @property
    def url(self) -> str:
        """The address for HTTP clients: ``http://127.0.0.1:8080``."""
        return f"http{'s' if self._identity is not None else ''}://{self.host}:{self.port}"

    @property
    def connect_url(self) -> str:
        """The address for `camsync.connect`: ``hikvision://admin@127.0.0.1:8080``."""
        scheme = "hikvisions" if self._identity is not None else "hikvision"
        return f"{scheme}://{self.username}@{self.host}:{self.port}"

    # -- Trouble ----------------------------------------------------------------------------------

    def enable(self, fault: str, times: int | None = None) -> None:
        """Switch a fault of `FAULTS` on, until `disable` or for the next *times* only.

        Raises:
            ConfigurationError: There is no such fault, or it cannot be on for *times*.
        """
        self._device.faults.enable(fault, times)

    def disable(self, fault: str) -> None:
        """Switch a fault off; it need not be on."""
        self._device.faults.disable(fault)

    def unlock(self) -> None:
        """Lift the lock of the account, as the administrator would at the recorder's screen."""
        self._device.door.unlock()

    def reset_counters(self) -> None:
        """Set all counters and the request log back; a lock stays."""
        self._traffic.reset()
        self._router.unauthorized = self._device.door.failed = 0
        self._device.faults.forget_hits()

    # -- The truth --------------------------------------------------------------------------------

    def recordings(self, channel: int | None = None) -> list[SimulatedRecording]:
        """Return what is recorded now, of one channel or of all, track by track, oldest first."""
        everything = self._device.timeline.everything(self._device.clock())
        return [item for item in everything if channel in (None, item.channel)]

    def content(self, recording: SimulatedRecording) -> Iterator[bytes]:
        """Yield exactly the bytes that a download of *recording* gives, in good order."""
        return iter(media_of(self._device, recording))
