"""The simulator's door: Digest in all its variants, Basic, and the account lock."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib

import attrs
import pytest

from camsync.testing import PERSONALITIES
from camsync.testing.recorder._digest import Door, Verdict
from camsync.testing.recorder._faults import Faults


NVR = PERSONALITIES["DS-7616NI-K2"]
CAMERA = PERSONALITIES["DS-2CD2185FWD-I"]
URL = "/ISAPI/System/deviceInfo"


class Clock:
    def __init__(self) -> None:
        self.now = dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc)

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


class Visitor:
    """A client that computes Digest answers by itself, and knows one nonce."""

    def __init__(self, who=NVR, *faults: str, allowed: int = 5) -> None:
        self.faults = Faults(faults)
        self.clock = Clock()
        self.door = Door(
            who,
            self.faults,
            username="admin",
            password="secret",
            clock=self.clock,
            allowed=allowed,
            lock_seconds=1_800,
        )
        self.count = 0
        self.challenges = self.door.check("GET", URL, None).challenges

    def fields(self, algorithm: str = "MD5") -> dict[str, str]:
        """Return the fields of the challenge with that algorithm."""
        for challenge in self.challenges:
            fields = dict(
                part.split("=", 1) for part in challenge.removeprefix("Digest ").split(", ")
            )
            if fields.get("algorithm", '"MD5"') == f'"{algorithm}"':
                return {name: value.strip('"') for name, value in fields.items()}
        raise AssertionError(self.challenges)

    def answer(self, algorithm="MD5", *, method="GET", url=URL, password="secret", **changed):
        """Return an Authorization header."""
        challenge = self.fields(algorithm)
        if "nc" not in changed:
            self.count += 1
        given = {
            "username": "admin",
            "realm": challenge["realm"],
            "nonce": challenge["nonce"],
            "uri": url,
            "nc": f"{self.count:08x}",
            "cnonce": "0a4f113b",
            "qop": "auth",
            **changed,
        }

        def digest(text: str) -> str:
            return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()

        parts = [digest(f"{given['username']}:{given['realm']}:{password}"), given["nonce"]]
        if "qop" in challenge:
            parts += [given["nc"], given["cnonce"], given["qop"]]
        else:
            for name in ("nc", "cnonce", "qop"):
                del given[name]
        response = digest(":".join([*parts, digest(f"{method}:{url}")]))
        if "algorithm" in challenge:
            given["algorithm"] = algorithm
        text = ", ".join(f'{name}="{value}"' for name, value in given.items())
        return f'Digest {text}, response="{response}"'

    def knock(self, *, sent: str = URL, **changed) -> Verdict:
        """Answer the challenge once; remember a new one."""
        method = changed.pop("really", changed.get("method", "GET"))
        verdict = self.door.check(method, sent, self.answer(**changed))
        self.challenges = verdict.challenges or self.challenges
        if verdict.challenges:
            self.count = 0
        return verdict


def test_a_recorder_challenges_with_empty_fields():
    """The NVR form: hex realm, domain "::", empty opaque, and a nonce that ends in a time."""
    (challenge,) = Visitor().challenges
    assert challenge.startswith('Digest realm="fe12f37b0a5c4e21", domain="::", qop="auth", nonce="')
    assert challenge.endswith(':1772323200", opaque="", algorithm="MD5", stale="FALSE"')


def test_a_camera_challenges_with_words():
    """The camera form: parentheses in the realm, no algorithm, no opaque, a nonce in hex."""
    visitor = Visitor(CAMERA)
    (challenge,) = visitor.challenges
    assert challenge.startswith('Digest qop="auth", realm="IP Camera(83813)", nonce="')
    assert challenge.endswith(', stale="FALSE"')
    assert base64.b64decode(bytes.fromhex(visitor.fields()["nonce"]))
    assert visitor.knock().ok


def test_one_nonce_serves_many_requests():
    """A hundred requests with a rising count need one challenge."""
    visitor = Visitor()
    assert all(visitor.knock().ok for _ in range(100))
    assert 0 == visitor.door.failed


def test_counts_may_overtake_but_not_repeat():
    """Parallel requests arrive in any order; a replay is stale, not a failed login."""
    visitor = Visitor()
    assert visitor.knock(nc="00000005").ok
    assert visitor.knock(nc="00000003").ok
    replayed = visitor.knock(nc="00000005")
    assert not replayed.ok
    assert 'stale="TRUE"' in replayed.challenges[0]
    assert 0 == visitor.door.failed


@pytest.mark.parametrize(
    "changed",
    [
        {"password": "guess"},
        {"username": "root"},
        {"realm": "elsewhere"},
        {"uri": "/ISAPI/System/time"},
        {"really": "POST"},
        {"sent": "/ISAPI/System/time"},
    ],
)
def test_what_does_not_fit_is_a_failed_login(changed):
    """A wrong password, user, realm, URL or verb counts; the device cannot tell them apart."""
    visitor = Visitor()
    verdict = visitor.knock(**changed)
    assert not verdict.ok
    assert 'stale="FALSE"' in verdict.challenges[0]
    assert 1 == visitor.door.failed


@pytest.mark.parametrize(
    "header", ["Digest", "Digest x", "Bearer abc", "Basic %%%", "Basic YWRtaW46c2VjcmV0"]
)
def test_nonsense_and_unwanted_schemes_are_failed_logins(header):
    """Malformed answers, foreign schemes, and Basic where it is off."""
    visitor = Visitor()
    assert not visitor.door.check("GET", URL, header).ok
    assert 1 == visitor.door.failed


def test_an_unreadable_count_is_stale():
    """A count that is no hexadecimal number cannot be checked, so the nonce is used up."""
    assert 'stale="TRUE"' in Visitor().knock(nc="zz").challenges[0]


def test_a_request_without_credentials_is_no_failed_login():
    """The first, unauthenticated 401 costs nothing."""
    visitor = Visitor()
    for _ in range(50):
        assert not visitor.door.check("GET", URL, None).ok
    assert 0 == visitor.door.failed
    assert not visitor.door.state().locked


def test_a_nonce_grows_old():
    """After its time a nonce is stale for the right password, and the new one works."""
    visitor = Visitor(attrs.evolve(NVR, nonce_seconds=300))
    assert visitor.knock().ok
    visitor.clock.move(301)
    assert 'stale="TRUE"' in visitor.knock().challenges[0]
    assert visitor.knock().ok


def test_a_nonce_wears_out():
    """A personality can limit the uses of a nonce."""
    visitor = Visitor(attrs.evolve(NVR, nonce_uses=2))
    assert [True, True, False, True] == [visitor.knock().ok for _ in range(4)]


def test_an_unknown_nonce_is_stale_for_the_right_password():
    """A nonce from before the device's restart is no failed login."""
    visitor = Visitor()
    assert 'stale="TRUE"' in visitor.knock(nonce="0123").challenges[0]
    assert 0 == visitor.door.failed


