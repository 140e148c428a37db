"""HLS playlists: what becomes of a server's text, and what is refused."""

from __future__ import annotations

import io
import traceback

from pathlib import Path

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

import camsync

from camsync import CamsyncError, DownloadUnsupportedError, ProtocolError, ShortReadError
from camsync._secret import Secret
from camsync.providers.imou import _playlist
from camsync.transport._traces import chain


BASE = "https://media.easy4ip.com/a/b/list.m3u8?sign=t0psecret"
LOCAL = "http://127.0.0.1:8080/list.m3u8?sign=t0psecret"
TOKEN = "t0psecret"
PACKAGE = str(Path(camsync.__file__).parent)


def read(text, base=BASE, **options):
    """Read a playlist."""
    data = text if isinstance(text, bytes) else text.encode()
    return _playlist.read_playlist(io.BytesIO(data), Secret(base), **options)


def media(*lines, ended=True, first=0):
    """Return the text of a playlist of segments."""
    head = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    return "\n".join([*head, *lines, *(["#EXT-X-ENDLIST"] if ended else [])]) + "\n"


def shown(error):
    """Return all that a debugger would show of our own frames, and all words of the chain."""
    parts = []
    for one in chain(error):
        parts += [str(one), repr(one.args), repr(vars(one))]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE) or "m3u8" in frame.f_code.co_filename:
                parts += map(repr, frame.f_locals.values())
    return "\n".join(parts)


# -- What comes out


def test_a_plain_playlist():
    """Relative addresses belong to the playlist's own, and numbers begin where it says."""
    found = read(media("#EXTINF:4.0,", "1.ts?t=1", "#EXTINF:3.5,title", "/x/2.ts", first=7))

    assert (7, 9, True, 4.0) == (found.first, found.next, found.ended, found.target)
    assert [(7, 4.0, None, None), (8, 3.5, None, None)] == [
        (each.number, each.seconds, each.span, each.key) for each in found.segments
    ]
    assert [
        "https://media.easy4ip.com/a/b/1.ts?t=1",
        "https://media.easy4ip.com/x/2.ts",
    ] == [each.uri.reveal() for each in found.segments]
    assert found.segments[1] == found.get(8)
    assert (None, None) == (found.get(6), found.get(9))


def test_odd_but_readable():
    """Line ends of Windows, a byte order mark, odd dates, comments and no numbers are borne."""
    text = (
        "\ufeff#EXTM3U\r\n#EXT-X-PROGRAM-DATE-TIME:yesterday\r\n\r\n# hi\r\n#EXTINF:2\r\na.ts\r\n"
    )
    found = read(text)

    assert (0, False, 2.0, 1) == (found.first, found.ended, found.target, len(found.segments))


def test_empty_playlist():
    """One that is about to grow has no segment yet."""
    found = read("#EXTM3U\n#EXT-X-TARGETDURATION:nan\n")

    assert (0, (), _playlist._DEFAULT_TARGET) == (found.next, found.segments, found.target)


def test_byte_ranges_follow_each_other():
    """A range without a begin follows the one before it in the same file."""
    found = read(
        media(
            *("#EXTINF:1,", "#EXT-X-BYTERANGE:100@50", "a.ts"),
            *("#EXTINF:1,", "#EXT-X-BYTERANGE:10", "a.ts"),
            *("#EXTINF:1,", "#EXT-X-BYTERANGE:5@0", "b.ts"),
        )
    )

    assert [(50, 149), (150, 159), (0, 4)] == [each.span for each in found.segments]


def test_keys():
    """A key holds until the next one; its vector is given or left to the number."""
    found = read(
        media(
            *('#EXT-X-KEY:METHOD=AES-128,URI="k1?t=1"', "#EXTINF:1,", "1.ts", "#EXTINF:1,", "2.ts"),
            *('#EXT-X-KEY:METHOD=AES-128,URI="k2",IV=0xff', "#EXTINF:1,", "3.ts"),
            *("#EXT-X-KEY:METHOD=NONE", "#EXTINF:1,", "4.ts"),
        )
    )
    one, two, three, four = (each.key for each in found.segments)

    assert one is two
    assert ("https://media.easy4ip.com/a/b/k1?t=1", None) == (one.uri.reveal(), one.iv)
    assert (bytes(15) + b"\xff", None) == (three.iv, four)


