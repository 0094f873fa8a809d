"""A job's answers against gold, as a report of its own."""

from dataclasses import dataclass

from llmbatch.quality.evaluation import Evaluation
from llmbatch.quality.made_by import MadeBySet

EVALUATION_VERSION = 1


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """`job`: what was judged, its output or its state folder; `model` and `task` are those of its
    last run, None for a file alone; `gold`: the column or the file of the right answers; `made_by`:
    the versions that made the answers, none for a file alone."""

    version: int
    job: str
    model: str | None
    task: str | None
    gold: str
    made_by: list[MadeBySet]
    evaluation: Evaluation
