"""Cascades: each row is asked of as many models as it needs."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli import cascade_request, narration
from llmbatch.core.errors import UsageError
from llmbatch.job.file import load
from llmbatch.pipeline.run import execute, preflight
from llmbatch.quality.gold_rows import GoldSource
from llmbatch.reports.report import build
from llmbatch.store import results
from llmbatch.store.opening import open_store

STAGES = {"small": 0.9, "large": None}
ROWS = 24
MODELS = """
SELECT DISTINCT replace(CAST(key AS VARCHAR), '-', ''), spec -> '$.model'
FROM attempts JOIN runs USING (run)
"""


def job_file(stages: dict[str, float | None] = STAGES, more: str = "") -> str:
    models = [
        f'[[model]]\nmodel = "{name}"\n' + ("" if below is None else f"escalate_below = {below}\n")
        for name, below in stages.items()
    ]
    return f"""
output = "out.jsonl"
task = "classify"
prompt = "{{{{ text }}}}"
{more}
{"".join(models)}
[input]
files = ["in.csv"]
[classify]
labels = ["red", "blue"]
[engine]
own = true
[run]
checkpoint_rows = 4
"""


def rows(marks: dict[int, str] | None = None, count: int = ROWS) -> str:
    # Every sixth row is as the one before it.
    lines = [
        f"{number},text {number - (number % 6 == 5)}{(marks or {}).get(number, '')}"
        for number in range(count)
    ]
    return "\n".join(["id,text", *lines]) + "\n"


class CascadeJob:
    """A job of several models, with what its engines have computed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write(rows())

    def write(self, text: str) -> None:
        (self.folder / "in.csv").write_text(text)

    def run(self, text: str, *, fresh: bool = False, code: int = 0, **given: Any) -> Counter[str]:
        """Run it; the number of requests that each model has computed."""
        (self.folder / "job.toml").write_text(text)
        ledger = self.folder / "ledger"
        ledger.unlink(missing_ok=True)
        engine = {"name": "tests.scripted_engine:create", "ledger": str(ledger)}
        spec = load(self.folder / "job.toml", {"engine": engine, **given})
        result = execute.execute(preflight.make_ready(spec), narration.Silent(), fresh=fresh)
        assert result.exit_code == code, result.reason
        with open_store(self.store, read_only=True) as db:
            self.counts = results.counts(db)
            broken = {name for name, found in results.violations(db).items() if found}
            assert broken == set()
            keys = ledger.read_text().split() if ledger.exists() else []
            found = db.execute(MODELS)
        models = {key: json.loads(model) for key, model in found}
        return Counter(models[key] for key in keys)

    @property
    def store(self) -> Path:
        return self.folder / "out.llmbatch" / "job.duckdb"

    def answers(self) -> "Answers":
        lines = (self.folder / "out.jsonl").read_text().splitlines()
        return {line["id"]: line for line in map(json.loads, lines)}


@pytest.fixture
def made(tmp_path: Path) -> CascadeJob:
    return CascadeJob(tmp_path)


Answers = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answers]:
    """The answers of each model to all rows, when no other is asked."""
    found = {}
    for name in ("small", "large", "huge"):
        job = CascadeJob(tmp_path_factory.mktemp(name))
        job.run(job_file(), model=name)
        found[name] = job.answers()
    return found


def below(answers: Answers, threshold: float) -> set[str]:
    return {row for row, one in answers.items() if one["confidence"] < threshold}


def texts(answers: Answers, rows: set[str]) -> int:
    """The number of different requests of these rows."""
    return len({answers[row]["text"] for row in rows})


def test_rows_of_low_confidence_get_the_answer_of_the_next_model(
    made: CascadeJob, alone: dict[str, Answers]
) -> None:
    computed = made.run(job_file())
    small, large = alone["small"], alone["large"]
    escalated = below(small, 0.9)
    expected = small | {row: large[row] for row in escalated}
    assert made.answers() == expected
    assert 0 < len(escalated) < ROWS
    # Rows that are alike are asked once, of each model.
    assert computed == {"small": 20, "large": texts(small, escalated)}
    assert made.run(job_file()) == {}
    assert made.answers() == expected


def test_another_threshold_asks_for_the_rows_between_and_no_others(
    made: CascadeJob, alone: dict[str, Answers]
) -> None:
    made.run(job_file())
    before = made.answers()
    computed = made.run(job_file(STAGES | {"small": 0.95}))
    after, small, large = made.answers(), alone["small"], alone["large"]
    between = below(small, 0.95) - below(small, 0.9)
    assert between and computed == {"large": texts(small, between)}
    assert {row for row in before if before[row] != after[row]} <= between
    assert {row: after[row] for row in between} == {row: large[row] for row in between}
    # Back again: nothing is computed.
    assert made.run(job_file()) == {}
    assert made.answers() == before


def test_a_third_model_gets_what_the_second_leaves(
    made: CascadeJob, alone: dict[str, Answers]
) -> None:
    made.run(job_file())
    computed = made.run(job_file({"small": 0.9, "large": 0.8, "huge": None}))
    small, large, huge = (alone[name] for name in ("small", "large", "huge"))
    for row, one in made.answers().items():
        wanted = small[row] if small[row]["confidence"] >= 0.9 else large[row]
        assert one == (wanted if wanted["confidence"] >= 0.8 else huge[row])
    assert set(computed) == {"huge"}