def test_the_best_video_is_chosen():
    """Of several qualities the best that is video, whatever the order."""
    found = read(
        "#EXTM3U\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=900,CODECS="mp4a.40.2"\nsound.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=300,CODECS="avc1.4d,mp4a.40.2"\nlow.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=800,RESOLUTION=1x1,CODECS="new"\nhigh.m3u8\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=400\nplain.m3u8\n"
    )

    assert (800, "https://media.easy4ip.com/a/b/high.m3u8") == (
        found.bandwidth,
        found.best.reveal(),
    )


def test_sound_that_comes_apart_is_told(caplog):
    """Footage without its sound is worth more than none, but that is not kept secret."""
    master = "#EXTM3U\n{}#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=a\nlist.m3u8\n"
    read(master.format('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b"\n'))
    assert [] == caplog.messages
    read(master.format('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b",URI="s?t=t0psecret"\n'))

    assert ["the service offers the sound apart from the video: it is left out"] == caplog.messages


def test_nothing_shows_addresses():
    """They are signed: neither a playlist nor a segment shows them."""
    found = read(
        media('#EXT-X-KEY:METHOD=AES-128,URI="k?s=t0psecret"', "#EXTINF:1,", "1?s=t0psecret")
    )

    assert TOKEN not in repr(found)
    assert TOKEN not in str(attrs.asdict(found))


pieces = st.lists(
    st.tuples(
        st.floats(0, 100).map(lambda value: round(value, 3)),
        st.one_of(st.none(), st.tuples(st.integers(1, 1000), st.integers(0, 1000))),
        st.sampled_from(["", "#EXT-X-DISCONTINUITY", "# comment", "#EXT-X-NEW:1", "   "]),
        st.sampled_from(["", "AES"]),
    ),
    max_size=20,
)


@given(
    pieces=pieces, first=st.integers(0, 2**40), ended=st.booleans(), end=st.sampled_from(["", "\r"])
)
def test_what_goes_in_comes_out(pieces, first, ended, end):
    """Whatever else stands between them, all segments come out, in order, with what is theirs."""
    lines, expected = [], []
    for index, (seconds, span, noise, method) in enumerate(pieces):
        key = f'METHOD=AES-128,URI="k{index}"' if method else "METHOD=NONE"
        lines += [noise, f"#EXT-X-KEY:{key}", f"#EXTINF:{seconds},"]
        lines += [f"#EXT-X-BYTERANGE:{span[0]}@{span[1]}"] if span else []
        lines += [f"{index}.ts?token=1"]
        whole = (span[1], span[1] + span[0] - 1) if span else None
        expected.append((first + index, seconds, whole, f"/a/b/{index}.ts?token=1", bool(method)))
    found = read(media(*lines, ended=ended, first=first).replace("\n", end + "\n"))

    assert ended is found.ended
    assert expected == [
        (
            each.number,
            each.seconds,
            each.span,
            each.uri.reveal().removeprefix("https://media.easy4ip.com"),
            each.key is not None,
        )
        for each in found.segments
    ]


# -- What is refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a text came that is no playlist"),
        (b"\xff\xfe", "cannot be read"),
        ("<html>t0psecret</html>", "a document came that is no playlist"),
        ('{"code": "TK1002"}', "a document came that is no playlist"),
        (media("1.ts"), "belong to nothing"),
        (media("#EXTINF:1,"), "belong to nothing"),
        (media("#EXTINF:t0psecret,", "1.ts"), "cannot be read"),
        (media("#EXT-X-BYTERANGE:5@0", "1.ts"), "cannot be read"),
        (media("#EXTINF:-1,", "1.ts"), "lasts -1.0 s"),
        (media("#EXTINF:nan,", "1.ts"), "lasts nan s"),
        (media("#EXTINF:1e9,", "1.ts"), "lasts 1000000000.0 s"),
        (media("#EXTINF:1,", "1.ts", first=-1), "counts its segments"),
        (media("#EXTINF:1,", "1.ts", first=1 << 63), "counts its segments"),
        (media("#EXTINF:1,", "1.ts", first="9" * 60), "counts its segments"),
        (media("#EXTINF:1,", "#EXT-X-BYTERANGE:5", "1.ts"), "byte range"),
        (media("#EXTINF:1,", "#EXT-X-BYTERANGE:0@5", "1.ts"), "byte range"),
        (media("#EXTINF:1,", "#EXT-X-BYTERANGE:t0psecret", "1.ts"), "byte range"),
        (media("#EXT-X-KEY:METHOD=AES-128", "#EXTINF:1,", "1.ts"), "cannot be read"),
        (media('#EXT-X-KEY:METHOD=AES-128,URI="k",IV=7', "#EXTINF:1,", "1.ts"), "vector"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n#EXTINF:1,\nb\n", "both kinds at once"),
    ],
)
def test_what_makes_no_sense(text, words):
    """A playlist that is not understood as a whole is not used in part, and not quoted."""
    with pytest.raises(ProtocolError, match=words) as caught:
        read(text)
    assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n" + "#" * (_playlist.LONGEST + 1),
        "#EXTM3U\n" + "a\n" * (_playlist.MOST_SEGMENTS + 1),
        "#EXTM3U\n#" + "x" * 9000,
    ],
)
def test_what_is_too_long(text):
    """Size, segments and lines are counted before anything is parsed."""
    with pytest.raises(ProtocolError, match="too long"):
        read(text)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"'], "SAMPLE-AES"),
        (['#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="com.apple"'], "cannot undo"),
        (['#EXT-X-MAP:URI="init.mp4"'], "fragmented MP4"),
        (["#EXT-X-SKIP:SKIPPED-SEGMENTS=3"], "left out"),
        (['#EXT-X-DEFINE:NAME="a",VALUE="b"'], "variables"),
        (["#EXT-X-I-FRAMES-ONLY"], "single pictures"),
    ],
)
def test_what_is_not_supported(lines, words):
    """What camsync does not do, it says, and does not try."""
    with pytest.raises(DownloadUnsupportedError, match=words):
        read(media(*lines, "#EXTINF:1,", "1.ts"))


