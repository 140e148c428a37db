"""TLS: what is trusted, what is not, and that the environment has no say."""

from __future__ import annotations

import ssl

from collections.abc import Iterator
from pathlib import Path

import pytest

from camsync import (
    CertificateError,
    ConfigurationError,
    HikvisionISAPI,
    RetryPolicy,
    TimeSpan,
    TLSError,
)
from camsync.testing import RecorderSimulator
from camsync.transport import TLSPolicy, fingerprint


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


def test_policies(tmp_path: Path):
    """What cannot be a policy is refused before any connection."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ConfigurationError, match="no readable certificate"):
        TLSPolicy.of(empty).context()
    for wrong in (False, "sha256:12", str(tmp_path)):
        with pytest.raises(ConfigurationError):
            TLSPolicy.of(wrong)
    assert TLSPolicy.of(True).context().verify_mode is ssl.CERT_REQUIRED
    assert TLSPolicy.of(True).context().minimum_version is ssl.TLSVersion.TLSv1_2
    assert fingerprint(b"x").startswith("sha256:2d711642")
