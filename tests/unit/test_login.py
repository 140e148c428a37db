"""The shared login: how often a device is asked, and when it is left alone."""

from __future__ import annotations

import contextlib
import threading

import attrs
import pytest

from camsync import (
    AuthenticationError,
    ConfigurationError,
    InsecureAuthenticationError,
    ProtocolError,
    Secret,
    UnreachableError,
)
from camsync.transport._login import Login


def _challenge(nonce: str = "n1", *, stale: bool = False) -> str:
    return f'Digest realm="r", nonce="{nonce}", qop="auth"' + (', stale="TRUE"' if stale else "")


@attrs.define
class Reply:
    status: int = 200
    challenges: tuple[str, ...] = ()
    discarded: bool = False

    def discard(self) -> None:
        self.discarded = True


@attrs.define
class Device:
    """Answers from a script and remembers the logins that it saw."""

    script: list[Reply]
    seen: list[str | None] = attrs.field(factory=list)

    def __call__(self, authorization: Secret | None) -> Reply:
        self.seen.append(authorization and authorization.reveal())
        return self.script.pop(0)


def _login(**options: bool) -> Login:
    return Login("admin", Secret("secret-password"), **options)


def _refused(*challenges: str) -> Reply:
    return Reply(401, challenges or (_challenge(),))


def test_the_second_request_costs_one_round_trip():
    """The nonce is learnt once and used again: n requests cost n + 1 round trips."""
    device = Device([_refused(), Reply(), Reply(), Reply()])
    one = _login()

    for _ in range(3):
        assert one.run("GET", "/", device).status == 200

    assert [header is None for header in device.seen] == [True, False, False, False]
    assert "nc=00000003" in str(device.seen[3])


def test_no_login_is_sent_where_none_is_asked():
    """A device without login gets none."""
    device = Device([Reply(), Reply()])
    one = _login()

    assert one.run("GET", "/", device).status == 200
    assert one.run("GET", "/", device).status == 200
    assert device.seen == [None, None]


def test_a_wrong_password_is_tried_once():
    """After one refused login nothing more is sent, until reset."""
    device = Device([_refused(), _refused('Digest realm="r", nonce="n2"')])
    one = _login()

    assert one.run("GET", "/", device).status == 401
    for _ in range(3):
        with pytest.raises(AuthenticationError, match="refuses the login of 'admin'"):
            one.run("GET", "/", device)
    assert len(device.seen) == 2

    device.script = [_refused(), Reply()]
    one.reset()
    assert one.run("GET", "/", device).status == 200


def test_an_expired_nonce_is_renewed():
    """A 401 to a nonce that has worked costs one more round trip and no error."""
    for again in (_refused(_challenge("n2")), _refused(_challenge("n2", stale=True))):
        device = Device([_refused(), Reply(), again, Reply(), Reply()])
        one = _login()

        assert [one.run("GET", "/", device).status for _ in range(3)] == [200, 200, 200]
        assert again.discarded
        assert 'nonce="n2"' in str(device.seen[4])
        assert "nc=00000002" in str(device.seen[4])


def test_a_password_changed_meanwhile_is_final():
    """Old nonce refused, fresh nonce refused: one try, then silence."""
    device = Device([_refused(), Reply(), _refused(), _refused()])
    one = _login()
    one.run("GET", "/", device)

    assert one.run("GET", "/", device).status == 401
    with pytest.raises(AuthenticationError):
        one.run("GET", "/", device)
    assert len(device.seen) == 4


def test_a_fresh_nonce_called_stale_is_tried_again():
    """Stale means that only the nonce was wrong, so the password is not given up."""
    device = Device([_refused(), _refused(_challenge("n2", stale=True)), Reply()])

    assert _login().run("GET", "/", device).status == 200


def test_a_device_that_calls_everything_stale_is_left_alone():
    """Some call a wrong password stale: after one fresh try more nothing is sent."""
    device = Device([_refused(_challenge(stale=True)) for _ in range(9)])
    one = _login()

    assert one.run("GET", "/", device).status == 401
    with pytest.raises(AuthenticationError):
        one.run("GET", "/", device)
    assert len(device.seen) == 3


def test_a_login_without_an_answer_is_not_repeated():
    """The device may have counted it: the error says so and is not for retrying layers."""
    broken = UnreachableError("the connection broke")

    def send(authorization: Secret | None) -> Reply:
        if authorization is None:
            return _refused()
        raise broken

    with pytest.raises(UnreachableError, match="may have counted") as caught:
        _login().run("GET", "/", send)

    assert not caught.value.retryable


def test_an_empty_password_is_refused():
    """It cannot be right, and each try would count."""
    with pytest.raises(ConfigurationError, match="empty"):
        Login("admin", Secret(""))


