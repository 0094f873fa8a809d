"""`llmbatch compare`: jobs, their runs and output files against each other."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from llmbatch.cli.main import cli
from llmbatch.reports import renderers
from tests.cli.command import Finished, QuickJob
from tests.cli.test_nightly import texts, write

Compare = Callable[..., Finished]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Compare:
    """Runs the command in a folder of its own, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Finished:
        done = CliRunner().invoke(cli, ["compare", *arguments])
        return Finished(done.exit_code, done.stdout, capfd.readouterr().err)

    return run


def put(name: str, answers: dict[str, Any], **more: Any) -> None:
    """An output file: rows by id, all of which have these further columns."""
    lines = [json.dumps({"id": key, **more, "response": value}) for key, value in answers.items()]
    Path(name).write_text("\n".join(lines) + "\n")


A = {"1": "refund", "2": "billing", "3": "billing", "4": "other"}


def test_files_are_compared_by_id_and_the_limit_ends_in_3(compare: Compare) -> None:
    put("a.jsonl", A)
    put("b.jsonl", dict(reversed(A.items())) | {"1": "billing", "5": "other"})
    done = compare("a.jsonl", "b.jsonl", "--max-churn", "20%", "--max-churn", "response=50%")
    assert done.code == 3
    assert "4 matched by id; 0 only in A, 1 only in B" in done.stdout
    assert "1 of 4 answers changed: 25 %" in done.stdout
    told = [line for line in done.stderr.splitlines() if line.startswith("llmbatch: ")]
    assert len(told) == 1
    assert re.fullmatch(r"llmbatch: churn of answers 25 % .*: more than --max-churn 20%", told[0])
    assert compare("a.jsonl", "b.jsonl", "--max-churn", "25%").code == 0


def test_a_file_with_itself_has_no_churn(compare: Compare) -> None:
    put("a.jsonl", A)
    put("turned.jsonl", dict(reversed(A.items())))
    done = compare("a.jsonl", "turned.jsonl", "--max-churn", "0%")
    assert done.code == 0
    assert "of 4 answers none changed" in done.stdout


def test_every_form_holds_the_same_and_can_be_replaced(compare: Compare) -> None:
    put("a.jsonl", {key: {"label": value} for key, value in A.items()})
    put("b.jsonl", {key: {"label": value} for key, value in (A | {"1": "<b>"}).items()})
    for name in ("c.txt", "c.json", "c.md", "c.html"):
        for _ in range(2):  # the second time over the first
            assert compare("a.jsonl", "b.jsonl", "-o", name).code == 0, name
        assert renderers.is_report(Path(name))
        assert "<b>" not in Path(name).read_text() or name in ("c.txt", "c.json")
    schema = json.loads(compare("--schema").stdout)
    published = ROOT / "llmbatch/reports/comparison.schema.json"
    assert schema == json.loads(published.read_text())
    found = json.loads(Path("c.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(found)) == []
    assert found["churn"]["changed"] == 1
    Path("notes.md").write_text("mine")
    assert compare("a.jsonl", "b.jsonl", "-o", "notes.md").code == 2


def test_right_answers_say_which_side_is_better(compare: Compare) -> None:
    put("a.jsonl", A)
    put("b.jsonl", A | {"1": "billing", "2": "other"})
    Path("gold.csv").write_text("id,gold\n1,refund\n2,billing\n3,other\n")
    done = compare("a.jsonl", "b.jsonl", "--gold", "gold.csv", "--format", "json")
    gold = json.loads(done.stdout)["gold"]
    assert (gold["rows"], gold["a"]["changed"], gold["b"]["changed"]) == (3, 2, 0)
    assert (gold["only_a"], gold["only_b"], gold["test"]["p_value"]) == (2, 0, 0.5)


def test_changed_rows_are_a_table(compare: Compare) -> None:
    put("a.jsonl", A, text="x", before="mine")
    put("b.jsonl", A | {"2": "other"}, text="x", before="mine")
    flags = ("--changed", "changed.jsonl", "--columns", "text,before")
    assert compare("a.jsonl", "b.jsonl", "--on", "id", *flags).code == 0
    (row,) = map(json.loads, Path("changed.jsonl").read_text().splitlines())
    assert row == {
        "row": "2",
        "text": "x",
        "before": "mine",
        "compare_before": "billing",
        "after": "other",
        "state_before": "answered",
        "state_after": "answered",
        "same_input": True,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.jsonl",), "give two sides"),
        (("a.jsonl", "none.jsonl"), "none.jsonl: no job found there"),
        (("a.jsonl", "b.jsonl", "--on", "ID"), "--on: no column 'ID' in a.jsonl"),
        (("a.jsonl", "other.jsonl"), "share no column of the input"),
        (("a.jsonl", "far.jsonl"), "no row of a.jsonl has its like in far.jsonl by id"),
        (("a.jsonl", "a.jsonl", "--max-churn", "7"), "--max-churn '7'"),
        (("a.jsonl", "a.jsonl", "--max-churn", "x=7%"), "--max-churn: no field 'x'"),
        (("a.jsonl", "odd.csv"), "odd.csv: no column 'response'"),
        (("a.jsonl", "a.jsonl", "--gold", "nothing"), "no column 'nothing'"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    compare: Compare, arguments: tuple[str, ...], said: str
) -> None:
    put("a.jsonl", A)
    put("b.jsonl", A)
    put("far.jsonl", {"8": "x"})
    Path("other.jsonl").write_text('{"name": "x", "response": "y"}\n')
    Path("odd.csv").write_text("id,answer\n1,x\n")
    done = compare(*arguments)
    assert done.code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def told(job: QuickJob, *sides: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(job.command("compare", *sides, "--format", "json").stdout)
    return found


def test_a_job_is_compared_with_its_earlier_run_and_with_another_job(quick: QuickJob) -> None:
    write(quick, texts(5))
    assert quick.run("-q", "--id-column", "id").code == 0
    write(quick, texts(7) | {2: "edited"})
    assert quick.run("-q", "--id-column", "id").code == 0
    other = ("-o", "other.csv", "-p", "Tell {{ text }}", "--price-per-hour", "2")
    assert quick.run("-q", "--id-column", "id", *other).code == 0
    runs = json.loads(
        quick.command("compare", "out.jsonl@1", "out.jsonl", "--format", "json").stdout
    )
    assert (runs["matching"]["by"], runs["matching"]["counts"]["matched"]) == (["id"], 7)
    assert (runs["a"]["answered"], runs["a"]["pending"], runs["churn"]["changed"]) == (4, 3, 0)
    assert (runs["a"]["work"]["requests"], runs["b"]["work"]["requests"]) == (5, 8)
    jobs = told(quick, "out.jsonl", "other.csv")
    assert jobs["churn"]["changed"] == 7
    assert jobs["b"]["work"]["cost"] > 0
    # After another prompt the former answers are still known.
    assert quick.run("-q", "--id-column", "id", "-p", "Tell {{ text }}").code == 0
    prompts = told(quick, "out.jsonl@2", "out.jsonl")
    assert (prompts["a"]["answered"], prompts["churn"]["changed"]) == (7, 7)
    assert "has no run 9" in quick.command("compare", "out.jsonl@9", "out.jsonl").error
