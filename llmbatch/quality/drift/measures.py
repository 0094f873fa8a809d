"""The measures of a column: what is other in it than before, and how much.

Each returns changes with their `size`, by which they are told and graded, whether or not they are
large. A change is `sure` if chance would make it with less than the probability `alpha`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.quality.drift import chance
from llmbatch.quality.drift.profile import ColumnProfile, Counts, Kind

# Groups of equal size into which lengths and amounts are put, and the rows that each has at least.
_GROUPS = 10
_LEAST_IN_GROUP = 10
_LEAST_IN_CELL = 5
# The part of a word's share that it had before if it is new.
_NEW = 0.1
_WORDS = 150
_NAMED = 3
_WIDTH = 40

LEVELS = {
    # Shares of the rows: from which on they are told, and large.
    "missing": (0.01, 0.10),
    "no number": (0.01, 0.10),
    "new value": (0.005, 0.05),
    "repeated": (0.05, 0.20),
    # The share of new words among the common ones, each counted by the rows that have it.
    "new words": (0.05, 0.25),
    # Population stability indices, with their usual thresholds.
    "values": (0.10, 0.25),
    "length": (0.10, 0.25),
    "amount": (0.10, 0.25),
    "language": (0.10, 0.25),
}
"""The size from which on a change is told, and that from which on it is large, by measure."""
INDICES = ("values", "length", "amount", "language")
"""The measures whose size is an index, not a share."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference of a column, with the words for it."""

    measure: str
    size: float
    sure: bool
    text: str


Measure = Callable[[ColumnProfile, ColumnProfile, float], Iterator[Effect]]


def of_column(
    now: ColumnProfile, before: ColumnProfile, alpha: float, kind: Kind
) -> Iterator[Effect]:
    """The differences of a column that held values of this kind before."""
    for measure in _BY_KIND[kind]:
        yield from measure(now, before, alpha)


