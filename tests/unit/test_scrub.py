"""The scrubber: what it takes out, and what it finds."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync.testing import scrub


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Digest login", 'Authorization: Digest username="admin", response="0"'),
        ("Basic login", "Authorization: [Basic YWRtaW46cGFzc3dvcmQ=]"),
        ("bearer token", "authorization: Bearer abcdefgh12345678"),
        ("session cookie", "Cookie: WebSession_0123456789=0123456789abcdef"),
        ("password in a URL", "rtsp://admin:hunter22@192.168.1.64/Streaming"),
        ("password element", "<user><password>hunter22</password></user>"),
        ("secret in JSON", '{"appSecret": "0123456789"}'),
        ("encrypted token", "gAAAAABl" + "x" * 60),
        ("private key", "-----BEGIN RSA PRIVATE KEY-----"),
        ("JSON web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc"),
    ],
)
def test_secrets_are_found_by_their_shape(kind: str, text: str):
    """Each shape is found, in the right line, and the finding does not repeat it."""
    (finding,) = scrub.find_secrets(f"first line\n{text}\n")

    assert (finding.kind, finding.line) == (kind, 2)
    assert "hunter22" not in repr(finding)


@pytest.mark.parametrize(
    "text",
    [
        "WWW-Authenticate: Digest realm=x, nonce=y",
        "Basic scrubbed",
        "<password>scrubbed</password><password></password>",
        '{"token": "scrubbed"}',
        "rtsp://192.168.1.64:554/Streaming/tracks/101/?name=0000@x",
        "https://example.com/a:b@c",
    ],
)
def test_innocent_text_is_left_alone(text: str):
    """Challenges, scrubbed values and plain URLs are no secrets."""
    assert scrub.find_secrets(text) == []


@given(st.text(min_size=4, max_size=20), st.text(max_size=30), st.text(max_size=30))
def test_known_secrets_are_always_found(secret: str, before: str, after: str):
    """A planted secret is found wherever it stands, whatever it looks like."""
    kinds = {finding.kind for finding in scrub.find_secrets(before + secret + after, [secret, ""])}

    assert "known secret" in kinds


def test_requests_lose_their_login():
    """Login headers go, and the simulator's port becomes the usual one."""
    request = types.SimpleNamespace(
        headers={"Authorization": "Digest x", "cookie": "a=b", "Accept": "*/*"},
        uri="http://127.0.0.1:41234/ISAPI/System/time",
    )

    scrub.scrub_request(request)

    assert request.headers == {"Accept": "*/*"}
    assert request.uri == "http://127.0.0.1:80/ISAPI/System/time"


def test_responses_lose_their_cookies():
    """A session cookie in an answer is a login too."""
    response = {"headers": {"Set-Cookie": ["WebSession_1=2"], "Content-Type": ["text/xml"]}}

    assert scrub.scrub_response(response) == {
        "headers": {"Set-Cookie": ["scrubbed"], "Content-Type": ["text/xml"]}
    }


def test_bodies_match_but_for_the_search_id():
    """Another page is another request; another search id is not."""

    def request(body: object) -> types.SimpleNamespace:
        return types.SimpleNamespace(body=body)

    first = b"<a><searchID>{1}</searchID><p>0</p></a>"
    scrub.isapi_body(request(first), request(first.replace(b"{1}", b"{2}").decode()))
    scrub.isapi_body(request(None), request(b""))
    with pytest.raises(AssertionError, match="differ"):
        scrub.isapi_body(request(first), request(first.replace(b"<p>0", b"<p>40")))


def test_the_scan_reads_data_and_not_code(tmp_path, capsys):
    """The command lists what it finds by file and line, and its exit code says whether."""
    secret = "<password>hunter22</password>"
    (tmp_path / "a.yaml").write_text(f"x\n{secret}")
    (tmp_path / "b.py").write_text(secret)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "clean.xml").write_text("<a/>")

    assert scrub.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{tmp_path / 'a.yaml'}:2: password element\n"
    assert scrub.main([str(tmp_path / "sub"), str(tmp_path / "b.py")]) == 0


def test_the_scan_is_a_command(tmp_path):
    """It runs as a module, which is how the nox session calls it."""
    (tmp_path / "a.json").write_text('{"appSecret": "0123456789"}')
    command = [sys.executable, "-m", "camsync.testing.scrub", str(tmp_path)]

    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)

    assert done.returncode == 1
    assert "secret in JSON" in done.stdout
