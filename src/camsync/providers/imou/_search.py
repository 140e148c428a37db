"""Search: local day after local day, cloud and card together, oldest first, each once."""

from __future__ import annotations

import datetime as dt
import itertools
import logging

from collections.abc import Collection, Iterator
from typing import Any, Final, Literal

import attrs

from ..._time import TimeSpan, utcnow
from ...errors import (
    ConfigurationError,
    DeviceAsleepError,
    DeviceOfflineError,
    NoCloudPlanError,
    NoLocalStorageError,
    UnsupportedError,
)
from ...models import Channel, ChannelId, DeviceId, Recording, RecordingKey, RecordingKind
from ._parse import read_plan, read_wall, text, write_wall
from ._wire import CLOUD, PROVIDER, SD, Place, RawRecord, Repeated, Wire
from ._zones import Day, local_days, to_utc


_log = logging.getLogger("camsync.imou")
Storage = Literal["cloud", "sd", "both"]
_PLACES: Final[dict[str, tuple[Place, ...]]] = {CLOUD: (CLOUD,), SD: (SD,), "both": (CLOUD, SD)}
_SETTLE: Final = dt.timedelta(seconds=120)
_AHEAD: Final = dt.timedelta(days=1)
_SECOND: Final = dt.timedelta(seconds=1)
_EVENING: Final = dt.timedelta(hours=1)
"""How far before midnight something may begin that is still going on behind it."""
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
    """One search in one channel.

    Attributes:
        reaching: Whether a place lists what reaches into a window, and not only what begins in it,
            once that is known; shared by all searches of an account.
    """

    wire: Wire
    channel: Channel
    zone: dt.tzinfo
    span: TimeSpan
    places: tuple[Place, ...]
    kinds: Collection[RecordingKind] | None = None
    reaching: dict[Place, bool] = attrs.field(factory=dict)
    _months: dict[tuple[int, int], set[int] | None] = attrs.field(factory=dict, init=False)
    _absent: set[Place] = attrs.field(factory=set, init=False)
    _away: list[DeviceOfflineError] = attrs.field(factory=list, init=False)

    def run(self) -> Iterator[Recording]:
        """Yield what overlaps the span; an error of the card comes behind what the cloud has."""
        if self.kinds is not None and not self.kinds:
            return
        days = self._days()
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
                if self._wanted(recording):
                    yield recording
        if self._away:
            raise self._away[0]

    def sample(self) -> Iterator[Recording]:
        """Yield one recording of each place in few pages: a finished one, if there is one."""
        for place in self.places:
            if place == CLOUD and len(self.places) > 1 and _plan(self.channel) == "none":
                continue
            try:
                found = self._first(place)
            except (NoCloudPlanError, NoLocalStorageError):
                continue
            if found is not None:
                yield found

    def _first(self, place: Place) -> Recording | None:
        unfinished: Recording | None = None
        for one in self._listed(place):
            if not one.in_progress:
                return one
            unfinished = unfinished or one
        return unfinished

    def _listed(self, place: Place) -> Iterator[Recording]:
        """Yield what overlaps the span as it is listed: page by page."""
        ask = self.wire.cloud_records if place == CLOUD else self.wire.sd_records
        for day in self._days():
            for record in ask(self.channel.device, self.channel.id, day.begin, day.end):
                for one in self._made([record]):
                    if one.span.overlaps(self.span):
                        yield one

    def _days(self) -> list[Day]:
        """Return the days to ask for: none that has not begun anywhere."""
        latest = (utcnow() + _AHEAD).astimezone(self.zone).date()
        return list(
            itertools.takewhile(lambda day: day.date <= latest, local_days(self.span, self.zone))
        )

    @property
    def _choosy(self) -> bool:
        return self.kinds is not None and not set(RecordingKind) <= set(self.kinds)

    def _wanted(self, recording: Recording) -> bool:
        """Whether a recording is of the kinds that were asked for.

        Raises:
            UnsupportedError: Nobody says of which kind it is: to leave it out would hide it.
        """
        if self.kinds is None or recording.kind in self.kinds:
            return True
        if recording.kind is RecordingKind.UNKNOWN:
            where = "cloud" if recording.key.stream == CLOUD else "card"
            msg = f"the {where} does not say why {recording.key.item[:60]} was recorded"
            step = "search without kinds, or add RecordingKind.UNKNOWN to them"
            raise UnsupportedError(msg, next_step=step)
        return False

    def _of_day(self, place: Place, day: Day, days: list[Day]) -> list[Recording]:
        """List one day; no plan and no card are states when both places were asked for."""
        if place in self._absent:
            return []
        try:
            if place == CLOUD:
                return self._in_cloud(day, days) if self._worth_asking(day, days) else []
            where = (self.channel.device, self.channel.id, day.begin, day.end)
            return self._made(list(self.wire.sd_records(*where, repeated=day.repeated)))
        except (NoCloudPlanError, NoLocalStorageError) as error:
            if len(self.places) == 1:
                raise
            _log.info("%s, channel %s: %s", self.channel.device, self.channel.id, error.message)
            self._absent.add(place)
            return []
        except DeviceOfflineError as error:
            if place == CLOUD or not self._cloud_is_there:
                raise
            self._absent.add(place)
            self._away.append(_behind_the_cloud(error))
            return []

    def _in_cloud(self, day: Day, days: list[Day]) -> list[Recording]:
        """List a day; the first one from midnight on, and with what it has from the evening before.

        Whether the cloud lists what only reaches into a window nobody says. As soon as it has done
        so, nothing else is asked for any more.
        """
        first = day is days[0] and not self.reaching.get(CLOUD)
        records = self._cloud(day.midnight if first else day.begin, day.end, day.repeated)
        made = self._made(list(records))
        if not first:
            return made
        if any(record.begin < day.midnight for record in records):
            self.reaching[CLOUD] = True
        elif self._needs_evening(day, days, records) and not self._reaches(day, records):
            return self._made(self._cloud(day.midnight - _EVENING, day.midnight - _SECOND)) + made
        return made

    def _reaches(self, day: Day, records: list[RawRecord]) -> bool:
        """Find out with one call, once for all: is a record listed in a window that it only fills?"""
        sample = next((one for one in records if one.end - one.begin > 2 * _SECOND), None)
        if CLOUD not in self.reaching and sample is not None and day.repeated is None:
            inside = self._cloud(sample.begin + _SECOND, min(sample.end, day.end))
            self.reaching[CLOUD] = any(one.id == sample.id for one in inside)
        return self.reaching.get(CLOUD, False)

    def _cloud(
        self, begin: dt.datetime, end: dt.datetime, repeated: Repeated | None = None
    ) -> list[RawRecord]:
        ask, channel = self.wire.cloud_records, self.channel
        return list(
            ask(channel.device, channel.id, begin, end, typed=self._choosy, repeated=repeated)
        )

    def _needs_evening(self, day: Day, days: list[Day], records: list[RawRecord]) -> bool:
        """Whether something may reach over midnight into the span that was not listed."""
        late = day.begin > day.midnight + _EVENING
        unbroken = any(record.begin <= day.midnight + _SECOND for record in records)
        return not late and not unbroken and self._marked(day.date - _AHEAD, days)

    @property
    def _cloud_is_there(self) -> bool:
        known = _plan(self.channel) != "none" and CLOUD not in self._absent
        return CLOUD in self.places and known

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
        change, earliest = _last_step_back(records), None
        for place, record in enumerate(records):
            still = record.end == record.begin
            if still and (place < change or self._is_empty(record, earliest)):
                continue
            found = recording_of(record, self.channel, self.zone, earliest)
            # Clips may overlap; but what comes behind a whole hour of the change is behind it.
            earliest = found.end if still else found.start
            made.append(found)
        return made

    def _is_empty(self, record: RawRecord, earliest: dt.datetime | None) -> bool:
        """Whether a record that begins and ends at the same wall time holds nothing.

        Where clocks are put back it may hold an hour. If the change comes later in the list, it
        does not.
        """
        start = to_utc(record.begin, self.zone, earliest)
        return to_utc(record.end, self.zone, start + _SECOND) <= start


