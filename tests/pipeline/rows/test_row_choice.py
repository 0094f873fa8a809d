"""Some rows of an input are taken: by a condition, then by their place."""

from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from tests.pipeline.rows.test_ingest import Bench

ROWS = b"".join(
    b'{"id": "%d", "n": %d, "t": "%s", "o": {"a": %d}}\n' % (n, n * 10, b"ab"[n % 2 :][:1], n)
    for n in range(1, 7)
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.input.write_bytes(ROWS)
    return bench


@pytest.mark.parametrize(
    ("choice", "rows"),
    [
        ({"limit": 2}, [1, 2]),
        ({"offset": 4}, [5, 6]),
        ({"limit": 2, "offset": 1}, [2, 3]),
        ({"limit": 100}, [1, 2, 3, 4, 5, 6]),
        ({"where": "n > 30"}, [4, 5, 6]),
        ({"where": "t = 'a'", "limit": 1, "offset": 1}, [4]),
        ({"where": "o ->> 'a' = '3' OR id = '1'"}, [1, 3]),
        ({"where": "false"}, []),
    ],
)
def test_the_chosen_rows_are_kept(bench: Bench, choice: dict[str, object], rows: list[int]) -> None:
    held = bench.read(input={"files": [str(bench.input)], **choice})
    assert [row for row, _ in bench.rows()] == rows
    assert (held.row_count, held.rows_read) == (len(rows), 6)
    assert held.source.notes[-1].startswith(f"only {len(rows)} of its 6 rows are taken (--")


def test_another_choice_reads_anew_and_the_same_does_not(bench: Bench) -> None:
    part = {"files": [str(bench.input)], "limit": 2}
    held = bench.read(input=part)
    assert bench.read(input=part) == held
    assert bench.read().row_count == 6
    assert bench.read(input=part | {"limit": 3}).row_count == 3


def test_ids_are_unique_in_the_whole_input(bench: Bench) -> None:
    bench.input.write_bytes(b'{"id": 1, "t": "a"}\n{"id": 1, "t": "b"}\n{"id": 2, "t": "b"}\n')
    where = {"files": [str(bench.input)], "where": "t = 'b'"}
    held = bench.read(input=where, id_column="id")
    assert ([row for row, _ in bench.rows()], held.reject_count) == ([3], 1)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("nope > 1", "where: .*nope.* not found"),
        ("id > 1", r"where: .*CAST\(x AS DOUBLE\)"),
        ("n >", "where: "),
        ("true) OR (true; SELECT 1", "where: "),
        ("(SELECT count(*) FROM 'in.jsonl') > 0", "where: "),
        ("n IN (COPY (SELECT 1) TO 'w.csv')", "where: "),
    ],
)
def test_a_condition_that_cannot_be_computed_changes_nothing(
    bench: Bench, where: str, reason: str
) -> None:
    before = bench.read()
    with pytest.raises(UsageError, match=reason) as caught:
        bench.read(input={"files": [str(bench.input)], "where": where})
    assert "\n" not in str(caught.value)
    assert bench.read() == before
