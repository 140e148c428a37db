"""No secret leaves the transport in an error: not in its words, its frames or what hangs on it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import logging
import re
import socket
import struct
import threading
import traceback

from collections.abc import Callable, Iterator

import pytest

from camsync import (
    AuthenticationError,
    CamsyncError,
    CancelledError,
    CertificateError,
    ConfigurationError,
    DeviceTimeoutError,
    ProtocolError,
    Secret,
    TLSError,
    UnreachableError,
)
from camsync.testing.recorder._tls import Identity, self_signed
from camsync.transport import Address, TLSPolicy, Transport
from camsync.transport._traces import chain, clean, without


PASSWORD = "plant-Zx9-secret"
TOKEN = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
HA1 = hashlib.md5(f"admin:r:{PASSWORD}".encode()).hexdigest()
DIGEST = 'Digest realm="r", nonce="n", qop="auth"'
BASIC = 'Basic realm="r"'
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


class _Server:
    """Asks for a login, and then does what a test wants to whoever brings one."""

    def __init__(self, challenge: str, then: Callable[[socket.socket, bytes], None]) -> None:
        self.challenge = challenge
        self.then = then
        self.identities: list[Identity | None] = []
        self.seen: list[str] = []
        self.done = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        while True:
            line, _ = self.listening.accept()
            with line, contextlib.suppress(OSError):
                if self.done.is_set():
                    return
                identity = self.identities.pop(0) if self.identities else None
                if identity is None:
                    self.answer(line)
                else:
                    with identity.context.wrap_socket(line, server_side=True) as secure:
                        self.answer(secure)

    def answer(self, line: socket.socket) -> None:
        request = line.recv(65536)
        found = re.search(rb"Authorization: ([^\r\n]+)", request)
        if found is None:
            text = f"HTTP/1.1 401 No\r\nConnection: close\r\nWWW-Authenticate: {self.challenge}\r\n"
            line.sendall(text.encode() + b"Content-Length: 0\r\n\r\n")
        else:
            self.seen.append(found[1].decode())
            self.then(line, found[1])

    def __enter__(self) -> _Server:  # noqa: PYI034 - Self needs Python 3.11
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        self.thread.join()
        self.listening.close()


def _reset(line: socket.socket, _: bytes) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _silence(line: socket.socket, _: bytes) -> None:
    line.recv(1)  # until the client goes


def _say(*parts: bytes) -> Callable[[socket.socket, bytes], None]:
    """Send *parts*; ``@`` stands for the Authorization value that came."""
    return lambda line, seen: line.sendall(b"".join(parts).replace(b"@", seen))


def _break_off(line: socket.socket, seen: bytes) -> None:
    line.sendall(HEAD + b"Content-Length: 9999\r\n\r\n" + seen)
    _reset(line, seen)


TROUBLES: dict[str, tuple[Callable[[socket.socket, bytes], None], type[CamsyncError]]] = {
    "reset": (_reset, UnreachableError),
    "silence": (_silence, DeviceTimeoutError),
    "closed": (_say(), UnreachableError),
    "echo in the status line": (_say(b"SIP/2.0 @\r\n\r\n"), UnreachableError),
    "echo in the status": (_say(b"HTTP/1.1 abc @\r\n\r\n"), UnreachableError),
    "endless header": (_say(b"HTTP/1.1 200 OK\r\nX: @", b"x" * 70_000, b"\r\n\r\n"), CamsyncError),
    "too many headers": (_say(b"HTTP/1.1 200 OK\r\n", b"X: @\r\n" * 101, b"\r\n"), CamsyncError),
    "broken off": (_break_off, CamsyncError),
    "broken chunk": (_say(HEAD, b"Transfer-Encoding: chunked\r\n\r\n@\r\n"), CamsyncError),
    "oversize": (_say(HEAD, b"\r\n@", b"x" * 100), ProtocolError),
}


@contextlib.contextmanager
def _transport(server: _Server, *, secure: bool = False, pin: str = "") -> Iterator[Transport]:
    transport = Transport(
        Address.of("127.0.0.1", server.port, secure=secure),
        "admin",
        Secret(PASSWORD),
        tls=TLSPolicy.of(pin or True),
        timeout=(0.5, 0.5),
        allow_basic=True,
    )
    try:
        yield transport
    finally:
        transport.close()


def _by_calls(transport: Transport) -> None:
    transport.request("GET", "/x")


def _by_bulk(transport: Transport) -> None:
    reply = transport.stream("GET", "/x")
    try:
        reply.read()
    finally:
        reply.close()


def _by_buffer(transport: Transport) -> None:
    reply = transport.stream("GET", "/x")
    try:
        while reply.readinto(memoryview(bytearray(64))):
            pass
    finally:
        reply.close()


def _caught(work: Callable[[Transport], None], transport: Transport) -> BaseException:
    """Return what *work* raises; no frame of this module holds the password."""
    try:
        work(transport)
    except BaseException as error:  # noqa: BLE001 - Control-C is one of them
        return error
    pytest.fail("nothing was raised")


def _contents(thing: object, depth: int = 4) -> Iterator[str]:
    """Yield the texts in an object's attributes, and in theirs."""
    yield repr(thing)
    if depth and not isinstance(thing, (Secret, type)):
        inner = thing if isinstance(thing, (tuple, list)) else vars(thing) if _has(thing) else {}
        for one in inner.values() if isinstance(inner, dict) else inner:
            yield from _contents(one, depth - 1)


