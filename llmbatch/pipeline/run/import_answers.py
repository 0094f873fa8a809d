"""Answers that were computed elsewhere, taken into a job's store as if a run had computed them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from llmbatch import formats
from llmbatch.batch_files import answers, lines
from llmbatch.batch_files.answers import AnsweredLine, AnswerError, OneAnswer
from llmbatch.core import clock, units
from llmbatch.core.errors import ExitCode, UsageError
from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage, Verdict
from llmbatch.formats.lines import physical_lines
from llmbatch.job.cost import TokenPrice
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import without_engine
from llmbatch.pipeline.run.counters import Timings
from llmbatch.pipeline.tasks import registry
from llmbatch.pipeline.tasks.acceptance import Acceptance
from llmbatch.pipeline.tasks.adapters import parted
from llmbatch.store import named_requests, plans, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.named_requests import NamedRequest
from llmbatch.store.runs import Attempt

REASON = "imported"
"""The beginning of the reason for which a run ends that took in answers."""
FAILED_ELSEWHERE = "failed_elsewhere"
_WINDOW = 5_000
_SHOWN = 5


@dataclass(slots=True)
class Imported:
    """The taking in of a file: requests that were `answered`, that `failed`, and that had
    been `settled` before; names that are `unknown` to the job, lines that are `malformed` (the
    first of both, with their numbers, are kept), names that are `foreign` by their model."""

    answered: int = 0
    failed: int = 0
    settled: int = 0
    unknown: int = 0
    malformed: int = 0
    foreign: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """True if every line was an answer of the job's."""
        return not (self.failed or self.unknown or self.malformed or self.foreign)

    def note(self, what: str) -> None:
        """Keep one of the first faults, for the user."""
        if len(self.examples) < _SHOWN:
            self.examples.append(what)


def take(
    db: Database,
    spec: JobSpec,
    path: Path,
    *,
    any_model: bool = False,
    price: TokenPrice | None = None,
) -> Imported:
    """Take in the answered file. `spec`: that of the job's last run; `any_model`: also the answers
    of a model of another name; `price`: what a million tokens cost there. What is settled stays,
    so a file may be taken in as often as one likes. Raises UsageError for a file that cannot be
    read."""
    plan = plans.current(db)
    assert plan is not None, "the job is planned"
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    ask = registry.make(spec).ask
    if ask is not None and ask.kind not in ("embed", "score"):
        raise UsageError(f"--task {spec.task}: no batch file holds its answers: run the job")
    settings = spec.model_dump(mode="json", by_alias=True)
    paid = None if price is None else price.model_dump(mode="json")
    # What comes from elsewhere is held to the rules by the next run (see `recheck`).
    settings["check"] = []
    settings["cost"] |= {"price_per_hour": None, "price_per_million": paid}
    began = clock.moment()
    work = _Import(
        db, spec, lambda: runs.begin(db, plan.plan, began, settings), any_model=any_model
    )
    with formats.open_input(str(path)) as stream:
        work.all(enumerate(physical_lines(stream, str(path)), 1))
    done = work.done
    if work.run is not None:
        code = ExitCode.OK if done.is_clean else ExitCode.INCOMPLETE
        reason = f"{REASON}: {units.count(done.answered, 'answer')} of {path.name}"
        runs.end(db, work.run, reason, code, asdict(Timings()))
    return done


