"""`llmbatch eval`, in this process, on stores whose answers are given."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from llmbatch.cli import console
from llmbatch.cli.main import cli
from llmbatch.quality import estimates
from llmbatch.reports import calibration, renderers, schema
from llmbatch.reports.evaluation import EvaluationReport
from llmbatch.store.opening import open_store
from tests.quality.vectors import stored_vector
from tests.reports import answered

LABELS = {"task": "classify", "classify": {"labels": ["a", "b"], "gold": "gold"}}
# Of each row: its right label, its answer and the confidence in it.
ROWS = {
    "r1": ("a", "a", 0.95),
    "r2": ("a", "b", 0.61),
    "r3": (" b", "b", 0.99),
    "r4": ("b", None, 0.0),
    "r5": ("", "a", 0.7),
    "r6": ("b", "b", 0.8),
}
CHECK = Draft202012Validator(schema.build(EvaluationReport))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are the same with any number of draws."""
    for function in (estimates.of_sums, estimates.bootstrap):
        monkeypatch.setattr(function, "__defaults__", (20, 1))


def job(
    folder: Path,
    texts: Mapping[str, str | None],
    settings: Mapping[str, Any] | None = None,
    **beside: Mapping[str, Any],
) -> Path:
    """A job with these answers by row, and columns beside the text of each."""
    state = folder / "out.llmbatch"
    state.mkdir(mode=0o700)
    with answered.store(state) as db:
        answered.run(db, texts, {"id_column": "t", **(settings or {})}, beside=beside)
    return folder / "out.jsonl"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a job of labels."""
    folder = tmp_path_factory.mktemp("labels")
    texts = {
        name: "FAIL" if label is None else json.dumps({"response": label, "confidence": sure})
        for name, (_, label, sure) in ROWS.items()
    }
    beside = {
        name: {"gold": gold, "team": name in ("r1", "r2")} for name, (gold, *_) in ROWS.items()
    }
    return job(folder, texts, LABELS, **beside)


def run(*arguments: Any, code: int = 0) -> str:
    """The output of a command line that ends with this exit code; of a wrong one its message."""
    with mock.patch.object(console, "keep_stderr", lambda: None):  # the runner's stays
        result = CliRunner().invoke(cli, ["eval", *map(str, arguments)])
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout if code in (0, 3) else result.stderr


def evaluated(*arguments: Any, code: int = 0) -> dict[str, Any]:
    report = json.loads(run(*arguments, "--format", "json", code=code))
    CHECK.validate(report)
    found: dict[str, Any] = report["evaluation"]
    return found


def values(found: Mapping[str, Any]) -> dict[str, float]:
    return {each["name"]: each["value"] for each in found["figures"]}


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_column_of_the_input_is_gold_and_failed_rows_are_wrong(output: Path) -> None:
    found = evaluated(output)
    assert found["kind"] == "label"
    assert values(found)["accuracy"] == pytest.approx(3 / 5)
    assert values(found)["accuracy_answered"] == pytest.approx(3 / 4)
    counts = found["counts"]
    assert [counts[name] for name in ("gold_rows", "answered", "failed", "without")] == [5, 4, 1, 1]
    assert found["confusion"]["answers"][-1] == "(no answer)"


def test_figures_of_confidence_are_those_of_the_report(output: Path) -> None:
    found = evaluated(output)
    with open_store(output.with_suffix(".llmbatch") / "job.duckdb") as db:
        expected = answered.reported(db).calibration
    assert expected is not None
    assert isinstance(expected, calibration.Calibration)
    assert found["reliability"]["error"] == pytest.approx(expected.error)
    assert found["reliability"]["accuracy"] == expected.accuracy == 0.75
    alone = next(each for each in found["figures"] if each["name"] == "accuracy_answered")
    assert (alone["low"], alone["high"]) == (expected.accuracy_low, expected.accuracy_high)
    assert [each["rows"] for each in found["reliability"]["bins"]] == [
        each.rows for each in expected.bins
    ]


def test_thresholds_hold_the_lower_bound_and_exit_3(output: Path) -> None:
    text = run(output, "--min", "accuracy=0.5", "--min", "f1[b]=0.1", code=3)
    assert "not met: accuracy at least 0.5; it is 0.600, but its lower bound 0.231" in text
    assert "met: f1[b] at least 0.1" in text
    run(output, "--min", "accuracy=20%")
    assert "did you mean 'accuracy'?" in run(output, "--min", "acuracy=0.5", code=2)
    assert "better when it is smaller" in run(output, "--min", "ece=0.1", code=2)
    assert "write a figure and its least value" in run(output, "--min", "accuracy", code=2)


def test_figures_by_a_column_are_those_of_its_rows(output: Path) -> None:
    found = evaluated(output, "--by", "team")
    assert [(each["values"], each["rows"]) for each in found["groups"]] == [
        (["false"], 3),
        (["true"], 2),
    ]
    assert values(found["groups"][1])["accuracy"] == 0.5
    assert "--by: no column 'tem'" in run(output, "--by", "tem", code=2)


def test_a_gold_file_is_joined_and_what_fits_nothing_is_told(output: Path, tmp_path: Path) -> None:
    gold = [
        {"t": "r1", "gold": "a"},
        {"t": "r1", "gold": "b"},
        {"t": "r2", "gold": "b"},
        {"t": "nowhere", "gold": "a"},
        {"t": "r3", "gold": " "},
    ]
    path = written(tmp_path / "gold.csv", gold)
    found = evaluated(output, "--gold", path)
    counts = found["counts"]
    names = ("matched", "unmatched", "duplicates", "conflicts", "blank", "without")
    assert [counts[name] for name in names] == [2, 1, 1, 1, 1, 3]
    assert counts["examples"] == [f"{path}:5"]
    assert values(found)["accuracy"] == 1.0, "the first of a row's gold rows counts"
    text = run(output, "--gold", path)
    assert f"1 gold row found no row of the job, such as {path}:5" in text


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (
            [{"t": "x", "gold": "a"}],
            (),
            "of 1 row of .* none is found in the job by t",
        ),
        ([{"u": "x", "gold": "a"}], (), "shares no column with the input"),
        ([{"t": "r1", "gold": ""}], (), "has 1 row, none with a right answer"),
        ([{"t": "r1", "x": "a", "y": "b"}], (), "no column 'gold', .* --gold-column"),
        ([{"t": "r1", "gold": "a"}], ("--on", "tt"), "--on: no column 'tt'"),
        ([{"t": "r1", "gold": "a", "sample_weight": "-1"}], (), ":2: sample_weight is '-1'"),
        (
            [{"t": "r1", "gold": "a"}],
            ("--errors", "wrong.duckdb"),
            "wrong.duckdb: write the rows as",
        ),
    ],
)
def test_gold_that_cannot_be_used_is_one_clear_line(
    output: Path,
    rows: Sequence[Mapping[str, Any]],
    more: Sequence[str],
    message: str,
    tmp_path: Path,
) -> None:
    told = run(output, "--gold", written(tmp_path / "gold.csv", rows), *more, code=2)
    assert re.search(message, told), told
    assert told.count("\n") == 1


def test_weights_of_a_drawn_sample_count_and_blank_rows_are_stood_for(
    output: Path, tmp_path: Path
) -> None:
    weighted = {"sample_weight": 10, "sample_stratum": "x"}
    gold = [
        {"t": "r1", "gold": "a", **weighted},
        {"t": "r2", "gold": "", **weighted},
        {"t": "r6", "gold": "a", "sample_weight": 5, "sample_stratum": "y"},
    ]
    found = evaluated(output, "--gold", written(tmp_path / "gold.csv", gold))
    assert found["is_weighted"]
    assert values(found)["accuracy"] == pytest.approx(20 / 25)


def test_json_answers_are_compared_by_field(tmp_path: Path) -> None:
    form = {"answer": {"schema": {"properties": {"n": {}, "who": {"type": "string"}}}}}
    texts = {"r1": '{"n":3,"who":"Ann"}', "r2": '{"n":4,"who":"bob"}', "r3": None}
    beside = {
        "r1": {"gold_n": 3, "gold_who": "Ann"},
        "r2": {"gold_n": 5, "gold_who": "Bob"},
        "r3": {"gold_n": 1, "gold_who": "x"},
    }
    output = job(tmp_path, texts, form, **beside)
    found = evaluated(output, "--gold", "gold_*")
    assert found["kind"] == "json"
    assert found["counts"]["pending"] == 1
    assert values(found)["record_exact"] == 0.5
    assert values(found)["micro_exact"] == 0.5
    assert values(found)["micro_normalised"] == 0.75
    assert [each["field"] for each in found["fields"]] == ["n", "who"]
    assert "1 gold row pending: not judged yet" in run(output, "--gold", "gold_*")
    whole = [{"t": "r1", "gold": '{"n": 3, "who": "ann"}'}, {"t": "r2", "gold": "no object"}]
    path = written(tmp_path / "gold.csv", whole)
    assert f"{path}:3: the right answer is no JSON object" in run(output, "--gold", path, code=2)
    path = written(tmp_path / "gold.csv", whole[:1])
    assert values(evaluated(output, "--gold", path))["record_normalised"] == 1.0
    one = evaluated(output, "--gold", "gold_who", "--field", "who")
    assert (one["kind"], values(one)["accuracy"]) == ("label", 0.5)


def test_texts_vectors_and_scores_have_figures_of_their_own(tmp_path: Path) -> None:
    texts = {"r1": "the red cat sat", "r2": "no idea"}
    (tmp_path / "text").mkdir()
    output = job(tmp_path / "text", texts, r1={"gold": "a red cat"}, r2={"gold": "the dog"})
    found = evaluated(output, "--gold", "gold")
    assert found["kind"] == "text"
    assert values(found)["token_f1"] == pytest.approx((4 / 5) / 2)

    (tmp_path / "vector").mkdir()
    vectors = {"r1": [1.0, 0.0], "r2": [0.0, 1.0], "r3": [0.9, 0.1], "r4": [0.1, 0.9]}
    groups = {"r1": "x", "r2": "y", "r3": "x", "r4": "x"}
    output = job(
        tmp_path / "vector",
        {name: stored_vector(numbers) for name, numbers in vectors.items()},
        {"task": "embed"},
        **{name: {"gold": group} for name, group in groups.items()},
    )
    found = evaluated(output, "--gold", "gold")
    assert found["kind"] == "pairs"
    assert values(found)["recall@1"] == pytest.approx(1 / 3)

    (tmp_path / "score").mkdir()
    scores = {"r1": ("q", 0.9, 1), "r2": ("q", 0.2, 0), "r3": ("p", 0.5, 0), "r4": ("p", 0.4, 1)}
    output = job(
        tmp_path / "score",
        {name: json.dumps({"response": score}) for name, (_, score, _) in scores.items()},
        {"task": "score", "score": {"query": "{{ q }}", "document": "{{ t }}"}, "prompt": None},
        **{name: {"q": group, "gold": gold} for name, (group, _, gold) in scores.items()},
    )
    found = evaluated(output, "--gold", "gold", "--group-by", "q")
    assert (found["kind"], values(found)["roc_auc"]) == ("score", 0.75)
    assert values(found)["ndcg"] == pytest.approx((1 + 0.6309297535714575) / 2)
    assert "no row is right or wrong" in run(
        output, "--gold", "gold", "--errors", tmp_path / "e.csv", code=2
    )


def test_rows_that_are_not_right_are_written_with_answer_and_gold(
    output: Path, tmp_path: Path
) -> None:
    errors = tmp_path / "wrong.csv"
    run(output, "--errors", errors)
    with errors.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = [(row["t"], row["answer"], row["eval_gold"], row["why"]) for row in rows]
    assert found == [("r2", "b", "a", ""), ("r4", "", "b", "too_long")]
    run(output, "--errors", errors)
    (tmp_path / "mine.csv").write_text("a\n1\n")
    message = run(output, "--errors", tmp_path / "mine.csv", code=2)
    assert "mine.csv" in message


def test_rows_with_several_answers_are_not_judged_without_a_vote(tmp_path: Path) -> None:
    settings = {"sampling": {"samples": 2, "temperature": 1.0}}
    output = job(tmp_path, {"r1": "x"}, settings, r1={"gold": "x"})
    assert "run it again with --vote" in run(output, "--gold", "gold", code=2)


def test_an_output_whose_job_is_gone_is_read_alone(tmp_path: Path) -> None:
    path = written(
        tmp_path / "out.csv",
        [
            {"t": "r1", "gold": "a", "answer": "a", "confidence": 0.9},
            {"t": "r2", "gold": "b", "answer": "a", "confidence": 0.6},
        ],
    )
    wanted = (path, "--gold", "gold", "--as", "label", "--response-column", "answer")
    found = evaluated(*wanted)
    assert values(found)["accuracy"] == 0.5
    assert found["reliability"]["rows"] == 2
    assert "no column 'response'" in run(path, "--gold", "gold", code=2)
    assert "no job found there" in run(tmp_path / "none.csv", "--gold", "gold", code=2)
    errors = tmp_path / "wrong.jsonl"
    run(*wanted, "--errors", errors)
    assert json.loads(errors.read_text())["t"] == "r2"


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".json"])
def test_each_form_has_the_figures_and_is_a_report_that_may_be_replaced(
    output: Path, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"eval{suffix}"
    for _ in range(2 if suffix == ".txt" else 1):
        run(output, "--by", "team", "-o", path)
    text = path.read_text()
    assert renderers.is_report(path)
    assert "accuracy" in text
    assert "macro" in text
    if suffix == ".html":
        assert 'id="figure-confusion"' in text
        assert 'id="figure-calibration"' in text


def test_the_schema_and_a_missing_job(tmp_path: Path) -> None:
    assert json.loads(run("--schema")) == schema.build(EvaluationReport)
    assert "give a JOB" in run("--gold", "gold", code=2)
    assert "--gold: name a file" in run(job(tmp_path, {"r1": "x"}), code=2)
