"""`Book`: the decrypted entries of an encrypted file.

They are a JSON list with one entry in each line and its members in a fixed order, so that one
entry is found and changed without reading the others: with thousands of entries that is what
makes the store fast, and few secrets are ever taken apart.
"""

from __future__ import annotations

import json

from collections.abc import Iterator

from .._secret import Secret
from . import Credential, CredentialName
from ._bytes import SecretBytes


_EMPTY = b"[\n]"
_BEGIN = b'\n{"provider":'
_MEMBER = b'"provider":'  # in a text of JSON every quote is escaped: this is the member only


class Unreadable(Exception):  # noqa: N818 - becomes a DamagedStoreError, which names the file
    """What was decrypted is not a book. Its text says why, without anything of the content."""


class Book:
    """Entries as the text of a file. Shows nothing, and cannot be pickled.

    Raises:
        Unreadable: *text* is something else.
    """

    __slots__ = ("_text",)

    def __init__(self, text: SecretBytes | None = None) -> None:
        self._text = SecretBytes(_EMPTY) if text is None else text
        framed = self._text.reveal().startswith(b"[") and self._text.reveal().endswith(b"\n]")
        if not framed or len(self) != self._text.reveal().count(_MEMBER):
            msg = "its entries are laid out in another way"
            raise Unreadable(msg)

    def __len__(self) -> int:
        return self._text.reveal().count(_BEGIN)

    def __repr__(self) -> str:
        return f"Book({len(self)} entries)"

    @property
    def text(self) -> SecretBytes:
        """What is to be encrypted."""
        return self._text

    def get(self, name: CredentialName) -> Credential | None:
        """Return the entry called *name*, or None.

        Raises:
            Unreadable: The entry is not a credential.
        """
        begin, end = self._find(name)
        if begin < 0:
            return None
        found = _credential(SecretBytes(self._text.reveal()[begin:end].strip(b"\n,")))
        if found is None:
            msg = "one of its entries is no credential"
            raise Unreadable(msg)
        return found

    def put(self, name: CredentialName, credential: Credential) -> None:
        """Store an entry, in the place of the one with the same name."""
        self.remove(name)
        comma = b"," if len(self) else b""
        self._text = SecretBytes(
            self._text.reveal()[:-2]
            + comma
            + b"\n"
            + _prefix(name)
            + _rest(credential).reveal()
            + b"\n]"
        )

    def remove(self, name: CredentialName) -> bool:
        """Remove the entry called *name*; False when there was none."""
        begin, end = self._find(name)
        if begin < 0:
            return False
        before = SecretBytes(self._text.reveal()[:begin])
        after = SecretBytes(self._text.reveal()[end:])
        if after.reveal() == b"\n]":
            before = SecretBytes(before.reveal().removesuffix(b","))
        self._text = SecretBytes(before.reveal() + after.reveal())
        return True

    def names(self) -> Iterator[CredentialName]:
        """Return the names of all entries.

        Raises:
            Unreadable: One of them is not a name.
        """
        names = _names(self._text)
        if names is None:
            msg = "one of its entries has no proper name"
            raise Unreadable(msg)
        return iter(names)

    def _find(self, name: CredentialName) -> tuple[int, int]:
        """Return where the line of *name* begins, line feed included, and ends; -1 for nowhere."""
        begin = self._text.reveal().find(b"\n" + _prefix(name))
        return begin, self._text.reveal().find(b"\n", begin + 1)


def _prefix(name: CredentialName) -> bytes:
    head = {"provider": name.provider, "account": name.account, "owner": name.owner}
    return _dumps(head)[:-1] + b","


def _rest(credential: Credential) -> SecretBytes:
    return SecretBytes(
        _dumps({"username": credential.username, "secret": credential.secret.reveal()})[1:]
    )


def _dumps(members: dict[str, str | None]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode("ascii")


# The two below catch and say None instead of raising: their frames, and those of json, hold secrets.


def _credential(line: SecretBytes) -> Credential | None:
    try:
        entry = json.loads(line.reveal())
        return Credential(username=entry["username"], secret=Secret(entry["secret"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _names(text: SecretBytes) -> list[CredentialName] | None:
    try:
        return [
            CredentialName(entry["provider"], entry["account"], entry["owner"])
            for entry in json.loads(text.reveal())
        ]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
