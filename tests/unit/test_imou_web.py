"""HTTPS with a cloud: what is sent, what is refused, and that nothing secret is shown."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import traceback

import pytest

from camsync._secret import Secret
from camsync.errors import (
    CamsyncError,
    CancelledError,
    CertificateError,
    ConfigurationError,
    DeviceTimeoutError,
    ProtocolError,
    UnreachableError,
)
from camsync.testing.recorder._tls import self_signed
from camsync.transport import BulkReply, _web
from camsync.transport._address import Address
from camsync.transport._web import Web, is_loopback, read_url


PRIVATE = "Sig-" + "nature-41"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        self._send(200, f"{self.path}\n{fields}\n".encode() + body)

    def do_GET(self):
        path = self.path.partition("?")[0]
        getattr(self, "_get" + path.replace("/", "_"), self._get_echo)()

    def _send(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _get_echo(self):
        fields = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        self._send(200, f"{self.path}\n{fields}".encode())

    def _get_again(self):
        self._send(302, b"", Location="/target?x=1")

    def _get_loop(self):
        self._send(302, b"", Location="/loop")

    def _get_away(self):
        other = f"http://localhost:{self.server.server_port}/target"
        self._send(302, b"", Location=other)

    def _get_odd(self):
        self._send(302, b"", Location="http://[")

    def _get_nowhere(self):
        self._send(302, b"")

    def _get_short(self):
        self._send(200, b"abc", Content_Length="10")
        self.close_connection = True

    def _get_chunks(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"4\r\nab")
        self.close_connection = True

    def _get_long(self):
        self._send(200, b"a" * (4 * 1024 * 1024 + 1))

    def _get_silence(self):
        self.server.release.wait(10)


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Say nothing about connections that a test has broken off."""


@pytest.fixture(scope="module")
def server():
    """Serve on loopback."""
    made = _Server(("127.0.0.1", 0), _Handler)
    made.daemon_threads = True
    made.release = threading.Event()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.release.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def base(server):
    """Return the server's root URL."""
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def web(base):
    """Open connections to it."""
    made = Web(base, timeout=(5.0, 5.0))
    yield made
    made.close()


def _body(reply: BulkReply) -> bytes:
    """Read an answer and give its connection back."""
    with contextlib.closing(reply):
        return reply.read()


