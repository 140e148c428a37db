"""What text outside of documents holds: addresses, logins, signed URLs, and what was learnt before."""

from __future__ import annotations

import ipaddress
import json
import re

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from ._fakes import ADDRESS, IDENTIFIER, NAME, SECRET, SERIAL, USER, Fakes
from ._long import MOST, LongWords
from ._shapes import SCRUBBED
from ._tags import kind_of


_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4: Final = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_MAC: Final = (
    r"[0-9A-Fa-f]{2}(?P<sep>[:-])(?:[0-9A-Fa-f]{2}(?P=sep)){4}[0-9A-Fa-f]{2}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}"
)
_UUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
SERIAL_LINE: Final = re.compile(
    r"(?P<line>i?[A-Z]{2,4}-[A-Z0-9/()-]{4,30}?)\d{8,10}[A-Z]{4,6}\d{7,9}(?:[A-Z]{4})?", re.ASCII
)
_NAMES: Final = (
    "password|passwd|pwd|token|accessToken|kitToken|playToken|secret|appSecret|apiKey|sign"
    "|signature|digest|sessionID|sessionTag"
)
# What says without quotes whose it is: `deviceName=Shop`, `sn: C12345678`.
LABELLED: Final = re.compile(
    r"(?<![\w&?./-])(?P<label>(?i:(?:device|channel|camera|nvr|dvr|host|site|user|login)_?name|ssid"
    r"|serial_?(?:number|no)|(?:device|sub|device_?sub|short)_?serial(?:_?(?:number|no))?|serial|sn"
    r"|mac_?address|device_?id|uuid|verif(?:y|ication)_?code|admin_?pin|pin"
    r"|(?:phone|card)_?(?:number|no)))"
    r"(?P<equals>[ \t]{0,3}[:=][ \t]{0,3})(?!//)"
    r"(?P<rest>[^\s,;:=&\"'<>{}()\[\]][^,;&\"'<>{}()\[\]\r\n]{0,200})"
)
_SHAPES: Final = (
    ("pem", r"-----BEGIN [A-Z0-9 ]{1,40}-----[^-]*(?:-----END [A-Z0-9 ]{1,40}-----)?"),
    (
        "header",
        (
            r"(?P<before>\b(?i:proxy-authorization|authorization|set-cookie|cookie)[\"']?\s{0,3}[:=]"
            r"\s{0,3}(?![\"'\[]{0,2}scrubbed)[\"'\[]{0,2})[^\s\"'\]][^\r\n]{0,4000}"
        ),
    ),
    (
        "login",
        (
            r"(?P<scheme>\b(?i:Basic|Bearer)\s{1,4})(?=[^\s]{0,400}[0-9=+/])(?!scrubbed)"
            r"[A-Za-z0-9+/._~=-]{8,4096}"
        ),
    ),
    ("session", r"(?P<cookie>WebSession_\w{1,64}=)[0-9A-Fa-f]{8,}"),
    (
        "token",
        (
            r"\bgAAAAA[A-Za-z0-9_-]{40,}|\beyJ[A-Za-z0-9_-]{10,4096}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"
            r"|\b(?:At|Kt|Ut|St)_[0-9A-Za-z]{16,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
        ),
    ),
    (
        "pair",
        (
            r"(?P<mark>[\"'])(?P<key>[A-Za-z_]{2,40})(?P=mark)(?P<colon>\s{0,3}:\s{0,3})"
            r"(?:\"(?P<value>[^\"\r\n]{0,4096})\"|'(?P<single>[^'\r\n]{0,4096})')"
        ),
    ),
    (
        "field",
        r"\b(?P<word>[A-Za-z][\w-]{1,40})=(?P<quote>[\"'])(?P<quoted>[^\"'\r\n]{0,4096})(?P=quote)",
    ),
    ("labelled", LABELLED.pattern),
    (
        "parameter",
        (
            rf"(?P<given>\b(?i:{_NAMES})=|(?<=[?&;])(?i:t|c|expires|x-amz-signature)=(?=\S{{16}}))"
            rf"(?!{SCRUBBED}\b)[^\s\"'&<>,;]{{1,4096}}"
        ),
    ),
    (
        "url",
        (
            r"(?P<protocol>\b[a-z][a-z0-9+.-]{1,20}://)"
            r"(?:(?P<user>[^\s/:@\"'<>]{1,256})(?P<password>:[^\s/@\"'<>]{1,256})?@)?"
            r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\s/:\"'<>?#&\\,;)\]{}]{1,253})"
        ),
    ),
    (
        "mail",
        r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?![\w-])",
    ),
    ("print", r"\bsha256:[0-9A-Fa-f]{64}\b|(?<!\w)(?:[0-9A-Fa-f]{2}:){15,63}[0-9A-Fa-f]{2}(?!\w)"),
    ("uuid", rf"(?<![\w-]){_UUID}(?![\w-])"),
    (
        "mac",
        rf"(?<!\w)(?<!\b[0-9A-Fa-f]{{2}}[:-])(?:{_MAC})(?!\w)(?![:-][0-9A-Fa-f]{{2}}\b)",
    ),
    (
        "ipv6",
        r"(?<![\w.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}(?:(?:\d{1,3}\.){3}\d{1,3})?(?!\w)(?!\.\d)",
    ),
    ("ipv4", rf"(?<![\w.])(?<![\w]-){_IPV4}(?!\w)(?!\.\d)"),
    ("serial", rf"(?<![\w-]){SERIAL_LINE.pattern}(?!\w)"),
    # Without its model: eight or ten digits with the date, the country, a number, four letters.
    ("bare", r"(?<![\w-])\d{8,10}[A-Z]{4,6}\d{7,9}(?:[A-Z]{4})?(?!\w)"),
)
_PATTERN: Final = "|".join(f"(?P<{name}>{shape})" for name, shape in _SHAPES)
_VERSION: Final = re.compile(
    r"(?:version|firmware|build|release|camsync|urllib3)\W{0,3}v?$", re.IGNORECASE
)
_WHOLE: Final = {
    "uuid": re.compile(rf"\{{?{_UUID}\}}?"),
    "mac": re.compile(_MAC),
    "ipv4": re.compile(_IPV4, re.ASCII),
}
_BEGIN: Final = 3
_LONG: Final = 7
_LOOSE: Final = "#"
_CJK: Final = range(0x2E80, 0xA000)


