"""`Folders`: which camera has which folder, for ever."""

from __future__ import annotations

import hashlib
import re

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from ..models import Channel, ChannelId, DeviceId
from ._book import Book, ChannelKey
from ._codec import exact, plain
from ._schema import CHANNEL, FOLDER
from ._sql import insert_if_new
from ._trouble import sensible


_MAIN = "01"
_LETTERS = 6


class Folders(Book):
    """Binding folders to cameras."""

    def folder_of(self, channel: Channel, wanted: str, *, stream: str = _MAIN) -> str:
        """Return the folder of a camera, which is bound at the first call and never changes.

        Renaming the channel changes nothing. If another camera of this destination has *wanted*
        (in whatever case), some characters of the serial number are appended.

        Args:
            stream: Each recorded stream of a channel has a folder of its own.
        """
        number = self._make_channel(channel.device, channel.id)
        known = self._folders.get((number, stream))
        if known is not None:
            return known
        mine = sa.select(FOLDER.c.name).where(
            FOLDER.c.channel_id == number, FOLDER.c.stream == exact(stream)
        )
        with self._catalogue.reading() as connection:
            name = connection.execute(mine).scalar()
        if name is None:
            name = self._bind(mine, number, channel, wanted, stream)
        with sensible("the folder of a camera"):
            return self._folders.setdefault((number, stream), plain(name))

    def _bind(
        self, mine: sa.Select[Any], number: int, channel: Channel, wanted: str, stream: str
    ) -> str:
        owner = self._make_id()
        with self._catalogue.writing() as connection:
            name: str | None = None
            candidates = _candidates(channel, wanted, stream)
            while name is None:
                each = next(candidates)
                row = {
                    "destination_id": owner,
                    "channel_id": number,
                    "stream": exact(stream),
                    "name": exact(each),
                    "folded": exact(each.casefold()),
                }
                insert_if_new(connection, FOLDER, [row])
                name = connection.execute(mine).scalar()
        return name

    def folders(self, *, stream: str = _MAIN) -> Mapping[ChannelKey, str]:
        """Return the folders that are bound, by the ids of device and channel."""
        select = (
            sa.select(CHANNEL.c.device, CHANNEL.c.channel, FOLDER.c.name)
            .join(FOLDER, FOLDER.c.channel_id == CHANNEL.c.id)
            .where(CHANNEL.c.destination_id == self._id, FOLDER.c.stream == exact(stream))
        )
        with self._catalogue.reading() as connection:
            return {
                (DeviceId(plain(row.device)), ChannelId(plain(row.channel))): plain(row.name)
                for row in connection.execute(select)
            }


def _candidates(channel: Channel, wanted: str, stream: str) -> Iterator[str]:
    yield wanted
    letters = re.sub(r"[^a-z0-9]", "", str(channel.device).lower())[-_LETTERS:]
    if letters:
        yield f"{wanted}-{letters}"
    whole = "\0".join((str(channel.device), str(channel.id), stream)).encode(
        "utf-8", "surrogatepass"
    )
    digest = hashlib.sha256(whole).hexdigest()
    yield f"{wanted}-{digest[:16]}"
