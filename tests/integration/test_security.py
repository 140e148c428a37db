"""Attacks on our own code that need sockets. ``tests/unit/test_security.py`` says what covers what."""

from __future__ import annotations

import http.server
import logging
import socket
import threading

import attrs
import pytest

from camsync import HikvisionISAPI, ImouClient, RetryPolicy, TimeSpan
from camsync.errors import CamsyncError, ConfigurationError, ProtocolError
from camsync.providers.hikvision import _xml


ONCE = RetryPolicy(attempts=1)
SECRET = "t0p-s3cret"


@pytest.fixture
def forged():
    """A function that starts a server with one answer to everything, and returns its port."""
    servers = []

    def start(body, *, status=200, headers=()):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
                self.wfile.write("\r\n".join(lines).encode("latin-1") + body)

            do_GET = do_POST = _answer  # noqa: N815 - the names are given

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return server.server_port

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def _recorder(port):
    return HikvisionISAPI("127.0.0.1", "admin", SECRET, port=port, retry=ONCE, timeout=10)


def _account(port):
    return ImouClient(
        "lcapp", SECRET, base_url=f"http://127.0.0.1:{port}", sign="md5", retry=ONCE, timeout=10
    )


BOMBS = {
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"a":' * 200_000,
    "nested result": b'{"result":{"code":"0","msg":"","data":' + b'{"a":' * 200_000,
    "a long number": b'{"result":{"code":"0","data":{"expireTime":' + b"9" * 100_000 + b"}}}",
    "no numbers": b'{"result":{"code":"0","data":{"accessToken":"t","expireTime":Infinity}}}',
    "half a character": b'{"result":{"code":"\\ud800","msg":"\\udfff"}}',
    "another encoding": '{"result":{"code":"1"}}'.encode("utf-16"),
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("make", [_recorder, _account])
@pytest.mark.parametrize("status", [200, 403, 500])
def test_bombs_of_json(forged, make, body, status):
    """However deep, long or odd a document is, it ends in an error of ours without the secret."""
    with make(forged(body, status=status)) as client, pytest.raises(CamsyncError) as caught:
        client.devices()
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert str(caught.value).encode("utf-8")


@pytest.mark.parametrize(
    "challenge",
    [
        'WWW-Authenticate: Digest realm="a\r\n Injected: yes", nonce="n", qop="auth"',
        'WWW-Authenticate: Digest realm="a", nonce="n\r\n\tInjected: yes", qop="auth"',
        'WWW-Authenticate: Digest realm="a", nonce="n", opaque="\x00\x0b\x85Injected: yes"',
        'WWW-Authenticate: Digest realm="\xff\x80\\"", nonce="\xe9", qop="auth"',
    ],
)
def test_a_challenge_injects_no_header(forged, challenge, monkeypatch):
    """What a device puts into its challenge comes back within one header, or not at all."""
    sent = []
    inner = socket.socket.sendall

    def noted(self, data, *args):
        sent.append(bytes(data))
        return inner(self, data, *args)

    monkeypatch.setattr(socket.socket, "sendall", noted)
    port = forged(b"", status=401, headers=[challenge])
    with _recorder(port) as client, pytest.raises(CamsyncError):
        client.devices()
    requests = [data for data in sent if data.startswith(b"GET /ISAPI")]
    assert requests
    for request in requests:
        assert not any(line.startswith((b"Injected", b" ", b"\t")) for line in request.split(b"\n"))
        assert SECRET.encode() not in request


@pytest.mark.parametrize("name", ["admin\r\nInjected: yes", "admin\nInjected: yes", "a\x00b"])
def test_a_user_name_injects_no_header(forged, name, monkeypatch):
    """A user name with line ends never leaves as a line of its own."""
    sent = []
    inner = socket.socket.sendall

    def noted(self, data, *args):
        sent.append(bytes(data))
        return inner(self, data, *args)

    monkeypatch.setattr(socket.socket, "sendall", noted)
    words = 'WWW-Authenticate: Digest realm="a", nonce="n", qop="auth"'
    port = forged(b"", status=401, headers=[words])
    with (
        pytest.raises(CamsyncError),
        HikvisionISAPI("127.0.0.1", name, SECRET, port=port, retry=ONCE) as client,
    ):
        client.devices()
    assert not any(b"\nInjected" in data or b"a\x00b" in data for data in sent)


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://127.0.0.1:{port}/Streaming/tracks/101/?name=a&size=1",
        "http://127.0.0.1:{port}/ISAPI/ContentMgmt/download?name=a&size=1",
        "rtsp://admin:x@127.0.0.1:{port}/Streaming/tracks/101/?name=a&size=1",
        "file:///etc/passwd?name=a&size=1",
        "//127.0.0.1:{port}/x?name=a&size=1",
        "gopher://127.0.0.1:{port}/_x?name=a&size=1",
    ],
)
def test_a_playback_uri_leads_nowhere_else(recorder_simulator, uri):
    """Whatever host a device names as the place of its footage: only the device itself is asked."""
    own, other = recorder_simulator(channels=1, hours=0.1), recorder_simulator(channels=1)
    with HikvisionISAPI("127.0.0.1", "admin", own.password, port=own.port, retry=ONCE) as client:
        channel = client.channels()[0]
        found = next(iter(client.search(channel, TimeSpan.last(hours=1))))
        forged_raw = {**found.raw, "playbackURI": uri.format(port=other.port)}
        with pytest.raises(CamsyncError), client.open(attrs.evolve(found, raw=forged_raw)):
            pass

    assert other.requests == 0


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a SYSTEM "{url}"><a/>',
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "{url}"> %b;]><a/>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "{url}">]><a>&b;</a>',
        '<!DOCTYPE a PUBLIC "-//X" "{url}"><a/>',
    ],
)
def test_xml_fetches_nothing(document):
    """No document makes the parser open a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.dtd"
        with pytest.raises(ProtocolError):
            _xml.parse(document.format(url=url).encode(), "a test")
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "document",
    [
        '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{url}"/></a>',
        '<?xml-stylesheet href="{url}"?><a/>',
        '<a xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:schemaLocation="x {url}"/>',
    ],
)
def test_xml_that_only_points_elsewhere_is_only_text(document):
    """Includes, style sheets and schemas are not looked at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        _xml.parse(document.format(url=url).encode(), "a test")
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_device_forges_no_line_of_the_log(forged, caplog):
    """Words of a device stay within their line, at every level, and drive no terminal."""
    words = "x&#10;ERROR forged&#13;\x85\u2028\u202e&#x9b;31m"
    body = (
        f"<ResponseStatus><statusCode>4</statusCode><statusString>{words}</statusString>"
        f"<subStatusCode>{words}</subStatusCode></ResponseStatus>"
    ).encode()
    with caplog.at_level(logging.INFO), _recorder(forged(body, status=403)) as client:
        with pytest.raises(CamsyncError) as caught:
            client.devices()
        checks = list(client.diagnose())

    said = [caught.value.message, *(record.getMessage() for record in caplog.records)]
    said += [check.seen for check in checks]
    assert [] == [text for text in said if not text.isprintable()]


@pytest.mark.parametrize(
    "host", ["127.0.0.1@evil.invalid", "evil.invalid#", "a b", "evil.invalid/..", "[::1]x", "a\\b"]
)
def test_hosts_that_mean_two_things(host):
    """A host that one parser reads in one way and another in another is none."""
    with pytest.raises(ConfigurationError):
        HikvisionISAPI(host, "admin", SECRET)
