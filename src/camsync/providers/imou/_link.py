"""`ImouLink`: links an account by the authorization code flow, and renews what that gives."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging

from collections.abc import Callable, Sequence
from typing import Final

from ..._secret import Secret
from ..._time import utcnow
from ...credentials import Credential
from ...errors import (
    AuthenticationError,
    CamsyncError,
    ConfigurationError,
    PermissionDeniedError,
    ProtocolError,
    RequestRejectedError,
    UnreachableError,
)
from ...transport import Answer, Verify, Web, checked_timeout, is_loopback, read_url
from . import _oauth
from ._advice import whole
from ._oauth import Granted, Refused
from ._parse import text
from ._rest_codes import check_status
from ._rest_parse import OK, read_grant, read_result, strange
from ._session import LinkSession, MemorySessions, PendingLink, SessionStore
from ._tokens import ImouTokens


_log = logging.getLogger("camsync.imou")
AUTHORIZE: Final = "/oauth/authorize"
TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
_WHO: Final = "/api/v1/user/info"
_FORM: Final = "application/x-www-form-urlencoded"
SCOPES: Final = ("device.basic", "device.video", "cloud.storage", "device.list")
LINK_AGAIN: Final = "link the account again: ImouLink.begin(), and finish() with the callback"
_NO_DEFAULT: Final = (
    "give the https:// root of the gateway or account-linking service that offers this surface; "
    "there is no default, because the vendor does not document it"
)
_LATER: Final = frozenset({"server_error", "temporarily_unavailable"})


class ImouLink:
    """Links Imou accounts at a gateway by OAuth 2.0: authorization code, state and PKCE (S256).

    Sends the account's owner to the gateway's own page and never sees a password. The surface
    (``/oauth/authorize``, ``/oauth/token``, then bearer calls) is that of an integration plan. The
    vendor does not document it: it is for gateways and account-linking services that offer it, and
    was tested against the simulator only. Thread-safe.

    Args:
        base_url: The gateway's root; ``http://`` is for loopback (a simulator) only.
        client_id: As registered at the gateway.
        client_secret: Text or `Secret`, kept as a `Secret`; None for a client without one.
        redirect_uri: Your own page to which the browser comes back, as registered.
        scopes: What is asked for.
        sessions: Where links are kept between `begin` and `finish`; in memory by default.
        lifetime: Seconds in which a link has to be finished.
        timeout: Seconds to connect, and seconds of silence, before giving up; one number for both.
        verify: True for public roots, or a CA file's path.
        now: The clock.

    Raises:
        ConfigurationError: An argument is unusable.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str | Secret | None,
        redirect_uri: str,
        *,
        scopes: Sequence[str] = SCOPES,
        sessions: SessionStore | None = None,
        lifetime: float = 600.0,
        timeout: float | tuple[float, float] = (10.0, 60.0),
        verify: Verify = True,
        now: Callable[[], dt.datetime] = utcnow,
    ) -> None:
        # First of all: tracebacks can show arguments.
        client_secret = None if client_secret is None else Secret.of(client_secret)
        self.root = _root(base_url)
        self._timeout, self._verify = checked_timeout(timeout), verify
        self.host = str(self.web().home).partition("://")[2]
        if client_secret is not None:  # the same rules as for what a store keeps
            client_secret = Credential(username=client_id, secret=client_secret).secret
        if not lifetime > 0:
            msg = f"lifetime must be positive, not {lifetime}"
            raise ConfigurationError(msg)
        self._client_id = client_id
        self._secret = client_secret
        self._redirect = _own_page(redirect_uri)
        self._scopes = tuple(scopes)
        self._sessions: SessionStore = MemorySessions(now=now) if sessions is None else sessions
        self._lifetime = dt.timedelta(seconds=lifetime)
        self.now = now

    def __repr__(self) -> str:
        # Unfinished, it is still shown by tracebacks that print variables.
        return f"<ImouLink at {getattr(self, 'root', '?')}>"

    def web(self, allowed: Callable[[str], bool] | None = None) -> Web:
        """Make a transport to the gateway; the caller closes it."""
        return Web(self.root, timeout=self._timeout, verify=self._verify, allowed=allowed)

    def begin(self) -> LinkSession:
        """Begin to link an account; nothing is sent. Send the user's browser to the URL.

        Raises:
            MissingExtraError: oauthlib is not installed (extra ``oauth``).
        """
        begun = _oauth.begin(
            f"{self.root}{AUTHORIZE}", self._client_id, self._redirect, self._scopes
        )
        expires = self.now() + self._lifetime
        self._sessions.keep(
            begun.state,
            PendingLink(verifier=begun.verifier, redirect_uri=self._redirect, expires=expires),
        )
        return LinkSession(authorize_url=begun.url, state=begun.state, expires=expires)

    def finish(
        self,
        callback_url: str | Secret | None = None,
        *,
        state: str | None = None,
        code: str | Secret | None = None,
    ) -> ImouTokens:
        """Finish a link: give the URL that the browser came back to, or its state and code.

        A link can be finished once, whatever comes of it. Costs two requests: for the tokens, and
        for the account's name, without which it goes on.

        Raises:
            ConfigurationError: Neither a URL nor state and code were given.
            AuthenticationError: The link is unknown, used up or expired, or the code is refused.
            PermissionDeniedError: The account's owner said no.
            CamsyncError: The gateway cannot be asked or makes no sense.
        """
        # First of all: tracebacks can show arguments.
        callback_url = None if callback_url is None else Secret.of(callback_url)
        code = None if code is None else Secret.of(code)
        query = _query(callback_url, state, code)
        found = _oauth.state_of(query)
        pending = self._take(found)
        granted = _oauth.code_of(self._client_id, query, found)
        if isinstance(granted, Refused):
            raise _not_agreed(granted)
        body = _oauth.code_request(
            self._client_id, self._secret, granted, pending.verifier, pending.redirect_uri
        )
        tokens = self._ask(body, granted, pending.verifier)
        return ImouTokens.issued(
            self.root,
            tokens.access,
            tokens.refresh,
            tokens.seconds,
            now=self.now(),
            account=self._who(tokens.access),
        )

    def _take(self, state: str) -> PendingLink:
        pending = self._sessions.take(state) if state else None
        if pending is None:
            msg = "this callback belongs to no open link: it was used already, or began elsewhere"
            step = "begin again; if you have not begun anything, somebody else has: close the page"
            raise AuthenticationError(msg, next_step=step)
        if pending.expires <= self.now():
            msg = "this link has expired"
            raise AuthenticationError(msg, next_step="begin again, and agree within minutes")
        return pending

    def refresh(self, tokens: ImouTokens) -> ImouTokens:
        """Get new tokens: one request, which is never repeated, as the old ones may be used up.

        `linked` does this by itself, one at a time, and keeps the result.

        Raises:
            AuthenticationError: There is no refresh token, or it is refused: link again.
            CamsyncError: The gateway cannot be asked or makes no sense.
        """
        if tokens.base != self.root:
            msg = f"these tokens belong to {tokens.base}, not to {self.root}"
            raise ConfigurationError(msg, next_step=LINK_AGAIN)
        if tokens.refresh is None:
            msg = "the session is over, and the gateway has given nothing to renew it with"
            raise AuthenticationError(msg, next_step=LINK_AGAIN)
        body = _oauth.refresh_request(self._client_id, self._secret, tokens.refresh)
        fresh = self._ask(body, tokens.refresh, renewing=True)
        return ImouTokens.issued(
            self.root,
            fresh.access,
            fresh.refresh or tokens.refresh,
            fresh.seconds,
            now=self.now(),
            account=tokens.account,
        )

    def _ask(self, body: Secret, *used: Secret, renewing: bool = False) -> Granted:
        """Send one request for tokens; *used* are the secrets in it, besides our own."""
        sent = (*used, self._secret)
        with contextlib.closing(self.web()) as web:
            answer = web.post(
                f"{self.root}{TOKEN}", body, {"Content-Type": _FORM, "Accept": "application/json"}
            )
        # A refusal comes with 400 or 401, and words that say more than the status.
        if answer.status not in {200, 400, 401}:
            check_status(answer, TOKEN, sent)
        with whole(answer, TOKEN):
            result, fields = read_grant(answer.body, TOKEN, sent)
        granted = _oauth.read_tokens(self._client_id, fields)
        if isinstance(granted, Granted) and answer.status == 200 and result.code == OK:  # noqa: PLR2004
            if granted.kind.lower() != "bearer":
                raise strange(TOKEN, "holds tokens of another kind than Bearer")
            return granted
        refused = granted if isinstance(granted, Refused) else Refused(error="")
        raise _no_tokens(refused, result.code, result.msg, renewing=renewing)

    def _who(self, access: Secret) -> str:
        """Ask what the account is called; a gateway need not say it."""
        headers = {"Authorization": Secret(f"Bearer {access.reveal()}")}
        try:
            with contextlib.ExitStack() as stack:
                web = stack.enter_context(contextlib.closing(self.web()))
                reply = web.get(f"{self.root}{_WHO}", headers=headers)
                stack.enter_context(contextlib.closing(reply))
                answer = Answer(status=reply.status, headers=reply.headers, body=reply.read())
            check_status(answer, _WHO, (access,))
            result = read_result(answer.body, _WHO)
        except CamsyncError as error:
            _log.info("the gateway does not say whose account it is: %s", error.message)
            return ""
        return text(result.data, "email", "userId", "name")


