"""A comparison that a user asks for: its sides, how their rows are matched, and what is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch.cli import changed_rows, compare_sides, console, report_delivery
from llmbatch.cli.compare_sides import CompareSide
from llmbatch.core.errors import UsageError, nearest
from llmbatch.job import gold_set, stop_rules
from llmbatch.quality import churn, compared_rows, label_figures, record_figures, text_figures
from llmbatch.quality.answer_form import AnswerForm
from llmbatch.quality.churn import Churn, FieldComparison
from llmbatch.quality.figures import GoldRow
from llmbatch.quality.gold_rows import GoldSource, Joining
from llmbatch.quality.shift import exact_mcnemar
from llmbatch.reports import comparison as compared
from llmbatch.reports import comparison_forms, comparison_words, schema
from llmbatch.reports.comparison import (
    COMPARISON_VERSION,
    Comparison,
    GoldComparison,
    Limit,
    Matching,
)
from llmbatch.store import pairs as store_pairs
from llmbatch.store.pairs import BY_PLACE, MatchCounts, Pairs

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """The sides `a` and `b`. `on`: columns by which rows are matched, `by_place`: by their places
    instead; `response`: columns of the answer in files alone; `gold`, `gold_column`: right
    answers; `most`: the limits of churn, P% or FIELD=P%; `changed`: the file of the rows that
    changed, with the input's columns `shown` (none: all)."""

    a: str
    b: str
    on: tuple[str, ...] = ()
    by_place: bool = False
    response: tuple[str, ...] = ()
    gold: str | None = None
    gold_column: str | None = None
    most: tuple[str, ...] = ()
    changed: Path | None = None
    shown: tuple[str, ...] = ()
    output: Path | None = None
    style: str | None = None
    overwrite: bool = False


def deliver(request: CompareRequest) -> bool:
    """Show or write the comparison; True if the churn is within its limits. Raises UsageError for
    what cannot be compared or written."""
    limits = [_limit_of(text) for text in request.most]
    style = report_delivery.style_for(request.output, request.style)
    report_delivery.check_file(request.output, {}, overwrite=request.overwrite)
    if request.changed is not None:
        changed_rows.check(request.changed, overwrite=request.overwrite)
    if request.on and request.by_place:
        raise UsageError("--on and --by-place: give one of them")
    with store_pairs.opened() as pairs:
        found = _compare(pairs, request, limits)
    report_delivery.put(comparison_forms.render(found, style), request.output)
    for limit in found.broken:
        console.say(comparison_words.limit(limit))
    return not found.broken


def deliver_schema(output: Path | None, *, overwrite: bool) -> None:
    """Show or write the JSON schema of comparisons."""
    report_delivery.check_file(output, {}, overwrite=overwrite)
    report_delivery.put(schema.text(Comparison), output)


def _limit_of(text: str) -> tuple[str | None, str]:
    """The field (None: whole answers) and the share of `5%` or `FIELD=5%`."""
    field, _, share = text.rpartition("=")
    try:
        stop_rules.share(share)
    except ValueError as error:
        raise UsageError(f"--max-churn {text!r}: {error}, or FIELD=20%") from error
    return field or None, share


def _compare(
    pairs: Pairs, request: CompareRequest, limits: Sequence[tuple[str | None, str]]
) -> Comparison:
    sides = [compare_sides.find_side(name, request.response) for name in (request.a, request.b)]
    sides = [sides[0].with_form(sides[1].form), sides[1].with_form(sides[0].form)]
    columns = [_load(pairs, number, side, sides) for number, side in enumerate(sides)]
    by, counts = _match(pairs, request, sides, columns)
    vectors = churn.of_vectors(pairs) if _has_vectors(sides) else None
    fields = churn.of_fields(pairs, has_unmatched=counts.only_a + counts.only_b > 0)
    answers = pairs.answer_counts()
    whole = Churn.of(answers.changed, answers.compared)
    reports = [compare_sides.report_of(side) for side in sides]
    made = [
        compared.side(side.name, pairs.states(number), reports[number], side.run)
        for number, side in enumerate(sides)
    ]
    if request.changed is not None:
        _write_changed(pairs, request, columns[1])
    return Comparison(
        version=COMPARISON_VERSION,
        a=made[0],
        b=made[1],
        matching=Matching(by, counts),
        answers=answers,
        churn=whole,
        fields=fields,
        vectors=vectors,
        gold=_gold(pairs, request, sides, columns),
        failures=pairs.failures(),
        limits=[_limit(field, most, whole, fields) for field, most in limits],
    )


def _load(pairs: Pairs, number: int, side: CompareSide, sides: Sequence[CompareSide]) -> list[str]:
    """Add the rows of a side; returns the columns of its input."""
    columns = dict.fromkeys(side.columns)
    as_cells = any(each.is_untyped for each in sides)
    with compare_sides.rows_of(side, columns.setdefault) as rows:
        pairs.add(number, compared_rows.batches(rows, side.form.kind, as_cells=as_cells))
    return list(columns)


