"""Linking and the REST surface against the simulated gateway: flow, calls, downloads, secrets."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import logging
import subprocess
import sys
import textwrap
import threading
import urllib.parse

import attrs
import pytest

from camsync import EncryptedFileStore, MemoryStore, TimeSpan, download
from camsync._retry import RetryPolicy
from camsync._secret import Secret
from camsync.credentials.keys import new_key
from camsync.errors import (
    AuthenticationError,
    BudgetExceededError,
    CamsyncError,
    CancelledError,
    ConfigurationError,
    CredentialNotFoundError,
    DeviceBusyError,
    DeviceOfflineError,
    DownloadUnsupportedError,
    NoCloudPlanError,
    PermissionDeniedError,
    ProtocolError,
    ReadOnlyStoreError,
    RecordingNotFoundError,
    RequestRejectedError,
    StoreUnavailableError,
    UnreachableError,
)
from camsync.models import CheckStatus, RecordingKind, VolumeState
from camsync.providers.imou._linked import FilePlaying
from camsync.providers.imou._rest import RECORDS
from camsync.providers.imou.oauth import ImouLink, ImouTokens, LinkSession, linked
from camsync.testing.imou import ImouSimulator
from camsync.testing.imou.gateway import FAULTS
from camsync.transport import Web


pytest.importorskip("av")  # the simulated gateway makes its MP4 files with it
pytest.importorskip("oauthlib")

SECRET = "Gateway-7-app-secret"
CALLBACK = "http://localhost:8080/api/cloud/imou/oauth/callback"
ONCE = RetryPolicy(attempts=1)
LIST = "/cloudStorage/v1/device/list"
TOKEN = "/oauth/token"
UTC = dt.timezone.utc


@pytest.fixture
def sim():
    """Play a gateway with a camera and one without a card."""
    with ImouSimulator(
        app_secret=SECRET, devices=["camera", "no-card"], hours=1, segment_seconds=60
    ) as simulator:
        yield simulator


@pytest.fixture
def gateway(sim):
    """The gateway's own side."""
    return sim.gateway


@pytest.fixture
def link(sim):
    """What begins and renews links."""
    return ImouLink(sim.base_url, sim.app_id, SECRET, CALLBACK)


@pytest.fixture
def store(link, gateway):
    """A store that holds the tokens of a linked account."""
    store = MemoryStore()
    tokens = link.finish(gateway.agree(link.begin().authorize_url))
    store.set("imou", "shop", tokens.credential())
    return store


@pytest.fixture
def client(link, store):
    """A client of the linked account; each request is tried once."""
    with linked(link, store, "shop", timezone="+08:00", retry=ONCE) as client:
        yield client


def _stored(store) -> ImouTokens:
    return ImouTokens.of(store.get("imou", "shop"))


def _first(client, **options):
    """The first finished recording of the first channel."""
    channel = client.channels()[0]
    return next(iter(client.search(channel, TimeSpan.last(hours=1), **options)))


def _content(client, recording, offset=0, at_most=None):
    """The bytes of a recording, and where they begin."""
    data, buffer = b"", bytearray(1 << 16)
    with client.open(recording, offset=offset) as stream:
        while at_most is None or len(data) < at_most:
            size = len(buffer) if at_most is None else min(len(buffer), at_most - len(data))
            got = stream.readinto(memoryview(buffer)[:size])
            if not got:
                break
            data += buffer[:got]
        return data, stream.offset


def _get(sim, path, method="GET", body=None, **headers):
    """What the server answers to a plain request."""
    connection = http.client.HTTPConnection(sim.host, sim.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.headers), reply.read()
    finally:
        connection.close()


# -- Linking


def test_a_link_gives_tokens(link, gateway, sim):
    """The page's URL says who asks for what with PKCE; the callback becomes tokens, once."""
    session = link.begin()
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(session.authorize_url).query))
    callback = gateway.agree(session.authorize_url)
    tokens = link.finish(callback)

    assert isinstance(session, LinkSession)
    assert session.authorize_url.startswith(f"{sim.base_url}/oauth/authorize?")
    assert ("code", sim.app_id, CALLBACK) == tuple(
        asked[name] for name in ("response_type", "client_id", "redirect_uri")
    )
    assert "S256" == asked["code_challenge_method"]
    assert "device.basic device.video cloud.storage device.list" == asked["scope"]
    assert session.state == asked["state"]
    assert callback.startswith(f"{CALLBACK}?code=Co_")
    assert "owner@example.com" == tokens.account
    assert tokens.renew is not None
    with pytest.raises(AuthenticationError, match="belongs to no open link"):
        link.finish(callback)


