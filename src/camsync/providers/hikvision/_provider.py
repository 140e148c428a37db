"""`HikvisionISAPI`: joins client, documents, clock, search and download into the contract."""

from __future__ import annotations

import datetime as dt

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs

from ..._cancel import CancelToken
from ..._retry import RetryPolicy, as_policy
from ..._secret import Secret
from ..._time import DeviceClock, TimeSpan, utcnow
from ..._zone import parse_timezone
from ...errors import ConfigurationError, RecordingNotFoundError
from ...models import (
    Capability,
    Channel,
    Check,
    Device,
    DeviceId,
    Recording,
    RecordingKey,
    RecordingKind,
    Volume,
)
from ...models._given import as_channel
from ...transport import Address, Guard, TLSPolicy, Transport, Verify, checked_timeout
from ._client import IsapiClient
from ._dialect import recall_dialect, remember_dialect
from ._download import Downloader, IsapiStream
from ._facts import Facts
from ._inventory import PROVIDER, read_channels, read_device, read_volumes, track
from ._matches import Maker
from ._search import Once, Searcher
from ._timekeeper import Timekeeper


if TYPE_CHECKING:
    from ..._scrub import Scrubber


TimeMode = Literal["auto", "local", "utc"]
SETTLE = dt.timedelta(seconds=120)
_AROUND = dt.timedelta(hours=2)
_BASE = Capability.SEARCH | Capability.DOWNLOAD | Capability.STORAGE | Capability.DAYS


