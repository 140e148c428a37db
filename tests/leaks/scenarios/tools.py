"""What camsync gives to testers: the simulator, the scrubber, cassettes, the pytest plugin."""

from __future__ import annotations

import datetime as dt
import json

from pathlib import Path

import attrs
import vcr

from leak_harness.stage import Stage, of, scenario

from camsync import AuthenticationError, TimeSpan
from camsync.errors import ConfigurationError
from camsync.testing import PERSONALITIES, Personality, plugin, scrub


_SIM = "camsync.testing.RecorderSimulator"
_SEEN = (
    "requests requests_log unauthorized logins_failed locked downloads_active bytes_sent faults"
    " fault_hits personality certificate fingerprint"
)


@scenario(
    *of(_SIM, f"{_SEEN} start stop url connect_url enable disable unlock reset_counters"),
    *of(_SIM, "recordings content"),
    *of("camsync.testing.Personality", "is_camera"),
    "camsync.testing.SimulatedRecording",
    "camsync.testing.plugin.recorder_simulator",
)
def the_simulator(stage: Stage) -> None:
    """Look at a recorder from all sides, while logins succeed and fail; misuse it."""
    sim = stage.simulator(tls=True)
    with stage.provider(sim, https=True, verify=sim.fingerprint) as provider:
        stage.keep(provider.devices())
    stage.keep(*(getattr(sim, name) for name in _SEEN.split()), sim.url, sim.connect_url)
    sim.enable("html-404", times=1)
    sim.disable("html-404")
    sim.unlock()
    sim.reset_counters()
    recording = sim.recordings()[0]
    stage.keep(recording, next(sim.content(recording))[:100], repr(sim), str(sim))
    stage.keep(attrs.evolve(PERSONALITIES["DS-7616NI-K2"], model="X").is_camera)
    with stage.fails(ConfigurationError):
        sim.enable("no such fault")
    with stage.fails(ConfigurationError):
        sim.start()
    plain = plugin.recorder_simulator
    made = getattr(plain, "__wrapped__", None) or plain._get_wrapped_function()
    for start in made():
        stage.keep(repr(start(channels=1, hours=0.05, password=stage.plain())))
    sim.stop()
    assert isinstance(sim.personality, Personality)


@scenario(
    *of("camsync.testing.scrub.Scrubber", "counts know replace learn document text json"),
    "camsync.testing.scrub.Finding",
    "camsync.testing.scrub.find_identities",
    "camsync.testing.scrub.find_secrets",
    "camsync.testing.scrub.main",
    "camsync.testing.scrub.scan",
)
def the_scrubber(stage: Stage) -> None:
    """Scrub documents that hold passwords, and scan files that do."""
    scrubber = scrub.Scrubber()
    core = stage.vault.core
    stage.keep(
        scrubber.document(f"<User><password>{core('password')}</password></User>"),
        scrubber.document(f"<User><password>{core('password')}</password></User>".encode()),
        scrubber.json({"password": core("cloud"), "token": core("detail"), "channel": 1}),
        scrubber.text(f"rtsp://admin:{core('wrong')}@192.0.2.1/Streaming/channels/101"),
        scrubber.text(f'{{"appSecret": "{core("cloud")}"}}'),
    )
    scrubber.learn(f"<User><password>{core('password')}</password></User>")
    stage.keep(scrubber.counts, repr(scrubber))
    scrubber.know(core("detail"))
    stage.keep(scrubber.text(f"somebody wrote {core('detail')} into a name"))
    scrubber.replace(core("passphrase"), "another")
    stage.keep(scrubber.text(f"and {core('passphrase')}"), str(scrubber))
    found = scrub.find_secrets(f"<password>{core('wrong')}</password>", known=[core("cloud")])
    stage.keep(found, scrub.find_secrets(f"x {core('cloud')}", known=[stage.vault.core("cloud")]))
    stage.keep(scrub.find_identities(f"<serialNumber>{core('detail')}</serialNumber>"))
    file = stage.secret_file("leaky.json")
    file.write_text(json.dumps({"password": core("password")}))
    stage.keep(list(scrub.scan([file])), scrub.main([str(file.parent)]))


@scenario(
    "camsync.testing.scrub.isapi_body",
    "camsync.testing.scrub.scrub_request",
    "camsync.testing.scrub.scrub_response",
    "camsync.testing.scrub.vcr_options",
)
def cassettes(stage: Stage) -> None:
    """Record logins that succeed and that fail; the tape is a file like any other."""
    recorder = vcr.VCR(**scrub.vcr_options("all"))
    recorder.register_matcher("isapi_body", scrub.isapi_body)
    for name, faults in {"digest": [], "basic": ["basic-only"]}.items():
        sim = stage.simulator(faults=faults)
        provider = stage.provider(sim, allow_basic=True)
        refused = stage.provider(sim, allow_basic=True)
        refused._client.transport.login._password = _wrong(stage)
        tape = stage.folder / f"{name}.yaml"
        with recorder.use_cassette(str(tape)):
            stage.keep(provider.devices())
            (channel,) = provider.channels()
            stage.keep(len(list(provider.search(channel, TimeSpan.last(hours=1)))))
            with stage.fails(AuthenticationError):
                refused.devices()
        assert "ISAPI/System/deviceInfo" in Path(tape).read_text()
        with recorder.use_cassette(str(tape), record_mode="none"):
            assert dt.datetime.now(dt.timezone.utc)
            stage.keep(provider.devices())


def _wrong(stage: Stage) -> object:
    from camsync import Secret

    return Secret(stage.plain("wrong"))
