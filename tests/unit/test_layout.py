from __future__ import annotations

import datetime as dt

from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from camsync import ChannelId, ConfigurationError, DeviceId, Recording, RecordingKey, RecordingKind
from camsync.download import _paths
from camsync.download._layout import DEFAULT, FIELDS, Layout


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=UTC)
DEST = Path("footage")


def recording(
    name="Front door",
    *,
    provider="hikvision",
    device="DS-7616NI-K20120260101CCRRG12345678",
    channel="1",
    stream="01",
    item="00000000955000913",
    start=START,
    **fields,
):
    """Return a recording as a search would."""
    given_ = {"utc_offset": dt.timedelta(hours=7), "kind": RecordingKind.MOTION, **fields}
    return Recording(
        key=RecordingKey(
            provider=provider,
            device=DeviceId(device),
            channel=ChannelId(channel),
            stream=stream,
            start=start,
            item=item,
        ),
        channel_name=name,
        start=start,
        end=start + dt.timedelta(minutes=1),
        **given_,
    )


def path(template, item=None, container="mp4", **options):
    """Return where *template* puts a recording, below the destination."""
    item = item or recording()
    names = Layout.parse(template).names(item, DEST, container, **options)
    return names.path(names.stem, "mp4").relative_to(DEST).as_posix()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (DEFAULT, "Cam01-front-door/Cam01-front-door_20240101_100000"),
        ("{camera}_{start}", "Cam01-front-door_20240101_100000"),
        ("{start:%Y/%m/%d}/{camera}", "2024/01/01/Cam01-front-door"),
        ("{start:%Y-%m-%d}/{start:%H%M%S}-{end:%H%M%S}", "2024-01-01/100000-100100"),
        ("{start:%y%j%u%w%z}", "2400111+0700"),
        ("{start:%G-W%V}/{start:%U%W}", "2024-W01/0001"),
        ("{device}/{channel}/{stream}", "DS-7616NI-K20120260101CCRRG12345678/1/01"),
        ("{channel:2}-{channel:04}-{channel_name}", "01-0001-front-door"),
        ("{provider}/{kind}/{item}", "hikvision/motion/00000000955000913"),
        ("{key8}", "35f8dc10"),
        ("a {{b}}/c", "a {b}/c"),
        ("Kamera Tür/{start}", "Kamera Tür/20240101_100000"),
    ],
)
def test_templates_become_paths(template, expected):
    """Literal text stays, words of the device become slugs, times those of its wall clock."""
    assert f"{expected}.mp4" == path(template)


def test_every_field_can_be_used():
    """The list in the message is the list of what there is."""
    for field in FIELDS:
        assert path(f"{{{field}}}").endswith(".mp4")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "cannot be the name"),
        ("/{camera}", "relative"),
        ("{start:/%Y}", "relative"),
        ("../{camera}", "'..' cannot"),
        ("{camera}/..", "'..' cannot"),
        ("./{camera}", "'.' cannot"),
        ("{camera}//{start}", "'' cannot"),
        ("{camera}/", "'' cannot"),
        (".{camera}", "cannot be the name"),
        ("{camera}.", "cannot be the name"),
        ("C:/{camera}", "cannot be the name"),
        ("a\\{camera}", "cannot be the name"),
        ("{camera}\n", "cannot be the name"),
        ("{start:%H:%M}", "cannot be the name"),
        ("aux/{camera}", "cannot be the name"),
        ("{camera}/nul.txt", "cannot be the name"),
        ("x" * 200, "too long"),
        ("é" * 100, "too long"),
        ("{camera}.mp4", "leave it out"),
        ("{camera}.MPG", "leave it out"),
        ("{nonsense}", "no field {nonsense}"),
        ("{}", "no field {}"),
        ("{0}", "no field {0}"),
        ("{camera.name}", "no field {camera.name}"),
        ("{start[0]}", "no field"),
        ("{camera!r}", "takes no conversion"),
        ("{camera:>20}", "takes no form"),
        ("{channel:>2}", "takes no form"),
        ("{start:%B}", "no form for a time"),
        ("{start:%-d}", "no form for a time"),
        ("{start:%}", "no form for a time"),
        ("{start:%%}", "no form for a time"),
        ("{start:{camera}}", "no form for a time"),
        ("{camera", "expected '}'"),
        ("}", "Single '}'"),
    ],
)
def test_what_makes_no_path_is_refused(template, why):
    """The message says what is wrong and names the fields, before anything is fetched."""
    with pytest.raises(ConfigurationError, match=r"the layout .* cannot be used") as caught:
        Layout.parse(template)

    assert why in caught.value.message
    assert all(field in caught.value.next_step for field in FIELDS)


def test_a_zone_moves_the_times():
    """The zone that the caller gives beats the device's wall clock; without either it is UTC."""
    berlin = ZoneInfo("Europe/Berlin")

    assert "0400" == path("{start:%H%M}", timezone=berlin)[:4]
    assert "0300" == path("{start:%H%M}", recording(utc_offset=None))[:4]


