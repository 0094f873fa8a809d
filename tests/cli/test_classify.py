"""Rows are classified from the command line, with a file of labels and a column of right ones."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import QuickJob

ROWS = "id,t,kind\n1,late box,shipping\n2,late box,shipping\n3,,refund\n4,FAIL:x,refund\n5,hi,x\n"
LABELS = 'label,description\nshipping,"Parcels, late or lost"\nrefund,\nbilling,Invoices\n'


def arguments(*more: str, output: str = "out.csv") -> list[str]:
    usual = ["in.csv", "-o", output, "-m", "m", "--id-column", "id", "-p", "Sort: {{ t }}"]
    task = ["--task", "classify", "--labels", "labels.csv"]
    return [*usual, *task, "--engine", "tests.scripted_engine:create", *more]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, forks: Any) -> QuickJob:
    """A job that is done, with the label `other` beside those of the file."""
    made = QuickJob(tmp_path_factory.mktemp("classify"), forks)
    made.write("in.csv", ROWS)
    made.write("labels.csv", LABELS)
    ledger = ["--engine-arg", f"ledger={made.folder / 'ledger'}"]
    finished = made.command(
        "run", *arguments("--gold", "kind", "--label", "other=Anything else", *ledger)
    )
    assert finished.code == 3
    made.write("stderr", finished.stderr)
    return made


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "out.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_answers_have_columns_of_their_own(job: QuickJob) -> None:
    first, second, last = rows(job.folder)
    assert list(first) == [
        *("id", "t", "kind", "response", "confidence", "label_mass"),
        *("runner_up", "runner_up_confidence"),
    ]
    assert {first["response"], last["response"]} <= {"shipping", "refund", "billing", "other"}
    assert first["response"] != first["runner_up"]
    assert 0 < float(first["runner_up_confidence"]) <= float(first["confidence"]) <= 1
    assert (first["response"], first["confidence"]) == (second["response"], second["confidence"])


def test_equal_rows_are_asked_once_and_what_failed_is_told(job: QuickJob) -> None:
    assert len(set((job.folder / "ledger").read_text().split())) == 3
    said = (job.folder / "stderr").read_text()
    assert "5 in = 3 answered + 1 failed + 0 rejected + 1 skipped" in said
    assert "of 3 rows with a label in kind" in said
    assert "the label of 1 row is none of the job's" in said


def test_labels_of_another_meaning_ask_anew_and_the_same_are_kept(job: QuickJob) -> None:
    def to_do(*more: str) -> int:
        flags = ["--gold", "kind", "--label", "other=Anything else", "--format", "json"]
        planned = job.command("plan", *arguments(*flags, *more))
        assert planned.code == 0, planned.stderr
        found = json.loads(planned.stdout)
        return int(found["requests"] - found["reused_requests"])

    assert to_do() == 0
    assert to_do("--label-tokens", "all") == 3
    assert to_do("--no-list-labels") == 3


def test_what_could_do_nothing_is_refused_in_one_line(job: QuickJob) -> None:
    for flags, reason in (
        (["--temperature", "0.5"], "--temperature: not for --task classify"),
        (["--choice", "a"], "--choice: not for --task classify"),
        (["--gold", "kinds"], "gold: no column 'kinds' in in.csv (did you mean 'kind'?)"),
        (["--label", "refund"], "labels: 'refund' is given twice"),
    ):
        refused = job.command("plan", *arguments(*flags, output="other.csv"))
        assert (refused.code, reason in refused.stderr) == (2, True), refused.stderr
        assert len(refused.stderr.splitlines()) == 1