class HikvisionISAPI:
    """A Hikvision recorder or camera, spoken to over ISAPI.

    Nothing is sent before the first call. All threads share one login, so n requests cost n + 1
    round trips. A refused password costs the device exactly one failed login: after it, every
    call raises without sending anything, until `retry_login`. (Only a password that is changed
    on the device while n requests are under way fails up to n + 1 times.)

    Not yet tried on a physical device by this project: written from captured answers, the
    vendor's guide and what other clients report, and tested against the simulator.

    Args:
        host: Name or address, without scheme and port.
        username: An account with the right "Remote: Playback".
        password: Text or `Secret`; kept as a `Secret`.
        port: Default 80, or 443 with *https*.
        https: Use TLS.
        verify:
            True for public roots, a CA file's path, or ``"sha256:…"`` to pin the recorder's own
            certificate. False accepts any certificate, with an `InsecureConnectionWarning`.
        timezone:
            The device's time zone (tzinfo, ``"Asia/Ho_Chi_Minh"``, ``"+08:00"``); None to ask it.
        time_mode:
            What ``Z`` means on the device: ``"local"``, ``"utc"``, or ``"auto"`` to measure it.
        timeout: Seconds to connect, and seconds of silence, before giving up; one number for both.
        allow_basic: Permit Basic login without TLS.
        old_tls: Permit TLS 1.0 and weak ciphers, which recorders before about 2016 need.
        settle: How long after its end a recording still counts as in progress.
        retry: For connection trouble and a busy device.
        learnt: What `learnt` gave earlier: hints that save questions, and are checked.
        guard: Remembers a refused login for other processes; `camsync.connect` gives one.

    Raises:
        ConfigurationError: An argument is unusable.
    """

    name: ClassVar[str] = PROVIDER

    def __init__(
        self,
        host: str,
        username: str,
        password: str | Secret,
        *,
        port: int | None = None,
        https: bool = False,
        verify: Verify = True,
        timezone: dt.tzinfo | str | None = None,
        time_mode: TimeMode = "auto",
        timeout: float | tuple[float, float] = (10.0, 60.0),
        allow_basic: bool = False,
        old_tls: bool = False,
        settle: dt.timedelta = SETTLE,
        retry: RetryPolicy | None = None,
        learnt: Mapping[str, Any] | None = None,
        guard: Guard | None = None,
    ) -> None:
        # First of all: tracebacks can show arguments, and people paste whole URLs as a host.
        password, place, host = Secret.of(password), Secret.of(host), ""
        if time_mode not in {"auto", "local", "utc"}:
            msg = f"time_mode must be 'auto', 'local' or 'utc', not {time_mode!r}"
            raise ConfigurationError(msg)
        self._settle = settle
        transport = Transport(
            Address.of(place, port, secure=https),
            username,
            password,
            tls=TLSPolicy.of(verify, old=old_tls),
            timeout=timeout,
            allow_basic=allow_basic,
            guard=guard,
        )
        self._client = IsapiClient(transport, as_policy(retry, RetryPolicy(attempts=3, total=60.0)))
        self._facts = Facts(self._client)
        self._searcher = Searcher(
            self._client, lambda: self._facts.lists().kind, recall_dialect(learnt or {})
        )
        self._downloader = Downloader(self._client, checked_timeout(timeout)[1])
        self._times = Timekeeper(
            self._client,
            self._facts,
            self._searcher,
            zone=parse_timezone(timezone),
            mode=time_mode,
            learnt=learnt or {},
        )

    @property
    def capabilities(self) -> Capability:
        """What the device can do, as far as is known; asking sends nothing.

        SUB_STREAM is known after `channels`. No source shows a recorder that resumes a download,
        so RANGE is never set.
        """
        return _BASE | (Capability.SUB_STREAM if self._facts.sub_stream else Capability.NONE)

    @property
    def replaced(self) -> DeviceId | None:
        """The device that was at this address before the present one, as long as this object lives.

        None while it is still the first. Noticed by `devices`, `channels` and once an hour.
        """
        return self._facts.replaced

    @property
    def learnt(self) -> Mapping[str, Any]:
        """What was found out about the device so far, as JSON values for a profile."""
        return {**remember_dialect(self._searcher.dialect), **self._times.learnt}

    def devices(self) -> Sequence[Device]:
        """Return the one device behind this address, freshly asked.

        Raises:
            AuthenticationError: The login is refused.
            CamsyncError: The device cannot be reached or makes no sense.
        """
        root = self._times.identify()
        self._facts.note_identified()
        return (read_device(root, self._facts.lists().kind),)

    def channels(self, device: Device | None = None) -> Sequence[Channel]:
        """List the channels, freshly asked, ordered by number; offline ones included.

        The union of analog inputs and network channels: most devices refuse one of the two
        lists, and that is normal. Which device this is is asked, too: if it is another one than
        before, all that was known is forgotten, and `replaced` says so.

        Raises:
            ConfigurationError: *device* is another one.
            PermissionDeniedError: Both lists are refused to this account.
            DeviceFaultError: The device fails to give a list that it has.
            CamsyncError: The device cannot be asked.
        """
        if not self._facts.just_identified():
            self._times.identify()
        return self._channels(self._facts.own(device.id if device else None))

    def _channels(self, own: DeviceId) -> tuple[Channel, ...]:
        with self._facts.lock:
            lists = self._facts.fresh_lists()
            if lists.refusal is not None:
                raise lists.refusal
            sub_stream = self._facts.ask_sub_stream()
        return tuple(read_channels(lists, own, sub_stream=sub_stream))

    def storage(self, device: Device | None = None) -> Sequence[Volume]:
        """List disks, cards and network volumes; capacity and free space in bytes.

        An empty bay is a volume with state MISSING; no list at all is an empty result.

        Raises:
            CamsyncError: The device cannot be asked, or (intercoms) has no such list.
        """
        own = self._facts.own(device.id if device else None)
        return tuple(read_volumes(self._client.get("ContentMgmt/Storage"), own))

    def clock(self, *, fresh: bool = True) -> DeviceClock:
        """Return what is known about the device's clock.

        What ``Z`` means is measured with one to three searches, unless *time_mode* says it.
        `search` does this once, and reads the zone again every hour.

        Args:
            fresh: Ask now. False gives what `search` goes by, at most an hour old: that costs
                nothing where a search follows.

        Raises:
            CamsyncError: The device cannot be asked, or its time makes no sense.
        """
        return self._times.fresh() if fresh else self._times.known()

    def search(
        self,
        channel: Channel,
        span: TimeSpan,
        *,
        kinds: Collection[RecordingKind] | None = None,
    ) -> Iterator[Recording]:
        """Yield the recordings that overlap *span*: lazily, day by day, oldest first, each once.

        Recordings are whole files, so the first may begin before the span and the last end after
        it. The channel's first track is searched: the main stream.

        Raises:
            ConfigurationError: The channel belongs to another device.
            CamsyncError: The device cannot be asked. What was yielded before stays valid.
        """
        clock = self._times.known()
        own = self._facts.own(as_channel(channel).device)
        maker = Maker(
            device=own,
            clock=clock,
            channel_name=channel.name,
            newest=utcnow() + clock.skew - self._settle,
        )
        once = Once(span)
        track_id = channel.tracks[0] if channel.tracks else track(channel.id)
        for window, matches in self._searcher.windows(track_id, span, clock):
            for recording in maker.recordings(matches):
                if once.fresh(recording) and (kinds is None or recording.kind in kinds):
                    yield recording
            once.leave(window)

    def days_with_recordings(self, channel: Channel, month: dt.date) -> Sequence[dt.date]:
        """Return the days of *month* with recordings, in the device's local calendar.

        Args:
            month: Any day of the month.

        Raises:
            ConfigurationError: The channel belongs to another device.
            UnsupportedError: The device (some cameras) has no such calendar.
        """
        self._facts.own(as_channel(channel).device)
        track_id = channel.tracks[0] if channel.tracks else track(channel.id)
        return tuple(self._searcher.days(track_id, month.year, month.month))

    def locate(self, key: RecordingKey) -> Recording:
        """Find the recording of a stored *key* again, ready to be opened.

        Raises:
            ConfigurationError: The key belongs to another device.
            RecordingNotFoundError: The device has overwritten it.
        """
        if key.provider != PROVIDER:
            msg = f"{key} is no key of a Hikvision device"
            raise ConfigurationError(msg)
        self._facts.own(key.device)
        channel = Channel(
            device=key.device, id=key.channel, name="", tracks=(f"{key.channel}{key.stream}",)
        )
        named = [one for one in self._channels(key.device) if one.id == key.channel]
        if named:
            channel = attrs.evolve(channel, name=named[0].name)
        around = TimeSpan(key.start, key.start + dt.timedelta(seconds=1)).padded(_AROUND)
        for recording in self.search(channel, around):
            if recording.key == key:
                return recording
        msg = f"the device has no recording {key} (any more)"
        raise RecordingNotFoundError(msg, next_step="it may have been overwritten; search again")

    def open(
        self, recording: Recording, *, offset: int = 0, cancel: CancelToken | None = None
    ) -> AbstractContextManager[IsapiStream]:
        """Open the bytes of *recording*: an MPEG program stream behind an ``IMKH`` header.

        *offset* is not honoured, as no recorder is known to resume; the stream's ``offset``
        says 0. *cancel* ends the wait for a silent device.

        Raises:
            ConfigurationError: The recording belongs to another device, or comes from no search.
            DeviceBusyError: Most recorders bear one download at a time.
            DownloadUnsupportedError: The device does not hand out footage.
            ShortReadError: It accepted and sent nothing; a second try usually works.
            CamsyncError: Anything else that went wrong.
        """
        del offset
        self._facts.own(recording.key.device, cancel)
        return self._downloader.open(recording, cancel)

    def diagnose(self) -> Iterator[Check]:
        """Test the connection step by step: tcp, tls, lock, login, clock, channels, search, download.

        Each step is yielded when it is done, with what was seen and what to do about it; nothing
        is raised. The lock is looked at before the password is tried.
        """
        from ._diagnose import Diagnosis

        return Diagnosis(self, self._client).run()

    def dump(self, *, scrubber: Scrubber | None = None) -> dict[str, Any]:
        """Return the device's answers, made anonymous, for a bug report that reproduces.

        `camsync.testing.RecorderSimulator` plays it. Serial numbers, addresses, names, accounts
        and places are replaced by stable fakes, times are kept. A device that cannot do one thing
        or another is recorded as such.

        Raises:
            AuthenticationError: The login is refused.
        """
        from ..._scrub import Scrubber  # not needed before a download
        from ._dump import make_dump
        from ._observed import observe

        seen = observe(self, self._searcher)
        return make_dump(
            self._client,
            scrubber=scrubber or Scrubber(),
            observed=seen.facts,
            search=seen.search,
        )

    def retry_login(self) -> None:
        """Forget a refused login: the next call tries the password again, once."""
        self._client.transport.login.reset()

    def close(self) -> None:
        """Close all connections. The object can be used again; it then opens new ones."""
        self._client.transport.close()

    def __enter__(self) -> HikvisionISAPI:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_facts"):  # a traceback with locals, of arguments that were refused
            return "<HikvisionISAPI, not made>"
        known = f" {self._facts.serial}" if self._facts.serial else ""
        return f"<HikvisionISAPI {self._client.transport.address}{known}>"
