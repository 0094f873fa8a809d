"""The comparison of answers with gold: which figures fit them, over all rows and by group."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.units import count
from llmbatch.quality import (
    figures,
    gold_file,
    label_figures,
    pair_figures,
    record_figures,
    reliability,
    score_figures,
    text_figures,
)
from llmbatch.quality.answer_form import AnswerForm
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.estimates import Sample
from llmbatch.quality.evaluation import ECE, EvalOptions, Evaluation, GroupFigures
from llmbatch.quality.figures import Figure, GoldRow, Kind
from llmbatch.quality.gold_rows import GoldCounts, GoldSource, Joining
from llmbatch.quality.pair_figures import Corpus
from llmbatch.quality.record_figures import GoldRecord
from llmbatch.quality.reliability import Reliability

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

MOST_GROUPS = 200
# Labels that a text may have to be one of, and how many rows each has at least.
_FEW_LABELS, _ROWS_EACH = 20, 2


@dataclass(frozen=True, slots=True)
class Judged:
    """An evaluation, and the rows that it is of."""

    evaluation: Evaluation
    rows: list[GoldRow]

    def wrong(self) -> list[GoldRow]:
        """The rows that are not right, those without an answer among them. Raises UsageError where
        a row alone is neither."""
        right = _RIGHT.get(self.evaluation.kind)
        if right is None:
            raise UsageError(
                f"--errors: with {self.evaluation.kind} no row is right or wrong by itself"
            )
        return [row for row in self.rows if not right(row)]


def _is_right_label(row: GoldRow) -> bool:
    return row.is_answered and label_figures.label_of(row.answer) == label_figures.label_of(
        row.gold
    )


_RIGHT: Mapping[str, Callable[[GoldRow], bool]] = {
    "label": _is_right_label,
    "json": record_figures.is_right,
    "text": text_figures.is_right,
}


def evaluate(
    rows: Iterable[RowAnswer],
    form: AnswerForm,
    options: EvalOptions,
    columns: Sequence[str],
    id_column: str | None = None,
    *,
    input_name: str = "the input",
) -> Judged:
    """Compare the answers of `rows` with gold. `columns`: of the input.

    Raises UsageError for gold that cannot be used, or that no row has.
    """
    form = form if options.field is None else replace(form, kind="label", parts={})
    is_record = options.kind == "json" or (options.kind is None and form.kind == "json")
    joining = Joining(
        options.gold, form, columns, id_column, input_name=input_name, is_record=is_record
    )
    asked = options.by + ((options.group_by,) if options.group_by else ())
    corpus = Corpus() if _is_of_vectors(form, options) else None
    if corpus is not None:
        rows = corpus.watched(rows)
    judged = list(joining.rows(rows, asked))
    _require(joining.counts, options.gold)
    if options.field is not None:
        _take_field(judged, options.field)
    joining.adjust(judged)
    kind = options.kind or kind_of(form, judged)
    _fit(judged, kind)
    made = _build(judged, kind, joining.counts, options, corpus)
    made.notes.extend(_notes(judged, kind, form))
    return Judged(made, judged)


def _notes(rows: Sequence[GoldRow], kind: Kind, form: AnswerForm) -> Iterator[str]:
    """Sentences about gold that no answer could equal, and rows that no figure is of."""
    known = set(form.labels)
    others = [
        row for row in rows if kind == "label" and label_figures.label_of(row.gold) not in known
    ]
    if known and others:
        some = ", ".join(sorted({label_figures.label_of(row.gold) for row in others})[:5])
        yield (
            f"the gold of {count(len(others), 'row')} is none of the job's labels ({some}), "
            "so no answer there could be right"
        )
    if kind in ("score", "ranking"):
        lost = sum(score_figures.number(row.answer) is None for row in rows)
        if lost:
            yield f"{lost:,} gold rows without a score are left out"


def _is_of_vectors(form: AnswerForm, options: EvalOptions) -> bool:
    return (options.kind or ("pairs" if form.kind == "vector" else None)) == "pairs"


def _require(counts: GoldCounts, gold: GoldSource) -> None:
    """Raise UsageError where there is nothing to judge by."""
    if not counts.gold_rows:
        of = f"{count(counts.blank, 'row')}, none" if counts.blank else "no row"
        raise UsageError(f"gold: {gold.path or gold.name} has {of} with a right answer")
    if not counts.matched:
        by = f" by {counts.joined_by}" if counts.joined_by else ""
        raise UsageError(
            f"gold: of {count(counts.gold_rows, 'row')} of {gold.path or gold.name} none is found "
            f"in the job{by}, such as that at {', '.join(counts.examples[:1]) or 'none'}; name the "
            "column that both have: --on"
        )


def _take_field(rows: Sequence[GoldRow], name: str) -> None:
    """Look at one field of JSON answers alone. Raises UsageError if no answer has it."""
    if not any(isinstance(row.answer, dict) and name in row.answer for row in rows):
        known = dict.fromkeys(k for row in rows if isinstance(row.answer, dict) for k in row.answer)
        raise UsageError(
            f"--field: no answer has a field {name!r}{nearest(name, known)}; fields: "
            f"{', '.join(list(known)[:20]) or 'none, the answers are no JSON objects'}"
        )
    for row in rows:
        gold = row.gold.fields if isinstance(row.gold, GoldRecord) else gold_file.parsed(row.gold)
        if isinstance(gold, Mapping):
            row.gold = gold.get(name)
        row.answer = row.answer.get(name) if isinstance(row.answer, dict) else None


def kind_of(form: AnswerForm, rows: Sequence[GoldRow]) -> Kind:
    """The figures that fit the answers and their gold."""
    fixed: dict[str | None, Kind] = {"label": "label", "json": "json", "vector": "pairs"}
    if form.kind in fixed:
        return fixed[form.kind]
    if form.kind == "score":
        return "score" if {score_figures.relevance(row) for row in rows} <= {0, 1} else "ranking"
    is_json = any(isinstance(row.answer, dict) for row in rows)
    if is_json or any(isinstance(row.gold, GoldRecord) for row in rows):
        return "json"
    different = {label_figures.label_of(row.gold) for row in rows}
    few = len(different) <= _FEW_LABELS and len(rows) >= _ROWS_EACH * len(different)
    return "label" if few else "text"


def _fit(rows: Sequence[GoldRow], kind: Kind) -> None:
    """Read answers and gold as that kind has them. Raises UsageError for gold that is none."""
    for row in rows:
        if kind == "json":
            row.answer = gold_file.parsed(row.answer)
            if not isinstance(row.gold, GoldRecord):
                row.gold = gold_file.record(row.gold, f"gold of row {row.id}")
        elif isinstance(row.gold, GoldRecord):
            if len(row.gold.fields) != 1:
                raise UsageError(
                    f"gold: {count(len(row.gold.fields), 'column')} ({', '.join(row.gold.fields)}) "
                    "for one answer: name one of them, or for one field of JSON answers: --field"
                )
            (row.gold,) = row.gold.fields.values()


def _build(
    rows: list[GoldRow],
    kind: Kind,
    counts: GoldCounts,
    options: EvalOptions,
    corpus: Corpus | None,
) -> Evaluation:
    import numpy as np

    sample = figures.sample_of(rows)
    measure = _measure(rows, kind, options, corpus)
    everything = measure(rows, sample, np.ones(len(rows), dtype=bool))
    made = Evaluation(kind, sample.is_weighted, counts, everything, by=list(options.by))
    if kind == "label":
        labels = label_figures.of_labels(rows, sample)
        made = replace(made, labels=labels, confusion=label_figures.confusion(rows))
    if kind == "json":
        made = replace(made, fields=record_figures.of_fields(rows, sample))
    if kind in _RIGHT and (found := _reliability(rows, kind, sample)) is not None:
        made = replace(made, reliability=found)
        made.figures.append(Figure(ECE, found.error, None, None, found.rows, "none"))
    groups = _groups(rows, sample, measure, options) if options.by else []
    return replace(made, groups=groups)


_Measure = Callable[[Sequence[GoldRow], Sample, "Numbers"], list[Figure]]


def _measure(
    rows: Sequence[GoldRow], kind: Kind, options: EvalOptions, corpus: Corpus | None
) -> _Measure:
    """The figures of that kind, of the rows within a group."""
    if kind == "label":
        label_figures.check(label_figures.Labels.of(rows))
        return label_figures.overall
    if kind == "json":
        return record_figures.overall
    if kind == "text":
        return text_figures.overall
    if kind == "pairs":
        assert corpus is not None
        each = _recalls(rows, corpus)
        return lambda part, sample, within: pair_figures.overall(
            part, sample, within, _recalls_of(each, part, rows)
        )
    return lambda part, sample, within: [
        figure
        for figure in score_figures.overall(part, sample, within, _ranked_with(part, options))
        if kind == "score" or figure.name.startswith("ndcg")
    ]


def _recalls_of(each: "Numbers", part: Sequence[GoldRow], rows: Sequence[GoldRow]) -> "Numbers":
    """The recalls of some of the rows."""
    places = {id(row): place for place, row in enumerate(rows)}
    found: Numbers = each[[places[id(row)] for row in part]]
    return found


def _recalls(rows: Sequence[GoldRow], corpus: Corpus) -> "Numbers":
    wanted = pair_figures.partners(rows, corpus.ids)
    return pair_figures.recalls(rows, wanted, corpus.ids, corpus.vectors)


def _ranked_with(rows: Sequence[GoldRow], options: EvalOptions) -> list[str]:
    """The group of each row that it is ranked in."""
    return [row.by[-1] if options.group_by else "" for row in rows]


def _groups(
    rows: Sequence[GoldRow], sample: Sample, measure: _Measure, options: EvalOptions
) -> list[GroupFigures]:
    """The figures by group, that of most rows first. Raises UsageError for too many of them."""
    import numpy as np

    width = len(options.by)
    places: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.by[:width], []).append(place)
    if len(places) > MOST_GROUPS:
        raise UsageError(
            f"--by {','.join(options.by)}: {len(places):,} groups are too many to read (at most "
            f"{MOST_GROUPS})"
        )
    made = []
    for values, here in sorted(places.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        if sample.is_weighted:
            within = np.zeros(len(rows), dtype=bool)
            within[here] = True
            found = measure(rows, sample, within)
        else:
            part = [rows[place] for place in here]
            found = measure(part, Sample(len(part)), np.ones(len(part), dtype=bool))
        made.append(GroupFigures(list(values), len(here), found))
    return made


def _reliability(rows: Sequence[GoldRow], kind: Kind, sample: Sample) -> Reliability | None:
    sure = [(place, row) for place, row in enumerate(rows) if row.confidence is not None]
    if not sure:
        return None
    return reliability.measure(
        [row.confidence or 0.0 for _, row in sure],
        [_RIGHT[kind](row) for _, row in sure],
        [float(sample.counted[place]) for place, _ in sure],
    )