def test_state_and_code_do_as_well(link, gateway):
    """A web framework that has taken the callback apart gives its parts."""
    session = link.begin()
    query = urllib.parse.urlsplit(gateway.agree(session.authorize_url)).query
    parts = dict(urllib.parse.parse_qsl(query))

    assert link.finish(state=parts["state"], code=parts["code"]).access


def test_a_real_browser_is_redirected(link, sim):
    """The page itself answers with a redirect, and refuses whom it does not know."""
    url = urllib.parse.urlsplit(link.begin().authorize_url)
    status, headers, _ = _get(sim, f"{url.path}?{url.query}")
    other = url.query.replace(sim.app_id, "somebody")

    assert 302 == status
    assert link.finish(headers["Location"]).access
    assert 400 == _get(sim, f"{url.path}?{other}")[0]


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("state-changed", AuthenticationError, "belongs to no open link"),
        ("access-denied", PermissionDeniedError, r"did not agree \(The owner said no"),
        ("authorize-error", UnreachableError, "could not ask"),
        ("no-authorization-code", ProtocolError, "neither a code nor an error"),
        ("code-used", AuthenticationError, "refuses the code of this link"),
        ("code-expired", AuthenticationError, "The code has expired"),
        ("wrong-client", AuthenticationError, "client id or client secret"),
        ("token-code", AuthenticationError, r"no tokens today.*11001"),
        ("token-empty", ProtocolError, "neither tokens nor an error"),
        ("token-html", ProtocolError, "no JSON object"),
        ("token-500", UnreachableError, "answers with 500"),
        ("token-503", DeviceBusyError, "answers with 503"),
        ("token-mac", ProtocolError, "another kind than Bearer"),
        ("token-unsendable", ProtocolError, "cannot be sent"),
        ("lost-answer", UnreachableError, "127.0.0.1"),
    ],
)
def test_what_goes_wrong_while_linking(link, gateway, fault, error, words):
    """Each failure is a typed error with a next step, and the link is used up by it."""
    gateway.faults.enable(fault, 1)
    callback = gateway.agree(link.begin().authorize_url)

    with pytest.raises(error, match=words) as caught:
        link.finish(callback)

    assert caught.value.next_step
    with pytest.raises(AuthenticationError, match="belongs to no open link"):
        link.finish(callback)


@pytest.mark.parametrize("fault", ["no-user-info", "user-info-refused", "not-json"])
def test_the_account_need_not_be_named(link, gateway, fault):
    """Without the name of the account the link is as good."""
    gateway.faults.enable(fault, 1)

    assert "imou-user" == link.finish(gateway.agree(link.begin().authorize_url)).account


def test_tokens_may_come_in_an_envelope(link, gateway):
    """The plan's answer, with code and data, is understood like that of the standard."""
    gateway.faults.enable("token-enveloped", 1)

    assert link.finish(gateway.agree(link.begin().authorize_url)).refresh


def test_the_gateway_checks_what_it_is_asked(sim, link, gateway):
    """Wrong scopes, another response type, no PKCE, another page, another verifier: all refused."""

    def refused(**changes):
        parts = urllib.parse.urlsplit(link.begin().authorize_url)
        query = {**dict(urllib.parse.parse_qsl(parts.query)), **changes}
        back = gateway.agree(parts._replace(query=urllib.parse.urlencode(query)).geturl())
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))

    assert "invalid_scope" == refused(scope="everything")["error"]
    assert "unsupported_response_type" == refused(response_type="token")["error"]
    assert "invalid_request" == refused(code_challenge_method="plain")["error"]
    with pytest.raises(ConfigurationError, match="status 400"):
        refused(redirect_uri="javascript:alert()")
    form = {"client_id": sim.app_id, "client_secret": SECRET}
    for changes, error in (
        ({"code_verifier": "v" * 43, "redirect_uri": CALLBACK}, "verifier"),
        ({"code_verifier": "short"}, "verifier"),
        ({"grant_type": "password"}, "code or refresh"),
        ({"grant_type": "refresh_token"}, "revoked"),
        ({"client_secret": "wrong"}, "client"),
    ):
        code = refused()["code"]
        body = {**form, "grant_type": "authorization_code", "code": code, **changes}
        _, _, answer = _get(sim, TOKEN, "POST", urllib.parse.urlencode(body))
        assert error in json.loads(answer)["error_description"]


def test_a_code_is_bound_to_its_page_and_its_minute(sim, gateway):
    """The page must be said again as it was, and soon."""
    here = ImouLink(sim.base_url, sim.app_id, SECRET, "http://localhost/cb?from=here")
    session = here.begin()
    pending = here._sessions.take(session.state)
    here._sessions.keep(session.state, attrs.evolve(pending, redirect_uri=CALLBACK))
    callback = gateway.agree(session.authorize_url)
    with pytest.raises(AuthenticationError, match="The redirect URI is another one"):
        here.finish(callback)
    session = here.begin()
    callback = gateway.agree(session.authorize_url)
    sim.advance(61)

    with pytest.raises(AuthenticationError, match="The code has expired"):
        here.finish(callback)


