"""Every captured or documented answer of the Imou platform is read, and every code is answered.

The captures lie beside the project and are not part of it. Where they are absent these tests are
skipped; the shapes themselves are tested in test_imou_parts.py.
"""

from __future__ import annotations

import json

from pathlib import Path

import pytest

from camsync._secret import Secret
from camsync.errors import (
    AuthenticationError,
    CamsyncError,
    ClockSkewError,
    DeviceAsleepError,
    DeviceOfflineError,
    LicenceError,
    NoCloudPlanError,
    NoLocalStorageError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RecordingNotFoundError,
    UnsupportedError,
)
from camsync.providers.imou import _codes
from camsync.providers.imou._codes import error_of
from camsync.providers.imou._parse import (
    read_card,
    read_days,
    read_device,
    read_records,
    read_result,
    read_storage,
)
from camsync.providers.imou._sign import HmacSigner, Md5Signer


ROOT = Path(__file__).parents[3] / "shared" / "captures" / "imou"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the captures are not beside the project")
ANSWERS = sorted(ROOT.glob("imouapi_fixtures/*.json")) + sorted(ROOT.glob("*/*.response.json"))
CODES = json.loads((ROOT / "error_codes.json").read_text()) if ROOT.is_dir() else []
CATEGORIES = {
    "bad_credentials": AuthenticationError,
    "clock_skew": ClockSkewError,
    "token_expired": AuthenticationError,
    "not_authorized": PermissionDeniedError,
    "device_offline": DeviceOfflineError,
    "device_asleep": DeviceAsleepError,
    "no_local_storage": NoLocalStorageError,
    "no_cloud_storage": NoCloudPlanError,
    "no_recordings": RecordingNotFoundError,
    "call_quota": QuotaError,
    "traffic_quota": QuotaError,
    "licence_quota": LicenceError,
    "unsupported": UnsupportedError,
}


def _data(name: str) -> object:
    return read_result((ROOT / name).read_bytes(), name).data


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.name)
def test_every_answer_is_read(path):
    """An answer has a code and data, or is refused as malformed; tokens in it are wrapped."""
    try:
        result = read_result(path.read_bytes(), path.name)
    except ProtocolError:
        assert "invalid_response" in path.name
        return

    assert result.code
    assert "At_" not in repr(dict(result.data))


@pytest.mark.parametrize("entry", CODES, ids=lambda entry: entry["code"])
def test_every_code_has_a_typed_answer_with_a_next_step(entry):
    """The class fits the category, and somebody who reads it knows what to do."""
    if entry["code"] == "0":
        assert _codes.OK == entry["code"]
        return
    error = error_of(entry["code"], "", "method")

    assert type(error) is not CamsyncError
    assert isinstance(error, CATEGORIES.get(entry["category"], CamsyncError))
    assert error.next_step
    assert entry["code"] == error.vendor_code
    assert (entry["category"] == "retryable") is error.retryable


def test_the_captured_login_is_read():
    """The token is a secret, its remaining life a number, the host plain."""
    data = _data("imouapi_fixtures/accessToken_ok.json")

    assert Secret("At_0000ea00000000000000000000000000") == data["accessToken"]
    assert 190805 == data["expireTime"]
    assert "https://openapi-fk.easy4ip.com:443" == data["currentDomain"]


def test_the_captured_device_is_read():
    """An IPC-C22C without a plan and with a key of its owner's."""
    (fields,) = _data("imouapi_fixtures/deviceBaseDetailList_ok.json")["deviceList"]
    device = read_device(fields)

    assert device is not None
    assert ("webcam", "IPC-C22C", "online", "IPC") == (
        device.name,
        device.model,
        device.status,
        device.kind,
    )
    assert [("0", "none", True, "online")] == [
        (one.id, one.plan, one.encrypted, one.status) for one in device.channels
    ]
    assert "playToken" not in device.raw


def test_the_documented_list_is_read():
    """A camera and a recorder with two channels; numbers as ids are text here."""
    found = _data("test_samples/listDeviceDetailsByPage.response.json")["deviceList"]
    devices = [read_device(fields) for fields in found]

    assert [["0"], ["0", "1"]] == [[one.id for one in device.channels] for device in devices]


def test_the_captured_card_is_read():
    """Bytes and a state."""
    status = read_card(_data("imouapi_fixtures/deviceSdcardStatus_ok.json"))
    card = read_storage(_data("imouapi_fixtures/deviceStorage_ok.json"), status)

    assert (31254904832, 27553759232, "normal") == (card.total, card.used, card.status)


def test_the_documented_records_are_read():
    """Sizes come as text from the cloud and as a number from a card."""
    cloud = _data("doc_samples/queryCloudRecords.response.json")["records"]
    card = _data("test_samples/queryLocalRecords.response.json")["records"]

    assert [("1234567890", "xxxxxxxxx", 123456)] == [
        (one.id, one.region, one.size) for one in read_records(cloud, "D", "0", "cloud")
    ]
    assert [(12345, "normal"), (12345, "videomotion")] == [
        (one.size, one.kind) for one in read_records(card, "D", "0", "sd")
    ]


def test_the_documented_bitmap_is_read():
    """Sixteen days with recordings."""
    assert 16 == len(read_days(_data("doc_samples/queryCloudRecordBitmap.response.json"), 2016, 5))


def test_the_documented_signatures_are_ours():
    """Both of them."""
    vector = json.loads((ROOT / "doc_samples" / "sign_vectors.json").read_text())
    example = (Secret(vector["appSecret"]), vector["time"], vector["nonce"])

    assert vector["md5_hex"] == Md5Signer().sign(*example).reveal()
    assert vector["hmac_sha256_b64"] == HmacSigner().sign(*example).reveal()
