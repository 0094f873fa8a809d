"""The taking of a profile of the rows in a store, in bounded time and memory.

Columns are looked at in at most so many rows, spread over the input by the hash of their number,
and the words and languages of texts in fewer. Values that come again are looked for in all rows,
since a sample would hold few pairs.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmbatch.quality import languages
from llmbatch.quality.drift.profile import MOST_VALUES, ColumnProfile, Counts, Profile
from llmbatch.store.database import Database
from llmbatch.store.input_profiles import RowFigures
from llmbatch.store.snapshots import Snapshot

LEAST_ROWS = 50
"""Of fewer rows nothing can be said but how many they are."""
_MOST_ROWS = 30_000
_MOST_COLUMNS = 60
_MOST_TEXTS = 6
# Rows in which words, languages and repetitions are looked for.
_WORD_ROWS = 10_000
_LANGUAGE_ROWS = 400
_REPEAT_ROWS = 200_000
_WORDS = 300
_FEW_VALUES = 20
# Different values that are counted at a time: while they are, each takes a hundred bytes.
_COUNTED_VALUES = 250_000
# Characters: of a value that is kept, of a text whose language can be told, and a mean that makes a
# column one of texts.
_VALUE = 60
_LEAST_TEXT = 20


def profile_of(db: Database, snapshot: Snapshot, prompt: str) -> Profile:
    """The profile of the rows in the store. Of very many columns those are looked at whose names
    stand in the `prompt`, and then the first ones."""
    names = snapshot.source.columns
    if snapshot.row_count < LEAST_ROWS:
        return Profile(snapshot.row_count, tuple(names))
    wanted = sorted(names, key=lambda name: name not in prompt)
    wanted = [name for name in wanted if name != snapshot.source.id_column][:_MOST_COLUMNS]
    every = math.ceil(snapshot.row_count / _MOST_ROWS)
    with RowFigures(db, wanted, every) as figures:
        looked_at = snapshot.row_count / every
        found: dict[int, ColumnProfile] = {}
        for places in figures.parts():
            figures.hold(places)
            found |= _columns(figures)
        found = _with_texts(figures, found, looked_at, snapshot.row_count)
    return Profile(
        snapshot.row_count,
        tuple(names),
        {wanted[place]: column for place, column in sorted(found.items())},
    )


def _columns(figures: RowFigures) -> dict[int, ColumnProfile]:
    counts: dict[int, dict[str, Any]] = {each.pop("place"): each for each in figures.counts()}
    lengths, amounts = figures.lengths(), figures.amounts()
    few = [place for place, found in counts.items() if found["kinds"] <= MOST_VALUES]
    short = [place for place, found in counts.items() if place not in few and _is_short(found)]
    values = figures.values(few, MOST_VALUES, _VALUE)
    for part in _parts(short, {place: counts[place]["kinds"] for place in short}):
        values |= figures.values(part, _FEW_VALUES, _VALUE)
    found = {
        place: ColumnProfile(
            **each,
            lengths=lengths.get(place, {}),
            amounts=amounts.get(place, {}),
            values=values.get(place, {}),
        )
        for place, each in counts.items()
    }
    return {place: _fitting(column) for place, column in found.items()}


def _parts(places: Sequence[int], kinds: Mapping[int, int]) -> Iterator[list[int]]:
    """Columns in parts that have not too many different values, or one column."""
    part: list[int] = []
    for place in places:
        if part and sum(kinds[each] for each in [*part, place]) > _COUNTED_VALUES:
            yield part
            part = []
        part.append(place)
    yield part


def _is_short(found: Mapping[str, int]) -> bool:
    return found["characters"] <= _VALUE * found["rows"]


def _fitting(column: ColumnProfile) -> ColumnProfile:
    """The profile without classes that mean nothing for what the column holds."""
    kind = column.kind
    is_number = kind == "number" or (kind == "text" and 2 * column.numbers > column.present)
    lengths = column.lengths if kind in ("text", "category") else {}
    return replace(column, lengths=lengths, amounts=column.amounts if is_number else {})


def _with_texts(
    figures: RowFigures, found: Mapping[int, ColumnProfile], rows: float, all_rows: int
) -> dict[int, ColumnProfile]:
    """The profiles with the words, languages and repetitions of the columns with most text."""
    texts = [place for place, column in found.items() if _holds_texts(column)]
    texts = sorted(texts, key=lambda place: -found[place].characters)[:_MOST_TEXTS]
    if not texts:
        return dict(found)
    figures.hold(texts)
    every = math.ceil(rows / _WORD_ROWS)
    words = figures.words(texts, _WORDS, every)
    word_rows = figures.rows_with_words(texts, every)
    some = {place: figures.texts(place, _LEAST_TEXT, _LANGUAGE_ROWS) for place in texts}
    figures.let_go()
    again = figures.repeated(texts, math.ceil(all_rows / _REPEAT_ROWS))
    filled = {
        place: replace(
            found[place],
            words=words.get(place, {}),
            word_rows=word_rows.get(place, 0),
            languages=_languages(some[place]),
            repeat_rows=again.get(place, (0, 0))[0],
            repeated=again.get(place, (0, 0))[1],
        )
        for place in texts
    }
    return {**found, **filled}


def _holds_texts(column: ColumnProfile) -> bool:
    """True for texts, also where a few come again and again."""
    is_long = 2 * column.spaced > column.present and column.characters > _LEAST_TEXT * column.rows
    return column.kind == "text" or is_long


def _languages(texts: Sequence[str]) -> Counts:
    return languages.counted(texts) if len(texts) >= LEAST_ROWS else {}
