"""The provider: logins that work and that do not, and answers of every kind."""

from __future__ import annotations

import datetime as dt
import socket
import threading

from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import HikvisionISAPI, RetryPolicy, TimeSpan


_ISAPI = "camsync.HikvisionISAPI"


def _span() -> TimeSpan:
    return TimeSpan.last(hours=1)


@scenario(
    *of(
        _ISAPI,
        "capabilities channels clock close days_with_recordings devices diagnose learnt replaced",
    ),
    *of(_ISAPI, "locate open retry_login search storage"),
    *of("camsync.transport.Address", "of scheme"),
    *of("camsync.transport.Transport", "request stream connect close"),
    *of("camsync.transport.BulkReply", "readinto close abort"),
    *of("camsync.transport.TLSPolicy", "of"),
    "camsync.transport.Answer",
)
def everything_works(stage: Stage) -> None:
    """Ask a recorder for all there is."""
    sim = stage.simulator(hours=0.1)
    provider = stage.provider(sim, old_tls=False)
    channels = provider.channels()
    recordings = list(provider.search(channels[0], _span()))
    month = dt.datetime.now(dt.timezone.utc).date()
    stage.keep(provider.devices(), channels, provider.storage(), provider.clock(), recordings)
    stage.keep(provider.days_with_recordings(channels[0], month), provider.capabilities)
    stage.keep(provider.locate(recordings[0].key), dict(provider.learnt), provider.replaced)
    with provider.open(recordings[0]) as stream:
        stage.keep(stream, stream.readinto(memoryview(bytearray(100))))
        stream.abort()
    provider.retry_login()
    stage.keep(list(provider.diagnose()), provider)


@scenario(f"{_ISAPI}.dump")
def a_dump(stage: Stage) -> None:
    """Take a dump with both passwords in the answers' neighbourhood; and be refused one."""
    sim = stage.simulator()
    provider = stage.provider(sim)
    stage.keep(provider.dump(), provider)
    with (
        HikvisionISAPI("127.0.0.1", "admin", stage.plain("wrong"), port=sim.port) as refused,
        stage.fails(camsync.AuthenticationError),
    ):
        refused.dump()


@scenario(_ISAPI, f"{_ISAPI}.retry_login", f"{_ISAPI}.diagnose")
def a_wrong_password(stage: Stage) -> None:
    """Be refused; then be refused without a request; then be told how long the lock lasts."""
    sim = stage.simulator(failed_logins_allowed=2)
    with HikvisionISAPI("127.0.0.1", "admin", stage.plain("wrong"), port=sim.port) as mine:
        for _ in range(2):
            with stage.fails(camsync.AuthenticationError):
                mine.devices()
        stage.keep(list(mine.diagnose()), mine)
        mine.retry_login()
        with stage.fails(camsync.AccountLockedError):
            mine.channels()
        stage.keep(mine)


@scenario(_ISAPI, "camsync.transport.redirect_error", "camsync.transport.Answer.discard")
def answers_that_make_no_sense(stage: Stage) -> None:
    """Meet resets, redirects, web pages, error documents and logins that never end."""
    for fault in (
        "reset-connection",
        "redirect-elsewhere",
        "redirect-https",
        "redirect-http",
        "redirect-loop",
        "html-404",
        "nonce-always-stale",
        "unauthorized-midway",
        "basic-only",
    ):
        sim = stage.simulator(faults=[fault])
        provider = stage.provider(sim)
        with stage.fails(camsync.CamsyncError):
            provider.devices()
        stage.keep(provider)
        stage.keep([(check.name, check) for check in provider.diagnose()])


@scenario(_ISAPI, f"{_ISAPI}.search")
def searches_that_fail(stage: Stage) -> None:
    """Meet web pages, errors and busy devices in the middle of a search."""
    sim = stage.simulator()
    for fault in ("not-xml-search", "error-500-search", "busy-503-search"):
        provider = stage.provider(sim)
        (channel,) = provider.channels()
        sim.enable(fault)
        with stage.fails(camsync.CamsyncError):
            list(provider.search(channel, _span()))
        sim.disable(fault)
        stage.keep(provider)


@scenario(_ISAPI, *of("camsync.transport.BulkReply", "challenges discard"))
def other_ways_to_log_in(stage: Stage) -> None:
    """Log in with Basic, with SHA-256, without qop, with nonces that expire."""
    for fault in ("basic-only", "sha256-only", "digest-no-qop", "stale-nonce", "nonce-once"):
        provider = stage.provider(stage.simulator(faults=[fault]), allow_basic=True)
        stage.keep(provider.devices(), provider.channels(), provider.storage(), provider)
    camera = stage.provider(stage.simulator(model="DS-2CD2185FWD-I"))
    recording = next(camera.search(camera.channels()[0], _span()))
    camera.retry_login()
    with camera.open(recording) as stream:
        stage.keep(stream, camera)


