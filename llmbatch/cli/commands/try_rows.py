"""`llmbatch try`: some rows answered and shown, once or whenever the job's files change."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbatch.cli import console, first_stage
from llmbatch.cli.options import JobArguments, JobCommand, job_options
from llmbatch.core.errors import EngineError, ExitCode, UsageError

if TYPE_CHECKING:
    from llmbatch.pipeline.prompts.ready_job import ReadyJob
    from llmbatch.pipeline.run.try_session import TriedRows, TryResult, TrySession

_FIRST = ("--rows", "--first", "--watch", "--where", "--model", "--prompt", "--output", "--schema")
_EXAMPLE = """\
  llmbatch try job.toml --watch
  llmbatch try tickets.csv -m MODEL -p @prompt.txt -o answers.csv --where "lang = 'de'"
"""
# Seconds between two looks at the files, and for which a file that was saved has to stay as it is.
_POLL = 0.2
_SETTLED = 0.1


@click.command("try", cls=JobCommand, first=_FIRST, example=_EXAMPLE)
@job_options
@click.option(
    "--rows",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Rows to answer, spread over the input.",
)
@click.option("--first", is_flag=True, help="The first rows instead.")
@click.option(
    "--watch",
    is_flag=True,
    help="Keep the engine running, and try again when the job file, a template, a schema or the "
    "input is saved. Ctrl-C ends it.",
)
@console.reported
def try_rows(job: tuple[str, ...], rows: int, first: bool, watch: bool, **given: Any) -> None:
    """Answer some rows and show them, with what all rows would take.

    The answers are kept in the job's store, so a later run pays nothing for them; no output file
    is written, and the job's own rows, plan and output stay as they are. --where chooses among
    the rows that keep a condition.
    """
    from llmbatch.cli import narration, try_view
    from llmbatch.job.input import STDIN
    from llmbatch.pipeline.run.try_session import TriedRows, TrySession

    wanted = TriedRows(rows, first, given.pop("input__where", None))
    arguments = JobArguments.parse(job, given)
    ready = _ready(arguments)
    watched = _Watched(_files(arguments, ready))
    if watch and STDIN in ready.spec.input.files:
        raise UsageError("--watch needs an input that can be read again: a file or a query")
    observer = try_view.OnceShown(narration.observer(quiet=False))
    with TrySession(ready, observer) as session:
        code = _once(session, ready, wanted)
        is_cut = session.stop.drain
        if watch and not is_cut:
            code, is_cut = _watch(session, arguments, watched, wanted)
    if session.stop.signal and is_cut:
        code = ExitCode(128 + session.stop.signal)
    # An engine may have left threads, and takes long to be taken apart.
    console.leave_at_once(code)


def _ready(arguments: JobArguments) -> "ReadyJob":
    from llmbatch.cli import report_files
    from llmbatch.pipeline.run import preflight

    spec = first_stage.of(arguments.load())
    files = preflight.CommandFiles(arguments.sources(), report_files.targets(spec))
    return preflight.make_ready(spec, files)


def _once(session: "TrySession", job: "ReadyJob", wanted: "TriedRows") -> ExitCode:
    """One try; the exit code says whether anything was answered."""
    from llmbatch.cli import try_view
    from llmbatch.reports import answers

    result = session.answer(job, wanted)
    for row in result.rows:
        row["answer"] = row["answer"] and answers.shown(row["answer"], job.spec)
    console.show(try_view.lines(result, try_view.width()))
    if not session.stop.drain:
        console.show(_whole(session, job, result))
    nothing = result.counts.failed and not result.counts.answered
    return ExitCode.INCOMPLETE if nothing else ExitCode.OK


def _whole(session: "TrySession", job: "ReadyJob", result: "TryResult") -> list[str]:
    """The requirements of all rows, by those that were tried."""
    from llmbatch.estimate import whole_job
    from llmbatch.pipeline.run.engine_factory import EngineFactory

    asked = sum(row["state"] in ("answered", "failed") for row in result.rows)
    requests = round(result.input_rows * asked / max(1, len(result.rows)))
    engine = EngineFactory(job).first_engine
    whole = whole_job.estimate(session.store, job.spec, engine, requests, result.reading_seconds)
    return [] if whole is None else list(whole_job.lines(whole, result.input_rows))


def _watch(
    session: "TrySession", arguments: JobArguments, watched: "_Watched", wanted: "TriedRows"
) -> tuple[ExitCode, bool]:
    """Try again whenever a file of the job changes, until a signal comes; the exit code, and
    whether the signal came in the middle of a try. `watched`: the files as the last had them."""
    while True:
        console.say("watching the job's files; Ctrl-C ends")
        if not watched.wait(session):
            return ExitCode.OK, False
        try:
            job = _ready(arguments)
            watched.add(_files(arguments, job))
            session.require_same_folder(job)
            code = _once(session, job, wanted)
        except (UsageError, EngineError) as error:
            console.say(f"error: {error}")
            code = error.exit_code
        if session.stop.drain:
            return code, True


def _files(arguments: JobArguments, job: "ReadyJob") -> list[Path]:
    """The files of which a change is worth another try."""
    from llmbatch.pipeline.rows import input_parts

    inputs = [part.path for part in input_parts.find(job.input).files if not part.is_once]
    return [*arguments.sources(), *dict.fromkeys(path for path in inputs if path)]


class _Watched:
    """Files, and how they were before they were last read: a save during a try is another one."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._stamps = _stamps(files)

    def add(self, files: list[Path]) -> None:
        """Watch these files from now on, too."""
        new = [path for path in files if path not in self._files]
        self._files += new
        self._stamps += _stamps(new)

    def wait(self, session: "TrySession") -> bool:
        """Wait until a file has changed and stays so for a moment; False for a signal."""
        while not session.stop.drain:
            now = _stamps(self._files)
            if now != self._stamps:
                session.stop.sleep(_SETTLED)
                if now == _stamps(self._files) and None not in now:
                    self._stamps = now
                    return not session.stop.drain
            session.stop.sleep(_POLL)
        return False


def _stamps(files: list[Path]) -> list[tuple[int, int, int] | None]:
    found: list[tuple[int, int, int] | None] = []
    for path in files:
        try:
            status = path.stat()
        except OSError:  # an editor may be about to put another file in its place
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return found