def _has(thing: object) -> bool:
    return hasattr(thing, "__dict__")


def _everything(error: BaseException) -> str:
    """Return all that a crash reporter could find: frames with variables, words, attributes."""
    texts: list[str] = []
    for one in chain(error):
        shown = traceback.TracebackException.from_exception(one, capture_locals=True)
        texts += [*shown.format(), str(one), repr(one)]
        texts += [*_contents(one.args), *_contents(list(vars(one).values()))]
        texts.append(repr(getattr(one, "object", "")))
    return "\n".join(texts)


def _assert_clean(text: str, server: _Server) -> None:
    assert server.seen, "the login was never sent: this proves nothing"
    planted = [PASSWORD, TOKEN, HA1, *server.seen]
    planted += [part for value in server.seen for part in re.findall(r'response="(\w+)"', value)]
    assert [] == [secret for secret in planted if secret in text]


schemes = pytest.mark.parametrize("challenge", [DIGEST, BASIC], ids=["digest", "basic"])
paths = pytest.mark.parametrize("work", [_by_calls, _by_bulk], ids=["calls", "bulk"])


@schemes
@pytest.mark.parametrize(
    ("work", "trouble"),
    [
        (work, trouble)
        for work in (_by_calls, _by_bulk, _by_buffer)
        for trouble in TROUBLES
        if (work, trouble) != (_by_buffer, "oversize")  # a buffer takes what there is
    ],
)
def test_trouble_on_the_wire(trouble, work, challenge, monkeypatch, caplog):
    """Whatever the device does after the login has come, no error shows any form of it."""
    for module in ("_bulk", "_calls"):
        monkeypatch.setattr(f"camsync.transport.{module}.MAX_ANSWER", 60)
    then, kind = TROUBLES[trouble]
    caplog.set_level(logging.DEBUG)

    with _Server(challenge, then) as server, _transport(server) as transport:
        error = _caught(work, transport)
        records = "".join(record.getMessage() for record in caplog.records)

        assert isinstance(error, kind)
        _assert_clean(_everything(error) + records, server)


@schemes
@paths
def test_a_refused_connection(work, challenge):
    """The device is gone when the login that worked is to be used again."""
    server = _Server(challenge, _say(HEAD, b"Content-Length: 0\r\n\r\n"))
    with _transport(server) as transport:
        with server:
            work(transport)
        error = _caught(work, transport)

    assert isinstance(error, UnreachableError)
    _assert_clean(_everything(error), server)


@schemes
@paths
def test_a_refused_login(work, challenge):
    """The final 401, and what is raised from then on without asking."""
    again = f"HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
    with _Server(challenge, _say(again.encode())) as server, _transport(server) as transport:
        work(transport)
        error = _caught(work, transport)

    assert isinstance(error, AuthenticationError)
    _assert_clean(_everything(error), server)


@schemes
@paths
@pytest.mark.parametrize("wrong", [True, False], ids=["certificate", "handshake"])
def test_tls_trouble(work, challenge, wrong):
    """Another certificate, or no TLS any more, when the proven login is to be sent again."""
    mine, other = self_signed("127.0.0.1"), self_signed("127.0.0.1")
    with _Server(challenge, _say(HEAD, b"Content-Length: 0\r\n\r\n")) as server:
        server.identities = [mine, mine, other if wrong else None]
        with _transport(server, secure=True, pin=mine.fingerprint) as transport:
            work(transport)
            if not wrong:
                server.answer = lambda line: line.sendall(b"HTTP/1.1 400 No\r\n\r\n")  # type: ignore[method-assign]
            error = _caught(work, transport)

    assert isinstance(error, CertificateError if wrong else TLSError)
    if isinstance(error, CertificateError):
        assert (error.expected, error.actual) == (mine.fingerprint, other.fingerprint)
    assert len(server.seen) == 1, "nothing was sent to the other one"
    _assert_clean(_everything(error), server)


