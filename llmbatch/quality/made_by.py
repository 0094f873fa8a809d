"""The versions of all that made each answer, as short digests.

Answers of one output may come from several runs, since they are used again. The runs that had the
same in everything make one set, which has a name: rows name it in the column `made_by`. It is
derived from the settings that the store has of each run.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
from pydantic import BaseModel

from llmbatch.job import stored
from llmbatch.job.fields import Affects, effect
from llmbatch.job.spec import JobSpec
from llmbatch.store import makings
from llmbatch.store.database import Database
from llmbatch.store.makings import RunMaking

PARTS = {
    "template": ("prompt", "system", "messages", "prefill", "raw", "record_order", "template"),
    "examples": ("examples", "example_answer"),
    "form": ("task", "answer", "classify", "score", "embed"),
    "sampling": ("sampling",),
}
"""The keys of a job that can change answers, by the part of which they are the version."""
RULES = "check"
"""The key of the rules, which decide what is accepted."""
_WORDS = {
    "template": "the prompt",
    "examples": "the examples",
    "form": "the form of the answers",
    "sampling": "the sampling",
    "adapters": "an adapter",
}
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class MadeBy:
    """The versions of what makes answers, each a digest of eight hexadecimal digits; None where
    there is none, or it is not known. `fingerprint`: of the `model`'s files or revision;
    `adapters` by name; `engine` as it names itself, None before it was started and for answers
    that were taken in from elsewhere."""

    task: str
    model: str
    fingerprint: str | None
    template: str | None
    examples: str | None
    form: str | None
    rules: str | None
    sampling: str | None
    adapters: Mapping[str, str]
    llmbatch: str
    engine: str | None = None
    engine_version: str | None = None
    device: str | None = None

    @property
    def name(self) -> str:
        """The name of all of them together."""
        return _digest(asdict(self))


@dataclass(frozen=True, slots=True)
class MadeBySet:
    """Versions that made answers, under their `name`: in these `runs`, of so many `rows` of the
    current plan."""

    name: str
    runs: list[int]
    rows: int
    versions: MadeBy


def identity(model: Mapping[str, str], adapters: Mapping[str, str]) -> dict[str, Any]:
    """All that has to be kept with a run beside its settings: the identity of its model, and the
    digests of its adapters by name."""
    return {"model": dict(sorted(model.items())), "adapters": dict(sorted(adapters.items()))}


def of_job(spec: JobSpec, kept: Mapping[str, Any], version: str) -> MadeBy:
    """The versions of a job before its engine is started. `kept`: see `identity`; empty for what
    an older version has begun; `version`: that of llmbatch."""
    model, adapters = kept.get("model"), kept.get("adapters") or {}
    parts = {
        part: _digest(given) if (given := _given(spec, keys)) else None
        for part, keys in PARTS.items()
    }
    rules = spec.model_dump(mode="json").get(RULES)
    return MadeBy(
        task=spec.task,
        model=spec.model,
        fingerprint=_digest(model) if model else None,
        rules=_digest(rules) if rules else None,
        adapters={
            name: str(digest).rpartition(":")[2][:_DIGITS] for name, digest in adapters.items()
        },
        llmbatch=version,
        **parts,
    )


def _given(section: BaseModel, keys: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The values that are not by default and can change answers, of these keys or of all."""
    given: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if (keys is not None and name not in keys) or value == field.default:
            continue
        if isinstance(value, BaseModel):
            if inner := _given(value):
                given[name] = inner
        elif effect(field) is not Affects.NEUTRAL:
            given[name] = value
    return given


def _digest(value: Any) -> str:
    text = orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text).hexdigest()[:_DIGITS]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple | set | frozenset) else str(value)


def _of_run(making: RunMaking) -> MadeBy:
    spec = stored.read_spec(making.spec)[0]
    told = making.description
    named = {key: told.get(key) for key in ("engine", "version", "device")}
    engine, version, device = (None if each is None else str(each) for each in named.values())
    made = of_job(spec, making.made_by, making.version)
    return replace(made, engine=engine, engine_version=version, device=device)


def sets(db: Database) -> list[MadeBySet]:
    """The sets of versions that made the answers of the current plan, that of most rows first."""
    found: dict[str, MadeBySet] = {}
    for making in makings.of_runs(db):
        if making.rows:
            made = _of_run(making)
            held = found.get(made.name) or MadeBySet(made.name, [], 0, made)
            found[made.name] = replace(
                held, runs=[*held.runs, making.run], rows=held.rows + making.rows
            )
    return sorted(found.values(), key=lambda each: (-each.rows, each.runs))


def by_run(db: Database) -> dict[int, str]:
    """The names of the sets by the number of the run."""
    return {making.run: _of_run(making).name for making in makings.of_runs(db)}


def changes(now: MadeBy, before: MadeBy, run: int) -> Iterator[str]:
    """The parts that differ from those of that `run`, which make answers that others do not."""
    if now.model != before.model:
        yield f"the model is another one than run {run}'s ({before.model})"
    elif now.fingerprint != before.fingerprint and None not in (
        now.fingerprint,
        before.fingerprint,
    ):
        yield (
            f"the model under the name {now.model} is another one than at run {run} (fingerprint "
            f"{before.fingerprint} -> {now.fingerprint})"
        )
    for part, words in _WORDS.items():
        if getattr(now, part) != getattr(before, part):
            yield f"{words} changed since run {run}"


def last(db: Database, model: str | None = None) -> tuple[int, MadeBy] | None:
    """The number of the last run, or of the last one of this `model`, and its versions; None before
    the first."""
    runs = makings.of_runs(db)
    if model is not None:
        runs = [run for run in runs if stored.read_spec(run.spec)[0].model == model]
    return (runs[-1].run, _of_run(runs[-1])) if runs else None
