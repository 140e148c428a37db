"""The scrubber on documents, text and logs: what it replaces, and what it must not touch."""

from __future__ import annotations

import copy
import ipaddress
import json
import logging
import pickle
import re
import traceback
import unicodedata

from pathlib import Path

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import ConfigurationError
from camsync._scrub import Scrubber
from camsync._scrub._fakes import Fakes
from camsync._scrub._long import LongWords


ROOT = Path(__file__).parents[3] / "shared" / "captures"
SERIAL = "DS-7616NI-K21620180312CCRRC12345678WCVU"
INFO = f"""\
<?xml version="1.0" encoding="UTF-8" ?>\r
<DeviceInfo version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">\r
  <deviceName>Quán Phở Bò</deviceName>\r
  <deviceID>48473931-3030-0000-0000-4419b6123456</deviceID>\r
  <model>DS-7616NI-K2</model>\r
  <serialNumber>{SERIAL}</serialNumber>\r
  <macAddress>44:19:b6:12:34:56</macAddress>\r
  <firmwareVersion>4.0.0.1</firmwareVersion>\r
  <timeZone>CST-8:00:00DST01:00:00,M3.5.0/02:00:00</timeZone>\r
  <localTime>2026-09-26T08:00:00+08:00</localTime>\r
</DeviceInfo>\r
"""


def _scrubber() -> Scrubber:
    return Scrubber(seed=b"a test")


def _text_of(document: str, tag: str) -> str:
    found = re.search(rf"<{tag}[^>]*>([^<]*)<", document)
    assert found is not None
    return found[1]


def _sorts(text: str) -> list[str]:
    return [unicodedata.category(char) for char in text]


def test_a_document_keeps_its_form():
    """Only the values that identify change, and each keeps its length and its sort of letters."""
    fresh = _scrubber().document(INFO)

    assert len(INFO) == len(fresh)
    assert re.sub(r">[^<]*<", "><", INFO) == re.sub(r">[^<]*<", "><", fresh)
    for tag in ("model", "firmwareVersion", "timeZone", "localTime"):
        assert _text_of(INFO, tag) == _text_of(fresh, tag)
    for tag in ("deviceName", "deviceID", "serialNumber", "macAddress"):
        before, after = _text_of(INFO, tag), _text_of(fresh, tag)
        assert before != after
        assert len(before.encode()) == len(after.encode())
        if tag in {"deviceName", "serialNumber"}:
            assert _sorts(before) == _sorts(after)
    assert _text_of(fresh, "serialNumber").startswith("DS-7616NI-K2")
    assert _text_of(fresh, "macAddress").startswith("02:00:00:")


def test_what_documents_tell_is_found_everywhere():
    """Names and serial numbers go from other documents and from logs, however they are written."""
    scrubber = _scrubber()
    scrubber.learn(INFO.encode(), "<x><name>A &amp; B &lt;1&gt;</name></x>")
    name = _text_of(scrubber.document(INFO), "deviceName")
    serial = _text_of(scrubber.document(INFO), "serialNumber")
    log = (
        f"login to 'Quán Phở Bò' ({SERIAL}); {'Quán Phở Bò'.encode()!r}; hik://{SERIAL}/1; "
        f"{json.dumps('Quán Phở Bò')}; Qu%C3%A1n%20Ph%E1%BB%9F%20B%C3%B2; Quán Phở Bòn; A & B <1>"
    )

    fresh = scrubber.text(log)

    assert (name in fresh, fresh.count(serial)) == (True, 2)
    assert f"{name.encode()!r}" in fresh
    assert json.dumps(name) in fresh
    assert [] == [
        part for part in ("Quán Phở Bò'", SERIAL, "Qu%C3", "A & B", "\\u00e1n Ph") if part in fresh
    ]
    assert "Quán Phở Bòn" in fresh  # another word


