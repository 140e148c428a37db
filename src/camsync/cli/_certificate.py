"""A device's certificate: how it is shown, and the question whether to trust it."""

from __future__ import annotations

import datetime as dt
import re

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import CamsyncError, CertificateError, ConfigurationError
from ._format import utc_text
from ._json import stamp
from ._output import Output
from ._prompt import confirmed, on_terminal


if TYPE_CHECKING:
    from ..transport import Certificate

_PREFIX = "sha256:"
_DIGITS = re.compile(r"[0-9a-f]{64}", re.ASCII)
_GROUP = 4
_GROUPS = 8
_SHORT = 12
_UNKNOWN = "(none)"
_MEANING = (
    "that happens when the recorder was reset, replaced or renewed its certificate; "
    "it also happens when somebody has put himself in between"
)
_COMPARE = (
    "compare the fingerprint with the one that a browser shows when it is connected to the "
    "recorder directly, by cable"
)


@attrs.frozen(kw_only=True)
class Wish:
    """What the user said about trusting before he was asked.

    Attributes:
        yes: Trust on first use: whatever is shown, if nothing is pinned yet.
        replace: With *yes*, also in the place of another pin.
        fingerprint: The only one that will do, or None.
    """

    yes: bool = False
    replace: bool = False
    fingerprint: str | None = attrs.field(default=None)

    @fingerprint.validator
    def _check(self, _: object, value: str | None) -> None:
        if value is not None and _DIGITS.fullmatch(digits_of(value)) is None:
            msg = f"--fingerprint: {value[:80]!r} is no SHA-256 fingerprint"
            raise ConfigurationError(msg, next_step="write 'sha256:' and 64 hex digits")


def digits_of(fingerprint: str) -> str:
    """Return the hexadecimal digits of any spelling of a fingerprint."""
    return fingerprint.lower().removeprefix(_PREFIX).replace(":", "").replace(" ", "")


def short(fingerprint: str) -> str:
    """Return the beginning, for tables."""
    return f"{_PREFIX}{digits_of(fingerprint)[:_SHORT]}…"


def grouped(fingerprint: str) -> list[str]:
    """Return the digits in two lines of groups, which can be compared by eye or read out."""
    digits = digits_of(fingerprint)
    groups = [digits[place : place + _GROUP] for place in range(0, len(digits), _GROUP)]
    return [" ".join(groups[place : place + _GROUPS]) for place in range(0, len(groups), _GROUPS)]


def show_certificate(output: Output, where: str, certificate: Certificate) -> None:
    """Print what the certificate says of itself, and its fingerprint.

    With ``--json`` a person at the terminal still gets it, on stderr: he will be asked about it.
    """
    lines = [f"{where} shows this certificate:", *_lines(certificate)]
    for line in lines:
        if not output.json:
            output.line(line)
        elif on_terminal():
            output.note(line)


def _lines(certificate: Certificate) -> list[str]:
    issuer = "itself (self-signed)" if certificate.self_signed else certificate.issuer
    first, *more = grouped(certificate.fingerprint)
    entries = [
        ("subject", certificate.subject),
        ("issued by", issuer),
        ("names", ", ".join(certificate.names)),
        ("valid", _validity(certificate)),
        ("key", certificate.key),
        ("sha256", first),
        *(("", line) for line in more),
    ]
    return [f"  {name:10} {text or _UNKNOWN}" for name, text in entries]


def _validity(certificate: Certificate) -> str:
    bounds = (certificate.not_before, certificate.not_after)
    start, end = (_UNKNOWN if moment is None else utc_text(moment) for moment in bounds)
    remark = " (NOT YET VALID)" if certificate.not_yet_valid() else ""
    return f"{start} to {end}{' (EXPIRED)' if certificate.expired() else remark}"


def certificate_json(certificate: Certificate) -> dict[str, Any]:
    """Return everything about the certificate."""
    return {
        "fingerprint": certificate.fingerprint,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "not_before": _maybe_stamp(certificate.not_before),
        "not_after": _maybe_stamp(certificate.not_after),
        "expired": certificate.expired(),
        "self_signed": certificate.self_signed,
        "key": certificate.key,
    }


def _maybe_stamp(moment: dt.datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


def decide(
    output: Output,
    certificate: Certificate,
    pinned: Sequence[str],
    wish: Wish,
    *,
    command: str,
    otherwise: CamsyncError,
) -> None:
    """Return if *certificate* is to be trusted.

    Args:
        command: What to type to pin it: ``camsync trust front-shop``.
        pinned: Other certificates that are pinned for this device.
        otherwise: What to raise when the question cannot be asked.

    Raises:
        CertificateError: It is not the wanted one, would replace another pin, or the answer was no.
        CamsyncError: *otherwise*.
    """
    actual = certificate.fingerprint
    if wish.fingerprint is not None:
        _compare(wish.fingerprint, actual)
        return
    if pinned:
        _show_change(output, pinned, actual)
    if wish.yes and (wish.replace or not pinned):
        return
    if wish.yes:
        raise _changed(pinned[0], actual, command)
    question = "Trust the NEW one in its place?" if pinned else "Trust it from now on?"
    if not confirmed(question, otherwise=otherwise):
        msg = "the certificate was not confirmed; nothing was stored"
        raise CertificateError(
            msg, expected=pinned[0] if pinned else None, actual=actual, next_step=_COMPARE
        )


def _compare(wanted: str, actual: str) -> None:
    if digits_of(wanted) != digits_of(actual):
        expected = f"{_PREFIX}{digits_of(wanted)}"
        msg = f"the device shows another certificate: expected {expected}, got {actual}"
        step = "do not trust it before you know why: somebody may be in between"
        raise CertificateError(msg, expected=expected, actual=actual, next_step=step)


def _changed(expected: str, actual: str, command: str) -> CertificateError:
    return CertificateError(
        f"another certificate is pinned already: expected {expected}, got {actual}",
        expected=expected,
        actual=actual,
        next_step=f"if the recorder was reset or renewed its certificate: {command} --yes --replace, "
        f"or safer {command} --fingerprint {actual}; otherwise somebody may be in between",
    )


def _show_change(output: Output, pinned: Sequence[str], actual: str) -> None:
    if output.json and not on_terminal():
        return  # both fingerprints are in the error
    output.warning("this is NOT the certificate that was trusted until now")
    for label, fingerprint in (*(("old", pin) for pin in pinned), ("new", actual)):
        pin = fingerprint.startswith(_PREFIX)
        output.note(f"  {label}  {' '.join(grouped(fingerprint)) if pin else fingerprint}")
    output.note(f"  {_MEANING}")
