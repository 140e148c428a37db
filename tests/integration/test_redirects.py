"""Redirects: followed on the device itself, refused to anywhere else, and never with the login."""

from __future__ import annotations

import http.server
import threading

import pytest

from camsync import AuthenticationError, HikvisionISAPI, RetryPolicy, Secret, UnreachableError
from camsync.providers.hikvision._errors import error_for
from camsync.testing import RecorderSimulator
from camsync.transport import Address, TLSPolicy, Transport, redirect_error
from camsync.transport._redirect import Where, read_target


PATH = "/ISAPI/System/deviceInfo"
ROUTER = "camsync.testing.recorder._router"


@pytest.fixture
def simulator(recorder_simulator):
    """Play a recorder."""
    return recorder_simulator(channels=1, hours=0.2, segment_seconds=20)


@pytest.fixture
def elsewhere(recorder_simulator, monkeypatch):
    """Play the other host: a second device on another port, to which redirects point."""
    other = recorder_simulator(channels=1)
    monkeypatch.setattr(f"{ROUTER}._ELSEWHERE", other.url)
    return other


def _transport(simulator: RecorderSimulator) -> Transport:
    return Transport(
        Address.of(simulator.host, simulator.port, secure=simulator.certificate is not None),
        simulator.username,
        Secret(simulator.password),
        tls=TLSPolicy.of(simulator.fingerprint or True),
    )


def _provider(simulator: RecorderSimulator) -> HikvisionISAPI:
    return HikvisionISAPI(
        simulator.host,
        simulator.username,
        simulator.password,
        port=simulator.port,
        https=simulator.certificate is not None,
        verify=simulator.fingerprint or True,
        retry=RetryPolicy(attempts=1),
    )


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("scheme", ["sha256-only", "digest-no-qop", "basic-only"])
def test_a_redirect_on_the_device_is_followed(recorder_simulator, tls, scheme):
    """A GET is answered from where it points, and the login is made for the new path."""
    simulator = recorder_simulator(channels=1, tls=tls, faults=["redirect-same-host"])
    if scheme != "basic-only" or tls:
        simulator.enable(scheme)
    with _provider(simulator) as provider:
        assert provider.devices()[0].model == "DS-7616NI-K2"
        assert provider.devices()

    assert simulator.logins_failed == 0
    assert simulator.fault_hits["redirect-same-host"] >= 2


