"""A cloud account: its app secret, and all that the cloud gives out for it: tokens, signed URLs."""

from __future__ import annotations

import contextlib
import json
import re

from collections.abc import Iterator
from typing import Any

from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import ImouClient, RetryPolicy, Secret, TimeSpan, registry
from camsync.cli import _demo
from camsync.providers.imou import Support, Usage, open_account
from camsync.testing import ImouSimulator, plugin
from camsync.transport import Web, checked_timeout, is_loopback, read_url


_CLIENT = "camsync.ImouClient"
_SIM = "camsync.testing.ImouSimulator"
_SEEN = (
    "requests requests_log calls logins tokens_issued bytes_sent faults fault_hits certificate"
    " devices base_url"
)
_SIGNED = re.compile(rb"[?&]sign=([0-9A-Za-z]{8,})")
_GIVEN = frozenset({"sign", "token", "accessToken", "kitToken"})
_ONCE = RetryPolicy(attempts=1)
_WORDY = (["-vv"], ["-vv", "--json"])


class _Tap:
    """Takes signatures, tokens and signed URLs into the vault as they pass."""

    def __init__(self, router: Any, stage: Stage) -> None:
        self._router, self._stage = router, stage

    def answer(self, request: Any) -> Any:
        """Answer as the cloud does, and note what was secret about it."""
        reply = self._router.answer(request)
        for body in (request.body, reply.body):
            for value in (*_values(body), *(one.decode() for one in _SIGNED.findall(body))):
                self._stage.vault.keep_bytes("of the session", value.encode())
        return reply


def _values(body: bytes) -> Iterator[str]:
    try:
        waiting = [json.loads(body or b"null")]
    except ValueError:  # a playlist, or footage
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from (one for name, one in value.items() if name in _GIVEN and one)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


class _Cloud:
    """A cloud seen from outside: it has to know the app secret, and shows it."""

    def __init__(self, sim: ImouSimulator) -> None:
        self._sim = sim

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sim, name)

    def __repr__(self) -> str:
        return f"<Cloud {self._sim!r}>"

    @property
    def place(self) -> str:
        """The URL for the command line."""
        return f"imou://{self._sim.app_id}@127.0.0.1:{self._sim.port}"


def _cloud(stage: Stage, **options: Any) -> _Cloud:
    given = {"devices": ("camera",), "hours": 0.05, "segment_seconds": 20, **options}
    sim = ImouSimulator(app_secret=stage.plain("cloud"), **given)
    sim._router = _Tap(sim._router, stage)
    stage.stack.callback(lambda: stage.watch.see("log of the cloud", repr((sim.requests_log, sim))))
    return _Cloud(stage.stack.enter_context(sim))


def _client(stage: Stage, sim: _Cloud, secret: str = "cloud", **options: Any) -> ImouClient:
    given = {"retry": _ONCE, "timeout": 5.0, **options}
    return stage.stack.enter_context(
        ImouClient(sim.app_id, stage.plain(secret), base_url=sim.base_url, **given)
    )


def _recordings(client: ImouClient) -> list[camsync.Recording]:
    found = list(client.search(client.channels()[0], TimeSpan.last(hours=1)))
    return [one for one in found if not one.in_progress]


@scenario(
    *of(
        _CLIENT,
        "capabilities can_download channels close devices diagnose learnt locate open",
    ),
    *of(_CLIENT, "plan retry_login search storage usage __enter__ __exit__"),
    "camsync.providers.imou.open_account",
    "camsync.download",
)
def everything_works(stage: Stage) -> None:
    """Ask an account for all there is, with both signatures, and download over HLS."""
    for sign in ("md5", "hmac"):
        sim = _cloud(stage, sign=sign)
        client = _client(stage, sim)
        channels = client.channels()
        recordings = _recordings(client)
        stage.keep(client.devices(), channels, client.storage(), client.plan(channels[0]))
        stage.keep(recordings, client.locate(recordings[0].key), dict(client.learnt))
        stage.keep(client.usage, client.capabilities, client.can_download(recordings[0]))
        with client.open(recordings[0]) as stream:
            stage.keep(stream, stream.readinto(memoryview(bytearray(100))))
            stream.abort()
        stage.keep(camsync.download(client, recordings[0], stage.folder / sign))
        stage.keep(list(client.diagnose()), client)
        client.retry_login()
    with open_account("127.0.0.1", "lcapp", stage.plain("cloud"), port=1) as made:
        stage.keep(made)


