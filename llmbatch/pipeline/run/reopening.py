"""Dead letters for which there was no room, and an engine that has more of it.

The longest sequence that an engine takes cannot change an answer that fits, so it is not in a
request's key: a dead letter would stay one although its user did what the advice says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.core.option_name import plain_name
from llmbatch.core.outcomes import CONTEXT, mended_by
from llmbatch.engines.base import Engine, KnowsModel, settings_before_start
from llmbatch.job.spec import JobSpec
from llmbatch.store import runs
from llmbatch.store.database import Database
from llmbatch.store.frames import Columns
from llmbatch.store.runs import RunContext


@dataclass(frozen=True, slots=True)
class Room:
    """The longest sequence that the next engine takes. `sure`: an option or the engine itself says
    so, not only the model's configuration, of which an engine may take less."""

    tokens: int
    sure: bool


def expected_room(spec: JobSpec, engine: Engine) -> Room | None:
    """The room of an engine that is not started; None where it is unknown."""
    option = settings_before_start(engine, spec.engine.options).max_model_len
    if option is not None and option > 0:
        return Room(option, sure=True)
    shape = engine.shape() if option is None and isinstance(engine, KnowsModel) else None
    return Room(shape.context, sure=False) if shape is not None and shape.context else None


def runs_with_less(contexts: Sequence[RunContext], room: Room | None) -> list[int]:
    """The runs that had less room. Where that is not sure: those whose option has made it less,
    or the same dead letters would be tried at each run, in vain."""
    if room is None:
        return []
    return [
        one.run
        for one in contexts
        if one.tokens is not None
        and one.tokens < room.tokens
        and (room.sure or _had_option(one.spec))
    ]


def _had_option(spec: Mapping[str, Any]) -> bool:
    return CONTEXT in map(plain_name, spec.get("engine", {}))


def dead_letters(db: Database, room: Room | None) -> Columns | None:
    """The dead letters that may succeed with more room; None where there are none."""
    had_less = runs_with_less(runs.contexts(db), room)
    dead = runs.dead(db, mended_by(CONTEXT), had_less) if had_less else None
    return dead if dead and dead["copies"] else None