def _root(base_url: object) -> str:
    """Check the root of a gateway.

    Raises:
        ConfigurationError: It is none.
    """
    if not isinstance(base_url, str) or not base_url.strip():
        msg = "base_url is missing"
        raise ConfigurationError(msg, next_step=_NO_DEFAULT)
    root = base_url.strip().rstrip("/")
    try:
        place = read_url(root, "base_url")
    except ConfigurationError as error:
        error.next_step = _NO_DEFAULT
        raise
    if "?" in place.path.reveal() or "#" in root:
        msg = "base_url must be a root, without query and fragment"
        raise ConfigurationError(msg, next_step=_NO_DEFAULT)
    return root


def _own_page(redirect_uri: str) -> str:
    place = read_url(redirect_uri, "redirect_uri").address
    if not place.secure and not is_loopback(place.host):
        msg = f"redirect_uri: {place} is plain HTTP, and the code would be readable on the way"
        raise ConfigurationError(msg, next_step="use https://; http:// is for loopback only")
    return redirect_uri


def _query(callback_url: Secret | None, state: str | None, code: Secret | None) -> Secret:
    if callback_url is not None and state is None and code is None:
        return _oauth.query_of(callback_url)
    if callback_url is None and state is not None and code is not None:
        return _oauth.written(state, code)
    msg = "finish() takes either the callback's URL, or its state and its code"
    raise ConfigurationError(msg)