@scenario(
    *of("camsync.transport.Web", "close get post"),
    *of("camsync.transport.WebReply", "abort challenges close discard headers ignore_length read"),
    *of("camsync.transport.WebReply", "readinto wait"),
    "camsync.transport.checked_timeout",
    "camsync.transport.is_loopback",
    "camsync.transport.read_url",
)
def the_way_to_the_cloud(stage: Stage) -> None:
    """Send bodies, headers and URLs that hold secrets; be refused for unusable ones."""
    sim = _cloud(stage)
    web = stage.stack.enter_context(contextlib.closing(Web(sim.base_url, timeout=(5.0, 5.0))))
    core = stage.vault.core
    signed = Secret(f"{sim.base_url}/hls/x?sign={core('cloud')}")
    login = {"Authorization": Secret(f"Bearer {core('password')}")}
    stage.keep(web.post(f"{sim.base_url}/openapi/x", Secret(core("cloud")), login), web)
    for finish in ("discard", "read", "abort"):
        reply = web.get(signed, headers=login)
        stage.keep(reply, dict(reply.headers), reply.challenges)
        reply.wait(1.0)
        getattr(reply, finish)()
        if finish != "discard":  # which closes it
            reply.close()
    reply = web.get(signed)
    reply.ignore_length()
    stage.keep(reply.readinto(memoryview(bytearray(9))))
    reply.close()
    stage.keep(read_url(signed), is_loopback("127.0.0.1"), checked_timeout(3))
    for odd in ("ftp://{}", "http://127.0.0.1/ {}"):
        with stage.fails(camsync.ConfigurationError):
            web.get(Secret(odd.format(core("cloud"))))
    with stage.fails(camsync.ConfigurationError):
        web.get(signed, headers={"X-Odd": Secret(f"{core('wrong')}\r\nX: y")})
    sim.stop()
    for ask in (lambda: web.get(signed, headers=login), lambda: web.post(signed, b"", login)):
        with stage.fails(camsync.UnreachableError):
            ask()


@scenario(f"{_CLIENT}.over")
def another_wire(stage: Stage) -> None:
    """Put the client together by hand."""
    first = _client(stage, _cloud(stage))
    second = ImouClient.over(first._wire, first._web, timezone="+08:00")
    stage.keep(second.devices(), second)


@scenario(_CLIENT, f"{_CLIENT}.diagnose", f"{_CLIENT}.retry_login", f"{_CLIENT}.devices")
def logins_that_fail(stage: Stage) -> None:
    """Be refused for a wrong secret and for each reason of the cloud's; and misuse the client."""
    sim = _cloud(stage)
    wrong = _client(stage, sim, "wrong")
    for _ in range(2):
        with stage.fails(camsync.AuthenticationError):
            wrong.devices()
    stage.keep(list(wrong.diagnose()), wrong)
    wrong.retry_login()
    with stage.fails(camsync.AuthenticationError):
        wrong.devices()
    for fault in ("clock-skew", "app-frozen", "quota-month", "not-json", "foreign-domain"):
        sim.enable(fault)
        client = _client(stage, sim)
        try:
            client.devices()
        except camsync.CamsyncError as error:
            stage.watch.error(error)
        stage.keep(list(client.diagnose()), client)
        sim.disable(fault)
    for options in ({"region": "xx"}, {"storage": "tape"}, {"sign": "sha"}, {"retry": 3}):
        with stage.fails(camsync.ConfigurationError):
            ImouClient("lcapp", stage.plain("cloud"), **options)
    with stage.fails(camsync.ConfigurationError):
        ImouClient("", stage.plain("cloud"))


