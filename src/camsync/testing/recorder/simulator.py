"""`RecorderSimulator`: a Hikvision recorder that exists only on this computer."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs

from camsync._zone import DeviceZone
from camsync.errors import ConfigurationError, ProtocolError

from .._simulated import Simulated, one_of, positive
from ._channels import ChannelSetup, layout
from ._device import Device, Slots
from ._digest import Door
from ._download import media_of
from ._dump import Dump, load
from ._faults import FAULTS, Faults
from ._personality import Personality, find
from ._router import Router
from ._server import Server
from ._timeline import Plan, SimulatedRecording, Timeline
from ._wire import http_date


def _zone(text: str) -> DeviceZone:
    try:
        return DeviceZone.parse(text)
    except ProtocolError as error:
        msg = f"not a recorder's time zone: {text!r}"
        raise ConfigurationError(msg, next_step="for example CST-8:00:00 for UTC+8") from error


@attrs.define(kw_only=True, eq=False, repr=False)
class RecorderSimulator(Simulated):
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
    username: str = "admin"
    password: str = attrs.field(default="Simulator-1", repr=False)
    _timezone: str = "CST-8:00:00"
    _z_means: str | None = attrs.field(default=None, validator=one_of(None, "local", "utc"))
    _gap_seconds: float = 0.0
    _audio: str | None = attrs.field(default=None, validator=one_of(None, "g711a", "g711u"))
    _bitrate: int | None = attrs.field(default=None, validator=positive)
    _failed_logins_allowed: int = attrs.field(default=5, validator=positive)
    _lock_seconds: float = attrs.field(default=1_800.0, validator=positive)
    _dump: Path | str | Mapping[str, Any] | None = None
    _total_bandwidth: float | None = attrs.field(default=None, validator=positive)
    _max_downloads: int | None = attrs.field(default=None, validator=positive)
    _page_cap: int | None = attrs.field(default=None, validator=positive)

    _device: Device = attrs.field(init=False)
    _router: Router = attrs.field(init=False)

    def _build(self) -> None:
        dump = load(self._dump) if self._dump is not None else None
        who, setups = self._cast(dump)
        self._device = self._made(who, setups, (dump and dump.zone) or _zone(self._timezone))
        if dump is not None:
            self._device.static = dump.static
        self._router = Router(self._device)

    def _cast(self, dump: Dump | None) -> tuple[Personality, tuple[ChannelSetup, ...]]:
        """Return who plays, and with which channels."""
        who = find(self._model)
        setups: tuple[ChannelSetup, ...] = ()
        if dump is not None:
            who, setups = dump.personality(who), dump.channels(self._codec)
        if self._page_cap is not None:
            who = attrs.evolve(who, page_cap=self._page_cap)
        return who, setups or layout(who, self._channels, self._codec)

    def _made(self, who: Personality, setups: tuple[ChannelSetup, ...], zone: DeviceZone) -> Device:
        faults, clock = Faults(self._faults), self._now
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

    @property
    def _switches(self) -> Faults:
        return self._device.faults

    def _listen(self) -> Server:
        identity, device = self._identity, self._device
        device.stopped.clear()
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

    def _reached(self) -> None:
        self._device.port = self.port

    def __repr__(self) -> str:
        return f"<RecorderSimulator {self._device.who.model} at {self.url}, {self._state}>"

    # -- What can be seen from outside ------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address for HTTP clients: ``http://127.0.0.1:8080``."""
        return self._address

    @property
    def connect_url(self) -> str:
        """The address for `camsync.connect`: ``hikvision://admin@127.0.0.1:8080``."""
        scheme = "hikvisions" if self._identity is not None else "hikvision"
        return f"{scheme}://{self.username}@{self.host}:{self.port}"

    @property
    def fingerprint(self) -> str | None:
        """The certificate's ``sha256:`` fingerprint, with ``tls=True``."""
        return None if self._identity is None else self._identity.fingerprint

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
    def personality(self) -> Personality:
        """How the device behaves."""
        return self._device.who

    def unlock(self) -> None:
        """Lift the lock of the account, as the administrator would at the recorder's screen."""
        self._device.door.unlock()

    def reset_counters(self) -> None:
        """Set all counters and the request log back; a lock stays."""
        super().reset_counters()
        self._router.unauthorized = self._device.door.failed = 0

    # -- The truth --------------------------------------------------------------------------------

    def recordings(self, channel: int | None = None) -> list[SimulatedRecording]:
        """Return what is recorded now, of one channel or of all, track by track, oldest first."""
        everything = self._device.timeline.everything(self._device.clock())
        return [item for item in everything if channel in (None, item.channel)]

    def content(self, recording: SimulatedRecording) -> Iterator[bytes]:
        """Yield exactly the bytes that a download of *recording* gives, in good order."""
        return iter(media_of(self._device, recording))
