"""The early beginning of a run's engine, before the run's work is known.

A start takes long, and reading and planning take their time: so it is begun as soon as the run will
hardly end without an engine. That nothing is to be computed after all costs no more than that.
"""

from collections.abc import Callable

from llmbatch.engines import starts_early
from llmbatch.pipeline.run import request_file
from llmbatch.pipeline.run.context import Context
from llmbatch.store import plans, snapshots
from llmbatch.store.database import Database
from llmbatch.store.snapshots import Snapshot


def before_reading(db: Database, context: Context) -> Callable[[Snapshot], None]:
    """Begin, if the store alone says that there will be work. Returns what looks at the input once
    it was read."""
    former = snapshots.newest(db)
    if context.fresh or former is None or plans.pending_size(db)[0]:
        _begin(context)

    def look(snapshot: Snapshot) -> None:
        if former is not None and snapshot.source.digest != former.source.digest:
            _begin(context)

    return look


def _begin(context: Context) -> None:
    if context.stop.drain or request_file.is_wanted(context.job):
        return
    # One that runs may be the one that is wanted; which of several it will be is not known yet.
    is_kept = context.series is not None and context.series.keeper.holds_engine
    if not is_kept and len(context.engine_specs) == 1:
        starts_early.begin_early(context.engines.first_engine)
