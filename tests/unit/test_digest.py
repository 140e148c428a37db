"""Digest: challenges as devices really send them, and the standard's vectors."""

from __future__ import annotations

import hashlib
import re

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Secret
from camsync.transport._digest import Nonce, choose, parse_challenges


CAMERA = (
    'Digest qop="auth", realm="IP Camera(83813)", '
    'nonce="4d5755784d7a41344d546b365a446b31597a51354e513d3d", stale="FALSE"'
)
TERMINAL = (
    'Digest qop="auth", realm="DS-317D433B", nonce="OWMw", stale="false", opaque="", domain="::"'
)
RTSP = 'Digest realm="323852ae0234c718f2d4198b", nonce="55e5895b9", algorithm="MD5"'


def _fields(header: Secret) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="?([^",]*)"?', header.reveal().removeprefix("Digest ")))


def test_parentheses_in_the_realm_are_no_obstacle():
    """DS-2CD2155FWD-I V5.5.0 has brackets in its realm, and neither algorithm nor opaque."""
    (challenge,) = parse_challenges([CAMERA])

    assert challenge.params["realm"] == "IP Camera(83813)"
    assert challenge.algorithm == "MD5"
    assert challenge.qop == "auth"
    assert not challenge.stale


def test_empty_values_are_values():
    """An empty opaque is kept and echoed: parsers of peers break on it."""
    (challenge,) = parse_challenges([TERMINAL])

    assert challenge.params["opaque"] == ""
    assert 'opaque=""' in Nonce(challenge).header("admin", Secret("x"), "GET", "/").reveal()


def test_merged_headers_are_taken_apart():
    """Several challenges in one header are told apart, tokens of other schemes included."""
    merged = (
        f'Basic realm="a, b", Negotiate YWJj==, {RTSP}, '
        'Digest realm="r", nonce="n", algorithm=SHA-256'
    )

    found = parse_challenges([merged])

    assert [one.scheme for one in found] == ["basic", "negotiate", "digest", "digest"]
    assert found[0].params == {"realm": "a, b"}
    assert found[3].algorithm == "SHA-256"


def test_the_strongest_algorithm_is_chosen():
    """With SHA-256 and MD5 on offer, in any order and any number of headers, SHA-256 wins."""
    sha = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'

    for headers in ([RTSP, sha], [sha, RTSP], [f"{RTSP}, {sha}"]):
        chosen = choose(parse_challenges(headers))
        assert chosen is not None
        assert chosen.algorithm == "SHA-256"


@pytest.mark.parametrize(
    "header",
    [
        'Digest realm="r", nonce="n", algorithm="SHA-512-256"',
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r"',
        'Basic realm="r"',
        "",
        '"=,,',
    ],
)
def test_what_cannot_be_answered_is_not_chosen(header: str):
    """Unknown algorithms, auth-int only, and a missing nonce are no usable challenge."""
    assert choose(parse_challenges([header])) is None


@pytest.mark.parametrize("name", ["realm", "nonce", "opaque"])
@pytest.mark.parametrize("char", ["\0", "\v", "\x1f", "\x7f"])
def test_control_characters_are_not_repeated(name: str, char: str):
    """A challenge that holds one is not answered; a good one beside it is."""
    good = 'Digest realm="good", nonce="n"'
    bad = 'Digest algorithm=SHA-256, realm="r", nonce="n", opaque="o"'.replace(
        f'{name}="', f'{name}="{char}'
    )

    (challenge,) = parse_challenges([bad])

    assert challenge.garbled
    assert choose([challenge]) is None
    chosen = choose(parse_challenges([bad, good]))
    assert chosen is not None
    assert "good" == chosen.params["realm"]


def test_a_tab_is_no_control_character():
    """A quoted text may hold one."""
    (challenge,) = parse_challenges(['Digest realm="a\tb", nonce="n"'])

    assert challenge.usable


def test_rfc_7616_vectors():
    """The responses of RFC 7616, section 3.9.1, for MD5 and SHA-256."""
    template = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    expected = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, response in expected.items():
        nonce = Nonce(parse_challenges([template.format(algorithm)])[0])
        nonce._cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

        header = nonce.header("Mufasa", Secret("Circle of Life"), "GET", "/dir/index.html")

        assert _fields(header)["response"] == response
        assert _fields(header)["nc"] == "00000001"


def test_the_old_form_without_qop():
    """Without qop the RFC 2069 response is sent, without count."""
    header = Nonce(parse_challenges([RTSP])[0]).header("admin", Secret("pw"), "POST", "/x")

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    expected = md5(f"{md5('admin:323852ae0234c718f2d4198b:pw')}:55e5895b9:{md5('POST:/x')}")
    assert _fields(header)["response"] == expected
    assert "nc" not in _fields(header)


def test_session_variants_hash_the_nonce_into_the_secret():
    """MD5-sess uses the client's nonce in A1, and sends it even without qop."""
    challenge = parse_challenges(['Digest realm="r", nonce="n", algorithm=MD5-sess'])[0]
    nonce = Nonce(challenge)
    nonce._cnonce = "c"

    header = nonce.header("u", Secret("p"), "GET", "/")

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    ha1 = md5(f"{md5('u:r:p')}:n:c")
    assert _fields(header)["response"] == md5(f"{ha1}:n:{md5('GET:/')}")
    assert _fields(header)["cnonce"] == "c"


def test_the_counter_rises_with_every_request():
    """One nonce, one rising count: that is what saves the second round trip."""
    nonce = Nonce(parse_challenges([CAMERA])[0])

    counts = [_fields(nonce.header("a", Secret("b"), "GET", "/"))["nc"] for _ in range(3)]

    assert counts == ["00000001", "00000002", "00000003"]


def test_another_login_is_another_answer():
    """What stands for user and password is kept between requests, and made anew for others."""
    nonce = Nonce(parse_challenges([CAMERA])[0])
    password, other = Secret("b"), Secret("c")
    logins = [("a", password), ("a", password), ("a", other), ("d", other), ("a", password)]

    answers = [
        _fields(nonce._header(*login, "GET", "/", "00000001"))["response"] for login in logins
    ]

    assert answers[0] == answers[1] == answers[4]
    assert 3 == len(set(answers))


def test_quotes_and_umlauts_survive():
    """Quotes are escaped, and text goes out as UTF-8 bytes."""
    challenge = parse_challenges([r'Digest realm="a \"b\"", nonce="n"'])[0]

    header = Nonce(challenge).header('mü"x', Secret("p"), "GET", "/")

    assert challenge.params["realm"] == 'a "b"'
    assert (
        header.reveal()
        .encode("latin-1")
        .decode()
        .startswith(r'Digest username="mü\"x", realm="a \"b\""')
    )


def test_repr_shows_no_secret():
    """A nonce's repr tells its state, not what it hashes."""
    nonce = Nonce(parse_challenges([CAMERA])[0])
    nonce.header("admin", Secret("hunter22"), "GET", "/")

    assert repr(nonce) == "<Nonce MD5 used=1 proven=False>"


@given(st.lists(st.text(max_size=200), max_size=4))
def test_no_header_breaks_the_parser(headers: list[str]):
    """Whatever a device sends, the result is a list of challenges."""
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()


@given(st.text(st.sampled_from('"\\=, \tabDigest'), max_size=400))
def test_hostile_headers_are_read_in_linear_time(text: str):
    """Quotes and backslashes in any order neither hang nor crash the parser."""
    parse_challenges([f'Digest realm="{text}', text * 50])