def whole(value: str) -> str | None:
    """Return which shape *value* as a whole has: ``uuid``, ``mac``, ``ipv4``, ``ipv6``, or None."""
    for name, form in _WHOLE.items():
        if form.fullmatch(value):
            return name
    return "ipv6" if ":" in value and _is_ipv6(value) else None


def _is_ipv6(value: str) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return "%" not in value


class FreeText:
    """Replaces in one pass, so that nothing is replaced twice.

    Args:
        named: Replaces a value of a kind.
        keyed: Replaces a value that stands under a key.
    """

    def __init__(
        self,
        fakes: Fakes,
        named: Callable[[str, str], str],
        keyed: Callable[[str, str], str],
    ) -> None:
        self._fakes = fakes
        self._named = named
        self._keyed = keyed
        self._words: dict[str, str] = {}
        self._long = self._long_tagged = LongWords()
        self._pattern = re.compile(_PATTERN)
        self._tagged: re.Pattern[str] | None = None

    def know(self, words: Mapping[str, str]) -> None:
        """Replace these words by what they map to, also where they stand escaped."""
        self._words = {}
        for word, by in words.items():
            for write in _WRITINGS:
                self._words.setdefault(write(word), write(by))
        tags = [word for word in self._words if "<" in word or ">" in word]
        literal, tagged = _literals(self._words), _literals(tags)
        self._long, self._long_tagged = LongWords(self._words), LongWords(tags)
        self._tagged = re.compile(tagged) if tagged else None
        self._pattern = re.compile(f"(?P<literal>{literal})|{_PATTERN}" if literal else _PATTERN)

    def __call__(self, text: str) -> str:
        """Return *text* with everything replaced."""
        fresh = self._pattern.sub(self._replaced, self._long.hold(text))
        return self._long.release(fresh, self._literal)

    def before_tags(self, text: str) -> str:
        """Replace the words that hold ``<`` or ``>``, which would be taken for tags."""
        text = self._long_tagged.release(self._long_tagged.hold(text), self._literal)
        if self._tagged is None:
            return text
        return self._tagged.sub(lambda match: self._literal(match[0]), text)

    def shaped(self, shape: str, value: str) -> str:
        """Return the stand-in of a value that is a whole address or identifier."""
        if shape == "ipv4":
            return self._fakes.ipv4(value)
        if shape == "ipv6":
            return self._fakes.ipv6(value)
        if shape == "mac":
            return self._fakes.mac(value)
        return value if not set(value) - set("0-{}") else self._fakes.of(IDENTIFIER, value)

    def _replaced(self, match: re.Match[str]) -> str:
        shape = str(match.lastgroup)
        if shape == "literal":
            return self._literal(match[0])
        return _HANDLERS[shape](self, match)

    def _literal(self, word: str) -> str:
        by = self._words[word]
        if by == SCRUBBED:
            self._fakes.count(SECRET, word)
        return by

    def _secret(self, match: re.Match[str], group: str = "") -> str:
        self._fakes.count(SECRET, match[0])
        return (match[group] if group else "") + SCRUBBED

    def _pair(self, match: re.Match[str]) -> str:
        mark, key = match["mark"], match["key"]
        quote_, value = ('"', match["value"]) if match["single"] is None else ("'", match["single"])
        return f"{mark}{key}{mark}{match['colon']}{quote_}{self._of_key(key, value)}{quote_}"

    def _field(self, match: re.Match[str]) -> str:
        mark = match["quote"]
        return f"{match['word']}={mark}{self._of_key(match['word'], match['quoted'])}{mark}"

    def _of_key(self, key: str, value: str) -> str:
        return self._keyed(key, value) if value.strip() else value

    def _labelled(self, match: re.Match[str]) -> str:
        value = labelled_value(match)
        rest = match["rest"][len(value) :]
        fresh = self._of_key(match["label"], value)
        return f"{match['label']}{match['equals']}{fresh}{self(rest) if rest.strip() else rest}"

    def _url(self, match: re.Match[str]) -> str:
        user, password, host = match["user"], match["password"], match["host"]
        login = ""
        if user is not None:
            login = self._named(USER, user)
            if password is not None:
                self._fakes.count(SECRET, password)
                login += f":{SCRUBBED}"
            login += "@"
        bare = host.strip("[]")
        fake = self._words.get(bare) or self._named(ADDRESS, bare)
        return f"{match['protocol']}{login}{host.replace(bare, fake, 1)}"

    def _mail(self, match: re.Match[str]) -> str:
        return self._named(NAME, match[0])

    def _print(self, match: re.Match[str]) -> str:
        text = match[0]
        head = text.startswith("sha256:") * len("sha256:")
        return text[:head] + self._fakes.of(IDENTIFIER, text[head:])

    def _uuid(self, match: re.Match[str]) -> str:
        return self.shaped("uuid", match[0])

    def _mac(self, match: re.Match[str]) -> str:
        return self._fakes.mac(match[0])

    def _ipv6(self, match: re.Match[str]) -> str:
        text = match[0]
        for core in (text, text[:-1]):
            if _is_ipv6(core) and core.count(":") > 1:
                return self._fakes.ipv6(core) + text[len(core) :]
        return re.sub(rf"(?<!\d){_IPV4}(?!\d)", lambda found: self._fakes.ipv4(found[0]), text)

    def _ipv4(self, match: re.Match[str]) -> str:
        before = match.string[max(match.start() - 20, 0) : match.start()]
        return match[0] if _VERSION.search(before) else self._fakes.ipv4(match[0])

    def _serial(self, match: re.Match[str]) -> str:
        return self._fakes.of(SERIAL, match[0], len(match["line"]))


