"""What all simulators have in common: the life of a server, its faults, its counters."""

from __future__ import annotations

import abc
import datetime as dt

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

import attrs

from camsync._time import UTC, ensure_aware, utcnow
from camsync.errors import ConfigurationError

from .recorder._faults import Faults
from .recorder._server import Answered, Server, Traffic
from .recorder._tls import Identity, self_signed


_S = TypeVar("_S", bound="Simulated")


def one_of(*allowed: str | None) -> Callable[[object, Any, str | None], None]:
    """Return a validator that lets only these values through."""

    def check(_: object, attribute: Any, value: str | None) -> None:
        if value not in allowed:
            msg = f"{attribute.alias} must be one of {', '.join(map(str, allowed))}, not {value!r}"
            raise ConfigurationError(msg)

    return check


def positive(_: object, attribute: Any, value: float | None) -> None:
    """Refuse numbers that are not positive."""
    if value is not None and value <= 0:
        msg = f"{attribute.alias} must be positive, not {value}"
        raise ConfigurationError(msg)


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class Simulated(abc.ABC):
    """A server on this computer that plays a device or a service."""

    FAULTS: ClassVar[Mapping[str, str]]

    host: str = "127.0.0.1"
    port: int = 0
    _hours: float = attrs.field(default=6.0, validator=positive)
    _segment_seconds: float = attrs.field(default=60.0, validator=positive)
    _codec: str = attrs.field(default="h264", validator=one_of("h264", "h265", "mixed"))
    _faults: Iterable[str] = ()
    _clock: Callable[[], dt.datetime] = utcnow
    _bandwidth: float | None = attrs.field(default=None, validator=positive)
    _seed: int = 0
    _tls: bool = False

    _wanted_port: int = attrs.field(init=False)
    _traffic: Traffic = attrs.field(init=False, factory=Traffic)
    _identity: Identity | None = attrs.field(init=False, default=None)
    _server: Server | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._wanted_port = self.port
        self._build()
        if self._tls:
            self._identity = self_signed(self.host)

    @abc.abstractmethod
    def _build(self) -> None:
        """Make the parts of what is played."""

    @property
    @abc.abstractmethod
    def _switches(self) -> Faults:
        """The faults, which are switched on and off."""

    @abc.abstractmethod
    def _listen(self) -> Server:
        """Bind the port and return the server, which does not answer yet."""

    @abc.abstractmethod
    def _reached(self) -> None:
        """Tell the parts under which address they are reached."""

    def _now(self) -> dt.datetime:
        return ensure_aware(self._clock(), "the clock").astimezone(UTC)

    # -- Life -------------------------------------------------------------------------------------

    def start(self: _S) -> _S:
        """Listen, and serve in the background. Returns itself.

        Raises:
            ConfigurationError: It runs already, or the port cannot be had.
        """
        if self._server is not None:
            msg = "this simulator runs already"
            raise ConfigurationError(msg)
        try:
            server = self._listen()
        except OSError as error:
            msg = f"nothing can listen on {self.host}:{self._wanted_port}: {error.strerror}"
            hint = "use another port, or 0 for a free one"
            raise ConfigurationError(msg, next_step=hint) from error
        self.port = server.server_port
        self._reached()
        self._server = server
        server.start()
        return self

    def stop(self) -> None:
        """Break all connections and end all threads. Does nothing when it does not run."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self: _S) -> _S:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _state(self) -> str:
        return "running" if self._server is not None else "stopped"

    @property
    def _address(self) -> str:
        return f"http{'s' if self._identity is not None else ''}://{self.host}:{self.port}"

    # -- Trouble ----------------------------------------------------------------------------------

    def enable(self, fault: str, times: int | None = None) -> None:
        """Switch a fault on, until `disable` or for the next *times* only.

        Raises:
            ConfigurationError: There is no such fault, or it cannot be on for *times*.
        """
        self._switches.enable(fault, times)

    def disable(self, fault: str) -> None:
        """Switch a fault off; it need not be on."""
        self._switches.disable(fault)

    @property
    def faults(self) -> Mapping[str, int | None]:
        """The faults that are on, with how many times they will still strike (None: always)."""
        return self._switches.snapshot()

    @property
    def fault_hits(self) -> Mapping[str, int]:
        """How often each fault has struck."""
        return self._switches.hits()

    # -- Counters ---------------------------------------------------------------------------------

    @property
    def requests(self) -> int:
        """HTTP requests answered, refused ones and those for media included."""
        return self._traffic.requests

    @property
    def requests_log(self) -> tuple[Answered, ...]:
        """The last ten thousand requests as (method, path, status)."""
        return tuple(self._traffic.lines)

    @property
    def bytes_sent(self) -> int:
        """Bytes of media handed to the network."""
        return self._traffic.bytes_sent

    @property
    def certificate(self) -> str | None:
        """The self-signed certificate as PEM text, with ``tls=True``."""
        return None if self._identity is None else self._identity.certificate

    def reset_counters(self) -> None:
        """Set all counters and the request log back; everything else stays as it is."""
        self._traffic.reset()
        self._switches.forget_hits()
