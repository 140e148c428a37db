"""Search: local day after local day, cloud and card together, oldest first, each once."""

from __future__ import annotations

import datetime as dt
import itertools
import logging

from collections.abc import Collection, Iterator
from typing import Any, Final, Literal

import attrs

from ..._time import TimeSpan, utcnow
from ...errors import ConfigurationError, NoCloudPlanError, NoLocalStorageError
from ...models import Channel, ChannelId, DeviceId, Recording, RecordingKey, RecordingKind
from ._parse import read_plan, read_wall, text, write_wall
from ._wire import CLOUD, PROVIDER, SD, Place, RawRecord, Wire
from ._zones import Day, local_days, to_utc


_log = logging.getLogger("camsync.imou")
Storage = Literal["cloud", "sd", "both"]
_PLACES: Final[dict[str, tuple[Place, ...]]] = {CLOUD: (CLOUD,), SD: (SD,), "both": (CLOUD, SD)}
_SETTLE: Final = dt.timedelta(seconds=120)
_AHEAD: Final = dt.timedelta(days=1)
_WORTH_A_BITMAP: Final = 3
"""Days of one month from which its bitmap is asked for: one call more at worst, and a call less for
each empty day. With two days it would seldom gain more than the one call that it can cost."""
_KINDS: Final = {
    "1000": RecordingKind.ALARM,
    "2000": RecordingKind.CONTINUOUS,
    "normal": RecordingKind.CONTINUOUS,
    "timing": RecordingKind.CONTINUOUS,
    "videomotion": RecordingKind.MOTION,
    "motion": RecordingKind.MOTION,
    "alarm": RecordingKind.ALARM,
    "manual": RecordingKind.MANUAL,
    "": RecordingKind.UNKNOWN,
    "all": RecordingKind.UNKNOWN,
}


def places_of(storage: object) -> tuple[Place, ...]:
    """Return where to search.

    Raises:
        ConfigurationError: It is not ``cloud``, ``sd`` or ``both``.
    """
    if isinstance(storage, str) and storage in _PLACES:
        return _PLACES[storage]
    msg = f"storage must be 'cloud', 'sd' or 'both', not {storage!r}"
    raise ConfigurationError(msg)


@attrs.frozen(kw_only=True)
class Search:
    """One search in one channel."""

    wire: Wire
    channel: Channel
    zone: dt.tzinfo
    span: TimeSpan
    places: tuple[Place, ...]
    kinds: Collection[RecordingKind] | None = None
    _months: dict[tuple[int, int], set[int] | None] = attrs.field(factory=dict, init=False)
    _absent: set[Place] = attrs.field(factory=set, init=False)

    def run(self) -> Iterator[Recording]:
        """Yield what overlaps the span."""
        if self.kinds is not None and not self.kinds:
            return
        latest = (utcnow() + _AHEAD).astimezone(self.zone).date()
        days = list(
            itertools.takewhile(lambda day: day.date <= latest, local_days(self.span, self.zone))
        )
        seen: set[RecordingKey] = set()
        for day in days:
            found = [
                recording
                for place in self.places
                for recording in self._of_day(place, day, days)
                if recording.key not in seen and recording.span.overlaps(self.span)
            ]
            for recording in sorted(found, key=lambda one: (one.start, one.key)):
                if recording.key in seen:
                    continue
                seen.add(recording.key)
                if self.kinds is None or recording.kind in self.kinds:
                    yield recording

    def _of_day(self, place: Place, day: Day, days: list[Day]) -> list[Recording]:
        """List one day; no plan and no card are states when both places were asked for."""
        if place in self._absent or (place == CLOUD and not self._worth_asking(day, days)):
            return []
        ask = self.wire.cloud_records if place == CLOUD else self.wire.sd_records
        try:
            records = list(ask(self.channel.device, self.channel.id, day.begin, day.end))
        except (NoCloudPlanError, NoLocalStorageError) as error:
            if len(self.places) == 1:
                raise
            _log.info("%s, channel %s: %s", self.channel.device, self.channel.id, error.message)
            self._absent.add(place)
            return []
        return self._made(records)

    def _worth_asking(self, day: Day, days: list[Day]) -> bool:
        """Whether the cloud may hold something of a day, as far as is known."""
        if len(self.places) > 1 and _plan(self.channel) == "none":
            return False
        if day is not days[0]:
            return self._marked(day.date, days)
        # What began on the evening before may reach into the first day.
        return self._marked(day.date, days) or self._marked(day.date - _AHEAD, days)

    def _marked(self, date: dt.date, days: list[Day]) -> bool:
        month = (date.year, date.month)
        if month not in self._months:
            wanted = sum((one.date.year, one.date.month) == month for one in days)
            ask = wanted >= _WORTH_A_BITMAP
            self._months[month] = (
                self.wire.cloud_days(self.channel.device, self.channel.id, *month) if ask else None
            )
        marked = self._months[month]
        return marked is None or date.day in marked

    def _made(self, records: list[RawRecord]) -> list[Recording]:
        """Make recordings of records in the cloud's order, oldest or newest first."""
        if records and records[0].begin > records[-1].begin:
            records.reverse()
        made: list[Recording] = []
        for record in records:
            if record.end == record.begin:  # it holds nothing
                continue
            made.append(recording_of(record, self.channel, self.zone, made[-1] if made else None))
        return made


