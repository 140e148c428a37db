"""ISAPI documents in all the shapes that devices send: devices, channels, disks, errors."""

from __future__ import annotations

import contextlib
import datetime as dt
import json

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import (
    AccountLockedError,
    AuthenticationError,
    ChannelSource,
    Codec,
    DeviceBusyError,
    DeviceFaultError,
    DeviceId,
    DeviceKind,
    PermissionDeniedError,
    ProtocolError,
    RecordingNotFoundError,
    RequestRejectedError,
    UnreachableError,
    UnsupportedError,
    VolumeState,
)
from camsync.providers.hikvision import _xml
from camsync.providers.hikvision._errors import (
    LoginState,
    error_for,
    login_error,
    read_login_state,
    read_status,
    retry_after,
)
from camsync.providers.hikvision._inventory import (
    Lists,
    read_channels,
    read_device,
    read_volumes,
    split_track,
    track,
)


NAMESPACES = [
    "",
    ' xmlns="http://www.hikvision.com/ver20/XMLSchema"',
    ' xmlns="http://www.isapi.org/ver20/XMLSchema"',
    ' xmlns="urn:psialliance-org"',
]
DEVICE = DeviceId("SN-1")


def _document(text: str) -> _xml.Element:
    return _xml.parse(text.encode(), "a test")


def _lists(**documents: str) -> Lists:
    names = ("inputs", "proxies", "status", "streams")
    return Lists(
        **{name: _document(documents[name]) if name in documents else None for name in names}
    )


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_device_is_read_in_any_namespace(namespace: str):
    """Namespaces make no difference, and the serial number identifies."""
    root = _document(
        f"<DeviceInfo{namespace}><deviceName>Shop</deviceName><model>DS-7608NI-K2/8P</model>"
        "<serialNumber>DS-7608/8P01</serialNumber><firmwareVersion>V4.61.030</firmwareVersion>"
        "<firmwareReleasedDate>build 240123</firmwareReleasedDate></DeviceInfo>"
    )

    device = read_device(root, DeviceKind.NVR)

    assert (device.id, device.name, device.model) == ("DS-7608/8P01", "Shop", "DS-7608NI-K2/8P")
    assert device.firmware == "V4.61.030 build 240123"
    assert device.raw["deviceName"] == "Shop"


def test_a_device_without_serial_number_is_refused():
    """Nothing can be identified without it."""
    with pytest.raises(ProtocolError, match="serial"):
        read_device(_document("<DeviceInfo/>"))


def test_a_device_without_name_is_called_by_its_model():
    """An empty name falls back to model, then serial number."""
    assert (
        read_device(_document("<d><serialNumber>S</serialNumber><model>M</model></d>")).name == "M"
    )
    assert read_device(_document("<d><serialNumber>S</serialNumber></d>")).name == "S"


