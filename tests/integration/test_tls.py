"""TLS: what is trusted, what is not, and that the environment has no say."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

import pytest

from camsync import (
    CertificateError,
    ConfigurationError,
    HikvisionISAPI,
    InsecureConnectionWarning,
    RetryPolicy,
    Secret,
    TimeSpan,
    TLSError,
)
from camsync.testing import RecorderSimulator
from camsync.transport import Address, TLSPolicy, Transport, fingerprint
from camsync.transport._tls import trusted_roots


@pytest.fixture(scope="module")
def simulator() -> Iterator[RecorderSimulator]:
    """Play a recorder with a self-signed certificate."""
    with RecorderSimulator(channels=1, hours=0.2, segment_seconds=20, tls=True) as simulator:
        yield simulator


def _open(simulator: RecorderSimulator, verify: object, **options: object) -> HikvisionISAPI:
    return HikvisionISAPI(
        simulator.host,
        simulator.username,
        simulator.password,
        port=simulator.port,
        https=True,
        verify=verify,  # type: ignore[arg-type]
        time_mode="local",
        retry=RetryPolicy(attempts=1),
        **options,  # type: ignore[arg-type]
    )


def _download_a_little(provider: HikvisionISAPI) -> int:
    recording = next(provider.search(provider.channels()[0], TimeSpan.last(hours=1)))
    with provider.open(recording) as stream:
        return stream.readinto(memoryview(bytearray(100)))


def test_a_pinned_certificate_is_trusted(simulator):
    """The fingerprint, in any spelling, opens both byte paths."""
    colons = simulator.fingerprint.removeprefix("sha256:").upper()
    spelled = "SHA256:" + ":".join(colons[i : i + 2] for i in range(0, 64, 2))
    for verify in (simulator.fingerprint, spelled):
        with _open(simulator, verify) as provider:
            assert _download_a_little(provider) == 100


def test_a_ca_file_may_have_any_name(tmp_path, monkeypatch):
    """None stands for the public roots by accident, and it is found after a change of folder."""
    (tmp_path / "certifi").write_text("x")
    monkeypatch.chdir(tmp_path)
    policy = TLSPolicy.of("certifi")
    monkeypatch.chdir("/")

    assert str(tmp_path / "certifi") == trusted_roots(policy)


def test_a_ca_file_is_trusted(simulator, tmp_path):
    """The recorder's own certificate in a file works as its root."""
    path = tmp_path / "recorder.pem"
    path.write_text(simulator.certificate)

    with _open(simulator, path) as provider:
        assert _download_a_little(provider) == 100


def test_another_certificate_is_refused_with_both_fingerprints(simulator):
    """A pin that does not match stops both byte paths before anything is sent."""
    wrong = "sha256:" + "ab" * 32
    before = simulator.requests
    with _open(simulator, wrong) as provider:
        with pytest.raises(CertificateError) as control:
            provider.devices()
        with pytest.raises(CertificateError) as bulk:
            provider._client.stream("POST", "ContentMgmt/download", b"<x/>")

    assert simulator.requests == before
    for caught in (control, bulk):
        assert caught.value.expected == wrong
        assert caught.value.actual == simulator.fingerprint
        assert not caught.value.retryable


def test_an_unknown_certificate_is_refused(simulator):
    """By default a self-signed certificate is not trusted, and the next step says how to pin."""
    with (
        _open(simulator, True) as provider,
        pytest.raises(CertificateError, match="pin it") as caught,
    ):
        provider.devices()

    assert caught.value.actual == simulator.fingerprint
    assert simulator.fingerprint in str(caught.value)


def test_the_environment_cannot_weaken_it(simulator, tmp_path, monkeypatch):
    """REQUESTS_CA_BUNDLE and SSL_CERT_FILE with the recorder's certificate change nothing."""
    path = tmp_path / "recorder.pem"
    path.write_text(simulator.certificate)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(path))

    with _open(simulator, True) as provider, pytest.raises(CertificateError):
        provider.devices()


