"""The connection test of an account: one step after the other, with what was seen and what to do.

It costs calls: the login, a page of devices, the plans of the first few channels (one call for 50
devices, as a rule), two per card of the first few devices, a look for one recording per channel and
place for the first three channels, and one request for a playlist when there is something to play.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from ..._time import TimeSpan
from ...errors import CamsyncError, Category, DownloadUnsupportedError
from ...models import Channel, Check, CheckStatus, Recording, Volume, VolumeState
from ._budget import Usage
from ._search import record_of
from ._way import failed
from ._wire import CLOUD, SD, Plan, RawDevice, Wire


_FEW: Final = 5
_LOOK_BACK_HOURS: Final = (2, 24)
_CHANNELS_TO_SEARCH: Final = 3
_PLACES: Final = {CLOUD: "cloud", SD: "card"}
_BAD_CARDS: Final = frozenset({VolumeState.ERROR, VolumeState.UNFORMATTED, VolumeState.UNKNOWN})


@attrs.define(kw_only=True)
class Diagnosis:
    """Runs the steps against one account; stops where going on makes no sense."""

    wire: Wire
    list_devices: Callable[[], list[RawDevice]]
    list_channels: Callable[[], list[Channel]]
    plan: Callable[[Channel], Plan]
    cards: Callable[[RawDevice], list[Volume]]
    sample: Callable[[Channel, TimeSpan], Iterator[Recording]]
    usage: Callable[[], Usage]
    _devices: list[RawDevice] = attrs.field(factory=list, init=False)
    _channels: list[Channel] = attrs.field(factory=list, init=False)
    _newest: Recording | None = attrs.field(default=None, init=False)
    _used_up: Check | None = attrs.field(default=None, init=False)

    def run(self) -> Iterator[Check]:
        """Yield the steps' results as they come; steps that cannot run are marked skipped."""
        broken = ""
        for check in self.wire.describe():
            yield self._noted(check)
            if check.status is CheckStatus.FAILED:
                broken = check.name
        steps: dict[str, Callable[[], Check]] = {
            "devices": self._list,
            "plan": self._plans,
            "card": self._cards,
            "search": self._search,
            "download": self._download,
        }
        for name, step in steps.items():
            if broken:
                seen = f"not tried, because step '{broken}' failed"
                yield Check(name=name, status=CheckStatus.SKIPPED, seen=seen)
                continue
            check = self._guarded(name, step)
            if check.status is CheckStatus.FAILED and name == "devices":
                broken = name
            yield self._noted(check)
        yield self._guarded("quota", self._quota)

    def _noted(self, check: Check) -> Check:
        """Note the first step that failed for want of quota: then the quota step is not all right."""
        if check.category is Category.QUOTA and self._used_up is None:
            self._used_up = check
        return check

    @staticmethod
    def _guarded(name: str, step: Callable[[], Check]) -> Check:
        try:
            return attrs.evolve(step(), name=name)
        except CamsyncError as error:
            return failed(name, error)

    def _list(self) -> Check:
        self._devices = self.list_devices()
        self._channels = self.list_channels()
        if not self._devices:
            return _warning(
                "the login works, but the list of devices is empty",
                "check the region, and that the cameras belong to the account that owns the app",
            )
        away = [one.name for one in self._devices if one.status in {"offline", "asleep"}]
        seen = f"{len(self._devices)} devices with {len(self._channels)} channels"
        if away:
            return _warning(f"{seen}; offline or asleep: {', '.join(away)}", "check these cameras")
        return _ok(seen)

    def _plans(self) -> Check:
        plans = [(channel, self.plan(channel)) for channel in self._channels[:_FEW]]
        seen = "; ".join(f"{channel.name}: {plan}" for channel, plan in plans)
        if not plans:
            return _skipped("there is no channel")
        seen += self._more(len(self._channels))
        if any(plan in {"expired", "suspended"} for _, plan in plans):
            return _warning(
                seen, "renew the plan in the vendor's app before its footage is deleted"
            )
        return _ok(seen)

    def _cards(self) -> Check:
        found = [(device, card) for device in self._devices[:_FEW] for card in self.cards(device)]
        if not found:
            return _skipped("no device has a place for a memory card")
        seen = "; ".join(f"{device.name}: {_card(card)}" for device, card in found)
        seen += self._more(len(self._devices))
        states = {card.state for _, card in found}
        advice = []
        if states & _BAD_CARDS:
            advice.append("look at these cards in the vendor's app")
        if VolumeState.OFFLINE in states:
            advice.append("bring the cameras that are offline back: their cards cannot be asked")
        return _warning(seen, "; ".join(advice)) if advice else _ok(seen)

    @staticmethod
    def _more(count: int) -> str:
        return f"; {count - _FEW} more not asked" if count > _FEW else ""

    def _search(self) -> Check:
        """Look for one recording per channel and place, first among those of two hours.

        Only if there is none at all, the whole day is looked at: pages cost calls.
        """
        if not self._channels:
            return _skipped("there is no channel")
        found: dict[str, list[Recording]] = {}
        problems: dict[str, CamsyncError] = {}
        for hours in _LOOK_BACK_HOURS:
            for channel in self._channels[:_CHANNELS_TO_SEARCH]:
                try:
                    for one in self.sample(channel, TimeSpan.last(hours=hours)):
                        found.setdefault(channel.name, []).append(one)
                except CamsyncError as error:  # noqa: PERF203 - one channel must not hide the others
                    problems[channel.name] = error
            if found:
                break
        if problems and not found:
            raise next(iter(problems.values()))
        finished = [one for some in found.values() for one in some if not one.in_progress]
        self._newest = max(finished, key=lambda one: one.start, default=None)
        places = "; ".join(
            f"{name}: {' and '.join(_PLACES[one.key.stream] for one in some)}"
            for name, some in found.items()
        )
        seen = f"recordings of the last {hours} hours: {places or 'none'}"
        if problems:
            told = "; ".join(f"{name}: {error.message}" for name, error in problems.items())
            return _warning(f"{seen}; {told}", next(iter(problems.values())).next_step or "")
        return _ok(seen) if found else _warning(seen, "check that the cameras record")

    def _download(self) -> Check:
        """Ask for a playlist, the only honest way to know; nothing of it is fetched."""
        if self._newest is None:
            return _skipped("there is no finished recording to ask for")
        try:
            self.wire.play_url(record_of(self._newest))
        except DownloadUnsupportedError as error:
            return failed("download", error)
        return _ok(
            "the cloud hands out addresses of footage; no byte was fetched, one call was used"
        )

    def _quota(self) -> Check:
        used = self.usage()
        calls = f"{used.calls} calls" + _of(used.max_calls)
        size = f"{used.bytes} bytes of media" + _of(used.max_bytes)
        seen = f"counted here in {used.month}: {calls}, {size}"
        if self._used_up is not None:
            why = f"step '{self._used_up.name}': {self._used_up.seen}"
            return attrs.evolve(self._used_up, seen=f"{seen}; {why}")
        return _ok(f"{seen}; the vendor's own count may be higher")


def _of(limit: int | None) -> str:
    return "" if limit is None else f" of your limit of {limit}"


def _card(card: Volume) -> str:
    if card.state is VolumeState.OK:
        return f"{card.free / 1e9:.1f} of {card.capacity / 1e9:.1f} GB free"
    return "no card" if card.state is VolumeState.MISSING else card.state.value


def _ok(seen: str) -> Check:
    return Check(name="", status=CheckStatus.OK, seen=seen)


def _skipped(seen: str) -> Check:
    return Check(name="", status=CheckStatus.SKIPPED, seen=seen)


def _warning(seen: str, advice: str) -> Check:
    return Check(name="", status=CheckStatus.WARNING, seen=seen, advice=advice)
