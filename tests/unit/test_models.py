"""The values: frozen, comparable, and keys whose text form reads back."""

from __future__ import annotations

import datetime as dt
import pickle

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import (
    CamsyncError,
    Capability,
    Channel,
    ChannelId,
    Check,
    CheckStatus,
    ConfigurationError,
    Device,
    DeviceId,
    Downloaded,
    Failed,
    Progress,
    Recording,
    RecordingKey,
    RecordingKind,
    Stage,
    TimeSpan,
    Volume,
)
from camsync import models as models_module
from camsync.models._given import as_channel, as_device, as_key, as_recording, as_span


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, 10, tzinfo=UTC)
SERIAL = DeviceId("DS-7608NI-K2 0820210101CCRRF12345678WCVU")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
parts = texts.filter(bool)
moments = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2199, 12, 30), timezones=st.timezones())
streams = st.one_of(st.sampled_from(["01", "02", "03", "cloud", "local"]), parts)
channels = st.one_of(st.integers(0, 999).map(str), parts)
keys = st.builds(
    RecordingKey,
    provider=st.sampled_from(["hikvision", "imou", "acme"]),
    device=parts,
    channel=channels,
    stream=streams,
    start=moments,
    item=texts,
)


def key(**changes) -> RecordingKey:
    """The key of a usual recording."""
    fields = {
        "provider": "hikvision",
        "device": DeviceId("DS123"),
        "channel": ChannelId("1"),
        "start": START,
        "item": "00000000214000000",
    }
    return RecordingKey(**{**fields, **changes})


def recording(**changes) -> Recording:
    """A usual recording."""
    fields = {
        "key": key(),
        "channel_name": "Front door",
        "start": START,
        "end": START + dt.timedelta(minutes=30),
    }
    return Recording(**{**fields, **changes})


@given(keys)
def test_a_key_reads_back_from_its_text_form(original):
    """Whatever a vendor puts into names and serials, the URI is parsed to the same key."""
    again = RecordingKey.parse(original.uri)

    assert original == again
    assert original.uri == again.uri == str(again)


@given(keys)
def test_the_text_form_is_plain_ascii_without_blanks(original):
    """A key can stand in a log line, a file and a URL."""
    assert original.uri.isascii()
    assert original.uri.isprintable()
    assert " " not in original.uri


@given(keys, keys)
def test_different_keys_have_different_text_forms(one, other):
    """The text form identifies a recording as well as the key does."""
    assert (one == other) == (one.uri == other.uri)


@pytest.mark.parametrize(
    ("made", "uri"),
    [
        (key(), "hik://DS123/101/20240101T100000Z/00000000214000000"),
        (
            key(channel=ChannelId("16"), stream="02", item="7"),
            "hik://DS123/1602/20240101T100000Z/7",
        ),
        (key(item=""), "hik://DS123/101/20240101T100000Z/"),
        (key(channel=ChannelId("0")), "hik://DS123/0/01/20240101T100000Z/00000000214000000"),
        (key(item="a/b c"), "hik://DS123/101/20240101T100000Z/a%2Fb%20c"),
        (
            key(provider="imou", channel=ChannelId("0"), stream="cloud", item="77"),
            "imou://DS123/0/cloud/20240101T100000Z/77",
        ),
    ],
)
def test_the_text_form_is_stable(made, uri):
    """These forms are stored in catalogues: they must not change."""
    assert uri == made.uri
    assert made == RecordingKey.parse(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "hik",
        "hik://",
        "hik://DS123",
        "hik://DS123/101",
        "hik://DS123/101/20240101T100000Z",
        "hik://DS123/101/2024-01-01/x",
        "hik://DS123/101/20240231T100000Z/x",
        "hik://DS123/101/20240101T100000Z/x/y/z",
        "hik:///101/20240101T100000Z/x",
        "hik://DS123//01/20240101T100000Z/x",
        "hik://DS123/1//20240101T100000Z/x",
        "://DS123/101/20240101T100000Z/x",
        "DS123/1/01/20240101T100000Z/x",
    ],
)
def test_what_is_no_key_is_refused(uri):
    """A mistyped key fails here and not as a request to a device."""
    with pytest.raises(ConfigurationError, match="is not a recording key"):
        RecordingKey.parse(uri)


@given(moments)
def test_the_start_of_a_key_is_whole_seconds_in_utc(moment):
    """The same moment in another zone is the same key."""
    start = key(start=moment).start

    assert UTC is start.tzinfo
    assert 0 == start.microsecond
    assert dt.timedelta(0) <= moment - start < dt.timedelta(seconds=1)
    assert key(start=moment) == key(start=moment.astimezone(UTC))


def test_keys_sort_by_device_channel_and_time():
    """Sorted keys are in the order in which a person would list them."""
    later = key(start=START + dt.timedelta(hours=1))
    other_channel = key(channel=ChannelId("2"))

    assert [key(), later, other_channel] == sorted([other_channel, later, key()])


def test_naive_datetimes_are_refused_everywhere():
    """A time without a zone is a recording from the wrong hour."""
    naive = dt.datetime(2024, 1, 1)

    for make in (
        lambda: key(start=naive),
        lambda: recording(start=naive),
        lambda: recording(end=naive),
    ):
        with pytest.raises(ConfigurationError, match="timezone-aware"):
            make()