def _shown(error: BaseException) -> str:
    """What a crash reporter that prints variables would show."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_a_post_carries_secrets_in_body_and_headers(web, base):
    """Body and headers go out in plain, as JSON unless something else is said."""
    answer = web.post(
        f"{base}/openapi/x?y=1", Secret('{"a": 1}'), {"Authorization": Secret("Bearer 123")}
    )

    text = answer.body.decode()
    assert 200 == answer.status
    assert text.startswith("/openapi/x?y=1\n")
    assert text.endswith('{"a": 1}')
    assert "Content-Type: application/json\n" in text
    assert "Authorization: Bearer 123\n" in text


def test_a_post_takes_bytes_and_another_type(web, base):
    """What is no secret may be bytes, and the type can be chosen."""
    answer = web.post(f"{base}/x", b"a=1", {"Content-Type": "application/x-www-form-urlencoded"})

    assert b"Content-Type: application/x-www-form-urlencoded\n" in answer.body


def test_a_get_asks_for_a_range(web, base):
    """The range is inclusive and may be open, and connections are kept."""
    for byte_range, wanted in (((0, 9), b"bytes=0-9\n"), ((5, None), b"bytes=5-\n")):
        reply = web.get(Secret(f"{base}/a?b=c"), headers={"X-One": "1"}, byte_range=byte_range)
        body = reply.read()
        reply.close()

        assert body.startswith(b"/a?b=c\n")
        assert b"Range: " + wanted in body
        assert b"X-One: 1\n" in body
        assert len(body) == reply.received


def test_a_body_is_read_piece_by_piece(web, base):
    """Reading into a buffer gives all bytes, and then nothing more."""
    reply = web.get(f"{base}/pieces")
    buffer, total = memoryview(bytearray(16)), 0
    while got := reply.readinto(buffer):
        total += got
    reply.close()

    assert reply.declared == total
    assert 0 == reply.readinto(memoryview(b""))


def test_a_redirect_on_the_same_host_is_followed_with_its_headers(web, base):
    """The target gets what the first request would have had."""
    body = _body(web.get(f"{base}/again", headers={"X-Token": Secret("1")}, byte_range=(1, 2)))

    assert body.startswith(b"/target?x=1\n")
    assert b"X-Token: 1\n" in body
    assert b"Range: bytes=1-2\n" in body


def test_an_answer_knows_where_it_came_from(web, base):
    """Behind redirects, that is where they led."""
    for asked, found in (("/target?x=2", "/target?x=2"), ("/again", "/target?x=1")):
        with contextlib.closing(web.get(f"{base}{asked}")) as reply:
            assert f"{base}{found}" == reply.url.reveal()


def test_a_redirect_without_a_target_is_an_answer(web, base):
    """The caller sees the status."""
    with contextlib.closing(web.get(f"{base}/nowhere")) as reply:
        assert 302 == reply.status


def test_redirects_end(web, base):
    """A redirect to itself is not followed for ever."""
    with pytest.raises(ProtocolError, match="without end"):
        web.get(f"{base}/loop")


def test_a_redirect_to_another_host_needs_permission(web, base):
    """Without it, the redirect is an error that does not show the path."""
    with pytest.raises(ProtocolError, match="not the vendor's"):
        web.get(f"{base}/away")


def test_a_redirect_to_an_allowed_host_loses_the_headers(base):
    """What opened the first host is not carried to the second."""
    web = Web(base, allowed=lambda host: host == "localhost")

    body = _body(web.get(f"{base}/away", headers={"X-Token": "1"}, byte_range=(3, 4)))
    web.close()

    assert b"X-Token" not in body
    assert b"Range: bytes=3-4\n" in body


def test_a_redirect_to_nonsense_is_refused(web, base):
    """A target that cannot be read is an error."""
    with pytest.raises(ConfigurationError):
        web.get(f"{base}/odd")


@pytest.mark.parametrize("way", ["read", "readinto"])
@pytest.mark.parametrize("path", ["short", "chunks"])
def test_a_body_that_ends_early_is_an_error(web, base, way, path):
    """Less than announced, or half a chunk, means that the connection broke."""
    reply = web.get(f"{base}/{path}")

    read = reply.read if way == "read" else lambda: _drain(reply)

    with pytest.raises(UnreachableError, match="ended after") as caught:
        read()

    assert caught.value.retryable
    reply.close()


def _drain(reply: BulkReply) -> None:
    while reply.readinto(memoryview(bytearray(64))):
        pass


def test_a_document_does_not_fill_the_memory(web, base):
    """More than a document can hold is a protocol error, not a broken connection."""
    reply = web.get(f"{base}/long")
    with contextlib.closing(reply), pytest.raises(ProtocolError, match="longer") as caught:
        reply.read()

    assert "recorder" not in str(caught.value)


def test_silence_is_a_timeout(base):
    """A host that does not answer is given up."""
    web = Web(base, timeout=(1.0, 0.1))

    with pytest.raises(DeviceTimeoutError):
        web.get(f"{base}/silence")


def test_waiting_can_be_cancelled(web, base):
    """The caller's token ends the wait for an answer."""
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()

    with pytest.raises(CancelledError):
        web.get(f"{base}/silence", cancel=cancel)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a.example/",
        "https://",
        "https://a b/",
        "https://user@a.example/",
        "https://a.example\\b",
        "https://a.example:99999/",
        "https://[1/",
        "//a.example/",
        "https://ä.example/",
    ],
)
def test_unusable_urls_are_refused(web, url):
    """They are not sent, and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        web.get(Secret(f"{url}?{PRIVATE}" if url else ""))

    assert PRIVATE not in str(caught.value)


def test_a_url_is_taken_apart():
    """The fragment and doubled slashes are left out, the query stays."""
    place = read_url("https://Media.example//a/b?c=d#e")

    assert Address("Media.example".lower(), 443, secure=True) == place.address
    assert "/a/b?c=d" == place.path.reveal()
    assert "c=d" not in repr(place)


def test_plain_http_is_for_loopback_only(web):
    """A base URL or a media URL without TLS is refused anywhere else."""
    with pytest.raises(ConfigurationError, match="plain HTTP"):
        Web("http://openapi.example")
    with pytest.raises(ProtocolError, match="plain HTTP"):
        web.get("http://media.example/x")
    with pytest.raises(ProtocolError, match="plain HTTP"):
        Web("https://openapi.example").get("http://127.0.0.1/x")


def test_loopback_is_told_by_name_and_number():
    """No name server is asked."""
    assert [True, True, True, False, False] == [
        is_loopback(host) for host in ("localhost", "127.0.0.9", "::1", "10.0.0.1", "a.example")
    ]


def test_the_cloud_cannot_send_us_into_the_own_network(monkeypatch, server):
    """A public cloud that names a private address of media is refused before anything is sent."""
    found = {"openapi.example": ("93.184.216.34",), "127.0.0.1": ()}
    monkeypatch.setattr(_web, "public_addresses", lambda host: found[host])
    web = Web("https://openapi.example")
    connected = []
    monkeypatch.setattr(
        _web._Lines, "_connect", lambda _self: connected.append(_Line()) or connected[0]
    )

    with pytest.raises(ProtocolError, match="private network"):
        web.get("https://127.0.0.1/segment.ts")

    assert connected[0].closed
    assert not connected[0].sent


class _Line:
    """A connection that only says where it leads."""

    def __init__(self):
        self.closed = self.sent = False
        self.sock = self

    def getpeername(self):
        return ("127.0.0.1", 443)

    def close(self):
        self.closed = True


@pytest.mark.parametrize("value", ["", "a\r\nb", "a\x00", "a ", "ä"])
def test_headers_that_cannot_be_sent_are_refused(web, base, value):
    """The libraries would quote them."""
    with pytest.raises(ConfigurationError) as caught:
        web.post(f"{base}/x", b"", {"Authorization": Secret(PRIVATE + value if value else value)})

    assert PRIVATE not in _shown(caught.value)


def test_a_foreign_certificate_is_explained_as_a_cloud_s():
    """A certificate that nobody trusts is no recorder's here."""
    identity = self_signed("127.0.0.1")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        line, _ = listener.accept()
        with line:
            try:
                identity.context.wrap_socket(line, server_side=True)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        web = Web(f"https://127.0.0.1:{port}")
        with pytest.raises(CertificateError) as caught:
            web.post(f"https://127.0.0.1:{port}/x", b"")
    finally:
        web.close()
        thread.join()
        listener.close()

    assert "recorder" not in str(caught.value)
    assert "in between" in str(caught.value)


