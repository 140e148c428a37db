"""Looking at certificates and pinning them."""

from __future__ import annotations

import datetime as dt
import io
import json
import sys

import click
import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Certificate, Profile, Profiles, errors, transport
from camsync.cli import main
from camsync.cli._certificate import digits_of, grouped, short


HOST = "192.168.1.64"
PIN = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
THEN = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
LATER = dt.datetime(9024, 1, 1, tzinfo=dt.timezone.utc)


class Terminal(io.StringIO):
    """A stdin with somebody in front of it."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _a_home(monkeypatch, tmp_path):
    """Profiles of its own."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))


@pytest.fixture
def shown(monkeypatch):
    """The certificates that devices show, by host; the last place that was asked is kept."""
    certificate = Certificate(
        fingerprint=PIN,
        subject="CN=nvr",
        issuer="CN=nvr",
        names=(HOST, "nvr.test"),
        not_before=THEN,
        not_after=LATER,
        self_signed=True,
        key="RSA 2048",
    )
    state = {"certificate": certificate, "asked": []}

    def fetch(host, port, *, timeout):
        state["asked"].append((host, port, timeout))
        return state["certificate"]

    monkeypatch.setattr(transport, "fetch_certificate", fetch)
    return state


@pytest.fixture
def answer(monkeypatch):
    """Somebody at the terminal who answers so; Enter alone is the default."""
    answers, questions = [], []

    def confirm(question, *, default, err):
        assert err
        questions.append(question)
        given = answers.pop(0)
        return default if given is None else given

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "confirm", confirm)
    return answers


def run(capsys, *arguments):
    """Run the command line; return its exit code, stdout and stderr."""
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys, *arguments):
    """Run the command line with --json; return its exit code and the one document."""
    code, out, err = run(capsys, *arguments, "--json")
    assert "" == err
    return code, json.loads(out)


def remember(name="front-shop", **fields):
    """Make a profile."""
    Profiles().set(Profile(name=name, provider="hikvision", **{"host": HOST, **fields}))


def pins():
    """The pins of all profiles."""
    return {profile.name: profile.verify for profile in Profiles().all()}


def test_the_certificate_is_shown_and_pinned_on_a_yes(shown, answer, capsys):
    """Everything that it says of itself, and the fingerprint in groups."""
    answer.append(True)
    code, out, err = run(capsys, "trust", HOST)

    assert (0, "") == (code, err)
    assert [
        f"{HOST}:443 shows this certificate:",
        "  subject    CN=nvr",
        "  issued by  itself (self-signed)",
        f"  names      {HOST}, nvr.test",
        "  valid      2024-01-01 00:00:00Z to 9024-01-01 00:00:00Z",
        "  key        RSA 2048",
        "  sha256     abab abab abab abab abab abab abab abab",
        "             abab abab abab abab abab abab abab abab",
        f"pinned in the profile {HOST}",
        f"next: camsync login {HOST}",
    ] == out.splitlines()
    expected = Profile(name=HOST, provider="hikvision", host=HOST, https=True, verify=PIN)
    assert (expected,) == Profiles().all()


@pytest.mark.parametrize(
    ("dates", "remark"),
    [
        ({"not_before": THEN, "not_after": THEN}, "(EXPIRED)"),
        ({"not_before": LATER, "not_after": LATER}, "(NOT YET VALID)"),
        ({}, "(none) to (none)"),
    ],
)
def test_dates_that_do_not_fit_are_said(shown, capsys, dates, remark):
    """A pin does not care, but whoever decides may; what cannot be read is not made up."""
    shown["certificate"] = Certificate(fingerprint=PIN, issuer="CN=ca", **dates)
    code, out, _err = run(capsys, "trust", HOST, "--yes")

    assert 0 == code
    assert remark in out
    assert "  issued by  CN=ca\n" in out
    assert "  names      (none)\n" in out


@pytest.mark.parametrize("given", [None, False])
def test_enter_alone_is_a_no(shown, answer, capsys, given):
    """Exit code 5, and nothing is pinned."""
    answer.append(given)
    code, _out, err = run(capsys, "trust", HOST)

    assert 5 == code
    assert "not confirmed; nothing was stored" in err
    assert {} == pins()


def test_a_script_gets_the_certificate_and_the_advice(shown, capsys):
    """Exit code 2; the fingerprint to compare, and the option that pins it."""
    code, out, err = run(capsys, "trust", HOST)

    assert 2 == code
    assert "subject    CN=nvr" in out
    assert f"--fingerprint {PIN}" in err

    code, document = run_json(capsys, "trust", HOST)

    assert (2, PIN, []) == (code, document["certificate"]["fingerprint"], document["pinned"])
    assert f"--fingerprint {PIN}" in document["error"]["next_step"]
    assert {} == pins()


