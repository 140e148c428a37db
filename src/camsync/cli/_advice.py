"""What errors advise, in the words of the command line: the library speaks of arguments and calls."""

from __future__ import annotations

import re

from .._time import utcnow
from ..errors import AccountLockedError, AuthenticationError, CamsyncError
from ._format import count_text, utc_text


REFUSED = (
    "every further command counts as another try: correct the password first; "
    "recorders lock the account after a few"
)
LOCKED = (
    "wait until the lock ends, or unlock on the recorder under System > User; "
    "until then even the right password is refused"
)
_WHOLE = {
    AuthenticationError.default_next_step: REFUSED,
    AccountLockedError.default_next_step: LOCKED,
    "give its key as key=": "set CAMSYNC_KEY_FILE or CAMSYNC_KEY",
    "give its passphrase as passphrase=": (
        "unset CAMSYNC_KEY and CAMSYNC_KEY_FILE, and set CAMSYNC_PASSPHRASE or be asked"
    ),
}
_HIDDEN = re.compile(r"\0(\d+)\0")
_PHRASES = tuple(
    (re.compile(library), option)
    for library, option in (
        (r"\bverify='(sha256:[^']*)'", r"--verify \1"),
        (r"^verify: ", "--verify: "),
        (r"\bverify=False", "--insecure-no-verify"),
        (r"\bverify=(?!\w)", "--verify"),
        (r"\bold_tls=True(?: \(--old-tls\))?", "--old-tls"),
        (r"\bold_tls=", "--old-tls"),
        (r"\bstore=", "--store"),
        (r"\buse EncryptedFileStore\b", "use --store file"),
        (r", or the store's set\(\)", ""),
        (r"\bhttps=True(?: \(hikvisions://…\))?", "hikvisions://"),
        (r"\ballow_basic=True", "--insecure-basic"),
        (r"\bcontainer='(\w+)'", r"--container \1"),
        (r"\btime_mode='(\w+)' or '(\w+)'", r"--time-mode \1 or \2"),
        (r"\btime_mode='(\w+)'", r"--time-mode \1"),
        (r"\btime_mode=", "--time-mode"),
        (r"\bgaps='(\w+)'", r"--gaps \1"),
        (r"; in Python timezone=\{[^}]*\}", ""),
        (r"\btimezone='([^']*)'(?:, or a mapping with the zone of each device)?", r"--timezone \1"),
        (r"\btimezone=", "--timezone"),
        (r"; retry_login\(\) lets camsync try again$", ""),
        (r"\bor allow waking it;", "or use --wake:"),
        (r"^raise the limit, or wait", "raise --max-calls or --max-bytes, or wait"),
        # not what stands in a file: "camsync.toml, line 4: max_calls"
        (r"(?<!: )\bmax_calls\b", "--max-calls"),
        (r"\bleft of max_bytes\b", "left of what this month may fetch"),
        (r"\braise max_bytes\b", "raise --max-bytes (--max-traffic of sync, plan and clip)"),
        (r"(?<!: )\bmax_bytes\b", "--max-bytes"),
        (r"\bstorage='(\w+)' \(--storage \1\)", r"--storage \1"),
        (r"\(wake=True, --wake\)", "(--wake)"),
        (r"\braise the timeout\b", "raise --timeout"),
        (r"\bimou://USER@HOST(?::PORT)?", "imou://APPID@sg"),
    )
)


_QUOTED = re.compile(r"""(?<![=\w])(?<!' or )(['"])(?:(?!\1).)+\1(?!\w)""")
"""What somebody has typed; not what stands behind an argument: ``container='original'``."""

_IN_A_FILE = re.compile(r"[^:\n]+(?:, line \d+|, \[\[?\w+\]|\.toml: )")
"""The beginning of a message about the file of recorders, which has words of its own."""


def words(text: str) -> str:
    """Return *text* with the options of the command line in place of the library's arguments.

    What is quoted in it stays as it was typed; so does what is said of the file of recorders.
    """
    if _IN_A_FILE.match(text):
        return text
    text = _WHOLE.get(text, text)
    typed: list[str] = []

    def hide(match: re.Match[str]) -> str:
        typed.append(match[0])
        return f"\0{len(typed) - 1}\0"

    text = _QUOTED.sub(hide, text)
    for library, option in _PHRASES:
        text = library.sub(option, text)
    return _HIDDEN.sub(lambda match: typed[int(match[1])], text)


def next_step(error: CamsyncError) -> str | None:
    """Return what a user of the command line can do about *error*, or None."""
    if isinstance(error, AccountLockedError) and error.unlock_at is not None:
        minutes = max(int((error.unlock_at - utcnow()).total_seconds() / 60), 0) + 1
        left = f"in {count_text(minutes, 'minute')}, {utc_text(error.unlock_at)}"
        return f"the lock ends {left}: {LOCKED}"
    if error.next_step is None or _IN_A_FILE.match(error.message):
        return error.next_step
    return words(error.next_step)
