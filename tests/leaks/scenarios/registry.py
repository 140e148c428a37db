"""From a URL to a provider: with a store, with a password, and with a password in the URL."""

from __future__ import annotations

from urllib.parse import quote

from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import Credential, MemoryStore, Profile, Profiles, registry


@scenario(
    "camsync.connect",
    "camsync.registry.available",
    "camsync.registry.credential_for",
    "camsync.registry.parse_url",
    "camsync.registry.resolve",
    *of("camsync.registry.Target", "account host options"),
)
def with_a_store(stage: Stage) -> None:
    """Connect by URL and by profile; with the credential of somebody else; with none."""
    sim = stage.simulator()
    store = MemoryStore()
    place = f"127.0.0.1:{sim.port}"
    store.set("hikvision", place, Credential(username="admin", secret=stage.plain()))
    store.set("hikvision", "front", Credential(username="admin", secret=stage.plain("wrong")))
    with camsync.connect(f"hikvision://{place}", store=store) as provider:
        stage.keep(provider.devices(), provider)
    Profiles().set(Profile(name="front", provider="hikvision", host="127.0.0.1", port=sim.port))
    with (
        camsync.connect("hikvision://front", store=store) as provider,
        stage.fails(camsync.AuthenticationError),
    ):
        provider.devices()
    target = registry.resolve("hikvision://front")
    stage.keep(target, target.account, target.host, target.options(), registry.available())
    stage.keep(registry.credential_for(target, store), registry.parse_url("hikvision://front"))
    with stage.fails(camsync.ConfigurationError):
        camsync.connect("hikvision://ann@front", store=store)
    with stage.fails(camsync.CredentialNotFoundError):
        camsync.connect("hikvision://127.0.0.9", store=store)
    with stage.fails(camsync.ProfileNotFoundError):
        camsync.connect("hikvision://nowhere", store=store)
    with stage.fails(TypeError):
        camsync.connect("hikvision://front", store=store, unheard_of=1)
    with stage.fails(camsync.ConfigurationError):
        camsync.connect("hikvision://front", password=stage.plain())
    for options in ({"timeout": -1}, {"verify": "sha256:x", "https": True}, {"port": "eighty"}):
        with stage.fails(camsync.ConfigurationError):
            camsync.connect("hikvision://admin@127.0.0.1", password=stage.plain(), **options)


@scenario("camsync.open_store", "camsync.connect")
def with_the_usual_stores(stage: Stage) -> None:
    """Open each store by name, with a key, a key file, a passphrase, a question and nothing."""
    stage.keep(camsync.open_store("env"), camsync.open_store("keyring"), camsync.open_store())
    with stage.fails(camsync.CredentialError):
        camsync.connect("hikvision://front")
    given = Credential(username="admin", secret=stage.plain())
    with stage.fails(camsync.MissingKeyError):
        camsync.open_store("file").set("hikvision", "front", given)
    for number, (variable, secret) in enumerate(
        {"CAMSYNC_KEY": "key", "CAMSYNC_PASSPHRASE": "passphrase"}.items()
    ):
        with stage.patch.context() as patch:
            patch.setenv(variable, stage.plain(secret))
            store = camsync.open_store(f"file:{stage.folder / 'many' / str(number)}")
            store.set("hikvision", "front", given)
            stage.keep(store, store.names())
    asked = camsync.open_store(f"file:{stage.folder / 'many' / '1'}", ask=stage.plain)
    with stage.fails(camsync.WrongKeyError):
        asked.get("hikvision", "front")
    with stage.fails(camsync.ConfigurationError):
        camsync.open_store(f"vault:{stage.folder}")


@scenario("camsync.connect", "camsync.registry.parse_url", "camsync.registry.resolve")
def passwords_in_urls(stage: Stage) -> None:
    """Type a password into a URL, in all the ways in which people do."""
    for pattern in (
        "hikvision://admin:{}@127.0.0.1",
        "hikvision://admin:{}@127.0.0.1:80/x?y#z",
        "hikvisions://:{}@127.0.0.1",
        "hikvision://{}",
        "hikvision://admin@127.0.0.1/{}",
        "hikvision://admin@127.0.0.1?password={}",
        "hikvision://admin@127.0.0.1#{}",
        "hikvision://admin@127.0.0.1:{}",
        "hikvision://[{}]",
        "rtsp://admin:{}@127.0.0.1",
        "admin:{}@127.0.0.1",
        "{}",
    ):
        for write in (str, quote, stage.vault.core):
            if pattern == "hikvision://{}" and write is not str:
                continue  # that could be the name of a host
            for call in (registry.parse_url, registry.resolve, camsync.connect):
                with stage.fails(camsync.ConfigurationError):
                    call(pattern.format(_written(stage, write)))


def _written(stage: Stage, write: object) -> str:
    return write("password") if write == stage.vault.core else write(stage.plain())  # type: ignore[operator]