# -- Renewing


def test_an_ended_token_is_renewed_once(client, gateway, sim, store):
    """A 401 is answered by new tokens, which are stored; ten threads cause one renewal."""
    client.devices()
    old = _stored(store)
    gateway.consent.expire()
    sim.reset_counters()
    threads = [threading.Thread(target=client.devices) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == sim.calls[TOKEN]
    assert old.access != _stored(store).access
    assert old.refresh != _stored(store).refresh
    assert client.usage.by_method[TOKEN] == 1


def test_a_token_is_renewed_before_it_ends(sim, gateway, store):
    """What is known to end soon is not even tried."""
    now = dt.datetime.now(UTC)
    late = ImouLink(
        sim.base_url, sim.app_id, SECRET, CALLBACK, now=lambda: now + dt.timedelta(hours=2)
    )
    with linked(late, store, "shop") as client:
        client.devices()

    assert [(TOKEN, 200), (LIST, 200)] == [
        (line.path, line.status) for line in list(sim.requests_log)[-2:]
    ]


def test_a_refresh_token_may_stay(client, gateway, store):
    """Where the answer brings no new refresh token, the old one is kept."""
    gateway.faults.enable("refresh-kept", 1)
    old = _stored(store)
    gateway.consent.expire()
    client.devices()

    assert old.refresh == _stored(store).refresh
    assert old.access != _stored(store).access


def test_a_revoked_link_is_not_asked_again(client, gateway, sim, link, store):
    """After invalid_grant nothing is sent until the account is linked again."""
    gateway.consent.revoke()
    with pytest.raises(AuthenticationError) as caught:
        client.devices()
    asked = sim.calls[TOKEN]
    with pytest.raises(AuthenticationError, match="nothing more was sent"):
        client.devices()

    assert "invalid_grant" == caught.value.vendor_code
    assert "link the account again" in caught.value.next_step
    assert asked == sim.calls[TOKEN]
    tokens = link.finish(gateway.agree(link.begin().authorize_url))
    store.set("imou", "shop", tokens.credential())
    assert 2 == len(client.devices())


def test_retry_login_asks_again(client, gateway, sim):
    """Who knows that the refusal is over can say so."""
    gateway.consent.expire()
    gateway.faults.enable("refresh-revoked", 1)
    with pytest.raises(AuthenticationError):
        client.devices()
    client.retry_login()
    before = sim.calls[TOKEN]
    with pytest.raises(AuthenticationError, match="refuses renewing"):
        client.devices()

    assert before + 1 == sim.calls[TOKEN]


def test_refused_for_ever_is_no_loop(client, gateway, sim):
    """A gateway that refuses each token is asked for one new one only."""
    gateway.faults.enable("unauthorized")
    with pytest.raises(AuthenticationError, match="401"):
        client.devices()
    with pytest.raises(AuthenticationError, match="only just given"):
        client.devices()
    gateway.faults.disable("unauthorized")

    assert 1 == sim.calls[TOKEN] - 1
    assert 2 == len(client.devices())


@pytest.mark.parametrize("fault", ["unauthorized", "unauthorized-code"])
def test_401_midway_is_answered_by_a_renewal(client, gateway, fault, sim):
    """In the middle of a search, as a status or as a code, it costs one renewal and nothing else."""
    channel = client.channels()[0]
    gateway.faults.enable(fault, 1)
    found = list(client.search(channel, TimeSpan.last(hours=1)))

    assert found
    assert 2 == sim.calls[TOKEN]


def test_without_a_refresh_token_one_must_link_again(link, gateway):
    """Nothing is sent for what cannot be renewed."""
    gateway.faults.enable("no-refresh-token")
    gateway.faults.enable("no-life")
    store = MemoryStore()
    tokens = link.finish(gateway.agree(link.begin().authorize_url))
    store.set("imou", "shop", tokens.credential())
    gateway.consent.expire()

    assert tokens.renew is None
    with (
        linked(link, store, "shop") as client,
        pytest.raises(AuthenticationError, match="nothing to renew it with"),
    ):
        client.devices()


class _FailingStore(MemoryStore):
    """A store that can be broken."""

    broken: type[CamsyncError] | None = None

    def set(self, *args, **options):
        if self.broken is not None:
            msg = "the disk is full"
            raise self.broken(msg)
        super().set(*args, **options)


@pytest.mark.parametrize("error", [StoreUnavailableError, ReadOnlyStoreError])
def test_new_tokens_are_not_lost(link, store, gateway, error, sim):
    """While the store fails, new tokens stay in memory, and they are stored as soon as it works."""
    failing = _FailingStore()
    failing.set("imou", "shop", store.get("imou", "shop"))
    with linked(link, failing, "shop") as client:
        client.devices()
        gateway.consent.expire()
        failing.broken = error
        with pytest.raises(error):
            client.devices()
        client.close()
        with pytest.raises(error):
            client.devices()
        failing.broken = None

        assert 2 == len(client.devices())
        assert 2 == sim.calls[TOKEN]
        assert _stored(store).access != _stored(failing).access


def test_somebody_else_may_be_faster(link, store, gateway, monkeypatch):
    """Without a lock the loser of a race finds the winner's tokens in the store."""
    from camsync.providers.imou._grant import Grant

    mine = Grant(link, store, "shop", None, lambda _: None)
    old = mine.current()
    gateway.consent.expire()
    renewed = {}

    def refresh(tokens):
        """Let somebody else renew at this very moment."""
        monkeypatch.undo()
        renewed["theirs"] = Grant(link, store, "shop", None, lambda _: None).current(old)
        return link.refresh(tokens)

    monkeypatch.setattr(mine._link, "refresh", refresh)

    assert mine.current(old).access == renewed["theirs"].access


def test_a_lock_that_cannot_be_had_is_no_obstacle(link, store, gateway, monkeypatch, caplog):
    """Where no file can be written, tokens are renewed all the same, with a warning."""
    from camsync.providers.imou._grant import Grant

    monkeypatch.setenv("CAMSYNC_HOME", "/proc/nowhere")
    grant = Grant(link, store, "shop", None, lambda _: None)
    gateway.consent.expire()

    assert grant.current(grant.current()).access == _stored(store).access
    assert "renewed without a lock" in caplog.text
    assert "<Grant of shop>" == repr(grant)


def test_processes_renew_once(link, gateway, sim, tmp_path, store):
    """Two processes with one store cause one renewal, and both go on with its tokens."""
    key = new_key()
    shared = EncryptedFileStore(tmp_path / "store", key=key)
    shared.set("imou", "shop", store.get("imou", "shop"))
    gateway.consent.expire()
    sim.reset_counters()
    program = f"""
        import camsync
        from camsync.providers.imou.oauth import ImouLink, linked
        store = camsync.EncryptedFileStore({str(tmp_path / "store")!r}, key={key.reveal()!r})
        link = ImouLink({sim.base_url!r}, {sim.app_id!r}, {SECRET!r}, {CALLBACK!r})
        with linked(link, store, "shop") as client:
            print(len(client.devices()))
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    assert ["2\n", "2\n"] == [one.communicate(timeout=50)[0] for one in running]
    assert 1 == sim.calls[TOKEN]


def test_tokens_go_to_their_gateway_only(sim, store):
    """Tokens of one gateway are never sent to another, nor renewed there."""
    other = ImouLink("https://gateway.invalid", sim.app_id, SECRET, CALLBACK)
    with (
        linked(other, store, "shop") as client,
        pytest.raises(ConfigurationError, match="is linked at http://127"),
    ):
        client.devices()
    with pytest.raises(ConfigurationError, match="belong to http://127"):
        other.refresh(_stored(store))


def test_owners_are_kept_apart(link, store, sim):
    """Somebody else's link is not found, and counted apart."""
    with linked(link, store, "shop", owner="bob@example.com") as client:
        assert "<ImouClient bob@example.com/shop@" in repr(client)
        with pytest.raises(CredentialNotFoundError):
            client.devices()


# -- Calls


def test_devices_and_channels(client, sim, gateway):
    """They are what the simulator has; what is left out is filled with what is known."""
    full = client.devices()
    gateway.faults.enable("missing-fields", 1)
    bare = client.devices()

    assert [one.id for one in sim.devices] == [one.id for one in full] == [one.id for one in bare]
    assert sim.devices[0].name == full[0].name
    assert sim.devices[0].id == bare[0].name
    assert ["0", "0"] == [one.id for one in client.channels()]


def test_channels_are_asked_for_where_the_list_has_none(client, gateway, sim):
    """The details say them; and if those do not, there is the one that the plan takes for granted."""
    gateway.faults.enable("no-channels", 2)
    told = client.channels()
    gateway.faults.enable("no-channels-anywhere")
    client.devices()
    guessed = client.channels()

    assert 4 == sim.calls["/cloudStorage/v1/device/info"]
    assert [one.id for one in told] == [one.id for one in guessed] == ["0", "0"]
    assert sim.devices[0].name == guessed[0].name


def test_both_storages_are_searched(client, sim):
    """Each recording of the cloud and of the card comes, with its times and its reason."""
    channel = client.channels()[0]
    found = list(client.search(channel, TimeSpan.last(hours=3), storage="both"))
    true = [(one.storage, one.start) for one in sim.history(sim.devices[0].id) if one.seconds]

    assert set(true) >= {(one.key.stream, one.start) for one in found}
    assert {one for one in true if one[0] == "cloud"} <= {(r.key.stream, r.start) for r in found}
    assert {RecordingKind.CONTINUOUS, RecordingKind.ALARM} == {one.kind for one in found}
    assert client.locate(found[0].key) == found[0]


@pytest.mark.parametrize("place", ["cloud", "sd"])
@pytest.mark.parametrize(
    "faults", [["small-pages"], ["announced-more"], ["small-pages", "newest-first"]]
)
def test_full_pages_are_followed(client, gateway, faults, place):
    """Whatever the length of a page, and in either order, nothing is lost and nothing doubled."""
    channel = client.channels()[0]
    span = TimeSpan(dt.datetime.now(UTC) - dt.timedelta(hours=1), dt.datetime.now(UTC))
    whole = [one.key for one in client.search(channel, span, storage=place)]
    for fault in faults:
        gateway.faults.enable(fault)

    assert len(whole) > 10
    assert set(whole[:-1]) <= {one.key for one in client.search(channel, span, storage=place)}


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("forbidden", PermissionDeniedError, "answers with 403"),
        ("not-found", RequestRejectedError, "answers with 404"),
        ("too-many", DeviceBusyError, "answers with 429"),
        ("trouble", UnreachableError, "answers with 500"),
        ("moved", ProtocolError, "which is not the vendor's"),
        ("unknown-code", RequestRejectedError, "12345"),
        ("no-code", ProtocolError, "has no result code"),
        ("no-data", ProtocolError, "has no devices"),
        ("not-json", ProtocolError, "has no result code"),
        ("echo", RequestRejectedError, r"no Bearer \*\*\*"),
    ],
)
def test_what_goes_wrong_in_a_call(client, gateway, fault, error, words):
    """Each failure is a typed error with a next step."""
    gateway.faults.enable(fault, 1)
    with pytest.raises(error, match=words) as caught:
        client.devices()

    assert caught.value.next_step
    assert 2 == len(client.devices())


