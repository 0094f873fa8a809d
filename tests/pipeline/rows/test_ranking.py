"""The best rows of each group are written, in the order of the input."""

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow.parquet as pq
import pytest

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Verdict
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import planner, ready_job
from llmbatch.pipeline.rows import export, ingest, output_file, ranking
from llmbatch.pipeline.rows.columns import Layout
from llmbatch.pipeline.rows.output_file import Best
from llmbatch.store import plans, results, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.ranks import RankCounts
from llmbatch.store.runs import Attempt

LONG = "x" * 9_000
# Group, query, document, score; None: the row has failed. The long queries differ at their end.
ROWS: list[tuple[Any, str, str, float | None]] = [
    ("A", "who", "d1", 0.5),
    ("A", "who", "d2", 0.75),
    ("B", "who", "d3", 0.5),
    ("B", "where", "d4", -3.0),
    (1, "where", "d5", 1e-7),
    ("1", LONG + "1", "d6", 0.25),
    (None, LONG + "2", "d7", 0.125),
    (None, LONG + "2", "d8", None),
    ("A", "who", "", 9.0),
    ("A", "who", "d1", 0.5),
]


def spec(folder: Path, **score: Any) -> JobSpec:
    pair = {"query": "{{ q }}", "document": "{{ d }}"}
    table = {
        "input": str(folder / "in.jsonl"),
        "output": str(folder / "out.jsonl"),
        "model": "m",
        "task": "score",
        "score": pair | score,
        "id_column": "id",
    }
    return JobSpec.model_validate(table)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The store of a job whose rows are settled. The last row has the request of the first; that
    without a document was skipped."""
    folder = tmp_path_factory.mktemp("scored")
    rows = [{"id": i, "g": row[0], "q": row[1], "d": row[2]} for i, row in enumerate(ROWS, 1)]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = ready_job.make(spec(folder))
    scores = {row[2]: row[3] for row in ROWS}
    with open_store(folder / "job.duckdb") as db:
        snapshot = ingest.ingest(db, job.input, folder / "spool")
        plan = planner.plan(db, job, snapshot, {"model": "m"})
        run = runs.begin(db, plan.plan, clock.moment(), {})
        settled = [
            attempt(planned.key, scores[json.loads(planned.messages)[1][1]])
            for planned in plans.requests(db, 0, len(ROWS))
        ]
        runs.checkpoint(db, run, 1, settled, {})
        yield db, folder


def attempt(key: str, score: float | None) -> Attempt:
    text = json.dumps({"response": score, "score_kind": "raw"})
    if score is None:
        return Attempt(key, 1, Verdict.DEAD, "too_long", "long", None, None, 0, 0, 0)
    return Attempt(key, 1, Verdict.ANSWERED, None, None, "stop", text, 9, 0, 0)


def written(scored: tuple[Database, Path], name: str, **changes: Any) -> list[dict[str, Any]]:
    """The records of an output in that format."""
    db, folder = scored
    path = folder / name
    score = {key: changes.pop(key) for key in ("top", "group_by") if key in changes}
    job = spec(folder, **score).model_copy(update={"output": str(path)} | changes)
    answer = ready_job.make(job).task.columns
    export.export_answers(db, output_file.make(job, answer), results.counts(db))
    return read(path)


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".csv":
        return list(csv.DictReader(path.open()))
    if path.suffix == ".parquet":
        table: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return table
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as database:
            found = database.execute("FROM answers")
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    sheet: Any = openpyxl.load_workbook(path).active
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def ranks(records: list[dict[str, Any]]) -> dict[int, int]:
    return {int(record["id"]): int(record["rank"]) for record in records}


def test_rows_of_one_query_are_ranked_and_of_equal_ones_the_first_is_best(scored: Any) -> None:
    """The first, the third and the last row of the first query have equal scores."""
    found = ranks(written(scored, "a.jsonl", top=3))
    assert found == {1: 2, 2: 1, 3: 3, 4: 2, 5: 1, 6: 1, 7: 1}
    assert ranks(written(scored, "a.jsonl", top=1)) == {2: 1, 5: 1, 6: 1, 7: 1}
    assert list(found) == sorted(found)


def test_a_column_may_make_the_groups(scored: Any) -> None:
    """A number and a text are two values; rows without one are a group."""
    assert ranks(written(scored, "b.jsonl", group_by="g")) == {
        1: 2, 2: 1, 3: 1, 4: 2, 5: 1, 6: 1, 7: 1, 10: 3,
    }  # fmt: skip
    assert ranks(written(scored, "b.jsonl", group_by="g", top=1)).keys() == {2, 3, 5, 6, 7}


def test_without_a_ranking_all_are_written_and_none_has_a_rank(scored: Any) -> None:
    records = written(scored, "c.jsonl")
    assert [record["id"] for record in records] == [1, 2, 3, 4, 5, 6, 7, 10]
    assert list(records[0]) == ["id", "g", "q", "d", "response", "score_kind"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx", "duckdb"])
def test_the_best_are_the_same_in_every_format(scored: Any, suffix: str) -> None:
    records = written(scored, f"d.{suffix}", top=1)
    assert ranks(records) == {2: 1, 5: 1, 6: 1, 7: 1}
    kinds = {type(record["response"]) for record in records}
    assert kinds == ({str} if suffix == "csv" else {float})
    assert float(records[1]["response"]) == 1e-7


def test_columns_are_chosen_and_other_rows_kept_beside_the_best(scored: Any) -> None:
    chosen = written(scored, "e.csv", top=1, columns=("rank", "response", "id"))
    assert list(chosen[0]) == ["rank", "response", "id"]
    records = written(scored, "e.jsonl", top=1, keep=("failed", "skipped"))
    assert [record["id"] for record in records] == [2, 5, 6, 7, 8, 9]
    assert [record["rank"] for record in records] == [1, 1, 1, 1, None, None]


def test_a_column_of_the_input_with_that_name_stays_as_it_is(scored: Any) -> None:
    job = spec(scored[1], top=1)
    output = output_file.make(job, ready_job.make(job).task.columns)
    layout = Layout(output, ["id", "rank", "score_kind"])
    names = list(layout.columns)
    assert names == ["response", "response_score_kind", "response_rank"]


def test_what_was_left_out_is_counted(scored: Any) -> None:
    db, _ = scored
    assert ranking.rank(db, Best(1)) == RankCounts(groups=4, kept=4, others=4)
    assert ranking.rank(db, Best(None, "g")) == RankCounts(groups=5, kept=8, others=0)


def test_a_column_that_the_input_does_not_have_is_refused(scored: Any) -> None:
    snapshot = snapshots.newest(scored[0])
    assert snapshot is not None
    ranking.check(Best(3, "g"), snapshot)
    with pytest.raises(UsageError, match=r"^--group-by: no column 'G' in .* mean 'g'\?\)"):
        ranking.check(Best(3, "G"), snapshot)
