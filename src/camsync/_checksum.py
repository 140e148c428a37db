"""The SHA-256 of a file, read in blocks that memory does not notice."""

from __future__ import annotations

import hashlib

from typing import BinaryIO

from ._cancel import CancelToken, check_cancelled


_BLOCK = 1 << 20


def digest_of(file: BinaryIO, cancel: CancelToken | None = None) -> str:
    """Return the SHA-256 of what is left to read of *file*, in hexadecimal digits.

    Raises:
        CancelledError: *cancel* was set.
        OSError: It cannot be read.
    """
    summed = hashlib.sha256()
    while block := file.read(_BLOCK):
        check_cancelled(cancel)
        summed.update(block)
    return summed.hexdigest()
