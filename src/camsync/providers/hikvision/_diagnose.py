"""The connection test: one step after the other, each with what was seen and what to do."""

from __future__ import annotations

import datetime as dt

from collections.abc import Callable, Iterator
from typing import Protocol

import attrs

from ..._time import DeviceClock, TimeSpan, utcnow
from ...errors import (
    AuthenticationError,
    CamsyncError,
    CertificateError,
    DeviceTimeoutError,
    UnreachableError,
)
from ...models import Channel, Check, CheckStatus, Recording
from ...provider import Provider
from ...transport import public_addresses
from ._client import IsapiClient
from ._errors import LoginState, login_state_of


_LOOK_BACK_HOURS = 24
_SKEW_TO_MENTION = dt.timedelta(seconds=60)
_FEW_TRIES = 3
_FIRST_BYTES = 64 * 1024
_CHANNELS_TO_TRY = 4


class Timed(Provider, Protocol):
    """A provider that knows its device's clock."""

    def clock(self) -> DeviceClock:
        """Return what is known about the clock."""
        ...


@attrs.define
class Diagnosis:
    """Runs the steps against one device; stops where going on makes no sense."""

    provider: Timed
    client: IsapiClient
    _channels: tuple[Channel, ...] = ()
    _recording: Recording | None = None

    def run(self) -> Iterator[Check]:
        """Yield the steps' results as they come; steps that cannot run are marked skipped."""
        steps: dict[str, Callable[[], Check]] = {
            "tcp": self._tcp,
            "tls": self._tls,
            "lock": self._lock,
            "login": self._login,
            "clock": self._clock,
            "channels": self._list,
            "search": self._search,
            "download": self._download,
        }
        needed = {"tcp", "tls", "lock", "login"}
        broken = ""
        for name, step in steps.items():
            if broken:
                seen = f"not tried, because step '{broken}' failed"
                yield Check(name=name, status=CheckStatus.SKIPPED, seen=seen)
                continue
            check = self._guarded(name, step)
            if check.status is CheckStatus.FAILED and name in needed:
                broken = name
            yield check

    @staticmethod
    def _guarded(name: str, step: Callable[[], Check]) -> Check:
        try:
            return attrs.evolve(step(), name=name)
        except CamsyncError as error:
            return Check(
                name=name,
                status=CheckStatus.FAILED,
                seen=error.message,
                advice=error.next_step or "",
                category=error.category,
            )

    def _tcp(self) -> Check:
        transport = self.client.transport
        transport.connect()
        seen = f"{transport.address} accepts connections"
        public = public_addresses(transport.address.host)
        if public:
            return _warning(
                f"{seen}; {', '.join(public)} can be reached from the whole internet",
                "recorders with a forwarded port are scanned and broken into within hours: "
                "close the port and use a VPN",
            )
        return _ok(seen)

    def _tls(self) -> Check:
        transport = self.client.transport
        if not transport.address.secure:
            return _warning(
                "plain HTTP: footage and names can be read on the way, the password cannot",
                "use https=True (hikvisions://…) if the recorder offers it",
            )
        shown = transport.peer_fingerprint()
        try:
            transport.request("GET", "/ISAPI/Security/userCheck", anonymous=True)
        except CertificateError as error:
            return Check(
                name="tls",
                status=CheckStatus.FAILED,
                seen=error.message,
                advice=f"if that is the recorder's own certificate, use verify='{shown}'",
                category=error.category,
            )
        if not transport.verified:
            return _warning(
                f"any certificate is accepted (verify=False); this one is {shown}",
                f"if that is the recorder's own certificate, use verify='{shown}'",
            )
        return _ok(f"the certificate is trusted; its fingerprint is {shown}")

    def _lock(self) -> Check:
        """Look at the lock before the password is tried: that costs no try."""
        try:
            state = self.client.login_state()
        except (UnreachableError, DeviceTimeoutError):
            raise
        except CamsyncError as error:
            return _ok(f"{error.message}; that is normal for some firmware")
        if state.locked:
            minutes = int(state.unlock_after.total_seconds() / 60) if state.unlock_after else None
            left = f" for {minutes} more minutes" if minutes is not None else ""
            return Check(
                name="lock",
                status=CheckStatus.FAILED,
                seen=f"the device is locked against logins{left}",
                advice="wait, or unlock on the recorder under System > User",
                category=AuthenticationError.category,
            )
        tries = state.tries_left
        if tries is not None and tries < _FEW_TRIES:
            return _warning(
                f"not locked, but only {tries} failed logins are left",
                "make sure that the password is right before going on",
            )
        return _ok("not locked")

    def _login(self) -> Check:
        (device,) = self.provider.devices()
        seen = f"logged in to {device.model} '{device.name}', firmware {device.firmware}"
        checked = self.client.get_optional("Security/userCheck")
        state = LoginState() if checked is None else login_state_of(checked)
        if state.default_password:
            return _warning(
                f"{seen}; the device says that this is its default password",
                "change it on the recorder: it is the first one that an attacker tries",
            )
        if state.risky_password:
            return _warning(
                f"{seen}; the device calls this password risky",
                "choose a longer one on the recorder: a weak one can be guessed from what a "
                "login sends",
            )
        return _ok(seen)

    def _clock(self) -> Check:
        self.client.get("System/time")
        try:
            clock = self.provider.clock()
        except CamsyncError as error:
            return _warning(
                f"the time can be read, but not what Z means, because searching fails: "
                f"{error.message}",
                "see step 'search'; time_mode='local' or 'utc' does without measuring",
            )
        local = clock.local(utcnow() + clock.skew)
        seen = (
            f"the device says {local:%Y-%m-%d %H:%M:%S}, zone {clock.declared or clock.zone}; "
            f"Z means {clock.z_means.value} ({clock.reason})"
        )
        if not clock.certain:
            return _warning(seen, "pass time_mode='local' or 'utc' once you know which is right")
        if abs(clock.skew) > _SKEW_TO_MENTION:
            skew = int(clock.skew.total_seconds())
            return _warning(
                f"{seen}; its clock is {abs(skew)} s {'ahead' if skew > 0 else 'behind'}",
                "switch on NTP on the recorder, or recordings carry wrong times",
            )
        return _ok(seen)

    def _list(self) -> Check:
        self._channels = tuple(self.provider.channels())
        offline = [channel.name for channel in self._channels if channel.online is False]
        if not self._channels:
            return _warning("the device lists no channels", "add cameras on the recorder")
        seen = f"{len(self._channels)} channels"
        if offline:
            return _warning(f"{seen}; offline: {', '.join(offline)}", "check these cameras")
        return _ok(seen)

    def _search(self) -> Check:
        span = TimeSpan.last(hours=_LOOK_BACK_HOURS)
        count = 0
        for channel in self._channels[:_CHANNELS_TO_TRY]:
            for recording in self.provider.search(channel, span):
                count += 1
                if not recording.in_progress:
                    self._recording = recording
        if self._recording is None:
            return _warning(
                f"no finished recording in the last {_LOOK_BACK_HOURS} h "
                f"on the first {_CHANNELS_TO_TRY} channels ({count} in progress)",
                "check the recording schedule, and the time settings",
            )
        return _ok(
            f"{count} recordings in the last {_LOOK_BACK_HOURS} h "
            f"of the first {len(self._channels[:_CHANNELS_TO_TRY])} channels"
        )

    def _download(self) -> Check:
        if self._recording is None:
            seen = "not tried, because no finished recording was found"
            return Check(name="download", status=CheckStatus.SKIPPED, seen=seen)
        buffer = memoryview(bytearray(_FIRST_BYTES))
        with self.provider.open(self._recording) as stream:
            count = stream.readinto(buffer)
            stream.abort()
        start = bytes(buffer[:4])
        kind = "an IMKH header" if start == b"IMKH" else f"the bytes {start.hex()}"
        return _ok(f"footage arrives ({count} bytes read); it begins with {kind}")


def _ok(seen: str) -> Check:
    return Check(name="", status=CheckStatus.OK, seen=seen)


def _warning(seen: str, advice: str) -> Check:
    return Check(name="", status=CheckStatus.WARNING, seen=seen, advice=advice)