def test_the_same_scrubber_is_consistent_and_another_is_not():
    """One value, one stand-in; another scrubber gives another, unless it has the same seed."""
    first, second = Scrubber(), Scrubber()

    assert first.document(INFO) == first.document(INFO)
    assert first.document(first.document(INFO)) == first.document(INFO)
    assert first.document(INFO) != second.document(INFO)
    assert _scrubber().document(INFO.encode()) == _scrubber().document(INFO).encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<a><password>123456</password></a>", "<a><password>scrubbed</password></a>"),
        ("<h:a><h:token> abc </h:token></h:a>", "<h:a><h:token> scrubbed </h:token></h:a>"),
        ("<a><token><![CDATA[a<b]]></token></a>", "<a><token><![CDATA[scrubbed]]></token></a>"),
        ("<a><latitude>10.7756</latitude></a>", "<a><latitude>00.0000</latitude></a>"),
        ("<a token='abc'/>", "<a token='scrubbed'/>"),
        ("<a><ipAddress>0.0.0.0</ipAddress><isDefaultPassword>false</isDefaultPassword></a>", None),
        ("<a><userName>admin</userName><name>Camera 01</name><channelName>101</channelName></a>", None),
        ("<a><subnetMask>255.255.255.0</subnetMask><ip>127.0.0.1</ip><ip>239.0.0.1</ip></a>", None),
        ("<a><name>ch01_00000000008001213</name><password>***</password><password/></a>", None),
        ("<a><Description>trackType=standard,framerate=25 fps</Description></a>", None),
        ("<a><ipv6Address>::</ipv6Address><ip>::1</ip><ip>2001:db8::7</ip></a>", None),
        ("<a><mac>00:00:00:00:00:00</mac><id>{00000000-0000-0000-0000-000000000000}</id></a>", None),
        ("<a xmlns='http://10.0.0.1/x' version='1.2.3.4'>\ufeff<!-- no --><?pi 10.0.0.1?></a>", None),
        ("<a><host>www.hik-connect.com</host><softwareVersion>1.2.3.4</softwareVersion></a>", None),
        ("<a><name>  </name><name></name><b>1 < 2 & 3 <</b>", None),
        ('time 10:00:00, 2026-09-26T00:13:39Z, V4.74.210, 5.5.82, version 4.0.0.1, domain="::"', None),
        ("scan sha256: no, email: none, Basic authentication, cookie", None),
        ("https://admin@192.0.2.1:80/ http://localhost:1/ https://www.hikvision.com/a", None),
    ],
)  # fmt: skip
def test_values(before, after):
    """Secrets and positions go, and what every device has stays."""
    assert (after or before) == _scrubber().document(before)


