"""Debian's Apache httpd on loopback, with mod_auth_digest: a recorder's paths as static files."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import time

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import BrokenRunError, spawn


PROGRAM = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")
MODULES = Path("/usr/lib/apache2/modules")
USER, PASSWORD, REALM = "admin", "Benchmark-1", "apache"
GIGABIT = 114_746
"""KiB a second of a 940 Mbit/s link: what a gigabit carries after its headers."""

MANY, SMALL = 64, 4 << 20
DEVICE = "<DeviceInfo><model>Apache httpd</model><serialNumber>APACHE-1</serialNumber></DeviceInfo>"
CONFIG = """
ServerRoot "{root}"
ServerName 127.0.0.1
PidFile "{root}/pid"
ErrorLog "{root}/error.log"
Mutex file:{root}
KeepAlive On
MaxKeepAliveRequests 0
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_digest_module {modules}/mod_auth_digest.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule env_module {modules}/mod_env.so
LoadModule ratelimit_module {modules}/mod_ratelimit.so
LoadModule ssl_module {modules}/mod_ssl.so
TypesConfig /etc/mime.types
LogFormat "%>s %B %m %U" plain
CustomLog "{root}/access.log" plain
DocumentRoot "{root}/big"
<Location "/ISAPI">
  AuthType Digest
  AuthName "{realm}"
  AuthDigestProvider file
  AuthUserFile "{root}/users"
  AuthDigestNonceLifetime 3600
  Require valid-user
</Location>
"""
HOST = """
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
DocumentRoot "{root}/{folder}"
{more}
</VirtualHost>
"""


@dataclasses.dataclass(frozen=True)
class Apache:
    """A running server.

    Attributes:
        plain, secure, link: Ports that serve the big recording: HTTP, HTTPS, and HTTP as fast as a
            gigabit link.
        small: The port that serves the small ones.
        size, seconds: Of the big recording.
        small_size, small_seconds: Of a small one.
    """

    root: Path
    plain: int
    secure: int
    link: int
    small: int
    size: int
    seconds: float
    small_size: int
    small_seconds: float

    @property
    def authority(self) -> Path:
        """The file of the certificate."""
        return self.root / "cert.pem"

    @property
    def netrc(self) -> Path:
        """The file from which curl takes the login."""
        return self.root / "netrc"

    def url(self, port: int, path: str = "ContentMgmt/download") -> str:
        """Return the address of a recording."""
        scheme = "https" if port == self.secure else "http"
        return f"{scheme}://127.0.0.1:{port}/ISAPI/{path}"

    def arguments(self, port: int, **more: Any) -> dict[str, Any]:
        """Return what a child has to know to fetch from *port*."""
        small = port == self.small
        return {
            "port": port,
            "https": port == self.secure,
            "ca": str(self.authority),
            "url": self.url(port),
            "user": USER,
            "password": PASSWORD,
            "size": self.small_size if small else self.size,
            "seconds": self.small_seconds if small else self.seconds,
            **more,
        }

    def log(self) -> list[list[str]]:
        """Return the requests so far: status, bytes, method, path."""
        return [line.split() for line in (self.root / "access.log").read_text().splitlines()]


def missing() -> str:
    """Return what is not installed, as a sentence; empty when everything is there."""
    if PROGRAM is None or not MODULES.is_dir():
        return "Debian's apache2 is not installed: apt-get install apache2 (it need not run)"
    if shutil.which("curl") is None:
        return "curl is not installed: apt-get install curl"
    return ""


@contextlib.contextmanager
def serving(folder: Path, size: int) -> Iterator[Apache]:
    """Make the footage and serve it until the block ends.

    Raises:
        BrokenRunError: Apache does not start.
    """
    folder.chmod(0o755)
    ports = _free_ports(4)
    big = _prepare(folder, size)
    server = Apache(folder, *ports, *big)
    config = folder / "httpd.conf"
    config.write_text(_config(server))
    (folder / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    (folder / "netrc").chmod(0o600)
    process = subprocess.Popen([str(PROGRAM), "-f", str(config), "-DFOREGROUND"])
    try:
        _wait_for(server.link, process)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _prepare(folder: Path, size: int) -> tuple[int, float, int, float]:
    big, small = (folder / name / "ISAPI" / "ContentMgmt" for name in ("big", "small"))
    for place in (big, small):
        place.mkdir(parents=True)
        system = place.parent / "System"
        system.mkdir()
        (system / "deviceInfo").write_text(DEVICE)
    # In a process of its own: what this one has in memory would count as its children's.
    made = [_footage(place / "download", want) for place, want in ((big, size), (small, SMALL))]
    files = small.parent / "files"
    files.mkdir()
    for number in range(MANY):
        shutil.copyfile(small / "download", files / str(number))
    text = f"{USER}:{REALM}:{PASSWORD}".encode()
    (folder / "users").write_text(f"{USER}:{REALM}:{hashlib.md5(text).hexdigest()}\n")
    done = spawn([sys.executable, __file__, str(folder)])
    assert not done.output
    return (*made[0], *made[1])


def _footage(path: Path, size: int) -> tuple[int, float]:
    script = Path(__file__).with_name("footage.py")
    count, seconds = spawn([sys.executable, script, path, str(size)]).output.split()
    return int(count), float(seconds)


def _config(server: Apache) -> str:
    root = server.root
    text = CONFIG.format(
        root=root,
        modules=MODULES,
        realm=REALM,
        user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
    )
    log = f'CustomLog "{root}/access.log" plain'
    tls = f'SSLEngine on\nSSLCertificateFile "{root}/cert.pem"\n'
    tls += f'SSLCertificateKeyFile "{root}/key.pem"'
    slow = '<Location "/ISAPI/ContentMgmt">\nSetOutputFilter RATE_LIMIT\n'
    slow += f"SetEnv rate-limit {GIGABIT}\n</Location>"
    for port, files, more in (
        (server.plain, "big", ""),
        (server.secure, "big", tls),
        (server.link, "big", slow),
        (server.small, "small", ""),
    ):
        text += HOST.format(port=port, root=root, folder=files, more=f"{more}\n{log}")
    return text


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    msg = "Apache does not start"
    raise BrokenRunError(msg)


def _certify(folder: Path) -> None:
    """Write a certificate for loopback, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


if __name__ == "__main__":
    _certify(Path(sys.argv[1]))