def _words(refused: Refused) -> str:
    return f" ({refused.words})" if refused.words else ""


def _not_agreed(refused: Refused) -> CamsyncError:
    """Build the error for a callback without a code."""
    if refused.error == "access_denied":
        msg = f"the account's owner, or the gateway, did not agree{_words(refused)}"
        step = "begin again, and agree; check that the account is the right one"
        return PermissionDeniedError(msg, next_step=step, vendor_code=refused.error)
    if refused.error in _LATER:
        msg = f"the gateway could not ask the account's owner{_words(refused)}"
        step = "begin again later"
        return UnreachableError(msg, next_step=step, vendor_code=refused.error)
    if refused.error == "missing_code":
        msg = "the callback holds neither a code nor an error"
        return ProtocolError(msg, next_step="give the whole URL that the browser came back to")
    msg = f"the gateway refuses to ask the account's owner{_words(refused)}"
    step = "check client id, redirect_uri and scopes against what is registered at the gateway"
    return RequestRejectedError(msg, next_step=step, vendor_code=refused.error)


def _no_tokens(refused: Refused, code: str, msg: str, *, renewing: bool) -> CamsyncError:
    """Build the error for an answer without tokens."""
    if code != OK and refused.error in {"", "missing_token"}:
        refused = Refused(error=code, words=msg)
    what = "renewing the session" if renewing else "the code of this link"
    words, word = _words(refused), refused.error
    if word in {"invalid_client", "unauthorized_client"}:
        return AuthenticationError(
            f"the gateway refuses client id or client secret{words}",
            next_step="check both against what is registered at the gateway",
            vendor_code=word,
        )
    if word in _LATER:
        text = f"the gateway has trouble{words}"
        return UnreachableError(text, next_step="try again later", vendor_code=word)
    if word in {"", "missing_token"}:
        return strange(TOKEN, "holds neither tokens nor an error")
    return AuthenticationError(
        f"the gateway refuses {what}{words}", next_step=LINK_AGAIN, vendor_code=word
    )
