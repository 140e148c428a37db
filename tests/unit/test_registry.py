"""From a URL, a profile and a store to a provider."""

from __future__ import annotations

import traceback

import attrs
import pytest

import camsync

from camsync import (
    ConfigurationError,
    Credential,
    CredentialNotFoundError,
    MemoryStore,
    MissingKeyError,
    Profile,
    ProfileNotFoundError,
    Profiles,
    Secret,
    registry,
)
from camsync.providers.imou._regions import REGIONS


PASSWORD = "hunter22-registry"
SHOP = Profile(
    name="front-shop",
    provider="hikvision",
    host="127.0.0.1",
    port=8443,
    https=True,
    verify="sha256:" + "ab" * 32,
)


@pytest.fixture
def store() -> MemoryStore:
    """A store that holds the shop's credential."""
    store = MemoryStore()
    store.set("hikvision", "front-shop", Credential(username="viewer", secret=PASSWORD))
    return store


@pytest.fixture
def profiles() -> Profiles:
    """A book that holds the shop's profile."""
    book = Profiles()
    book.set(SHOP)
    return book


def _locals_shown(error: BaseException) -> str:
    """The traceback with local variables, without the frame of the test itself."""
    inside = error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)
    return "".join(
        traceback.TracebackException.from_exception(inside, capture_locals=True).format()
    )


