"""Points in time as the store keeps them, by two clocks.

NAME_at is by the wall clock (UTC), NAME_seconds by the monotonic clock.
"""

from collections.abc import Mapping
from typing import Any

from llmbatch.core.clock import Moment, utc


def columns(name: str, moment: Moment) -> dict[str, object]:
    """The two columns of a moment."""
    return {f"{name}_at": utc(moment.at), f"{name}_seconds": moment.seconds}


def folded(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with each moment under its name, in place of its two columns; None where it was
    not recorded."""
    names = [name.removesuffix("_seconds") for name in record if name.endswith("_seconds")]
    both = {f"{name}{end}" for name in names for end in ("_at", "_seconds")}
    kept = {name: value for name, value in record.items() if name not in both}
    return kept | {
        name: None if record[f"{name}_at"] is None else read(record, name) for name in names
    }


def read(record: Mapping[str, Any], name: str) -> Moment:
    """The moment in a record; one of a store of an older version has no seconds."""
    return Moment(record[f"{name}_at"], record.get(f"{name}_seconds"))
