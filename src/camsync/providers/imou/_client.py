"""`ImouClient`: joins wire, clock, search, budget and download into the contract."""

from __future__ import annotations

import datetime as dt

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Final

from ..._cancel import CancelToken
from ..._retry import RetryPolicy, as_policy
from ..._secret import Secret
from ..._time import TimeSpan
from ...errors import ConfigurationError, RecordingNotFoundError
from ...models import (
    Capability,
    Channel,
    Check,
    Device,
    Recording,
    RecordingKey,
    RecordingKind,
    Volume,
)
from ...models._given import as_channel, as_key, as_recording, as_span
from ...provider import ByteStream
from ...transport import Verify, Web, checked_timeout
from ._budget import Budget, Usage
from ._call import Caller
from ._cards import cards_among, cards_of
from ._diagnose import Diagnosis
from ._inventory import channels_of, chosen, device_of
from ._listing import Listing
from ._openapi import OpenApi
from ._playing import Playing, Support
from ._regions import checked_id, media_host_allowed, root_of
from ._search import Search, Storage, places_of
from ._sign import Signer, signers
from ._wire import PROVIDER, Place, Plan, Wire
from ._zones import Zone, Zones


USUAL_RETRY: Final = RetryPolicy(attempts=3, total=60.0, initial=0.3)
_AROUND: Final = dt.timedelta(seconds=1)
_BASE: Final = Capability.SEARCH | Capability.DOWNLOAD | Capability.STORAGE


