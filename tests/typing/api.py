"""The public API as a type checker sees it. Read by mypy and pyright; never executed."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from typing_extensions import assert_type

import camsync

from camsync import (
    ByteStream,
    CamsyncError,
    CancelToken,
    Capability,
    Category,
    Channel,
    ChannelId,
    Check,
    Codec,
    Credential,
    CredentialName,
    CredentialStore,
    Device,
    DeviceClock,
    DeviceId,
    Downloaded,
    EncryptedFileStore,
    EnvStore,
    Failed,
    HikvisionISAPI,
    KeyFromEnv,
    KeyFromFile,
    KeyringStore,
    MemoryStore,
    Profile,
    Profiles,
    Progress,
    Provider,
    Recording,
    RecordingKey,
    RecordingKind,
    RetryPolicy,
    Secret,
    TimeSpan,
    Volume,
    VpackTokenStore,
    connect,
    download,
    download_many,
    fetch_certificate,
    first_of,
    open_store,
)


# One line for each provider: it fulfils the contract.
p: Provider = HikvisionISAPI("192.168.1.64", "admin", "password")
q: Provider = connect("hikvision://admin@192.168.1.64", password=Secret("password"))

# One line for each store: it fulfils the contract.
stores: list[CredentialStore] = [
    MemoryStore(),
    EnvStore(),
    KeyringStore(),
    EncryptedFileStore("credentials.camsync", passphrase="correct horse"),
    EncryptedFileStore(Path("credentials.camsync"), key=KeyFromEnv()),
    EncryptedFileStore("credentials.camsync", key=KeyFromFile("/etc/camsync/key")),
    VpackTokenStore("tokens", "key"),
    first_of(EnvStore(), MemoryStore()),
    open_store("file", ask=lambda: "correct horse"),
]


def credentials(store: CredentialStore) -> None:
    """Keeping a credential, and using it."""
    store.set("hikvision", "front-shop", Credential(username="viewer", secret="password"))
    credential = store.get("hikvision", "front-shop", owner="alice")
    assert_type(credential, Credential)
    assert_type(credential.secret, Secret)
    assert_type(store.names("hikvision"), Sequence[CredentialName])
    profiles = Profiles("profiles.json")
    profiles.set(Profile(name="front-shop", provider="hikvision", host="192.168.1.64"))
    assert_type(profiles.get("front-shop"), Profile)
    recorder = connect("hikvision://front-shop", store=store, profiles=profiles, owner="alice")
    assert_type(recorder, Provider)
    assert_type(fetch_certificate("192.168.1.64").fingerprint, str)


def construction(zone: dt.tzinfo) -> None:
    """Every option of the constructor."""
    recorder = HikvisionISAPI(
        "192.168.1.64",
        "admin",
        Secret("password"),
        port=8443,
        https=True,
        verify="sha256:" + 64 * "0",
        timezone=zone,
        time_mode="local",
        timeout=(5.0, 30.0),
        allow_basic=False,
        old_tls=True,
        learnt={"search": {}},
        settle=dt.timedelta(seconds=60),
        retry=RetryPolicy(attempts=2),
    )
    assert_type(recorder, HikvisionISAPI)
    HikvisionISAPI("192.168.1.64", "admin", "password", verify=Path("ca.pem"))
    HikvisionISAPI("192.168.1.64", "admin", "password", verify=True)
    HikvisionISAPI("192.168.1.64", "admin", "password", https=True, verify=False)
    with recorder as entered:
        assert_type(entered, HikvisionISAPI)
    with connect("hikvision://admin@192.168.1.64", password="password") as provider:
        assert_type(provider, Provider)


def contract(provider: Provider, cancel: threading.Event) -> None:
    """What every provider offers."""
    (device,) = provider.devices()
    (channel,) = provider.channels(device)
    span = TimeSpan.last(hours=24)
    token: CancelToken = cancel
    assert_type(provider.capabilities, Capability)
    assert_type(provider.devices(), Sequence[Device])
    assert_type(provider.channels(), Sequence[Channel])
    assert_type(provider.search(channel, span), Iterator[Recording])
    assert_type(provider.search(channel, span, kinds={RecordingKind.MOTION}), Iterator[Recording])
    assert_type(provider.storage(device), Sequence[Volume])
    assert_type(token.is_set(), bool)
    for recording in provider.search(channel, span):
        assert_type(provider.open(recording), AbstractContextManager[ByteStream])
        with provider.open(recording, offset=0) as stream:
            assert_type(stream.readinto(memoryview(bytearray(1024))), int)
            assert_type(stream.size, "int | None")


def beyond_the_contract(recorder: HikvisionISAPI, channel: Channel, key: RecordingKey) -> None:
    """What Hikvision recorders offer on top."""
    assert_type(recorder.days_with_recordings(channel, dt.date(2026, 9, 1)), Sequence[dt.date])
    assert_type(recorder.clock(), DeviceClock)
    assert_type(recorder.locate(key), Recording)
    assert_type(recorder.diagnose(), Iterator[Check])
    recorder.retry_login()
    recorder.close()


def downloads(provider: Provider, recordings: Sequence[Recording], cancel: CancelToken) -> None:
    """One recording, and many of which some may fail."""

    def show(progress: Progress) -> None:
        assert_type(progress.bytes_total, "int | None")
        assert_type(progress.recording, Recording)

    done = download(
        provider,
        recordings[0],
        Path("footage"),
        container="mp4",
        on_event=show,
        cancel=cancel,
        retry=RetryPolicy(total=60),
        min_free=1024**3,
        allow_in_progress=False,
    )
    assert_type(done, Downloaded)
    assert_type(done.path, Path)
    assert_type(done.codec, Codec)
    assert_type(download(provider, recordings[0], "footage"), Downloaded)

    for result in download_many(provider, recordings, "footage", on_event=print):
        assert_type(result, "Downloaded | Failed")
        if isinstance(result, Failed):
            assert_type(result.error, CamsyncError)
        else:
            assert_type(result, Downloaded)


def values(channel: Channel, recording: Recording) -> None:
    """Ids have types of their own, and times are datetimes."""
    assert_type(channel.id, ChannelId)
    assert_type(channel.device, DeviceId)
    assert_type(recording.key, RecordingKey)
    assert_type(recording.start, dt.datetime)
    assert_type(recording.duration, dt.timedelta)
    assert_type(recording.span, TimeSpan)
    assert_type(RecordingKey.parse(recording.key.uri), RecordingKey)
    assert_type(camsync.__version__, str)


def errors(error: CamsyncError) -> None:
    """What a handler can ask of any error."""
    assert_type(error.category, Category)
    assert_type(error.retryable, bool)
    assert_type(error.next_step, "str | None")
