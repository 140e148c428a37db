from __future__ import annotations

import datetime as dt
import re

from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import ChannelId, ConfigurationError, DeviceId, Recording, RecordingKey
from camsync.download import _paths


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=UTC)


def recording(
    name="", *, channel="1", stream="01", start=START, item="00000000955000913", offset=8
):
    """Return a recording as a search would."""
    return Recording(
        key=RecordingKey(
            provider="hikvision",
            device=DeviceId("DS-7616NI-K2"),
            channel=ChannelId(channel),
            stream=stream,
            start=start,
            item=item,
        ),
        channel_name=name,
        start=start,
        end=start + dt.timedelta(minutes=1),
        utc_offset=dt.timedelta(hours=offset),
    )


@pytest.mark.parametrize(
    ("name", "channel", "expected"),
    [
        ("Front door", "1", "Cam01-front-door"),
        ("Front door / Cửa", "1", "Cam01-front-door-cua"),
        ("Đường số 5", "12", "Cam12-duong-so-5"),
        ("Straße, Łódź & Ørsted 100%", "3", "Cam03-strasse-lodz-orsted-100"),
        ("Kap\N{LATIN SMALL LETTER DOTLESS I}", "3", "Cam03-kapi"),
        ("Camera 01", "1", "Cam01"),
        ("camera1", "1", "Cam01"),
        ("IPCamera 01", "1", "Cam01"),
        ("IP Camera 3", "3", "Cam03"),
        ("IPdome", "1", "Cam01"),
        ("Analog Camera 2", "2", "Cam02"),
        ("CH-05", "5", "Cam05"),
        ("D1", "1", "Cam01"),
        ("摄像机04", "4", "Cam04"),
        ("Камера", "4", "Cam04"),
        ("", "4", "Cam04"),
        ("Parking lot 2", "100", "Cam100-parking-lot-2"),
        ("../../etc/passwd", "1", "Cam01-etc-passwd"),
        ("a_b,c%d", "1", "Cam01-a-b-c-d"),
        ("x" * 300, "1", "Cam01-" + "x" * 40),
        ("Camera 1 garage", "1", "Cam01-camera-1-garage"),
    ],
)
def test_camera_folder_is_number_and_slug(name, channel, expected):
    """The folder is the zero-padded number, and the name if it says more than the number."""
    assert expected == _paths.camera_name(recording(name, channel=channel))


def test_sub_stream_has_a_folder_of_its_own():
    """Main and sub stream have the same start, and pictures of different size."""
    assert "Cam01-gate-sub" == _paths.camera_name(recording("Gate", stream="02"))
    assert "Cam01-gate-stream-03" == _paths.camera_name(recording("Gate", stream="03"))


def test_channel_that_is_no_number_keeps_its_identity():
    """Two channels with similar ids must not share a folder."""
    names = {_paths.camera_name(recording(channel=each)) for each in ("a b", "a-b", "A-b", "../b")}

    assert 4 == len(names)
    assert "Cam-a-b" in names


@pytest.mark.parametrize("container", ["mp4", "original"])
@given(name=st.text(), channel=st.text(min_size=1), stream=st.text(min_size=1), item=st.text())
def test_any_text_gives_safe_names(container, name, channel, stream, item):
    """Whatever a device says, the path stays in its folder, is plain ASCII and not too long."""
    dest = Path("footage")
    found = _paths.names(
        recording(name, channel=channel, stream=stream, item=item), dest, container
    )

    assert dest == found.folder.parent
    assert (found.spare is None) is found.telling is (container == "original")
    for part in (found.folder.name, found.stem, found.spare or found.stem):
        assert re.fullmatch(r"Cam[A-Za-z0-9_-]+", part, re.ASCII)
        assert len(f".{part}.mp4.12345678.part") <= 255, "the longest name that systems take"
    assert "_" not in found.folder.name
    assert found.stem.startswith(f"{found.folder.name}_")


@given(first=st.text(), second=st.text())
def test_different_items_have_different_names(first, second):
    """The device's name for an item survives in the spare name, at least as a digest."""
    slugs = {
        _paths.item_slug(recording(item=first or "x")),
        _paths.item_slug(recording(item=second or "x")),
    }

    assert len({first or "x", second or "x"}) == len(slugs)