def test_failures_go_on_and_a_row_that_no_model_answers_has_failed(
    made: CascadeJob, alone: dict[str, Answers]
) -> None:
    made.write(rows({3: " FAIL:refused_request"}))
    computed = made.run(job_file({"small": None, "large": None}), code=3)
    assert computed["small"] == 20 and computed["large"] == 1
    assert "3" not in made.answers()
    (error,) = map(json.loads, (made.folder / "out.errors.jsonl").read_text().splitlines())
    assert error["id"] == "3" and error["error"]["kind"] == "refused_request"


def test_rows_that_go_on_are_pending_until_the_next_model_has_them(
    made: CascadeJob, alone: dict[str, Answers]
) -> None:
    computed = made.run(job_file(), run={"max_rows": 20}, code=4)
    assert computed == {"small": 20}
    escalated = len(below(alone["small"], 0.9))
    assert (made.counts.answered, made.counts.pending) == (ROWS - escalated, escalated)
    # One more request of the budget reaches the second model.
    computed = made.run(job_file(), run={"max_rows": 1}, code=4)
    assert computed == {"large": 1}


def test_the_next_night_asks_for_new_rows_only(made: CascadeJob, alone: dict[str, Answers]) -> None:
    made.run(job_file())
    before = made.answers()
    made.write(rows(count=ROWS + 3))
    computed = made.run(job_file())
    after = made.answers()
    assert {row: after[row] for row in before} == before and len(after) == ROWS + 3
    assert computed["small"] == 3 and computed["large"] <= 3


def test_all_stages_and_fresh(made: CascadeJob, alone: dict[str, Answers]) -> None:
    assert made.run(job_file(), all_stages=True) == {"small": 20, "large": 20}
    assert made.answers() == alone["large"]
    assert made.run(job_file()) == {}
    assert set(made.run(job_file(), fresh=True)) == {"small", "large"}


@pytest.mark.parametrize(
    ("stages", "more", "told"),
    [
        ({"small": 0.9}, "", "two models at least"),
        ({"small": 1.5, "large": None}, "", "number 1: escalate_below"),
        ({"small": None, "large": 0.5}, "", "no model follows the last one"),
        ({"small": None, "small ": None}, 'output_format = "openai-batch"', "openai-batch"),
    ],
)
def test_what_cannot_be_a_cascade_is_refused(
    made: CascadeJob, stages: dict[str, float | None], more: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told) as error:
        made.run(job_file(stages, more))
    assert len(str(error.value).splitlines()) == 1


def test_two_stages_that_ask_the_same_are_refused(
    made: CascadeJob, alone: dict[str, Answers]
) -> None:
    text = job_file({"small": None, "large": None}).replace('"large"', '"small"')
    with pytest.raises(UsageError, match="asks the same of the same model"):
        made.run(text)


def test_the_report_tells_rows_tokens_and_cost_of_each_model(
    made: CascadeJob, alone: dict[str, Answers]
) -> None:
    made.write(rows({3: " FAIL:refused_request"}))
    made.run(job_file(more="meta = true"), cost={"price_per_hour": 3.6}, code=3)
    with open_store(made.store, read_only=True) as db:
        report = build(db)
    assert report is not None and report.cascade is not None
    small, large = report.cascade.stages
    escalated = below(alone["small"], 0.9) | {"3"}
    assert (small.asked, small.escalated, small.failed) == (ROWS, len(escalated), 0)
    assert (large.asked, large.answered, large.failed) == (len(escalated), len(escalated) - 1, 1)
    assert small.answered + large.answered == report.counts.answered
    of_runs = [run.prompt_tokens for run in report.runs]
    assert [small.prompt_tokens, large.prompt_tokens] == of_runs
    costs = [run.cost for run in report.runs]
    assert [small.cost, large.cost] == pytest.approx(costs)
    assert report.cascade.escalation_rate == pytest.approx(len(escalated) / ROWS)
    assert large.cost is not None and 0 < large.generating < large.cost
    whole = large.cost + large.generating * (ROWS / len(escalated) - 1)
    assert report.cascade.last_for_all == pytest.approx(whole)
    told = {line["stage_model"] for row, line in made.answers().items() if row in escalated}
    assert told == {"large"}
    assert made.answers()["0"]["stage"] == (2 if "0" in escalated else 1)


def test_the_threshold_needs_the_answers_of_both_models(
    made: CascadeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = rows(count=60).splitlines()
    gold = [f"{line},{('red', 'blue')[number % 2]}" for number, line in enumerate(lines[1:])]
    made.write("\n".join([f"{lines[0]},gold", *gold]) + "\n")
    made.run(job_file())
    output = made.folder / "out.jsonl"
    source = GoldSource("gold")
    with pytest.raises(UsageError, match="run the gold rows with --all-stages"):
        cascade_request.deliver(output, source, "accuracy=0.9", is_json=False)
    made.run(job_file(), all_stages=True)
    assert not cascade_request.deliver(output, source, "accuracy=0.99", is_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["chosen_by"] + told["measured_by"] == 60 and told["is_sure"] is None
    assert told["cost"]["cascade"] >= told["cost"]["first"] > 0
    with pytest.raises(UsageError, match="write accuracy=SHARE"):
        cascade_request.deliver(output, source, "f1=0.9", is_json=False)
