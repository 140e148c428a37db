"""Take the seeds out of the cassettes, which our own simulators have made.

``python -m fuzz.collect`` writes ``fuzz/seeds/answers.json`` anew. It needs PyYAML (vcrpy has it).
"""

from __future__ import annotations

import json

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from fuzz.registry import SEEDS


_CASSETTES = Path(__file__).parent.parent / "tests" / "cassettes"
_LONGEST = 4096
_MOST = 4
_MEDIA = ("/download", ".ts")


def _name(uri: str) -> str:
    path = urlsplit(uri).path
    if path.endswith(".m3u8"):
        return "playlist"
    return path.removeprefix("/ISAPI/").removeprefix("/openapi/")


def _short(body: bytes) -> bytes:
    """Return the body, a list of recordings with its first ones only: short seeds run faster."""
    if len(body) > _LONGEST and b"</searchMatchItem>" in body:
        end = b"</searchMatchItem>"
        head, tail = body.split(end)[:3], body.rpartition(end)[2]
        return end.join(head) + end + tail
    if len(body) > _LONGEST and body.startswith(b"{"):
        document: Any = json.loads(body)
        data = document["result"]["data"]
        shorter = {name: one[:3] if isinstance(one, list) else one for name, one in data.items()}
        document["result"]["data"] = shorter
        return json.dumps(document).encode()
    return body


def collect() -> dict[str, list[bytes]]:
    """Return the different answers to each endpoint, a few of each."""
    found: dict[str, list[bytes]] = {}
    for cassette in sorted(_CASSETTES.glob("*/*.yaml")):
        recorded = yaml.safe_load(cassette.read_text(encoding="utf-8"))
        for interaction in recorded["interactions"]:
            uri = interaction["request"]["uri"]
            if urlsplit(uri).path.endswith(_MEDIA):
                continue
            reply = interaction["response"]
            body = reply["body"]["string"]
            body = _short(body.encode() if isinstance(body, str) else body)
            names = [_name(uri)] if reply["status"]["code"] < 300 else ["errors"]
            for name in names:
                kept = found.setdefault(name, [])
                if body not in kept and len(kept) < _MOST:
                    kept.append(body)
            _headers(reply["headers"], found)
    return found


def _headers(headers: dict[str, list[str]], found: dict[str, list[bytes]]) -> None:
    kept = found.setdefault("challenges", [])
    for value in headers.get("WWW-Authenticate", ()):
        if value.encode() not in kept and len(kept) < _MOST:
            kept.append(value.encode())


def main() -> None:
    """Write the seeds."""
    document = {
        name: [body.decode() for body in bodies] for name, bodies in sorted(collect().items())
    }
    SEEDS.parent.mkdir(exist_ok=True)
    SEEDS.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
