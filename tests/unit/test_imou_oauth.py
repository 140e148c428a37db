"""Linking without a network: arguments, sessions, callbacks, and how tokens are kept."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import pickle
import sys
import threading
import urllib.parse

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Credential
from camsync._secret import Secret
from camsync.errors import (
    AuthenticationError,
    ConfigurationError,
    DamagedStoreError,
    MissingExtraError,
    PermissionDeniedError,
    ProtocolError,
    RequestRejectedError,
    UnreachableError,
)
from camsync.providers.imou import _link, _oauth
from camsync.providers.imou.oauth import (
    ImouLink,
    ImouTokens,
    LinkSession,
    MemorySessions,
    PendingLink,
)


pytest.importorskip("oauthlib")

UTC = dt.timezone.utc
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GATEWAY = "https://gateway.invalid/imou"
CALLBACK = "https://shop.invalid/callback"


class _Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock():
    """A clock that stands still."""
    return _Clock()


@pytest.fixture
def link(clock):
    """A link to a gateway that is never asked."""
    return ImouLink(GATEWAY, "client-1", "Client-4-secret", CALLBACK, now=clock)


# -- Arguments


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("", "missing"),
        (None, "missing"),
        ("gateway", "not a usable"),
        ("http://gateway.invalid", "plain HTTP"),
        ("https://gateway.invalid/?a=1", "without query"),
        ("https://gateway.invalid/#a", "without query"),
    ],
)
def test_the_gateway_must_be_named(base_url, words):
    """There is no default, and nothing is sent in clear."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        ImouLink(base_url, "client-1", "secret", CALLBACK)

    assert "https://" in caught.value.next_step
    assert "easy4ip" not in caught.value.next_step


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"client_secret": ""},
        {"client_secret": "\ud800"},
        {"redirect_uri": "http://shop.invalid/callback"},
        {"redirect_uri": "shop"},
        {"lifetime": 0},
        {"timeout": -1},
    ],
)
def test_arguments_are_checked(changes):
    """What cannot work is refused at once."""
    arguments = {"client_id": "client-1", "client_secret": "secret", "redirect_uri": CALLBACK}
    with pytest.raises(ConfigurationError):
        ImouLink(GATEWAY, **{**arguments, **changes})


def test_a_client_may_have_no_secret(clock):
    """A public client is known by PKCE alone."""
    link = ImouLink(f"{GATEWAY}/", "client-1", None, "http://localhost/cb", now=clock)
    body = _oauth.refresh_request("client-1", None, Secret("r"))

    assert "gateway.invalid" in link.begin().authorize_url
    assert "<ImouLink at https://gateway.invalid/imou>" == repr(link)
    assert "grant_type=refresh_token&client_id=client-1&refresh_token=r" == body.reveal()


def test_without_oauthlib_it_is_said_what_is_missing(link, monkeypatch):
    """The extra has a name."""
    monkeypatch.setitem(sys.modules, "oauthlib.oauth2", None)
    with pytest.raises(MissingExtraError, match="'oauth'"):
        link.begin()


# -- Beginning


def test_each_link_is_another(link):
    """State and challenge are never the same, and the challenge is that of the verifier (S256)."""
    sessions = [link.begin() for _ in range(20)]
    asked = [
        dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(one.authorize_url).query))
        for one in sessions
    ]
    pending = link._sessions.take(sessions[0].state)
    digest = hashlib.sha256(pending.verifier.reveal().encode()).digest()

    assert 20 == len({one["state"] for one in asked}) == len({o["code_challenge"] for o in asked})
    assert all(len(one.state) >= 22 for one in sessions)
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked[0]["code_challenge"]
    assert 43 <= len(pending.verifier.reveal()) <= 128
    assert NOW + dt.timedelta(minutes=10) == sessions[0].expires == pending.expires
    assert sessions[0].state not in repr(sessions[0])
    assert GATEWAY + "/oauth/authorize" == sessions[0].authorize_url.partition("?")[0]


def test_the_challenge_of_the_standard():
    """RFC 7636, appendix B."""
    client = _oauth._client("x")
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" == client.create_code_challenge(
        verifier, "S256"
    )


# -- Sessions


