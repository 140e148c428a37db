"""Words that are too long for a pattern.

Compiling a pattern takes microseconds for each character, and a hostile device names things with a
megabyte. Such words are searched one by one. Marks hold their places while everything else is
replaced, so that nothing is replaced twice.
"""

from __future__ import annotations

import itertools
import re

from collections.abc import Callable, Iterable
from typing import Final


MOST: Final = 512
"""Characters of a word that a pattern may hold."""

_BEGIN, _END = "\ue000", "\ue001"
_DIGITS: Final = range(0xE100, 0xF900)
_MARK: Final = re.compile(f"{_BEGIN}([{chr(_DIGITS[0])}-{chr(_DIGITS[-1])}]{{2}}){_END}")


class LongWords:
    """The long ones among some words.

    Args:
        words: Words of any length; shorter ones are left out.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        found = {word for word in words if len(word) > MOST}
        longest = sorted(found, key=lambda word: (-len(word), word))
        # Two characters are 37 million marks: more words than 18 GB have room for.
        marks = map("".join, itertools.product(map(chr, _DIGITS), repeat=2))
        self._words = dict(zip(marks, longest, strict=False))

    def hold(self, text: str) -> str:
        """Put marks in the place of the words: characters that no device and no pattern uses."""
        for mark, word in self._words.items():
            if word in text:
                text = text.replace(word, f"{_BEGIN}{mark}{_END}")
        return text

    def release(self, text: str, by: Callable[[str], str]) -> str:
        """Put *by* of the words in the place of the marks."""
        if not self._words:
            return text
        return _MARK.sub(
            lambda match: by(self._words[match[1]]) if match[1] in self._words else match[0], text
        )