class _Import:
    """One taking in of a file. `run`: the one that it counts as, None while nothing is new."""

    def __init__(
        self, db: Database, spec: JobSpec, begin: Callable[[], int], *, any_model: bool
    ) -> None:
        """`begin` records that the run has begun, and returns its number."""
        self._db = db
        self._spec = spec
        self._task = registry.make(spec)
        self._any_model = any_model or spec.batch.any_model
        snapshot = snapshots.newest(db)
        self._has_ids = snapshot is not None and snapshot.source.id_column is not None
        self._checkpoints = 0
        self._seen: set[str] = set()
        self._begin = begin
        self.run: int | None = None
        self.done = Imported()

    def all(self, numbered: Iterator[tuple[int, bytes]]) -> None:
        """Take in all lines, with their numbers."""
        with self._task.check() as check:
            self._accept = Acceptance(check, loops_fail=False, keeps_cut=self._spec.run.keeps_cut)
            while window := list(islice(numbered, _WINDOW)):
                self._window(window)

    def _window(self, window: list[tuple[int, bytes]]) -> None:
        found = list(self._readable(window))
        names = [line.custom_id for _, line in found]
        requests = named_requests.find(self._db, names, by_row=False)
        if self._has_ids:
            requests = named_requests.find(self._db, names, by_row=True) | requests
        attempts: list[Attempt] = []
        reopened: dict[str, list[Any]] = {"key": [], "attempt": [], "rows": []}
        for number, line in found:
            if line.custom_id not in requests:
                self.done.unknown += 1
                self.done.note(f"line {number:,}: {line.custom_id!r} is no request of this job")
            else:
                self._line(line, requests[line.custom_id], attempts, reopened)
        if attempts:
            self._commit(attempts, reopened)

    def _commit(self, attempts: list[Attempt], reopened: dict[str, list[Any]]) -> None:
        if self.run is None:
            self.run = self._begin()
        runs.reopen(self._db, reopened)
        self._checkpoints += 1
        counters = without_engine.telemetry(len(attempts))
        runs.checkpoint(self._db, self.run, self._checkpoints, attempts, counters)

    def _readable(self, window: list[tuple[int, bytes]]) -> Iterator[tuple[int, AnsweredLine]]:
        for number, raw in window:
            if not raw.strip():
                continue
            try:
                line = answers.read(raw.decode())
            except (AnswerError, UnicodeDecodeError) as error:
                self.done.malformed += 1
                self.done.note(f"line {number:,}: {error}")
                continue
            if self._any_model or lines.is_same_model(line.model, self._spec.model):
                yield number, line
            else:
                self.done.foreign += 1
                self.done.note(f"line {number:,}: answered by the model {line.model!r}")

    def _line(
        self,
        line: AnsweredLine,
        requests: list[NamedRequest],
        attempts: list[Attempt],
        reopened: dict[str, list[Any]],
    ) -> None:
        given = list(line.answers)
        if len(given) == 1 and given[0].text is None:
            given *= len(requests)  # a line that failed has no answer for any of its requests
        for request, answer in zip(requests, given, strict=False):
            outcome = self._accept(_outcome(request.key, answer), parted(request.body)[1])
            is_answer = isinstance(outcome, Completed)
            again = request.verdict == Verdict.DEAD and is_answer
            if request.key in self._seen or (request.verdict is not None and not again):
                self.done.settled += 1
                continue
            self._seen.add(request.key)
            if again:
                for name, value in zip(
                    reopened, (request.key, request.attempts, request.copies), strict=True
                ):
                    reopened[name].append(value)
            attempts.append(_attempt(outcome, request))
            self.done.answered += is_answer
            self.done.failed += not is_answer


def _outcome(key: str, answer: OneAnswer) -> Outcome:
    usage = Usage(answer.prompt, answer.cached, answer.output)
    if answer.text is None:
        return Failed(key, FAILED_ELSEWHERE, answer.fault, usage, None, answer.finish_reason)
    return Completed(key, answer.text, answer.finish_reason, usage, answer.reasoning)


def _attempt(outcome: Outcome, request: NamedRequest) -> Attempt:
    is_answer, usage = isinstance(outcome, Completed), outcome.usage
    return Attempt(
        request.key,
        request.attempts + 1,
        Verdict.ANSWERED if is_answer else Verdict.DEAD,
        outcome.kind if isinstance(outcome, Failed) else None,
        outcome.message if isinstance(outcome, Failed) else None,
        outcome.finish_reason,
        outcome.text,
        usage.prompt,
        min(usage.cached, usage.prompt),
        usage.output,
        outcome.reasoning if isinstance(outcome, Completed) else None,
    )