def test_a_recordings_span_and_duration():
    """The length is what the device announced."""
    made = recording()

    assert dt.timedelta(minutes=30) == made.duration
    assert TimeSpan(made.start, made.end) == made.span


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(dt.timedelta(hours=8), "2024-01-01T18:00:00+08:00"), (None, "2024-01-01T10:00:00+00:00")],
)
def test_local_start_is_the_wall_clock_of_the_device(offset, expected):
    """File names carry the time that the camera burns into the picture."""
    assert expected == recording(utc_offset=offset).local_start.isoformat()


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1920, 1080, "1920x1080"), (None, 1080, ""), (1920, None, ""), (0, 0, "")],
)
def test_resolution_is_text_or_nothing(width, height, expected):
    """A channel whose size is unknown says nothing instead of 0x0."""
    channel = Channel(device=SERIAL, id=ChannelId("1"), name="Hof", width=width, height=height)

    assert expected == channel.resolution


def test_values_have_a_line_for_people():
    """What ``print`` shows is short; what is not known is left out."""
    device = Device(provider="hikvision", id=SERIAL, name="Shop", model="DS-7608")
    channel = Channel(device=SERIAL, id=ChannelId("1"), name="Front door", online=False)
    made = recording(channel_name="Front door")
    nameless = recording(channel_name="")

    assert f"Shop (DS-7608, {SERIAL})" == str(device)
    assert str(SERIAL) == str(Device(provider="hikvision", id=SERIAL, name=""))
    assert f"Front door (channel 1 of {SERIAL}, offline)" == str(channel)
    assert f"unnamed (channel 2 of {SERIAL})" == str(
        Channel(device=SERIAL, id=ChannelId("2"), name="")
    )
    start = f"{made.start:%Y-%m-%d %H:%M:%S} UTC"
    length = f"{made.duration.total_seconds():.0f} s"
    assert f"Front door, main stream, {start}, {length}" == str(made)
    key = made.key
    assert str(nameless).startswith(f"channel {key.channel} of {key.device}, main stream, ")
    for stream, word in (("sd", "memory card"), ("cloud", "cloud")):
        there = attrs.evolve(made, key=attrs.evolve(key, stream=stream))
        assert f"Front door, {word}, {start}, {length}" == str(there)


@pytest.mark.parametrize(
    ("check", "good", "kind"),
    [
        (as_device, Device(provider="x", id=SERIAL, name=""), "Device"),
        (as_channel, Channel(device=SERIAL, id=ChannelId("1"), name=""), "Channel"),
        (as_span, TimeSpan(START, START + dt.timedelta(hours=1)), "TimeSpan"),
    ],
)
def test_what_is_handed_in_is_checked(check, good, kind):
    """The right value passes; anything else is named, with where to get it."""
    assert good is check(good)
    for wrong in ("1", None, 5, ("a", "b"), "x" * 1000):
        with pytest.raises(ConfigurationError, match=f"a {kind} is needed, not ") as caught:
            check(wrong)
        assert caught.value.next_step
        assert len(caught.value.message) < 200


def test_recordings_and_keys_are_checked_too():
    """A key is no recording, and a recording is no key."""
    made = recording()

    assert made is as_recording(made)
    assert made.key is as_key(made.key)
    with pytest.raises(ConfigurationError, match="a Recording is needed"):
        as_recording(made.key)
    with pytest.raises(ConfigurationError, match="a RecordingKey is needed"):
        as_key(made)


def values() -> list[object]:
    """One of each value."""
    done = Downloaded(
        recording=recording(), path=None, size=1, container="mp4", start=START, end=START
    )
    return [
        Device(provider="hikvision", id=SERIAL, name="Shop"),
        Channel(device=SERIAL, id=ChannelId("1"), name="Front door"),
        Volume(device=SERIAL, id="1", name="hdd1"),
        key(),
        recording(),
        Progress(stage=Stage.DOWNLOAD, recording=recording()),
        done,
        Failed(recording=recording(), error=CamsyncError("no")),
        Check(name="tcp", status=CheckStatus.OK, seen="open"),
    ]


every_value = pytest.mark.parametrize("value", values(), ids=lambda value: type(value).__name__)


def test_the_list_of_values_is_complete():
    """A new value gets the same tests as the old ones."""
    defined = {
        cls
        for cls in vars(models_module).values()
        if isinstance(cls, type)
        and attrs.has(cls)
        and cls.__module__.startswith(models_module.__name__)
    }

    assert defined == {type(value) for value in values()}


@every_value
def test_values_are_frozen(value):
    """A stage cannot edit what the stage before gave it."""
    name = attrs.fields(type(value))[0].name

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, None)


@every_value
def test_values_take_keywords_only(value):
    """A field can be added without breaking a caller."""
    with pytest.raises(TypeError):
        type(value)("positional")


@every_value
def test_values_survive_pickling(value):
    """Values are handed to workers in other processes."""
    again = pickle.loads(pickle.dumps(value))

    assert repr(value) == repr(again)
    assert isinstance(value, Failed) or value == again


def test_raw_is_neither_shown_nor_compared():
    """The vendor's extras differ from answer to answer; the thing is the same."""
    one, other = recording(raw={"playbackURI": "rtsp://…"}), recording()

    assert one == other
    assert "rtsp" not in repr(one)
    assert hash(one.key) == hash(other.key)


def test_capabilities_combine():
    """Flags are combined and asked one by one."""
    able = Capability.SEARCH | Capability.DOWNLOAD

    assert Capability.SEARCH in able
    assert Capability.RANGE not in able
    assert not Capability.NONE


def test_enums_compare_with_their_text():
    """JSON and URLs carry the text; comparing with it works."""
    assert RecordingKind.MOTION == "motion"
    assert RecordingKind("motion") is RecordingKind.MOTION