def test_network_channels_of_a_recorder():
    """Sparse ids, names in any script, online from the status list, picture from the streams."""
    merged = _lists(
        proxies="""<InputProxyChannelList size="7">
          <InputProxyChannel><id>10</id><name>摄像机04</name><sourceInputPortDescriptor>
            <model>DS-2CD3T86</model></sourceInputPortDescriptor></InputProxyChannel>
          <InputProxyChannel><id>2</id><name>Door</name></InputProxyChannel>
          <InputProxyChannel><id>oops</id><name>broken</name></InputProxyChannel>
          <InputProxyChannel><id>3</id><name></name><connectionStatus>online</connectionStatus>
          </InputProxyChannel></InputProxyChannelList>""",
        status="""<InputProxyChannelStatusList>
          <InputProxyChannelStatus><id>10</id><online>true</online></InputProxyChannelStatus>
          <InputProxyChannelStatus><id>2</id><online>false</online></InputProxyChannelStatus>
          <InputProxyChannelStatus><id>9</id></InputProxyChannelStatus>
          </InputProxyChannelStatusList>""",
        streams="""<StreamingChannelList>
          <StreamingChannel><id>1001</id><channelName>1001</channelName><Video>
            <videoCodecType>H.265</videoCodecType><videoResolutionWidth>2688</videoResolutionWidth>
            <videoResolutionHeight>1520</videoResolutionHeight><maxFrameRate>2500</maxFrameRate>
          </Video></StreamingChannel>
          <StreamingChannel><id>1002</id></StreamingChannel>
          <StreamingChannel><id>301</id><channelName>Yard</channelName><Video>
            <videoCodecType>AV1</videoCodecType><maxFrameRate>0</maxFrameRate></Video>
          </StreamingChannel><StreamingChannel><id>1</id></StreamingChannel>
          </StreamingChannelList>""",
    )

    door, yard, ten = read_channels(merged, DEVICE, sub_stream=True)

    assert merged.kind is DeviceKind.NVR
    assert (door.id, door.name, door.online, door.tracks) == ("2", "Door", False, ("201",))
    assert (yard.name, yard.online, yard.codec, yard.fps) == ("Yard", True, Codec.UNKNOWN, None)
    assert (ten.id, ten.name, ten.online, ten.model) == ("10", "摄像机04", True, "DS-2CD3T86")
    assert (ten.codec, ten.resolution, ten.fps) == (Codec.H265, "2688x1520", 25.0)
    assert ten.tracks == ("1001", "1002")
    assert ten.source is ChannelSource.NETWORK


def test_without_status_the_streams_tell_an_empty_slot():
    """A slot with only the transcoded stream x04 is offline; one with x01 may be anything."""
    merged = _lists(
        proxies="<l><InputProxyChannel><id>6</id></InputProxyChannel>"
        "<InputProxyChannel><id>7</id></InputProxyChannel>"
        "<InputProxyChannel><id>8</id></InputProxyChannel></l>",
        streams="<l><StreamingChannel><id>604</id></StreamingChannel>"
        "<StreamingChannel><id>701</id></StreamingChannel></l>",
    )

    assert [one.online for one in read_channels(merged, DEVICE)] == [False, None, None]
    assert [one.name for one in read_channels(merged, DEVICE)] == [
        "Camera 06",
        "Camera 07",
        "Camera 08",
    ]


def test_wires_of_a_hybrid_recorder():
    """Analog inputs and network channels together make a DVR; a dead wire is offline."""
    merged = _lists(
        inputs="<l><VideoInputChannel><id>1</id><name>Gate</name><resDesc>1080P</resDesc>"
        "</VideoInputChannel><VideoInputChannel><id>2</id><name>B</name><resDesc>NO VIDEO</resDesc>"
        "</VideoInputChannel><VideoInputChannel><id></id></VideoInputChannel></l>",
        proxies='<InputProxyChannelList size="2"/>',
    )

    gate, dead = read_channels(merged, DEVICE)

    assert merged.kind is DeviceKind.DVR
    assert (gate.source, gate.online, dead.online) == (ChannelSource.ANALOG, True, False)


def test_kinds_by_what_answers():
    """The device's own word for its kind is not trusted; its lists are."""
    wire = "<l><VideoInputChannel><id>1</id><resDesc>{}</resDesc></VideoInputChannel></l>"

    assert _lists(inputs=wire.format("")).kind is DeviceKind.CAMERA
    assert _lists(inputs=wire.format("NO VIDEO")).kind is DeviceKind.DVR
    assert _lists().kind is DeviceKind.UNKNOWN
    assert read_channels(_lists(), DEVICE) == []


def test_a_camera_has_its_own_picture():
    """A camera's inputs are built in, and nothing says whether they are online."""
    (one,) = read_channels(
        _lists(inputs="<l><VideoInputChannel><id>1</id><name>Roof</name></VideoInputChannel></l>"),
        DEVICE,
    )

    assert (one.source, one.online, one.resolution) == (ChannelSource.BUILT_IN, None, "")


