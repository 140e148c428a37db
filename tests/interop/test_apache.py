"""camsync against Apache httpd with mod_auth_digest: a Digest implementation that is not ours."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import time

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from camsync import (
    AuthenticationError,
    HikvisionISAPI,
    Recording,
    RecordingKey,
    RetryPolicy,
)
from camsync._time import UTC


APACHE = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")
MODULES = Path("/usr/lib/apache2/modules")
pytestmark = pytest.mark.skipif(APACHE is None, reason="Debian's apache2 is not installed")
USER, PASSWORD, REALM = "admin", "Interop-1", "apache"
DEVICE = "<DeviceInfo><model>Apache httpd</model><serialNumber>APACHE-1</serialNumber></DeviceInfo>"
CONFIG = """
ServerRoot "{root}"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile "{root}/pid"
ErrorLog "{root}/error.log"
DocumentRoot "{root}/www"
User {user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_digest_module {modules}/mod_auth_digest.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule mime_module {modules}/mod_mime.so
TypesConfig /etc/mime.types
LogFormat "%s %m %U" plain
CustomLog "{root}/access.log" plain
<Location "/ISAPI">
  AuthType Digest
  AuthName "{realm}"
  AuthDigestProvider file
  AuthUserFile "{root}/users"
  AuthDigestNonceLifetime {life}
  Require valid-user
</Location>
"""


@attrs.define
class Apache:
    """A running server."""

    port: int
    root: Path
    nonce_life: int

    def log(self) -> list[str]:
        """Return the access log's lines: status, method, path."""
        return (self.root / "access.log").read_text().splitlines()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=[300, 1], ids=["lasting nonces", "nonces of a second"])
def apache(request, tmp_path_factory) -> Iterator[Apache]:
    """Run Apache on loopback with a recorder's paths as files."""
    root = tmp_path_factory.mktemp("apache")
    for folder in (root, *root.parents):
        if folder.stat().st_uid == os.getuid() and str(folder) not in {"/", "/tmp"}:
            folder.chmod(0o755)
    files = root / "www" / "ISAPI"
    for name, content in (
        ("System/deviceInfo", DEVICE.encode()),
        ("ContentMgmt/Storage", b"<storage/>"),
        ("ContentMgmt/download", b"IMKH" + secrets.token_bytes(3_000_000)),
    ):
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    ha1 = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
    (root / "users").write_text(f"{USER}:{REALM}:{ha1}\n")
    port = _free_port()
    config = root / "httpd.conf"
    config.write_text(
        CONFIG.format(
            root=root, port=port, modules=MODULES, realm=REALM, life=request.param, user="www-data"
        )
    )
    process = subprocess.Popen([str(APACHE), "-f", str(config), "-DFOREGROUND"])
    try:
        _wait_for(port)
        yield Apache(port, root, request.param)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("Apache does not start")


def _open(apache: Apache, password: str = PASSWORD) -> HikvisionISAPI:
    return HikvisionISAPI(
        "127.0.0.1", USER, password, port=apache.port, retry=RetryPolicy(attempts=1)
    )


def _recording() -> Recording:
    import datetime as dt

    start = dt.datetime(2026, 1, 1, tzinfo=UTC)
    key = RecordingKey(provider="hikvision", device="APACHE-1", channel="1", start=start, item="x")  # type: ignore[arg-type]
    return Recording(
        key=key,
        channel_name="",
        start=start,
        end=start + dt.timedelta(minutes=1),
        raw={"playbackURI": "rtsp://127.0.0.1/Streaming/tracks/101/?name=x"},
    )


def test_login_and_download(apache):
    """Documents and footage arrive, byte for byte."""
    with _open(apache) as provider:
        assert provider.devices()[0].model == "Apache httpd"
        for _ in range(2):
            content = bytearray()
            buffer = memoryview(bytearray(1 << 20))
            with provider.open(_recording()) as stream:
                while count := stream.readinto(buffer):
                    content += buffer[:count]
            expected = (apache.root / "www/ISAPI/ContentMgmt/download").read_bytes()
            assert bytes(content) == expected


def test_requests_cost_one_round_trip(apache):
    """Twenty calls cost twenty-one requests, as Apache's own log says."""
    with _open(apache) as provider:
        for _ in range(20):
            provider._client.get("ContentMgmt/Storage")

    statuses = [line.split()[0] for line in apache.log()]
    assert statuses.count("200") == 20
    assert statuses.count("401") == 1 or apache.nonce_life == 1


def test_expired_nonces_are_renewed(apache):
    """A nonce older than its life costs one more round trip and no error."""
    with _open(apache) as provider:
        provider._client.get("ContentMgmt/Storage")
        time.sleep(2.1)
        provider._client.get("ContentMgmt/Storage")


def test_a_wrong_password_is_sent_once(apache):
    """Apache sees one unauthenticated request and one refused login, however often it is tried."""
    with _open(apache, "wrong") as provider:
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                provider._client.get("ContentMgmt/Storage")

    assert [line for line in apache.log() if "Storage" in line] == [
        "401 GET /ISAPI/ContentMgmt/Storage"
    ] * 2
