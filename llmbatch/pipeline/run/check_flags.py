"""The flags of rows whose answers break a rule that only flags."""

from collections.abc import Iterator, Sequence
from typing import Any

from llmbatch.core import exact_json
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import job_rules
from llmbatch.pipeline.run.answer_checks import NamedBreak
from llmbatch.pipeline.run.bounded_judge import BoundedJudge
from llmbatch.pipeline.run.job_rules import JobRules
from llmbatch.quality import answers
from llmbatch.quality.answer_form import form_of
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.rules.view import CheckedAnswer
from llmbatch.store import flags
from llmbatch.store.database import Database
from llmbatch.store.flags import Flag, Origin

ORIGIN: Origin = "check"
_WINDOW = 2_000


def mark(db: Database, job: ReadyJob) -> None:
    """Replace the flags of the job's rules by those of its answers of today."""
    rules = job_rules.make(db, job_rules.flagging(job.spec.check), job.task)
    flags.replace(db, ORIGIN, [] if rules is None else _found(db, job, rules))


def _found(db: Database, job: ReadyJob, rules: JobRules) -> Iterator[list[Flag]]:
    rows = answers.of_store(db, form_of(job.spec))
    with BoundedJudge(rules) as judge:
        for window in answers.windows(rows, _WINDOW):
            asked = [(row.row, one) for row in window for one in _checked(row)]
            found: dict[tuple[int, str], Flag] = {}
            for each in judge.broken([one for _, one in asked]):
                row = asked[each.row][0]
                named = NamedBreak(rules.rules[each.rule], each.error)
                name = named.rule.name
                detail = named.text.partition(": ")[2]
                found.setdefault((row, name), Flag(row, ORIGIN, name, detail))
            yield list(found.values())


def _checked(row: RowAnswer) -> Iterator[CheckedAnswer]:
    """The answer of a row; of samples that do not vote, each by itself."""
    for text in _texts(row):
        yield CheckedAnswer(
            row.data,
            text,
            row.meta.get("finish_reason"),
            row.meta.get("attempt") or 1,
            row.meta.get("prompt_tokens") or 0,
            row.meta.get("output_tokens") or 0,
            row.meta.get("reasoning"),
        )


def _texts(row: RowAnswer) -> Sequence[str]:
    is_list = row.meta.get("samples", 1) > 1 and isinstance(row.response, list)
    if not is_list or row.text is None:
        return [] if row.text is None else [row.text]
    given: list[Any] = exact_json.parse_record(f'{{"":{row.text}}}')[""]
    return [text for text in given if isinstance(text, str)]