@scenario(f"{_CLIENT}.open", f"{_CLIENT}.search", "camsync.download_many")
def calls_and_downloads_that_fail(stage: Stage) -> None:
    """Meet every kind of trouble with tokens, answers, playlists, segments and keys."""
    stage.patch.setattr(camsync.RetryPolicy, "delay", lambda *_: 0.0)
    sim = _cloud(stage)
    client = _client(stage, sim)
    recording = _recordings(client)[0]
    for fault in (
        "null-data",
        "http-500",
        "redirect-api",
        "reset-connection",
        "hls-elsewhere",
        "no-play-address",
        "url-elsewhere",
        "playlist-403",
        "playlist-html",
        "playlist-moved",
        "segment-404",
        "segment-moved",
        "segment-truncated",
        "no-hls",
    ):
        sim.enable(fault)
        many = camsync.download_many(client, [recording], stage.folder / "out", retry=_ONCE)
        for result in many:
            stage.keep(result)
            stage.watch.error(result.error)
        sim.disable(fault)
    client.retry_login()
    sim.enable("token-illegal")
    with stage.fails(camsync.CamsyncError):
        client.devices()
    sim.disable("token-illegal")
    sim.enable("hls-aes")
    stage.keep(list(camsync.download_many(client, [recording], stage.folder / "aes")), client)
    sim.enable("key-wrong")
    stage.keep(list(camsync.download_many(client, [recording], stage.folder / "bad", retry=_ONCE)))


@scenario(
    *of(_SIM, f"{_SEEN} start stop enable disable expire_token advance set_online put_to_sleep"),
    *of(_SIM, "reset_counters history content expected dump"),
    *of("camsync.testing.imou.SimulatedClip", "seconds footage"),
    *of("camsync.testing.imou.SimulatedDevice", "total_bytes channel"),
    "camsync.testing.imou.SimulatedChannel",
    "camsync.testing.imou.Expected",
    "camsync.testing.plugin.imou_simulator",
)
def the_simulator(stage: Stage) -> None:
    """Look at a cloud from all sides, while its account is used; misuse it."""
    sim = _cloud(stage, tls=True, devices=("camera", "asleep"))
    stage.keep(*(repr(getattr(sim, name)) for name in _SEEN.split()), repr(sim._sim))
    first, second = sim.devices
    sim.enable("hls-aes", times=1)
    sim.disable("hls-aes")
    sim.expire_token()
    sim.advance(1.0)
    sim.set_online(first.id, False)
    sim.put_to_sleep(second.id)
    sim.reset_counters()
    clip = sim.history(first.id)[0]
    stage.keep(clip, clip.seconds, clip.footage, sim.expected(clip), len(next(sim.content(clip))))
    stage.keep(first, first.total_bytes, first.channel(first.channels[0].id), sim.dump())
    # rich shows the fields of a simulator, its secret too: so this one has none that is planted.
    with ImouSimulator(devices=1) as other:
        with stage.fails(camsync.ConfigurationError):
            other.enable("no such fault")
        with stage.fails(camsync.ConfigurationError):
            other.start()
    plain = plugin.imou_simulator
    made = getattr(plain, "__wrapped__", None) or plain._get_wrapped_function()
    for start in made():
        stage.keep(repr(start(devices=1, hours=0.05, app_secret=stage.plain("cloud"))))
    sim.stop()


