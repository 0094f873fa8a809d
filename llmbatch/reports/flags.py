"""The flags of a job's rows as figures: by origin, and by name."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.job.spec import JobSpec
from llmbatch.quality.signs import one_label
from llmbatch.reports.answers import AnswerFigures, Distribution, enum_of
from llmbatch.store import flags
from llmbatch.store.database import Database


@dataclass(frozen=True, slots=True)
class FlagLine:
    """The `rows` that have a flag of this name; the first of them by `id` and `line`, and what was
    seen there, if a few words say more."""

    name: str
    rows: int
    id: str
    line: int
    detail: str | None


@dataclass(frozen=True, slots=True)
class FlagFigures:
    """The flags of one origin: a rule of the user's that only flags (`check`), or a warning sign
    (`sign`). `rows`: those with one or more; `names`: the flags, that of most rows first."""

    origin: str
    rows: int
    names: list[FlagLine]


@dataclass(frozen=True, slots=True)
class JobSign:
    """A warning sign of the whole job, which no row has by itself: its name, and what was seen."""

    name: str
    detail: str


def of_job(figures: AnswerFigures | None, spec: JobSpec) -> list[JobSign]:
    """The warning signs of all answers together: labels that nearly all rows have."""
    if figures is None or not spec.signs.look or one_label.NAME in spec.signs.off:
        return []
    return list(_one_label(figures, spec))


def _one_label(figures: AnswerFigures, spec: JobSpec) -> Iterator[JobSign]:
    for given in figures.distributions:
        if given.kind != "labels" or not given.values or not _is_label(given, spec):
            continue
        most = given.values[0]
        if one_label.is_one(most.rows, given.rows, spec.signs.one_label_share):
            share = units.share(most.rows / given.rows)
            what = "answers" if given.member in (None, "response") else given.member
            yield JobSign(one_label.NAME, f"{share} of the {what} are {most.value[:60]}")


def _is_label(given: Distribution, spec: JobSpec) -> bool:
    """True for whole answers, and for members whose values the job lists: others, such as a
    currency, may have one value by right."""
    whole = given.member is None or (spec.task == "classify" and given.member == "response")
    return whole or enum_of(spec.answer.json_schema, given.member or "") is not None


def build(db: Database) -> list[FlagFigures]:
    """The flags of the current plan by origin; none where no row has one."""
    rows = flags.rows_by_origin(db)
    seen = {(each.origin, each.name): each for each in flags.examples(db)}
    found: dict[str, list[FlagLine]] = {}
    for each in flags.counts(db):
        first = seen[each.origin, each.name]
        found.setdefault(each.origin, []).append(
            FlagLine(each.name, each.rows, first.id, first.line, first.detail)
        )
    return [FlagFigures(origin, rows[origin], found[origin]) for origin in sorted(found)]
