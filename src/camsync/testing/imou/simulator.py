"""`ImouSimulator`: the Imou cloud with its cameras, on this computer only."""

from __future__ import annotations

import datetime as dt

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs

from camsync.errors import ConfigurationError

from .._simulated import Simulated, one_of, positive
from ..recorder._server import Server
from ._cast import KINDS, Defaults, SimulatedDevice, Zone, cast
from ._cloud import HOSTS, Clock, Cloud, Settings, Tokens
from ._dump import load, write
from ._faults import FAULTS, ImouFaults
from ._footage import Footage
from ._history import Plan, SimulatedClip
from ._hls import Playbacks
from ._openapi import OpenAPI
from ._rest import Gateway
from ._router import Router, Surface
from ._ts import START


SURFACES: Final[tuple[Callable[[Cloud], Surface], ...]] = (
    OpenAPI,
    lambda cloud: cloud.playbacks,
)
"""What makes the parts of the service; another protocol is another entry."""


@attrs.frozen(kw_only=True)
class Expected:
    """What a download of a clip must contain.

    Attributes:
        codec: ``h264`` or ``h265``.
        frames: Number of pictures.
        seconds: Duration.
        first_pts: Presentation time of the first picture, in ticks of 90 kHz.
        size: Bytes of all segments, unencrypted.
        segments: How many there are.
    """

    codec: str
    frames: int
    seconds: int
    first_pts: int
    size: int
    segments: int


