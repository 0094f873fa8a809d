"""The order of fields that saves most is found, as trying all orders would find it."""

from collections.abc import Sequence
from itertools import pairwise, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.pipeline.prompts import field_order
from llmbatch.pipeline.prompts.field_order import Choice
from llmbatch.store.field_groups import Groups

# A row is its fields' values. A value's length follows from the value, as in a store.
Row = tuple[int, ...]


def length(field: int, value: int) -> int:
    """Some length; that of 0 is 0, as of a missing field."""
    return (value * 7 + field * 3) % 11 + 1 if value else 0


class Table:
    """Rows in memory that are grouped as a store groups them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.asked: list[frozenset[int]] = []

    def groups(self, fields: frozenset[int]) -> Groups:
        self.asked.append(fields)
        places = sorted(fields)
        found = {tuple(row[place] for place in places) for row in self.rows}
        sums = {
            place: sum(length(place, group[number]) for group in found)
            for number, place in enumerate(places)
        }
        return Groups(len(found), sums)

    def choose(self) -> Choice:
        totals = [
            sum(length(field, row[field]) for row in self.rows)
            for field in range(len(self.rows[0]))
        ]
        choice = field_order.choose(len(self.rows), totals, self.groups)
        assert choice.total == sum(totals)
        assert sorted(choice.order) == list(range(len(totals)))
        return choice

    def saved(self, order: Sequence[int]) -> int:
        """The bytes that an order saves, by the definition: those that the row before has, too."""
        rows = sorted(tuple(row[field] for field in order) for row in self.rows)
        saved = 0
        for former, row in pairwise(rows):
            for field, before, value in zip(order, former, row, strict=True):
                if before != value:
                    break
                saved += length(field, value)
        return saved


def columns(kinds: Sequence[int], rows: int) -> list[Row]:
    """Rows whose fields have so many values each."""
    return [tuple(row * 31 // (kind + 1) % kind for kind in kinds) for row in range(rows)]


TABLES = st.integers(1, 5).flatmap(
    lambda fields: st.lists(
        st.tuples(*[st.integers(0, high) for high in (2, 1, 9, 0, 3)[:fields]]),
        min_size=1,
        max_size=14,
    )
)


@settings(max_examples=300, deadline=None)
@given(TABLES)
def test_no_order_saves_more(rows: list[Row]) -> None:
    table = Table(rows)
    choice = table.choose()
    orders = permutations(range(len(rows[0])))
    assert choice.saved == table.saved(choice.order) == max(map(table.saved, orders))
    assert choice.as_is == table.saved(range(len(rows[0])))


@settings(max_examples=100, deadline=None)
@given(TABLES)
def test_the_inputs_order_stays_unless_another_saves_more(rows: list[Row]) -> None:
    choice = Table(rows).choose()
    assert (choice.order == tuple(range(len(rows[0])))) == (choice.saved == choice.as_is)


@settings(max_examples=100, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: list[Row], draw: object) -> None:
    shuffled = list(rows)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = Table(rows), Table(shuffled)
    assert first.choose() == second.choose()
    assert first.asked == second.asked


@settings(max_examples=100, deadline=None)
@given(TABLES, st.integers(0, 4))
def test_a_field_that_another_determines_follows_it_for_nothing(
    rows: list[Row], field: int
) -> None:
    """The same values under other names: both stand together, and cost no more groupings."""
    field %= len(rows[0])
    plain, doubled = Table(rows), Table([(*row, row[field] + 20) for row in rows])
    choice = doubled.choose()
    orders = permutations(range(len(rows[0]) + 1))
    assert choice.saved == max(map(doubled.saved, orders))
    assert plain.choose().saved <= choice.saved


def test_constants_come_first_and_unique_fields_last() -> None:
    rows = [(number, number % 3 + 1, 5) for number in range(30)]
    assert Table(rows).choose().order == (2, 1, 0)


def test_fields_that_determine_each_other_are_not_tried_in_all_orders() -> None:
    table = Table([(row % 9,) * 8 for row in range(50)])
    table.choose()
    # Each by itself, each pair, and the beginnings of the input's order.
    assert len(set(table.asked)) <= 8 + 8 * 7 // 2 + 8


def test_no_set_is_measured_twice() -> None:
    table = Table(columns((3, 5, 2, 7, 4, 6), 200))
    table.choose()
    assert len(table.asked) == len(set(table.asked)) <= 2**6


def test_with_many_fields_the_search_stays_small_and_good() -> None:
    kinds = (900, 2, 30, 4, 7, 3, 60, 5, 11, 2, 800, 6, 9, 3, 2)
    rows = columns(kinds, 900)
    table = Table(rows)
    choice = table.choose()
    assert len(table.asked) < 2_000
    assert choice.saved == table.saved(choice.order)
    # Not worse than fewer values first, which is what one would do by hand.
    by_hand = sorted(range(len(kinds)), key=lambda field: len({row[field] for row in rows}))
    assert choice.saved >= table.saved(by_hand)


def test_one_row_stays_as_it_is() -> None:
    choice = Table([(3, 2, 1)]).choose()
    assert (choice.order, choice.saved, choice.as_is) == ((0, 1, 2), 0, 0)


def test_many_constant_fields_come_before_one_that_differs() -> None:
    """More of them than are tried at a time."""
    rows = [(*[1] * 20, 1 + number, 1 + number % 3, *[2] * 20) for number in range(30)]
    choice = Table(rows).choose()
    unique, shared = 20, 21
    assert choice.order.index(shared) < choice.order.index(unique)
    assert choice.order.index(unique) == len(rows[0]) - 1
