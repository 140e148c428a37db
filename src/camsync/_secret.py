"""`Secret`: a string that does not want to be seen. The one home of what is secret."""

from __future__ import annotations

import hmac

from typing import NoReturn


_MASK = "***"


class Secret:
    """Holds a password or a token and shows it only to `reveal`.

    ``str``, ``repr``, ``format`` and JSON show ``***``; pickling and copying into another process
    raise `TypeError`; comparing takes constant time.

    Raises:
        TypeError: *value* is not a `str` (the message never shows the value).
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            msg = f"a secret must be a str, not {type(value).__name__}"
            raise TypeError(msg)
        self._value = value

    @classmethod
    def of(cls, value: str | Secret) -> Secret:
        """Wrap *value*, or pass on what is wrapped already."""
        return value if isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        """Return the plain value. Call it as late as possible and keep the result nowhere."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({_MASK!r})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would be an oracle for the value

    def __reduce__(self) -> NoReturn:
        msg = "a Secret cannot be pickled: hand the worker a reference to a credential store"
        raise TypeError(msg)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self
