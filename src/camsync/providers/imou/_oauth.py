"""The words of OAuth 2.0 (RFC 6749, RFC 7636), spoken by oauthlib; no I/O.

oauthlib writes and reads messages and leaves sending them to us: so time limits, certificates,
proxies and tracebacks are those of `camsync.transport`. (requests-oauthlib, which sends them too,
logs every body with its tokens at DEBUG level.) What oauthlib raises never leaves this module: its
frames hold the tokens.
"""

from __future__ import annotations

import json

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs

from ..._secret import Secret
from ...errors import MissingExtraError
from ._parse import clean_message


if TYPE_CHECKING:
    from oauthlib.oauth2 import WebApplicationClient

_METHOD: Final = "S256"
_VERIFIER: Final = 96
_ANYWHERE: Final = "https://callback.invalid/?"
"""The library wants a URL, and only its query says something."""


@attrs.frozen(kw_only=True)
class Begun:
    """A link that begins."""

    url: str = attrs.field(repr=False)
    state: str = attrs.field(repr=False)
    verifier: Secret


@attrs.frozen(kw_only=True)
class Refused:
    """What the other side said instead of yes.

    Attributes:
        error: The word of RFC 6749, such as ``invalid_grant``.
        words: Its description, cleaned.
    """

    error: str
    words: str = ""


@attrs.frozen(kw_only=True)
class Granted:
    """Tokens, as they were given out."""

    access: Secret
    refresh: Secret | None
    seconds: int | None
    kind: str


def _client(client_id: str) -> WebApplicationClient:
    try:
        from oauthlib.oauth2 import WebApplicationClient
    except ImportError as error:
        missing = MissingExtraError.for_extra("oauth", "linking an account")
        raise missing from error
    return WebApplicationClient(client_id)


def begin(endpoint: str, client_id: str, redirect_uri: str, scopes: Sequence[str]) -> Begun:
    """Write the URL to which the browser goes.

    Raises:
        MissingExtraError: oauthlib is not installed.
    """
    client = _client(client_id)
    verifier = Secret(client.create_code_verifier(_VERIFIER))
    scheme, _, rest = endpoint.partition("://")
    # The library refuses http://, which is checked elsewhere and is for loopback only.
    url, _, _ = client.prepare_authorization_request(
        f"https://{rest}",
        redirect_url=redirect_uri,
        scope=list(scopes),
        code_challenge=client.create_code_challenge(verifier.reveal(), _METHOD),
        code_challenge_method=_METHOD,
    )
    return Begun(
        url=f"{scheme}{url.removeprefix('https')}", state=str(client.state), verifier=verifier
    )


def query_of(callback: Secret) -> Secret:
    """Return the query of the URL that the browser came back to; empty when it is no URL."""
    try:
        return Secret(urlsplit(callback.reveal()).query)
    except ValueError:
        return Secret("")


def written(state: str, code: Secret) -> Secret:
    """Return the query of a callback of which somebody else has taken the parts out."""
    return Secret(urlencode({"state": state, "code": code.reveal()}, errors="replace"))


def state_of(query: Secret) -> str:
    """Return the state of a callback; empty without one."""
    return parse_qs(query.reveal()).get("state", [""])[0]


def code_of(client_id: str, query: Secret, state: str) -> Secret | Refused:
    """Return the code of a callback."""
    client = _client(client_id)
    from oauthlib.oauth2 import OAuth2Error

    try:
        found = client.parse_request_uri_response(_ANYWHERE + query.reveal(), state=state)
    except OAuth2Error as error:
        return _refused(error)
    return Secret(str(found["code"]))


def code_request(
    client_id: str, client_secret: Secret | None, code: Secret, verifier: Secret, redirect_uri: str
) -> Secret:
    """Write the request that turns a code into tokens."""
    return Secret(
        _client(client_id).prepare_request_body(
            code=code.reveal(),
            redirect_uri=redirect_uri,
            code_verifier=verifier.reveal(),
            client_secret=None if client_secret is None else client_secret.reveal(),
        )
    )


def refresh_request(client_id: str, client_secret: Secret | None, refresh: Secret) -> Secret:
    """Write the request for new tokens.

    Raises:
        MissingExtraError: oauthlib is not installed.
    """
    return Secret(
        _client(client_id).prepare_refresh_body(
            refresh_token=refresh.reveal(),
            client_id=client_id,
            client_secret=None if client_secret is None else client_secret.reveal(),
        )
    )


def read_tokens(client_id: str, fields: Mapping[str, object]) -> Granted | Refused:
    """Read the answer to either request.

    Args:
        fields: The members of RFC 6749, 5.1 and 5.2; tokens as `Secret`.
    """
    client = _client(client_id)
    from oauthlib.oauth2 import OAuth2Error

    document = Secret(json.dumps({name: _shown(value) for name, value in fields.items()}))
    try:
        found = client.parse_request_body_response(document.reveal())
    except OAuth2Error as error:
        return _refused(error)
    return Granted(
        access=Secret(str(found["access_token"])),
        refresh=Secret(str(found["refresh_token"])) if found.get("refresh_token") else None,
        seconds=found.get("expires_in"),
        kind=str(found.get("token_type", "Bearer")),
    )


def _shown(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else value


def _refused(error: Exception) -> Refused:
    word = clean_message(getattr(error, "error", None))[:40]
    return Refused(error=word, words=clean_message(getattr(error, "description", None)))