def test_sound_alone_is_not_supported():
    """Footage is what moves."""
    with pytest.raises(DownloadUnsupportedError, match="only sound"):
        read('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\na.m3u8\n')


def test_a_gap_is_a_loss():
    """A segment that the service itself has lost is never passed over."""
    with pytest.raises(ShortReadError, match="has lost"):
        read(media("#EXTINF:1,", "#EXT-X-GAP", "1.ts"))


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "data:video/mp2t;base64,AAAA",
        "ftp://media.easy4ip.com/1.ts",
        "http://media.easy4ip.com/1.ts?t0psecret",
        "https://user:t0psecret@media.easy4ip.com/1.ts",
        "https://10.0.0.1/1.ts",
        "https://127.0.0.1/1.ts",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/1.ts",
        "https://[fe80::1%25eth0]/1.ts",
        "https://localhost/1.ts",
        "https://nas.local/1.ts",
        "https://2130706433/1.ts",
        "https://127.1/1.ts",
        "https://0x7f000001/1.ts",
        "https://224.0.0.1/1.ts",
        "https://[/1.ts",
        "https://media.easy4ip.com:99999/1.ts",
        "a b.ts",
    ],
)
@pytest.mark.parametrize("place", ["segment", "key", "master"])
def test_forbidden_addresses(uri, place):
    """A playlist leads neither to files nor into the user's own network."""
    lines = {
        "segment": media("#EXTINF:1,", uri),
        "key": media(f'#EXT-X-KEY:METHOD=AES-128,URI="{uri}"', "#EXTINF:1,", "1.ts"),
        "master": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{uri}\n",
    }
    with pytest.raises(ProtocolError, match="the playlist names") as caught:
        read(lines[place])
    assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize(
    ("base", "uri"),
    [
        (BASE, "https://cdn.example.com/1.ts"),
        (BASE, "https://8.8.8.8/1.ts"),
        (BASE, "https://media.easy4ip.com:8443/1.ts"),
        ("https://10.1.2.3/list.m3u8", "1.ts"),
        (LOCAL, "1.ts"),
        (LOCAL, "http://localhost:9/1.ts"),
        (LOCAL, "https://cdn.example.com/1.ts"),
    ],
)
def test_allowed_addresses(base, uri):
    """Other public hosts, the playlist's own host, and a simulator on this computer are fine."""
    assert 1 == len(read(media("#EXTINF:1,", uri), base).segments)


def test_hosts_can_be_limited():
    """What the caller does not allow is not asked; the playlist's own host always is."""
    text = media("#EXTINF:1,", "https://cdn.example.com/1.ts")

    assert read(text, allowed=lambda host: host == "cdn.example.com").segments
    assert read(media("#EXTINF:1,", "1.ts"), allowed=lambda _: False).segments
    with pytest.raises(ProtocolError, match=r"cdn\.example\.com"):
        read(text, allowed=lambda _: False)
    with pytest.raises(ProtocolError, match=r"cdn\.example\.com"):
        read(media("#EXTINF:1,", "http://cdn.example.com/1.ts"), LOCAL)


