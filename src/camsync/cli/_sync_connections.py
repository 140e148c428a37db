"""The connections of a long run: made once, kept from run to run, renewed with a new password."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any

import attrs

from .. import registry
from .._secret import Secret
from ..credentials import Credential
from ..errors import CamsyncError
from ..provider import Provider
from ._connection import as_user, keep_learnt
from ._output import Output
from ._password import Sources, find_credential, given_password
from ._place import find_place, said_at
from ._stores import open_chain
from ._sync_options import Way
from ._vendors import check_options, check_place


_CONNECT = 10.0
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@attrs.define
class _Line:
    place: registry.Target
    credential: Credential
    options: Mapping[str, Any]
    provider: Provider
    refused: bool = False


class Connections:
    """Providers by what the user calls them, and by the options of an account.

    A provider that was refused a login sends nothing more. It is kept, so that a run every ten
    minutes does not lock the account, until the store has another password.
    """

    def __init__(self, output: Output, way: Way) -> None:
        self._output = output
        self._way = way
        self._lines: dict[tuple[str, frozenset[tuple[str, Any]]], _Line] = {}

    def __enter__(self) -> Connections:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.keep_learnt()
        for line in self._lines.values():
            line.provider.close()

    def __iter__(self) -> Iterator[tuple[str, Provider]]:
        """Yield what the user calls each, and its provider."""
        return ((name, line.provider) for (name, _), line in self._lines.items())

    def keep_learnt(self) -> None:
        """Keep what was found out in the profiles: the next run need not ask, and pay, again."""
        for line in self._lines.values():
            profile = keep_learnt(line.place.profile, line.provider)
            line.place = attrs.evolve(line.place, profile=profile)

    def ask(self, wanted: Sequence[tuple[str, Mapping[str, Any], str]]) -> None:
        """Find all passwords before signals mean something else: a prompt has hidden the echo.

        What is wrong with one of several is found again, and reported, by the run.

        Args:
            wanted: What the user calls each, the options of its provider, and where it stands.

        Raises:
            CamsyncError: There is but one, and it cannot be used.
        """
        if len(wanted) == 1:
            ((name, options, named),) = wanted
            with said_at(named):
                self.provider(name, options)
            return
        for name, options, _ in wanted:
            with contextlib.suppress(CamsyncError):
                self.provider(name, options)

    def provider(self, name: str, options: Mapping[str, Any] = _NOTHING) -> Provider:
        """Return the provider of a URL or a profile.

        Args:
            options: Those of the provider that only an account has.

        Raises:
            ConfigurationError: It is none, it has no use for an option, or there is no password.
            CredentialError: The store cannot be read.
        """
        key = name, frozenset(options.items())
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = self._connected(name, options)
        elif line.refused:
            self._renew(line)
        return line.provider

    def refused(self, label: str) -> None:
        """Note that a device has refused the login; *label* is what the user calls it."""
        for line in [line for (name, _), line in self._lines.items() if name == label]:
            line.refused = True

    def _connected(self, name: str, options: Mapping[str, Any]) -> _Line:
        place = find_place(Secret(name))
        check_options(place.url.provider, options)  # a profile may have been another's before
        check_place(place)
        sources = Sources(file=self._way.password_file, store=self._way.store)
        credential = find_credential(self._output, place, sources)
        return _Line(place, credential, options, self._provider(place, credential, options))

    def _provider(
        self, place: registry.Target, credential: Credential, given: Mapping[str, Any]
    ) -> Provider:
        options = dict(given)
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
                line.provider = self._provider(line.place, found, line.options)
                line.credential, line.refused = found, False

    def _found(self, line: _Line) -> Credential:
        given = given_password(self._output, self._way.password_file, line.place.url.username)
        if given is not None:
            return Credential(username=line.credential.username, secret=given)
        return registry.credential_for(line.place, open_chain(self._way.store))
