"""The pass over the stored answers that finds warning signs: one, in windows, in input order.

What all answers have in common is asked of the store before it, in such a way that neither the
order of the rows nor the size of the windows changes a verdict.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import islice
from typing import Any

from llmbatch.core import exact_json
from llmbatch.job.signs import SignsSpec
from llmbatch.job.spec import JobSpec
from llmbatch.quality import answers
from llmbatch.quality.answer_form import AnswerForm, form_of
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.languages import Languages
from llmbatch.quality.signs import language, length, one_word, shared
from llmbatch.quality.signs.base import ALL, JSON, TEXT, Background, Sign, Subject
from llmbatch.quality.signs.registry import SIGNS
from llmbatch.quality.signs.words import joined
from llmbatch.store import answer_survey, flags, results, running_code
from llmbatch.store.answer_survey import SharedAnswers
from llmbatch.store.database import Database
from llmbatch.store.flags import Flag

# The name of what is kept of a pass: which one, its settings, and the language that answers had.
_USUAL = "signs"
_WINDOW = 20_000
_BLOCK = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_NAME = re.compile(r"[^\W\d]\w*")
_WHOLE_RECORD = "record"


def mark(db: Database, spec: JobSpec) -> None:
    """Replace the warning signs of the job's rows by those of its answers of today; without work
    where neither these nor the settings, nor the code, have changed."""
    settings = repr(
        (running_code.name(), spec.signs.model_dump_json(), spec.prompt, spec.system, spec.prefill)
    )
    if flags.is_current(db, "sign", settings):
        return
    form = form_of(spec)
    signs = wanted(spec.signs, form.kind)
    if not signs:
        flags.replace(db, "sign", [], settings)
        return
    with Languages() as languages:
        look = Look(signs, _background(db, spec, form, languages), form, used_columns(spec))
        _mark(db, look, settings)


def _mark(db: Database, look: "Look", settings: str) -> None:
    others = SharedAnswers(db, shared.LEAST_LENGTH) if shared.SIGN in look.signs else None
    usual = [settings, look.job.language, sorted(look.job.usual_words)]
    is_usual = db.kept(_USUAL) == [flags.last_pass(db, "sign"), *usual]
    rows = flags.to_look_at(db, "sign", settings, _doubt(look)) if is_usual else None
    seen = answers.of_store(db, look.form) if rows is None else _again(db, rows, look.form)
    found = _found(look, others, seen)
    flags.replace(db, "sign", windows(found), settings, carries=rows is not None)
    db.keep(_USUAL, [flags.last_pass(db, "sign"), *usual])


def _doubt(look: "Look") -> flags.Doubt:
    """The rows whose signs other rows decide. A bit more than the signs ask for, as characters are
    counted by the store."""
    is_text = look.form.kind == TEXT
    return flags.Doubt(
        median=look.job.median,
        least=0.9 * length.LEAST_RATIO if is_text else math.inf,
        short=2 * one_word.LONGEST
        if is_text and look.job.median >= one_word.USUAL_LENGTH - 0.1
        else -1,
        shared=shared.SIGN in look.signs,
        names=[sign.name for sign in (length.SIGN, one_word.SIGN, shared.SIGN)],
    )


def _again(db: Database, rows: Sequence[int], form: AnswerForm) -> Iterator[RowAnswer]:
    """Some rows, as far as they are answered."""
    seen = (answers.of_row(found, form) for found in results.of_rows(db, rows))
    return (row for row in seen if row.is_answered)


def windows(flagged: Iterator[Flag], size: int = _WINDOW) -> Iterator[list[Flag]]:
    """The flags in lists of this size."""
    while window := list(islice(flagged, size)):
        yield window


def found(db: Database, spec: JobSpec) -> Iterator[Flag]:
    """The warning signs of all answered rows, in input order."""
    form = form_of(spec)
    signs = wanted(spec.signs, form.kind)
    if not signs:
        return
    with Languages() as languages:
        look = Look(signs, _background(db, spec, form, languages), form, used_columns(spec))
        others = SharedAnswers(db, shared.LEAST_LENGTH) if shared.SIGN in signs else None
        yield from _found(look, others, answers.of_store(db, form))


def _found(look: "Look", others: SharedAnswers | None, rows: Iterable[RowAnswer]) -> Iterator[Flag]:
    for row in rows:
        yield from look.at(row, others.of(row.row) if others else ())


def wanted(settings: SignsSpec, kind: str | None) -> tuple[Sign, ...]:
    """The signs that are looked for in answers of this kind."""
    if not settings.look or kind not in ALL:
        return ()
    return tuple(sign for sign in SIGNS if kind in sign.forms and sign.name not in settings.off)


def used_columns(spec: JobSpec) -> frozenset[str] | None:
    """The names in the blocks of the prompt's templates, which may be those of columns; None where
    the prompt may use any column."""
    if not spec.needs_prompt:
        return None
    blocks = _BLOCK.findall(joined([spec.prompt or "", spec.system or "", spec.prefill or ""]))
    names = {name for block in blocks for name in _NAME.findall(block)}
    return None if _WHOLE_RECORD in names else frozenset(names)


def _background(db: Database, spec: JobSpec, form: AnswerForm, languages: Languages) -> Background:
    lengths = answer_survey.lengths(db)
    wished, usual = spec.signs.language, frozenset[str]()
    is_wanted = form.kind == TEXT and spec.signs.look and "language" not in spec.signs.off
    if is_wanted and lengths.answers >= language.FEWEST_ANSWERS:
        sample = answer_survey.sample(db, language.MOST_ANSWERS, language.FEWEST_LETTERS // 4)
        most, usual = language.majority(sample, spec.signs.language_probability, languages)
        if wished is not None and most != language.alike(wished):
            usual = frozenset()
        wished = wished or most
    return Background(
        settings=spec.signs,
        instruction=_BLOCK.sub(" ", joined([spec.system or "", spec.prompt or ""])),
        answers=lengths.answers,
        median=lengths.median,
        spread=lengths.spread,
        language=wished,
        usual_words=usual,
        languages=languages,
    )


@dataclass(frozen=True)
class Look:
    """A look at answers of one form. `columns`: the names of those that the prompt uses, among
    others; None: all."""

    signs: Sequence[Sign]
    job: Background
    form: AnswerForm
    columns: frozenset[str] | None

    def at(self, row: RowAnswer, others: Sequence[str]) -> Iterator[Flag]:
        """The signs of a row, each once: of several samples that of the first that has it.
        `others`: the records (JSON) of requests with the same answer."""
        record = row.input
        read = partial(self._subject, record)
        samples = row.response if self._is_list(row) else [row.response]
        seen = set[str]()
        for value in samples:
            if value is None:
                continue
            subject = read(value, others if len(samples) == 1 else ())
            for sign in self.signs:
                if sign.name not in seen and (detail := sign.look(subject)) is not None:
                    seen.add(sign.name)
                    yield Flag(row.row, "sign", sign.name, detail)

    def _is_list(self, row: RowAnswer) -> bool:
        """True if the answer is the list of all samples of a row."""
        return isinstance(row.response, list) and int(row.meta.get("samples", 1)) > 1

    def _subject(self, record: Mapping[str, Any], value: Any, others: Sequence[str]) -> Subject:
        is_json = self.form.kind == JSON
        return Subject(
            text=joined(texts_in(value)) if is_json else str(value),
            value=value,
            columns=self._columns(record),
            whole=joined(texts_in(record)),
            job=self.job,
            shared_with=[self._input_of(other) for other in others],
        )

    @cached_property
    def _input_of(self) -> Callable[[str], str]:
        """The texts of the columns of another row's record. All rows of one answer are compared
        with the same few others, which are read once."""
        return lru_cache(maxsize=64)(lambda data: joined(self._columns(_record(data)).values()))

    def _columns(self, record: Mapping[str, Any]) -> dict[str, str]:
        """The texts of the columns that the prompt uses; of all, if it names none."""
        names = record.keys() if self.columns is None else record.keys() & self.columns
        return {
            name: joined(texts_in(value))
            for name, value in record.items()
            if name in names or not names
        }


def _record(data: str) -> Mapping[str, Any]:
    """The record of another row, which may be cut."""
    try:
        return exact_json.parse_record(data)
    except ValueError:
        return {"": data}


def texts_in(value: Any) -> Iterator[str]:
    """The texts and numbers of a JSON value, without the names of its members."""
    if isinstance(value, exact_json.Json):
        value = value.text
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    elif value is not None:
        yield str(value)