def _missing(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    some, former = now.rows - now.present, before.rows - before.present
    share, usual = some / now.rows, former / before.rows
    sure = chance.differs(some, now.rows, former, before.rows, alpha)
    what = "null" if now.nulls >= now.blanks else "empty"
    text = f"{_part(usual)} -> {_part(share)} of its values are missing"
    yield Effect("missing", abs(share - usual), sure, text + f" ({what})" * bool(some))


def _no_number(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    some, former = now.present - now.numbers, before.present - before.numbers
    if now.present:
        share, usual = some / now.present, former / before.present
        sure = chance.differs(some, now.present, former, before.present, alpha)
        text = f"{_part(usual)} -> {_part(share)} of its values are no numbers"
        yield Effect("no number", max(0.0, share - usual), sure, text)


def _new_values(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    alpha /= max(1, len(now.values))
    new = {
        value: rows
        for value, rows in now.values.items()
        if value not in before.values and chance.is_more(rows, now.rows, 0, before.rows, alpha)
    }
    if new and now.present:
        named = ", ".join(
            f"{value[:_WIDTH]!r} ({_part(rows / now.rows)})" for value, rows in _first(new)
        )
        more = f" and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
        text = f"new value{'s' * (len(new) > 1)}: {named}{more}"
        yield Effect("new value", sum(new.values()) / now.present, True, text)


def _values(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    """The mix of the values that there were before; new ones are told by themselves."""
    known = {value: rows for value, rows in now.values.items() if value in before.values}
    cells = _by_cell(known, sum(known.values()), before.values, sum(before.values.values()))
    yield from _index("values", cells, alpha, f"another mix: {_most_moved(known, before.values)}")


def _language(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    rows, former = sum(now.languages.values()), sum(before.languages.values())
    cells = _by_cell(now.languages, rows, before.languages, former)
    moved = _most_moved(now.languages, before.languages)
    yield from _index("language", cells, alpha, f"other languages: {moved}")


def _length(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    cells = _by_quantile(now.lengths, before.lengths)
    here, there = _place(now.lengths), _place(before.lengths)
    which = "longer" if here > there else "shorter" if here < there else "of other lengths"
    parts = (
        f"{name} about {_characters(before.lengths, part)} -> {_characters(now.lengths, part)}"
        for name, part in (("median", 0.5), ("longest tenth from", 0.9))
    )
    yield from _index("length", cells, alpha, f"{which}: {', '.join(parts)} characters")


def _amount(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    cells = _by_quantile(now.amounts, before.amounts)
    here, there = _middle_amount(now.amounts), _middle_amount(before.amounts)
    yield from _index(
        "amount", cells, alpha, f"other numbers: median about {there:.3g} -> {here:.3g}"
    )


def _new_words(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    if not (now.word_rows and before.word_rows):
        return
    common = dict(_first(now.words, _WORDS))
    new = {
        word: rows
        for word, rows in common.items()
        if before.words.get(word, 0) / before.word_rows < _NEW * rows / now.word_rows
        and chance.is_more(
            rows, now.word_rows, before.words.get(word, 0), before.word_rows, alpha / _WORDS
        )
    }
    if new:
        share = sum(new.values()) / sum(common.values())
        named = ", ".join(word for word, _ in _first(new, 5))
        yield Effect(
            "new words", share, True, f"{_part(share)} of its common words are new: {named}"
        )


def _repeated(now: ColumnProfile, before: ColumnProfile, alpha: float) -> Iterator[Effect]:
    if not (now.repeat_rows and before.repeat_rows):
        return
    share, usual = now.repeated / now.repeat_rows, before.repeated / before.repeat_rows
    # More rows meet their like more often.
    growth = max(1.0, now.repeat_rows / before.repeat_rows)
    expected = min(1.0, usual * growth)
    sure = chance.is_more(
        now.repeated,
        now.repeat_rows,
        round(expected * before.repeat_rows),
        before.repeat_rows,
        alpha,
    )
    text = f"{_part(usual)} -> {_part(share)} of its values are those of other rows"
    yield Effect("repeated", max(0.0, share - expected), sure, text)


_BY_KIND: dict[Kind, Sequence[Measure]] = {
    "empty": (_missing,),
    "id": (_missing,),
    "date": (_missing,),
    "number": (_missing, _no_number, _amount),
    "category": (_missing, _new_values, _values),
    "text": (_missing, _length, _new_words, _language, _repeated),
}


def _index(
    measure: str, cells: tuple[list[int], list[int]], alpha: float, text: str
) -> Iterator[Effect]:
    now, before = cells
    rows, former = sum(now), sum(before)
    if len(now) > 1 and rows and former:
        size = chance.psi(now, before)
        limit = chance.psi_by_chance(rows, former, len(now), alpha)
        yield Effect(measure, size, size > limit, text)


def _by_cell(now: Counts, rows: int, before: Counts, former: int) -> tuple[list[int], list[int]]:
    """The counts of the keys that are frequent enough, and of all others together."""
    share = (rows / former) if former else 0.0
    kept = [key for key, count in before.items() if count * share >= _LEAST_IN_CELL]
    kept += [key for key, count in now.items() if key not in kept and count >= _LEAST_IN_CELL]
    counts = [now.get(key, 0) for key in kept], [before.get(key, 0) for key in kept]
    rest = rows - sum(counts[0]), former - sum(counts[1])
    if min(rest) < _LEAST_IN_CELL:
        return counts
    return [*counts[0], rest[0]], [*counts[1], rest[1]]


def _by_quantile(now: Counts, before: Counts) -> tuple[list[int], list[int]]:
    """The counts in groups of equal size before: neighbouring classes together."""
    rows, former = sum(now.values()), sum(before.values())
    groups = max(2, min(_GROUPS, rows // _LEAST_IN_GROUP, former // _LEAST_IN_GROUP))
    counts: tuple[list[int], list[int]] = ([0], [0])
    for place in sorted({int(key) for key in (*now, *before)}):
        if counts[1][-1] >= former / groups and len(counts[1]) < groups:
            counts[0].append(0)
            counts[1].append(0)
        counts[0][-1] += now.get(str(place), 0)
        counts[1][-1] += before.get(str(place), 0)
    return counts


def _characters(classes: Counts, part: float) -> str:
    """The middle of the class of lengths that this part of the values does not pass."""
    return f"{2 ** ((_place(classes, part) + 0.5) / 4) - 1:,.0f}"


def _middle_amount(classes: Counts) -> float:
    place = _place(classes)
    size = (2 ** ((abs(place) - 0.5) / 16) - 1) / 1000 if place else 0.0
    return size if place > 0 else -size


def _place(classes: Counts, part: float = 0.5) -> int:
    """The class that this part of the values does not pass; by default that of the median."""
    least, passed = sum(classes.values()) * part, 0
    for place in sorted(map(int, classes)):
        passed += classes[str(place)]
        if passed >= least:
            return place
    return 0


def _most_moved(now: Counts, before: Counts) -> str:
    """The keys whose shares differ most."""
    rows, former = sum(now.values()) or 1, sum(before.values()) or 1
    moves = {key: (before.get(key, 0) / former, now.get(key, 0) / rows) for key in {*now, *before}}
    largest = sorted(moves, key=lambda key: (-abs(moves[key][1] - moves[key][0]), key))[:_NAMED]
    return ", ".join(
        f"{key[:_WIDTH]} {_part(moves[key][0])} -> {_part(moves[key][1])}" for key in largest
    )


def _first(counts: Counts, most: int = _NAMED) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def _part(share: float) -> str:
    return units.share(share)