def test_codes_may_be_text(client, gateway):
    """The plan compares codes with numbers; as text they mean the same."""
    gateway.faults.enable("text-codes", 1)

    assert 2 == len(client.devices())


def test_trouble_is_tried_again(link, store, gateway, sim):
    """A busy gateway is asked again, as the policy says, and every try counts."""
    quick = RetryPolicy(attempts=3, initial=0.0)
    gateway.faults.enable("trouble", 2)
    gateway.faults.enable("slow-call", 1)
    with linked(link, store, "shop", retry=quick) as client:
        assert 2 == len(client.devices())
        assert 3 == client.usage.by_method[LIST]


def test_no_plan_and_no_card_are_states(client, gateway, sim):
    """They are errors only where nothing else was asked for."""
    channel = client.channels()[1]
    span = TimeSpan.last(hours=1)
    both = list(client.search(channel, span, storage="both"))
    gateway.faults.enable("plan-code")

    assert {"cloud"} == {one.key.stream for one in both}
    assert [] == list(client.search(channel, span, storage="both"))
    with pytest.raises(NoCloudPlanError):
        list(client.search(channel, span))
    cards = client.storage()
    assert [VolumeState.OK, VolumeState.MISSING] == [one.state for one in cards]
    assert "active" == client.plan(channel)