@scenario(
    "$ camsync usage",
    "$ camsync channels",
    "$ camsync search",
    "$ camsync download",
    "$ camsync doctor",
    "$ camsync login",
    "$ camsync logout",
)
def on_the_command_line(stage: Stage) -> None:
    """Give the app secret in the environment, log in, use the name, be refused, look at the use."""
    sim = _cloud(stage)
    stage.environ("CAMSYNC_PASSWORD", "cloud")
    stage.environ("CAMSYNC_PASSPHRASE", "passphrase")
    for more in _WORDY:
        stage.cli("channels", sim.place, *more)
        stage.cli("search", sim.place, "--since", "1h", *more)
    stage.cli("download", sim.place, "--since", "2m", "--dest", "footage", "-vv", code=None)
    stage.cli("doctor", sim.place, "--bundle", "report.zip", "-vv")
    stage.cli("search", sim.place, "--old-tls", "-vv", code=2)
    login = ("login", sim.place, "--name", "home", "--store", "file", "--yes")
    stage.cli(*login, "-vv")
    stage.environ("CAMSYNC_PASSWORD", "wrong")
    stage.cli(*login, "-vv", code=6)
    stage.cli("channels", sim.place, "-vv", "--json", code=6)
    stage.cli("channels", "imou://home", "--store", "file", "-vv")
    for more in _WORDY:
        stage.cli("usage", *more)
    stage.cli("usage", "home", "--store", "file", "-vv")
    stage.cli("logout", "home", "--store", "file", "--yes", "-vv")


@scenario("$ camsync channels", "$ camsync login", "$ camsync usage")
def with_a_secret_in_the_url(stage: Stage) -> None:
    """Type it into the URL, where it stands in the process list, but nowhere else."""
    for pattern in ("imou://lcapp:{}@sg", "imou://lcapp@sg/{}", "imou://lcapp@sg:{}"):
        for number, command in enumerate(("channels", "login", "usage")):
            url, more = pattern.format(stage.vault.core("cloud")), _WORDY[number % 2]
            # The frames of the command line hold its arguments, which are public already.
            stage.cli(command, url, *more, frames=False, code=2)
            del url


@scenario("$ camsync simulate imou", "$ camsync demo")
def without_an_account(stage: Stage) -> None:
    """Run the demo and list what the simulator can do, with secrets in the environment."""
    for name, value in {"_IMOU_HOURS": 0.05, "_BANDWIDTH": None, "_KINDS": ("camera",)}.items():
        stage.patch.setattr(_demo, name, value)
    stage.environ("CAMSYNC_PASSWORD", "cloud")
    stage.cli("demo", "--provider", "imou", "-vv")
    stage.cli("simulate", "imou", "--list-faults", "--json")


@scenario(
    "camsync.Profile.at",
    "camsync.Profiles.replace",
    "camsync.registry.Target.stored_under",
    "camsync.registry.connect_to",
)
def a_profile_by_hand(stage: Stage) -> None:
    """Write one, find it, and connect to what was found; with the secret, and from a store."""
    sim = _cloud(stage)
    book = camsync.Profiles()
    book.replace(None, camsync.Profile(name="home", provider="imou", host=sim.host, port=sim.port))
    target = registry.resolve(f"imou://{sim.app_id}@home", book)
    store = camsync.MemoryStore()
    credential = camsync.Credential(username=sim.app_id, secret=stage.plain("cloud"))
    store.set("imou", target.stored_under(), credential)
    del credential
    stage.keep(book, target, book.get("home").at)
    with registry.connect_to(target, password=stage.plain("cloud")) as client:
        stage.keep(client.devices(), client)
    with registry.connect_to(target, store=store) as client:
        stage.keep(client.devices(), client)


@scenario("camsync.providers.imou.Support", "camsync.providers.imou.Usage")
def what_an_account_says_of_itself(stage: Stage) -> None:
    """Make the values that tell what can be fetched and what was used."""
    usage = Usage(account="lc0001", month="2026-11", calls=1, by_method={"accessToken": 1})
    stage.keep(Support(level="no", reason="the region does not offer it"), usage)
    with stage.fails(TypeError):
        Usage(account="lc0001")