@pytest.mark.parametrize(
    "text",
    [
        "user:pass9@nvr.home.lan",
        'Authorization: Digest username="kamera", realm="pass9", response="pass9"',
        "Cookie: pass9=1; b=2",
        "sent Basic cGFzczk6cGFzczk= to it",
        "https://joe:pass9@10.1.2.3/x?token=pass9pass9",
        "rtsp://10.1.2.3/x?a=1&t=pass9pass9pass9pass9",
        "WebSession_12ab=abcdefabcdef9999pass9",
        "-----BEGIN CERTIFICATE-----\npass9\n-----END CERTIFICATE-----",
        "{'x': 1, \"password\": \"pass9\"}",
        "see At_pass9pass9pass9pass9",
        "mail to joe.pass9@example-shop.vn now",
        'name="pass9" and <name>pass9',
        "<Transport http://pass9:80 proven>",
        "<!DOCTYPE a SYSTEM 'http://pass9/'>",
        "<!-- http://pass9/ -->",
        "<![CDATA[ http://pass9/ ",
        "<!-- http://pass9/ ",
    ],
)  # fmt: skip
def test_shapes_in_text(text):
    """Logins, cookies, tokens, keys, mail addresses and hosts go from text without being learnt."""
    fresh = _scrubber().text(text)

    assert "pass9" not in fresh or text.startswith("user:") or "abcdef9999" in text
    assert "abcdefabcdef9999" not in fresh


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("at 10.1.2.3:80.", r"at (192\.0\.2|198\.51\.100|203\.0\.113)\.\d+:80\."),
        ("mac:44-19-B6-12-34-56!", r"mac:02-00-00(-[0-9A-F]{2}){3}!"),
        ("4419.b612.3456", r"0200\.00[0-9a-f]{2}\.[0-9a-f]{4}"),
        ("ip:fe80::1%eth0, fd00::a:", r"ip:2001:db8::[0-9a-f:]+%eth0, 2001:db8::[0-9a-f:]+:"),
        ("ab:10.1.2.3", r"ab:(192|198|203)\.[\d.]+"),
        ("id 0c0bf000-48414831-3630", r"id 0c0bf000-48414831-3630"),
        (
            "{48414831-3630-0000-0000-0c0bf0000000}",
            r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}",
        ),
        (f"({SERIAL})", r"\(DS-7616NI-K2?\d+[A-Z]{5}\d{8}[A-Z]{4}\)"),
        ("sha256:" + "a1" * 32, r"sha256:[0-9a-f]{64}"),
        ("print " + ":".join(["A1"] * 20), r"print [0-9A-F]{2}(:[0-9A-F]{2}){19}"),
        ("https://[fe80::9]:8443/", r"https://\[2001:db8::[0-9a-f:]+\]:8443/"),
    ],
)
def test_stand_ins_have_the_form_of_what_they_replace(text, shape):
    """Addresses come from the ranges for documentation, in the notation that they had."""
    fresh = _scrubber().text(text)

    assert re.fullmatch(shape, fresh)
    assert fresh != text or "48414831-3630" in text


def test_fragments_of_json():
    """In a log a key says what its value is, too; other values are searched as text."""
    text = (
        'got {"ssid": "my wifi", "seen": "at 10.1.2.3", "time": "10:00", "name": " "} x="10.1.2.3"'
    )

    fresh = _scrubber().text(text)

    shape = (
        r'got \{"ssid": "[a-z]{2} [a-z]{4}", "seen": "at [\d.]+", "time": "10:00", "name": " "\} '
        r'x="[\d.]+"'
    )
    assert re.fullmatch(shape, fresh)
    assert [] == [word for word in ("my wifi", "10.1.2.3") if word in fresh]


def test_json():
    """Names, identifiers and secrets go by their keys, in documents inside of documents too."""
    document = {
        "system": {"sign": "abc", "nonce": 12345678, "time": 1},
        "params": {"token": "At_1", "deviceId": "8L0DF93PAZ00000", "on": True, "none": None},
        "list": [{"channelName": "Kitchen"}, "Kitchen 10.1.2.3", 4.5],
        "body": "<a><deviceName>Kitchen</deviceName></a>",
        "8L0DF93PAZ00000": '{"ssid": "my wifi", "latitude": 10.5, "phone": 84901234567}',
    }
    before = copy.deepcopy(document)
    fresh = _scrubber().json(document)
    inner = json.loads(list(fresh.values())[-1])

    assert before == document
    assert list(fresh)[:4] == list(document)[:4]
    assert ("scrubbed", "scrubbed", 1) == tuple(fresh["system"].values())
    assert {**fresh["params"], "deviceId": ""} == {
        "token": "scrubbed",
        "deviceId": "",
        "on": True,
        "none": None,
    }
    assert list(fresh)[-1] == fresh["params"]["deviceId"]
    assert (0.0, True) == (inner["latitude"], 0 < inner["phone"] != 84901234567)
    assert [
        word for word in ("Kitchen", "my wifi", "8L0DF", "10.1.2.3") if word in json.dumps(fresh)
    ] == []