def test_nothing_recorded_may_be_a_code(client, gateway):
    """Nothing found is no error."""
    channel = client.channels()[0]
    gateway.faults.enable("nothing-code")
    old = dt.datetime(2026, 1, 1, tzinfo=UTC)

    assert [] == list(client.search(channel, TimeSpan(old, old + dt.timedelta(days=40))))


def test_an_offline_device_is_one(client, sim):
    """Its card cannot be searched, and its storage is offline."""
    channel = client.channels()[0]
    sim.set_online(sim.devices[0].id, online=False)
    client.devices()

    assert VolumeState.OFFLINE is client.storage()[0].state
    with pytest.raises(DeviceOfflineError):
        list(client.search(channel, TimeSpan.last(hours=1), storage="sd"))


def test_the_zone_must_be_given(link, store, sim):
    """The surface does not say it, so nothing is sent to find out."""
    with linked(link, store, "shop") as client:
        channel = client.channels()[0]
        sim.reset_counters()
        with pytest.raises(ConfigurationError, match="zone"):
            list(client.search(channel, TimeSpan.last(hours=1)))

    assert not sim.calls


def test_the_budget_guards_these_calls_too(link, store, gateway, sim, tmp_path):
    """At the limit nothing is sent, neither calls nor media; renewals count."""
    with linked(link, store, "shop", max_calls=3, timezone="+08:00") as client:
        recording = _first(client)
        gateway.consent.expire()
        with pytest.raises(BudgetExceededError):
            client.devices()
    usage = tmp_path / "usage.json"
    with (
        linked(link, store, "shop", max_bytes=0, timezone="+08:00", usage=usage) as client,
        pytest.raises(BudgetExceededError),
        client.open(recording),
    ):
        pass

    assert 0 == sim.bytes_sent


