"""A side of a comparison: a job, a job as one of its runs left it, or an output file alone."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from llmbatch.cli import console, reading
from llmbatch.cli.commands.export import last_spec
from llmbatch.cli.find_job import find, require_plan
from llmbatch.core.errors import UsageError
from llmbatch.job import folder
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import job_prompt
from llmbatch.pipeline.tasks import registry
from llmbatch.quality import answer_file, answers, table_file
from llmbatch.quality.answer_form import AnswerForm, form_of
from llmbatch.quality.answers import RowAnswer
from llmbatch.reports import report as job_report
from llmbatch.reports.report import Report
from llmbatch.store import as_of, faults, snapshots
from llmbatch.store.database import Database

_RUN = re.compile(r"(.+)@([0-9]{1,9})")
_UNTYPED = ("csv", "tsv", "xlsx")


@dataclass(frozen=True, slots=True)
class CompareSide:
    """`name`: as it was given; `paths`: of its job, None for a file alone; `run`: that after which
    it is looked at, None: as it is now. `form` and `columns` (of the input) are known before its
    rows are read, those of a file alone only as far as it says. `used`:
    the columns that the prompt uses, none where that is not known."""

    name: str
    file: Path
    paths: JobPaths | None
    run: int | None
    form: AnswerForm
    columns: tuple[str, ...] = ()
    id_column: str | None = None
    used: frozenset[str] = frozenset()

    @property
    def is_untyped(self) -> bool:
        """True for a file of texts."""
        if self.paths is not None:
            return False
        with table_file.opened(self.file) as file:
            return file.format_name in _UNTYPED

    def with_form(self, form: AnswerForm) -> "CompareSide":
        """The side with the form of the other one, where its own is not known."""
        return self if self.paths is not None or self.form.kind else replace(self, form=form)


def find_side(name: str, response: tuple[str, ...]) -> CompareSide:
    """The side of this name. `response`: the columns of the answer in a file alone. Raises
    UsageError where there is neither a job nor a file."""
    path, run = Path(name), None
    if (found := _RUN.fullmatch(name)) and not folder.is_file(path) and not path.is_dir():
        path, run = Path(found[1]), int(found[2])
    try:
        paths = find(path)
    except UsageError:
        if run is not None or path.suffix == ".toml" or not folder.is_file(path):
            raise
        return _of_file(name, path, response)
    with _opened(paths, run, is_first=True) as db:
        snapshot = snapshots.newest(db)
        spec = last_spec(db, paths)
        columns = () if snapshot is None else tuple(snapshot.source.columns)
        used = _used(spec, columns)
        return CompareSide(name, path, paths, run, form_of(spec), columns, spec.id_column, used)


def _used(spec: JobSpec, columns: tuple[str, ...]) -> frozenset[str]:
    try:
        prompt = job_prompt.make(spec, registry.make(spec))
    except UsageError:  # one that an earlier version took
        return frozenset()
    return frozenset(prompt.columns_used(columns))


def _of_file(name: str, path: Path, response: tuple[str, ...]) -> CompareSide:
    form = AnswerForm()
    if len(response) == 1:
        form = AnswerForm(column=response[0])
    elif response:
        form = AnswerForm("json", parts=dict.fromkeys(response, "json"))
    rows = answer_file.of_file(path, form)
    try:
        first = next(rows, None)
    except UsageError:
        # Of what kind its answers are, the other side may say.
        return CompareSide(name, path, None, None, form)
    return CompareSide(name, path, None, None, form, () if first is None else tuple(first.input))


@contextmanager
def _opened(paths: JobPaths, run: int | None, *, is_first: bool = False) -> Iterator[Database]:
    with reading.opened(paths) as db, faults.understood(paths.store):
        require_plan(db, paths)
        if run is not None and as_of.look_back(db, run) and is_first:
            console.say(
                f"run {run} of {paths.state} worked on another plan: its answers are those of the "
                "requests that are the same now"
            )
        yield db


@contextmanager
def rows_of(side: CompareSide, seen: Callable[[str], None]) -> Iterator[Iterator[RowAnswer]]:
    """The rows of a side, once; `seen` gets the input's columns of a file as they are met."""
    if side.paths is None:
        yield _watched(answer_file.of_file(side.file, side.form), seen)
        return
    with _opened(side.paths, side.run) as db:
        yield answers.of_store(db, side.form, answers.STATES)


def _watched(rows: Iterator[RowAnswer], seen: Callable[[str], None]) -> Iterator[RowAnswer]:
    for row in rows:
        for name in row.input:
            seen(name)
        yield row


def report_of(side: CompareSide) -> Report | None:
    """The report of the side's job; None for a file alone."""
    if side.paths is None:
        return None
    with reading.opened(side.paths) as db, faults.understood(side.paths.store):
        return job_report.build(db)