def test_the_environment_cannot_redirect_it(monkeypatch):
    """A proxy in the environment is not used for devices."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with (
        RecorderSimulator(channels=1) as simulator,
        HikvisionISAPI(
            simulator.host, simulator.username, simulator.password, port=simulator.port
        ) as provider,
    ):
        assert provider.devices()


def test_plain_http_behind_https(simulator):
    """A port without TLS is a TLS error with a hint, not a certificate error."""
    with RecorderSimulator(channels=1) as plain:
        provider = HikvisionISAPI(
            plain.host, "admin", "x", port=plain.port, https=True, retry=RetryPolicy(attempts=1)
        )
        with provider, pytest.raises(TLSError) as caught:
            provider.devices()

    assert not isinstance(caught.value, CertificateError)


def test_basic_is_fine_over_tls():
    """Inside TLS the password is not in the clear."""
    with (
        RecorderSimulator(channels=1, tls=True, faults=["basic-only"]) as simulator,
        _open(simulator, simulator.fingerprint) as provider,
    ):
        assert provider.devices()


def test_diagnosis_shows_the_fingerprint(simulator):
    """The connection test tells what to pin."""
    with _open(simulator, True) as provider:
        checks = {check.name: check for check in provider.diagnose()}

    assert checks["tls"].status.value == "failed"
    assert f"verify='{simulator.fingerprint}'" in checks["tls"].advice
    assert checks["login"].status.value == "skipped"
    with _open(simulator, simulator.fingerprint) as provider:
        assert {check.status.value for check in provider.diagnose()} == {"ok"}


class _BytesPath:
    def __fspath__(self) -> bytes:
        return b"recorder.pem"


def test_policies(tmp_path: Path):
    """What cannot be a policy is refused before any connection."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ConfigurationError, match="no readable certificate"):
        TLSPolicy.of(empty).context()
    for wrong in ("sha256:12", str(tmp_path), None, 0, 1, "", b"x", _BytesPath(), [True]):
        with pytest.raises(ConfigurationError, match="verify"):
            TLSPolicy.of(wrong)  # type: ignore[arg-type]
    assert TLSPolicy.of(True).context().verify_mode is ssl.CERT_REQUIRED
    assert TLSPolicy.of(True).context().minimum_version is ssl.TLSVersion.TLSv1_2
    assert fingerprint(b"x").startswith("sha256:2d711642")


# -- Any certificate -----------------------------------------------------------------------------


def test_any_certificate_by_explicit_wish(simulator):
    """verify=False opens both byte paths, with a warning that points here."""
    with (
        pytest.warns(InsecureConnectionWarning, match="read and change everything") as caught,
        _open(simulator, False) as provider,
    ):
        assert _download_a_little(provider) == 100

    assert [warning.filename for warning in caught] == [__file__]


def test_any_certificate_needs_tls():
    """Without TLS there is no certificate to ignore, so the option is refused, not forgotten."""
    with (
        pytest.warns(InsecureConnectionWarning),
        pytest.raises(ConfigurationError, match="verify="),
    ):
        HikvisionISAPI("127.0.0.1", "admin", "x", verify=False)


