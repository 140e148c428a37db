"""What people type, on a command line, in a file of settings, or in a call."""

from __future__ import annotations

import datetime as dt

from pathlib import Path

from camsync._secret import Secret
from camsync._time import UTC, TimeSpan
from camsync._typed import parse_length, parse_moment, parse_since, parse_size
from camsync._url import read_url
from camsync._zone import parse_timezone
from camsync.download._layout import Layout
from camsync.download._limiter import Timetable, parse_rate
from camsync.errors import CamsyncError
from camsync.models import ChannelId, DeviceId, Recording, RecordingKey, RecordingKind
from camsync.transport import TLSPolicy
from camsync.transport._address import Address, is_public
from camsync.transport._place import is_loopback
from camsync.transport._place import read_url as read_place
from fuzz.bombs import text_bombs
from fuzz.registry import as_text, target


NOW = dt.datetime(2026, 3, 3, 20, 0, tzinfo=UTC)
_SHORT = 8192
_UNITS = [b"w", b"d", b"h", b"m", b"min", b"s", b"1w2d3h4m5s", b"now", b"9" * 18, b" "]
_ISO = [
    b"2026-09-26T08:00+08:00",
    b"2026-09-26",
    b"T",
    b"Z",
    b"+23:59",
    b"-23:59:59.999999",
    b"0001-01-01",
    b"9999-12-31T23:59:59.999999",
    b"W01-1",
    b".",
]


@target(
    "typed-length", lambda: [b"24h", b"2h30m", b"7d", *text_bombs("2h30m")], _UNITS, longest=_SHORT
)
def length(data: bytes) -> None:
    """A length of time: ``2h30m``."""
    parse_length(as_text(data))


@target(
    "typed-moment",
    lambda: [b"now", b"24h", *_ISO, *text_bombs("2026-09-26T08:00+08:00")],
    [*_UNITS, *_ISO],
    longest=_SHORT,
)
def moment(data: bytes) -> None:
    """A moment, or the begin of a sync, and the span that it makes."""
    text = as_text(data)
    parse_since(text, NOW)
    found = parse_moment(text, NOW)
    TimeSpan(found, NOW)


@target(
    "typed-size",
    lambda: [b"50G", b"1.5T", b"500 MiB", *text_bombs("50G")],
    [b"k", b"M", b"G", b"T", b"iB", b".", b"9" * 18, b" "],
    longest=_SHORT,
)
def size(data: bytes) -> None:
    """A size: ``50G``."""
    parse_size(as_text(data))


@target(
    "typed-rates",
    lambda: [b"500k", b"off", b"08:00,2M 18:00,20M 23:00,off", *text_bombs("08:00,2M 18:00,off")],
    [b"08:00,", b"23:59,", b"24:00,", b"off", b"2M", b" ", b",", b":", b"0.0000001"],
    longest=_SHORT,
)
def rates(data: bytes) -> None:
    """A rate, and a timetable of rates."""
    text = as_text(data)
    table = Timetable.parse(text)
    for hour in (0, 12, 23):
        table.rate_at(dt.time(hour))
    parse_rate(text)


@target(
    "typed-timezone",
    lambda: [b"Europe/Berlin", b"+08:00", b"CST-8:00:00", b"UTC", *text_bombs("Europe/Berlin")],
    [
        b"Europe/",
        b"Berlin",
        b"/",
        b"..",
        b"./",
        b"__init__.py",
        b"zone.tab",
        b"posix",
        b"+",
        b"-",
        b"CST",
        b"DST01:00:00,M3.5.0,M10.5.0",
        b"localtime",
        b"\0",
    ],
    longest=32 * 1024,
)
def timezone(data: bytes) -> None:
    """A time zone: a name, an offset, a recorder's own text."""
    found = parse_timezone(as_text(data))
    if found is not None:
        for year in (1900, 2026, 9000):
            f"{dt.datetime(year, 7, 1, tzinfo=UTC).astimezone(found):%Y-%m-%d %H:%M %Z}"


@target(
    "typed-key",
    lambda: [
        b"hik://DS-7616/101/20240101T100000Z/00000000214000000",
        b"imou://8L0D/0/cloud/20240101T100000Z/region%3A1",
        *text_bombs("hik://D/101/20240101T100000Z/x"),
    ],
    [
        b"hik://",
        b"/",
        b"101",
        b"20240101T100000Z",
        b"00010101T000000Z",
        b"%ff",
        b"%ed%a0%80",
        b"%2F",
        b"%",
    ],
    longest=_SHORT,
)
def key(data: bytes) -> None:
    """The key of a recording."""
    found = RecordingKey.parse(as_text(data))
    again = RecordingKey.parse(found.uri)
    if again != found:
        msg = f"{found!r} is read back as {again!r}"
        raise AssertionError(msg)