@pytest.mark.parametrize(("name", "password"), [("a\ud800", "x"), ("admin", "plant-\udfff")])
def test_half_characters_are_refused(name: str, password: str):
    """Text that cannot be encoded is refused at once, by an error that does not hold it."""
    with pytest.raises(ConfigurationError, match="surrogate") as caught:
        Login(name, Secret(password))

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_basic_is_refused_in_the_clear():
    """Basic without TLS would show the password to everybody on the LAN."""
    device = Device([_refused('Basic realm="r"')])

    with pytest.raises(InsecureAuthenticationError) as caught:
        _login().run("GET", "/", device)

    assert device.seen == [None]
    assert "allow_basic" in str(caught.value)


def test_basic_by_explicit_wish():
    """Allowed, Basic is used and then sent at once."""
    device = Device([_refused('Basic realm="r"'), Reply(), Reply()])
    one = _login(basic_allowed=True)

    one.run("GET", "/", device)
    one.run("GET", "/", device)

    sent = "Basic YWRtaW46c2VjcmV0LXBhc3N3b3Jk"
    assert device.seen == [None, sent, sent]


def test_digest_is_preferred_to_basic():
    """A device that offers both never gets the password in clear."""
    device = Device([_refused('Basic realm="r"', _challenge()), Reply()])

    _login(basic_allowed=True).run("GET", "/", device)

    assert str(device.seen[1]).startswith("Digest ")


def test_an_unknown_scheme_is_named():
    """A login that we cannot do says which."""
    with pytest.raises(AuthenticationError, match="ntlm"):
        _login().run("GET", "/", Device([_refused("NTLM")]))
    with pytest.raises(AuthenticationError, match="nothing"):
        _login().run("GET", "/", Device([Reply(401)]))


@pytest.mark.parametrize("others", [(), ('Basic realm="r"',)])
def test_a_garbled_challenge_is_not_answered(others: tuple[str, ...]):
    """Control characters are not sent back; nor is the password, in the clear, instead of them."""
    device = Device([_refused('Digest realm="r\0", nonce="n"', *others)])
    one = _login(basic_allowed=True)

    with pytest.raises(ProtocolError, match="control characters"):
        one.run("GET", "/", device)

    assert [None] == device.seen
    device.script = [_refused(), Reply()]
    assert one.run("GET", "/", device).status == 200


def test_an_explanation_replaces_the_bare_refusal():
    """Every later call raises a fresh copy of the better error."""
    one = _login()
    better = AuthenticationError("locked until noon")
    one.explain(better)

    with pytest.raises(AuthenticationError, match="noon") as caught:
        one.run("GET", "/", Device([]))

    assert caught.value is not better


@pytest.mark.parametrize("name", ["", "a\r\nX: y", "\x00"])
def test_unusable_user_names_are_refused(name: str):
    """A user name that would break out of the header never gets there."""
    with pytest.raises(ConfigurationError):
        Login(name, Secret("x"))


def test_repr_tells_the_state_and_nothing_else():
    """The repr shows whether the login works, never the password."""
    one = _login()
    assert repr(one) == "<Login 'admin' unproven>"
    one.run("GET", "/", Device([_refused(), Reply()]))
    assert repr(one) == "<Login 'admin' proven>"
    one.explain(AuthenticationError("no"))
    assert repr(one) == "<Login 'admin' refused>"


class Gate:
    """A device that can be held: the first unauthenticated request waits until it is opened."""

    def __init__(self, *, password_right: bool) -> None:
        self.lock = threading.Lock()
        self.right = password_right
        self.logins = 0
        self.anonymous = 0
        self.opened = threading.Event()

    def __call__(self, authorization: Secret | None) -> Reply:
        if authorization is None:
            with self.lock:
                self.anonymous += 1
            self.opened.wait(5)
            return _refused()
        with self.lock:
            self.logins += 1
        return Reply() if self.right else _refused()


def _in_threads(one: Login, gate: Gate, count: int = 8) -> list[object]:
    results: list[object] = []

    def work() -> None:
        try:
            results.append(one.run("GET", "/", gate).status)
        except AuthenticationError as error:
            results.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    gate.opened.set()
    for thread in threads:
        thread.join()
    return results


def test_threads_share_one_nonce():
    """Eight threads that begin together cost nine round trips, not sixteen."""
    gate = Gate(password_right=True)

    assert _in_threads(_login(), gate) == [200] * 8
    assert gate.anonymous == 1
    assert gate.logins == 8


