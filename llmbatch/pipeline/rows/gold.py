"""The column of right labels, which the input has to have."""

from llmbatch.core.errors import UsageError, nearest
from llmbatch.store.snapshots import Snapshot


def check(column: str | None, snapshot: Snapshot) -> None:
    """Raise UsageError if the right labels stand in no column of the input."""
    known = snapshot.source.columns
    if column is None or not snapshot.row_count or column in known:
        return
    raise UsageError(
        f"gold: no column {column!r} in {snapshot.source.input}{nearest(column, known)}; columns: "
        f"{', '.join(known[:20]) or 'none'}"
    )
