"""The account and its cameras: everything that an answer depends on."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from . import _codes
from ._cast import SimulatedChannel, SimulatedDevice
from ._faults import ImouFaults
from ._history import CLOUD, SD, Plan, SimulatedClip, Track, Window


if TYPE_CHECKING:
    from ._hls import Playbacks


_NONCE_SECONDS = 300
_KEPT = 32
"""Searches that are remembered."""
HOSTS: Mapping[str, str] = {
    "sg": "openapi-sg.easy4ip.com",
    "fk": "openapi-fk.easy4ip.com",
    "or": "openapi-or.easy4ip.com",
    "cn": "openapi.lechange.cn",
}
"""The vendor's data centres by host code."""


class Refused(Exception):  # noqa: N818 - not an error: the service's answer
    """Ends the handling of a call with a result code; it never leaves the simulator."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Clock:
    """The service's clock, which can be put forward."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ahead = dt.timedelta(0)

    def __call__(self) -> dt.datetime:
        """Return the time."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        with self._lock:
            self._ahead += dt.timedelta(seconds=seconds)


class Tokens:
    """Access tokens: the same one is given out until it has expired."""

    def __init__(self, clock: Clock, seconds: float, seed: int) -> None:
        self._clock = clock
        self._life = dt.timedelta(seconds=seconds)
        self._seed = seed
        self._lock = threading.Lock()
        self._ends: dict[str, dt.datetime] = {}
        self._newest = ""
        self.issued = 0

    def current(self, *, new: bool = False) -> tuple[str, int]:
        """Return the token and how many seconds it has left, making one if need be."""
        with self._lock:
            if new or not self._good(self._newest):
                self.issued += 1
                digest = hashlib.sha256(f"token {self._seed} {self.issued}".encode()).hexdigest()
                self._newest = f"At_{digest[:32]}"
                self._ends[self._newest] = self._clock() + self._life
            left = self._ends[self._newest] - self._clock()
            return self._newest, int(left.total_seconds())

    def good(self, token: object) -> bool:
        """Whether a token was given out here and has not expired."""
        with self._lock:
            return self._good(token)

    def _good(self, token: object) -> bool:
        return isinstance(token, str) and token in self._ends and self._clock() < self._ends[token]

    def expire(self) -> None:
        """Let all tokens expire now."""
        with self._lock:
            self._ends.clear()


class Nonces:
    """The nonces of the last five minutes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._order: deque[tuple[dt.datetime, str]] = deque()

    def fresh(self, nonce: str, now: dt.datetime) -> bool:
        """Whether a nonce is new; it is remembered."""
        with self._lock:
            while self._order and (now - self._order[0][0]).total_seconds() > _NONCE_SECONDS:
                self._seen.discard(self._order.popleft()[1])
            if nonce in self._seen:
                return False
            self._seen.add(nonce)
            self._order.append((now, nonce))
            return True


@attrs.frozen(kw_only=True)
class Settings:
    """What does not change while the simulator runs."""

    app_id: str
    app_secret: str = attrs.field(repr=False)
    sign: str
    region: str
    quota: int | None
    licences: int | None
    hls_seconds: int


@attrs.define(kw_only=True, eq=False)
class Cloud:
    """The simulated service behind every surface."""

    settings: Settings
    devices: tuple[SimulatedDevice, ...]
    plan: Plan
    clock: Clock
    faults: ImouFaults
    tokens: Tokens
    playbacks: Playbacks
    nonces: Nonces = attrs.field(factory=Nonces)
    calls: Counter[str] = attrs.field(factory=Counter)
    logins: int = 0
    stopped: threading.Event = attrs.field(factory=threading.Event)
    base_url: str = ""
    _states: dict[str, str] = attrs.field(init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _billed: int = 0
    _found: dict[Any, tuple[SimulatedClip, ...]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._states = {device.id: device.status for device in self.devices}

    # -- Calls ------------------------------------------------------------------------------------

    def called(self, method: str) -> None:
        """Count a call."""
        with self._lock:
            self.calls[method] += 1

    def logged_in(self) -> None:
        """Count an answered accessToken."""
        with self._lock:
            self.logins += 1

    def reset_counters(self) -> None:
        """Set the counts back; what was billed stays billed."""
        with self._lock:
            self.calls.clear()
            self.logins = 0

    def bill(self) -> None:
        """Take a call from the quota.

        Raises:
            Refused: There is nothing left.
        """
        quota = self.settings.quota
        with self._lock:
            if quota is not None and self._billed >= quota:
                raise Refused(_codes.QUOTA)
            self._billed += 1

    # -- Devices ----------------------------------------------------------------------------------

    def device(self, number: str) -> SimulatedDevice | None:
        """Return the device with that id, or None."""
        return next((device for device in self.devices if device.id == number), None)

    def licensed(self, device: SimulatedDevice) -> bool:
        """Whether the account's licences reach for this device: they go by the order of devices."""
        most = self.settings.licences
        return most is None or device in self.devices[:most]

    def state(self, device: SimulatedDevice) -> str:
        """Return ``online``, ``offline``, ``sleep`` or ``upgrading``."""
        return self._states[device.id]

    def set_state(self, device: SimulatedDevice, state: str) -> None:
        """Change it."""
        self._states[device.id] = state

    # -- Recordings -------------------------------------------------------------------------------

    def track(self, device: SimulatedDevice, channel: SimulatedChannel, storage: str) -> Track:
        """Return the clips of a channel in ``cloud`` or ``sd``."""
        place = self.devices.index(device) * 100 + device.channels.index(channel)
        return Track(plan=self.plan, device=device, channel=channel, storage=storage, place=place)

    def recorded(self, device: SimulatedDevice, storage: str) -> bool:
        """Whether there is anything in that storage."""
        return device.plan == "using" if storage == CLOUD else device.card == "normal"

    def clips(
        self, device: SimulatedDevice, channel: SimulatedChannel, storage: str, window: Window
    ) -> Sequence[SimulatedClip]:
        """Return the clips that a search of this window finds, in the order of recording."""
        if not self.recorded(device, storage):
            return ()
        whole = self.faults.take("begins-within")
        # Pages of a search come one after the other, and the past does not change any more.
        late = window.moments(device.zone)[1] + dt.timedelta(seconds=self.plan.length)
        now = min(self.clock().replace(microsecond=0), late)
        key = (device.id, channel.id, storage, window, whole, now)
        with self._lock:
            found = self._found.pop(key, None)
        if found is None:
            track = self.track(device, channel, storage)
            found = tuple(track.window(now, window, whole=whole))
        with self._lock:
            self._found[key] = found
            while len(self._found) > _KEPT:
                del self._found[next(iter(self._found))]
        return found

    def everything(self, number: str | None = None) -> Iterator[SimulatedClip]:
        """Yield every clip, of one device or of all: channel by channel, the cloud first."""
        now = self.clock()
        for device in self.devices:
            if number not in (None, device.id):
                continue
            for channel in device.channels:
                for storage in (CLOUD, SD):
                    if self.recorded(device, storage):
                        track = self.track(device, channel, storage)
                        yield from track.clips(now, self.plan.origin, now)