_HANDLERS: Final[Mapping[str, Callable[[FreeText, re.Match[str]], str]]] = {
    "pem": lambda text, match: text._secret(match),  # noqa: SLF001 - its own
    "header": lambda text, match: text._secret(match, "before"),  # noqa: SLF001
    "login": lambda text, match: text._secret(match, "scheme"),  # noqa: SLF001
    "session": lambda text, match: text._secret(match, "cookie"),  # noqa: SLF001
    "token": lambda text, match: text._secret(match),  # noqa: SLF001
    "parameter": lambda text, match: text._secret(match, "given"),  # noqa: SLF001
    "labelled": FreeText._labelled,  # noqa: SLF001
    "pair": FreeText._pair,  # noqa: SLF001
    "field": FreeText._field,  # noqa: SLF001
    "url": FreeText._url,  # noqa: SLF001
    "mail": FreeText._mail,  # noqa: SLF001
    "print": FreeText._print,  # noqa: SLF001
    "uuid": FreeText._uuid,  # noqa: SLF001
    "mac": FreeText._mac,  # noqa: SLF001
    "ipv6": FreeText._ipv6,  # noqa: SLF001
    "ipv4": FreeText._ipv4,  # noqa: SLF001
    "serial": FreeText._serial,  # noqa: SLF001
    "bare": lambda text, match: text._fakes.of(SERIAL, match[0], 0),  # noqa: SLF001
}


