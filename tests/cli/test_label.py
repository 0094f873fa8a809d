"""`llmbatch label`: a file for people to label, drawn from the answers of a job."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from llmbatch import formats
from llmbatch.cli.main import cli
from llmbatch.core import exact_json
from llmbatch.store import flags
from llmbatch.store.flags import Flag
from tests.reports import answered

CLASSIFY = {"task": "classify", "classify": {"labels": ["a", "b"]}}
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}, "n": {"type": "integer"}}}


def labelled(number: int) -> str:
    confidence = 0.4 if number < 10 else 0.99
    return json.dumps({"response": "ab"[number % 2], "confidence": confidence, "n": number})


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job of 100 answered rows, of which ten are doubtful, one failed and one pending."""
    return stored(tmp_path, {f"r{number:03d}": labelled(number) for number in range(100)}, CLASSIFY)


def stored(folder: Path, rows: Mapping[str, str], spec: Mapping[str, Any]) -> Path:
    state = folder / "job.llmbatch"
    state.mkdir(mode=0o700)
    more: dict[str, str | None] = {"failed": "FAIL", "pending": None}
    with answered.store(state) as db:
        answered.run(db, dict(rows) | more, spec, beside={"r001": {"gold": "x", "u": "é"}})
        flags.replace(db, "sign", [[Flag(1, "sign", "echo")]])
    return state


def label(job: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["label", str(job), *arguments])


def read(path: Path) -> list[dict[str, Any]]:
    name = str(path)
    format_name = formats.detect(name, None)
    with (
        formats.open_input(name) as stream,
        formats.open_reader(name, stream, format_name) as reader,
    ):
        return [exact_json.parse_record(record.data) for record in reader]  # type: ignore[union-attr]


def test_a_sample_has_the_input_the_answer_room_for_gold_and_its_weight(
    job: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gold.csv"
    done = label(job, "--sample", "30", "-o", str(path))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == f"30 of 100 answered rows written to {path}"
    assert "1 failed row left out" in done.output
    assert "1 pending row left out" in done.output
    assert done.output.splitlines()[-1] == (
        f"then: fill in gold, and llmbatch eval {job} --gold {path}"
    )
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["t", "u", "response", "gold", "sample_stratum", "sample_weight"]
    assert [row["t"] for row in rows] == sorted(row["t"] for row in rows)
    assert {row["gold"] for row in rows} == {""}
    assert sum(float(row["sample_weight"]) for row in rows) == pytest.approx(100)
    assert all(row["response"] == "ab"[int(row["t"][1:]) % 2] for row in rows)
    assert sum(int(row["t"][1:]) < 10 for row in rows) >= 5
    assert "warning: the input's column 'gold' is left out" in done.output


def test_all_formats_have_the_same_rows(job: Path, tmp_path: Path) -> None:
    found = []
    for suffix in ("csv", "tsv", "jsonl", "parquet", "xlsx"):
        path = tmp_path / f"gold.{suffix}"
        assert not label(job, "--sample", "9", "-o", str(path), "--seed", "5").exit_code
        rows = read(path)
        weights = [round(float(row["sample_weight"]), 6) for row in rows]
        found.append([[(row["t"], row["sample_stratum"]) for row in rows], weights])
    assert all(each == found[0] for each in found)


def test_a_blind_sample_shows_no_answer(job: Path, tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    assert not label(job, "-o", str(path), "--blind").exit_code
    rows = read(path)
    assert len(rows) == 100  # never more than there are
    assert not any("response" in row for row in rows)


def test_labels_that_people_may_have_written_are_not_replaced(
    job: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("t,gold\nr001,a\n")
    done = label(job, "-o", str(path))
    assert done.exit_code == 2
    assert "exists, and people may have labelled it" in capfd.readouterr().err
    assert path.read_text() == "t,gold\nr001,a\n"
    assert not label(job, "-o", str(path), "--overwrite").exit_code


def test_json_answers_have_a_gold_column_for_each_field(tmp_path: Path) -> None:
    rows = {f"r{number:03d}": json.dumps({"x": "y", "n": number}) for number in range(5)}
    job = stored(tmp_path, rows, {"answer": {"schema": SCHEMA}})
    path = tmp_path / "gold.csv"
    done = label(job, "-o", str(path))
    assert "then: fill in gold_x, gold_n, and" in done.output
    found = read(path)
    own = ["response", "gold_x", "gold_n", "sample_stratum", "sample_weight"]
    assert [*found[0]][-5:] == own
    assert json.loads(found[3]["response"]) == {"x": "y", "n": 3}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strata", "lenght"], "no 'lenght' (did you mean 'length'?)"),
        (["-o", "gold.npy"], "people cannot fill in npy"),
        (["-o", "no/such/gold.csv"], "there is no folder no/such"),
        (["--sample", "0"], "must be a whole number from 1"),
        (["--excel", "-o", "g.jsonl"], "--excel is for CSV"),
    ],
)
def test_what_cannot_be_drawn_or_written_is_refused(
    job: Path, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    done = label(job, "-o", "gold.csv", *arguments)
    assert done.exit_code == 2
    assert said in done.output + capfd.readouterr().err


def test_a_job_without_answers_and_one_of_vectors_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = stored(tmp_path, {}, {})
    assert label(job, "-o", str(tmp_path / "g.csv")).exit_code == 2
    assert "no row is answered yet" in capfd.readouterr().err
    (tmp_path / "other").mkdir()
    other = stored(tmp_path / "other", {"r001": "[1.0]"}, {"task": "embed"})
    assert label(other, "-o", str(tmp_path / "g.csv")).exit_code == 2
    assert "its answers are vectors" in capfd.readouterr().err
    assert not (tmp_path / "g.csv").exists()