def _recording(name: str) -> Recording:
    made = RecordingKey(
        provider="hikvision",
        device=DeviceId(name or "D"),
        channel=ChannelId(name or "1"),
        start=NOW,
        item=name,
    )
    return Recording(
        key=made,
        channel_name=name,
        start=NOW,
        end=NOW + dt.timedelta(minutes=1),
        kind=RecordingKind.MOTION,
    )


_DEST = Path("/footage").absolute()


def _look(layout: Layout, name: str) -> None:
    for container in ("mp4", "original"):
        names = layout.names(_recording(name), _DEST, container)  # type: ignore[arg-type]
        if _DEST not in (names.folder / names.stem).resolve().parents:
            msg = f"{names.folder / names.stem} is not below the destination"
            raise AssertionError(msg)


@target(
    "typed-layout",
    lambda: [
        b"{camera}/{start:%Y-%m}/{camera}_{start:%Y%m%d_%H%M%S}",
        b"{device}/{channel:05}/{key8}-{kind}-{item}-{end:%H}",
        *text_bombs("{camera}/{start:%Y}"),
    ],
    [
        b"{camera}",
        b"{channel_name}",
        b"{start:",
        b"{end}",
        b"%Y",
        b"%s",
        b"%-d",
        b"%%",
        b"{",
        b"}",
        b"!r",
        b"..",
        b"/",
        b"~",
        b"CON",
        b"\\",
        b":",
        b"[0]",
        b".__class__",
        b"{item:09}",
    ],
    longest=_SHORT,
)
def layout(data: bytes) -> None:
    """A template for paths: nothing that it makes may lie outside of the destination."""
    _look(Layout.parse(as_text(data)), "Front Gate ../1")


@target(
    "device-names",
    lambda: [b"Front Gate", b"../../etc", *text_bombs("Camera 01")],
    [
        b"/",
        b"\\",
        b"..",
        b"CON",
        b"nul.",
        b".",
        b" ",
        b":",
        b"\xe9\x97\xa8",
        b"\xcc\x81",
        b"~",
        b"-",
        b"%",
    ],
    longest=_SHORT,
)
def device_names(data: bytes) -> None:
    """The names that devices give their channels, as parts of a path."""
    try:
        name = data.decode("utf-8")
    except UnicodeDecodeError:
        name = data.decode("utf-8", "surrogatepass") if data.isascii() else data.decode("latin-1")
    for template in (
        "{camera}/{camera}_{start}",
        "{device}/{channel}/{channel_name}/{item}_{key8}",
    ):
        _look(Layout.parse(template), name)


@target(
    "typed-url",
    lambda: [
        b"hikvision://admin@192.168.1.64:8080",
        b"hikvisions://[fe80::1%25eth0]",
        b"imou://main",
        b"https://openapi-sg.easy4ip.com/openapi?x=y",
        *text_bombs("hikvision://admin@192.168.1.64:8080"),
    ],
    [
        b"hikvision://",
        b"hikvisions://",
        b"https://",
        b"@",
        b":",
        b"[",
        b"]",
        b"[::1]",
        b"%25",
        b"%00",
        b"/",
        b"?",
        b"#",
        b"\\",
        b"0x7f.1",
        b"\xe2\x84\x80",
        b"\xef\xbc\x8f",
        b"99999",
    ],
    longest=_SHORT,
)
def url(data: bytes) -> None:
    """The address of a provider, of a cloud, and a host alone."""
    text = as_text(data)
    is_public(text)
    is_loopback(text)
    failures = []
    for read in (
        lambda: str(read_url(Secret(text), ["hikvision", "imou"])),
        lambda: str(read_place(Secret(text)).address),
        lambda: Address.of(text).url,
    ):
        try:
            read()
        except CamsyncError as error:
            failures.append(error)
    if len(failures) > 2:
        raise failures[0]


@target(
    "typed-verify",
    lambda: [
        b"sha256:" + b"0a" * 32,
        b"/etc/ssl/ca.pem",
        *text_bombs("sha256:" + "0A:" * 31 + "0A"),
    ],
    [b"sha256:", b":", b"0a", b"AA:", b"/", b"~root", b"~nobody-here/", b"\0", b"."],
    longest=_SHORT,
)
def verify(data: bytes) -> None:
    """The option *verify*: a fingerprint, or the path of a file."""
    policy = TLSPolicy.of(as_text(data))
    policy.context()
