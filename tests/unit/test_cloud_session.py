"""Small calls to clouds, which go through requests."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading

from collections.abc import Iterator
from pathlib import Path

import pytest

from camsync import UnreachableError
from camsync.testing.recorder._tls import self_signed
from camsync.transport import Web


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lines: set[int] = set()  # noqa: RUF012 - the ports that calls came from

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.lines.add(self.client_address[1])
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def _cloud(folder: Path) -> Iterator[Web]:
    identity = self_signed("127.0.0.1")
    roots = folder / "roots.pem"
    roots.write_text(identity.certificate)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.socket = identity.context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    web = Web(f"https://127.0.0.1:{server.server_port}", verify=str(roots))
    try:
        yield web
    finally:
        web.close()
        server.shutdown()
        thread.join()
        server.server_close()


def test_calls_over_tls_share_a_connection(tmp_path: Path, monkeypatch):
    """A handshake is not repeated for each of them."""
    monkeypatch.setattr(_Echo, "lines", set())
    with _cloud(tmp_path) as web:
        answers = [web.post(f"{web.home}/x", text).body for text in (b"one", b"two")]

    assert [b"one", b"two"] == answers
    assert 1 == len(_Echo.lines)


def test_half_a_head_is_no_answer():
    """A connection that ends within the headers is an error, as with a recorder."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            line, _ = listening.accept()
            with line:
                line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
                line.shutdown(socket.SHUT_WR)
                while line.recv(65536):  # to close with something unread is a reset
                    pass

        thread = threading.Thread(target=hang_up)
        thread.start()
        web = Web(f"http://127.0.0.1:{listening.getsockname()[1]}")
        with contextlib.closing(web), pytest.raises(UnreachableError, match="headers"):
            web.post(f"{web.home}/x", b"{}")
        thread.join()
