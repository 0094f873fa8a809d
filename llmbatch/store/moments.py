"""Points in time as the store keeps them: NAME_at by the wall clock (UTC), NAME_seconds by the
clock that nobody sets."""

from collections.abc import Mapping
from typing import Any

from llmbatch.core.clock import Moment, utc


def columns(name: str, moment: Moment) -> dict[str, object]:
    """The two columns of a moment."""
    return {f"{name}_at": utc(moment.at), f"{name}_seconds": moment.seconds}


def read(record: Mapping[str, Any], name: str) -> Moment:
    """The moment in a record; one of a store that nothing has upgraded yet has no seconds."""
    return Moment(record[f"{name}_at"], record.get(f"{name}_seconds"))