def _has_vectors(sides: Sequence[CompareSide]) -> bool:
    return any(side.form.kind == "vector" for side in sides)


def _match(
    pairs: Pairs,
    request: CompareRequest,
    sides: Sequence[CompareSide],
    columns: Sequence[Sequence[str]],
) -> tuple[list[str], MatchCounts]:
    """The columns by which rows are matched, and their counts. Raises UsageError where there is
    nothing to match by, and where no row of the one side has its like on the other."""
    shared = _shared(request, sides, columns)
    for name in request.on:
        for side, own in zip(sides, columns, strict=True):
            if name not in own:
                raise UsageError(
                    f"--on: no column {name!r} in {side.name}{nearest(name, own)}; columns: "
                    f"{', '.join(own[:_SHOWN]) or 'none'}"
                )
    ids = {side.id_column for side in sides if side.id_column is not None}
    by_id = [name for name in ids if len(ids) == 1 and all(name in own for own in columns)]
    by = [*request.on] or by_id or shared
    if request.by_place:
        return [], pairs.match(BY_PLACE, shared)
    if not by:
        raise UsageError(
            f"{sides[0].name} and {sides[1].name} share no column of the input, so their rows "
            "cannot be matched; if both have the same rows in the same order: --by-place"
        )
    counts = pairs.match(by, shared)
    if not counts.matched and counts.only_a and counts.only_b:
        raise UsageError(
            f"no row of {sides[0].name} has its like in {sides[1].name} by {', '.join(by)[:200]}: "
            "name an id column (--on COLUMN), or the columns of the answer (--response-column)"
        )
    return by, counts


def _shared(
    request: CompareRequest, sides: Sequence[CompareSide], columns: Sequence[Sequence[str]]
) -> list[str]:
    """The columns of the input that both sides have, as far as the prompts of jobs use them."""
    used = [side.used for side in sides if side.used]
    shared = [name for name in columns[0] if name in columns[1] and name != request.gold]
    return [name for name in shared if not used or any(name in each for each in used)] or shared


def _limit(field: str | None, most: str, whole: Churn, fields: Sequence[FieldComparison]) -> Limit:
    known = {each.field: each.churn for each in fields}
    if field is not None and field not in known:
        raise UsageError(
            f"--max-churn: no field {field!r} in the answers{nearest(field, known)}; fields: "
            f"{', '.join(list(known)[:_SHOWN]) or 'none'}"
        )
    found = whole if field is None else known[field]
    is_kept = found.changed <= stop_rules.share(most) * found.rows
    return Limit(field, most, found, is_kept)


def _gold(
    pairs: Pairs,
    request: CompareRequest,
    sides: Sequence[CompareSide],
    columns: Sequence[Sequence[str]],
) -> GoldComparison | None:
    if request.gold is None:
        return None
    is_file = gold_set.names_file(request.gold)
    source = GoldSource(
        request.gold,
        Path(request.gold) if is_file else None,
        request.gold_column,
        request.on[0] if is_file and request.on else None,
    )
    for number, (side, own) in enumerate(zip(sides, columns, strict=True)):
        _judge(pairs, number, side, source, own)
    found = pairs.right_counts()
    if not found.rows:
        raise UsageError(f"--gold {request.gold}: no matched row has a right answer there")
    return GoldComparison(
        gold=request.gold,
        rows=found.rows,
        a=Churn.of(found.a_right, found.rows),
        b=Churn.of(found.b_right, found.rows),
        only_a=found.only_a,
        only_b=found.only_b,
        test=exact_mcnemar(found.only_a, found.only_b),
    )


def _judge(
    pairs: Pairs, number: int, side: CompareSide, source: GoldSource, columns: Sequence[str]
) -> None:
    is_record = side.form.kind == "json"
    joining = Joining(
        source, side.form, columns, side.id_column, input_name=side.name, is_record=is_record
    )
    places, right = [], []
    with compare_sides.rows_of(side, lambda name: None) as rows:
        for row in joining.rows(rows):
            places.append(row.row)
            right.append(_is_right(row, side.form))
    pairs.add_right(number, places, right)


def _is_right(row: GoldRow, form: AnswerForm) -> bool:
    """True for a right answer, as `llmbatch eval` counts it; a row without one is wrong."""
    if form.kind == "json":
        return record_figures.is_right(row)
    if form.kind == "label":
        gold, answer = label_figures.label_of(row.gold), row.answer
        return row.is_answered and label_figures.label_of(answer) == gold
    return text_figures.is_right(row)


def _write_changed(pairs: Pairs, request: CompareRequest, columns: Sequence[str]) -> None:
    assert request.changed is not None
    for name in request.shown:
        if name not in columns:
            raise UsageError(
                f"--columns: no column {name!r} in {request.b}{nearest(name, columns)}; columns: "
                f"{', '.join(columns[:_SHOWN]) or 'none'}"
            )
    written = changed_rows.write(request.changed, request.shown or columns, pairs.changed())
    console.say(f"{written:,} changed rows written to {request.changed}")
