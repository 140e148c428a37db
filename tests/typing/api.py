"""The public API as a type checker sees it. Read by mypy and pyright; never executed."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath

from typing_extensions import assert_type

import camsync

from camsync import (
    ByteStream,
    CamsyncError,
    CancelToken,
    Capability,
    Catalogue,
    Category,
    Channel,
    ChannelId,
    ChannelMark,
    Check,
    Clip,
    Codec,
    Coverage,
    Credential,
    CredentialName,
    CredentialStore,
    Device,
    DeviceClock,
    DeviceId,
    Downloaded,
    EncryptedFileStore,
    Entry,
    EnvStore,
    EventKind,
    Failed,
    HikvisionISAPI,
    Holdings,
    KeyFromEnv,
    KeyFromFile,
    KeyringStore,
    Limiter,
    MemoryStore,
    Plan,
    PlanItem,
    Problem,
    Profile,
    Profiles,
    Progress,
    Provider,
    Recording,
    RecordingKey,
    RecordingKind,
    RetryPolicy,
    Secret,
    Source,
    State,
    SyncEvent,
    SyncLedger,
    SyncReport,
    TimeSpan,
    Verdict,
    Volume,
    VpackLedger,
    VpackTokenStore,
    clip,
    connect,
    download,
    download_many,
    fetch_certificate,
    first_of,
    make_plan,
    open_store,
    sync,
)
from camsync.catalogue import KnownChannel, Pruning, Reconciliation
from camsync.sync import ClipPart
from camsync.testing import MemoryProvider


# One line for each provider: it fulfils the contract.
p: Provider = HikvisionISAPI("192.168.1.64", "admin", "password")
q: Provider = connect("hikvision://admin@192.168.1.64", password=Secret("password"))
r: Provider = MemoryProvider(channels=2)

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
    assert_type(done.sha256, str)
    assert_type(download(provider, recordings[0], "footage"), Downloaded)
    download(provider, recordings[0], "footage", layout="{camera}/{start:%Y%m%d}/{key8}")

    for result in download_many(provider, recordings, "footage", on_event=print):
        assert_type(result, "Downloaded | Failed")
        if isinstance(result, Failed):
            assert_type(result.error, CamsyncError)
        else:
            assert_type(result, Downloaded)


def syncs(provider: Provider, catalogue: Catalogue, cancel: CancelToken) -> None:
    """Everything once, from one device or several, with every option."""

    def show(event: SyncEvent) -> None:
        assert_type(event.kind, EventKind)
        assert_type(event.error, "CamsyncError | None")
        assert_type(event.totals.bytes_total, "int | None")

    report = sync(
        [provider, "hikvision://front-shop", Source(provider=provider, channels=["1"])],
        Path("footage"),
        since=dt.timedelta(days=7),
        span=None,
        channels=lambda channel: channel.name != "Office",
        kinds={RecordingKind.MOTION, "alarm"},
        catalogue=catalogue,
        layout="{camera}/{camera}_{start:%Y%m%d_%H%M%S}",
        container="original",
        timezone=dt.timezone.utc,
        settle=dt.timedelta(minutes=1),
        max_files=100,
        max_bytes=10**12,
        min_free=1024**3,
        order="newest",
        concurrency=4,
        bandwidth=Limiter("2M", timetable="08:00,2M 18:00,off"),
        retry=RetryPolicy(attempts=2),
        executor=None,
        on_event=show,
        cancel=cancel,
    )
    assert_type(report, SyncReport)
    assert_type(report.downloaded, tuple[Downloaded, ...])
    assert_type(report.failed, tuple[Failed, ...])
    assert_type(report.problems, tuple[Problem, ...])
    assert_type(report.complete, bool)
    assert_type(report.marks[DeviceId("DS1"), ChannelId("1")], "dt.datetime | None")
    sync(provider, "footage", since=dt.datetime.now(dt.timezone.utc), bandwidth="2M")
    sync("hikvision://front-shop", "footage", catalogue="postgresql://camsync@db/footage")

    plan = make_plan(provider, "footage", span=TimeSpan.last(hours=2), catalogue=Path("x.sqlite3"))
    assert_type(plan, Plan)
    assert_type(plan.of(Verdict.FETCH), tuple[PlanItem, ...])
    assert_type(plan.fetch, tuple[Recording, ...])
    assert_type(plan.bytes, int)


def clips(provider: Provider, channel: Channel, holdings: Holdings, done: Downloaded) -> None:
    """The footage between two instants, from files that are there already where possible."""
    made = clip(
        provider,
        channel,
        TimeSpan.last(minutes=5),
        "evidence.mp4",
        gaps="split",
        tolerance=dt.timedelta(seconds=1),
        held=[done],
        holdings=holdings,
        on_event=print,
    )
    assert_type(made, Clip)
    assert_type(made.path, Path)
    assert_type(made.parts, tuple[ClipPart, ...])
    assert_type(made.parts[0].start, dt.datetime)


def catalogues(channel: Channel, key: RecordingKey) -> None:
    """What is known of a destination, and keeping it in order."""
    with Catalogue("catalogue.sqlite3") as catalogue:
        assert_type(catalogue, Catalogue)
        holdings = catalogue.at("footage")
        assert_type(holdings, Holdings)
        assert_type(catalogue.destinations(), list[Path])
        assert_type(holdings.entries(states=[State.FAILED]), Iterator[Entry])
        path = holdings.find([key])[key].path
        if path is not None:
            assert_type(path, PurePosixPath)
        assert_type(holdings.mark_of(channel.device, channel.id), ChannelMark)
        assert_type(holdings.channels(), Sequence[KnownChannel])
        coverage = holdings.coverage(channel.device, channel.id, TimeSpan.last(hours=24))
        assert_type(coverage, Coverage)
        assert_type(coverage.seconds("held"), float)
        assert_type(coverage.gaps, tuple[TimeSpan, ...])
        assert_type(holdings.reconcile(deep=True), Reconciliation)
        assert_type(holdings.prune(keep=dt.timedelta(days=30)), Pruning)
        assert_type(holdings.rearm([key]), int)
    Catalogue()
    Catalogue(Path("catalogue.sqlite3"))


class Table:
    """A host's own table needs nothing of camsync to be a ledger."""

    def has(self, key: RecordingKey) -> bool:
        return False

    def add(self, recording: Recording, file: Downloaded) -> None: ...

    def watermark(self, channel: Channel) -> dt.datetime | None:
        return None

    def advance(self, channel: Channel, moment: dt.datetime) -> None: ...


def ledgers(provider: Provider) -> None:
    """A table of the host's own, and VPACK's."""

    @contextmanager
    def connection() -> Generator[sqlite3.Connection, None, None]:
        yield sqlite3.connect("vpack.db")

    ledger: SyncLedger = VpackLedger(connection, 7, dest="footage")
    for each in (ledger, Table()):
        assert_type(sync(provider, "footage", ledger=each), SyncReport)


def doubles(moment: dt.datetime) -> None:
    """A recorder for tests."""
    memory = MemoryProvider("DS1", channels=2)
    recording = memory.record("1", moment, kind=RecordingKind.MOTION)
    assert_type(recording, Recording)
    memory.trouble[recording.key] = camsync.CorruptMediaError("a broken file")
    memory.refusal = camsync.AuthenticationError("a wrong password")
    assert_type(memory.opened[recording.key], int)


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
