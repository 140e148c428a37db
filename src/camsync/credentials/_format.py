"""The encrypted file: three lines of text. What is in them, and how they are sealed and opened.

1. A JSON header: format, cipher, how the key is derived and from what salt, a check value that
   tells a wrong key from damage, and the nonce.
2. The ciphertext in base64: AES-256-GCM over a `Book`, with the bytes of the first line as
   associated data.
3. ``sha256:`` and the digest of the first two lines, which tells accidental damage from a change.

Encryption key and check value come from the derived key through HKDF, each with a label of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ..errors import ConfigurationError, DamagedStoreError, WrongKeyError
from ._bytes import KEY_BYTES, SecretBytes


_MARK = "camsync_credentials"
_VERSION = 1
_CIPHER = "AES-256-GCM"
_SCRYPT = "scrypt"
_HKDF = "hkdf-sha256"
_SALT = 16
_NONCE = 12
_CHECK = 8
_LONGEST_HEADER = 4096
_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}", re.ASCII)
_ENCRYPTION = b"camsync credentials 1: encryption"
_CHECKING = b"camsync credentials 1: check"
_MAX_N = 1 << 20
_MAX_R = 32
_MAX_P = 16
_MAX_MEMORY = 1 << 30


def _check_costs(scrypt: Scrypt) -> str | None:
    """Say what is wrong with the parameters, which may come from a hostile file."""
    whole = all(type(each) is int for each in attrs.astuple(scrypt))
    if not whole or not (
        1 < scrypt.n <= _MAX_N and 0 < scrypt.r <= _MAX_R and 0 < scrypt.p <= _MAX_P
    ):
        return f"n, r and p must be whole numbers up to {_MAX_N}, {_MAX_R} and {_MAX_P}"
    if scrypt.n & (scrypt.n - 1):
        return "n must be a power of two"
    if 128 * scrypt.n * scrypt.r > _MAX_MEMORY:
        return f"they need more than {_MAX_MEMORY >> 20} MiB of memory"
    return None


@attrs.frozen
class Scrypt:
    """How costly it is to derive a key from a passphrase (RFC 7914), and so to guess it.

    Attributes:
        n: Rounds; a power of two.
        r: Block size. Memory is 128 * n * r bytes.
        p: How often all of it is done.

    Raises:
        ConfigurationError: They are out of bounds.
    """

    n: int
    r: int
    p: int

    def __attrs_post_init__(self) -> None:
        trouble = _check_costs(self)
        if trouble is not None:
            msg = f"these parameters of scrypt cannot be used: {trouble}"
            raise ConfigurationError(msg)


#: OWASP's first recommendation for scrypt: 128 MiB, about a third of a second.
SCRYPT_DEFAULT = Scrypt(n=1 << 17, r=8, p=1)
#: For tests only: next to nothing, so that they are fast.
SCRYPT_CHEAPEST = Scrypt(n=2, r=1, p=1)


@attrs.frozen
class Passphrase:
    """The key is derived from a passphrase."""

    costs: Scrypt
    salt: bytes = attrs.field(repr=False)


@attrs.frozen
class Key:
    """The key is derived from a random key."""

    salt: bytes = attrs.field(repr=False)


Derivation: TypeAlias = "Passphrase | Key"


def fresh_salt() -> bytes:
    """Make a salt."""
    return os.urandom(_SALT)


def check_of(derived: SecretBytes) -> bytes:
    """Return what the header says about the derived key."""
    return HKDFExpand(hashes.SHA256(), _CHECK, _CHECKING).derive(derived.reveal())


def _cipher(derived: SecretBytes) -> AESGCM:
    return AESGCM(HKDFExpand(hashes.SHA256(), KEY_BYTES, _ENCRYPTION).derive(derived.reveal()))


def seal(derivation: Derivation, derived: SecretBytes, text: SecretBytes) -> bytes:
    """Return the content of a file, with a nonce that was never used before."""
    nonce = os.urandom(_NONCE)
    header = json.dumps(
        {
            _MARK: _VERSION,
            "cipher": _CIPHER,
            "kdf": _kdf(derivation),
            "check": _encoded(check_of(derived)),
            "nonce": _encoded(nonce),
        },
        separators=(",", ":"),
    ).encode("ascii")
    sealed = base64.b64encode(_cipher(derived).encrypt(nonce, text.reveal(), header))
    lines = header + b"\n" + sealed + b"\n"
    return lines + _digest(lines) + b"\n"


def _kdf(derivation: Derivation) -> dict[str, Any]:
    salt = {"salt": _encoded(derivation.salt)}
    if isinstance(derivation, Key):
        return {"name": _HKDF, **salt}
    return {"name": _SCRYPT, **attrs.asdict(derivation.costs), **salt}


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _digest(lines: bytes) -> bytes:
    return b"sha256:" + hashlib.sha256(lines).hexdigest().encode("ascii")


@attrs.frozen(repr=False)
class Sealed:
    """A file as it was read, taken apart but not decrypted."""

    where: str
    header: bytes
    derivation: Derivation
    check: bytes
    nonce: bytes
    ciphertext: bytes

    def open(self, derived: SecretBytes) -> SecretBytes:
        """Decrypt it.

        Raises:
            WrongKeyError: It was sealed with another key.
            DamagedStoreError: It was changed by somebody who corrected the digest.
        """
        if not hmac.compare_digest(self.check, check_of(derived)):
            what = "passphrase" if isinstance(self.derivation, Passphrase) else "key"
            msg = f"{self.where} was written with another {what}"
            raise WrongKeyError(msg)
        text = self._decrypted(derived)
        if text is None:
            msg = f"{self.where} was changed by something other than camsync: its seal is broken"
            raise DamagedStoreError(msg)
        return text

    def _decrypted(self, derived: SecretBytes) -> SecretBytes | None:
        try:
            return SecretBytes(_cipher(derived).decrypt(self.nonce, self.ciphertext, self.header))
        except InvalidTag:
            return None


def parse(content: bytes, where: str) -> Sealed:
    """Take a file apart. Nothing in it is trusted; *where* is its name for messages.

    Raises:
        DamagedStoreError: It is cut short, changed, of another version, or something else.
    """
    header, _, rest = content.partition(b"\n")
    members = _members(header, where)
    body, _, end = rest.partition(b"\n")
    lines = header + b"\n" + body + b"\n"
    intact = end.endswith(b"\n") and _DIGEST.fullmatch(end[:-1]) and end[:-1] == _digest(lines)
    if not intact:
        msg = f"{where} is damaged: it is not as it was written"
        raise DamagedStoreError(msg)
    try:
        return Sealed(
            where=where,
            header=header,
            derivation=_derivation(members["kdf"]),
            check=_decoded(members["check"], _CHECK),
            nonce=_decoded(members["nonce"], _NONCE),
            ciphertext=base64.b64decode(body, validate=True),
        )
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        msg = f"{where} has a header that camsync does not write"
        raise DamagedStoreError(msg) from error


def _members(header: bytes, where: str) -> Mapping[str, Any]:
    try:
        members = json.loads(header) if len(header) <= _LONGEST_HEADER else None
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict) or _MARK not in members:
        msg = f"{where} is damaged, or not a file of credentials"
        raise DamagedStoreError(msg)
    if members[_MARK] != _VERSION or members.get("cipher") != _CIPHER:
        found = f"format {str(members[_MARK])[:20]}, {str(members.get('cipher'))[:40]}"
        msg = f"{where} was written by another version of camsync ({found}), or is damaged"
        raise DamagedStoreError(msg, next_step="use the newer camsync, or restore a backup")
    return members


def _derivation(members: Mapping[str, Any]) -> Derivation:
    name = members["name"]
    salt = _decoded(members["salt"], _SALT)
    if name == _HKDF:
        return Key(salt)
    if name == _SCRYPT:
        return Passphrase(Scrypt(members["n"], members["r"], members["p"]), salt)
    msg = f"unknown key derivation {str(name)[:20]!r}"
    raise ValueError(msg)


def _decoded(value: str, length: int) -> bytes:
    decoded = base64.b64decode(value, validate=True)
    if len(decoded) != length:
        msg = f"{len(decoded)} bytes instead of {length}"
        raise ValueError(msg)
    return decoded