@pytest.mark.parametrize(
    ("before", "shape"),
    [
        (b'{"ssid":"home9"}', rb'\{"ssid": "[a-z]{4}\d"\}'),
        (
            b'\xef\xbb\xbf{\n  "ssid": "nh\xc3\xa09"\n}',
            rb'\xef\xbb\xbf\{\n  "ssid": "[a-z]{2}..\d"\n\}',
        ),
        (
            b'{"ssid": "\\ud800x9", "a": "\xc3\xa0"}',
            rb'\{"ssid": "\\ud[89a-f]..[a-z]\d", "a": "\\u00e0"\}',
        ),
        (b'{"a": 1}', rb'\{"a": 1\}'),
        (b"[broken 10.1.2.3", rb"\[broken (192|198|203)\.[\d.]+"),
        (
            b'<?xml version="1.0" encoding="GB2312"?><n><name>\xb3\xf8\xb7\xbf</name></n>',
            rb".*<name>[^<]{4}</name></n>",
        ),
        (
            b'<?xml encoding="ISO-8859-1"?><n><name>caf\xe9 9</name></n>',
            rb".*<name>[a-z]{3}[\xdf-\xff] \d</name></n>",
        ),
        (
            b'<?xml encoding="big5"?><n><name>\xa2\xcc 9</name></n>',
            rb".*<name>[^<]{2} \d</name></n>",
        ),
        (b"<n><name>caf\xe9 9</name></n>", rb"<n><name>[a-z]{3}[\x80-\xff] \d</name></n>"),
        ("\ufeff<n><name>x9z</name></n>".encode("utf-16-le"), rb"(?s)\xff\xfe<\0n\0.*"),
    ],
)
def test_encodings(before, shape):
    """Bytes come back in the encoding that they came in, of the same length where that can be."""
    fresh = _scrubber().document(before)

    assert re.fullmatch(shape, fresh, re.DOTALL)
    assert (fresh == before) == (before == b'{"a": 1}')


def test_entities():
    """Escaped values are understood, and their stand-ins escaped like them."""
    name = "T&#7887;m &amp; &quot;J&quot; &#x110;&#9999999; x"
    before = f"<a><name>{name}</name><b>&#49;0.1.2.3 &#49;</b></a>"

    fresh = _scrubber().document(before)

    shape = r"\w\w\w &amp; &quot;[A-Z]&quot; \w&amp;#\d{7}; \w"
    assert re.fullmatch(shape, _text_of(fresh, "name"))
    assert re.fullmatch(r"(192|198|203)\.[\d.]+ 1", _text_of(fresh, "b"))


def test_kept_on_purpose():
    """What is told beforehand is replaced, and common words are replaced in their element only."""
    scrubber = _scrubber()
    scrubber.know("front-shop", "address")
    scrubber.know("hunter-22", "secret")
    scrubber.know("admin", "user name")
    scrubber.replace("/home/joe", "~")
    fresh = scrubber.document(
        "<a><name>audio</name><type>audio</type><b>front-shop admin /home/joe/x hunter-22</b>"
        "<model>IPC-9</model><deviceName>IPC-9</deviceName><mac>4419b6123456</mac></a>"
    )

    assert "<name>audio</name>" not in fresh
    assert "<type>audio</type>" in fresh
    assert re.search(r"<b>[a-z]{5}-[a-z]{4} admin ~/x scrubbed</b>", fresh)
    assert "<deviceName>IPC-9</deviceName>" in fresh
    assert re.search("<mac>020000[0-9a-f]{6}</mac>", fresh)
    assert {"MAC address": 1, "address": 1, "name": 1, "secret": 1} == dict(scrubber.counts)
    assert repr(scrubber) == "<Scrubber 4 replaced>"
    with pytest.raises(ConfigurationError, match="no kind"):
        scrubber.know("x", "thing")


def test_a_scrubber_does_not_travel(caplog):
    """It knows the originals: it is not pickled, and it says nothing to the log."""
    scrubber = _scrubber()
    with caplog.at_level(logging.DEBUG):
        scrubber.document(INFO)

    for one in (scrubber, Fakes(b"")):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(one)
    assert caplog.records == []


def test_too_deep_documents():
    """Nesting without end is refused as a value, and is text as a document."""
    value: list[object] = ["pw-planted-77"]
    for _ in range(5000):
        value = [value]

    with pytest.raises(ConfigurationError, match="deep") as caught:
        _scrubber().json(value)
    value = []
    traced = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "pw-planted-77" not in "".join(traced.format())
    assert _scrubber().document("[" * 100_000) == "[" * 100_000


