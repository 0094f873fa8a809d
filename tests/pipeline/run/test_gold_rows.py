"""The gold rows run first; where they are not answered well enough, nothing else is paid for."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from llmbatch.core.errors import ExitCode, UsageError
from llmbatch.estimate import preview
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import gold_rows, supervisor
from llmbatch.pipeline.run.execute import RunResult, execute
from llmbatch.pipeline.run.gold_rows import GoldRows
from llmbatch.pipeline.run.preflight import make_ready
from llmbatch.pipeline.run.rounds import Rounds
from llmbatch.quality import gold_gate
from llmbatch.store import plans, run_records
from llmbatch.store.opening import open_store
from llmbatch.store.results import Counts
from tests.workbench import Bench, Observed, engine, texts

ROWS, GOLD, FIRST = 60, 30, 20


class Job:
    """A job of rows that are answered with their own text; every second one has a right answer,
    and of these the first `wrong` have another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output, self.ledger = folder / "out.jsonl", folder / "ledger"
        self.write()

    def write(self, wrong: int = 0) -> None:
        rows = [{"t": f"text {n}", "gold": gold} for n, gold in enumerate(right_answers(wrong))]
        (self.folder / "in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))

    def spec(self, **changes: Any) -> JobSpec:
        options = {"answer": "said", "ledger": str(self.ledger)}
        table = {
            "input": str(self.folder / "in.jsonl"),
            "output": str(self.output),
            "model": "m",
            "prompt": "{{ t }}",
            "engine": {"name": "tests.scripted_engine:create", "order": "shuffle", **options},
            "eval": {"gold": "gold", "first": FIRST, "min": "accuracy=0.8"},
        }
        return JobSpec.model_validate(table | changes)

    def run(self, sample_size: int | None = None, **changes: Any) -> RunResult:
        self.seen = Observed()
        return execute(make_ready(self.spec(**changes)), self.seen, sample_size=sample_size)

    def count_paid(self) -> int:
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0


def right_answers(wrong: int = 0) -> list[str | None]:
    return [
        None if number % 2 else "another" if number < 2 * wrong else f"text {number}"
        for number in range(ROWS)
    ]


class GatedBench(Bench):
    """A bench whose job has a gold set in the column beside its texts."""

    def __init__(
        self,
        folder: Path,
        said: list[str],
        beside: list[Any],
        *,
        gold: str = "beside",
        least: str = "accuracy=0.8",
        **changes: Any,
    ) -> None:
        table = {"gold": gold, "first": FIRST, "min": least}
        super().__init__(folder, said, beside=beside, eval=table, **changes)
        self.gold = GoldRows(self.db, self.spec, self.stop, self.seen.phase)
        pending = plans.pending(self.db)
        self.rounds = Rounds(
            self.db, self.job, pending, self.limits, self.settlement, gold=self.gold
        )

    def verdict(self) -> str:
        return gold_rows.failure(self.gold, self.counts()) or "passed"


def test_a_job_that_fails_its_gold_set_stops_before_the_rest_is_paid(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write(wrong=GOLD)
    result = job.run()
    assert result.exit_code == ExitCode.GOLD
    assert result.reason == (
        "the gold set failed: accuracy 0.000 (0.000 to 0.161), its lower bound is below 0.8; "
        "of 20 gold rows"
    )
    assert (job.count_paid(), result.counts.answered) == (FIRST, FIRST)
    assert not job.output.exists()

    again = job.run()
    assert (again.exit_code, again.reason) == (ExitCode.GOLD, result.reason)
    assert job.count_paid() == FIRST
    with open_store(tmp_path / "out.llmbatch" / "job.duckdb", read_only=True) as db:
        assert [start.run for start in run_records.starts(db)] == [1]
        assert run_records.summaries(db)[-1].reason == result.reason

    assert job.run(prompt="{{ t }}!").exit_code == ExitCode.GOLD  # other keys: asked and judged
    assert job.count_paid() == 2 * FIRST


def test_good_gold_rows_let_the_rest_run_in_the_same_engine(tmp_path: Path) -> None:
    job = Job(tmp_path)
    assert job.run(run={"max_rows": 5}).exit_code == ExitCode.STOPPED  # in the midst of them
    result = job.run()
    assert (result.exit_code, result.counts.answered) == (ExitCode.OK, ROWS)
    assert [name for name, _ in job.seen.events].count("engine_started") == 1
    assert [text for text in job.seen.phases if text.startswith("gold")] == [
        "gold: 20 of 30 gold rows run first (5 have run already); the others only if the lower "
        "bound of the interval reaches accuracy 0.8 (with 0 of 20 wrong at most)",
        "gold: accuracy 1.000 (0.839 to 1.000), its lower bound reaches 0.8; of 20 gold rows",
        "gold: accuracy 1.000 (0.886 to 1.000), its lower bound reaches 0.8; of 30 gold rows",
    ]
    with open_store(tmp_path / "out.llmbatch" / "job.duckdb", read_only=True) as db:
        found = db.execute("SELECT replace(CAST(key AS VARCHAR), '-', ''), row FROM planned_rows")
    rows = [dict(found)[key] - 1 for key in job.ledger.read_text().splitlines()]
    assert len(rows) == ROWS
    assert all(row % 2 == 0 for row in rows[:FIRST])
    assert min(rows[:FIRST]) < 4 and max(rows[:FIRST]) > 54  # from all over the input

    # All gold rows have run by now, and a bad end writes no output.
    job.output.unlink()
    job.write(wrong=3)
    result = job.run()
    assert (result.exit_code, result.counts.pending) == (ExitCode.GOLD, 0)
    assert "accuracy 0.900 (0.744 to 0.965)" in result.reason
    assert (job.count_paid(), job.output.exists()) == (ROWS, False)


def test_a_sample_of_a_job_is_not_judged(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write(wrong=GOLD)
    assert job.run(sample_size=4).exit_code == ExitCode.STOPPED
    assert job.count_paid() == 4


def test_failed_gold_rows_are_wrong(tmp_path: Path) -> None:
    said = texts(ROWS)
    said[:20:2] = [f"FAIL:refused_request {number}" for number in range(10)]
    bench = GatedBench(
        tmp_path, said, [text if n % 2 == 0 else None for n, text in enumerate(said)]
    )
    bench.drive(engine(answer="said"))
    assert bench.counts() == Counts(answered=13, failed=7, pending=ROWS - FIRST)
    assert "accuracy 0.650 (" in bench.verdict()


def test_gold_rows_are_tried_again_before_they_are_judged(tmp_path: Path) -> None:
    said = [f"INVALID_ONCE {number}" if number % 2 == 0 else "x" for number in range(ROWS)]
    bench = GatedBench(tmp_path, said, right_answers(), answer={"regex": ".*[0-9]+"})
    bench.drive(engine())
    assert bench.counts() == Counts(answered=FIRST, pending=ROWS - FIRST)
    assert "of 20 gold rows" in bench.verdict()
    assert set(bench.db.execute("SELECT attempt FROM settled")) == {(2,)}


def test_rows_of_one_request_count_each_and_are_paid_once(tmp_path: Path) -> None:
    said = ["same" if number % 2 == 0 else text for number, text in enumerate(texts(ROWS))]
    gold = ["same" if number % 2 == 0 else None for number in range(ROWS)]
    bench = GatedBench(tmp_path, said, gold)
    told = gold_rows.words(bench.spec, bench.gold.taken)
    assert "these rows ask only 1 different things, so the interval" in told
    bench.drive(engine(answer="said"))
    assert bench.counts() == Counts(answered=ROWS)
    assert bench.seen.phases[-1].endswith("of 30 gold rows")
    assert bench.verdict() == "passed"


def test_all_samples_of_a_gold_row_run_first(tmp_path: Path) -> None:
    sampling = {"temperature": 0.5, "samples": 3, "vote": True}
    bench = GatedBench(tmp_path, texts(ROWS), right_answers(wrong=GOLD), sampling=sampling)
    bench.drive(engine())
    assert bench.counts() == Counts(answered=FIRST, pending=ROWS - FIRST)
    assert bench.db.scalar("SELECT count(*) FROM settled") == 3 * FIRST


def test_engines_that_die_go_on_with_the_gold_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    bench = GatedBench(tmp_path, texts(ROWS), right_answers(wrong=GOLD))
    bench.drive(*(engine(die_after=7) for _ in range(4)))
    assert bench.counts() == Counts(answered=FIRST, pending=ROWS - FIRST)
    assert "of 20 gold rows" in bench.verdict()


def test_with_fewer_gold_rows_than_wished_all_run_first(tmp_path: Path) -> None:
    gold = right_answers(wrong=GOLD)
    gold[36:] = [None] * (ROWS - 36)
    bench = GatedBench(tmp_path, texts(ROWS), gold)
    bench.drive(engine())
    assert bench.counts() == Counts(answered=18, pending=ROWS - 18)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"min": "accuracy=0.5"}, "name the right answers, too"),
        ({"gold": "gold", "first": 9}, "say what these rows have to reach"),
    ],
)
def test_a_gate_that_cannot_be_is_refused(tmp_path: Path, table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        gold_gate.check(Job(tmp_path).spec(eval=table))


def test_plan_and_run_refuse_a_gate_that_no_answer_could_pass(tmp_path: Path) -> None:
    job = Job(tmp_path)
    table = {"gold": "gold", "min": "accuracy=0.95"}
    said = "accuracy cannot reach 0.95 with 30 gold rows: .* is 0.8865; it takes 73"
    with pytest.raises(UsageError, match=said):
        job.run(eval=table)
    assert not job.count_paid()
    with pytest.raises(UsageError, match=said):
        preview.preview(make_ready(job.spec(eval=table)))
    told = preview.preview(make_ready(job.spec())).notices
    assert [line for line in told if line.startswith("gold: 20 of 30 gold rows run first")]


@pytest.mark.parametrize("task", ["embed", "score"])
def test_figures_that_need_all_rows_are_no_gate(tmp_path: Path, task: str) -> None:
    prompts = {"prompt": None, "score": {"query": "q", "document": "{{ t }}"}}
    table = {"gold": "gold", "min": {"recall@1" if task == "embed" else "ndcg@10": 0.5}}
    spec = Job(tmp_path).spec(task=task, eval=table, **(prompts if task == "score" else {}))
    with pytest.raises(UsageError, match="need all rows, so none can run first"):
        gold_gate.check(spec)


def test_the_named_figure_says_how_texts_are_compared(tmp_path: Path) -> None:
    bench = GatedBench(tmp_path, texts(ROWS), right_answers(), least="exact=0.8,chrf=0.7")
    bench.drive(engine(answer="said"))
    assert bench.counts() == Counts(answered=ROWS)
    said = "no figure 'macro_f2' .did you mean 'macro_f1'.*there are accuracy, "
    with pytest.raises(UsageError, match=said):
        GatedBench(tmp_path / "other", texts(4), ["a"] * 4, least="macro_f2=0.1")


def test_rows_of_a_gold_file_run_first(tmp_path: Path) -> None:
    lines = ["beside,gold", *(f"{number},text {number}" for number in range(0, ROWS, 3))]
    path = tmp_path / "gold.csv"
    path.write_text("\n".join([*lines, "9999,none of the rows", "3,"]))
    bench = GatedBench(tmp_path / "job", texts(ROWS), [*range(ROWS)], gold=str(path))
    bench.drive(engine(window=4))
    assert bench.counts() == Counts(answered=20, pending=ROWS - 20)
    assert "accuracy 0.000 (0.000 to 0.161)" in bench.verdict()
    answered = bench.db.execute("SELECT row - 1 FROM row_states WHERE state = 'answered'")
    assert {row % 3 for (row,) in answered} == {0}


def test_a_job_without_a_gold_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no row of the input has something in 'beside'"):
        GatedBench(tmp_path, texts(3), [None, "", " "])
