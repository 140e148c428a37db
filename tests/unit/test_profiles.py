"""Profiles: stored whole, found by name or address, and never with a secret."""

from __future__ import annotations

import json
import os
import threading

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import (
    ConfigurationError,
    DamagedStoreError,
    ExposedStoreError,
    Profile,
    ProfileNotFoundError,
    Profiles,
    StoreUnavailableError,
)


PIN = "sha256:" + "ab" * 32
FULL = Profile(
    name="front-shop",
    provider="hikvision",
    host="192.168.1.64",
    port=8443,
    username="viewer",
    https=True,
    verify=PIN,
    old_tls=True,
    allow_basic=True,
    timezone="Asia/Ho_Chi_Minh",
    time_mode="local",
    device="DS-7616NI-K2 0123",
    learnt={"search": {"list_tag": "trackList", "page": 40}},
)
SMALL = Profile(name="back", provider="hikvision", host="nvr.lan")


@pytest.fixture
def book(tmp_path) -> Profiles:
    """An empty book of profiles."""
    return Profiles(tmp_path / "profiles.json")


def test_what_is_stored_comes_back(book):
    """Every field survives, and the list is sorted by name."""
    book.set(FULL)
    book.set(SMALL)

    assert FULL == book.get("front-shop")
    assert (SMALL, FULL) == tuple(book.all()) == tuple(book)
    assert "front-shop" in book
    assert "Front-shop" not in book
    assert (SMALL, FULL) == tuple(Profiles(book.path).all())


def test_setting_again_replaces(book):
    """A name stands for one profile."""
    book.set(FULL)
    book.set(attrs.evolve(FULL, host="10.0.0.1"))

    assert ["10.0.0.1"] == [profile.host for profile in book.all()]


def test_deleting(book):
    """A deleted profile is gone; deleting or getting it again says so and where it was looked for."""
    book.set(FULL)
    book.set(SMALL)
    book.delete("front-shop")

    assert (SMALL,) == tuple(book.all())
    for call in (book.get, book.delete):
        with pytest.raises(ProfileNotFoundError, match="front-shop") as caught:
            call("front-shop")
        assert str(book.path) in str(caught.value)
        assert isinstance(caught.value, LookupError)


def test_no_file_is_no_profile(book):
    """Nothing is written by looking."""
    assert () == book.all()
    assert () == book.find("hikvision", "nvr.lan")
    assert not book.path.exists()


def test_finding_by_name_and_by_address(book):
    """The name wins, the address finds the profiles that have it, of this provider only."""
    book.set(FULL)
    book.set(attrs.evolve(SMALL, name="192.168.1.64", host="192.168.1.64"))

    assert ["192.168.1.64"] == [one.name for one in book.find("hikvision", "192.168.1.64")]
    assert (FULL,) == book.find("hikvision", "192.168.1.64", 8443)
    assert (FULL,) == book.find("hikvision", "front-shop")
    assert () == book.find("imou", "front-shop")
    assert () == book.find("hikvision", "192.168.1.64", 81)


def test_several_profiles_of_one_address_are_all_found(book):
    """Which of them is meant is for a name to say."""
    book.set(SMALL)
    book.set(attrs.evolve(SMALL, name="other"))

    assert ["back", "other"] == [one.name for one in book.find("hikvision", "nvr.lan")]


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("fe80::1", "fe80:0::1"),
        ("[fe80::2]", "fe80::2"),
        ("NVR.lan.", "nvr.LAN"),
        ("192.168.1.64", "192.168.1.64"),
    ],
)
def test_a_host_has_many_spellings(book, kept, asked):
    """Whichever is written, the profile and its pin are found."""
    book.set(attrs.evolve(FULL, host=kept, port=None))

    assert 1 == len(book.find("hikvision", asked))
    assert 1 == len(book.find("hikvision", asked, 443))
    assert () == book.find("hikvision", asked, 80)


@pytest.mark.parametrize("name", ["nvr.lan", "nvr.lan_80", "nvr.lan-8080", "back-door"])
def test_a_name_may_be_that_of_the_host(name):
    """The address itself, as VPACK and the command line write it."""
    assert name == attrs.evolve(SMALL, name=name).name


def test_a_name_may_not_be_that_of_another_host():
    """Without the profile, the password would go to whoever has that name."""
    with pytest.raises(ConfigurationError, match="looks like another host"):
        attrs.evolve(SMALL, name="shop.example")


@pytest.mark.parametrize("port", [True, 0, 65536, "80", 80.0])
def test_a_port_is_a_number(port):
    """JSON has booleans and texts where a number belongs."""
    with pytest.raises(ConfigurationError, match="port of a profile"):
        attrs.evolve(SMALL, port=port)


@pytest.mark.parametrize("verify", ["ca.pem", "./ca.pem", False, True, ""])
def test_a_profile_does_not_switch_checking_off(verify):
    """Nor does it name a file that depends on the current folder."""
    with pytest.raises(ConfigurationError, match="verify in a profile"):
        attrs.evolve(SMALL, verify=verify)


