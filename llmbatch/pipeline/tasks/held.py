"""The holding of answers to the form of a task: by the engine, or by the check alone."""

from collections.abc import Iterator

from llmbatch.engines.base import Engine, grammar_of
from llmbatch.engines.grammar_plan import NO_GRAMMAR, GrammarPlan, line
from llmbatch.engines.pooling import line as line_of_pooling
from llmbatch.engines.pooling import pooling_of
from llmbatch.pipeline.tasks.base import Task


def plan_of(engine: Engine, task: Task) -> GrammarPlan | None:
    """The plan of the engine; None for a task without a form, or an engine that does not say.
    Raises UsageError when the engine cannot hold it at all."""
    if task.form is not None and task.constraint is None:
        return NO_GRAMMAR
    return grammar_of(engine, task.constraint)


def numbers_of(engine: Engine, task: Task) -> list[str]:
    """A line on how the engine makes the numbers that the task asks for, for a person to read."""
    pools = task.ask is not None and task.ask.pools
    found = pooling_of(engine) if pools else None
    return [] if found is None else [f"numbers: {line_of_pooling(found.to_json())}"]


def lines(plan: GrammarPlan | None) -> Iterator[str]:
    """It for a person to read, with the engine's own notices."""
    if plan is not None:
        yield line(plan.to_json())
        yield from plan.notices