def _last_step_back(records: list[RawRecord]) -> int:
    """Return the place of the last record that begins, by the wall clock, before the one before."""
    steps = (at for at in range(1, len(records)) if records[at].begin < records[at - 1].begin)
    return max(steps, default=0)


def _behind_the_cloud(error: DeviceOfflineError) -> DeviceOfflineError:
    """Give an error of the card the next step for somebody who has the cloud's recordings."""
    asleep = isinstance(error, DeviceAsleepError)
    back = "wake the camera (wake=True, --wake)" if asleep else "bring the camera online"
    error.next_step = (
        f"its cloud recordings were listed; {back} for those on its card, "
        "or search with storage='cloud' (--storage cloud)"
    )
    return error


def _plan(channel: Channel) -> str:
    return read_plan(text(channel.raw, "storageStrategyStatus"))


def recording_of(
    record: RawRecord, channel: Channel, zone: dt.tzinfo, earliest: dt.datetime | None = None
) -> Recording:
    """Make a recording of a record; its wall times become UTC.

    Its size stays unknown: what the cloud announces is the vendor's own file, and what can be
    fetched is another container. So it is only a hint.

    Args:
        earliest: When the one before began: see `to_utc`.
    """
    start = to_utc(record.begin, zone, earliest)
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
        size_hint=record.size,
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