def test_disks_are_counted_in_mebibytes():
    """7630885 is an 8 TB disk; an empty bay is a state; unknown words survive."""
    bay, disk, share, odd = read_volumes(
        _document(
            """<storage><hddList>
            <hdd><id>1</id><hddName>hdd1</hddName><hddType>SATA</hddType><status>notexist</status>
              <capacity>0</capacity></hdd>
            <hdd><id>2</id><hddName>hdd2</hddName><status>ok</status><capacity>7630885</capacity>
              <freeSpace>0</freeSpace><property>RO</property></hdd></hddList>
            <nasList><nas><id>9</id><nasType>NFS</nasType><path>/x</path><status>offline</status>
              </nas></nasList>
            <ssdList><ssd><id>4</id><status>sulking</status></ssd></ssdList></storage>"""
        ),
        DEVICE,
    )

    assert (bay.state, bay.capacity, bay.kind) == (VolumeState.MISSING, 0, "sata")
    assert (disk.capacity, disk.free, disk.writable) == (8_001_562_869_760, 0, False)
    assert (share.name, share.kind, share.state) == ("/x", "nfs", VolumeState.OFFLINE)
    assert (odd.name, odd.state, odd.raw["status"]) == ("ssd4", VolumeState.UNKNOWN, "sulking")


@pytest.mark.parametrize("text", ["<storage/>", "<storage><hddList/><nasList></nasList></storage>"])
def test_missing_disk_lists_are_normal(text: str):
    """No list, or an empty one, is no volume, not an error."""
    assert read_volumes(_document(text), DEVICE) == []


def test_track_numbers():
    """Channel x 100 + stream, for two-digit channels too."""
    assert [track("1"), track("10"), track("18", 2)] == ["101", "1001", "1802"]
    assert split_track("1001") == ("10", "01")
    for wrong in ("", "x", "-1", "²"):
        with pytest.raises(ProtocolError):
            track(wrong)
        with pytest.raises(ProtocolError):
            split_track(wrong)
    with pytest.raises(ProtocolError):
        split_track("01")


STATUS = (
    "<ResponseStatus><requestURL>/ISAPI/x</requestURL><statusCode>{}</statusCode>"
    "<statusString>Words</statusString><subStatusCode>{}</subStatusCode></ResponseStatus>"
)


@pytest.mark.parametrize(
    ("http", "code", "sub_code", "kind", "retryable"),
    [
        (403, "4", "notSupport", UnsupportedError, False),
        (403, "4", "methodNotAllowed", UnsupportedError, False),
        (403, "4", "lowPrivilege", PermissionDeniedError, False),
        (403, "4", "invalidOperation", DeviceBusyError, True),
        (503, "2", "deviceBusy", DeviceBusyError, True),
        (200, "2", "", DeviceBusyError, True),
        (500, "3", "deviceError", DeviceFaultError, True),
        (400, "5", "badXmlFormat", RequestRejectedError, False),
        (400, "6", "badXmlContent", RequestRejectedError, False),
        (403, "4", "searchNull", RecordingNotFoundError, False),
        (403, "4", "somethingNew", PermissionDeniedError, False),
        (418, "9", "somethingNew", UnsupportedError, False),
    ],
)
def test_response_status_becomes_a_typed_error(http, code, sub_code, kind, retryable):
    """The sub code decides, then the status code, then HTTP; the vendor's words are kept."""
    error = error_for(http, STATUS.format(code, sub_code).encode(), {}, "x")

    assert type(error) is kind
    assert error.retryable is retryable
    assert error.vendor_code == code
    assert error.vendor_sub_code == (sub_code or None)
    assert error.http_status == http
    assert "Words" in str(error)


@pytest.mark.parametrize(
    ("http", "body", "kind"),
    [
        (400, b"", RequestRejectedError),
        (403, b"<html>", PermissionDeniedError),
        (404, b"<html>no</html>", UnsupportedError),
        (405, b"", UnsupportedError),
        (429, b"{}", DeviceBusyError),
        (500, b"boom", DeviceFaultError),
        (507, b"", DeviceFaultError),
        (503, b"Service Unavailable", DeviceBusyError),
        (204, b"", ProtocolError),
    ],
)
def test_bare_http_errors_become_typed_errors(http, body, kind):
    """Without a ResponseStatus the HTTP status decides."""
    error = error_for(http, body, {"Retry-After": "7"}, "x")

    assert type(error) is kind
    assert error.retry_after == 7.0


