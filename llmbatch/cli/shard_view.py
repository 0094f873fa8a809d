"""The live views of a job's shards, and the lines that show them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.cli import live_view
from llmbatch.core.errors import UsageError
from llmbatch.core.units import count
from llmbatch.job.folder import JobPaths
from llmbatch.job.shard import Shard

_STATES = ("answered", "failed", "pending", "rejected", "skipped")


def read(found: Sequence[JobPaths]) -> dict[str, Any]:
    """The views of these shards, by number, each with its `shard`, and the numbers of the division
    that are `missing`. One that has not begun is `waiting`."""
    shards = [(Shard.of_state(paths.state), _view(paths)) for paths in found]
    there, total = {shard.number for shard, _ in shards}, shards[0][0].total
    return {
        "shards": [view | {"shard": shard.number} for shard, view in shards],
        "of": total,
        "missing": [number for number in range(1, total + 1) if number not in there],
    }


def _view(paths: JobPaths) -> dict[str, Any]:
    try:
        return live_view.read(paths)
    except UsageError:
        return {"state": "waiting", "phase": "not begun"}


def lines(every: Mapping[str, Any]) -> list[str]:
    """A line for each shard, and one for all."""
    of, views, rows = every["of"], every["shards"], Counter[str]()
    shown = [f"shard {view['shard']} of {of}: {_line(view)}" for view in views]
    for view in views:
        rows.update(view.get("rows", {}))
    missing = [count(len(every["missing"]), "shard") + " not here"] * bool(every["missing"])
    return [*shown, f"all: {_rows(rows)}{''.join(f'; {text}' for text in missing)}"]


def _line(view: Mapping[str, Any]) -> str:
    if view["state"] == "ended":
        what = f"ended: {view['reason']}, exit code {view['exit_code']}"
    else:
        what = f"{view['state']}: {view['phase']}"
    return f"{what}; {_rows(view['rows'])}" if "rows" in view else what


def _rows(rows: Mapping[str, int]) -> str:
    counted = [f"{rows[state]:,} {state}" for state in _STATES if rows.get(state)]
    return ", ".join(counted) or "no rows yet"