def test_the_url_says_where_and_as_whom():
    """Scheme, user, host and port are read; hikvisions asks for TLS."""
    place = registry.parse_url("hikvisions://ad%40min@nvr-1:8443")

    assert (place.provider, place.username, place.host, place.port, place.secure) == (
        "hikvision",
        "ad@min",
        "nvr-1",
        8443,
        True,
    )
    assert str(registry.parse_url("hikvision://admin@[::1]:81")) == "hikvision://admin@[::1]:81"
    assert str(registry.parse_url("hikvision://admin@[::1]")) == "hikvision://admin@[::1]"
    assert str(registry.parse_url("HIKVISION://nvr-1/")) == "hikvision://nvr-1"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("hikvision://nvr", "nvr"),
        ("hikvision://nvr:81", "nvr:81"),
        ("hikvision://[::1]", "::1"),
        ("hikvision://[::1]:81", "[::1]:81"),
    ],
)
def test_the_place_is_an_account(url, place):
    """Without a profile a credential is stored under host, or host and port."""
    assert place == registry.parse_url(url).place


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("192.168.1.64", "no scheme"),
        ("admin:hunter22@nvr", "no scheme"),
        ("ftp://admin@nvr", "not a known kind"),
        ("hikvision://admin:hunter22@nvr", "password in a URL"),
        ("hikvision://admin@nvr:port", "cannot be read"),
        ("hikvision://admin:hunter22/x@nvr", "cannot be read"),
        ("hikvision://admin@", "must hold a host"),
        ("hikvision://[hunter22]", "cannot be read"),
        ("hikvision://admin@nvr/ISAPI", "nothing behind"),
        ("hikvision://admin@nvr?x=1", "nothing behind"),
    ],
)
def test_unusable_urls_are_refused_without_showing_secrets(url: str, words: str):
    """Each mistake has its own message, and nothing repeats a password, locals included."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        registry.parse_url(Secret(url))

    assert "hunter22" not in str(caught.value)
    assert "hunter22" not in _locals_shown(caught.value)


def test_connect_makes_the_provider():
    """Connect passes host, port, TLS and options on, and sends nothing."""
    with camsync.connect("hikvision://admin@127.0.0.1:81", password="pw") as provider:
        assert repr(provider) == "<HikvisionISAPI http://127.0.0.1:81>"
    secure = camsync.connect("hikvisions://admin@127.0.0.1", password="pw", timeout=(1, 2))
    assert repr(secure) == "<HikvisionISAPI https://127.0.0.1:443>"


def test_a_password_needs_a_user():
    """What is missing is said before anything is sent."""
    with pytest.raises(ConfigurationError, match="but no user"):
        camsync.connect("hikvision://127.0.0.1", password="x")


def test_a_profile_and_a_store_are_enough(store, profiles):
    """The name gives host, port, TLS and pin, the store gives user and password."""
    with camsync.connect("hikvision://front-shop", store=store, profiles=profiles) as provider:
        assert repr(provider) == "<HikvisionISAPI https://127.0.0.1:8443>"


def test_the_address_finds_the_profile(store, profiles):
    """Its pin is used for the address too, so that nobody has to give it again."""
    target = registry.resolve("hikvisions://viewer@127.0.0.1:8443", profiles)

    assert SHOP == target.profile
    assert SHOP.verify == target.options()["verify"]


def test_arguments_beat_the_url_and_the_url_beats_the_profile(store, profiles):
    """From near to far: options, URL, profile."""
    plain = attrs.evolve(SHOP, name="plain", https=False, verify=None, port=80)
    profiles.set(plain)
    store.set("hikvision", "plain", Credential(username="viewer", secret=PASSWORD))

    given = {"store": store, "profiles": profiles}
    assert "https://127.0.0.1:443" in repr(camsync.connect("hikvisions://plain", **given))
    assert "http://127.0.0.1:80" in repr(camsync.connect("hikvision://plain", **given))
    assert ":99" in repr(camsync.connect("hikvision://front-shop", port=99, **given))


def test_a_profile_knows_its_user(profiles):
    """A password alone is enough then; another user in the URL wins."""
    profiles.set(attrs.evolve(SHOP, username="viewer"))

    assert camsync.connect("hikvision://front-shop", password="x", profiles=profiles)


def test_a_store_can_be_named(monkeypatch, profiles):
    """What CAMSYNC_STORE takes, connect takes."""
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME", "viewer")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_SECRET", PASSWORD)

    assert camsync.connect("hikvision://front-shop", store="env", profiles=profiles)


def test_without_a_profile_the_host_is_the_account():
    """A store alone is enough: the credential is kept under host, or host and port."""
    store = MemoryStore()
    store.set("hikvision", "127.0.0.1:81", Credential(username="viewer", secret=PASSWORD))

    with camsync.connect("hikvision://127.0.0.1:81", store=store) as provider:
        assert "127.0.0.1:81" in repr(provider)


def test_owners_are_kept_apart(profiles):
    """A store that serves several people gives each their own."""
    store = MemoryStore()
    store.set("hikvision", "front-shop", Credential(username="v", secret=PASSWORD), owner="alice")
    given = {"store": store, "profiles": profiles}

    assert camsync.connect("hikvision://front-shop", owner="alice", **given)
    with pytest.raises(CredentialNotFoundError, match="of bob"):
        camsync.connect("hikvision://front-shop", owner="bob", **given)


def test_another_user_than_the_stored_one_is_refused(store, profiles):
    """A password is never tried for a user that it does not belong to."""
    with pytest.raises(ConfigurationError, match="another user than 'admin'"):
        camsync.connect("hikvision://admin@front-shop", store=store, profiles=profiles)


def test_a_name_without_a_profile_is_no_host(store):
    """A lost profile must not send the password that was pinned to TLS to a host of its name."""
    for url in (
        "hikvision://front-shop",
        "hikvisions://front-shop",
        "hikvision://admin@FRONT-shop",
    ):
        with pytest.raises(ProfileNotFoundError, match="no profile 'front-shop'"):
            camsync.connect(url, store=store)
    with camsync.connect("hikvision://viewer@front-shop", password=PASSWORD) as provider:
        assert "http://front-shop:80" in repr(provider)  # said in so many words


@pytest.mark.parametrize("url", ["imou://sg", "hikvision://localhost", "hikvision://nvr:81"])
def test_what_can_be_no_profile_needs_none(url):
    """A data centre, this computer, and an address with a port are looked up as they are."""
    target = registry.resolve(url)

    assert target.account == target.stored_under()


def test_several_profiles_of_one_address(store, profiles):
    """None is taken, since one of them may have a pin; the names are said."""
    profiles.set(attrs.evolve(SHOP, name="other"))
    target = registry.resolve("hikvisions://127.0.0.1:8443", profiles)

    assert target.profile is None
    with pytest.raises(ConfigurationError, match="front-shop, other"):
        camsync.connect("hikvision://viewer@127.0.0.1:8443", password="x", profiles=profiles)


def test_an_empty_store_is_a_store():
    """A store that counts as false in Python is not replaced by the usual ones."""

    class Falsy(MemoryStore):
        def __len__(self) -> int:
            return 0

    with pytest.raises(CredentialNotFoundError, match="MemoryStore"):
        camsync.connect("hikvision://127.0.0.1", store=Falsy())


def test_the_default_store_says_what_is_missing(monkeypatch, profiles):
    """Nothing stored anywhere: the error names the variable and the places that were looked at."""
    monkeypatch.setattr("camsync.credentials.keyring.KeyringStore.usable", lambda _: False)

    with pytest.raises(CredentialNotFoundError) as caught:
        camsync.connect("hikvision://front-shop")

    assert "CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME" in str(caught.value)
    assert "credentials.camsync" in str(caught.value)
    assert "camsync login" in str(caught.value)


def test_the_environment_is_a_store(monkeypatch, profiles):
    """Two variables are enough for a container."""
    monkeypatch.setenv("CAMSYNC_STORE", "env")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_USERNAME", "viewer")
    monkeypatch.setenv("CAMSYNC_HIKVISION_FRONT_SHOP_SECRET", PASSWORD)

    target = registry.resolve("hikvision://front-shop", profiles)
    credential = registry.credential_for(target, camsync.open_store())

    assert Credential(username="viewer", secret=PASSWORD) == credential


@pytest.mark.parametrize("place", ["file", "file:~/x.camsync", "file:{tmp}/store/x.camsync"])
@pytest.mark.parametrize("variable", ["CAMSYNC_KEY", "CAMSYNC_KEY_FILE", "CAMSYNC_PASSPHRASE"])
def test_the_key_of_the_file_comes_from_the_environment(monkeypatch, tmp_path, variable, place):
    """Each of the three variables opens the encrypted file, wherever it is."""
    from camsync.credentials.keys import new_key

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    value = new_key().reveal()
    if variable.endswith("FILE"):
        path = tmp_path / "keys" / "camsync.key"
        path.parent.mkdir(mode=0o700)
        path.touch(mode=0o600)
        path.write_text(value)
        value = str(path)
    monkeypatch.setenv(variable, value)
    where = place.replace("{tmp}", str(tmp_path))
    mine = Credential(username="viewer", secret=PASSWORD)

    camsync.open_store(where).set("hikvision", "front-shop", mine)

    assert mine == camsync.open_store(where).get("hikvision", "front-shop")


def test_without_a_key_the_file_says_so():
    """Nothing is written in the clear because a key is missing."""
    store = camsync.open_store("file")

    with pytest.raises(MissingKeyError, match="neither a key nor a passphrase") as caught:
        store.set("hikvision", "x", Credential(username="viewer", secret=PASSWORD))

    assert "CAMSYNC_KEY_FILE" in str(caught.value)


def test_a_passphrase_can_be_asked_for():
    """The command line's prompt is a function."""
    mine = Credential(username="viewer", secret=PASSWORD)
    camsync.open_store("file", ask=lambda: "a long passphrase").set("hikvision", "x", mine)

    assert mine == camsync.open_store("file", ask=lambda: "a long passphrase").get("hikvision", "x")


