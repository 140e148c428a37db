"""The seam between `ImouClient` and the protocols that it can speak; no I/O here.

Times are what the cloud sends: the device's wall clock, without zone. `_search` makes UTC of them.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs

from ..._cancel import CancelToken
from ..._secret import Secret
from ...models import Check


PROVIDER = "imou"
CLOUD: Literal["cloud"] = "cloud"
SD: Literal["sd"] = "sd"
Place = Literal["cloud", "sd"]
Plan = Literal["active", "expired", "suspended", "none", "unknown"]
CardStatus = Literal["normal", "empty", "abnormal", "recovering", "unformatted", "unknown"]
Status = Literal["online", "offline", "asleep", "upgrading", "unknown"]
Repeated = tuple[dt.datetime, dt.datetime]
"""The wall times that a day has twice: when its clocks are put back. The second is not included."""


def _raw() -> Any:
    return attrs.field(factory=dict, repr=False, eq=False, hash=False)


@attrs.frozen(kw_only=True)
class RawChannel:
    """A channel as the cloud lists it.

    Attributes:
        id: The number as text, from ``"0"``.
        encrypted: Whether its owner set a key for pictures and video; None when not said.
        raw: The vendor's plain fields: no token, no URL.
    """

    id: str
    name: str
    status: Status = "unknown"
    plan: Plan = "unknown"
    encrypted: bool | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class RawDevice:
    """A device as the cloud lists it.

    Attributes:
        id: The serial number.
        kind: The vendor's catalogue word (``IPC``, ``NVR``), or empty.
        zone: Its time zone, when the list says it.
        raw: The vendor's plain fields: no token, no URL.
    """

    id: str
    name: str
    model: str = ""
    version: str = ""
    status: Status = "unknown"
    kind: str = ""
    zone: dt.tzinfo | None = None
    channels: Sequence[RawChannel] = ()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class RawRecord:
    """A recording as the cloud lists it.

    Attributes:
        id: The record's id in the cloud, or the file's name on the card.
        region: Where the cloud keeps it; empty on a card.
        begin: Wall clock of the device, naive. *end* likewise.
        size: Bytes as announced: of the vendor's own file, not of what can be fetched.
        kind: The vendor's word for why it was recorded, or empty.
        raw: The vendor's plain fields: no token, no URL.
    """

    id: str
    device: str
    channel: str
    begin: dt.datetime
    end: dt.datetime
    storage: Place
    region: str = ""
    size: int | None = None
    kind: str = ""
    encrypted: bool = False
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class RawStorage:
    """A memory card as the cloud reports it; bytes."""

    total: int = 0
    used: int = 0
    status: CardStatus = "unknown"


@attrs.frozen(kw_only=True)
class PlaySource:
    """Where the bytes of a recording are, for the next moments only.

    Attributes:
        url: One-shot and signed: a secret.
        kind: A playlist, or one file.
        headers: What to send with each request.
    """

    url: Secret
    kind: Literal["hls", "file"] = "hls"
    headers: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)


class Wire(Protocol):
    """One protocol of the cloud, logged in as one account. Thread-safe.

    Every method raises only `CamsyncError` leaves.
    """

    @property
    def account(self) -> str:
        """Which account it is, for counting: stable, and no secret."""
        ...

    @property
    def learnt(self) -> Mapping[str, Any]:
        """What was found out and need not be found out again, as JSON values."""
        ...

    def devices(self) -> list[RawDevice]:
        """List all devices with their channels."""
        ...

    def plan(self, device: str, channel: str) -> Plan:
        """Say what state the cloud recording plan of a channel is in."""
        ...

    def cloud_days(self, device: str, channel: str, year: int, month: int) -> set[int] | None:
        """Return the days of a month with recordings in the cloud, or None when it is not said."""
        ...

    def cloud_records(
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        typed: bool = False,
        repeated: Repeated | None = None,
    ) -> Iterator[RawRecord]:
        """List the cloud's recordings between two wall times of one day, *end* included.

        Args:
            typed: Their ``kind`` is needed, even if that takes more calls.
            repeated: What wall times the day has twice, if any.

        Raises:
            NoCloudPlanError: The channel has no plan.
            UnsupportedError: They are to be *typed*, and the cloud offers no way to that.
        """
        ...

    def sd_records(
        self,
        device: str,
        channel: str,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        repeated: Repeated | None = None,
    ) -> Iterator[RawRecord]:
        """List the card's recordings between two wall times of one day, *end* included.

        Args:
            repeated: What wall times the day has twice, if any.

        Raises:
            NoLocalStorageError: The device has no card.
            DeviceOfflineError: The card cannot be asked.
        """
        ...

    def storage(self, device: str) -> RawStorage:
        """Ask for the device's card.

        Raises:
            UnsupportedError: The device has no place for one.
        """
        ...

    def zone(self, device: str) -> dt.tzinfo | None:
        """Ask the device for its time zone; None when it does not say."""
        ...

    def play_url(
        self, record: RawRecord, stream: int = 0, *, cancel: CancelToken | None = None
    ) -> PlaySource:
        """Ask where the bytes of a recording are, now.

        Args:
            stream: 0 for the main stream.
            cancel: Ends the wait for the answer.

        Raises:
            CancelledError: *cancel* was set.
            DownloadUnsupportedError: The account or the region does not allow it.
        """
        ...

    def describe(self) -> Iterator[Check]:
        """Test way and login step by step, for the doctor; nothing is raised."""
        ...

    def retry_login(self) -> None:
        """Forget that the login was refused, or that a quota was used up."""
        ...

    def close(self) -> None:
        """Forget the session. Calling it twice is fine."""
        ...
