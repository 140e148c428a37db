"""The connections of a long run: made once, kept from run to run, renewed with a new password."""

from __future__ import annotations

import contextlib

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import attrs

from .. import registry
from .._secret import Secret
from ..credentials import Credential
from ..errors import CamsyncError
from ..provider import Provider
from ._connection import as_user
from ._output import Output
from ._password import Sources, find_credential, given_password
from ._place import find_place
from ._stores import open_chain
from ._sync_options import Way
from ._vendors import check_place


_CONNECT = 10.0


@attrs.define
class _Line:
    place: registry.Target
    credential: Credential
    provider: Provider
    refused: bool = False


class Connections:
    """Providers by what the user calls them.

    A provider that was refused a login sends nothing more. It is kept, so that a run every ten
    minutes does not lock the account, until the store has another password.
    """

    def __init__(self, output: Output, way: Way) -> None:
        self._output = output
        self._way = way
        self._lines: dict[str, _Line] = {}

    def __enter__(self) -> Connections:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line in self._lines.values():
            line.provider.close()

    def ask(self, names: Sequence[str]) -> None:
        """Find all passwords before signals mean something else: a prompt has hidden the echo.

        What is wrong with one of several is found again, and reported, by the run.

        Raises:
            CamsyncError: There is but one, and it cannot be used.
        """
        if len(names) == 1:
            self.provider(names[0])
            return
        for name in names:
            with contextlib.suppress(CamsyncError):
                self.provider(name)

    def provider(self, name: str) -> Provider:
        """Return the provider of a URL or a profile.

        Raises:
            ConfigurationError: It is none, or there is no password.
            CredentialError: The store cannot be read.
        """
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = self._connected(name)
        elif line.refused:
            self._renew(line)
        return line.provider

    def refused(self, label: str) -> None:
        """Note that a device has refused the login; *label* is what the user calls it."""
        for line in [line for name, line in self._lines.items() if name == label]:
            line.refused = True

    def _connected(self, name: str) -> _Line:
        place = find_place(Secret(name))
        check_place(place)
        sources = Sources(file=self._way.password_file, store=self._way.store)
        credential = find_credential(self._output, place, sources)
        return _Line(place, credential, self._provider(place, credential))

    def _provider(self, place: registry.Target, credential: Credential) -> Provider:
        options: dict[str, Any] = {}
        if self._way.timeout is not None:
            options["timeout"] = (min(self._way.timeout, _CONNECT), self._way.timeout)
        # Not by the URL again: a profile that is deleted meanwhile would leave its name as a host's.
        named = as_user(place, credential.username)
        return registry.connect_to(named, password=credential.secret, **options)

    def _renew(self, line: _Line) -> None:
        """Take another password if there is one by now. Nobody is asked."""
        with contextlib.suppress(CamsyncError):
            found = self._found(line)
            if found != line.credential:
                line.provider.close()
                line.provider = self._provider(line.place, found)
                line.credential, line.refused = found, False

    def _found(self, line: _Line) -> Credential:
        given = given_password(self._output, self._way.password_file, line.place.url.username)
        if given is not None:
            return Credential(username=line.credential.username, secret=given)
        return registry.credential_for(line.place, open_chain(self._way.store))
