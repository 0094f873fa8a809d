"""The published schema is that of the reports, and reports of all kinds of jobs hold to it."""

import copy
import json
import signal
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llmbatch.job import finder
from llmbatch.reports import folder, renderers, schema
from llmbatch.reports import json as as_json
from llmbatch.reports.evaluation import EVALUATION_VERSION, EvaluationReport
from llmbatch.reports.folder import FOLDER_VERSION, FolderReport
from llmbatch.reports.report import REPORT_VERSION, Report
from tests.cli.command import Job
from tests.cli.reported import read, work
from tests.reports.test_markdown import hostile

Json = dict[str, Any]
Kind = schema.Kind

PUBLISHED: list[tuple[Kind, str, int]] = [
    (Report, "report.schema.json", REPORT_VERSION),
    (FolderReport, "folder.schema.json", FOLDER_VERSION),
    (EvaluationReport, "evaluation.schema.json", EVALUATION_VERSION),
]
REPORT = Draft202012Validator(schema.build(Report))
FOLDER = Draft202012Validator(schema.build(FolderReport))


def published(name: str) -> str:
    return (files("llmbatch.reports") / name).read_text(encoding="utf-8")


def problems(validator: Draft202012Validator, value: Json) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def told(report: Report) -> Json:
    found: Json = json.loads(as_json.render(report))
    return found


@pytest.mark.parametrize(("kind", "name", "version"), PUBLISHED)
def test_the_published_file_is_made_of_the_code(kind: Kind, name: str, version: int) -> None:
    assert published(name) == schema.text(kind), (
        "write it again: llmbatch report [--all .] --schema > llmbatch/reports/..."
    )


@pytest.mark.parametrize(("kind", "name", "version"), PUBLISHED)
def test_it_is_a_schema_that_says_what_its_version_means(
    kind: Kind, name: str, version: int
) -> None:
    found = json.loads(published(name))
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert "$id" not in found
    assert found["properties"]["version"]["const"] == version
    assert "changes" in found["properties"]["version"]["description"]


def test_every_part_has_a_description_and_exactly_its_fields() -> None:
    for kind in (Report, FolderReport):
        found = schema.build(kind)
        for part in (found, *found["$defs"].values()):
            assert part["description"], part.get("title")
            assert "\n " not in part["description"]
            assert part["required"] == list(part["properties"])
            assert part["additionalProperties"] is False


Work = Callable[[Path], Report]
ROWS = ["a", "a b", "a b", "FAIL:too_long", "LENGTH c d"]
WORKS: dict[str, Work] = {
    "clean": lambda folder: work(folder, ["a", "b"], cost={"price_per_hour": 2.0}),
    "failures": lambda folder: work(folder, ROWS, cost={"price_per_hour": 2.0}),
    "restarts": lambda folder: work(
        folder, [f"row {n}" for n in range(20)], engine={"die_after": 5, "die_times": 2}
    ),
    "no price": lambda folder: work(folder, ROWS),
    "no rows": lambda folder: work(folder, []),
    "paid by the token": lambda folder: work(
        folder, ROWS, cost={"price_per_million": "1/2/0.5", "listed_price": "3/4"}
    ),
    "attribution": lambda folder: work(
        folder, ROWS, cost={"price_per_hour": 2.0, "attribute_by": ["t"]}
    ),
    "forecast": lambda folder: work(
        folder, ["a b c"] * 3 + ["a b d"], engine={"block_size": 2, "kv_cache_blocks": 50}
    ),
}


@pytest.mark.parametrize("name", WORKS)
def test_reports_hold_to_it(name: str, tmp_path: Path) -> None:
    assert problems(REPORT, told(WORKS[name](tmp_path))) == []


def test_a_report_of_several_runs_holds_to_it(tmp_path: Path) -> None:
    work(tmp_path, ROWS)
    work(tmp_path, [*ROWS, "e"], cost={"price_per_hour": 2.0, "currency": "EUR"})
    assert problems(REPORT, told(work(tmp_path, [*ROWS, "e"]))) == []


def test_a_report_of_a_killed_run_holds_to_it(job: Job) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(9)))
    killed = job.run("-q", "--checkpoint-rows", "1", engine="kill_after=4")
    assert killed.code == -signal.SIGKILL
    assert problems(REPORT, told(read(job.state / "job.duckdb"))) == []


def test_a_report_with_a_limit_and_a_listed_price_holds_to_it(tmp_path: Path) -> None:
    found = told(hostile(work(tmp_path, ROWS, cost={"price_per_hour": 2.0})))
    assert None not in (found["limit"], found["attribution"], found["costs"]["listed"])
    assert problems(REPORT, found) == []


Change = Callable[[Json], object]
CHANGES: dict[str, Change] = {
    "another version": lambda found: found.update(version=REPORT_VERSION + 1),
    "a field less": lambda found: found.pop("rows_in"),
    "a field more": lambda found: found.update(more=1),
    "a field less further down": lambda found: found["costs"]["phases"][0].pop("seconds"),
    "a field with a default less": lambda found: found["costs"]["phases"][0].pop("parallel"),
    "a field more further down": lambda found: found["runs"][0].update(more=1),
    "a text for a number": lambda found: found["counts"].update(answered="2"),
    "nothing for a number": lambda found: found["last_run"].update(seconds=None),
    "a number for a list": lambda found: found.update(failures=0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_report_does_not(name: str, tmp_path: Path) -> None:
    whole = told(work(tmp_path, ROWS))
    changed = copy.deepcopy(whole)
    CHANGES[name](changed)
    assert problems(REPORT, whole) == []
    assert problems(REPORT, changed) != []


def test_the_jobs_of_a_folder_hold_to_theirs(tmp_path: Path) -> None:
    for name, cost in (("one", {"price_per_hour": 2.0}), ("two", {})):
        (tmp_path / name).mkdir()
        work(tmp_path / name, ROWS, cost=cost)
    broken = tmp_path / "three.llmbatch"
    broken.mkdir()
    (broken / "job.duckdb").write_bytes(b"no store")
    value = json.loads(
        renderers.render(folder.build(tmp_path, finder.find_below(tmp_path)), "json")
    )
    assert [line["state"] for line in value["jobs"]] == ["ended", "ended", "unread"]
    assert problems(FOLDER, value) == []
    value["jobs"][0]["spent"].pop("cost")
    assert problems(FOLDER, value) != []
