"""Inputs that must not become the rows of a job are refused, and its store stays as it was."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.input import InputSpec
from llmbatch.pipeline.rows import ingest
from llmbatch.pipeline.rows.guards import InputGuard
from llmbatch.pipeline.rows.input_file import InputFile
from llmbatch.store import results, snapshots
from llmbatch.store.opening import open_store
from llmbatch.store.snapshots import FormerInputs


class Bench:
    """A store with the rows of a first input of ten rows."""

    def __init__(self, folder: Path) -> None:
        self.path, self.spool = folder / "in.csv", folder / "spool"
        (folder / "s").mkdir()
        self.db = open_store(folder / "s/job.duckdb")
        self.read(10)

    def read(self, rows: int, former: FormerInputs | None = None, **given: Any) -> int:
        self.path.write_text("id,text\n" + "".join(f"{n},x\n" for n in range(rows)))
        return self.take(former, **given)

    def take(self, former: FormerInputs | None = None, **given: Any) -> int:
        spec = InputSpec.model_validate({"files": str(self.path)} | given)
        source = InputFile(spec.name, spec.files, None, None, spec.reading)
        guard = InputGuard(spec, former)
        return ingest.ingest(self.db, source, self.spool, guard).row_count


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


TEN = FormerInputs(10, 10)


@pytest.mark.parametrize(
    ("rows", "former", "given", "said"),
    [
        (0, TEN, {}, "in.csv: has no rows, and the job had 10 before: the output stays as it is"),
        (0, FormerInputs(0, 10), {}, "--min-rows 0"),
        (4, None, {"min_rows": 5}, "has 4 rows, fewer than --min-rows 5"),
        (1, TEN, {"max_shrink": "80%"}, "has 1 row, 90 % fewer than the 10 of the last run"),
        (0, TEN, {"max_shrink": "50%", "min_rows": 0}, "--max-shrink 50%"),
    ],
)
def test_too_few_rows_are_refused_and_change_nothing(
    bench: Bench, rows: int, former: FormerInputs | None, given: dict[str, Any], said: str
) -> None:
    before = snapshots.newest(bench.db)
    with pytest.raises(UsageError) as caught:
        bench.read(rows, former, **given)
    assert said in str(caught.value)
    assert snapshots.newest(bench.db) == before
    assert len(next(iter(snapshots.windows(bench.db, 100)))) == 10


@pytest.mark.parametrize(
    ("rows", "former", "given"),
    [
        (0, None, {}),
        (0, TEN, {"min_rows": 0}),
        (0, FormerInputs(0, 0), {}),
        (5, None, {"min_rows": 5}),
        (2, TEN, {"max_shrink": "80%"}),
        (20, TEN, {"max_shrink": "0%"}),
        (1, None, {"max_shrink": "10%"}),
    ],
)
def test_enough_rows_are_read(
    bench: Bench, rows: int, former: FormerInputs | None, given: dict[str, Any]
) -> None:
    assert bench.read(rows, former, **given) == rows


def test_an_input_that_is_held_is_guarded_too(bench: Bench) -> None:
    with pytest.raises(UsageError, match="fewer than --min-rows 11"):
        bench.take(min_rows=11)


def test_rejects_are_counted_by_reason_with_their_lines(bench: Bench) -> None:
    bad = "".join(f"{n}\n" for n in range(7)) + '1,"\x00",3\n"open,2\n'
    bench.path.write_text(f"id,text\n{bad}")
    with pytest.raises(UsageError) as caught:
        bench.take()
    assert str(caught.value) == (
        f"{bench.path}: all 9 rows are rejected: 1 field where the header has 2 "
        "(lines 2, 3, 4, 5, 6 and 3 more); unclosed quote (line 10)"
    )
    bench.path.write_text(f"id,text\n1,fine\n{bad}")
    assert bench.take() == 1
    found = results.reject_counts(bench.db, 5)
    assert [(each.rows, each.where) for each in found] == [
        (8, "lines 3, 4, 5, 6, 7 and 3 more"),
        (1, "line 11"),
    ]
