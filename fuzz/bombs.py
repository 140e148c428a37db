"""Inputs that are small and cost much, or that are huge: each parser gets those of its language."""

from __future__ import annotations

import contextvars

from collections.abc import Iterable


HUGE = contextvars.ContextVar("HUGE", default=False)
"""Whether those that are long are wanted as well: the tests go without."""

LONGEST = 4 * 1024 * 1024
"""Bytes of an answer that are read at most."""

MILLION = 1_000_000
SHORT = 8 * 1024
_LEVELS = 12


def _wanted(bombs: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(bomb for bomb in bombs if HUGE.get() or len(bomb) <= SHORT)


def xml_bombs(root: str, item: str, holder: str = "") -> tuple[bytes, ...]:
    """Return hostile documents whose root is *root*, with *item* inside (of *holder*, if any)."""
    before, after = (f"<{holder}>", f"</{holder}>") if holder else ("", "")
    entities = "".join(
        f'<!ENTITY e{level} "' + f"&e{level - 1};" * 10 + '">' for level in range(1, _LEVELS)
    )
    laughs = f'<!DOCTYPE {root} [<!ENTITY e0 "ha">{entities}]>'
    external = f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    parameter = f'<!DOCTYPE {root} [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>'
    plain = f"<{root}>{before}<{item}><id>1</id></{item}>{after}</{root}>"
    last = f"&e{_LEVELS - 1};"
    several = " ".join(f'a{number}="1"' for number in range(2_000))
    documents = [
        f"{laughs}<{root}>{before}<{item}>{last}</{item}>{after}</{root}>",
        f'{laughs}<{root} a="{last}"></{root}>',
        f"{external}<{root}><{item}>&x;</{item}></{root}>",
        f"{parameter}{plain}",
        f"<{root}>" + "<a>" * 200 + "</a>" * 200 + f"</{root}>",
        f"<{root}>" + "<a>" * 50_000 + f"</{root}>",
        f"<{root}>{before}<{item}><id>{'9' * 100_000}</id></{item}>{after}</{root}>",
        f"<{root} {several}/>",
        f'<{root} xmlns:{"n" * 1000}="u"><{"n" * 1000}:{item}/></{root}>',
        f"<{root}><!--{'-' * 1000}--></{root}>",
        f"<{root}><![CDATA[{'x' * 100_000}]]></{root}>",
        f"<{root}>&#0;&#xD800;&#x110000;</{root}>",
        f'<?xml version="1.0" encoding="UTF-7"?>+ADw-{root}+AD4-',
        f'<?xml version="1.0" encoding="no-such"?>{plain}',
        f'<?xml version="1.0" encoding="UTF-16"?>{plain}',
        f'<?xml version="9.9"?>{plain}',
        "",
        "<",
        "\ufeff",
    ]
    found = [document.encode() for document in documents]
    found += [
        f'<?xml version="1.0" encoding="UTF-16"?>{plain}'.encode("utf-16"),
        f'<?xml version="1.0" encoding="UTF-8"?>{plain}'.encode("utf-16"),
        plain.encode("utf-16-le"),
        plain.encode("utf-32"),
        plain.encode().replace(b"1", b"\0"),
        plain.encode().replace(b"1", b"\xff\xfe\xed\xa0\x80"),
        bytes(1000),
    ]
    if HUGE.get():
        # More than 4 MiB are cut off before they get here.
        many = (f"<{item}/>" * (LONGEST // len(f"<{item}/>")), "<a/>" * MILLION)
        found += [f"<{root}>{before}{each}{after}</{root}>".encode() for each in many]
    return _wanted(found)


def json_bombs(opening: str = "", closing: str = "") -> tuple[bytes, ...]:
    """Return hostile JSON, each also in the place between *opening* and *closing*."""
    values = [
        "[" * 100_000,
        "[" * 500 + "]" * 500,
        "[" * 960 + "]" * 960,
        "[" * 975 + "]" * 975,
        "[" * 985 + "]" * 985,
        "[" * 990 + "]" * 990,
        '{"a":' * 100_000,
        '{"a":' * 960 + "1" + "}" * 960,
        '{"token":' * 400 + "1" + "}" * 400,
        "[" + "0," * (MILLION // 4) + "0]",
        "[" + "{}," * (MILLION // 4) + "{}]",
        "9" * 4000,
        "9" * 100_000,
        "-" + "9" * 4300,
        "1e400",
        "NaN",
        "-Infinity",
        '"\\ud800"',
        '"\\u0000"',
        '"' + "x" * MILLION + '"',
        '"\x1b[2J"',
        "null",
        "true",
        "0.1",
        "[[]]",
        '[{"a":{"b":[null]}}]',
        "{}",
        '""',
    ]
    found = [f"{opening}{value}{closing}".encode() for value in values]
    plain = f"{opening}1{closing}"
    found += [plain.encode(codec) for codec in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig")]
    return _wanted([*found, plain.encode() + b"\0", b"\xff\xfe\xfd", b"", b"{", b"\0" * 100])


def text_bombs(sample: str = "") -> tuple[bytes, ...]:
    """Return hostile lines: for what people type, and for headers."""
    found = [
        "",
        " ",
        "\0",
        sample + "\0",
        "\n" + sample,
        sample * 1000,
        "9" * 100,
        "9" * 5000,
        "9" * MILLION,
        " " * MILLION,
        "a" * MILLION,
        "a/" * 5000,
        "../" * 100,
        "%" * 10_000,
        "\\" * 100_000,
        '"' * 100_001,
        "," * 100_000,
        "=" * 100_000,
        "{" * 1000,
        "{}" * 1000,
        "(" * 10_000,
        "-" + sample,
        "+" + sample,
        sample.replace("1", "\N{ARABIC-INDIC DIGIT ONE}"),
        sample.upper(),
        "\u202e" + sample,
        "nan",
        "inf",
        "-1",
        "0",
        "1e309",
    ]
    encoded = [one.encode() for one in found]
    encoded += [b"\xff\xfe", b"\xed\xa0\x80", sample.encode("utf-16"), bytes(range(256))]
    return _wanted(encoded)
