"""TLS: pins that fit and that do not, roots, old versions, and a look at a certificate."""

from __future__ import annotations

import socket

from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import HikvisionISAPI
from camsync.transport import Address, TLSPolicy, fingerprint, public_addresses


_NO_PIN = "sha256:" + 64 * "0"


@scenario(
    "camsync.HikvisionISAPI",
    "camsync.transport.TLSPolicy.context",
    "camsync.transport.TLSPolicy.check",
    "camsync.transport.fingerprint",
    "camsync.transport.Transport.peer_fingerprint",
    "camsync.transport.Transport.peer_certificate",
    "camsync.transport.Transport.verified",
)
def with_tls(stage: Stage) -> None:
    """Log in over TLS: with the right pin, with another one, with public roots, without any check."""
    sim = stage.simulator(tls=True)
    for options in ({"verify": sim.fingerprint}, {"verify": False}):
        provider = stage.provider(sim, https=True, **options)
        stage.keep(provider.devices(), list(provider.diagnose()), provider)
        stage.keep(provider._client.transport.peer_certificate())
    for options in ({"verify": _NO_PIN}, {"verify": True}):
        provider = stage.provider(sim, https=True, **options)
        with stage.fails(camsync.CertificateError):
            provider.devices()
        stage.keep(list(provider.diagnose()), provider)
    with stage.fails(camsync.CamsyncError):
        stage.provider(sim).devices()  # plain HTTP to a port with TLS


@scenario("camsync.HikvisionISAPI")
def no_tls_behind_the_port(stage: Stage) -> None:
    """Speak TLS to a recorder that has none, and to a very old one."""
    plain = stage.simulator()
    provider = stage.provider(plain, https=True, verify=_NO_PIN)
    with stage.fails(camsync.TLSError):
        provider.devices()
    old = stage.simulator(tls=True, faults=["old-tls"])
    modern = stage.provider(old, https=True, verify=old.fingerprint)
    with stage.fails(camsync.CamsyncError):
        modern.devices()
    stage.keep(modern)


@scenario(
    "camsync.fetch_certificate",
    *of("camsync.Certificate", "expired not_yet_valid"),
    "camsync.transport.public_addresses",
    *of("camsync.transport.Address", "url"),
)
def a_look_at_a_certificate(stage: Stage) -> None:
    """Fetch one; try it where there is none; give a password where the host belongs."""
    sim = stage.simulator(tls=True)
    certificate = camsync.fetch_certificate("127.0.0.1", sim.port)
    stage.keep(certificate, certificate.expired(), certificate.not_yet_valid())
    stage.keep(public_addresses("127.0.0.1"), Address.of("127.0.0.1", 80).url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with stage.fails(camsync.UnreachableError):
        camsync.fetch_certificate("127.0.0.1", port)
    with stage.fails(camsync.CamsyncError):
        camsync.fetch_certificate("127.0.0.1", stage.simulator().port, timeout=0.5)
    stage.keep(fingerprint(b"x"), TLSPolicy.of(_NO_PIN))


@scenario("camsync.HikvisionISAPI", "camsync.fetch_certificate", "camsync.transport.Address.of")
def urls_where_a_host_belongs(stage: Stage) -> None:
    """Give a URL with a password in it where the name of a host is wanted."""
    with stage.fails(camsync.ConfigurationError):
        HikvisionISAPI(f"http://admin:{stage.plain()}@127.0.0.1", "admin", stage.plain())
    with stage.fails(camsync.ConfigurationError):
        camsync.fetch_certificate(f"https://admin:{stage.plain()}@127.0.0.1")
    with stage.fails(camsync.CamsyncError):
        camsync.transport.public_addresses(f"admin:{stage.plain()}@127.0.0.1")