GOOD = media(
    *('#EXT-X-KEY:METHOD=AES-128,URI="k?t=t0psecret",IV=0x01', "#EXTINF:1,", "1.ts?t=t0psecret"),
    *("#EXTINF:1,", "#EXT-X-BYTERANGE:5@0", "2.ts?t=t0psecret"),
).encode()


@given(
    at=st.integers(0, len(GOOD)),
    gone=st.integers(0, 40),
    put=st.one_of(st.binary(max_size=20), st.sampled_from([b"\n", b"=", b'"', b"#EXT-X-KEY:"])),
)
def test_damaged_playlists(at, gone, put):
    """Whatever happened to the text, there is a playlist or an error of ours, without secrets."""
    try:
        found = read(GOOD[:at] + put + GOOD[at + gone :])
    except CamsyncError as error:
        assert TOKEN not in shown(error)  # noqa: PT017 - either is right
    else:
        assert TOKEN not in repr(found)


# -- Whether two are the same


def listed(*pieces, first=0, ended=True):
    """Return a playlist of the given names and seconds."""
    lines = [line for name, seconds in pieces for line in (f"#EXTINF:{seconds},", name)]
    return read(media(*lines, first=first, ended=ended))


OLD = listed(("1.ts", 4), ("2.ts", 4), ("3.ts", 2))


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (listed(("1.ts?t=2", 4), ("2.ts?t=2", 4), ("3.ts?t=2", 2.004)), True),
        (listed(("x.ts", 4), ("y.ts", 4), ("z.ts", 2)), True),
        (listed(("2.ts", 4), ("3.ts", 2), first=1), True),
        (listed(("1.ts", 4), ("2.ts", 4), ended=False), True),
        (listed(("1.ts", 4), ("2.ts", 4)), False),
        (listed(("1.ts", 4), ("2.ts", 4), ("3.ts", 2), ("4.ts", 2)), False),
        (listed(("1.ts", 4), ("2.ts", 3), ("3.ts", 2)), False),
        (listed(("0.ts", 4), ("1.ts", 4), ("2.ts", 2)), False),
        (listed(("1.ts", 4), ("2.ts", 4), ("3.ts", 2), first=1), False),
    ],
)
def test_what_continues_a_playlist(new, expected):
    """Numbers, lengths and names must not contradict; other names alone are no contradiction."""
    assert expected is new.continues(OLD)


def test_what_grew_continues_a_playlist():
    """A playlist that was not complete may become longer."""
    growing = listed(("1.ts", 4), ("2.ts", 4), ended=False)

    assert OLD.continues(growing)
    assert listed(("1.ts", 4), ("2.ts", 4)).continues(growing)
    assert not listed(("1.ts", 4)).continues(growing)


def test_many_keys_cost_little():
    """Each replaces the one before; the parser's own list of them would take hours."""
    keys = [f'#EXT-X-KEY:METHOD=AES-128,URI="k{n}"' for n in range(60_000)]
    (found,) = read(media(*keys, "#EXTINF:1,", "1.ts")).segments

    assert found.key.uri.reveal().endswith("/k59999")


def test_where_the_clock_begins_anew():
    """The tag belongs to the segment behind it."""
    found = read(media("#EXTINF:1,", "1.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:3,", "2.ts"))

    assert [False, True] == [one.restarts for one in found.segments]
    assert (2.0, 0.0) == (found.usual, read(media()).usual)


@pytest.mark.parametrize(
    "host",
    [
        "router",
        "router.",
        "nas.lan",
        "NAS.LAN.",
        "x.home.arpa",
        "x.home",
        "x.intranet",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::1]",
        "[2001:0:a00:1::f5ff:fffe]",
    ],
)
def test_names_and_numbers_of_networks_at_home(host):
    """What only leads into a private network is not asked, whatever it looks like."""
    with pytest.raises(ProtocolError, match="does not ask for media"):
        read(media("#EXTINF:1,", f"https://{host}/1.ts"))


@pytest.mark.parametrize("host", ["cdn.example.com", "[64:ff9b::808:808]", "[2002:808:808::1]"])
def test_names_and_numbers_of_the_internet(host):
    """Translated addresses of public hosts are public."""
    assert 1 == len(read(media("#EXTINF:1,", f"https://{host}/1.ts")).segments)