@pytest.mark.parametrize("way", ["get", "post"])
def test_no_error_shows_what_was_sent(way):
    """Neither URL, nor header, nor body stands in the error, its causes or their variables."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = Secret(f"http://127.0.0.1:{port}/path?digest={PRIVATE}")
    web = Web(f"http://127.0.0.1:{port}")

    login = {"Authorization": Secret(f"Bearer {PRIVATE}")}
    ways = {
        "get": lambda: web.get(url, headers=login),
        "post": lambda: web.post(url, Secret(PRIVATE), login),
    }

    with pytest.raises(UnreachableError) as caught:
        ways[way]()

    assert PRIVATE not in _shown(caught.value)


def test_closing_can_be_repeated_and_is_not_the_end(web, base):
    """After it, new connections are opened."""
    web.post(f"{base}/x", b"")
    web.get(f"{base}/x").close()
    web.close()
    web.close()

    assert 200 == web.post(f"{base}/x", b"").status
    assert repr(web) == f"<Web {base}>"


def test_closing_does_not_wait_for_a_log(caplog):
    """A log record of urllib3 holds, with its traceback, the connection; it is closed all the same."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\n\r\nok"
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            line, _ = listening.accept()
            with line:
                line.settimeout(5.0)
                line.recv(65536)
                line.sendall(answer)
                heard.append(line.recv(65536))

        thread = threading.Thread(target=serve)
        thread.start()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        web = Web(base, timeout=(5.0, 5.0))
        assert b"ok" == web.post(f"{base}/x", b"").body
        assert any(record.exc_info for record in caplog.records)
        web.close()
        thread.join()

    assert [b""] == heard


def test_an_unfinished_object_can_be_shown():
    """A traceback that prints variables may meet one."""
    assert "<Web ?>" == repr(Web.__new__(Web))


def test_every_error_is_ours(web, base):
    """A body that is too long for memory is an error of ours, too."""
    with pytest.raises(CamsyncError):
        web.post(f"{base}/x", b"a" * (5 * 1024 * 1024))