def test_nonces_are_forgotten_after_thousands():
    """The door's memory is bounded: the oldest nonce goes first."""
    visitor = Visitor()
    for _ in range(5_000):
        visitor.door.check("GET", URL, None)
    assert not visitor.knock().ok
    assert visitor.knock().ok


# -- Faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "pattern"),
    [
        ("stale-nonce", [True, True, True, False, True]),
        ("nonce-once", [True, False, True, False]),
        ("nonce-always-stale", [False, False, False]),
        ("nonce-per-url", [True, True, True]),
        ("nonce-strict-order", [True, True, True]),
        ("unauthorized-midway", [False, False]),
    ],
)
def test_nonce_faults(fault, pattern):
    """Which of several requests to one URL get in."""
    visitor = Visitor(NVR, fault)
    assert pattern == [visitor.knock().ok for _ in pattern]


def test_a_nonce_can_belong_to_a_url():
    """With nonce-per-url another URL needs another nonce."""
    visitor = Visitor(NVR, "nonce-per-url")
    other = "/ISAPI/System/time"
    assert visitor.knock().ok
    assert 'stale="TRUE"' in visitor.knock(url=other, sent=other).challenges[0]
    assert visitor.knock(url=other, sent=other).ok


def test_strict_order_refuses_a_late_count():
    """With nonce-strict-order a request that was overtaken is stale."""
    visitor = Visitor(NVR, "nonce-strict-order")
    assert visitor.knock(nc="00000005").ok
    assert not visitor.knock(nc="00000003").ok


