"""Values and errors: what is plain anyway, and what may have been handed a secret."""

from __future__ import annotations

import datetime as dt
import inspect
import threading

import attrs

from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import Secret, TimeSpan, errors


_NOW = dt.datetime(2026, 3, 3, 12, 0, 30, tzinfo=dt.timezone.utc)
_ERRORS = sorted(
    (
        value
        for value in map(errors.__dict__.get, errors.__all__)
        if inspect.isclass(value) and issubclass(value, camsync.CamsyncError)
    ),
    key=lambda kind: kind.__name__,
)


@scenario(*(f"camsync.{kind.__name__}" for kind in _ERRORS), "camsync.MissingExtraError.for_extra")
def every_error(stage: Stage) -> None:
    """Raise each error, with a wrapped secret in each place that takes anything."""
    stage.keep(camsync.MissingExtraError.for_extra("cli", "the command line"))
    masked = str(Secret(stage.plain("detail")))
    for kind in _ERRORS:
        names = list(inspect.signature(kind).parameters)[1:]
        for given in ({}, dict.fromkeys(names, masked)):
            with stage.fails(kind):
                raise kind(f"refused with {masked}", **given)  # noqa: EM102, TRY003


@scenario(*of("camsync.Secret", "of reveal"))
def a_secret_itself(stage: Stage) -> None:
    """Print, compare, hash, copy, pickle and serialise a secret; make one of something else."""
    secret = Secret(stage.plain())
    stage.keep(secret, [secret], {"secret": secret}, secret == Secret.of(stage.plain()))
    stage.keep(f"{secret:>20}", "%s %r" % (secret, secret), bool(secret), secret != "x")  # noqa: UP031
    with stage.fails(TypeError):
        hash(secret)
    for wrap in (str.encode, list, lambda text: {"password": text}):
        with stage.fails(TypeError):
            Secret(wrap(stage.plain()))
        with stage.fails(TypeError):
            Secret.of(wrap(stage.plain())).reveal()
    with stage.fails(AttributeError):
        secret.password = stage.plain("wrong")


@scenario(
    *of("camsync.TimeSpan", "last duration overlaps intersection padded split"),
    *of("camsync.DeviceZone", "parse utcoffset dst tzname fromutc"),
    *of("camsync.DeviceClock", "from_wire to_wire local"),
    *of("camsync.RetryPolicy", "delay"),
    *of("camsync.RecordingKey", "uri parse"),
    *of("camsync.Recording", "duration span local_start"),
    *of("camsync.Channel", "resolution"),
    "camsync.Check",
    "camsync.Device",
    "camsync.Downloaded",
    "camsync.Failed",
    "camsync.Progress",
    "camsync.Volume",
)
def plain_values(stage: Stage) -> None:
    """Make and use the values of a search, as a provider does."""
    sim = stage.simulator()
    provider = stage.provider(sim)
    (channel,) = provider.channels()
    recording = next(provider.search(channel, TimeSpan.last(hours=1)))
    span = recording.span
    stage.keep(span, span.duration, span.overlaps(span), span.intersection(span))
    stage.keep(span.padded(dt.timedelta(1)), list(span.split()), recording.duration)
    stage.keep(recording.local_start, channel.resolution, provider.storage(), provider.devices())
    key = recording.key
    stage.keep(key.uri, camsync.RecordingKey.parse(key.uri), camsync.RetryPolicy().delay(1))
    zone = camsync.DeviceZone.parse("CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00")
    stage.keep(zone, _NOW.astimezone(zone), zone.utcoffset(_NOW), zone.dst(_NOW), zone.tzname(_NOW))
    clock = provider.clock()
    stage.keep(clock.local(_NOW), clock.from_wire(clock.to_wire(_NOW)))
    stage.keep(list(provider.diagnose()))
    events: list[camsync.Progress] = []
    out = stage.folder / "out"
    done = camsync.download(provider, recording, out, container="original", on_event=events.append)
    stage.keep(done, events[:3], camsync.Failed(recording=recording, error=_refusal()))


def _refusal() -> camsync.CamsyncError:
    return errors.AuthenticationError("refused")


@scenario(
    *of("camsync.Profile", "options"),
    *of("camsync.Profiles", "get all set delete find"),
)
def profiles(stage: Stage) -> None:
    """Keep profiles; name one badly; damage and expose the file; fill the disk."""
    book = camsync.Profiles()
    front = camsync.Profile(name="front", provider="hikvision", host="127.0.0.1", https=True)
    book.set(front)
    stage.keep(book, book.all(), book.get("front"), book.find("hikvision", "front"))
    stage.keep(front.options(), attrs.evolve(front, learnt={"page": 50}).options())
    with stage.fails(camsync.ProfileNotFoundError):
        book.get("none")
    with stage.fails(camsync.ProfileNotFoundError):
        book.delete("none")
    with stage.fails(camsync.ConfigurationError):
        camsync.Profile(name="No Name", provider="hikvision", host="127.0.0.1")
    with stage.fails(TypeError):  # where would a password go? nowhere
        camsync.Profile(name="a", provider="b", host="c", password=stage.plain())
    book.path.chmod(0o666)
    with stage.fails(camsync.ExposedStoreError):
        book.all()
    book.path.chmod(0o600)
    book.path.write_bytes(b'{"camsync_profiles": 1, "profiles": [{"name"')
    with stage.fails(camsync.DamagedStoreError):
        book.all()
    book.path.unlink()
    book.set(front)
    book.delete("front")


@scenario("camsync.RetryPolicy")
def a_thread_that_fails(stage: Stage) -> None:
    """Use a provider in a thread that ends in an error, which the thread hands over."""
    sim = stage.simulator()
    refused = camsync.HikvisionISAPI("127.0.0.1", "admin", stage.plain("wrong"), port=sim.port)

    def work() -> None:
        with stage.fails(camsync.AuthenticationError):
            refused.devices()

    with refused:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    stage.keep(camsync.RetryPolicy(attempts=2))
