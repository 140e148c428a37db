"""The tables. Times are whole seconds since 1970 (UTC), paths are relative to the destination.

What makes a recording's key is spread over three tables, so that a million rows stay small: a
channel of a destination, a track of that channel (provider and stream), and start and item.
"""

from __future__ import annotations

import sqlalchemy as sa

from ._values import State


METADATA = sa.MetaData()

_STATES = ", ".join(f"'{state.value}'" for state in State)

UNSETTLED = sa.text("(state NOT IN ('verified', 'gone') OR in_progress = 1)")
"""What is still to be looked at: few rows. The same text in index and queries, or it is not used."""

SETTLED_STATES = frozenset({State.VERIFIED, State.GONE})

VERSION = sa.Table(
    "camsync_schema",
    METADATA,
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
)

DESTINATION = sa.Table(
    "camsync_destination",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("mount", sa.Text),
)
"""``mount``: the mount point that it was below when it was last written to."""

CHANNEL = sa.Table(
    "camsync_channel",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("destination_id", sa.ForeignKey(DESTINATION.c.id), nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("longest", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("searched_from", sa.BigInteger),
    sa.Column("searched_until", sa.BigInteger),
    sa.Column("oldest", sa.BigInteger),
    sa.Column("last_deep", sa.BigInteger),
    sa.Column("last_search", sa.BigInteger),
    sa.UniqueConstraint("destination_id", "device", "channel"),
)
"""``longest``: seconds of its longest recording, which bounds the search for overlaps.
``last_search``: when it was last searched to the end, also if nothing was found."""

FOLDER = sa.Table(
    "camsync_folder",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("destination_id", sa.ForeignKey(DESTINATION.c.id), nullable=False),
    sa.Column("channel_id", sa.ForeignKey(CHANNEL.c.id), nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("folded", sa.Text, nullable=False),
    sa.UniqueConstraint("channel_id", "stream"),
    sa.UniqueConstraint("destination_id", "folded"),
)
"""``folded``: the name without case, because some file systems see none."""

TRACK = sa.Table(
    "camsync_track",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("channel_id", sa.ForeignKey(CHANNEL.c.id), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.UniqueConstraint("channel_id", "provider", "stream"),
)

RECORDING = sa.Table(
    "camsync_recording",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("channel_id", sa.ForeignKey(CHANNEL.c.id), nullable=False),
    sa.Column("track_id", sa.ForeignKey(TRACK.c.id), nullable=False),
    sa.Column("key_start", sa.BigInteger, nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=State.SEEN.value),
    sa.Column("in_progress", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("error_category", sa.Text, nullable=False, server_default=""),
    sa.Column("error_code", sa.Text, nullable=False, server_default=""),
    sa.Column("next_try", sa.BigInteger),
    sa.Column("path", sa.Text),
    sa.Column("file_size", sa.BigInteger),
    sa.Column("sha256", sa.Text, nullable=False, server_default=""),
    sa.Column("duration", sa.Double),
    sa.Column("container", sa.Text, nullable=False, server_default=""),
    sa.Column("codec", sa.Text, nullable=False, server_default=""),
    sa.Column("batch", sa.Text, nullable=False, server_default=""),
    sa.Column("seen_batch", sa.Text, nullable=False, server_default=""),
    sa.Column("first_seen", sa.BigInteger, nullable=False),
    sa.Column("last_seen", sa.BigInteger, nullable=False),
    sa.Column("done_at", sa.BigInteger),
    sa.Column("missed_at", sa.BigInteger),
    sa.Column("pruned_at", sa.BigInteger),
    sa.Column("pinned", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("file_end", sa.BigInteger),
    sa.Column("lost_end", sa.BigInteger),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_from", sa.BigInteger),
    sa.Column("lease_until", sa.BigInteger),
    sa.UniqueConstraint("track_id", "key_start", "item"),
    sa.CheckConstraint(f"state IN ({_STATES})"),
    sa.Index("camsync_recording_start", "channel_id", "start", "id"),
    sa.Index(
        "camsync_recording_open",
        "channel_id",
        "start",
        "id",
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    ),
)
"""``file_end``: where the footage in the file ends that is there and is to be replaced: it is too
short, or damaged. ``lost_end``: where the footage ended that the device had, if it has lost the rest
before that was fetched."""

PACE = sa.Table(
    "camsync_pace",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("destination_id", sa.ForeignKey(DESTINATION.c.id), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("streams", sa.Integer, nullable=False),
    sa.Column("ceiling", sa.Integer),
    sa.Column("noted_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("destination_id", "source"),
)
"""How many downloads at once a device has borne; ``ceiling``: with more there was trouble."""

BATCH = sa.Table(
    "camsync_batch",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("destination_id", sa.ForeignKey(DESTINATION.c.id), nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("figures", sa.Text, nullable=False, server_default="{}"),
    sa.Index("camsync_batch_started", "destination_id", "started_at"),
)
