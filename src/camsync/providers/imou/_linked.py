"""`linked`: an `ImouClient` for an account that was linked by `ImouLink`."""

from __future__ import annotations

import contextlib
import threading

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from ..._cancel import CancelToken
from ..._retry import RetryPolicy, as_policy
from ..._time import TimeSpan
from ...credentials import CredentialName, CredentialStore
from ...errors import DownloadUnsupportedError
from ...models import Capability, Channel, Recording, RecordingKey, RecordingKind
from ...transport import Web
from ._budget import Budget
from ._client import USUAL_RETRY, ImouClient
from ._file import FileStream, Proof, open_file
from ._grant import Grant
from ._link import ImouLink
from ._playing import Playing, Support
from ._rest import RestApi, check_place
from ._rest_call import RestCaller
from ._search import Storage
from ._wire import PROVIDER, RawRecord, Wire
from ._zones import Zone


_MOST_PROOFS: Final = 1000


def linked(
    link: ImouLink,
    store: CredentialStore,
    account: str,
    *,
    owner: str | None = None,
    timezone: Zone | Mapping[str, Zone] | None = None,
    storage: Storage = "cloud",
    retry: RetryPolicy | None = None,
    max_calls: int | None = None,
    max_bytes: int | None = None,
    usage: Path | str | None = None,
) -> ImouClient:
    """Make a client for a linked account. Nothing is sent before its first method call.

    The tokens are those that *store* holds under provider ``"imou"`` and *account* (see
    `ImouTokens.credential`). They are renewed when needed, and the new ones are put in their place.

    What it costs: `devices` 1 call, and 1 for each device that is listed without channels;
    `search` 1 per channel, local day and place, 1 more per page, and 1 behind the longest page
    so far unless the gateway sends ``total`` or ``hasMore``;
    `storage` and `plan` 1 per device; `open` 1, and 1 when its URL has expired; renewing 1.

    Args:
        link: The gateway, and what this program is called there; shared by all its accounts.
        store: Where the tokens are.
        owner: Whose account it is, where one program serves several people.
        timezone: The devices' time zone, or a mapping from device ids. Needed for searching: this
            surface does not say it.
        storage: Where `search` looks; footage on memory cards is listed, but cannot be fetched.
        retry: For connection trouble and a busy gateway; each try is a call.
        max_calls: Calls a month after which nothing more is sent.
        max_bytes: Media bytes a month after which nothing more is fetched.
        usage: The file that counts; None for ``imou-usage.json`` in camsync's own folder.

    Raises:
        ConfigurationError: An argument is unusable.
    """
    name = CredentialName(PROVIDER, account, owner)
    whose = name.account if owner is None else f"{owner}/{name.account}"
    budget = Budget(f"{whose}@{link.host}", path=usage, max_calls=max_calls, max_bytes=max_bytes)
    grant = Grant(link, store, account, owner, budget.call)
    caller = RestCaller(
        link.web(), link.root, grant, budget=budget, retry=as_policy(retry, USUAL_RETRY)
    )
    wire: Wire = RestApi(caller, whose, link.host)
    # A gateway's media may be anywhere: on any public host, and without the token.
    media = link.web(allowed=lambda _host: True)
    return LinkedClient.over(wire, media, timezone=timezone, storage=storage, budget=budget)


class LinkedClient(ImouClient):
    """An `ImouClient` over a wire whose recordings are whole MP4 files.

    `open` honours its *offset* when this client has opened the recording before and the server
    proves that the file is still the same.
    """

    def _join(
        self,
        wire: Wire,
        web: Web,
        budget: Budget,
        timezone: Zone | Mapping[str, Zone] | None,
        storage: Storage,
        learnt: Mapping[str, Any] | None = None,
    ) -> None:
        super()._join(wire, web, budget, timezone, storage, learnt)
        self._playing = FilePlaying(wire, web, budget)

    @property
    def capabilities(self) -> Capability:
        """What the account can do: downloads go on where they broke off, if the server lets them."""
        found = super().capabilities
        return found | Capability.RANGE if Capability.DOWNLOAD in found else found

    def search(
        self,
        channel: Channel,
        span: TimeSpan,
        *,
        kinds: Collection[RecordingKind] | None = None,
        storage: Storage | None = None,
    ) -> Iterator[Recording]:
        """Yield recordings; see `ImouClient.search`. Their files are MP4."""
        for recording in super().search(channel, span, kinds=kinds, storage=storage):
            yield attrs.evolve(recording, container="mp4")


class FilePlaying(Playing):
    """Opens recordings of one account as files."""

    def __init__(self, wire: Wire, web: Web, budget: Budget) -> None:
        super().__init__(wire, web, budget)
        self._lock = threading.Lock()
        self._proofs: dict[RecordingKey, Proof] = {}

    def support(self, recording: Recording) -> Support:
        """Say whether *recording* can be fetched, as far as is known."""
        found = super().support(recording)
        if found.level != "no":
            try:
                check_place(recording.key.stream)
            except DownloadUnsupportedError as error:
                return Support(level="no", reason=error.message)
        return found

    def _stream(
        self,
        opened: contextlib.ExitStack,
        recording: Recording,
        record: RawRecord,
        cancel: CancelToken | None,
        offset: int,
    ) -> FileStream:
        """Open a recording's file, from *offset* on where that can be proven."""
        with self._lock:
            proof = self._proofs.get(recording.key)
        stream = opened.enter_context(
            open_file(
                lambda: self._source(record, cancel),
                self._web,
                cancel=cancel,
                count=self._budget.count,
                check=self._budget.check_bytes,
                offset=offset,
                proof=proof,
            )
        )
        self._remember(recording.key, stream)
        return stream

    def _remember(self, key: RecordingKey, stream: FileStream) -> None:
        with self._lock:
            self._proofs.pop(key, None)
            if stream.proof is not None:
                self._proofs[key] = stream.proof
            while len(self._proofs) > _MOST_PROOFS:
                del self._proofs[next(iter(self._proofs))]
