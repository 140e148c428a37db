"""The lists of a device: refused is normal for one of the two, failed is an error."""

from __future__ import annotations

import attrs
import pytest

from camsync import DeviceFaultError, HikvisionISAPI, PermissionDeniedError, RetryPolicy
from camsync.models import DeviceKind
from camsync.providers.hikvision._client import IsapiClient
from camsync.providers.hikvision._facts import Facts
from camsync.testing import RecorderSimulator
from camsync.transport import Answer


PROXIES = "ContentMgmt/InputProxy/channels"
INPUTS = "System/Video/inputs/channels"
ONE = b"<L><InputProxyChannel><id>1</id></InputProxyChannel></L>"
WIRE = b"<L><VideoInputChannel><id>1</id><resDesc>NO VIDEO</resDesc></VideoInputChannel></L>"
NOT_SUPPORTED = (
    b"<ResponseStatus><statusCode>4</statusCode><subStatusCode>notSupport</subStatusCode>"
    b"</ResponseStatus>"
)


@attrs.define
class _Device:
    """A transport that answers by path; what it does not know it refuses like a recorder."""

    answers: dict[str, tuple[int, bytes]]
    asked: list[str] = attrs.field(factory=list)
    address: None = None

    def request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        del method, body
        name = path.removeprefix("/ISAPI/")
        self.asked.append(name)
        status, content = self.answers.get(name, (403, NOT_SUPPORTED))
        return Answer(status=status, headers={}, body=content)


def _facts(**answers: tuple[int, bytes]) -> tuple[Facts, _Device]:
    paths = {"proxies": PROXIES, "inputs": INPUTS}
    device = _Device({paths[name]: answer for name, answer in answers.items()})
    policy = RetryPolicy(attempts=2, initial=0)
    return Facts(IsapiClient(device, policy)), device  # type: ignore[arg-type]


def test_one_refused_list_is_normal():
    """A recorder without wires and a camera without network channels answer with 403."""
    recorder, _ = _facts(proxies=(200, ONE))
    camera, _ = _facts(inputs=(200, b"<L><VideoInputChannel/></L>"), proxies=(403, b""))

    assert (DeviceKind.NVR, None) == (recorder.lists().kind, recorder.lists().refusal)
    assert (DeviceKind.CAMERA, None) == (camera.lists().kind, camera.lists().refusal)


@pytest.mark.parametrize("other", [(403, NOT_SUPPORTED), (200, WIRE)])
def test_a_list_that_the_device_fails_to_give_is_an_error(other: tuple[int, bytes]):
    """Neither no channels nor half of them pass for all, and nothing is kept of it."""
    facts, device = _facts(proxies=(500, b""), inputs=other)

    with pytest.raises(DeviceFaultError):
        facts.lists()
    assert [PROXIES, PROXIES] == device.asked
    device.answers[PROXIES] = (200, ONE)
    assert facts.lists().proxies is not None


def test_a_device_without_any_list_has_no_channels():
    """An intercom says of both that it does not have them: that is no refusal."""
    facts, _ = _facts(proxies=(404, b"<html/>"))

    assert (DeviceKind.UNKNOWN, None) == (facts.lists().kind, facts.lists().refusal)


@pytest.mark.parametrize("refused", [(403, b""), (400, b"")])
def test_both_lists_refused_is_a_refusal(refused: tuple[int, bytes]):
    """An account without rights is told so; it is not told that there are no channels."""
    facts, _ = _facts(proxies=refused)

    refusal = facts.lists().refusal

    assert refusal is not None
    assert refused[0] == refusal.http_status


def test_channels_says_what_was_refused():
    """The account may not list channels: an error, each time; the device itself is still told."""
    dump = {
        "camsync_dump": 1,
        "model": "DS-7608NXI-I2",
        "firmware": "V4.62.210",
        "endpoints": {
            f"GET /ISAPI/{PROXIES}": {"status": 403, "body": ""},
            f"GET /ISAPI/{INPUTS}": {"status": 403, "body": ""},
        },
    }
    with (
        RecorderSimulator(dump=dump, hours=0.1) as simulator,
        HikvisionISAPI("127.0.0.1", "admin", simulator.password, port=simulator.port) as provider,
    ):
        for _ in range(2):
            with pytest.raises(PermissionDeniedError):
                provider.channels()
        assert DeviceKind.UNKNOWN is provider.devices()[0].kind