def test_sessions_are_taken_once(clock):
    """Of many threads that finish the same link one gets it."""
    sessions = MemorySessions(now=clock)
    pending = PendingLink(verifier=Secret("v"), redirect_uri=CALLBACK, expires=NOW)
    sessions.keep("state", pending)
    got = []
    threads = [threading.Thread(target=lambda: got.append(sessions.take("state"))) for _ in "12345"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [pending] == [one for one in got if one is not None]
    with pytest.raises(TypeError):
        pickle.dumps(pending)


def test_sessions_do_not_pile_up(clock):
    """What has expired is forgotten, and of too many the oldest."""
    sessions = MemorySessions(most=2, now=clock)
    later = NOW + dt.timedelta(minutes=1)
    for state, expires in (("old", NOW), ("a", later), ("b", later), ("c", later)):
        sessions.keep(
            state, PendingLink(verifier=Secret("v"), redirect_uri=CALLBACK, expires=expires)
        )

    assert "<MemorySessions with 2 links>" == repr(sessions)
    assert [None, None] == [sessions.take(state) for state in ("old", "a")]
    assert sessions.take("b") is not None


# -- Finishing


@pytest.mark.parametrize(
    "callback",
    [
        f"{CALLBACK}?code=c",
        f"{CALLBACK}?code=c&state=",
        f"{CALLBACK}?code=c&state=unknown",
        "https://[",
        "",
    ],
)
def test_a_callback_without_its_state_is_refused(link, callback):
    """Whatever else it holds: somebody else may have sent it."""
    with pytest.raises(AuthenticationError, match="belongs to no open link") as caught:
        link.finish(callback)

    assert "begin again" in caught.value.next_step


def test_a_late_callback_is_refused_and_used_up(link, clock):
    """A link must be finished within its lifetime."""
    state = link.begin().state
    clock.now += dt.timedelta(minutes=10)
    with pytest.raises(AuthenticationError, match="has expired"):
        link.finish(state=state, code="c")
    with pytest.raises(AuthenticationError, match="no open link"):
        link.finish(state=state, code="c")


@pytest.mark.parametrize(
    ("query", "error", "code"),
    [
        ("error=access_denied", PermissionDeniedError, "access_denied"),
        ("error=temporarily_unavailable", UnreachableError, "temporarily_unavailable"),
        ("error=invalid_scope&error_description=no%0Ascope", RequestRejectedError, "invalid_scope"),
        ("error=made_up", RequestRejectedError, "made_up"),
        ("other=1", ProtocolError, None),
    ],
)
def test_what_a_callback_may_say(link, query, error, code):
    """Each refusal is a typed error with the word of the standard and a next step."""
    with pytest.raises(error) as caught:
        link.finish(f"{CALLBACK}?{query}&state={link.begin().state}")

    assert code == caught.value.vendor_code
    assert caught.value.next_step
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"state": "s"},
        {"code": "c"},
        {"callback_url": CALLBACK, "code": "c"},
        {"callback_url": CALLBACK, "state": "s"},
    ],
)
def test_finish_takes_one_of_two_things(link, arguments):
    """A URL, or its parts."""
    with pytest.raises(ConfigurationError, match="either"):
        link.finish(**arguments)


@given(state=st.text(min_size=1), code=st.text(min_size=1))
def test_parts_of_a_callback_are_written_and_read(state, code):
    """Whatever text they are, they come back as they were; half characters are replaced."""
    query = _oauth.written(state, Secret(code))
    expected = state.encode("utf-8", "replace").decode()

    assert expected == _oauth.state_of(query)
    found = _oauth.code_of("client-1", query, expected)
    assert code.encode("utf-8", "replace").decode() == found.reveal()


def test_requests_for_tokens():
    """They hold what RFC 6749 and RFC 7636 ask for."""
    body = _oauth.code_request("client-1", Secret("s&s"), Secret("c"), Secret("v" * 43), CALLBACK)

    assert {
        "grant_type": "authorization_code",
        "client_id": "client-1",
        "client_secret": "s&s",
        "code": "c",
        "code_verifier": "v" * 43,
        "redirect_uri": CALLBACK,
    } == dict(urllib.parse.parse_qsl(body.reveal()))


# -- Tokens


def _tokens(**changes) -> ImouTokens:
    values = {
        "base": GATEWAY,
        "access": Secret("Access-9-token"),
        "refresh": Secret("Refresh-9-token"),
        "renew": NOW,
        "account": "owner@example.com",
    }
    return ImouTokens(**{**values, **changes})


@pytest.mark.parametrize("changes", [{}, {"refresh": None}, {"renew": None}])
def test_tokens_are_kept_as_a_credential(changes):
    """The secret of the credential holds all of them, and nothing shows it."""
    tokens = _tokens(**changes)
    credential = tokens.credential()

    assert tokens == ImouTokens.of(credential)
    assert "owner@example.com" == credential.username
    assert "token" not in repr(credential)
    assert "9-token" not in repr(tokens)
    with pytest.raises(TypeError):
        pickle.dumps(tokens)


def _changed(**changes) -> str:
    fields = json.loads(_tokens().credential().secret.reveal())
    return json.dumps({**fields, **changes})


@pytest.mark.parametrize(
    "secret",
    [
        "an app's secret",
        "[]",
        "{}",
        "1",
        "[" * 100_000,
        _changed(camsync_imou_tokens=2),
        _changed(access=5),
        _changed(renew="2026-01-01"),
        _changed(renew="soon"),
    ],
    ids=range(9),
)
def test_what_is_no_link_is_said_to_be_none(secret):
    """An app's secret under the same name is not taken for a token, nor shown."""
    with pytest.raises(DamagedStoreError, match="no link") as caught:
        ImouTokens.of(Credential(username="x", secret=secret))

    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("seconds", "used"), [(7200, 7140), (100, 50), (0, 0), (10**18, 10**9 - 60)]
)
def test_tokens_are_renewed_before_they_end(seconds, used):
    """A minute before; short ones at half of their life."""
    tokens = ImouTokens.issued(GATEWAY, Secret("a"), None, seconds, now=NOW)

    assert NOW + dt.timedelta(seconds=used) == tokens.renew


def test_names_of_accounts_are_lines():
    """Whatever a gateway calls an account can be stored."""
    tokens = ImouTokens.issued(
        GATEWAY, Secret("a"), None, None, now=NOW, account=" a\n\x00" + "b" * 999
    )

    assert "a" + "b" * 254 == tokens.account
    assert tokens.credential().username == tokens.account
    assert "imou-user" == ImouTokens.issued(GATEWAY, Secret("a"), None, None, now=NOW).account


def test_values_of_a_session_are_plain():
    """What a web page needs of it can be taken."""
    session = LinkSession(authorize_url="u", state="s", expires=NOW)

    assert ("u", "s") == (session.authorize_url, session.state)


@pytest.mark.parametrize(
    ("word", "error"),
    [("server_error", UnreachableError), ("invalid_grant", AuthenticationError)],
)
def test_what_an_answer_without_tokens_means(word, error):
    """Trouble there is another thing than a refusal."""
    found = _link._no_tokens(_oauth.Refused(error=word, words="why"), "0", "", renewing=True)

    assert type(found) is error
    assert word == found.vendor_code
    assert found.next_step
