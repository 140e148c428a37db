"""Files: settings, stores, profiles, dumps, and what the scrubber is given."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import functools
import hashlib
import json
import os
import tempfile

from pathlib import Path

from camsync._scrub import Scrubber, find_secrets
from camsync._secret import Secret
from camsync.catalogue import Catalogue
from camsync.credentials import Credential, CredentialName, CredentialStore
from camsync.credentials._book import Book, Unreadable
from camsync.credentials._bytes import SecretBytes, key_bytes
from camsync.credentials._fernet import Box, Payload
from camsync.credentials._format import parse
from camsync.credentials.file import EncryptedFileStore
from camsync.credentials.vpack import VpackTokenStore
from camsync.errors import CamsyncError
from camsync.profiles import Profiles
from camsync.providers.imou._tokens import ImouTokens
from camsync.sync._config import SyncConfig
from camsync.testing.imou import _dump as imou_dump
from camsync.testing.imou._cast import Defaults
from camsync.testing.recorder import _dump as recorder_dump
from camsync.testing.recorder._personality import PERSONALITIES
from fuzz.bombs import json_bombs, text_bombs, xml_bombs
from fuzz.registry import answers, as_text, target
from fuzz.targets_imou import JSON
from fuzz.targets_isapi import XML


KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
"""A key of no use to anybody: seeds are sealed with it."""


@functools.cache
def _folder() -> Path:
    """Return a folder of this process, in memory where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108
    place = memory if os.access(memory, os.W_OK) else None
    folder = tempfile.TemporaryDirectory(prefix="camsync-fuzz-", dir=place)
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _put(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as stream:  # noqa: PTH123 - Path.open takes no handle
        stream.write(data)


def _file(name: str, data: bytes) -> Path:
    path = _folder() / f"{os.getpid()}-{name}"
    _put(path, data)
    return path


_TOML = b"""\
catalogue = "catalogue.sqlite3"
bandwidth = "08:00,2M 18:00,off"
dest = "footage"
channels = ["101", 2]
kinds = ["motion"]
since = "7d"
layout = "{camera}/{start:%Y}"
container = "mp4"
timezone = "+08:00"
order = "oldest"
settle = "5m"
min_free = "50G"
max_files = 10
concurrency = 2
log = "sync.log"

[[source]]
url = "hikvision://admin@192.168.1.64"
span = [2026-09-26T08:00:00Z, "2026-09-26T12:00Z"]

[[source]]
profile = "front-shop"
storage = "both"
wake = true
max_traffic = "1G"

[hooks]
downloaded = ["true", "{path}"]
timeout = "30s"

[metrics]
file = "metrics.prom"
"""
_KEYS = sorted({line.split(b" =")[0] + b" = " for line in _TOML.splitlines() if b" = " in line})


def _tomls() -> list[bytes]:
    source = b'dest = "a"\n[[source]]\nurl = "hikvision://h"\n'
    return [
        _TOML,
        source,
        b"dest = " + b"[" * 10_000,
        b"dest = " + b"{a=" * 500 + b"1" + b"}" * 500,
        b"[" + b"a." * 20_000 + b"a]\n",
        b"max_files = " + b"9" * 5000,
        b"max_files = 0x" + b"f" * 5000,
        b"since = 0001-01-01\n" + source,
        b"since = 9999-12-31T23:59:59-23:59\n" + source,
        b"span = [0001-01-01T00:00:00, 9999-12-31]\n" + source,
        b"bandwidth = inf\n" + source,
        b"bandwidth = nan\n" + source,
        b'dest = "~nobody-here/x"\n' + source,
        b'dest = "a\\u0000b"\n' + source,
        b'password = "x"\n',
        b"kinds = [[], {}]\n",
        source * 300,
        b"".join(b"a%d = 1\n" % number for number in range(20_000)),
        _TOML.decode().encode("utf-16"),
        *text_bombs("dest = 1"),
    ]


@target(
    "file-toml",
    _tomls,
    [
        *_KEYS,
        b"[[source]]\n",
        b"[source]\n",
        b"[hooks]\n",
        b"[metrics]\n",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"'''",
        b"= ",
        b"inf",
        b"nan",
        b"true",
        b"1979-05-27T07:32:00-23:59",
        b"07:32:00",
        b"0001-01-01",
        b'"\\u0000"',
        b'"~x/"',
        b'"~nobody-here/x"',
        b"-1",
        b"1.5",
        b"\n",
        b"#",
    ],
)
def toml(data: bytes) -> None:
    """``camsync.toml``: all of it, to the calls that it asks for."""
    path = _file("camsync.toml", data)
    config = SyncConfig.load(path)
    config.tasks()
    config.limiter()
    _ = config.places


_PROFILE = {
    "camsync_profiles": 1,
    "profiles": [
        {"name": "front-shop", "provider": "hikvision", "host": "192.168.1.64", "port": 80},
        {"name": "main", "provider": "imou", "host": "sg", "learnt": {"zones": {}}, "max_calls": 9},
    ],
}


@target(
    "file-profiles",
    lambda: [
        json.dumps(_PROFILE).encode(),
        *json_bombs('{"camsync_profiles":1,"profiles":[', "]}"),
        *json_bombs('{"camsync_profiles":', "}"),
    ],
    [
        *JSON,
        b'"name":',
        b'"host":',
        b'"port":',
        b'"verify":',
        b'"learnt":',
        b'"profiles":',
        b'"https":',
    ],
)
def profiles(data: bytes) -> None:
    """``profiles.json``, and what a provider makes of what was learnt."""
    path = _file("profiles.json", data)
    for profile in Profiles(path).all():
        profile.options()
        _ = profile.at


def _sealed_book() -> bytes:
    path = _folder() / "seed-credentials"
    path.unlink(missing_ok=True)
    store = EncryptedFileStore(path, key=KEY)
    store.set("hikvision", "front-shop", Credential(username="admin", secret=Secret("secret-1")))
    return path.read_bytes()


def _with_digest(lines: bytes) -> bytes:
    return lines + b"sha256:" + hashlib.sha256(lines).hexdigest().encode() + b"\n"


def _stores() -> list[bytes]:
    good = _sealed_book()
    header, body, _ = good.splitlines(keepends=True)
    costly = b'{"name":"scrypt","n":1073741824,"r":8,"p":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}'
    odd = [header.replace(b'"kdf":', b'"kdf":' + costly + b',"x":'), header[:-2] + b"\n", b"{}\n"]
    nested = [b'{"camsync_credentials":' + value + b"}\n" for value in json_bombs()]
    return [
        good,
        *(_with_digest(one + body) for one in (*odd, *nested)),
        *json_bombs(),
        *text_bombs(),
    ]


@target(
    "file-credentials",
    _stores,
    [
        b'"kdf":',
        b'"scrypt"',
        b'"hkdf-sha256"',
        b'"n":',
        b'"salt":',
        b'"check":',
        b"\n",
        b"sha256:",
        b"[",
        b"=",
    ],
)
def credentials(data: bytes) -> None:
    """The encrypted store: as it is, and with a digest that somebody has corrected."""
    failure = None
    lines = data.split(b"\n")
    for content in (data, _with_digest(b"\n".join(lines[:2]) + b"\n")):
        try:
            parse(content, "the store")
        except CamsyncError as error:
            failure = error
    if failure is not None:
        raise failure


@target(
    "file-book",
    lambda: [
        b'[\n{"provider":"hikvision","account":"a","owner":null,"username":"u","secret":"s"}\n]',
        *json_bombs("[\n", "\n]"),
    ],
    [*JSON, b'"provider":', b'"account":', b'"owner":', b'"username":', b'"secret":', b"\n"],
)
def book(data: bytes) -> None:
    """What is inside of the encrypted store, once it is decrypted."""
    with contextlib.suppress(Unreadable):  # the store says which file it is
        found = Book(SecretBytes(data))
        for name in (CredentialName("hikvision", "a"), *found.names()):
            found.get(name)


def _vpack() -> list[bytes]:
    box = Box([Secret(KEY)])
    inside = Payload({"username": "admin", "password": "secret-2", "host": "1.2.3.4", "port": 80})
    made = {"nvr_id": "1.2.3.4_80", "provider": "hikvision", "encrypted_data": box.seal(inside)}
    return [
        json.dumps(made).encode(),
        *json_bombs('{"provider":"hikvision","nvr_id":"1.2.3.4_80","encrypted_data":', "}"),
        *json_bombs('{"encrypted_data":"","nvr_id":', "}"),
    ]


@target(
    "file-vpack",
    _vpack,
    [
        *JSON,
        b'"encrypted_data":',
        b'"nvr_id":',
        b'"account_id":',
        b'"provider":',
        b'"owner":',
        b"hikvision",
    ],
)
def vpack(data: bytes) -> None:
    """A folder of VPACK's tokens."""
    folder = _folder() / f"{os.getpid()}-tokens"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "hikvision_1.2.3.4_80.json"
    _put(path, data)
    store: CredentialStore = VpackTokenStore(folder, KEY)
    failure = None
    for read in (lambda: list(store.names()), lambda: store.get("hikvision", "1.2.3.4_80")):
        try:
            read()
        except CamsyncError as error:
            failure = error
    if failure is not None:
        raise failure


@target(
    "file-fernet",
    lambda: [
        Box([Secret(KEY)]).seal(Payload({"token": "x"})).encode(),
        KEY.encode(),
        *text_bombs(KEY),
    ],
    [b"gAAAAA", b"=", b"==", b"-", b"_", b"+", b"/", b"\n"],
    longest=8192,
)
def fernet(data: bytes) -> None:
    """A token of VPACK's, and the text of a key."""
    failures = []
    for read in (
        lambda: Box([Secret(KEY)]).open(as_text(data), "the file"),
        lambda: key_bytes(Secret(as_text(data))),
    ):
        try:
            read()
        except CamsyncError as error:
            failures.append(error)
    if len(failures) > 1:
        raise failures[0]


def _tokens() -> list[bytes]:
    made = ImouTokens(
        base="https://gateway.example",
        access=Secret("At_1"),
        refresh=Secret("Rt_1"),
        renew=dt.datetime(2026, 3, 3, tzinfo=dt.timezone.utc),
        account="a",
    )
    plain = made.credential().secret.reveal()
    head = plain.partition(" ")[0] + " 1, "
    rest = '"base":"b","refresh":null,"renew":null,"access":'
    late = '"base":"b","refresh":null,"access":"a","renew":'
    return [
        plain.encode(),
        *json_bombs(head + rest, "}"),
        *json_bombs(head + late, "}"),
        *json_bombs(),
    ]


@target(
    "file-imou-tokens",
    _tokens,
    [*JSON, b'"access":', b'"refresh":', b'"renew":', b'"base":', b'"0001-01-01T00:00:00+23:59"'],
)
def imou_tokens(data: bytes) -> None:
    """Tokens of an Imou account, as a store holds them."""
    found = ImouTokens.of(Credential(username="a", secret=Secret(as_text(data) or "x")))
    repr(found)
    found.credential()


_ENDPOINTS = {
    "System/deviceInfo": "GET /ISAPI/System/deviceInfo",
    "System/time": "GET /ISAPI/System/time",
    "ContentMgmt/InputProxy/channels": "GET /ISAPI/ContentMgmt/InputProxy/channels",
    "System/Video/inputs/channels": "GET /ISAPI/System/Video/inputs/channels",
}


def _recorder_dumps() -> list[bytes]:
    endpoints = {
        name: {"status": 200, "content_type": "application/xml", "body": answers(key)[0].decode()}
        for key, name in _ENDPOINTS.items()
    }
    whole = {
        "camsync_dump": 1,
        "model": "DS-1",
        "observed": {"z_means": "utc"},
        "endpoints": endpoints,
    }
    inner = ['{"camsync_dump":1,"endpoints":', '{"camsync_dump":1,"observed":']
    body = '{"camsync_dump":1,"endpoints":{"GET /ISAPI/System/deviceInfo":{"body":'
    bombs = [
        json.dumps(
            {"camsync_dump": 1, "endpoints": {_ENDPOINTS[key]: {"body": text.decode()}}}
        ).encode()
        for key, root, item in (
            ("System/deviceInfo", "DeviceInfo", "model"),
            ("ContentMgmt/InputProxy/channels", "L", "InputProxyChannel"),
        )
        for text in xml_bombs(root, item)
        if len(text) < 200_000 and text.isascii()
    ]
    return [
        json.dumps(whole).encode(),
        *bombs,
        *(bomb for opening in inner for bomb in json_bombs(opening, "}")),
        *json_bombs(body, "}}}"),
    ]


_DUMP_WORDS = [
    b'"endpoints":',
    b'"status":',
    b'"body":',
    b'"observed":',
    b'"error":',
    b'"camsync_dump":1',
]


@target(
    "dump-recorder", _recorder_dumps, [*JSON, *_DUMP_WORDS, *XML[:6], b"GET /ISAPI/System/time"]
)
def recorder_dumps(data: bytes) -> None:
    """A dump of a recorder, which the simulator plays."""
    path = _file("dump.json", data)
    recorder_dump.load(path).personality(next(iter(PERSONALITIES.values())))


def _imou_dumps() -> list[bytes]:
    def answer(name: str) -> dict[str, str]:
        return {"body": answers(name)[0].decode()}

    endpoints = {
        f"POST /openapi/{name}": answer(name)
        for name in ("listDeviceDetailsByPage", "deviceBaseDetailList")
    }
    whole = {"camsync_dump": 1, "provider": "imou", "endpoints": endpoints}
    inner = [
        '{"camsync_dump":1,"endpoints":',
        '{"camsync_dump":1,"endpoints":{"POST /openapi/deviceBaseDetailList":',
        '{"camsync_dump":1,"endpoints":{"POST /openapi/deviceBaseDetailList":{"body":{"result":',
        (
            '{"camsync_dump":1,"endpoints":{"POST /openapi/deviceBaseDetailList":{"body":{"result":'
            '{"data":{"deviceList":'
        ),
    ]
    bombs = [bomb for text in inner for bomb in json_bombs(text, "}" * text.count("{"))]
    return [json.dumps(whole).encode(), *bombs]


_DEFAULTS = Defaults(seed=1, codec="mixed", zone="+08:00")


@target(
    "dump-imou",
    _imou_dumps,
    [
        *JSON,
        *_DUMP_WORDS,
        b'"deviceList":',
        b'"channelList":',
        b"POST /openapi/deviceStorage?deviceId=",
    ],
)
def imou_dumps(data: bytes) -> None:
    """A dump of an Imou account, which the simulator plays."""
    path = _file("imou.json", data)
    imou_dump.load(path, _DEFAULTS)


def _scrubbed() -> list[bytes]:
    xml = answers("System/deviceInfo", "ContentMgmt/search", "System/time")
    lists = answers("listDeviceDetailsByPage", "accessToken")
    bombs = [*xml_bombs("DeviceInfo", "serialNumber")[:-1], *json_bombs('{"token":', "}")]
    costly = [
        b"<" * 20_000,
        b"<a b='" * 5000,
        b'{"a":"' * 5000,
        b"http://a:b@" * 2000,
        b"1.2.3.4." * 4000,
        b"ab:" * 8000,
        b"0123456789abcdef" * 2000,
        b"password=" * 4000,
        b"&" * 20_000,
        b"a@b." * 5000,
        b"%41" * 10_000,
    ]
    return [*xml, *lists, *(bomb for bomb in bombs if len(bomb) < 50_000), *costly]


@target(
    "scrub",
    _scrubbed,
    [
        *XML,
        *JSON,
        b"192.168.1.64",
        b"00:11:22:33:44:55",
        b"fe80::1",
        b"password=",
        b"Authorization: Digest ",
        b"http://admin:pw@h/",
        b"DS-7616NI-K21620200303",
        b"At_0000a1b2c3",
    ],
    longest=16 * 1024,
)
def scrub(data: bytes) -> None:
    """What a dump or a log holds is scrubbed, whatever it is."""
    scrubber = Scrubber(seed=b"fuzz")
    scrubber.document(data)
    text = as_text(data)
    scrubber.text(text)
    find_secrets(text, ["t0psecret"])


@functools.cache
def _catalogue() -> bytes:
    path = _folder() / "seed.sqlite3"
    with contextlib.closing(Catalogue(path)) as made:
        made.destinations()
    return path.read_bytes()


@target(
    "file-catalogue",
    lambda: [_catalogue(), b"SQLite format 3\0" + bytes(4096), bytes(4096), b"", b"no database"],
    [
        b"CREATE TABLE ",
        b"recording",
        b"SQLite format 3\0",
        b"\x10\0",
        b"\xff\xff",
        b"alembic",
        b"INTEGER",
    ],
    longest=128 * 1024,
)
def catalogue(data: bytes) -> None:
    """The file of a catalogue."""
    path = _file("catalogue.sqlite3", data)
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with contextlib.closing(Catalogue(path)) as found:
        found.destinations()