def test_a_bound_camera_keeps_its_folder():
    """What the host has bound counts, not what the channel is called today."""
    bound = {"camera": "Cam01-gate"}

    assert "Cam01-gate/20240101_100000.mp4" == path("{camera}/{start}", **bound)
    names = _paths.names(recording("New name"), DEST, "mp4", **bound)
    assert DEST / "Cam01-gate" / "Cam01-gate_20240101_100000.mp4" == names.path(names.stem, "mp4")


@pytest.mark.parametrize("camera", ["", "..", "a/b", "a\\b", ".hidden", "aux"])
def test_a_bound_camera_must_be_a_plain_name(camera):
    """A host's folder cannot lead out of the destination either."""
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        path("{camera}/{start}", camera=camera)
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        _paths.names(recording(), DEST, "mp4", camera=camera)


def test_mp4_files_step_aside_twice():
    """First by the device's name for the item, as without a template, then by the key's digest."""
    names = Layout.parse("all").names(recording(), DEST, "mp4")

    assert ("all", "all_00000000955000913", "all_35f8dc10", False) == (
        names.stem,
        names.spare,
        names.last,
        names.telling,
    )


def test_the_default_template_is_the_default():
    """Whoever writes it out finds the files that are there."""
    for container in ("mp4", "original"):
        made = Layout.parse(DEFAULT).names(recording(), DEST, container)
        assert _paths.names(recording(), DEST, container) == attrs.evolve(made, last=None)


@pytest.mark.parametrize(
    ("template", "stem"),
    [("{start}", "20240101_100000_35f8dc10"), ("{key8}/{start}", "20240101_100000")],
)
def test_originals_carry_the_digest(template, stem):
    """Their bytes cannot be marked: the digest is appended unless it is in the path already."""
    names = Layout.parse(template).names(recording(), DEST, "original")

    assert (stem, None, None, True) == (names.stem, names.spare, names.last, names.telling)


def test_a_digest_needs_no_spare_name():
    """No other recording can want the name of an MP4 file that has it."""
    names = Layout.parse("{key8}").names(recording(), DEST, "mp4")

    assert (None, None) == (names.spare, names.last)


def test_long_names_are_cut_where_they_still_differ():
    """Each part fits into a file system, with all that comes behind it."""
    template = "{device}_{camera}_{channel_name}_{item}_{provider}"
    first, second = (
        path(
            template, recording("x" * 60, device="D" * 60, item=f"{'i' * 60}{n}", provider="p" * 50)
        )
        for n in (1, 2)
    )

    assert first != second
    assert 180 + len(".mp4") == len(first)


def test_a_channel_with_a_name_that_windows_reserves():
    """A camera that somebody has called "con" gets a folder all the same."""
    assert "con-/x.mp4" == path("{channel_name}/x", recording("CON"))


@pytest.mark.parametrize(
    ("name", "channel", "expected"),
    [("", "7", "7"), ("摄像机", "7", "7"), ("!", "ABC-1", "ABC-1"), ("", "a/b", "a-b-c14cddc0")],
)
def test_a_channel_without_a_usable_name_goes_by_its_number(name, channel, expected):
    """No part of a path is ever empty."""
    assert f"{expected}.mp4" == path("{channel_name}", recording(name, channel=channel))


_WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
_PARTS = st.lists(
    st.sampled_from([*(f"{{{field}}}" for field in FIELDS), "{start:%Y/%m}", "-", "x", "/"]),
    min_size=1,
    max_size=8,
).map("".join)


@given(_PARTS, _WORDS, _WORDS, _WORDS, _WORDS, _WORDS, st.sampled_from(["mp4", "original"]))
@example("{channel_name}/{device}", "../../etc", "..", "/", "con", "\0", "mp4")
def test_no_word_of_a_device_leads_out_of_the_destination(
    template, name, device, channel, stream, item, container
):
    """Whatever a device says, the path stays below the destination, in plain names that fit."""
    try:
        layout = Layout.parse(template)
    except ConfigurationError:
        return
    one = recording(name, device=device, channel=channel, stream=stream, item=item)
    names = layout.names(one, DEST, container)

    for stem in filter(None, (names.stem, names.spare, names.last)):
        made = names.path(stem, "mp4").relative_to(DEST)
        assert all(_paths.is_plain(part) for part in made.parts)
        assert max(len(part.encode()) for part in made.parts) <= 255 - len("..12345678.part")


@given(st.text(max_size=40))
def test_any_text_is_a_template_or_refused_in_words(template):
    """No other error gets out, and what is accepted makes a plain path."""
    try:
        layout = Layout.parse(template)
    except ConfigurationError:
        return

    names = layout.names(recording(), DEST, "mp4")
    assert not names.folder.is_absolute()
    assert ".." not in names.folder.parts