def _plan(channel: Channel) -> str:
    return read_plan(text(channel.raw, "storageStrategyStatus"))


def recording_of(
    record: RawRecord, channel: Channel, zone: dt.tzinfo, previous: Recording | None = None
) -> Recording:
    """Make a recording of a record; its wall times become UTC.

    Its size stays unknown: what the cloud announces is the vendor's own file, and what can be
    fetched is another container. It is in ``raw``.

    Args:
        previous: The one before: see `to_utc`.
    """
    start = to_utc(record.begin, zone, previous.start if previous else None)
    end = to_utc(record.end, zone, start + dt.timedelta(seconds=1))
    end = max(end, start + dt.timedelta(seconds=1))
    item = f"{record.region}:{record.id}" if record.storage == CLOUD else record.id
    key = RecordingKey(
        provider=PROVIDER,
        device=DeviceId(record.device),
        channel=ChannelId(record.channel),
        stream=record.storage,
        start=start,
        item=item,
    )
    return Recording(
        key=key,
        channel_name=channel.name,
        start=start,
        end=end,
        kind=_KINDS.get(record.kind.lower(), RecordingKind.EVENT),
        in_progress=end > utcnow() - _SETTLE,
        container="mpeg-ts",
        utc_offset=start.astimezone(zone).utcoffset(),
        raw=_raw(record),
    )


def _raw(record: RawRecord) -> dict[str, Any]:
    """Return the vendor's fields, and under our own names what `record_of` needs."""
    return {
        **record.raw,
        "begin": write_wall(record.begin),
        "end": write_wall(record.end),
        "id": record.id,
        "region": record.region,
        "size": record.size,
        "encrypted": record.encrypted,
    }


def record_of(recording: Recording) -> RawRecord:
    """Return what the cloud needs to find the bytes of *recording*.

    Raises:
        ConfigurationError: It is no recording of this provider, or comes from no search.
    """
    key, raw = recording.key, recording.raw
    begin, end = read_wall(raw.get("begin")), read_wall(raw.get("end"))
    places = _PLACES.get(key.stream, ())
    if key.provider != PROVIDER or len(places) != 1 or begin is None or end is None:
        msg = f"{key} cannot be opened: it comes from no search in this account"
        raise ConfigurationError(msg, next_step="search for it, or use locate()")
    return RawRecord(
        id=str(raw.get("id", "")),
        region=str(raw.get("region", "")),
        device=key.device,
        channel=key.channel,
        begin=begin,
        end=end,
        storage=places[0],
        encrypted=raw.get("encrypted") is True,
    )
