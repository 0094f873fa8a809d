"""An evaluation that a user asks for: which rows it is of, and where its report goes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbatch.cli import console, find_job, reading, report_delivery, wrong_rows
from llmbatch.cli.commands.export import last_spec
from llmbatch.core.errors import UsageError
from llmbatch.core.units import count
from llmbatch.job import folder, gold_set
from llmbatch.quality import answer_file, answers, judging, made_by
from llmbatch.quality.answer_form import AnswerForm, form_of
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.evaluation import EvalOptions
from llmbatch.quality.figures import Kind
from llmbatch.quality.gold_rows import GoldSource
from llmbatch.quality.made_by import MadeBySet
from llmbatch.reports import evaluation_words, renderers, schema
from llmbatch.reports.evaluation import EVALUATION_VERSION, EvaluationReport
from llmbatch.reports.html import svg as html_svg
from llmbatch.store import faults, snapshots

if TYPE_CHECKING:
    from llmbatch.job.spec import JobSpec


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """The gold (`gold`, `gold_column`, `on`), the figures (`kind`, `field`, `by`, `group_by`),
    their `least` values, and the report (`output`, `style`); None: as the job says, or by default.
    `errors`: the file of the rows that are wrong; `response`: the answer's column in a file."""

    job: Path
    gold: str | None = None
    gold_column: str | None = None
    on: str | None = None
    kind: Kind | None = None
    field: str | None = None
    by: tuple[str, ...] = ()
    group_by: str | None = None
    least: Mapping[str, float] | None = None
    output: Path | None = None
    style: str | None = None
    errors: Path | None = None
    response: str | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows to be judged, from their beginning at each call of `read`; `spec`: of the job's last
    run, None for a file alone."""

    read: Callable[[], Iterator[RowAnswer]]
    form: AnswerForm
    columns: list[str]
    spec: "JobSpec | None"
    name: str
    made_by: Sequence[MadeBySet] = ()


def deliver(request: EvalRequest) -> bool:
    """Show or write the figures; True if they reach their least values. Raises UsageError for gold
    or files that cannot be used."""
    style = report_delivery.style_for(request.output, request.style)
    paths = _paths(request.job)
    folders = {} if paths is None else {paths.state: "state folder"}
    report_delivery.check_file(request.output, folders, overwrite=request.overwrite)
    if request.errors is not None:
        wrong_rows.check(request.errors, overwrite=request.overwrite)
    with _opened(request, paths) as rows:
        report = _judge(request, rows)
    text = renderers.render(report, style)
    if style == "html" and (lacking := html_svg.lacking()):
        console.say(lacking)
    report_delivery.put(text, request.output)
    for each in report.evaluation.thresholds:
        if not each.met:
            console.say(evaluation_words.threshold(each))
    return report.evaluation.is_met


def deliver_schema(output: Path | None, *, overwrite: bool) -> None:
    """Show or write the JSON schema of such reports."""
    report_delivery.check_file(output, {}, overwrite=overwrite)
    report_delivery.put(schema.text(EvaluationReport), output)


def _judge(request: EvalRequest, rows: _Rows) -> EvaluationReport:
    spec = rows.spec
    options = EvalOptions(
        _gold(request, spec),
        request.kind,
        request.by,
        request.field,
        request.group_by or (spec.score.group_by if spec is not None else None),
    )
    judged = judging.evaluate(
        rows.read(), rows.form, options, rows.columns, _id_column(spec), input_name=rows.name
    )
    least = request.least or (spec.eval.min if spec is not None else {})
    evaluation = judged.evaluation.with_thresholds(least)
    if request.errors is not None:
        written = wrong_rows.write(request.errors, rows.columns, rows.read(), judged.wrong())
        console.say(f"{count(written, 'row')} not right, written to {request.errors}")
    return EvaluationReport(
        version=EVALUATION_VERSION,
        job=str(request.job),
        model=None if spec is None else spec.model,
        task=None if spec is None else spec.task,
        gold=options.gold.name,
        made_by=list(rows.made_by),
        evaluation=evaluation,
    )


def _id_column(spec: "JobSpec | None") -> str | None:
    return None if spec is None else spec.id_column


def _gold(request: EvalRequest, spec: "JobSpec | None") -> GoldSource:
    """The right answers: those that were asked for, or those of the job."""
    given = request.gold or (spec.gold if spec is not None else None)
    if given is None:
        raise UsageError(
            "--gold: name a file of rows with their right answers, or the column of the input "
            "that has them"
        )
    on = request.on or (spec.eval.on if spec is not None and request.gold is None else None)
    if gold_set.names_file(given):
        return GoldSource(given, Path(given), request.gold_column, on)
    for flag, value in (("--on", on), ("--gold-column", request.gold_column)):
        if value is not None:
            raise UsageError(f"{flag} is for a gold file, and {given} is a column: leave it out")
    return GoldSource(given)


def _paths(job: Path) -> folder.JobPaths | None:
    """The job, or None for an output file whose job is gone."""
    try:
        return find_job.find(job)
    except UsageError:
        if job.suffix == ".toml" or not folder.is_file(job):
            raise
    console.say(f"{job}: its job is not there, so this is of the file alone: no failed rows")
    return None


@contextmanager
def _opened(request: EvalRequest, paths: folder.JobPaths | None) -> Iterator[_Rows]:
    if paths is None:
        yield _of_file(request)
        return
    if request.response is not None:
        raise UsageError("--response-column is for an output file whose job is gone: leave it out")
    with reading.opened(paths) as db, faults.understood(paths.store):
        find_job.require_plan(db, paths)
        spec = last_spec(db, paths)
        if spec.sampling.samples > 1 and not spec.sampling.vote:
            raise UsageError(
                f"{paths.state}: each row has {count(spec.sampling.samples, 'answer')}, none of "
                "them the row's: run it again with --vote, which computes nothing anew"
            )
        snapshot = snapshots.newest(db)
        columns = [] if snapshot is None else list(snapshot.source.columns)
        form = form_of(spec)

        def read() -> Iterator[RowAnswer]:
            return answers.of_store(db, form, answers.STATES)

        yield _Rows(read, form, columns, spec, spec.input.name, made_by.sets(db))


def _of_file(request: EvalRequest) -> _Rows:
    form = AnswerForm(column=request.response or AnswerForm().column)

    def read() -> Iterator[RowAnswer]:
        return answer_file.of_file(request.job, form)

    rows = read()
    first = next(rows, None)
    columns: list[Any] = [] if first is None else list(first.input)
    rest = iter(() if first is None else (first,))
    begun = [chain(rest, rows)]
    return _Rows(lambda: begun.pop() if begun else read(), form, columns, None, str(request.job))
