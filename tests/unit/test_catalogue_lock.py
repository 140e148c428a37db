"""One run at a time in a folder, whatever it is called and whatever catalogue is used."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from camsync import DestinationBusyError
from camsync.catalogue import Catalogue, _lock
from camsync.sync import sync
from camsync.testing.memory import MemoryProvider


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked there")
@pytest.mark.parametrize("name", ["footage", "link", "footage/../footage"])
def test_a_folder_is_locked_by_whatever_name(tmp_path, name):
    """A second catalogue, a link, and a detour lead to the same folder."""
    dest = tmp_path / "footage"
    dest.mkdir()
    (tmp_path / "link").symlink_to(dest)
    with (
        Catalogue(tmp_path / "a.sqlite3") as one,
        Catalogue(tmp_path / "b.sqlite3") as other,
        one.at(dest).lock(),
        pytest.raises(DestinationBusyError, match="another name or has another catalogue"),
        other.at(tmp_path / name).lock(),
    ):
        pytest.fail("it was not locked")

    assert [] == list(dest.iterdir())


def test_a_folder_that_cannot_be_locked_is_used_all_the_same(tmp_path, monkeypatch):
    """Some network file systems refuse it; one that is not there yet has nothing to lock."""

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    with Catalogue(":memory:") as catalogue, catalogue.at(tmp_path / "none").lock():
        pass
    monkeypatch.setattr(_lock.fcntl, "flock", refuse)
    with Catalogue(":memory:") as catalogue, catalogue.at(tmp_path).lock():
        pass


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_folder_is_known_by_whatever_name(tmp_path, monkeypatch):
    """What was fetched to it is held, by a link and by a detour, and the path stays as it was given."""
    dest = tmp_path / "footage"
    dest.mkdir()
    (tmp_path / "link").symlink_to(dest)
    provider = MemoryProvider("DS1", 1)
    provider.record("1", dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=1))
    with Catalogue(":memory:") as catalogue:
        first = sync(provider, dest, catalogue=catalogue, container="original")
        monkeypatch.chdir(tmp_path)
        again = sync(provider, "./link", catalogue=catalogue, container="original")
        detour = catalogue.at(tmp_path / "link" / ".." / "footage", create=False)

        assert (len(first.downloaded), len(again.downloaded), again.held) == (1, 0, 1)
        assert [dest] == catalogue.destinations()
        assert tmp_path / "link" == again.dest
        assert 1 == len(list(detour.entries()))
        assert None is catalogue.known_as(tmp_path / "other")