def test_json_errors_are_read_too():
    """Some endpoints answer in JSON."""
    body = b'{"statusCode":6,"subStatusCode":"badXmlContent","errorMsg":"name"}'

    error = error_for(400, body, {}, "x")

    assert isinstance(error, RequestRejectedError)
    assert "name" in error.message


@pytest.mark.parametrize(
    "body", [b"[1]", b"{broken", b"", b"<other/>", b"\xff\xfe", b"{" * 100_000]
)
def test_what_is_no_status_is_none(body: bytes):
    """Other documents are no ResponseStatus, and none of them breaks the reader."""
    assert read_status(body) is None


def test_a_redirect_is_never_followed():
    """The error says where to turn instead."""
    secure = error_for(302, b"", {"Location": "https://nvr/"}, "x")
    other = error_for(301, b"", {"Location": "http://evil/"}, "x")

    assert isinstance(secure, UnreachableError)
    assert not secure.retryable
    assert "https=True" in str(secure)
    assert "https=True" not in str(other)


def test_retry_after_in_both_forms():
    """Seconds and dates are understood; nonsense is as good as nothing."""
    assert retry_after({"Retry-After": "120"}) == 120.0
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000"}) == 0.0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 +9999999999999"}) is None
    assert retry_after({}) is None


LOCKED = (
    "<userCheck><statusValue>401</statusValue><isActivated>true</isActivated>"
    "<lockStatus>lock</lockStatus><unlockTime>{}</unlockTime><retryLoginTime>0</retryLoginTime>"
    "</userCheck>"
)


def test_a_lock_says_until_when():
    """UnlockTime becomes an aware time about that far ahead."""
    state = read_login_state(LOCKED.format(1800).encode())

    error = login_error("admin", state)

    assert isinstance(error, AccountLockedError)
    assert error.unlock_at is not None
    assert "UTC" in str(error)
    left = error.unlock_at - dt.datetime.now(dt.timezone.utc)
    assert dt.timedelta(minutes=29) < left <= dt.timedelta(minutes=30)


@pytest.mark.parametrize("seconds", ["", "-5", "forever", "9" * 30])
def test_a_lock_without_usable_time(seconds: str):
    """A lock whose end is not said, or absurd, still is a lock."""
    error = login_error("admin", read_login_state(LOCKED.format(seconds).encode()))

    assert isinstance(error, AccountLockedError)
    assert error.unlock_at is None


def test_an_absurdly_long_lock_is_capped():
    """Two days are the longest that is believed."""
    state = read_login_state(LOCKED.format(10**9).encode())

    assert state is not None
    assert state.unlock_after == dt.timedelta(days=2)


def test_the_other_form_of_lock():
    """Some firmware puts the lock into ResponseStatus."""
    body = (
        b"<ResponseStatus><lockStatus>unlock</lockStatus><retryTimes>3</retryTimes>"
        b"<resLockTime>0</resLockTime></ResponseStatus>"
    )

    state = read_login_state(body)

    assert state == LoginState(locked=False, unlock_after=dt.timedelta(0), tries_left=3)
    assert "3 tries left" in str(login_error("admin", state))


def test_a_refusal_without_details():
    """HTML or nothing behind a 401 is a plain refusal."""
    assert read_login_state(b"<html></html>") is None
    assert read_login_state(b"") is None
    assert type(login_error("admin", None)) is AuthenticationError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<open>",
        b"<a>\x00</a>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
        b"<a>" * 300 + b"</a>" * 300,
        b"<a>" + b"<b/>" * 400_000 + b"</a>",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_hostile_xml_is_refused(body: bytes):
    """No document type, entity, depth, crowd or NUL gets through: one typed error instead."""
    with pytest.raises(ProtocolError):
        _xml.parse(body, "a test")


