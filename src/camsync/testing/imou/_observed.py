"""What can be seen from outside of the simulated cloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs

from ..recorder._server import Answered, Traffic
from ..recorder._tls import Identity
from ._cast import SimulatedDevice
from ._cloud import Cloud


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


class Observed:
    """Counters, states, and the truth about devices."""

    _cloud: Cloud
    _traffic: Traffic
    _identity: Identity | None

    @property
    def requests(self) -> int:
        """HTTP requests answered, those for media included."""
        return self._traffic.requests

    @property
    def requests_log(self) -> tuple[Answered, ...]:
        """The last ten thousand requests as (method, path, status)."""
        return tuple(self._traffic.lines)

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

    @property
    def bytes_sent(self) -> int:
        """Bytes of media handed to the network."""
        return self._traffic.bytes_sent

    @property
    def faults(self) -> Mapping[str, int | None]:
        """The faults that are on, with how many times they will still strike (None: always)."""
        return self._cloud.faults.snapshot()

    @property
    def fault_hits(self) -> Mapping[str, int]:
        """How often each fault has struck."""
        return self._cloud.faults.hits()

    @property
    def certificate(self) -> str | None:
        """The self-signed certificate as PEM text, with ``tls=True``."""
        return None if self._identity is None else self._identity.certificate

    @property
    def devices(self) -> tuple[SimulatedDevice, ...]:
        """The account's devices, in the order in which they are listed."""
        return self._cloud.devices