def test_the_connection_is_tested(client, gateway, store):
    """The doctor's steps say where it breaks."""

    def steps():
        return {one.name: one for one in client.diagnose()}

    assert {"host", "clock", "login", "devices", "card", "download"} <= set(steps())
    assert CheckStatus.OK is steps()["login"].status
    gateway.faults.enable("forbidden", 1)
    assert CheckStatus.FAILED is steps()["login"].status
    gateway.faults.enable("trouble", 1)
    assert CheckStatus.FAILED is steps()["host"].status
    store.delete("imou", "shop")
    client.close()
    found = steps()
    assert CheckStatus.FAILED is found["login"].status
    assert "host" not in found
    assert {} == client.learnt


def test_the_surface_has_nothing_else(sim, gateway, client):
    """Other paths, methods, ids and bodies are refused, as a client would be told."""
    client.devices()
    token = client._wire._caller.grant.current().access.reveal()
    bearer = {"Authorization": f"Bearer {token}"}

    assert 404 == _get(sim, "/cloudStorage/v1/other", **bearer)[0]
    assert 401 == _get(sim, LIST, Authorization=f"Basic {token}")[0]
    for path, body in (
        ("/cloudStorage/v1/records/query", "no json"),
        ("/cloudStorage/v1/records/query", "[]"),
        ("/cloudStorage/v1/records/query", '{"recordType": "some"}'),
        ("/deviceVideoService/v1/videos/query", '{"storageType": "2"}'),
    ):
        assert "OP1003" == json.loads(_get(sim, path, "POST", body, **bearer)[2])["code"]
    plain, bare = (one.id for one in sim.devices)
    for query, code in (
        ("format=avi", "OP1003"),
        ("format=mp4&recordId=1", "OP1002"),
        (f"format=mp4&recordId=1&deviceId={plain}", "RC1001"),
        (f"format=mp4&recordId=1&deviceId={bare}", "RC1001"),
    ):
        path = f"/cloudStorage/v1/records/download?{query}"
        assert code == json.loads(_get(sim, path, **bearer)[2])["code"]
    with pytest.raises(ConfigurationError, match="has no fault 'other'"):
        gateway.faults.enable("other")
    with pytest.raises(ConfigurationError, match="0 times"):
        gateway.faults.enable("echo", 0)
    assert all(FAULTS.values())


# -- Downloads


def test_a_recording_becomes_a_checked_mp4(client, tmp_path, sim):
    """The engine takes the file through the same checks as every other recording."""
    recording = _first(client)
    done = download(client, recording, tmp_path)
    clip = next(one for one in sim.history() if one.id == recording.raw["id"])

    assert ("mp4", clip.seconds, 25.0) == (done.container, done.duration, done.fps)
    assert client.usage.bytes > 0


def test_a_file_goes_on_where_it_broke_off(client, gateway, tmp_path, sim):
    """The engine continues with a range, under a new URL, and fetches nothing twice."""
    recording = _first(client)
    size = len(_content(client, recording)[0])
    gateway.faults.enable("file-cut", 1)
    sim.reset_counters()
    done = download(client, recording, tmp_path, container="original")

    assert size == done.size
    assert size == sim.bytes_sent
    assert 2 == sim.calls["/cloudStorage/v1/records/download"]


@pytest.mark.parametrize("dated", [False, True])
def test_what_is_proven_is_continued(client, gateway, dated):
    """An offset is honoured after an earlier opening, with a strong validator."""
    if dated:
        gateway.faults.enable("file-dated")
    recording = _first(client)
    whole, _ = _content(client, recording)
    part, offset = _content(client, recording, 1000)

    assert 1000 == offset
    assert whole[1000:] == part


@pytest.mark.parametrize(
    "fault",
    ["file-changed", "file-without-validators", "file-ignores-range", "file-wrong-range"],
)
def test_what_is_not_proven_comes_from_the_begin(client, gateway, fault):
    """Another file, no validator, no range or a wrong one: offset 0 and everything."""
    recording = _first(client)
    whole, _ = _content(client, recording)
    gateway.faults.enable(fault, 1)

    assert (whole, 0) == _content(client, recording, 1000)


@pytest.mark.parametrize("offset", [10**9, -1])
def test_an_impossible_offset_is_not_asked_for(client, offset):
    """What lies outside of the file begins at its begin."""
    recording = _first(client)
    whole, _ = _content(client, recording)

    assert (whole, 0) == _content(client, recording, offset)