def test_the_certificate_as_json(shown, capsys):
    """Every field, with times in UTC; unknown ones are null."""
    code, document = run_json(capsys, "trust", f"{HOST}:8443", "--yes", "--name", "shop")

    assert 0 == code
    assert {
        "host": HOST,
        "port": 8443,
        "certificate": {
            "fingerprint": PIN,
            "subject": "CN=nvr",
            "issuer": "CN=nvr",
            "names": [HOST, "nvr.test"],
            "not_before": "2024-01-01T00:00:00Z",
            "not_after": "9024-01-01T00:00:00Z",
            "expired": False,
            "self_signed": True,
            "key": "RSA 2048",
        },
        "replaced": False,
        "pinned": ["shop"],
    } == document
    assert (8443, PIN) == (Profiles().get("shop").port, Profiles().get("shop").verify)

    shown["certificate"] = Certificate(fingerprint=PIN)
    assert None is run_json(capsys, "trust", "shop")[1]["certificate"]["not_after"]


def test_json_on_a_terminal_shows_it_on_stderr(shown, answer, capsys):
    """Who is asked must see what about."""
    answer.append(True)
    remember(https=True, verify=OTHER)
    code, out, err = run(capsys, "trust", HOST, "--json")

    assert 0 == code
    assert "subject    CN=nvr" in err
    assert "old  cdcd" in err
    assert json.loads(out)["replaced"]


@pytest.mark.parametrize(
    "spelled", [PIN, "SHA256:" + ":".join(["AB"] * 32), "ab" * 32, " ".join(["abab"] * 16)]
)
def test_the_named_fingerprint_is_pinned(shown, capsys, spelled):
    """In any spelling, also in the place of another pin: it was said exactly which one."""
    remember(https=True, verify=OTHER)
    code, _out, _err = run(capsys, "trust", "front-shop", "--fingerprint", spelled)

    assert 0 == code
    assert {"front-shop": PIN} == pins()


@pytest.mark.parametrize("stored", [None, PIN])
def test_another_fingerprint_than_the_named_one_is_an_error(shown, capsys, stored):
    """Exit code 5 with both, also when what is shown is pinned already."""
    remember(https=True, verify=stored)
    code, document = run_json(capsys, "trust", "front-shop", "--yes", "--fingerprint", OTHER)

    assert 5 == code
    assert (OTHER, PIN) == (document["error"]["expected"], document["error"]["actual"])
    assert {"front-shop": stored} == pins()


def test_what_is_no_fingerprint_is_refused_before_anything(shown, capsys):
    """Half of one would match nothing."""
    code, _out, err = run(capsys, "trust", HOST, "--fingerprint", "sha256:abab")

    assert (2, []) == (code, shown["asked"])
    assert "is no SHA-256 fingerprint" in err


def test_yes_does_not_replace_a_pin(shown, capsys):
    """Trust on first use ends with the first use; --replace says otherwise."""
    remember(https=True, verify=OTHER)
    code, _out, err = run(capsys, "trust", "front-shop", "--yes")

    assert 5 == code
    assert "this is NOT the certificate that was trusted until now" in err
    assert "  old  cdcd cdcd" in err
    assert "  new  abab abab" in err
    assert "--replace" in err
    assert {"front-shop": OTHER} == pins()

    code, document = run_json(capsys, "trust", "front-shop", "--yes")
    assert (5, OTHER) == (code, document["error"]["expected"])

    assert 0 == run(capsys, "trust", "front-shop", "--yes", "--replace")[0]
    assert {"front-shop": PIN} == pins()


def test_a_ca_file_is_not_given_up_without_a_word(shown, capsys):
    """Somebody chose it: a pin is another choice."""
    remember(https=True, verify="/etc/ca.pem")
    code, _out, err = run(capsys, "trust", "front-shop", "--yes")

    assert 5 == code
    assert "  old  /etc/ca.pem\n" in err
    assert {"front-shop": "/etc/ca.pem"} == pins()


@pytest.mark.parametrize(("given", "code"), [(None, 5), (True, 0)])
def test_another_pin_is_replaced_on_an_explicit_yes(shown, answer, capsys, given, code):
    """Both fingerprints are shown, and what it means."""
    answer.append(given)
    remember(https=True, verify=OTHER)
    seen, _out, err = run(capsys, "trust", "front-shop")

    assert code == seen
    assert "somebody has put himself in between" in err
    assert (PIN if given else OTHER) == pins()["front-shop"]


