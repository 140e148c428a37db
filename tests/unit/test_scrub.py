"""The scrubber: what it takes out, and what it finds."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import types

from pathlib import Path

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


SIGNED = {
    "system": {"ver": "1.0", "appId": "lc01", "sign": "0f" * 16, "time": 1, "nonce": "n-12345678"},
    "id": "7",
    "params": {"token": "At_" + "0a" * 16, "deviceId": "DEV1"},
}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("secret in JSON", '{"params": {"playToken": "abcdefgh=="}}'),
        ("secret in JSON", '{"kitToken":"Kx.1234567890"}'),
        ("signed request", '{"system": {"ver": "1.0", "nonce": "n-12345678"}}'),
        ("access token", "token is At_" + "0a" * 16),
        ("signed URL", "https://cloud.example/a.m3u8?id=1&t=" + "9f" * 12),
        ("signed URL", "https://cloud.example/a?Expires=1&amp;sign=" + "9f" * 12),
        ("cloud access key", "AKIA" + "A1B2" * 4),
        ("credential store", '{\n "camsync_credentials": 1}'),
    ],
)
def test_secrets_of_the_clouds_are_found(kind: str, text: str):
    """Tokens, signatures and signed URLs have shapes too, and store files do not belong to tests."""
    assert kind in {finding.kind for finding in scrub.find_secrets(text)}


def test_requests_and_answers_lose_what_is_in_their_bodies():
    """Signatures, nonces and tokens go from JSON bodies and URLs; all else is kept."""
    request = types.SimpleNamespace(
        headers={}, uri="https://c.example/a?sign=abcdefgh1&x=1", body=json.dumps(SIGNED)
    )
    scrub.scrub_request(request)
    seen = json.loads(request.body)

    assert request.uri == "https://c.example/a?sign=scrubbed&x=1"
    assert (seen["system"]["sign"], seen["system"]["nonce"]) == ("scrubbed", "scrubbed")
    assert (seen["params"], seen["id"]) == ({"token": "scrubbed", "deviceId": "DEV1"}, "7")

    data = {"data": {"accessToken": "At_x", "expireTime": 9, "urls": ["rtsp://h/p?token=12345678"]}}
    response = {
        "headers": {"Content-Length": ["99"]},
        "body": {"string": json.dumps(data).encode()},
    }
    scrub.scrub_response(response)
    body = response["body"]["string"]

    assert json.loads(body)["data"] == {
        "accessToken": "scrubbed",
        "expireTime": 9,
        "urls": ["rtsp://h/p?token=scrubbed"],
    }
    assert response["headers"]["Content-Length"] == [str(len(body))]


@pytest.mark.parametrize(
    "body", [b"IMKH\xff\x00", b"<a>?id=1</a>", "plain", b'{"a": 1}', b"\xef\xbb\xbf{"]
)
def test_bodies_without_secrets_stay_byte_for_byte(body):
    """Footage, ISAPI documents and harmless JSON are not touched."""
    response = {"headers": {}, "body": {"string": body}}
    request = types.SimpleNamespace(headers={}, uri="http://h/", body=body)

    assert scrub.scrub_response(response)["body"]["string"] is body
    assert scrub.scrub_request(request).body is body


def _random_text(count: int) -> str:
    return secrets.token_hex(count)


PLANTED = [
    ("private key", lambda: "-----BEGIN PRIVATE KEY-----\n" + "MIIabc0123" * 6),
    ("encrypted token", lambda: "gAAAAABl" + secrets.token_urlsafe(60)),
    ("bearer token", lambda: f"Authorization: Bearer {secrets.token_hex(20)}"),
    ("Digest login", lambda: f'Digest username="a", response="{secrets.token_hex(16)}"'),
    (
        "Basic login",
        lambda: "Basic " + base64.b64encode(f"joe:{secrets.token_hex(9)}a1".encode()).decode(),
    ),
    ("password in a URL", lambda: f"rtsp://joe:{secrets.token_hex(9)}a1@10.1.2.3/x"),
    ("session cookie", lambda: f"WebSession_ab={secrets.token_hex(32)}"),
    ("access token", lambda: "At_" + secrets.token_hex(16)),
    (
        "JSON web token",
        lambda: ".".join(["eyJ" + secrets.token_hex(12), *[secrets.token_hex(14)] * 2]),
    ),
    ("cloud access key", lambda: "AKIA" + "7Q2M9X4LZ0WB3KTE"),
]


@pytest.mark.parametrize("suffix", [".py", ".md", ".toml", ".yaml"])
@pytest.mark.parametrize(("kind", "plant"), PLANTED, ids=[kind for kind, _ in PLANTED])
def test_planted_secrets_are_found_in_every_kind_of_file(tmp_path, suffix, kind, plant):
    """A checkout is searched as a whole, source code and documentation too."""
    file = tmp_path / "src" / f"file{suffix}"
    file.parent.mkdir()
    file.write_text(f"one\n# {plant()}\n", encoding="utf-8")

    found = list(scrub.scan([tmp_path]))

    assert (file, scrub.Finding(kind, 2)) in found


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:password1@192.168.1.64/x rtsp://admin:hunter22@nvr.local/",
        "rtsp://joe:k3v9x2p8q1w7@nvr.example/x",
        'Digest username="a", response="00000000000000000000000000000000"',
        "Basic YWRtaW46c2VjcmV0 Basic abcdefghijklmnopq",
        "At_0000ea00000000000000000000000000",
        "-----BEGIN PRIVATE KEY-----",
        "AKIAIOSFODNN7EXAMPLE",
        "0123456789abcdef gAAAAAB" + "x" * 80,
    ],
)
def test_source_code_may_speak_of_secrets(tmp_path, text):
    """Examples and placeholders in code and documentation are no findings."""
    (tmp_path / "a.md").write_text(text, encoding="utf-8")

    assert list(scrub.scan([tmp_path])) == []


def test_a_line_can_say_that_it_holds_no_secret(tmp_path):
    """Published test vectors look like secrets; the words on their line let them pass."""
    token = "At_" + _random_text(16)
    (tmp_path / "a.py").write_text(f"A = '{token}'  # not a secret: published\nB = '{token}'\n")

    assert [finding.line for _, finding in scrub.scan([tmp_path])] == [2]


def test_the_scan_leaves_out_what_is_not_committed(tmp_path):
    """Version control, environments, caches, builds, links, binaries and unknown types."""
    secret = '{"appSecret": "0123456789"}'
    for place in (
        ".git",
        ".venv",
        ".nox",
        "build",
        "dist",
        ".pytest_cache",
        "x.egg-info",
        "docs/_build",
    ):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.json").write_text(secret)
    (tmp_path / "binary.json").write_bytes(b"\0" + secret.encode())
    (tmp_path / "photo.jpg").write_text(secret)
    (tmp_path / "link.json").symlink_to(tmp_path / ".git" / "a.json")
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "a.yml").write_text(secret)

    assert [file.name for file, _ in scrub.scan([tmp_path, tmp_path / "missing.json"])] == ["a.yml"]


def test_this_checkout_is_clean():
    """Nothing that is committed here has the shape of a secret."""
    root = Path(__file__).parents[2]
    if not (root / "src").is_dir():
        pytest.skip("the tests are not in a checkout")

    assert list(scrub.scan([root])) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("MAC address", "mac:44-19-b6-12-34-56"),
        ("MAC address", "44:19:B6:12:34:56"),
        ("public address", "at 81.2.69.142:80"),
        ("serial number", "DS-7616NI-K21620180312CCRRC12345678WCVU"),
    ],
)
def test_identities_are_found(kind, text):
    """What could be somebody's own device is found by its shape."""
    assert [finding.kind for finding in scrub.find_identities(text)] == [kind]


def test_made_up_identities_are_none():
    """Documentation, local use, private networks and the simulator's own serial number."""
    text = (
        "02:00:00:12:34:56 00:00:00:00:00:00 ff:ff:ff:ff:ff:ff 192.0.2.7 198.51.100.1 203.0.113.9 "
        "10.1.2.3 192.168.1.64 127.0.0.1 255.255.255.0 DS-7616NI-K20120260101CCRRG00000000 10:00:00"
    )

    assert scrub.find_identities(text) == []