def test_an_offset_without_an_earlier_opening_is_not_believed(client, sim):
    """Nobody knows which file the bytes that are here already belong to."""
    recording = _first(client)
    sim.reset_counters()

    assert 0 == _content(client, recording, 1000)[1]


@pytest.mark.parametrize("fault", ["url-expired", "file-403", "file-404"])
def test_an_expired_url_is_asked_for_again_once(client, gateway, sim, fault):
    """One new URL; if that does not help, a typed error."""
    recording = _first(client)
    gateway.faults.enable(fault, 1)
    sim.reset_counters()
    assert _content(client, recording)[0]
    assert 2 == sim.calls["/cloudStorage/v1/records/download"]

    gateway.faults.enable(fault)
    sim.reset_counters()
    expected = RecordingNotFoundError if fault == "file-404" else PermissionDeniedError
    with pytest.raises(expected, match="also under a new URL"):
        _content(client, recording)
    assert 2 == sim.calls["/cloudStorage/v1/records/download"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("file-500", UnreachableError),
        ("file-503", DeviceBusyError),
        ("file-teapot", ProtocolError),
        ("file-html", ProtocolError),
        ("file-cut", UnreachableError),
        ("url-missing", ProtocolError),
        ("url-elsewhere", (ProtocolError, UnreachableError)),
    ],
)
def test_what_goes_wrong_with_a_file(client, gateway, fault, error):
    """Never a short file, never a page instead of video."""
    recording = _first(client)
    gateway.faults.enable(fault)
    with pytest.raises(error):
        _content(client, recording)


def test_a_file_may_move_on_its_host(client, gateway):
    """A redirect to the same host is followed."""
    recording = _first(client)
    gateway.faults.enable("file-redirect", 1)

    assert _content(client, recording)[0]


def test_urls_end(client, sim, gateway):
    """A URL is signed, works for some minutes, and leads nowhere afterwards."""
    recording = _first(client)
    client.devices()
    from camsync.providers.imou._search import record_of

    url = urllib.parse.urlsplit(client._wire.play_url(record_of(recording)).url.reveal())
    assert 200 == _get(sim, f"{url.path}?{url.query}")[0]
    assert 416 == _get(sim, f"{url.path}?{url.query}", Range="bytes=999999999-")[0]
    assert 403 == _get(sim, url.path)[0]
    assert 404 == _get(sim, "/files/other")[0]
    sim.advance(301)
    assert 403 == _get(sim, f"{url.path}?{url.query}")[0]


def test_without_validators_nothing_is_remembered(client, gateway):
    """A file that cannot be told from another is never continued."""
    gateway.faults.enable("file-without-validators")
    recording = _first(client)
    whole, _ = _content(client, recording)

    assert {} == client._playing._proofs
    assert (whole, 0) == _content(client, recording, 1000)


def test_old_urls_and_proofs_are_forgotten(client, gateway, monkeypatch):
    """Neither the simulator nor the client grows without end."""
    monkeypatch.setattr("camsync.testing.imou._rest_files._KEPT", 1)
    monkeypatch.setattr("camsync.providers.imou._linked._MOST_PROOFS", 1)
    channel = client.channels()[0]
    first, second, *_ = client.search(channel, TimeSpan.last(hours=1))
    for recording in (first, second):
        _content(client, recording)

    assert 1 == len(gateway.files._open)
    assert [second.key] == list(client._playing._proofs)


def test_footage_of_cards_cannot_be_fetched(client, gateway, sim):
    """It is said before, and nothing is sent."""
    recording = _first(client, storage="sd")
    sim.reset_counters()
    support = client.can_download(recording)
    with pytest.raises(DownloadUnsupportedError), client.open(recording):
        pass

    assert "no" == support.level
    assert "memory cards" in support.reason
    assert "experimental" == client.can_download(_first(client)).level
    assert not sim.calls["/cloudStorage/v1/records/download"]
    client._playing._support = type(support)(level="no", reason="refused")
    assert "refused" == client.can_download(recording).reason
    assert isinstance(client._playing, FilePlaying)
    client._playing._refused = DownloadUnsupportedError("refused")
    assert "RANGE" not in str(client.capabilities)


def _read_on(stream):
    """Read until something happens."""
    buffer = memoryview(bytearray(1 << 20))
    while stream.readinto(buffer):
        pass


def test_reading_can_be_broken_off(client, gateway):
    """Abort ends a stream from another thread; a token ends the wait for a silent server."""
    recording = _first(client)
    gateway.faults.enable("file-hangs")
    with client.open(recording) as stream:
        assert "<FileStream from byte 0>" == repr(stream)
        timer = threading.Timer(0.2, stream.abort)
        timer.start()
        with pytest.raises(CancelledError):
            _read_on(stream)
    timer.join()
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError), client.open(recording, cancel=cancelled):
        pass
    with client.open(recording) as stream:
        stream.abort()
        with pytest.raises(CancelledError):
            stream.readinto(memoryview(bytearray(9)))


