"""The part of a job whose answers are in the store already, and why it is not more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.core import units
from llmbatch.core.errors import UsageError
from llmbatch.core.stored import json_table
from llmbatch.job import expected, stop_rules, stored
from llmbatch.job.spec import JobSpec
from llmbatch.store import plans, run_records
from llmbatch.store.database import Database
from llmbatch.store.history import AskedBefore

_TEXTS = {"prompt": "prompt", "system": "system prompt", "prefill": "prefill"}
_OTHERS = ("record_order", "example_answer", "messages", "raw")
# Tables whose keys change answers, and what is said of each.
_TABLES = ("sampling", "answer", "template")
_SHAPES = {"choice": "choices", "schema": "schema", "regex": "pattern"}
_MOST = 8
Names = Sequence[str]
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run of the job, with its settings as the store has them."""

    run: int
    spec: Mapping[str, Any]


def reasons(
    spec: JobSpec, last: EarlierRun | None, asked: AskedBefore | None = None, columns: Names = ()
) -> list[str]:
    """Reasons why answers are not reused, a line each: the settings that can change an answer and
    differ from those of the job's `last` run; where none does, the other changes. `asked`: the word
    of its store on the requests to do (None: it was not asked); `columns`: those of the input."""
    if last is None:
        return ["no earlier run of this job is known"]
    wanted = spec.model_dump(mode="json", by_alias=True)
    kept = stored.settings_of(last.spec)
    found = [*_differences(kept, wanted, f"run {last.run}'s")]
    found += [] if asked is None else _of_columns(asked.columns, columns, last.run)
    if not found:
        return _without_difference(last.run, asked, _engine_options(kept, wanted))
    more = [f"{len(found) - _MOST} more settings differ"] if len(found) > _MOST else []
    return found[:_MOST] + more


def _of_columns(before: Names, now: Names, run: int) -> list[str]:
    changes = (("new", [*now], before), ("gone", [*before], now))
    told = [
        f"{what}: {', '.join(names[:_MOST])}"
        for what, some, others in changes
        if (names := [name for name in some if name not in others])
    ]
    return [f"the columns differ from run {run}'s: {'; '.join(told)}"] if told and before else []


def _engine_options(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> Names:
    """The options of the engine that differ; only the engine knows which of them change answers."""
    before, now = kept.get("engine") or {}, wanted["engine"]
    return [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]


def _without_difference(run: int, asked: AskedBefore | None, options: Names) -> list[str]:
    if asked is None:
        return [
            f"no setting differs from run {run}'s: the rows, or the files of the model, have "
            "changed"
        ]
    lines = []
    if asked.otherwise:
        named = f"options of the engine ({', '.join(options[:_MOST])}) " if options else ""
        lines.append(
            f"{units.count(asked.otherwise, 'request')} read as in run {run}: the files of the "
            f"model{f', or {named}' if named else ' '}have changed"
        )
    if asked.unanswered:
        left = units.count(asked.unanswered, "request")
        lines.append(f"{left} had been planned by run {run}, and not answered")
    return lines or [f"the rows are new or have changed since run {run}"]


def _differences(kept: Mapping[str, Any], wanted: Mapping[str, Any], whose: str) -> Iterator[str]:
    if kept.get("model") != wanted["model"]:
        yield f"the model differs from {whose}: {_shown(kept.get('model'))} there"
    for key, name in _TEXTS.items():
        before, now = kept.get(key), wanted[key]
        if before != now:
            yield f"the {name} differs from {whose}: {_first_difference(before, now)}"
    for table in _TABLES:
        yield from _in_table(table, kept.get(table) or {}, wanted[table] or {}, whose)
    if kept.get("examples") != wanted["examples"]:
        yield f"the examples are others than {whose}"
    for key in _OTHERS:
        if kept.get(key) != wanted[key]:
            yield f"{key} differs from {whose}: {_shown(kept.get(key))} there"


def _in_table(
    table: str, kept: Mapping[str, Any], wanted: Mapping[str, Any], whose: str
) -> Iterator[str]:
    for key in sorted({*kept, *wanted}):
        before, now = kept.get(key), wanted.get(key)
        if before == now:
            continue
        if table == "answer" and key in _SHAPES:
            yield f"the {_SHAPES[key]} of the answer: {_changed(before, now, whose)}"
        elif key == "chat_template":
            yield f"the chat template: {_changed(before, now, whose)}"
        else:
            yield f"{table}.{key} differs from {whose}: {_shown(before)} there"


def _changed(before: Any, now: Any, whose: str) -> str:
    if before is None or now is None:
        return "there was none" if before is None else "there is none any more"
    if isinstance(before, str) and isinstance(now, str):
        return f"differs from {whose}: {_first_difference(before, now)}"
    return f"differs from {whose}"


def _first_difference(before: Any, now: Any) -> str:
    """The first line in which two texts differ."""
    if before is None or now is None:
        return "there was none" if before is None else "there is none any more"
    old, new = str(before).split("\n"), str(now).split("\n")
    pairs = zip(old, new, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))
    return f"line {same + 1}"


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    text = expected.shown(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def last_run(db: Database) -> EarlierRun | None:
    """The newest run in a job's store."""
    runs = run_records.summaries(db)
    return EarlierRun(runs[-1].run, json_table(runs[-1].spec)) if runs else None


def newest(runs: Sequence[Any]) -> EarlierRun | None:
    """The newest of some runs that have a number and a spec."""
    return EarlierRun(runs[-1].run, runs[-1].spec) if runs else None


def require(spec: JobSpec, settled: float, rows: int, last: EarlierRun | None) -> None:
    """Raise UsageError if fewer rows than `expect_reuse` says are settled already; `rows`: those
    that have a request."""
    if spec.run.expect_reuse is None:
        return
    # Shares of a row are floats.
    if settled + 1e-6 >= stop_rules.share(spec.run.expect_reuse) * rows:
        return
    share = units.share(settled / rows)
    why = "; ".join(reasons(spec, last)[:3])
    raise UsageError(
        f"{int(settled + 1e-6):,} of {units.count(rows, 'row')} ({share}) are answered already, "
        f"fewer than --expect-reuse {spec.run.expect_reuse}: {why}"
    )


def check(db: Database, spec: JobSpec) -> None:
    """`require` for a job's own store, once it is planned and before an engine is started."""
    if spec.run.expect_reuse is not None:
        sizes = plans.counts(db)
        require(spec, plans.settled_rows(db), sizes.asked, last_run(db))