class _Wavering(http.server.BaseHTTPRequestHandler):
    """Sends every other login to another path of itself, and refuses those in between."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, and count."""
        counts = self.server.counts
        sent = self.headers.get("Authorization") is not None
        counts["logins"] += sent
        redirected = sent and counts["logins"] % 2 == 1
        counts["failed"] += sent and not redirected
        self.send_response(302 if redirected else 401)
        if redirected:
            self.send_header("Location", f"{self.path}/again")
        else:
            nonce = f"n{counts['logins']}"
            self.send_header("WWW-Authenticate", f'Digest realm="r", nonce="{nonce}", qop="auth"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_a_redirect_does_not_prove_the_password():
    """One refusal is final, also for a device that sends every other login somewhere else."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Wavering)
    server.counts = {"logins": 0, "failed": 0}
    address = Address.of("127.0.0.1", server.server_port)
    transport = Transport(address, "admin", Secret("x"), tls=TLSPolicy.of(True))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        assert transport.request("GET", PATH).status == 401
        for _ in range(5):
            with pytest.raises(AuthenticationError):
                transport.request("GET", PATH)
    finally:
        transport.close()
        server.shutdown()
        server.server_close()
        thread.join()

    assert server.counts == {"logins": 2, "failed": 1}


def test_without_login_too(simulator):
    """A request without a login is redirected in the same way, and stays without."""
    simulator.enable("redirect-same-host")
    transport = _transport(simulator)
    answer = transport.request("GET", "/ISAPI/Security/userCheck?a=b", anonymous=True)
    transport.close()

    assert answer.status == 401
    assert [line.status for line in simulator.requests_log] == [302, 401]
    assert simulator.logins_failed == 0


def test_a_loop_ends(simulator):
    """After three hops the redirect is the answer, and the provider makes a typed error of it."""
    simulator.enable("redirect-loop")
    transport = _transport(simulator)
    answer = transport.request("GET", PATH)
    transport.close()

    assert answer.status == 302
    assert [line.status for line in simulator.requests_log] == [302] * 4
    with _provider(simulator) as provider, pytest.raises(UnreachableError) as caught:
        provider.devices()
    assert caught.value.http_status == 302
    assert not caught.value.retryable


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("method", ["request", "stream"])
@pytest.mark.parametrize("logged_in", [False, True])
def test_nothing_arrives_elsewhere(recorder_simulator, elsewhere, tls, method, logged_in):
    """Another port of the same computer is another place: it sees not one request."""
    simulator = recorder_simulator(channels=1, tls=tls)
    transport = _transport(simulator)
    if logged_in:
        assert transport.request("GET", PATH).status == 200
    simulator.enable("redirect-elsewhere")
    before = simulator.requests
    if method == "request":
        status = transport.request("GET", PATH).status
    else:
        reply = transport.stream("GET", PATH)
        status = reply.status
        reply.close()
    transport.close()

    assert status == 302
    assert simulator.requests == before + 1
    assert elsewhere.requests == 0


def test_never_from_https_to_http(recorder_simulator, elsewhere):
    """A TLS recorder that points to plain HTTP is refused, whatever listens there."""
    simulator = recorder_simulator(channels=1, tls=True, faults=["redirect-http"])
    transport = _transport(simulator)
    for fault in ("redirect-http", "redirect-elsewhere"):
        simulator.enable(fault)
        answer = transport.request("GET", PATH)
        error = error_for(
            answer.status, answer.body, answer.headers, "deviceInfo", transport.address
        )
        assert "plain HTTP" in error.message
        assert "http://127.0.0.1" in error.message
        simulator.disable(fault)
    transport.close()

    assert elsewhere.requests == 0


def test_never_from_http_to_https_by_itself(simulator):
    """An upgrade is advised and not made: the certificate there has to be seen first."""
    simulator.enable("redirect-https")
    transport = _transport(simulator)
    answer = transport.request("GET", PATH)
    error = error_for(answer.status, answer.body, answer.headers, "deviceInfo", transport.address)
    transport.close()

    assert "https://127.0.0.1:443" in error.message
    assert "https=True" in str(error.next_step)
    assert "camsync trust" in str(error.next_step)


def test_bodies_are_never_sent_again(simulator):
    """A request with a body is sent once, even where the redirect stays on the device."""
    simulator.enable("redirect-loop")
    transport = _transport(simulator)
    answers = [
        transport.request("POST", "/ISAPI/ContentMgmt/search", b"<x/>").status,
        transport.request("GET", "/ISAPI/ContentMgmt/search", b"<x/>").status,
        transport.request("PUT", PATH).status,
    ]
    reply = transport.stream("POST", "/ISAPI/ContentMgmt/download", b"<x/>")
    reply.close()
    transport.close()

    assert [*answers, reply.status] == [302] * 4
    assert simulator.requests == 4


# -- Reading a target ----------------------------------------------------------------------------


HERE = Address.of("nvr.lan", 8080)
SAFE = Address.of("2001:DB8::1", secure=True)


@pytest.mark.parametrize(
    ("address", "location", "path"),
    [
        (HERE, "/b?x=1#top", "/b?x=1"),
        (HERE, "c", "/a/c"),
        (HERE, "?x=1", "/a/b?x=1"),
        (HERE, "../c", "/c"),
        (HERE, "http://NVR.lan:8080/b", "/b"),
        (HERE, "http://nvr.lan.:8080", "/"),
        (HERE, "//nvr.lan:8080/b", "/b"),
        (HERE, "http://nvr.lan:8080//evil.example/b", "/evil.example/b"),
        (SAFE, "https://[2001:db8:0::1]/b", "/b"),
        (SAFE, "https://[2001:db8::1]:443/b", "/b"),
        (Address.of("fe80::1%eth0"), "http://[fe80::1%25eth0]/b", "/b"),
    ],
)
def test_the_device_itself(address: Address, location: str, path: str):
    """Scheme, host and port are compared in one spelling; relative targets are completed."""
    found = read_target(address, "/a/b", location)

    assert (found.where, found.path) == (Where.SAME, path)


@pytest.mark.parametrize(
    ("address", "location", "where", "place"),
    [
        (HERE, "http://nvr.lan/b", Where.ELSEWHERE, "http://nvr.lan:80"),
        (HERE, "http://evil.example:8080/b?pw=1", Where.ELSEWHERE, "http://evil.example:8080"),
        (HERE, "//evil.example/b", Where.ELSEWHERE, "http://evil.example:80"),
        (HERE, "http://nvr.lan@evil.example/", Where.ELSEWHERE, "http://evil.example:80"),
        (HERE, "http://admin:pw@nvr.lan:8080/", Where.ELSEWHERE, "http://nvr.lan:8080"),
        (HERE, "http://nvr.lan.evil.example:8080", Where.ELSEWHERE, ""),
        (HERE, "https://nvr.lan/b", Where.SECURE, "https://nvr.lan:443"),
        (SAFE, "http://[2001:db8::1]/b", Where.INSECURE, "http://[2001:db8::1]:80"),
        (SAFE, "https://[2001:db8::2]/b", Where.ELSEWHERE, "https://[2001:db8::2]:443"),
        (HERE, "http://nvr.lan:0/", Where.NOWHERE, ""),
        (HERE, "http://nvr.lan:99999/", Where.NOWHERE, ""),
        (HERE, "http://[", Where.NOWHERE, ""),
        (HERE, "ftp://nvr.lan/b", Where.NOWHERE, ""),
        (HERE, "ftp://nvr.lan:21/b", Where.FOREIGN, "ftp://nvr.lan:21"),
        (HERE, "ftp://nvr.lan:8080/b", Where.FOREIGN, "ftp://nvr.lan:8080"),
        (SAFE, "ws://[2001:db8::1]:443/b", Where.FOREIGN, "ws://[2001:db8::1]:443"),
        (HERE, "ftp://evil.example:21/b", Where.ELSEWHERE, "ftp://evil.example:21"),
        (HERE, "javascript:alert(1)", Where.NOWHERE, ""),
        (HERE, "http://evil\\@nvr.lan:8080/", Where.NOWHERE, ""),
        (HERE, "\\\\evil.example\\b", Where.NOWHERE, ""),
        (HERE, "/b c", Where.NOWHERE, ""),
        (HERE, "/\x1b[2J", Where.NOWHERE, ""),
        (HERE, "/" + "x" * 5000, Where.NOWHERE, ""),
        (HERE, "", Where.NOWHERE, ""),
    ],
)
def test_everywhere_else(address: Address, location: str, where: Where, place: str):
    """Nothing but the very same origin is ever asked, and only scheme and host are shown."""
    found = read_target(address, "/a/b", location)

    assert (found.where, found.path) == (where, "")
    assert place in found.place


@pytest.mark.parametrize(
    ("address", "location", "words", "step"),
    [
        (HERE, None, "does not say where to", "host and port"),
        (HERE, "/b", "at most 3 times", "doctor"),
        (HERE, "https://nvr.lan/b", "never carried along", "camsync trust"),
        (SAFE, "http://[2001:db8::1]/b", "could be read", "https=False only if"),
        (HERE, "http://user:secret@evil.example/?q=secret", "refused", "host and port"),
        (HERE, "http://[", "cannot be read", "host and port"),
        (HERE, "ftp://nvr.lan:21/?q=secret", "neither HTTP nor HTTPS", "host and port"),
        (SAFE, "ftp://[2001:db8::1]:21/", "neither HTTP nor HTTPS", "host and port"),
        (None, "/b", "another path", "host and port"),
        (None, "https://nvr.lan/?q=secret", "https://nvr.lan:443", "https=True"),
        (None, "http://user:secret@evil.example/", "http://evil.example:80", "host and port"),
        (None, "http://[", "cannot be read", "host and port"),
    ],
)
def test_what_is_said_about_it(address, location, words, step):
    """The error names scheme and host at most, says why, and what to do."""
    error = redirect_error(302, location, "deviceInfo", address)

    assert words in error.message
    assert step in str(error.next_step)
    assert "secret" not in str(error)
    assert "deviceInfo" in error.message
    assert (error.http_status, error.retryable) == (302, False)