def test_a_slow_file_is_complete(client, gateway):
    """Tiny pieces make the same file."""
    recording = _first(client)
    whole, _ = _content(client, recording)
    gateway.faults.enable("file-slow")

    assert whole[:2000] == _content(client, recording, at_most=2000)[0]


# -- Secrets


def _locals_of(error):
    """What a crash reporter would show of an error, of everything behind it, and of all frames."""
    waiting, seen, texts = [error], set(), []
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        texts += [repr(one), str(one), repr(vars(one))]
        trace = one.__traceback__
        while trace is not None:
            frame = trace.tb_frame
            if frame.f_code.co_filename != __file__:
                texts += [repr(value) for value in list(frame.f_locals.values())]
            trace = trace.tb_next
    return "\n".join(texts)


_LINKING = sorted(
    each for each in FAULTS if each.startswith(("token-", "code-", "authorize-", "access-"))
)
_CALLING = ["unauthorized", "forbidden", "echo", "trouble", "no-code", "refresh-revoked", "moved"]


@pytest.mark.parametrize(
    "faults",
    [
        *([each] for each in (*_LINKING, "wrong-client", "lost-answer", *_CALLING)),
        ["token-echo", "code-used"],
        ["token-echo", "wrong-client"],
        ["token-echo", "refresh-revoked"],
    ],
)
def test_no_secret_is_shown(gateway, link, caplog, faults, store):
    """No log, no repr, no traceback with locals holds a code, a verifier, a token or the secret."""
    caplog.set_level(logging.DEBUG)
    known = [SECRET]
    if {*faults} & {*_CALLING}:
        gateway.consent.expire()
    for fault in faults:
        gateway.faults.enable(fault)
    session = link.begin()
    known.append(link._sessions._kept[session.state].verifier.reveal())
    callback = gateway.agree(session.authorize_url)
    known += urllib.parse.parse_qs(urllib.parse.urlsplit(callback).query).get("code", [])
    shown = repr(session) + repr(link) + repr(link._sessions)
    try:
        shown += repr(link.finish(Secret(callback)))
    except CamsyncError as error:
        shown += _locals_of(error)
    with linked(link, store, "shop", retry=ONCE) as client:
        try:
            shown += repr(client.devices())
        except CamsyncError as error:
            shown += _locals_of(error)
        shown += repr(client) + repr(client._wire) + repr(client._wire._caller)
    known += [*gateway.consent._access, *gateway.consent._refresh]

    assert [] == [secret for secret in known if secret in shown + caplog.text]


@pytest.mark.parametrize("fault", ["file-403", "file-404", "file-500", "file-html", "file-cut"])
def test_no_signed_url_is_shown(client, gateway, caplog, fault):
    """Whoever has the URL of a recording can fetch it: so nothing shows it."""
    caplog.set_level(logging.DEBUG)
    recording = _first(client)
    gateway.faults.enable(fault)
    with pytest.raises(CamsyncError) as caught:
        _content(client, recording)

    shown = _locals_of(caught.value) + caplog.text + repr(recording) + repr(recording.raw)
    signs = [file.sign for file in gateway.files._open.values()]
    assert signs
    assert [] == [sign for sign in signs if sign in shown]


def _cut(monkeypatch, path, times):
    """Cut the first answers to POSTs to *path* in their middle; return what was sent there."""
    post, sent = Web.post, []

    def cutting(web, url, *rest):
        answer = post(web, url, *rest)
        if not str(url).endswith(path) or len(sent) >= times:
            return answer
        sent.append(path)
        half = len(answer.body) // 2
        return attrs.evolve(answer, body=answer.body[:half], missing=half)

    monkeypatch.setattr(Web, "post", cutting)
    return sent


def test_an_answer_that_breaks_off_is_tried_again(link, store, sim, monkeypatch):
    """A call may be asked again, and is counted again."""
    retry = RetryPolicy(attempts=2, initial=0)
    with linked(link, store, "shop", timezone="+08:00", retry=retry) as client:
        channel = client.channels()[0]
        sent = _cut(monkeypatch, RECORDS, 1)
        before = client.usage.by_method.get(RECORDS, 0)
        assert list(client.search(channel, TimeSpan.last(hours=1)))
        assert 1 == len(sent)
        assert 1 < client.usage.by_method[RECORDS] - before


def test_tokens_that_break_off_are_not_asked_for_again(link, store, sim, monkeypatch):
    """The old ones may be used up: that the connection broke is said, and nothing is repeated."""
    sent = _cut(monkeypatch, TOKEN, 9)

    with pytest.raises(UnreachableError, match="in the middle of the answer"):
        link.refresh(_stored(store))
    assert 1 == len(sent)