class ImouClient:
    """An account on the Imou Open Platform, with all its cameras and recorders.

    Nothing is sent before the first call. Calls are counted and paid for by the account's owner,
    so this is what they cost:

    - logging in: 1 call per process and up to three days, or 2 while the signature is not known;
    - `devices`: 1 per 50 devices, and at most 1 more when their number is a multiple of 50;
      `channels` and `storage` use that list for a minute;
    - `search`: per channel and local day, 1 per 100 recordings in the cloud and 1 per 30 on the
      card (29 from its second page on; 1 more for a last page that is full); once per account 1
      to learn how the cloud lists; from three days of a month on, 1 for that
      month's calendar, which saves the days without recordings in the cloud; once per device, 1
      or 2 for its time zone, unless *timezone* or *learnt* says it; with *kinds*, the cloud's
      pages hold 30 instead of 100;
    - `storage`: 2 per device that is online, 1 without a card;
    - `plan`: none when the list says it, else 1 for up to 50 devices together, and 1 more for a
      channel that is not in its answer;
    - `open`: 1, plus 1 whenever its URL has expired; its bytes count as media traffic.

    Not yet tried against the vendor's servers by this project: written from captured answers, the
    vendor's documents and what other clients report, and tested against the simulator.

    Args:
        app_id: From the vendor's developer console.
        app_secret: Text or `Secret`; kept as a `Secret`.
        region: The app's data centre: ``"sg"``, ``"fk"``, ``"or"`` or ``"cn"``.
        base_url: Instead of a region, for a simulator or a gateway.
        sign: ``"md5"``, ``"hmac"``, a signer, or ``"auto"`` to find out at the login.
        timezone:
            The devices' time zone (tzinfo, ``"Europe/Berlin"``, ``"+08:00"``), or a mapping from
            device ids; None to ask each device.
        storage: Where `search` looks: ``"cloud"``, ``"sd"`` or ``"both"``.
        timeout: Seconds to connect, and seconds of silence, before giving up; one number for both.
        verify: True for public roots, or the CA file of a proxy that inspects TLS.
        retry: For connection trouble and a busy cloud; each try is a call.
        max_calls: Calls a month after which nothing more is sent.
        max_bytes: Media bytes a month after which nothing more is fetched.
        usage: The file that counts; None for ``imou-usage.json`` in camsync's own folder.
        wake: Wake sleeping devices; that drains their batteries.
        learnt:
            What `learnt` gave earlier: hints that save questions. Zones in it count for 30 days;
            then their devices are asked again.

    Raises:
        ConfigurationError: An argument is unusable.
    """

    name: ClassVar[str] = PROVIDER

    def __init__(
        self,
        app_id: str,
        app_secret: str | Secret,
        *,
        region: str = "sg",
        base_url: str | None = None,
        sign: str | Signer = "auto",
        timezone: Zone | Mapping[str, Zone] | None = None,
        storage: Storage = "both",
        timeout: float | tuple[float, float] = (10.0, 60.0),
        verify: Verify = True,
        retry: RetryPolicy | None = None,
        max_calls: int | None = None,
        max_bytes: int | None = None,
        usage: Path | str | None = None,
        wake: bool = False,
        learnt: Mapping[str, Any] | None = None,
    ) -> None:
        app_secret = Secret.of(app_secret)  # first of all: tracebacks can show arguments
        app_id = checked_id(app_id, app_secret)
        known = learnt or {}
        root = root_of(region, base_url, known.get("host"))
        web = Web(
            root,
            timeout=checked_timeout(timeout),
            verify=verify,
            allowed=media_host_allowed,
        )
        budget = Budget(app_id, path=usage, max_calls=max_calls, max_bytes=max_bytes)
        caller = Caller(
            web,
            root,
            app_id,
            app_secret,
            signers=signers(sign, known.get("sign")),
            budget=budget,
            retry=as_policy(retry, USUAL_RETRY),
            wake=wake,
        )
        self._join(OpenApi(caller, web), web, budget, timezone, storage, known)

    @classmethod
    def over(
        cls,
        wire: Wire,
        web: Web,
        *,
        timezone: Zone | Mapping[str, Zone] | None = None,
        storage: Storage = "both",
        budget: Budget | None = None,
    ) -> ImouClient:
        """Make a client over another wire protocol, which brings its own login.

        Raises:
            ConfigurationError: An argument is unusable.
        """
        client = cls.__new__(cls)
        client._join(wire, web, budget or Budget(wire.account), timezone, storage)  # noqa: SLF001
        return client

    def _join(
        self,
        wire: Wire,
        web: Web,
        budget: Budget,
        timezone: Zone | Mapping[str, Zone] | None,
        storage: Storage,
        learnt: Mapping[str, Any] | None = None,
    ) -> None:
        learnt = learnt or {}
        self._hints = {key: learnt[key] for key in ("sign", "host") if key in learnt}
        self._web = web
        self._budget = budget
        self._zones = Zones(timezone, wire.zone, learnt=learnt.get("zones"))
        self._places = places_of(storage)
        self._storage: Storage = storage
        self._wire = wire
        self._listing = Listing(wire)
        self._reaching: dict[Place, bool] = {}
        self._playing = Playing(wire, web, budget)

    @property
    def capabilities(self) -> Capability:
        """What the account can do, as far as is known; asking sends nothing."""
        return _BASE & ~Capability.DOWNLOAD if self._playing.hopeless else _BASE

    @property
    def learnt(self) -> Mapping[str, Any]:
        """What was found out so far, as JSON values for a profile: signature, host, and zones.

        ``zones`` holds the time zones that devices have told; without any, it is missing. What was
        given as *learnt* is in here too.
        """
        zones = self._zones.learnt
        return {**self._hints, **self._wire.learnt, **({"zones": zones} if zones else {})}

    @property
    def usage(self) -> Usage:
        """Calls and media bytes of this month, as counted on this computer.

        Raises:
            CredentialError: The file cannot be read.
        """
        return self._budget.usage

    def devices(self) -> Sequence[Device]:
        """List the account's devices, freshly asked.

        Raises:
            AuthenticationError: The login is refused.
            CamsyncError: The cloud cannot be asked or makes no sense.
        """
        return tuple(device_of(one) for one in self._listing.fresh())

    def channels(self, device: Device | None = None) -> Sequence[Channel]:
        """List the channels of *device*, or of all; from the list of the last minute, if there is one.

        Raises:
            ConfigurationError: *device* is not the account's.
            CamsyncError: The cloud cannot be asked.
        """
        found = chosen(self._listing.recent(), device)
        return tuple(channel for one in found for channel in channels_of(one))

    def storage(self, device: Device | None = None) -> Sequence[Volume]:
        """List the memory cards; no card, and one that cannot be asked, are states of a volume.

        Of all devices, one that is only shared, has no licence or is busy has a card in the state
        ``UNKNOWN``, and what the cloud said as ``raw["problem"]``. It costs 2 calls per device that
        is online, 1 without a card.

        Raises:
            ConfigurationError: *device* is not the account's.
            PermissionDeniedError: *device* was given, and is only shared.
            CamsyncError: The cloud, or the *device* that was given, cannot be asked.
        """
        found = chosen(self._listing.recent(), device)
        ask = cards_among if device is None else cards_of
        return tuple(card for one in found for card in ask(self._wire, one))

    def plan(self, channel: Channel) -> Plan:
        """Say what state the cloud recording plan of *channel* is in.

        It costs nothing when the list of devices has told it. Else 1 call asks for up to 50 devices
        together, and its answer counts for ten minutes; 1 more for a channel that it leaves out.

        Raises:
            CamsyncError: The cloud cannot be asked.
        """
        listed: Plan = as_channel(channel).raw.get("plan", "unknown")
        return listed if listed != "unknown" else self._wire.plan(channel.device, channel.id)

    def search(
        self,
        channel: Channel,
        span: TimeSpan,
        *,
        kinds: Collection[RecordingKind] | None = None,
        storage: Storage | None = None,
    ) -> Iterator[Recording]:
        """Yield the recordings that overlap *span*: lazily, day by day, oldest first, each once.

        When both places are searched, having no plan or no card is no error. A device that is
        offline is one, because what its card holds would be missing unnoticed: it is raised at the
        end, behind all that the cloud has.

        Args:
            kinds:
                Only these. The cloud tells them in pages of 30 instead of 100, so this costs calls.
            storage: Instead of the client's own.

        Raises:
            ConfigurationError: Nobody says the device's time zone.
            NoCloudPlanError: Only the cloud is searched, and there is no plan.
            NoLocalStorageError: Only the card is searched, and there is none.
            DeviceOfflineError: The card cannot be asked; *storage* ``"cloud"`` does without it.
            UnsupportedError: *kinds* are asked for, and nobody says of which kind something is.
            CamsyncError: Anything else. What was yielded before stays valid.
        """
        places = places_of(self._storage if storage is None else storage)
        yield from self._search(channel, span, places, kinds).run()

    def _search(
        self,
        channel: Channel,
        span: TimeSpan,
        places: tuple[Place, ...],
        kinds: Collection[RecordingKind] | None = None,
    ) -> Search:
        device, span = as_channel(channel).device, as_span(span)
        zone = self._zones.of(device)
        return Search(
            wire=self._wire,
            channel=channel,
            zone=zone,
            span=span,
            places=places,
            kinds=kinds,
            reaching=self._reaching,
        )

    def locate(self, key: RecordingKey) -> Recording:
        """Find the recording of a stored *key* again, ready to be opened.

        Raises:
            ConfigurationError: It is no key of this provider.
            RecordingNotFoundError: It is not there any more.
        """
        if as_key(key).provider != PROVIDER or key.stream not in {"cloud", "sd"}:
            msg = f"{key} is no key of an Imou recording"
            raise ConfigurationError(msg)
        channel = self._listing.channel_of(key)
        span = TimeSpan(key.start, key.start + _AROUND)
        place: Storage = "cloud" if key.stream == "cloud" else "sd"
        for recording in self.search(channel, span, storage=place):
            if recording.key == key:
                return recording
        msg = f"there is no recording {key} (any more)"
        raise RecordingNotFoundError(msg, next_step="it may have been overwritten; search again")

    def can_download(self, recording: Recording) -> Support:
        """Say whether the bytes of *recording* can be fetched, as far as is known; nothing is sent."""
        return self._playing.support(as_recording(recording))

    def open(
        self, recording: Recording, *, offset: int = 0, cancel: CancelToken | None = None
    ) -> AbstractContextManager[ByteStream]:
        """Open the bytes of *recording*: an MPEG transport stream; MP4 of a linked account.

        Its URL is asked for now and again when it expires. *offset* is honoured for a linked
        account only, as far as the server lets it be; the stream's ``offset`` says where it begins.

        Raises:
            ConfigurationError: It is no recording of this provider, or comes from no search.
            BudgetExceededError: *max_calls* or *max_bytes* is reached; or it has more bytes, by its
                ``size_hint``, than are left of *max_bytes*. Nothing was asked for then.
            DownloadUnsupportedError: Account, region or device do not allow it.
            CamsyncError: Anything else that went wrong.
        """
        return self._playing.open(as_recording(recording), cancel, offset)

    def diagnose(self) -> Iterator[Check]:
        """Test the connection step by step, from the host to the download; this costs calls.

        Steps: host, clock, login, devices, plan, card, search, download, quota. Each is yielded
        when it is done, with what was seen and what to do about it; nothing is raised.

        The calls: 1 or 2 for the login, 1 per 50 devices, those of `plan` for the first five
        channels, 2 per card of the first five devices, for each of the first three channels and
        each place 1 when something was recorded in the last two hours (else 3), plus 1 or 2 for a
        time zone that is not known, and 1 for a playlist. No media is fetched.
        """
        return Diagnosis(
            wire=self._wire,
            list_devices=self._listing.fresh,
            list_channels=lambda: list(self.channels()),
            plan=self.plan,
            cards=lambda device: cards_among(self._wire, device),
            sample=lambda channel, span: self._search(channel, span, self._places).sample(),
            usage=lambda: self.usage,
        ).run()

    def retry_login(self) -> None:
        """Forget a refused login, a used-up quota and refused downloads: the next call tries again."""
        self._wire.retry_login()
        self._zones.forget()
        self._playing.reset()

    def close(self) -> None:
        """Close all connections and forget the session. The object can be used again."""
        self._wire.close()
        self._web.close()
        self._budget.settle()

    def __enter__(self) -> ImouClient:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        # Unfinished, it is still shown by tracebacks that print variables.
        wire = getattr(self, "_wire", None)
        if wire is None:
            return "<ImouClient unusable>"
        host = str(wire.learnt.get("host", self._web.home.url)).partition("://")[2]
        return f"<ImouClient {wire.account} at {host}, storage={self._storage!r}>"