@schemes
@paths
@pytest.mark.parametrize("place", ["endheaders", "putheader", "getresponse"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, TypeError, RuntimeError, UnicodeEncodeError])
def test_interrupts_and_mistakes(kind, place, work, challenge, monkeypatch):
    """Control-C, and mistakes in the libraries, pass as they are, but without the variables."""
    server = _Server(challenge, _say(HEAD, b"Content-Length: 0\r\n\r\n"))
    original = getattr(http.client.HTTPConnection, place)

    def broken(self: http.client.HTTPConnection, *args: object, **options: object) -> object:
        if not server.seen:
            return original(self, *args, **options)
        local, text = args, " ".join(map(str, (*args, *server.seen)))  # what a frame may hold
        if kind is UnicodeEncodeError:
            codec = "ascii"
            raise UnicodeEncodeError(codec, text, 0, 1, codec)
        raise kind(local, self) if kind is not RuntimeError else RuntimeError(self)

    with server, _transport(server) as transport:
        work(transport)
        monkeypatch.setattr(http.client.HTTPConnection, place, broken)
        error = _caught(work, transport)

    assert isinstance(error, (ProtocolError, kind))
    _assert_clean(_everything(error), server)


@schemes
def test_a_cancelled_stream(challenge):
    """A caller who gives up while the device is silent gets an error that holds no login."""
    cancel = threading.Event()

    def then(line: socket.socket, _: bytes) -> None:
        cancel.set()
        line.recv(1)

    with _Server(challenge, then) as server, _transport(server) as transport:
        transport._bulk._read_timeout = 20.0
        error = _caught(lambda one: one.stream("GET", "/x", cancel=cancel).close(), transport)

    assert isinstance(error, CancelledError)
    _assert_clean(_everything(error), server)


def test_a_mistake_while_hashing(monkeypatch):
    """An error in the middle of the Digest computation shows nothing, even from a careless frame."""

    def careless(_: object, username: str, password: Secret) -> Secret:
        plain = f"{username}:r:{password.reveal()}"
        return Secret(plain).no_such_thing  # type: ignore[attr-defined, no-any-return]

    server = _Server(DIGEST, _say(HEAD, b"Content-Length: 0\r\n\r\n"))
    with server, _transport(server) as transport:
        transport.request("GET", "/x")
        monkeypatch.setattr(type(transport.login._scheme), "_ha1", careless)
        error = _caught(_by_calls, transport)

    assert isinstance(error, AttributeError)
    _assert_clean(_everything(error), server)


def test_the_callers_own_error_is_left_alone():
    """An error that was being handled keeps its frames, its attributes and its words."""
    with _Server(BASIC, _reset) as server, _transport(server) as transport:
        try:
            _remember(own := ["mine"])
        except LookupError as mine:
            error = _caught(_by_calls, transport)
            kept, frame = mine.args, mine.__traceback__.tb_next.tb_frame  # type: ignore[union-attr]

    assert mine_is_behind(error)
    assert kept == (own,)
    assert frame.f_locals == {"what": own}


def _remember(what: list[str]) -> None:
    raise LookupError(what)


def mine_is_behind(error: BaseException) -> bool:
    """Whether the caller's error is in the chain, as Python wants it."""
    return any(isinstance(one, LookupError) for one in chain(error))


def test_nothing_prints_the_login(monkeypatch, capsys):
    """A program that switches on http.client's debug output does not get the header from us."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    server = _Server(BASIC, _say(HEAD, b"Content-Length: 0\r\n\r\n"))
    with server, _transport(server) as transport:
        _by_calls(transport)
        _by_bulk(transport)

    assert server.seen == [f"Basic {TOKEN}"] * 2
    assert capsys.readouterr().out == ""


def test_errors_lose_what_is_no_text():
    """Objects go, text stays, and what was sent is masked in text and in bytes."""
    sent = Secret("Basic abcd")
    undecodable = UnicodeDecodeError("utf-8", b"Basic abcd", 0, 1, "no")
    strange = UnicodeError("Basic abcd")
    error = ValueError("it said abcd", b"Basic abcd", object(), 7)
    error.__cause__, error.__context__ = undecodable, strange
    error.pool, error.note = object(), "Basic abcd"  # type: ignore[attr-defined]

    clean(error, None, sent)

    assert error.args == ("it said ***", b"***", 7)
    assert vars(error) == {"pool": None, "note": "***"}
    assert undecodable.object == b""
    assert strange.args == ()
    assert without("Basic abcd", None) == "Basic abcd"
    assert without(7, sent) == 7


def test_an_unusable_password_stays_out_of_its_error():
    """A transport that cannot be made does not show why in letters."""
    work = lambda _: Transport(  # noqa: E731 - it must not be a frame with the password
        Address.of("127.0.0.1"), "admin", _broken_password(), tls=TLSPolicy.of(True)
    )
    error = _caught(work, None)  # type: ignore[arg-type]

    assert isinstance(error, ConfigurationError)
    assert PASSWORD not in _everything(error)


def _broken_password() -> Secret:
    return Secret(f"{PASSWORD}\ud800")