@attrs.define(kw_only=True, eq=False, repr=False)
class ImouSimulator(Simulated):
    """The simulated Imou cloud: a real HTTP server with an account, cameras, recordings and video.

    Use it as a context manager, or call `start` and `stop`. It is a simulator: what it does follows
    captures where there are any, and documents and field reports where not; the reference page says
    which is which. It listens on loopback unless told otherwise.

    Args:
        app_id: The only application.
        app_secret: Its secret.
        devices: How many cameras; or their kinds, see `KINDS`; or `SimulatedDevice` values; or a
            device dump (a path, or the parsed JSON).
        hours: How far the recordings go back.
        segment_seconds: The length of a clip on a card, at least one second; fractions are rounded.
            Clips in the cloud are as long or a little shorter, with as long a pause between them.
        hls_seconds: The length of a segment of HLS.
        sign: Which signature is accepted: ``md5``, ``hmac`` or ``both``.
        timezone: The zone of all cameras, or a mapping from device id to zone: ``+08:00``,
            ``Europe/Berlin``, or a ``tzinfo``.
        codec: ``h264``, ``h265``, or ``mixed`` (every other device).
        region: The host code of the data centre that this is: ``sg``, ``fk``, ``or`` or ``cn``.
        token_seconds: How long a token lives.
        url_seconds: How long a playback URL lives.
        quota: Calls until everything is answered with OP1013; None for no end.
        licences: Devices that may be used; the others are answered with FL1001.
        faults: What is on from the start: names of `FAULTS`; ``code:XX1234``, which answers every
            call with that result code; or ``code:XX1234@method``, which answers one method with it.
        clock: The service's clock, which must return aware datetimes.
        bandwidth: Bytes of media a second for each connection.
        seed: Other serial numbers, another history.
        tls: Serve HTTPS with a new self-signed certificate (needs ``cryptography``).
        host: The address to listen on.
        port: The port, or 0 for a free one.

    Raises:
        ConfigurationError: An argument is unusable.
    """

    FAULTS: ClassVar[Mapping[str, str]] = FAULTS
    KINDS: ClassVar[Mapping[str, str]] = KINDS

    app_id: str = "lcsimulator0000001"
    app_secret: str = "simulated-app-secret-01"  # noqa: S105 - it opens nothing but this simulator
    _devices: int | str | Path | Mapping[str, Any] | Iterable[str | SimulatedDevice] = 3
    _hls_seconds: float = attrs.field(default=4.0, validator=positive)
    _sign: str = attrs.field(default="both", validator=one_of("md5", "hmac", "both"))
    _timezone: Zone | Mapping[str, Zone] = "+08:00"
    _region: str = attrs.field(default="sg", validator=one_of(*HOSTS))
    _token_seconds: float = attrs.field(default=259_200.0, validator=positive)
    _url_seconds: float = attrs.field(default=300.0, validator=positive)
    _quota: int | None = attrs.field(default=None, validator=positive)
    _licences: int | None = attrs.field(default=None, validator=positive)

    _cloud: Cloud = attrs.field(init=False)
    gateway: Gateway = attrs.field(init=False)
    """The gateway of an integration plan, on the same port: its faults, tokens and files."""
    _router: Router = attrs.field(init=False)

    def _build(self) -> None:
        self._cloud = self._made()
        self.gateway = Gateway(self._cloud)
        surfaces = [make(self._cloud) for make in SURFACES]
        self._router = Router(self._cloud.faults, [*surfaces, *self.gateway.surfaces()])

    def _made(self) -> Cloud:
        faults, clock = ImouFaults(self._faults), Clock(self._now)
        began = clock() - dt.timedelta(hours=self._hours)
        settings = self._settings()
        return Cloud(
            settings=settings,
            devices=self._cast(),
            plan=Plan(
                origin=began.replace(microsecond=0),
                length=max(round(self._segment_seconds), 1),
                seed=self._seed,
                region=f"{self._region}-region-01",
            ),
            clock=clock,
            faults=faults,
            tokens=Tokens(clock, self._token_seconds, self._seed),
            playbacks=Playbacks(
                clock,
                faults,
                seconds=self._url_seconds,
                longest=settings.hls_seconds,
                seed=self._seed,
            ),
        )

    def _settings(self) -> Settings:
        return Settings(
            app_id=self.app_id,
            app_secret=self.app_secret,
            sign=self._sign,
            region=self._region,
            quota=self._quota,
            licences=self._licences,
            hls_seconds=max(round(self._hls_seconds), 1),
        )

    def _cast(self) -> tuple[SimulatedDevice, ...]:
        defaults = Defaults(seed=self._seed, codec=self._codec, zone=self._timezone)
        if isinstance(self._devices, str | Path | Mapping):
            return cast(load(self._devices, defaults), defaults)
        return cast(self._devices, defaults)

    @property
    def _switches(self) -> ImouFaults:
        return self._cloud.faults

    def _listen(self) -> Server:
        identity, cloud = self._identity, self._cloud
        cloud.stopped.clear()
        return Server(
            (self.host, self._wanted_port),
            answer=self._router.answer,
            date=lambda: format_datetime(cloud.clock(), usegmt=True),
            stopped=cloud.stopped,
            traffic=self._traffic,
            context=(lambda: identity.context) if identity is not None else None,
            bandwidth=self._bandwidth,
        )

    def _reached(self) -> None:
        self._cloud.base_url = self._cloud.playbacks.base_url = self.base_url

    def __repr__(self) -> str:
        return f"<ImouSimulator with {len(self.devices)} devices at {self.base_url}, {self._state}>"

    # -- What can be seen from outside ------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The address for clients: ``http://127.0.0.1:8080``; calls go to ``/openapi/``."""
        return self._address

    @property
    def devices(self) -> tuple[SimulatedDevice, ...]:
        """The account's devices, in the order in which they are listed."""
        return self._cloud.devices

    @property
    def calls(self) -> Counter[str]:
        """Calls of the Open Platform by method, refused ones included."""
        return Counter(self._cloud.calls)

    @property
    def logins(self) -> int:
        """Answered calls of accessToken."""
        return self._cloud.logins

    @property
    def tokens_issued(self) -> int:
        """Different tokens given out."""
        return self._cloud.tokens.issued

    # -- Trouble ----------------------------------------------------------------------------------

    def expire_token(self) -> None:
        """Let every token expire that was given out."""
        self._cloud.tokens.expire()

    def advance(self, seconds: float) -> None:
        """Put the service's clock forward; cameras go on recording."""
        self._cloud.clock.advance(seconds)

    def set_online(self, device: str, online: bool) -> None:  # noqa: FBT001 - says itself
        """Let a device come online, or go offline.

        Raises:
            ConfigurationError: There is no such device.
        """
        self._cloud.set_state(self._device(device), "online" if online else "offline")

    def put_to_sleep(self, device: str) -> None:
        """Let a device fall asleep; ``wakeUpDevice`` wakes those that have a battery.

        Raises:
            ConfigurationError: There is no such device.
        """
        self._cloud.set_state(self._device(device), "sleep")

    def _device(self, number: str) -> SimulatedDevice:
        found = self._cloud.device(number)
        if found is None:
            msg = f"the simulated account has no device {number!r}"
            raise ConfigurationError(msg)
        return found

    def reset_counters(self) -> None:
        """Set all counters and the request log back; what was used of the quota stays used."""
        super().reset_counters()
        self._cloud.reset_counters()

    # -- The truth --------------------------------------------------------------------------------

    def history(self, device: str | None = None) -> list[SimulatedClip]:
        """Return what is recorded now, of one device or of all, oldest first in each storage."""
        return list(self._cloud.everything(device))

    def content(self, clip: SimulatedClip) -> Iterator[bytes]:
        """Yield the segments that a download of *clip* gives, decrypted and in order."""
        return (piece.data() for piece in self._pieces(clip.footage))

    def expected(self, clip: SimulatedClip) -> Expected:
        """Return what a download of *clip* must contain."""
        pieces = self._pieces(clip.footage)
        return Expected(
            codec=clip.codec,
            frames=clip.footage.frames,
            seconds=clip.seconds,
            first_pts=START,
            size=clip.size,
            segments=len(pieces),
        )

    def _pieces(self, footage: Footage) -> tuple[Any, ...]:
        return footage.cut(self._cloud.settings.hls_seconds)

    def dump(self) -> dict[str, Any]:
        """Return a device dump of the account, which another simulator plays."""
        return write(self._cloud)
