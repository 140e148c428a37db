"""Attacks on our own code, and which test plays each of them.

- Path traversal by the names of channels and files: `test_paths` (any text gives safe names; only plain
  names are joined), `test_layout`, `test_download`, and here a whole run. Through links: here.
- Host confusion by ``playbackURI``: `integration/test_security`; by hosts that are read in two ways:
  there and `test_address`; by profiles: `test_profiles`, `test_store_vpack`.
- SSRF by redirects: `integration/test_redirects`, `test_bulk`, `test_imou_web`; by playlists:
  `test_imou_hls_playlist`; by XML: `integration/test_security`.
- Header injection: by a challenge or a user name `integration/test_security`, `test_digest`; by a
  token `test_imou_web`, `test_imou_parts`.
- XML tricks: `test_isapi_documents` (entities, document types, depth, encodings); here, size.
- Bombs: answers without end `integration/test_fault_matrix`, `test_bulk`; playlists
  `test_imou_hls_playlist`, `integration/test_imou_hls`; compressed answers and JSON: here and
  `integration/test_security`; parameters of scrypt `test_store_file`.
- Unsafe deserialisation: here, by reading our own source; `test_secret`, `test_store_file`.
- Races for temporary files: `test_download_files` (names that are taken), `test_private` (rights
  before the first byte, links, owners); here, links in the place of results.
- Log and terminal injection: `integration/test_security`, `test_cli_format`, `test_cli_output`,
  `test_sync_metrics`; here, names of cameras in the log.
- Regular expressions that take for ever: `test_digest`, `test_scrub_documents`, and here every one
  that there is.
"""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import gzip
import importlib
import logging
import os
import pkgutil
import re

from pathlib import Path

import attrs
import pytest

import camsync

from camsync import RetryPolicy, download
from camsync.errors import CamsyncError, ProtocolError
from camsync.providers.hikvision import _xml
from camsync.testing import MemoryProvider


SOURCES = sorted(Path(camsync.__file__).parent.rglob("*.py"))
ONCE = RetryPolicy(attempts=1)
START = dt.datetime(2024, 1, 1, 10, tzinfo=dt.timezone.utc)
HOSTILE = [
    "../../../etc/cron.d/evil",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "C:\\boot.ini",
    "\\\\server\\share",
    "..",
    ".",
    "",
    "CON",
    "nul.txt",
    "a\x00b",
    "a\r\nERROR forged",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "$(reboot)",
    "`reboot`; reboot | reboot",
    "%2e%2e%2f",
    "-rf",
    "~root",
    "{channel.__class__}",
    "%n%n%s",
    "a" * 5000,
    "\ud800",
]


def _provider(name):
    provider = MemoryProvider()
    channel = provider.channels()[0]
    provider.record(channel.id, START)
    listed = provider.listed[channel.id]
    key = attrs.evolve(listed[0].key, item=name)
    listed[0] = attrs.evolve(listed[0], channel_name=name, key=key)
    return provider, listed[0]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("container", ["mp4", "original"])
def test_no_name_leaves_the_folder(tmp_path, caplog, name, container):
    """Whatever a camera and its file are called: one plain file, two levels below the folder."""
    provider, recording = _provider(name)
    dest = tmp_path / "in" / "here"
    with caplog.at_level(logging.DEBUG):
        found = download(provider, recording, dest, container=container, retry=ONCE)

    everything = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [found.path] == everything
    assert dest == found.path.parent.parent
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", found.path.name)
    assert re.fullmatch(r"[A-Za-z0-9-]+", found.path.parent.name)
    assert [] == [one for one in caplog.messages if not one.isprintable()]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("target", ["missing", "existing"])