def test_the_whole_path_of_a_ca_is_taken(tmp_path):
    """An authority of one's own."""
    ca = str(tmp_path / "ca.pem")

    assert ca == attrs.evolve(SMALL, verify=ca).options()["verify"]


def test_replacing_only_what_was_looked_at(book):
    """Two people at two terminals: the second is told, and nothing is lost."""
    book.replace(None, SMALL)
    moved = attrs.evolve(SMALL, host="10.0.0.9")
    book.replace(SMALL, moved)

    for old in (None, SMALL):
        with pytest.raises(ConfigurationError, match="changed by somebody else"):
            book.replace(old, attrs.evolve(SMALL, https=True))
    assert (moved,) == book.all()


def test_options_are_arguments(book):
    """What differs from the defaults is handed to the provider's class."""
    assert {} == SMALL.options()
    assert {
        "port": 8443,
        "https": True,
        "verify": PIN,
        "old_tls": True,
        "allow_basic": True,
        "timezone": "Asia/Ho_Chi_Minh",
        "time_mode": "local",
        "learnt": FULL.learnt,
    } == FULL.options()


@pytest.mark.parametrize(
    "name", ["", "Front", "a b", "-a", "a-", "ü", "a/b", "x" * 64, None, "a\n"]
)
def test_unusable_names_are_refused(name):
    """A name stands in URLs and in variables, so it is short, plain and in lower case."""
    with pytest.raises(ConfigurationError, match="name of a profile"):
        Profile(name=name, provider="hikvision", host="nvr")


@pytest.mark.parametrize("host", ["", "a b", "http://nvr", "admin:hunter22@nvr", None, 7])
def test_a_host_is_no_url(host):
    """What was pasted may hold a password, so the message does not repeat it."""
    with pytest.raises(ConfigurationError, match="name or an address") as caught:
        Profile(name="nvr", provider="hikvision", host=host)

    assert "hunter22" not in str(caught.value)


def test_what_was_learnt_is_a_mapping():
    """Anything else would fail much later, in the provider."""
    with pytest.raises(ConfigurationError, match="not list"):
        Profile(name="nvr", provider="hikvision", host="nvr", learnt=[])  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
def test_the_file_is_private(book):
    """Written with 0600; who may change it could send a password elsewhere, so that is refused."""
    book.set(SMALL)
    assert 0o600 == book.path.stat().st_mode & 0o777

    book.path.chmod(0o644)  # a file that is mounted into a container, for example
    assert (SMALL,) == book.all()
    book.path.chmod(0o664)
    with pytest.raises(ExposedStoreError, match=r"can change .*0664"):
        book.all()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"camsync_profiles": 1}',
        '{"camsync_profiles": 1, "profiles": [{"name": "a"}]}',
        '{"camsync_profiles": 1, "profiles": [{"name": "A", "provider": "x", "host": "y"}]}',
        '{"camsync_profiles": 1, "profiles": 7}',
        "[" * 100_000,
        "\x00\xff",
    ],
)
def test_a_damaged_file_is_an_error_and_stays(book, content):
    """What cannot be read is not overwritten by the next change."""
    book.path.write_text(content, encoding="latin-1")
    book.path.chmod(0o600)
    before = book.path.read_bytes()

    with pytest.raises(DamagedStoreError, match="does not hold profiles"):
        book.set(SMALL)

    assert before == book.path.read_bytes()


def test_a_newer_format_is_named(book):
    """An older camsync does not guess what a newer one wrote."""
    book.path.write_text('{"camsync_profiles": 2, "profiles": []}')
    book.path.chmod(0o600)

    with pytest.raises(DamagedStoreError, match="another version"):
        book.all()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """A folder in the file's place is an error with the path in it."""
    with pytest.raises(StoreUnavailableError, match="cannot be read"):
        Profiles(tmp_path).all()


def test_writers_do_not_lose_each_others_profiles(book):
    """Eight threads store their own; all are there in the end."""

    def store(number: int) -> None:
        for count in range(5):
            book.set(attrs.evolve(SMALL, name=f"nvr-{number}-{count}"))

    threads = [threading.Thread(target=store, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 40 == len(book.all())


def test_the_usual_place(monkeypatch, tmp_path):
    """By default the file is in CAMSYNC_HOME, else in the user's configuration folder."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path))
    assert tmp_path / "profiles.json" == Profiles().path

    monkeypatch.delenv("CAMSYNC_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert "camsync" in Profiles().path.parts
    assert "profiles.json" == Profiles().path.name


def test_the_repr_says_where(book):
    """A notebook shows which file it is."""
    assert f"Profiles({str(book.path)!r})" == repr(book)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), _json))
def test_whatever_was_learnt_survives(learnt):
    """JSON values of any shape come back as they were."""
    profile = attrs.evolve(FULL, learnt=learnt)
    entry = json.loads(json.dumps(attrs.asdict(profile)))

    assert profile == Profile(**entry)