def test_leading_blanks_and_comments_are_fine():
    """Old cameras send blank lines before the declaration and between elements."""
    root = _xml.parse(b"\r\n\r\n<?xml version='1.0'?>\n<a>\n\n<!-- c --><b> x </b></a>", "a test")

    assert _xml.text(root, "b") == "x"
    assert _xml.to_dict(root) == {"b": "x"}


def test_numbers_and_flags():
    """What is no number or no flag is None, never a crash."""
    root = _document(
        "<a><n>12</n><m>-3</m><x>1e9</x><u>²</u><l>" + "9" * 40 + "</l><t>TRUE</t><f>0</f></a>"
    )

    assert [_xml.number(root, name) for name in "nmxul"] == [12, -3, None, None, None]
    assert _xml.number(root, "missing", "deeper") is None
    assert [_xml.flag(root, name) for name in "tfn"] == [True, False, None]


def test_repeated_names_become_lists():
    """A list of one and a list of three look different, and nothing is lost."""
    root = _document("<a><b>1</b><b>2</b><b><c>3</c></b></a>")

    assert _xml.to_dict(root) == {"b": ["1", "2", {"c": "3"}]}


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff\r"), max_size=40
)


@given(
    st.lists(st.tuples(NAMES, TEXTS), max_size=6), st.sampled_from([None, "urn:x"]), st.booleans()
)
def test_what_is_built_can_be_parsed(
    pairs: list[tuple[str, str]], namespace: str | None, declare: bool
):
    """Any text survives the way into a request and back: nothing is ever spliced in."""
    body = _xml.build(("root", list(pairs)), namespace=namespace, declaration=declare)

    root = _xml.parse(body, "a test")

    assert [(_xml.local(child), child.text or "") for child in root] == pairs


@given(st.binary(max_size=400))
def test_no_bytes_break_the_readers(body: bytes):
    """Random bytes end in camsync's errors or in None."""
    read_status(body)
    read_login_state(body)
    with contextlib.suppress(ProtocolError):
        _xml.to_dict(_xml.parse(body, "a test"))


def test_a_devices_words_are_cleaned():
    """They go to logs and terminals: short, printable, and always encodable."""
    body = json.dumps({"statusCode": 6, "errorMsg": "\ud800\x1b[31m" + "x" * 500}).encode()

    text = str(error_for(400, body, {}, "x"))

    assert text.encode("utf-8")
    assert "\x1b" not in text
    assert len(text) < 500


_NAMES = st.sampled_from(["item", "name", "time", "other", "wrap"])
_SPACES = st.sampled_from(["", "urn:one", "urn:two"])
_WORDS = st.sampled_from([None, "", " ", "word", " two words\n"])


def _markup(tree: tuple) -> str:
    name, space, words, below = tree
    own = f' xmlns="{space}"'
    return f"<{name}{own}>{words or ''}{''.join(map(_markup, below))}<!-- no text --></{name}>"


_TREES = st.recursive(
    st.tuples(_NAMES, _SPACES, _WORDS, st.just(())),
    lambda below: st.tuples(_NAMES, _SPACES, _WORDS, st.lists(below, max_size=4)),
    max_leaves=12,
)


@given(st.lists(_TREES, max_size=4))
def test_rows_are_the_first_texts_in_the_order_of_the_document(trees: list[tuple]):
    """In any namespaces, with comments between, an item inside an item included."""
    root = _xml.parse(f"<list>{''.join(map(_markup, trees))}</list>".encode(), "a test")
    found: list[dict[str, str]] = []
    for each in root.iterdescendants():
        if _xml.local(each) == "item":
            found.append({})
        elif found and _xml.local(each) in {"name", "time"} and each.text is not None:
            found[-1].setdefault(_xml.local(each), each.text.strip())

    expected = [[row.get("name"), row.get("time")] for row in found]
    assert expected == _xml.rows(root, "item", ("name", "time"))