def test_the_warning_has_a_place_without_any_caller():
    """Where all frames are camsync's own, as on the command line, it points at camsync."""
    code = (
        "import sys, warnings\n"
        "from camsync.transport import TLSPolicy\n"
        "__name__ = 'camsync.cli'\n"
        "warnings.simplefilter('always')\n"
        "TLSPolicy.of(False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "_tls.py" in done.stderr
    assert "InsecureConnectionWarning" in done.stderr


# -- Old recorders -------------------------------------------------------------------------------


old_openssl = pytest.mark.skipif(not ssl.HAS_TLSv1, reason="this OpenSSL has no TLS 1.0")


@pytest.fixture
def old_simulator(recorder_simulator):
    """Play a recorder from before TLS 1.2."""
    return recorder_simulator(
        channels=1, hours=0.2, segment_seconds=20, tls=True, faults=["old-tls"]
    )


@old_openssl
def test_old_tls_is_refused_with_advice(old_simulator):
    """By default nothing older than TLS 1.2 is spoken; the error names the option and its risk."""
    with _open(old_simulator, old_simulator.fingerprint) as provider:
        with pytest.raises(TLSError, match="old_tls=True") as control:
            provider.devices()
        with pytest.raises(TLSError, match="broken or downgraded"):
            provider._client.stream("GET", "System/time")

    assert not isinstance(control.value, CertificateError)
    assert old_simulator.requests == 0


@old_openssl
@pytest.mark.parametrize("how", ["pin", "file", "any"])
def test_old_tls_by_explicit_wish(old_simulator, how, tmp_path, caplog):
    """old_tls=True works on both byte paths, with a pin, with a CA file and with anything."""
    caplog.set_level(logging.INFO, "camsync.tls")
    path = tmp_path / "recorder.pem"
    path.write_text(old_simulator.certificate)
    if how == "any":
        with pytest.warns(InsecureConnectionWarning):
            provider = _open(old_simulator, False, old_tls=True)
    else:
        verify = old_simulator.fingerprint if how == "pin" else path
        provider = _open(old_simulator, verify, old_tls=True)

    with provider:
        assert _download_a_little(provider) == 100
    assert "old_tls=True" in caplog.text


@old_openssl
def test_old_tls_is_not_blind(old_simulator):
    """With old_tls=True another certificate is refused all the same, and shown."""
    for verify in ("sha256:" + "ab" * 32, True):
        with (
            _open(old_simulator, verify, old_tls=True) as provider,
            pytest.raises(CertificateError) as caught,
        ):
            provider.devices()
        assert caught.value.actual == old_simulator.fingerprint
    assert old_simulator.requests == 0


@old_openssl
def test_an_old_recorder_shows_its_certificate(old_simulator):
    """What only looks at the certificate may speak old TLS: nothing is sent that way."""
    with _open(old_simulator, True) as provider:
        assert provider._client.transport.peer_fingerprint() == old_simulator.fingerprint


@old_openssl
def test_old_tls_is_there_for_new_recorders_too(simulator):
    """The option permits old TLS and does not demand it."""
    with _open(simulator, simulator.fingerprint, old_tls=True) as provider:
        assert provider.devices()


def test_a_python_without_old_tls_says_so(monkeypatch):
    """Where OpenSSL was built without TLS 1.0 the option is refused, and looking still works."""
    monkeypatch.setattr(ssl, "HAS_TLSv1", False)

    with pytest.raises(ConfigurationError, match=r"without TLS 1\.0"):
        TLSPolicy.of(True, old=True)
    with RecorderSimulator(channels=1, tls=True) as modern, _open(modern, True) as provider:
        assert provider._client.transport.peer_fingerprint() == modern.fingerprint


def test_old_tls_needs_tls():
    """Without https=True there is nothing that could be old."""
    with pytest.raises(ConfigurationError, match="old_tls="):
        HikvisionISAPI("127.0.0.1", "admin", "x", old_tls=True)


# -- A certificate that changes ------------------------------------------------------------------


def test_a_certificate_that_changes_meanwhile():
    """After a reconnect the new certificate is refused on both byte paths; nothing is sent."""
    first = RecorderSimulator(channels=1, tls=True)
    with first:
        transport = Transport(
            Address.of(first.host, first.port, secure=True),
            first.username,
            Secret(first.password),
            tls=TLSPolicy.of(first.fingerprint),
        )
        assert transport.request("GET", "/ISAPI/System/time").status == 200
        reply = transport.stream("GET", "/ISAPI/System/time")
        assert reply.read()
        reply.close()
        port = first.port
    with RecorderSimulator(channels=1, tls=True, port=port) as second:
        with pytest.raises(CertificateError) as control:
            transport.request("GET", "/ISAPI/System/time")
        with pytest.raises(CertificateError) as bulk:
            transport.stream("GET", "/ISAPI/System/time")
        transport.close()

        assert second.requests == 0
    for caught in (control, bulk):
        assert caught.value.expected == first.fingerprint
        assert caught.value.actual == second.fingerprint


def test_a_refused_certificate_may_stay_unknown(simulator, monkeypatch):
    """If the device is gone when its certificate is to be shown, the first error stays."""
    with _open(simulator, True) as provider:
        monkeypatch.setattr(Transport, "peer_fingerprint", _gone)
        with pytest.raises(CertificateError) as caught:
            provider.devices()

    assert caught.value.actual is None


def _gone(transport: Transport) -> str:
    msg = f"{transport.address} is gone"
    raise TLSError(msg)
