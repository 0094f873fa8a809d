"""The sample texts: what is right for them stands in them, and their jobs can be made ready."""

import csv
import io
from pathlib import Path

import pytest

from llmbatch.job import file
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.rows.output_file import Best

TEXTS = Path(__file__).parents[2] / "samples/texts"
ROWS = [*csv.DictReader(io.StringIO((TEXTS / "texts.csv").read_text(encoding="utf-8")))]


def test_each_text_tells_its_town_and_its_year() -> None:
    assert len(ROWS) == len({row["text"] for row in ROWS}) == 60
    assert [row["id"] for row in ROWS if row["place"] not in row["text"]] == []
    assert [row["id"] for row in ROWS if row["year"] not in row["text"]] == []


def test_each_question_is_answered_by_a_text() -> None:
    questions = [*csv.DictReader((TEXTS / "questions.csv").open(encoding="utf-8"))]
    assert {row["right"] for row in questions} <= {row["id"] for row in ROWS}
    job = ready_job.make(file.load(TEXTS / "found.toml", {}))
    assert (job.task.name, job.output.best) == ("score", Best(3))
    assert "right" not in f"{job.spec.score.query}{job.spec.score.document}"


@pytest.mark.parametrize("name", ["summaries", "facts"])
def test_their_jobs_can_be_made_ready(name: str) -> None:
    job = ready_job.make(file.load(TEXTS / f"{name}.toml", {}))
    assert (job.task.constraint is not None) is (name == "facts")
    for column in ("place", "year"):
        assert f"{{{{ {column}" not in (job.spec.prompt or "")


def test_a_judge_has_as_many_good_summaries_as_bad_ones_and_people_to_compare_with() -> None:
    summaries = [*csv.DictReader((TEXTS / "summarised.csv").open(encoding="utf-8"))]
    people = [*csv.DictReader((TEXTS / "judged.csv").open(encoding="utf-8"))]
    assert [row["id"] for row in people] == [row["id"] for row in summaries]
    assert [row["gold"] for row in people].count("good") * 2 == len(people) == 48
    assert {row["text"] for row in summaries} <= {row["text"] for row in ROWS}
    job = ready_job.make(file.load(TEXTS / "judge.toml", {}))
    assert job.spec.classify.labels == ("good", "bad")
    assert "gold" not in (job.spec.prompt or "")
