"""Stores as older versions have left them."""

import struct
import zlib
from pathlib import Path

from llmbatch.store import frames, journal, opening, statements
from llmbatch.store.opening import open_store

# What takes the tables of a schema version to those of the version before it.
_UNDONE = {
    2: ("DROP TABLE commits", "DROP TABLE engine_deaths", "DROP TABLE reopenings"),
    3: ("DROP TABLE field_orders", "DROP TABLE forecasts"),
    4: (
        "ALTER TABLE runs DROP COLUMN started_seconds",
        "ALTER TABLE engine_starts DROP COLUMN began_seconds",
        "ALTER TABLE engine_starts DROP COLUMN ready_seconds",
        "ALTER TABLE engine_deaths DROP COLUMN died_seconds",
        "ALTER TABLE checkpoints DROP COLUMN committed_seconds",
        "ALTER TABLE run_ends DROP COLUMN ended_seconds",
    ),
    5: ("ALTER TABLE commits DROP COLUMN link",),
    7: ("ALTER TABLE requests DROP COLUMN body",),
    8: (
        "ALTER TABLE attempts DROP COLUMN reasoning",
        "ALTER TABLE attempts DROP COLUMN reasoning_tokens",
    ),
    9: (
        "ALTER TABLE snapshots DROP COLUMN notes",
        "ALTER TABLE snapshots DROP COLUMN files",
        "ALTER TABLE rows DROP COLUMN file",
        "ALTER TABLE rejects DROP COLUMN file",
    ),
    10: ("ALTER TABLE snapshots DROP COLUMN rows_read",),
    11: (
        "ALTER TABLE rows DROP COLUMN text_at",
        "ALTER TABLE rows DROP COLUMN text_bytes",
        "ALTER TABLE requests DROP COLUMN text_at",
        "ALTER TABLE requests DROP COLUMN text_bytes",
        "ALTER TABLE requests DROP COLUMN text_characters",
    ),
    12: ("ALTER TABLE reopenings DROP COLUMN max_tokens",),
    13: ("DROP TABLE known_failures",),
    14: (
        "ALTER TABLE planned_rows DROP COLUMN sample",
        "ALTER TABLE planned_rows DROP COLUMN samples",
        "ALTER TABLE requests DROP COLUMN sample",
        "ALTER TABLE requests DROP COLUMN row_share",
        "ALTER TABLE plans DROP COLUMN votes",
    ),
    15: ("ALTER TABLE attempts DROP COLUMN logprobs",),
    16: ("DROP TABLE flags",),
    17: ("ALTER TABLE attempts DROP COLUMN told",),
    18: (
        "DROP TABLE editions",
        "DROP TABLE published_rows",
        "DROP TABLE published_values",
        "DROP TABLE run_changes",
    ),
    19: ("DROP TABLE input_profiles", "ALTER TABLE runs DROP COLUMN made_by"),
    20: ("DROP TABLE flag_passes",),
    21: (
        "ALTER TABLE planned_rows DROP COLUMN stage",
        "ALTER TABLE requests DROP COLUMN stage",
        "ALTER TABLE runs DROP COLUMN first_run",
        "DROP TABLE escalations",
        "DROP TABLE cascade_stages",
    ),
    22: ("DROP TABLE shares",),
}
# Since when frames have links.
_LINKED = 5
# Since when the file holds no views.
_WITHOUT_VIEWS = 6

_VIEWS = ("row_states", "pending", "failed_tries", "settled", "current_plan")


def make_older(store: Path, version: int) -> None:
    """Give the store at `store` the schema `version`."""
    with open_store(store) as db:
        for name in _VIEWS:
            db.execute(f"DROP VIEW temp.{name}")
        for number in range(len(opening.MIGRATIONS), version, -1):
            for statement in _UNDONE.get(number, ()):
                db.execute(statement)
            db.execute("DELETE FROM migrations WHERE version = ?", [number])
        if version < _WITHOUT_VIEWS:
            for name in ("views.sql", "views_2.sql")[:version]:
                for statement in statements.load(name).values():
                    db.execute(statement)
    if version < _LINKED:
        path = journal.path_for(store)
        path.write_bytes(unlinked(path))


def unlinked(path: Path) -> bytes:
    """The journal at `path` as it was written before frames had links."""
    content = path.read_bytes()
    former = struct.Struct("<8sQQQI")
    made = []
    with path.open("rb") as stream:
        for frame in frames.whole(stream.fileno()):
            fields = (b"LBFRAME1", frame.number, frame.packed, frame.raw, frame.checksum)
            header = former.pack(*fields)
            made.append(header + struct.pack("<I", zlib.crc32(header)))
            made.append(content[frame.payload : frame.end])
    return b"".join(made)