def test_threads_share_one_refusal():
    """Eight threads with a wrong password cost the device one failed login."""
    gate = Gate(password_right=False)

    results = _in_threads(_login(), gate)

    assert gate.logins == 1
    assert sorted(map(str, results)) == ["401"] + [str(AuthenticationError)] * 7


def test_a_nonce_renewed_by_another_thread_is_used():
    """Of two threads that meet an expired nonce, the second uses what the first has learnt."""
    one = _login()
    one.run("GET", "/", Device([_refused(), Reply()]))
    inside = []

    def first(authorization: Secret | None) -> Reply:
        if 'nonce="n1"' in (authorization.reveal() if authorization else ""):
            if not inside:  # the other thread renews the nonce while this request is under way
                inside.append(one.run("GET", "/", Device([_refused(_challenge("n2")), Reply()])))
            return _refused(_challenge("n3"))
        return (
            Reply()
            if 'nonce="n2"' in (authorization.reveal() if authorization else "")
            else _refused(_challenge("n3"))
        )

    assert one.run("GET", "/", first).status == 200


def test_a_renewed_nonce_may_be_old_again():
    """If what the other thread has learnt is refused too, a fresh nonce is tried once."""
    one = _login()
    one.run("GET", "/", Device([_refused(), Reply()]))
    inside = []

    def send(authorization: Secret | None) -> Reply:
        if not inside:
            inside.append(one.run("GET", "/", Device([_refused(_challenge("n2")), Reply()])))
        fresh = 'nonce="n3"' in (authorization.reveal() if authorization else "")
        return Reply() if fresh else _refused(_challenge("n3"))

    assert one.run("GET", "/", send).status == 200


def test_a_thread_that_waited_uses_the_first_login():
    """A thread that waited for the first login uses its nonce, and renews it when refused."""
    one = _login()
    one.run("GET", "/", Device([_refused(), Reply()]))
    quick = Device([Reply()])
    renewing = Device([_refused(_challenge("n2")), Reply()])

    assert one._first("GET", "/", quick).status == 200
    assert one._first("GET", "/", renewing).status == 200
    assert 'nonce="n1"' in str(quick.seen[0])
    assert 'nonce="n2"' in str(renewing.seen[1])


class Wavering:
    """Answers logins with *answers* in turn, over and over, and counts those that failed."""

    def __init__(self, *answers: int) -> None:
        self.answers = answers
        self.logins = self.failed = 0

    def __call__(self, authorization: Secret | None) -> Reply:
        if authorization is None:
            return _refused(_challenge(f"n{self.logins}"))
        status = self.answers[self.logins % len(self.answers)]
        self.logins += 1
        self.failed += status == 401
        return _refused(_challenge(f"x{self.logins}")) if status == 401 else Reply(status)


def _tried(one: Login, device: Wavering, times: int = 20) -> None:
    for _ in range(times):
        with contextlib.suppress(AuthenticationError):
            one.run("GET", "/", device)


@pytest.mark.parametrize(
    "status", [301, 302, 303, 307, 308, 400, 403, 404, 408, 429, 500, 502, 503, 504]
)
@pytest.mark.parametrize("order", ["before", "after", "twice"])
def test_no_answer_but_a_success_proves_the_password(status: int, order: str):
    """A device that is busy now and refuses then counts one failed login, and no more follow."""
    answers = {"before": (status, 401), "after": (401, status), "twice": (status, status, 401)}
    device = Wavering(*answers[order])
    _tried(_login(), device)

    assert device.failed == 1


def test_a_password_that_had_worked_is_refused_once_too():
    """After a success: the old nonce and one fresh one are refused, whatever comes in between."""
    device = Wavering(200, 401, 503, 503, 401, 200)
    _tried(_login(), device)

    assert (device.logins, device.failed) == (5, 2)


@pytest.mark.parametrize("status", [302, 403, 404, 503])
def test_an_undecided_login_costs_no_failed_one(status: int):
    """A busy device is asked for a fresh nonce again, and the first success is kept."""
    device = Wavering(status, status, 200, status, 206)
    one = _login()

    assert [one.run("GET", "/", device).status for _ in range(5)] == [
        status,
        status,
        200,
        status,
        206,
    ]
    assert (device.logins, device.failed) == (5, 0)
    assert repr(one) == "<Login 'admin' proven>"


def test_busy_answers_in_between_cost_nothing():
    """Once proven, n requests cost n + 1 round trips, however many of them are answered with 503."""
    script = [_refused(), Reply(), Reply(503), Reply(503), Reply(302), Reply()]
    device = Device(script)
    one = _login()

    assert [one.run("GET", "/", device).status for _ in range(5)] == [200, 503, 503, 302, 200]
    assert [header is None for header in device.seen] == [True] + [False] * 5
