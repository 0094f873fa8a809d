"""The reopening of requests that are settled otherwise than the next run would settle them.

The longest sequence that an engine takes cannot change an answer that fits, so it is not in a
request's key: a dead letter would stay one although its user did what the advice says. Neither is
in it whether an answer that was cut counts as one: switching that computes only such answers anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.core.option_name import plain_name
from llmbatch.core.outcomes import CONTEXT, kinds_helped_by
from llmbatch.engines.base import Engine, KnowsModel, settings_before_start
from llmbatch.job.spec import JobSpec
from llmbatch.store import runs
from llmbatch.store.database import Database
from llmbatch.store.frames import Columns
from llmbatch.store.runs import EngineRun


@dataclass(frozen=True, slots=True)
class SequenceLimit:
    """The longest sequence that the next engine takes. `sure`: an option or the engine itself says
    so, not only the model's configuration, of which an engine may take less."""

    tokens: int
    sure: bool


def expected_limit(spec: JobSpec, engine: Engine) -> SequenceLimit | None:
    """The limit of an engine that is not started; None where it is unknown."""
    option = settings_before_start(engine, spec.engine.options).max_model_len
    if option is not None and option > 0:
        return SequenceLimit(option, sure=True)
    shape = engine.shape() if option is None and isinstance(engine, KnowsModel) else None
    return SequenceLimit(shape.context, sure=False) if shape is not None and shape.context else None


def runs_with_shorter(engine_runs: Sequence[EngineRun], limit: SequenceLimit | None) -> list[int]:
    """The runs whose engines took shorter sequences than `limit`. If that is not sure, only those
    in which an option set theirs: else each run would try the same dead letters again in vain."""
    if limit is None:
        return []
    return [
        one.run
        for one in engine_runs
        if one.tokens is not None
        and one.tokens < limit.tokens
        and (limit.sure or _had_option(one.spec))
    ]


def _had_option(spec: Mapping[str, Any]) -> bool:
    return CONTEXT in map(plain_name, spec.get("engine", {}))


def dead_letters(db: Database, limit: SequenceLimit | None) -> Columns | None:
    """The dead letters that may succeed with this limit; None where there are none."""
    shorter = runs_with_shorter(runs.engine_runs(db), limit)
    dead = runs.dead(db, kinds_helped_by(CONTEXT), shorter) if shorter else None
    return dead if dead and dead["rows"] else None


def settled_otherwise(db: Database, spec: JobSpec) -> Columns | None:
    """The requests of answers that were cut and count the other way by now: answers as failures, or
    dead letters as answers; None where there are none."""
    found = runs.cut(db, keeps_cut=spec.run.keeps_cut)
    return found if found["rows"] else None