def labelled_value(match: re.Match[str]) -> str:
    """Return what a match of `LABELLED` gives: a name may hold blanks, and other things do not.

    In prose ``serial: the second one`` gives nothing.
    """
    rest = match["rest"].rstrip()
    kind = kind_of(match["label"])
    if kind in {NAME, None}:
        return rest
    word = rest.split(maxsplit=1)[0]
    return word if kind in {SECRET, USER} or any(map(str.isdigit, word)) else ""


def _in_xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_url(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _in_repr(text: str) -> str:
    return repr(text.encode("utf-8", "surrogatepass"))[2:-1]


_WRITINGS: Final = (str, _in_xml, _in_json, _in_url, _in_repr)


def _literals(words: Iterable[str]) -> str:
    """Return a pattern for words, longest first; grouped by how they begin, for speed."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    usual = (word for word in words if len(word) <= MOST)
    for word in sorted(usual, key=lambda one: (-len(one), one)):
        # Words that are shorter than the begin by which others are grouped come last.
        first = word[0] + _LOOSE * _is_number(word)
        groups[first][word[:_BEGIN] if len(word) > _BEGIN else ""].append(word)
    return "|".join(_group(first, begins) for first, begins in groups.items())


def _group(first: str, begins: Mapping[str, Sequence[str]]) -> str:
    before = r"(?<![^\W_])" if _is_bound(first[0]) else ""
    if first.endswith(_LOOSE):
        before = r"(?<![0-9])"
    parts = [
        re.escape(begin) + "(?:" + "|".join(_ended(word, len(begin)) for word in words) + ")"
        for begin, words in sorted(begins.items(), reverse=True)
    ]
    return f"{before}(?:{'|'.join(parts)})"


def _ended(word: str, start: int) -> str:
    """Return a pattern for *word* from *start*, up to a word's end; Chinese has none."""
    if _is_number(word):
        return re.escape(word[start:]) + r"(?![0-9])"
    return re.escape(word[start:]) + (r"(?![^\W_])" if _is_bound(word[-1]) else "")


def _is_number(word: str) -> bool:
    """Whether *word* is a number so long that it is found between letters too."""
    return len(word) > _LONG and word.isascii() and word.isdigit()


def _is_bound(char: str) -> bool:
    return char.isalnum() and ord(char) not in _CJK
