"""A sample of a job's requests that is run for real: the first part of the job.

They are evenly spread over the planned order, and go to the engine in growing groups, one after
the other: the first ones warm it up, and groups of different sizes show what a step
costs and what each request in it adds (`core.step_cost`).
"""

from collections.abc import Sequence

from llmbatch.core import units
from llmbatch.store import plans
from llmbatch.store.database import Database
from llmbatch.store.plans import Pending
from llmbatch.store.run_records import SAMPLE_REASON

# A group is so many times as large as the one before.
_GROWTH = 1.35


def choose(db: Database, pending: Pending, count: int) -> tuple[Pending, float, int]:
    """`count` of the pending requests, or all that there are; how many rows they answer, and
    how many characters their messages have."""
    positions = [pending.positions[index] for index in spread(len(pending.positions), count)]
    planned = plans.requests_at(db, positions)
    rows, size = sum(one.rows for one in planned), sum(len(one.messages) for one in planned)
    return Pending(positions, pending.tries), rows, size


def reason(count: int) -> str:
    """The reason of the end of a run that was a sample, and has left something to do."""
    return f"{SAMPLE_REASON} {units.count(count, 'row')}"


def groups(positions: Sequence[int]) -> list[list[int]]:
    """All of the positions in growing groups, each spread over the whole order."""
    sizes = _sizes(len(positions))
    left = list(positions)
    chosen_groups = []
    for size in reversed(sizes):
        chosen = set(spread(len(left), size))
        chosen_groups.append([left[index] for index in sorted(chosen)])
        left = [one for index, one in enumerate(left) if index not in chosen]
    return chosen_groups[::-1]


def _sizes(count: int) -> list[int]:
    """Growing numbers that sum up to `count`."""
    sizes: list[int] = []
    size = 1.0
    while sum(sizes) + round(size) <= count:
        sizes.append(round(size))
        size = max(size + 1, size * _GROWTH)
    rest = count - sum(sizes)
    if sizes and rest:
        sizes[-1] += rest
    return sizes


def spread(count: int, wanted: int) -> list[int]:
    """Indexes of `wanted` of `count` things, evenly spread, each in the middle of its stretch."""
    if wanted >= count:
        return list(range(count))
    return [(2 * number + 1) * count // (2 * wanted) for number in range(wanted)]