def test_midway_the_right_password_can_be_refused():
    """The device counts it as a failed login, and says nothing of stale."""
    visitor = Visitor()
    assert visitor.knock().ok
    visitor.faults.enable("unauthorized-midway", times=1)
    verdict = visitor.knock()
    assert 'stale="FALSE"' in verdict.challenges[0]
    assert 1 == visitor.door.failed
    assert visitor.knock().ok


def test_without_qop():
    """RFC 2069: no qop in the challenge, none in the answer; an answer with qop fails."""
    visitor = Visitor(NVR, "digest-no-qop")
    assert "qop" not in visitor.challenges[0]
    assert visitor.knock().ok
    header = Visitor().answer()
    assert not visitor.door.check("GET", URL, header).ok


def test_sha256():
    """Only SHA-256 is offered, and only SHA-256 is accepted."""
    visitor = Visitor(CAMERA, "sha256-only")
    assert 1 == len(visitor.challenges)
    assert visitor.knock(algorithm="SHA-256").ok
    md5 = Visitor(CAMERA)
    assert not visitor.door.check("GET", URL, md5.answer()).ok


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_two_challenges(algorithm):
    """SHA-256 stands first, MD5 second, and either opens."""
    visitor = Visitor(NVR, "two-challenges")
    assert ["SHA-256", "MD5"] == [
        "SHA-256" if "SHA-256" in challenge else "MD5" for challenge in visitor.challenges
    ]
    assert visitor.knock(algorithm=algorithm).ok


def test_basic_only():
    """Digest is not offered and not accepted."""
    visitor = Visitor(NVR, "basic-only")
    assert ('Basic realm="fe12f37b0a5c4e21"',) == visitor.challenges
    token = base64.b64encode(b"admin:secret").decode()
    assert visitor.door.check("GET", URL, f"Basic {token}").ok
    assert not visitor.door.check("GET", URL, Visitor().answer()).ok
    wrong = base64.b64encode(b"admin:guess").decode()
    assert not visitor.door.check("GET", URL, f"Basic {wrong}").ok


@pytest.mark.parametrize(
    "visitor", [Visitor(NVR, "digest-and-basic"), Visitor(attrs.evolve(NVR, basic=True))]
)
def test_digest_and_basic(visitor):
    """Both are offered, Digest first, and both open."""
    assert ["Digest", "Basic"] == [text.split(" ")[0] for text in visitor.challenges]
    token = base64.b64encode(b"admin:secret").decode()
    assert visitor.door.check("GET", URL, f"basic {token}").ok
    visitor.challenges = visitor.challenges[:1]
    assert visitor.knock().ok


# -- The lock ------------------------------------------------------------------------------------


def test_the_account_locks_and_unlocks_by_time():
    """After the last try even the right password is refused, until the time is over."""
    visitor = Visitor(allowed=3)
    assert 3 == visitor.door.state().tries
    for left in (2, 1, 0):
        visitor.knock(password="guess")
        assert left == visitor.door.state().tries
    state = visitor.door.state()
    assert (True, 1_800) == (state.locked, state.seconds)
    assert not visitor.knock().ok
    assert 3 == visitor.door.failed
    visitor.clock.move(1_799.9)
    assert 1 == visitor.door.state().seconds
    visitor.clock.move(0.1)
    assert not visitor.door.state().locked
    assert visitor.knock().ok


def test_the_account_can_be_unlocked_by_hand():
    """The administrator lifts the lock, and all tries are back."""
    visitor = Visitor(allowed=1)
    visitor.knock(password="guess")
    visitor.door.unlock()
    assert (False, 1) == (visitor.door.state().locked, visitor.door.state().tries)


def test_a_good_login_gives_the_tries_back():
    """Failures before a good login are forgotten."""
    visitor = Visitor(allowed=2)
    visitor.knock(password="guess")
    assert visitor.knock().ok
    assert 2 == visitor.door.state().tries