@given(text=st.text())
def test_slugs_are_stable(text):
    """A slug of a slug is the slug."""
    slug = _paths.ascii_slug(text)

    assert slug == _paths.ascii_slug(slug)
    assert re.fullmatch(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*)?", slug, re.ASCII)


def test_name_shows_the_recorders_wall_clock():
    """People look for the time that the recorder's display shows."""
    found = _paths.names(recording("Gate"), Path("x"), "mp4")

    assert "Cam01-gate_20240101_110000" == found.stem
    assert "Cam01-gate_20240101_110000_00000000955000913" == found.spare
    assert Path("x/Cam01-gate/Cam01-gate_20240101_110000.mp4") == found.path(found.stem, "mp4")


def test_timezone_overrides_the_recorders_clock():
    """A recorder with a wrong zone need not spoil the names."""
    found = _paths.names(recording(), Path("x"), "mp4", ZoneInfo("America/New_York"))

    assert "Cam01_20231231_220000" == found.stem


def test_the_hour_that_comes_twice_has_two_spare_names():
    """In autumn two recordings have the same local time; the item, or UTC, tells them apart."""
    zone = ZoneInfo("Europe/Berlin")
    first = dt.datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    second = first + dt.timedelta(hours=1)
    found = [
        _paths.names(recording(start=each, item=item), Path("x"), "mp4", zone)
        for each, item in ((first, "a"), (second, "b"), (first, ""), (second, ""))
    ]

    assert {"Cam01_20241027_023000"} == {each.stem for each in found}
    assert [
        "Cam01_20241027_023000_a",
        "Cam01_20241027_023000_b",
        "Cam01_20241027_023000_20241027T003000Z",
        "Cam01_20241027_023000_20241027T013000Z",
    ] == [each.spare for each in found]


def test_name_of_an_original_is_that_of_one_recording_only():
    """Same camera, same second, same item: the digest knows the device, too."""
    one = recording("Gate")
    two = attrs.evolve(one, key=attrs.evolve(one.key, device=DeviceId("OTHER")))
    found = [_paths.names(each, Path("x"), "original") for each in (one, two, one)]

    for each in found:
        assert re.fullmatch(r"Cam01-gate_20240101_110000_[0-9a-f]{8}", each.stem)
        assert (None, True) == (each.spare, each.telling)
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    ("dest", "container", "is_file"),
    [
        ("a/b.mp4", "mp4", True),
        ("a/b.MP4", "mp4", True),
        ("a/b.mpg", "mp4", False),
        ("a/b.ps", "original", True),
        ("a/b.mpg", "original", True),
        ("a/b.mpeg", "original", True),
        ("a/b.ts", "original", True),
        ("a/b.mp4", "original", True),
        ("a/b.d", "original", False),
        ("a", "mp4", False),
    ],
)
def test_video_suffix_means_a_file(dest, container, is_file):
    """A destination with a video suffix is the file; no other name will do then."""
    found = _paths.names(recording(), Path(dest), container)

    assert is_file is (found.path(found.stem, "xyz") == Path(dest))
    assert is_file is (found.spare is None and not found.telling)


def test_existing_folder_with_a_video_suffix_is_a_folder(tmp_path):
    """What exists decides, not what it looks like."""
    folder = tmp_path / "odd.mp4"
    folder.mkdir()

    assert folder / "Cam01" == _paths.names(recording(), folder, "mp4").folder


@pytest.mark.parametrize(
    "part",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "/etc",
        "C:",
        "a\0b",
        "a\nb",
        "con",
        "LPT1.txt",
        " a",
        "a.",
        "*",
    ],
)
def test_only_plain_names_are_joined(part):
    """The last line of defence: nothing that is not a plain name becomes part of a path."""
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        _paths.safe_join(Path("x"), part)


def test_channel_name_may_be_changed_without_losing_the_number():
    """Sorting and looking up by number works whatever a camera is called."""
    one = recording("Gate")
    two = attrs.evolve(one, channel_name="Yard")

    assert {"Cam01-gate", "Cam01-yard"} == {_paths.camera_name(one), _paths.camera_name(two)}
