"""The scrubber on what people typed in strange places, and on other spellings of what is known."""

from __future__ import annotations

import json

import pytest

from camsync._scrub import Scrubber, _tags
from camsync._scrub._forms import has_form, pieces


SERIAL = "DS-7616NI-K2/16P1620190101CCRR123456789WCVU"
INFO = (
    "<DeviceInfo><deviceName>Villa Aurora</deviceName><model>DS-7616NI-K2/16P</model>"
    f"<serialNumber>{SERIAL}</serialNumber><macAddress>c0:56:e3:11:22:ab</macAddress>"
    "<ipAddress>192.168.1.64</ipAddress></DeviceInfo>"
)


def _scrubbed(*documents: str) -> str:
    scrubber = Scrubber(seed=b"a test")
    scrubber.learn(*documents)
    return "\n".join(map(scrubber.document, documents))


@pytest.mark.parametrize(
    ("document", "gone"),
    [
        ("<a><timeZone>CST-8:00:00 Miller Villa</timeZone></a>", "Miller Villa"),
        ("<a><bootTime>Miller</bootTime><b>to Miller</b></a>", "Miller"),
        ("<a><firmwareVersion>V4.0 Miller-FW</firmwareVersion></a>", "Miller"),
        ("<a><model>Front door Miller</model><name>Front door Miller</name></a>", "Miller"),
        (f"<a><model>DS-7616NI-K2/16P {SERIAL}</model></a>", "123456789"),
        (f"<a><model>{SERIAL}</model><serialNumber>{SERIAL}</serialNumber></a>", "123456789"),
        ("<a><model>AB-12</model><serialNumber>AB-12</serialNumber></a>", "<serialNumber>AB-12"),
        ("<a><version>12345</version><sn>12345678</sn><version>12345678</version></a>", "12345678"),
        ("<a><version>c0:56:e3:11:22:33</version></a>", "c0:56"),
        ("<a><hardwareVersion>12345678901</hardwareVersion></a>", "12345678901"),
        ("<a><serialNumber>2021123456789012</serialNumber></a>", "2021123456789012"),
        ("<a><userName>1234</userName></a>", "1234"),
        ("<a><cardNo>4111111111111111</cardNo></a>", "4111111111111111"),
        ("<a><phoneNumber>0041791234567890</phoneNumber></a>", "0041791234567890"),
        ('{"mobile": 41791234567}', "41791234567"),
        ("<a><pin>4711</pin></a>", "4711"),
        ("<a><adminPIN>4711</adminPIN></a>", "4711"),
        ("<a><verifyCode>QWERTY</verifyCode></a>", "QWERTY"),
        ("<a><description>trackType=standard,owner=Miller</description></a>", "Miller"),
        ("<html><title>Villa Aurora</title></html>", "Aurora"),
        ("<a><deviceName>Villa<b>Aurora</b> Borea</deviceName></a>", "Aurora"),
        ("<a><deviceName>Villa<b>Aurora</b> Borea</deviceName></a>", "Borea"),
        ("<a><deviceName>Villa<br/>Aurora</deviceName></a>", "Aurora"),
        ('{"deviceName": ["Villa", {"v": "Borea", "w": ["Aurora", 1]}]}', "Borea"),
        ('{"deviceName": [{"w": ["Aurora", 1]}]}', "Aurora"),
        ('{"accessToken": {"v": "ab"}}', '"ab"'),
        ("deviceName=Villa Aurora, serialNumber=Z99887766", "Aurora"),
        ("deviceName=Villa Aurora, serialNumber=Z99887766 new", "Z99887766"),
        ("sn: Z99887767\nlater Z99887767", "Z99887767"),
        ("{'deviceName': 'Villa Aurora'}", "Aurora"),
        ("<a><名:deviceName>Villa Aurora</名:deviceName></a>", "Aurora"),
    ],
)  # fmt: skip
def test_what_was_typed_in_is_gone(document, gone):
    """Whatever the field is made for, and in whatever notation it comes."""
    assert gone in document
    assert gone not in _scrubbed(document)


@pytest.mark.parametrize(
    "text",
    [
        "123456789", "C123456789", "123456789WCVU", "CCRR123456789", SERIAL.lower(), SERIAL.upper(),
        "1620190101CCRR123456789WCVU", "c056e31122ab", "C056E31122AB", "c0-56-e3-11-22-ab",
        "C056-E311-22AB", "c056.e311.22ab", "c056:e311:22ab", "VILLA AURORA", "villa aurora",
        "Villa_Aurora", "villa-aurora", "VillaAurora", "VILLAAURORA", "192-168-1-64", "192_168_1_64",
        "192.168.001.064",
    ],
)  # fmt: skip
def test_another_spelling_is_found(text):
    """What one document names is found in another one, however it is written there."""
    note = _scrubbed(INFO, f"<a><note>see {text} there</note></a>").splitlines()[1]

    assert text not in note
    assert note.startswith("<a><note>see ")
    assert note.endswith(" there</note></a>")