@pytest.mark.parametrize("container", ["mp4", "original"])
def test_a_link_in_the_place_of_a_result_is_not_followed(tmp_path, target, container):
    """Somebody who plants a link where a file will be has nothing written behind it."""
    provider, recording = _provider("gate")
    first = download(provider, recording, tmp_path / "a", container=container, retry=ONCE)
    place = tmp_path / "b" / first.path.relative_to(tmp_path / "a")
    victim = tmp_path / "victim"
    if target == "existing":
        victim.write_bytes(b"precious")
    place.parent.mkdir(parents=True)
    place.symlink_to(victim)
    try:
        found = download(provider, recording, tmp_path / "b", container=container, retry=ONCE)
    except CamsyncError:
        found = None

    assert victim.exists() == (target == "existing")
    assert target == "missing" or victim.read_bytes() == b"precious"
    assert found is None or not found.path.is_symlink()


FORBIDDEN = {
    "dill",
    "jsonpickle",
    "marshal",
    "pickle",
    "shelve",
    "yaml",
    "xml",
    "tarfile",
    "xmlrpc",
}
CALLS = {"eval", "exec", "compile", "__import__", "mktemp", "os.system", "os.popen"}


def _written(called):
    """What stands before the brackets; plain names need no `ast.unparse`, which is slow."""
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return f"{called.value.id}.{called.attr}"
    return called.id if isinstance(called, ast.Name) else ast.unparse(called)


def _names(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_turns_data_into_code(path):
    """No module unpickles, evaluates, parses XML without our settings, or asks a shell."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    forbidden = FORBIDDEN - ({"pickle", "xml"} if "testing" in path.parts else set())
    called = {
        name
        for node in nodes
        if isinstance(node, ast.Call) and not (name := _written(node.func)).startswith("re.")
    }
    shells = [
        node
        for node in nodes
        if isinstance(node, ast.keyword) and node.arg == "shell"
        if not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]

    assert set() == forbidden & set(_names(nodes))
    assert set() == {name for name in called if {name, name.rpartition(".")[2]} & CALLS}
    assert [] == shells


def _patterns():
    found = {}
    for module in pkgutil.walk_packages(camsync.__path__, "camsync."):
        if module.name == "camsync.__main__" or module.name.endswith(".plugin"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                found[f"{module.name}.{name}"] = value
    return found


PIECES = ["a", "0", " ", "\t", "-", ".", ":", "/", "\\", '"', ",", "=", "%", "[", "<", "a=", "a,"]
PIECES += [
    "0:",
    ".0",
    "a.",
    '="',
    '",',
    "0-",
    "aA0",
    "\r\n",
    "a ",
    "=a",
    "://",
    "@",
    "**",
    "M1.1.1",
]
LENGTH = 3000
FRAMES = ["{}", "{}!", "a{}\x00", '"{}', "Digest {}", "<a {}", "rtsp://{}", "CST-8{}", "{}\n\n"]


def test_no_regular_expression_explodes():
    """Each one that a module has reads long repetitions, whole and broken off, in time."""
    patterns = _patterns()
    texts = [frame.format(piece * (LENGTH // len(piece))) for piece in PIECES for frame in FRAMES]
    for pattern in set(patterns.values()):
        for text in texts:
            given = text.encode() if isinstance(pattern.pattern, bytes) else text
            pattern.fullmatch(given)
            pattern.match(given)

    assert len(patterns) > 50


def test_xml_that_is_all_attributes_or_text():
    """Four megabytes in one element are an error or a document, not a hanging parser."""
    for body in (
        b"<a " + b" ".join(b'x%d=""' % number for number in range(200_000)) + b"/>",
        b"<a>" + b"x" * 4_000_000 + b"</a>",
        b"<a>" + b"<b/>" * 500_000 + b"</a>",
        b"<a" * 500_000,
        b"<a>" + b"&#65;" * 500_000 + b"</a>",
    ):
        with contextlib.suppress(ProtocolError):
            assert _xml.local(_xml.parse(body, "a test")) == "a"


def test_what_is_compressed_stays_so():
    """Nothing is unpacked that nobody asked to be packed: a bomb is bytes that are no XML."""
    bomb = gzip.compress(bytes(50_000_000))

    with pytest.raises(ProtocolError):
        _xml.parse(bomb, "a test")