def test_the_same_pin_again_asks_nothing(shown, capsys):
    """It is trusted already."""
    remember(https=True, verify=PIN)

    assert 0 == run(capsys, "trust", "front-shop")[0]


def test_every_profile_of_the_device_gets_the_pin(shown, capsys):
    """Found by host and port; another port is another device."""
    remember("a", https=True)
    remember("b", https=True, port=443)
    remember("c", https=True, port=8443)
    remember("d")
    remember("e", port=8080)
    code, out, _err = run(capsys, "trust", f"hikvisions://{HOST}", "--yes")

    assert 0 == code
    assert {"a": PIN, "b": PIN, "c": None, "d": PIN, "e": None} == pins()
    assert "d uses HTTPS from now on" in out
    assert "next:" not in out


@pytest.mark.parametrize(
    ("profile", "text", "place", "port"),
    [
        ({"https": True, "port": 8443}, "front-shop", (HOST, 8443), 8443),
        ({"port": 8080}, "front-shop", (HOST, 443), None),
        ({"https": True, "port": 8443}, f"{HOST}:8443", (HOST, 8443), 8443),
        ({"port": 8443}, f"admin@{HOST}:8443", (HOST, 8443), 8443),
    ],
)
def test_the_port_is_that_of_https(shown, capsys, profile, text, place, port):
    """A profile for plain HTTP moves to HTTPS: its old port is of no use there."""
    remember(**profile)
    code, _out, _err = run(capsys, "trust", text, "--yes", "--timeout", "3")
    after = Profiles().get("front-shop")

    assert 0 == code
    assert [(*place, 3.0)] == shown["asked"]
    assert (True, port, PIN) == (after.https, after.port, after.verify)


def test_an_ipv6_address_is_shown_in_brackets(shown, capsys):
    """As URLs have it."""
    assert "[fe80::1]:443 shows" in run(capsys, "trust", "[fe80::1]", "--yes")[1]
    assert "fe80::1" == Profiles().get("fe80-1").host


def test_the_name_of_another_device_is_not_taken(shown, capsys):
    """The profile of a recorder must not become that of its neighbour."""
    remember(host="nvr.test")
    code, _out, err = run(capsys, "trust", HOST, "--yes", "--name", "front-shop")

    assert (2, []) == (code, shown["asked"])
    assert "belongs to another device: nvr.test" in err


def test_a_device_that_does_not_answer(capsys, monkeypatch):
    """The exit code is that of the network."""

    def fail(*_place, **_options):
        msg = "no route"
        raise errors.UnreachableError(msg)

    monkeypatch.setattr(transport, "fetch_certificate", fail)

    assert 4 == run(capsys, "trust", HOST)[0]


def test_a_profile_that_changes_during_the_question_is_left_alone(shown, capsys, monkeypatch):
    """What somebody else has stored meanwhile is not written over with what was read before."""
    remember(https=True)
    theirs = {"https": True, "host": "nvr.test", "timezone": "+08:00"}
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "confirm", lambda *_, **__: remember(**theirs) or True)
    code, _out, err = run(capsys, "trust", "front-shop")

    assert 2 == code
    assert "was changed by somebody else meanwhile" in err
    assert ("nvr.test", None) == (Profiles().get("front-shop").host, pins()["front-shop"])


def test_a_profile_that_is_made_during_the_question_is_left_alone(shown, capsys, monkeypatch):
    """A new one does not take the name of another."""
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "confirm", lambda *_, **__: remember("shop", host="nvr") or True)
    code, _out, _err = run(capsys, "trust", HOST, "--name", "shop")

    assert (2, {"shop": None}) == (code, pins())


def test_a_profile_that_is_deleted_during_the_question_stays_deleted(shown, capsys, monkeypatch):
    """Of several, those before it are pinned all the same, and that is said."""
    remember("a", https=True)
    remember("b", https=True)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "confirm", lambda *_, **__: Profiles().delete("b") or True)
    code, _out, err = run(capsys, "trust", f"hikvisions://{HOST}")

    assert 2 == code
    assert "pinned all the same in: a" in err
    assert {"a": PIN} == pins()


@given(st.binary(min_size=32, max_size=32))
def test_groups_hold_all_digits(raw):
    """Nothing is lost between the fingerprint and what is read out on the phone."""
    pin = f"sha256:{raw.hex()}"

    assert raw.hex() == digits_of(" ".join(grouped(pin)))
    assert [39, 39] == [len(line) for line in grouped(pin)]
    assert pin.startswith(short(pin).rstrip("…"))