def test_the_parts_belong_together():
    """The short serial number of the stand-in stands for that of the original."""
    info, note = _scrubbed(INFO, "<a><note>123456789 VILLA_AURORA</note></a>").splitlines()
    number, name = note.removeprefix("<a><note>").removesuffix("</note></a>").split()

    assert f"{number}" in info
    assert name.replace("_", " ").title() in info


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["<a><name>Aurora</name></a>", '{"name": "Aurora"}'])
def test_two_bytes_for_each_letter(codec, text):
    """Without a mark at the begin, too."""
    fresh = Scrubber().document(text.encode(codec)).decode(codec)

    assert "Aurora" not in fresh
    assert "name" in fresh


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("time", ["2026-09-26T08:00:00+08:00", "2021-05-19 14:31:12", "CST-8:00:00", "noon"]),
        ("time", ["CST-8:00:00DST01:00:00,M3.5.0/02:00:00", "CST+3:00:00", "UTC+02:00", "Mars"]),
        ("time", ["CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00", "1715185566263", "Jo"]),
        ("time", ["Asia/Ho_Chi_Minh", "PT10S", "P1DT2H", "Mon, 17 Nov 2024", "", "10.1.2.3"]),
        ("time", ["17-Nov-2024 20:01", "build 190909", "2900578", "true", "123456789"]),
        ("version", ["4.0.0.1", "V5.5.82 build 190909", "V3.5.38build 191215", "V7.3 Miller"]),
        ("version", ["2.680.0000000.25.R.220527", "B-R-K20A9-00", "0100000092010000", "Eva"]),
        ("version", ["iOS 18.0", "Linux", "0xc0fcc00", "V4.75.011 build 240625", "fe80::1"]),
        ("model", ["DS-7616NI-K2/16P", "iDS-7204HUHI-M1", "DS-7804N-R2/4P(C)", "Miller"]),
        ("model", ["ST6000VX001-2BD186", "WDC WD40PURX-64GVNY0", "IPC", "JVSWO708-PO300M2", SERIAL]),
    ],
)  # fmt: skip
def test_forms(form, values):
    """All but the last one are what the field is for."""
    assert [True] * (len(values) - 1) + [False] == [has_form(form, value) for value in values]


def test_the_pieces_are_the_whole():
    """Nothing is lost between what is kept and what is not, blanks neither."""
    text = " CST-8:00:00  Miller Villa 10:00 "

    assert [" CST-8:00:00", "  Miller Villa", " 10:00 "] == [
        part for part, _ in pieces("time", text)
    ]


def test_titles_of_errors_stay():
    """They say what went wrong, not where."""
    page = "<html><title>Document Error: Unauthorized</title></html>"

    assert page == _scrubbed(page)


def test_a_real_value_that_was_a_stand_in():
    """Documents that come one after the other: 26 names of one letter are 26 others."""
    scrubber = Scrubber(seed=b"a test")
    letters = [chr(ord("a") + n) for n in range(26)]

    fresh = [scrubber.document(f"<a><name>{one}</name></a>") for one in letters]

    assert 26 == len(set(fresh))
    same = [one for one, each in zip(letters, fresh, strict=True) if f"<name>{one}<" in each]
    assert ["x"] == same  # a cross stands for nothing, and for nobody's stand-in either


def test_what_it_wrote_is_not_learnt():
    """Documents, texts and values that come back are the same once more."""
    scrubber = Scrubber(seed=b"a test")
    value = {"deviceName": "Villa Aurora", 1: ["x"]}
    document = scrubber.document(INFO)
    fresh = scrubber.json(value)
    text = scrubber.text("sn: Z99887766")

    assert document == scrubber.document(document)
    assert fresh == scrubber.json(fresh)
    assert text == scrubber.text(text)
    assert fresh["deviceName"] in document


def test_cut_off_documents_do_not_spread():
    """An element that never ends makes no name of all that follows."""
    text = "<name>Bep 9<a><b><c><d><e>motionless</e>"

    assert _scrubbed(text).endswith("<e>motionless</e>")


def test_many_names_take_little_time():
    """Each name in each spelling: the time grows with the text, not with the square of both."""
    names = "".join(f"<name>Camera of Number {n:04} x</name>" for n in range(100))
    text = "somebody looks at Camera of Number 0007 x today\n" * 1000
    scrubber = Scrubber()
    scrubber.learn(f"<a>{names}</a>")

    assert "0007 x" not in scrubber.text(text)


def test_a_dump_of_json_keeps_numbers():
    """Times that are numbers stay numbers."""
    text = json.dumps({"time": 1715185566263, "version": 2, "upTime": 3.5})

    assert json.loads(text) == json.loads(_scrubbed(text))


def test_serial_numbers_of_other_forms():
    """Of a number in them the last is taken for the short one."""
    texts = _scrubbed("<a><sn>AB1234567-1</sn></a>", "<a><b>unit 1234567</b></a>").splitlines()

    assert "1234567" not in texts[0] + texts[1]


@pytest.mark.parametrize("mark", ["", "serial: the second one", "serial: 7 of them"])
def test_prose_is_not_taken_for_a_field(mark):
    """A serial number has a digit; without one, or with one digit, nothing more is lost than that."""
    fresh = _scrubbed(f"{mark} in the log")

    assert fresh.endswith(" in the log")


@pytest.mark.parametrize(
    "document",
    [
        "<a><model>DS-7616NI-K2</model><name>DS-7616NI-K2</name></a>",
        f"<a><{'x' * 70}name>free</{'x' * 70}name></a>",
    ],
)
def test_what_tells_nothing_stays(document):
    """A name that is the model, and an element whose name is no word."""
    assert document == _scrubbed(document)


def test_a_serial_number_without_its_model():
    """In a line of a log there is nothing before it that would tell what it is."""
    serial = "1620190101CCRR" + "123456789WCVU"
    for text in (f"device {serial} answers", f"sn: DS-7616NI-K2 {serial}", serial):
        assert serial not in Scrubber(seed=b"x").text(text)


def test_lines_with_labels_are_known_again():
    """What was written before is not replaced once more."""
    scrubber = Scrubber(seed=b"x")
    once = scrubber.document("deviceName=Villa Aurora\nlocation: Cellar stairs\n")

    assert "Villa" not in once
    assert once == scrubber.document(once)


def test_what_stays_as_it_is():
    """A time, and words that every device has."""
    assert _tags.is_plain(_tags.KEEP, "anything of that form")
    assert not _tags.is_plain(_tags.NAME, "Villa Aurora")