@pytest.mark.parametrize(
    "piece",
    ["<", "<![CDATA[", "<!--", "a", "<a b=", "aa:", '"', "-----BEGIN A-----", "1.", "DS-A0/", "x@", "a://",
     "eyJaaaaaaaaaaa.", "Basic ", "cookie: ", "a.b-", "&#", "<a>", '<name a="', "<name>x"],
)  # fmt: skip
def test_hostile_texts_take_linear_time(piece):
    """A long text that nearly matches is worked through at once."""
    text = piece * (20_000 // len(piece))
    scrubber = _scrubber()

    assert scrubber.text(text)
    assert scrubber.document(text.encode())


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["<", "a", "<!--", '"', "1."])
def test_a_megabyte_of_hostile_text(piece):
    """The same at full length: nothing that grows with the square of it would end in time."""
    text = piece * (1_000_000 // len(piece))

    assert _scrubber().document(text.encode())


NAMES = st.text(min_size=1, max_size=12).map(str.strip).filter(bool)
WORDS = st.sampled_from(
    ["Bếp", "Kitchen 2", "10.1.2.3", "fe80::9", "44:19:b6:12:34:56", SERIAL, "and", "=", "10:00:00",
     "https://joe@nvr.lan/x", "a.b@shop.vn", "token=abcdefgh", "V4.74.210", "<b>", "</b>", "0"]
)  # fmt: skip


@given(st.lists(NAMES, unique=True, max_size=12))
def test_different_values_have_different_stand_ins(names):
    """No two names become one, whatever they are; and each becomes the same one again."""
    fakes = Fakes(b"seed")
    for name in names:
        fakes.know("name", name)

    given_ = [fakes.of("name", name) for name in names]

    assert len(set(given_)) == len(names)
    assert given_ == [fakes.of("name", name) for name in names]
    assert given_ == [fakes.of("name", fake) for fake in given_]


@given(st.lists(WORDS, max_size=12))
def test_scrubbing_twice_changes_nothing_more(words):
    """What is replaced is recognised as such; and the same text gives the same text again."""
    scrubber = _scrubber()
    scrubber.learn("<a><name>Bếp</name><name>Kitchen 2</name></a>")
    text = " ".join(words)

    once = scrubber.text(text)

    assert once == scrubber.text(once)
    assert once == scrubber.text(text)


@given(st.binary(max_size=80))
def test_any_bytes_come_through(body):
    """Whatever a device sends, the scrubber returns bytes and raises nothing."""
    assert isinstance(_scrubber().document(b"<a><name>" + body), bytes)


def test_many_devices_find_room():
    """A crowded form grows, and addresses have a range to spare."""
    fakes = Fakes(b"seed")

    addresses = {fakes.ipv4(f"10.0.{n // 250}.{n % 250 + 1}") for n in range(1200)}
    for n in range(26):
        fakes.know("name", chr(ord("a") + n))
    letters = {fakes.of("name", chr(ord("a") + n)) for n in range(26)}
    again = {fakes.ipv6(f"fe80::{n:x}") for n in range(1, 40)}

    assert (1200, 26, 39) == (len(addresses), len(letters), len(again))
    assert all(ipaddress.IPv4Address(one) for one in addresses)
    assert [fakes.ipv4(one) for one in addresses] == list(addresses)
    assert letters.isdisjoint(addresses)


@pytest.mark.parametrize(
    ("serial", "kept"), [("DS-2CD2143G2-I20260101AAWR123456789", 14), ("X77-1", 0), ("ab", 0)]
)
def test_serial_numbers_of_unknown_models(serial, kept):
    """The model stays where the form shows it; what has another form is replaced as a whole."""
    fresh = _text_of(_scrubber().document(f"<a><sn>{serial}</sn></a>"), "sn")

    assert len(fresh) == len(serial)
    assert fresh[:kept] == serial[:kept]
    assert fresh[kept:] != serial[kept:]


CAPTURES = (
    sorted({path.parent for path in ROOT.rglob("*") if path.is_file()}) if ROOT.is_dir() else []
)
TAGGED = re.compile(
    r"<(?:\w+:)?(?:serialNumber|subSerialNumber|hddSerialNumber|macAddress|deviceName|name|userName|ipAddress"
    r"|deviceID|devIndex|path|salt|sessionID)(?:\s[^>]*)?>([^<]+)<"
)
ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
NOBODYS = re.compile(
    r"admin|(?:IP )?camera ?\d*|[nd]vr|home|摄像机\d+|network video recorder"
    r"|embedded net dvr|\d{17}|x+|@.*"
    r"|02:00:00.*|(?:0|127|192\.0\.2|198\.51\.100|203\.0\.113|2[2-5]\d)\..*|.{1,3}",
    re.IGNORECASE,
)


@pytest.mark.skipif(not CAPTURES, reason="the captures are not beside the project")
@pytest.mark.parametrize("folder", CAPTURES, ids=lambda path: str(path.relative_to(ROOT)))
def test_captures(folder):
    """Of real answers nothing is left that identifies a device, and a second time changes nothing."""
    scrubber = _scrubber()
    bodies = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    scrubber.learn(*bodies)

    fresh = [scrubber.document(body) for body in bodies]

    before, after = (b"\n".join(each).decode("utf-8", "replace") for each in (bodies, fresh))
    values = {text.strip() for text in TAGGED.findall(before)} | set(ADDRESS.findall(before))
    assert [] == [one for one in sorted(values) if not NOBODYS.fullmatch(one) and one in after]
    assert fresh == [scrubber.document(body) for body in fresh]
    if folder.parent.name == "devices":
        assert [body.count(b"<") for body in bodies] == [body.count(b"<") for body in fresh]


# -- What a hostile device sends


def _element(name, value):
    return f"<DeviceInfo><serialNumber>{value}</serialNumber><{name}>x</{name}></DeviceInfo>"


def test_long_words_are_replaced_wherever_they_stand():
    """They are no part of a pattern, which would take seconds to compile, and all the same gone."""
    inner, scrubber = "Q7" * 400, Scrubber()
    outer = f"{inner}-W9"
    scrubber.document(_element("model", inner))
    scrubber.document(_element("model", outer))
    before = f"seen: {inner} and {outer}, from 44:19:b6:12:34:56"
    fresh = scrubber.text(before)

    assert inner not in fresh
    assert "44:19:b6:12:34:56" not in fresh
    assert fresh.startswith("seen: ")
    assert 2 == len(set(fresh[len("seen: ") :].partition(",")[0].split(" and ")))


def test_long_words_with_brackets_are_no_tags():
    """Logs write them as they are."""
    name, scrubber = "<b>" + "n" * 600 + "</b>", Scrubber()
    scrubber.document(_element("model", name.replace("<", "&lt;").replace(">", "&gt;")))

    assert "nnn" not in scrubber.text(f"<log>{name}</log>")


def test_there_are_marks_for_all_long_words():
    """None is left as it was because there are many: a hostile device decides how many there are."""
    words = [f"{number:05d}" * 103 for number in range(6200)]
    known = LongWords(words)
    held = known.hold(" ".join(words[:3] + words[-3:]))

    assert not any(word in held for word in words)
    assert "x x x x x x" == known.release(held, lambda _: "x")


def test_a_text_that_looks_like_a_mark_stays():
    """Characters for private use are nobody's stand-in."""
    scrubber = Scrubber()
    scrubber.document(_element("model", "Q7" * 400))
    text = "a\ue000\uf000\uf000\ue001b"

    assert text == scrubber.text(text)


def test_half_a_character_makes_no_bytes():
    """There is none of these in any encoding: a question mark stands for it."""
    scrubber = Scrubber()
    scrubber.replace("/home/anna", "~\ud800")

    assert b"at ~? now, \xff" == scrubber.document(b"at /home/anna now, \xff")
