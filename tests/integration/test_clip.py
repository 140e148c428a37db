"""`clip` against the simulators: the pictures are those that the recorder has, when it has them."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import threading
import time

from zoneinfo import ZoneInfo

import av
import pytest

from camsync import (
    CancelledError,
    FootageGapError,
    RecordingInProgressError,
    RecordingNotFoundError,
    RetryPolicy,
    Stage,
    TimeSpan,
    connect,
    download,
)
from camsync._time import utcnow
from camsync.providers.imou import ImouClient
from camsync.sync._clip import clip


UTC = dt.timezone.utc
BERLIN = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"
QUICK = RetryPolicy(attempts=2, initial=0.0, total=5.0)


def seconds(count: float) -> dt.timedelta:
    """Return a stretch of time."""
    return dt.timedelta(seconds=count)


@pytest.fixture
def recorder(recorder_simulator):
    """A function that starts a recorder and returns it, its provider and its first channel."""
    running = []

    def start(**options):
        options = {"hours": 0.3, "channels": 1, "segment_seconds": 20, **options}
        simulator = recorder_simulator(**options)
        provider = connect(simulator.connect_url, password=simulator.password)
        running.append(provider)
        return simulator, provider, provider.channels()[0]

    yield start
    for provider in running:
        provider.close()


@pytest.fixture
def account(imou_simulator):
    """A function that starts an Imou account and returns it, its client and its first channel."""
    running = []

    def start(**options):
        client = options.pop("client", {})
        options = {"hours": 0.5, "devices": 1, "segment_seconds": 20, **options}
        simulator = imou_simulator(**options)
        provider = ImouClient(
            simulator.app_id,
            simulator.app_secret,
            base_url=simulator.base_url,
            retry=QUICK,
            **client,
        )
        running.append(provider)
        return simulator, provider, provider.channels()[0]

    yield start
    for provider in running:
        provider.close()


def film(path):
    """Return each picture of a file: when it was taken, by ``creation_time`` and offset, and it."""
    with av.open(str(path)) as container:
        zero = dt.datetime.fromisoformat(container.metadata["creation_time"].replace("Z", "+00:00"))
        stream = container.streams.video[0]
        return [
            (zero + seconds(round(float(packet.pts * packet.time_base), 3)), bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def truth(provider, recordings, span, folder):
    """Return what a clip of *span* must hold, from the whole recordings: later ones win."""
    shown = {}
    for number, recording in enumerate(recordings):
        whole = film(download(provider, recording, folder / f"{number}.mp4").path)
        shown = {when: data for when, data in shown.items() if when < recording.start}
        shown.update(whole)
    begin = span.start.replace(microsecond=0)  # the simulators have a key frame each second
    return [(when, shown[when]) for when in sorted(shown) if begin <= when < span.end]


def finished(provider, channel, place="01", minutes=10):
    """Return what has been recorded to the end, without what is inside something else."""
    found = []
    for each in provider.search(channel, TimeSpan.last(minutes=minutes)):
        inside = found and each.end <= found[-1].end
        if each.key.stream == place and not each.in_progress and not inside:
            found.append(each)
    return found


@pytest.mark.parametrize(
    ("first", "begin", "last", "end"),
    [(0, 5.5, 0, 12.02), (0, 15.3, 1, 7), (0, 12, 2, 3.5), (1, 0, 1, 20), (0, 20, 2, 0)],
    ids=["one", "two", "three", "border to border", "one between two borders"],
)
def test_a_clip_holds_the_pictures_of_the_recorder(first, begin, last, end, recorder, tmp_path):
    """Byte for byte, each once, each at its time, whatever recordings overlap."""
    simulator, provider, channel = recorder(seed=3)
    found = finished(provider, channel)[1:5]
    span = TimeSpan(found[first].start + seconds(begin), found[last].start + seconds(end))
    expected = truth(provider, found[first : last + 1], span, tmp_path)

    made = clip(provider, channel, span, tmp_path / "clip.mp4")

    pictures = film(made.path)
    assert [when for when, _ in expected] == [when for when, _ in pictures]
    assert expected == pictures
    assert pictures[0][0] == made.parts[0].start <= span.start
    assert pictures[-1][0] < span.end <= made.parts[0].end
    assert {item.codec for item in simulator.recordings(1)} == {made.parts[0].codec.value}


@pytest.mark.parametrize("options", [{"codec": "h265"}, {"audio": "g711u"}, {"audio": "g711a"}])
def test_codecs_and_sound(options, recorder, tmp_path):
    """H.265, and sound of both kinds, over a joint."""
    _, provider, channel = recorder(**options)
    found = finished(provider, channel)
    span = TimeSpan(found[0].start + seconds(15), found[1].start + seconds(5))

    made = clip(provider, channel, span, tmp_path)

    assert 250 == made.parts[0].pictures
    assert pytest.approx(10) == made.parts[0].duration
    with av.open(str(made.path)) as container:
        sound = sum(float(each.duration * each.time_base) for each in container.streams.audio)
        assert 250 == sum(1 for _ in container.decode(video=0))
    assert pytest.approx(10 if "audio" in options else 0, abs=0.4) == sound


def test_the_clip_is_what_the_imou_cloud_has(account, tmp_path):
    """Transport streams from HLS, cloud and card: the footage of one place is enough."""
    simulator, provider, channel = account()
    card = finished(provider, channel, "sd")[1:4]
    span = TimeSpan(card[0].start + seconds(3.5), card[2].start + seconds(4))
    expected = truth(provider, card, span, tmp_path)

    made = clip(provider, channel, span, tmp_path / "clip.mp4")

    assert expected == film(made.path)
    clips = {each.start: each for each in simulator.history()}
    assert simulator.expected(clips[card[0].start]).codec == made.parts[0].codec.value


def test_pauses_of_the_cloud_are_gaps(account, tmp_path):
    """With the cloud alone, what it leaves out is missing."""
    _, provider, channel = account(client={"storage": "cloud"})
    found = finished(provider, channel, "cloud")
    first, second = next(pair for pair in itertools.pairwise(found) if pair[0].end < pair[1].start)
    span = TimeSpan(first.start, second.start + seconds(2))

    with pytest.raises(FootageGapError) as caught:
        clip(provider, channel, span, tmp_path, tolerance=seconds(0))
    made = clip(provider, channel, span, tmp_path, gaps="split", tolerance=seconds(0))

    assert (TimeSpan(first.end, second.start),) == caught.value.gaps
    assert [first.duration.total_seconds() * 25, 50] == [part.pictures for part in made.parts]


def test_a_gap_is_an_error_or_splits(recorder, tmp_path):
    """The error names the very gap; the parts end and begin at it."""
    simulator, provider, channel = recorder(gap_seconds=7, segment_seconds=10)
    first, second = finished(provider, channel)[:2]
    span = TimeSpan(first.start + seconds(5), second.start + seconds(5))

    with pytest.raises(FootageGapError) as caught:
        clip(provider, channel, span, tmp_path)
    bytes_sent = simulator.bytes_sent
    made = clip(provider, channel, span, tmp_path, gaps="split")

    assert 0 == bytes_sent
    assert (TimeSpan(first.end, second.start),) == caught.value.gaps
    assert [(span.start, first.end), (second.start, span.end)] == [
        (part.start, part.end) for part in made.parts
    ]
    assert [125, 125] == [part.pictures for part in made.parts]


def test_a_span_within_a_gap_has_no_footage(recorder, tmp_path):
    """Nothing was recorded then."""
    _, provider, channel = recorder(gap_seconds=9, segment_seconds=10)
    first = finished(provider, channel)[0]
    span = TimeSpan(first.end + seconds(3), first.end + seconds(6))

    with pytest.raises(RecordingNotFoundError):
        clip(provider, channel, span, tmp_path)


def test_before_the_first_footage_and_in_the_future(recorder, tmp_path):
    """What the recorder does not have any more, or not yet."""
    simulator, provider, channel = recorder()
    oldest = simulator.recordings(1)[0].start
    early = TimeSpan(oldest - seconds(30), oldest + seconds(5))
    later = TimeSpan(utcnow() + dt.timedelta(days=1), utcnow() + dt.timedelta(days=2))

    with pytest.raises(FootageGapError) as caught:
        clip(provider, channel, early, tmp_path)
    made = clip(provider, channel, early, tmp_path, gaps="split")
    with pytest.raises(RecordingNotFoundError):
        clip(provider, channel, later, tmp_path)

    assert (TimeSpan(early.start, oldest),) == caught.value.gaps
    assert (oldest, 125) == (made.parts[0].start, made.parts[0].pictures)


def test_what_is_being_written_can_be_had_up_to_now(recorder, tmp_path):
    """The newest recording gives what is on the disk already, and not what is yet to come."""
    simulator, provider, channel = recorder(segment_seconds=600)
    newest = simulator.recordings(1)[-1]
    begin = max(newest.start, utcnow() - seconds(30)).replace(microsecond=0) - seconds(20)
    past = TimeSpan(begin, begin + seconds(10))
    future = TimeSpan(begin, utcnow() + dt.timedelta(hours=1))

    made = clip(provider, channel, past, tmp_path)
    with pytest.raises(RecordingInProgressError):
        clip(provider, channel, future, tmp_path)

    assert 250 == made.parts[0].pictures


@pytest.mark.parametrize("season", ["spring", "autumn"])
def test_a_change_of_the_clocks_changes_nothing(season, recorder, tmp_path):
    """Over the hour that is missing, and over the one that comes twice."""
    change = _last_change(season)
    hours = math.ceil((utcnow() - change) / dt.timedelta(hours=1)) + 1
    _, provider, channel = recorder(hours=hours, timezone=BERLIN, segment_seconds=300)
    span = TimeSpan(change - seconds(15), change + seconds(15))

    made = clip(provider, channel, span, tmp_path)

    pictures = [when for when, _ in film(made.path)]
    assert [span.start + seconds(number / 25) for number in range(750)] == pictures
    wall = {"spring": "015945-", "autumn": "025945-"}[season]
    assert f"_{wall}" in made.path.name


def _last_change(season: str) -> dt.datetime:
    """Return when the clocks of Berlin changed last."""
    zone, now = ZoneInfo("Europe/Berlin"), utcnow()
    wanted = {"spring": dt.timedelta(hours=2), "autumn": dt.timedelta(hours=1)}[season]
    day = now.replace(hour=1, minute=0, second=0, microsecond=0)
    while True:
        day -= dt.timedelta(days=1)
        after, before = (each.astimezone(zone).utcoffset() for each in (day, day - seconds(1)))
        if after != before and after == wanted:
            return day


@pytest.mark.parametrize("how", ["whole", "damaged"])
def test_held_files_save_the_download(how, recorder, tmp_path):
    """No byte of video is asked for, unless a file is damaged."""
    simulator, provider, channel = recorder()
    first, second = finished(provider, channel)[:2]
    held = [download(provider, each, tmp_path / "held") for each in (first, second)]
    if how == "damaged":
        held[1].path.write_bytes(held[1].path.read_bytes()[:-1000])
    span = TimeSpan(first.start + seconds(15), second.start + seconds(5))
    simulator.reset_counters()

    made = clip(provider, channel, span, tmp_path, held=held)

    fetched = [path for _, path, _ in simulator.requests_log if "download" in path.lower()]
    assert (0 if how == "whole" else 1) == len(set(fetched))
    assert (how == "whole") == (0 == simulator.bytes_sent)
    assert 250 == made.parts[0].pictures


def test_a_catalogue_saves_the_download(recorder, tmp_path):
    """What a sync has brought to a destination is used from there."""
    pytest.importorskip("sqlalchemy")
    from camsync.catalogue import Catalogue

    simulator, provider, channel = recorder()
    first, second = finished(provider, channel)[:2]
    span = TimeSpan(first.start + seconds(15), second.start + seconds(5))
    with Catalogue(":memory:") as catalogue:
        holdings = catalogue.at(tmp_path / "footage")
        holdings.observe([first, second], batch="1")
        for each in (first, second):
            file = download(provider, each, tmp_path / "footage")
            holdings.verified(file, batch="1", sha256=file.sha256)
        simulator.reset_counters()

        made = clip(provider, channel, span, tmp_path, holdings=holdings)

    assert 0 == simulator.bytes_sent
    assert (first.key, second.key) == made.parts[0].sources


def test_a_clip_is_cancelled_within_a_second(recorder, tmp_path):
    """Even while a slow recorder sends; nothing is left behind."""
    _, provider, channel = recorder(bandwidth=400_000, bitrate=8_000_000)
    first = finished(provider, channel)[0]
    stop, begun = threading.Event(), []

    def on_event(event):
        if event.stage is Stage.DOWNLOAD and event.bytes_done and not begun:
            begun.append(time.monotonic())
            stop.set()

    with pytest.raises(CancelledError):
        clip(
            provider,
            channel,
            TimeSpan(first.start, first.start + seconds(10)),
            tmp_path / "clips",
            on_event=on_event,
            cancel=stop,
        )

    assert begun
    assert [] == list((tmp_path / "clips").iterdir())