@scenario(
    _ISAPI, f"{_ISAPI}.open", *of("camsync.transport.BulkReply", "wait read headers ignore_length")
)
def silence(stage: Stage) -> None:
    """Wait for a device that accepts connections and says nothing, and for a hanging download."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        mine = HikvisionISAPI(
            "127.0.0.1",
            "admin",
            stage.plain(),
            port=deaf.getsockname()[1],
            timeout=0.1,
            retry=RetryPolicy(attempts=2, initial=0.001),
        )
        with mine, stage.fails(camsync.DeviceTimeoutError):
            mine.devices()
        stage.keep(mine)
    sim = stage.simulator()
    provider = stage.provider(sim, timeout=(1.0, 0.3))
    recording = next(provider.search(provider.channels()[0], _span()))
    for fault in ("hang-at-start", "drop-after-headers", "error-500", "busy-403", "xml-error-200"):
        sim.enable(fault)
        with stage.fails(camsync.CamsyncError), provider.open(recording) as stream:
            stream.readinto(memoryview(bytearray(1 << 20)))
            stream.document()
            stage.keep(stream)
            raise camsync.ShortReadError("read all there was")  # noqa: EM101, TRY003
        sim.disable(fault)


@scenario(_ISAPI)
def nobody_there(stage: Stage) -> None:
    """Connect to a closed port and to a name that does not exist."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for host in ("127.0.0.1", "recorder.invalid"):
        mine = HikvisionISAPI(
            host, "admin", stage.plain(), port=port, retry=RetryPolicy(attempts=1)
        )
        with mine, stage.fails(camsync.UnreachableError):
            mine.devices()
        stage.keep(list(mine.diagnose()), mine)


@scenario(_ISAPI)
def options_that_cannot_be_used(stage: Stage) -> None:
    """Give the right password with a wrong option beside it."""
    for options in (
        {"timeout": -1},
        {"timeout": "soon"},
        {"time_mode": "never"},
        {"timezone": "Mars/Olympus"},
        {"verify": "sha256:nonsense", "https": True},
        {"verify": "/nowhere/ca.pem", "https": True},
        {"verify": 5, "https": True},
        {"verify": "sha256:" + 64 * "0"},
        {"retry": "often"},
        {"port": 99_999},
        {"learnt": 5},
    ):
        with stage.fails(Exception):
            HikvisionISAPI("127.0.0.1", "admin", stage.plain(), **options)
    for host, user in (("", "admin"), ("http://x/", "admin"), ("127.0.0.1", ""), ("x", "a\nb")):
        with stage.fails(camsync.ConfigurationError):
            HikvisionISAPI(host, user, stage.plain())
    with stage.fails(TypeError):
        HikvisionISAPI("127.0.0.1", "admin", stage.plain(), unheard_of=True)


@scenario(_ISAPI, "camsync.connect", "camsync.Credential")
def passwords_of_a_wrong_type(stage: Stage) -> None:
    """Give bytes, a list or a number where the password belongs; half a character; nothing."""
    for wrap in (str.encode, list, lambda text: {"password": text}, lambda text: [text]):
        with stage.fails(TypeError, camsync.ConfigurationError):
            HikvisionISAPI("127.0.0.1", "admin", wrap(stage.plain()))
        with stage.fails(TypeError, camsync.ConfigurationError):
            camsync.connect("hikvision://admin@127.0.0.1", password=wrap(stage.plain()))
        with stage.fails(TypeError, camsync.ConfigurationError):
            camsync.Credential(username="admin", secret=wrap(stage.plain()))
    with stage.fails(camsync.ConfigurationError):
        HikvisionISAPI("127.0.0.1", "admin", stage.plain() + "\ud800")
    with stage.fails(camsync.ConfigurationError):
        camsync.Credential(username="admin", secret=stage.plain() + "\ud800")


@scenario(_ISAPI)
def a_ctrl_c_in_the_middle(stage: Stage) -> None:
    """Be interrupted while the answer to a login is read, on both byte paths."""
    sim = stage.simulator()
    provider = stage.provider(sim)
    recording = next(provider.search(provider.channels()[0], _span()))
    me, usual, left = threading.get_ident(), socket.socket.recv_into, [0]

    def interrupted(line: socket.socket, *arguments: object, **options: object) -> int:
        if threading.get_ident() == me:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return usual(line, *arguments, **options)

    with stage.patch.context() as patch:
        patch.setattr(socket.socket, "recv_into", interrupted)
        for count in range(3):
            left[0] = count
            fresh = stage.provider(sim)
            with stage.fails(KeyboardInterrupt):
                fresh.devices()
            with stage.fails(KeyboardInterrupt):
                provider.storage()
            with stage.fails(KeyboardInterrupt, camsync.CamsyncError), provider.open(recording):
                raise KeyboardInterrupt


@scenario(f"{_ISAPI}.search", f"{_ISAPI}.channels", f"{_ISAPI}.locate")
def things_of_another_device(stage: Stage) -> None:
    """Ask a recorder for what belongs to another one, or does not exist."""
    provider = stage.provider(stage.simulator())
    (channel,) = provider.channels()
    recording = next(provider.search(channel, _span()))
    stranger = camsync.Channel(device="STRANGER", id=9, name="x", tracks=("901",))
    gone = recording.key.start - dt.timedelta(days=300)
    with stage.fails(camsync.ConfigurationError):
        list(provider.search(stranger, _span()))
    with stage.fails(camsync.RecordingNotFoundError):
        provider.locate(type(recording.key)(**{**_fields(recording.key), "start": gone}))


def _fields(key: camsync.RecordingKey) -> dict[str, object]:
    import attrs

    return attrs.asdict(key)
