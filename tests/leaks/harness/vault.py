"""The planted secrets, and every form in which one of them could come out."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets

from collections.abc import Iterator
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import attrs


# What quoting, escaping and encodings stumble over. The core before it stays as it is in all of
# them, so it is found even in a form that nobody thought of.
_NASTY = "\"%&<\\'é€ /@:#"
_NAMES = ("password", "wrong", "passphrase", "other-passphrase", "cloud", "detail")
_USER = "admin"


@attrs.frozen
class Needle:
    """One form of one secret.

    Attributes:
        secret: Its name in the vault.
        form: How it is written.
        data: The bytes to look for; in lower case when *folded*.
        folded: Whether upper and lower case are the same.
    """

    secret: str
    form: str
    data: bytes = attrs.field(repr=False)
    folded: bool = False


class Vault:
    """Unique secrets by name. Its repr shows none, because it stands in frames of scenarios."""

    __slots__ = ("_cores", "_needles", "_plain", "_sharp")

    def __init__(self) -> None:
        self._plain: dict[str, str] = {}
        self._cores: dict[str, str] = {}
        self._needles: list[Needle] = []
        self._sharp: list[Needle] | None = None
        for name in _NAMES:
            core = f"zq{secrets.token_hex(6)}"
            self._keep(name, core, core + _NASTY)
        for name in ("key", "other-key"):
            self.keep_key(name, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())

    def __repr__(self) -> str:
        return f"<Vault {len(self._plain)} secrets, {len(self._needles)} needles>"

    def plain(self, name: str) -> str:
        """Return a secret. Call it inside a call's brackets only, never bind the result."""
        return self._plain[name]

    def core(self, name: str) -> str:
        """Return the unique part, for places that take letters and digits only."""
        return self._cores[name]

    def _keep(self, name: str, core: str, plain: str) -> None:
        self._cores[name], self._plain[name] = core, plain
        self._needles += _text_needles(name, core, plain)
        self._sharp = None

    def keep_key(self, name: str, text: str) -> None:
        """Take in a key that somebody made: URL-safe base64 of 32 bytes."""
        self._plain[name] = self._cores[name] = text
        self._needles.append(Needle(name, "plain", text.rstrip("=").encode()))
        self._needles += _blob_needles(name, "text", text.rstrip("=").encode())
        raw = base64.urlsafe_b64decode(text)
        self.keep_bytes(name, raw)
        for half in (raw[:16], raw[16:]):  # Fernet signs with one and encrypts with the other
            self.keep_bytes(name, half)

    def keep_bytes(self, name: str, raw: bytes) -> None:
        """Take in bytes that are as good as the secret: a derived key, a hash."""
        self._needles.append(Needle(name, "raw", raw))
        self._needles.append(Needle(name, "repr of bytes", repr(raw)[2:-1].encode()))
        self._needles += _blob_needles(name, "raw", raw)
        self._sharp = None

    def keep_realm(self, realm: str) -> None:
        """Take in what Digest makes of the passwords for *realm*: as good as the password."""
        for name in ("password", "wrong"):
            line = f"{_USER}:{realm}:{self._plain[name]}".encode()
            self.keep_bytes(f"{name} as HA1", hashlib.md5(line, usedforsecurity=False).digest())
            self.keep_bytes(f"{name} as SHA-256 HA1", hashlib.sha256(line).digest())

    @property
    def needles(self) -> list[Needle]:
        """Every form of every secret."""
        return list(self._needles)

    def find(self, data: bytes) -> Iterator[tuple[Needle, int]]:
        """Yield each needle in *data*, and where."""
        if self._sharp is None:
            self._sharp = _without_longer(self._needles)
        folded = data.lower()
        for needle in self._sharp:
            where = (folded if needle.folded else data).find(needle.data)
            if where >= 0:
                yield needle, where


def _without_longer(needles: list[Needle]) -> list[Needle]:
    """Leave out needles that hold another one of that secret: where they are, it is found."""
    sharp: dict[str, list[Needle]] = {}
    for needle in sorted(needles, key=lambda one: (len(one.data), not one.folded)):
        folded, known = needle.data.lower(), sharp.setdefault(needle.secret, [])
        if not any(one.data in (folded if one.folded else needle.data) for one in known):
            known.append(needle)
    return [needle for known in sharp.values() for needle in known]


def _text_needles(name: str, core: str, plain: str) -> Iterator[Needle]:
    yield Needle(name, "core", core.encode(), folded=True)
    forms = {
        "plain": plain,
        "repr": repr(plain)[1:-1],
        "ascii": ascii(plain)[1:-1],
        "JSON": json.dumps(plain)[1:-1],
        "JSON in Unicode": json.dumps(plain, ensure_ascii=False)[1:-1],
        "URL": quote(plain, safe=""),
        "URL with slashes": quote(plain),
        "form": quote_plus(plain),
        "XML": escape(plain),
        "XML attribute": quoteattr(plain)[1:-1],
        "login": f"{_USER}:{plain}",
    }
    for form, text in forms.items():
        yield Needle(name, form, text.encode())
    for form, text in {"core": core, "secret": plain, "login": f"{_USER}:{plain}"}.items():
        yield from _blob_needles(name, form, text.encode())
        for codec in ("utf-16-le", "utf-16-be"):
            yield Needle(name, f"{form} in {codec}", text.encode(codec))
            yield from _blob_needles(name, f"{form} in {codec}", text.encode(codec))


def _blob_needles(name: str, form: str, raw: bytes) -> Iterator[Needle]:
    yield Needle(name, f"hex of the {form}", raw.hex().encode(), folded=True)
    for shift in range(3):
        yield Needle(name, f"base64 of the {form}", _base64(raw, shift))
        yield Needle(name, f"URL-safe base64 of the {form}", _base64(raw, shift, b"-_"))


def _base64(raw: bytes, shift: int, special: bytes = b"+/") -> bytes:
    """Return what base64 always makes of *raw* when *shift* bytes (of three) stand before it."""
    text = base64.b64encode(bytes(shift) + raw, special)
    edge = (0, 2, 3)[shift]
    partial = (shift + len(raw)) % 3
    return text[edge : len(text) - (0, 3, 2)[partial]]
