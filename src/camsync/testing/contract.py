"""`ProviderContract`: the test suite that every provider passes, ours and yours.

Subclass it in a test module and give it a fixture::

    from camsync.testing.contract import ProviderContract


    class TestMyProvider(ProviderContract):
        @pytest.fixture
        def provider(self):
            with MyProvider(...) as provider:
                yield provider

The fixture's provider must have at least one channel with finished recordings in the last
`hours`. Set `secrets` to what must never be shown.
"""

from __future__ import annotations

import datetime as dt
import itertools
import pickle

from collections.abc import Sequence
from typing import ClassVar

import attrs
import pytest

from .._time import UTC, TimeSpan, is_aware, utcnow
from ..errors import CamsyncError
from ..models import Capability, Channel, DeviceId, Recording, RecordingKey, RecordingKind
from ..provider import Provider


_BLOCK = 1 << 16
_ENOUGH = 3


class ProviderContract:
    """What `camsync.provider.Provider` promises, as tests.

    Attributes:
        hours: How far back recordings are looked for.
        secrets: Texts that must not appear in any ``repr``.
    """

    hours: ClassVar[float] = 6.0
    secrets: ClassVar[Sequence[str]] = ()

    @pytest.fixture
    def span(self) -> TimeSpan:
        """Return the span in which the provider has recordings."""
        return TimeSpan.last(hours=self.hours)

    @pytest.fixture
    def channel(self, provider: Provider, span: TimeSpan) -> Channel:
        """Return the first channel with recordings."""
        for channel in provider.channels():
            if next(iter(provider.search(channel, span)), None) is not None:
                return channel
        pytest.fail("the provider has no channel with recordings: the contract cannot be tested")

    @pytest.fixture
    def recording(self, provider: Provider, channel: Channel, span: TimeSpan) -> Recording:
        """Return a finished recording."""
        for recording in provider.search(channel, span):
            if not recording.in_progress:
                return recording
        pytest.fail("the provider has no finished recording: the contract cannot be tested")

    def test_it_has_a_name_and_capabilities(self, provider: Provider) -> None:
        """A provider says what it is and what it can do."""
        assert provider.name.isidentifier()
        assert isinstance(provider.capabilities, Capability)
        assert Capability.SEARCH in provider.capabilities

    def test_devices_are_told_apart_by_their_ids(self, provider: Provider) -> None:
        """Every device has an id of its own and says which provider it belongs to."""
        devices = provider.devices()

        assert devices
        assert len(devices) == len({device.id for device in devices})
        assert {provider.name} == {device.provider for device in devices}

    def test_channels_belong_to_devices(self, provider: Provider) -> None:
        """Asking without a device gives the channels of all devices, each once."""
        each = [channel for device in provider.devices() for channel in provider.channels(device)]
        together = list(provider.channels())

        assert sorted(map(_place, each)) == sorted(map(_place, together))
        assert len(together) == len(set(map(_place, together)))

    def test_a_foreign_device_is_refused(self, provider: Provider) -> None:
        """A device of somebody else is an error, not an empty list."""
        stranger = attrs.evolve(provider.devices()[0], id=DeviceId("nobody's serial number"))

        with pytest.raises(CamsyncError):
            provider.channels(stranger)

    def test_search_is_lazy(self, provider: Provider, channel: Channel, span: TimeSpan) -> None:
        """Search gives an iterator, which may be left after the first recording."""
        found = provider.search(channel, span)

        assert iter(found) is found
        assert isinstance(next(found), Recording)

    def test_search_is_ordered_and_unique(
        self, provider: Provider, channel: Channel, span: TimeSpan
    ) -> None:
        """Recordings come oldest first and never twice."""
        found = list(provider.search(channel, span))
        keys = [recording.key for recording in found]
        starts = [recording.start for recording in found]

        assert sorted(starts) == starts
        assert len(keys) == len(set(keys))

    def test_search_stays_in_the_span(
        self, provider: Provider, channel: Channel, span: TimeSpan
    ) -> None:
        """Every recording shares at least an instant with the span that was asked for."""
        assert all(one.span.overlaps(span) for one in provider.search(channel, span))

    def test_search_of_the_future_is_empty(self, provider: Provider, channel: Channel) -> None:
        """Nothing has been recorded next year."""
        next_year = utcnow() + dt.timedelta(days=365)
        span = TimeSpan(next_year, next_year + dt.timedelta(hours=1))

        assert list(provider.search(channel, span)) == []

    def test_search_filters_by_kind(
        self, provider: Provider, channel: Channel, span: TimeSpan
    ) -> None:
        """Asked for each kind by itself, search gives everything once, each of its kind.

        A search that is not asked for kinds may know less of them: a cloud's short list has none.
        """
        everything = {recording.key for recording in provider.search(channel, span)}
        found = [
            (kind, recording)
            for kind in RecordingKind
            for recording in provider.search(channel, span, kinds={kind})
        ]

        assert all(recording.kind is kind for kind, recording in found)
        assert everything <= {recording.key for _, recording in found}
        assert len({recording.key for _, recording in found}) == len(found)
        assert list(provider.search(channel, span, kinds=())) == []

    def test_times_are_aware_utc(
        self, provider: Provider, channel: Channel, span: TimeSpan
    ) -> None:
        """Starts and ends carry their time zone, and it is UTC."""
        for recording in itertools.islice(provider.search(channel, span), _ENOUGH):
            assert is_aware(recording.start)
            assert recording.start.utcoffset() == recording.end.utcoffset() == dt.timedelta(0)
            assert recording.key.start == recording.start.astimezone(UTC).replace(microsecond=0)

    def test_keys_can_be_written_and_read(self, recording: Recording) -> None:
        """The text form of a key gives the same key."""
        assert recording.key == RecordingKey.parse(recording.key.uri)

    def test_values_travel_between_processes(self, recording: Recording) -> None:
        """A recording survives pickling, as a worker's job needs."""
        assert recording == pickle.loads(pickle.dumps(recording))  # noqa: S301 - our own bytes

    def test_bytes_are_complete(self, provider: Provider, recording: Recording) -> None:
        """What comes out of open is as long as the listing and the stream said."""
        with provider.open(recording) as stream:
            promised, begin = stream.size, stream.offset
            total = _read(stream.readinto)

        assert begin == 0
        assert total > 0
        assert promised in (None, total)
        assert recording.size in (None, total)

    def test_open_can_be_repeated(self, provider: Provider, recording: Recording) -> None:
        """A stream that was left early does not stand in the way of the next one."""
        with provider.open(recording) as stream:
            stream.readinto(memoryview(bytearray(16)))
            stream.abort()
        with provider.open(recording) as stream:
            assert _read(stream.readinto) > 0

    def test_foreign_footage_is_refused(self, provider: Provider, recording: Recording) -> None:
        """A recording of another device is an error: file names are alike everywhere."""
        key = attrs.evolve(recording.key, device=DeviceId("nobody's serial number"))
        stranger = attrs.evolve(recording, key=key)

        with pytest.raises(CamsyncError):
            provider.open(stranger).__enter__()

    def test_storage_is_in_bytes(self, provider: Provider) -> None:
        """Volumes belong to a device, and free space is not more than there is."""
        ids = {device.id for device in provider.devices()}

        for volume in provider.storage():
            assert volume.device in ids
            assert 0 <= volume.free <= volume.capacity

    def test_nothing_shows_secrets(self, provider: Provider, recording: Recording) -> None:
        """Neither the provider nor its values show a secret."""
        shown = [repr(provider), str(provider), repr(recording), *map(repr, provider.channels())]

        assert [secret for secret in self.secrets for text in shown if secret in text] == []

    def test_close_can_be_repeated(self, provider: Provider) -> None:
        """Closing twice is fine."""
        provider.devices()
        provider.close()
        provider.close()


def _place(channel: Channel) -> tuple[str, str]:
    return channel.device, channel.id


def _read(readinto: object) -> int:
    assert callable(readinto)
    buffer = memoryview(bytearray(_BLOCK))
    return sum(iter(lambda: readinto(buffer), 0))