@pytest.mark.parametrize("usable", [True, False])
def test_the_automatic_chain(monkeypatch, usable):
    """The keyring takes part where there is one."""
    monkeypatch.setattr("camsync.credentials.keyring.KeyringStore.usable", lambda _: usable)

    shown = repr(camsync.open_store())

    assert shown.startswith("first_of(EnvStore")
    assert usable is ("KeyringStore" in shown)
    assert "EncryptedFileStore" in shown


@pytest.mark.parametrize("where", ["vault", "env:x", "FILE", ":"])
def test_an_unknown_store_is_refused(where):
    """A typing slip does not open another store than the one that was meant."""
    with pytest.raises(ConfigurationError, match="not a store"):
        camsync.open_store(where)


def test_the_table_is_read_only():
    """The known providers can be looked at, not changed."""
    table = registry.available()

    assert "hikvision" in table
    with pytest.raises(TypeError):
        table["x"] = "y"  # type: ignore[index]


def test_the_data_centres_that_may_be_named_are_those_of_the_provider():
    """The registry imports no provider, and so it has the names on its own."""
    assert list(registry.PLACES["imou"]) == list(REGIONS)


def test_an_app_secret_is_a_password(profiles):
    """Whoever knows the vendor's word is told ours, and the secret shows nowhere."""
    with pytest.raises(ConfigurationError, match="app_secret") as caught:
        camsync.connect("imou://lc1234567890abcdef@sg", app_secret=PASSWORD, profiles=profiles)

    assert "password=APP_SECRET" in caught.value.next_step
    assert PASSWORD not in _locals_shown(caught.value)


def test_an_account_that_nothing_is_stored_for_can_log_in(profiles):
    """The command is told in full: a profile, or the secret itself."""
    with pytest.raises(CredentialNotFoundError) as caught:
        camsync.connect("imou://lc1234567890abcdef@sg", store=MemoryStore(), profiles=profiles)

    assert "camsync login imou://lc1234567890abcdef@sg --name home" in caught.value.next_step
