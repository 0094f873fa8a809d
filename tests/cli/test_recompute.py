"""The figures of reports agree with those that an independent script computes."""

import ast
from pathlib import Path
from typing import Any

import pytest

from llmbatch.reports import json as as_json
from tests.cli import recompute
from tests.cli.reported import work

DUPLICATES = [f"row {number % 7}" for number in range(20)]
FAILING = ["FAIL:too_long x", "LENGTH:99 y", "LENGTH:5 z"]


def agree(folder: Path, report: Any) -> None:
    state = folder / "out.llmbatch"
    (state / "report.json").write_text(as_json.render(report))
    lines = recompute.compare(state, folder / "out.jsonl", folder / "out.errors.jsonl")
    assert len(lines) > 30
    wrong = [line for line in lines if recompute.differ(*line[1:])]
    assert wrong == []


def test_it_knows_nothing_of_llmbatch() -> None:
    tree = ast.parse(Path(recompute.__file__).read_text())
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names
        )
    }
    assert imported == {"json", "sys", "pathlib", "typing", "duckdb"}


def test_a_job_whose_prompt_was_changed(tmp_path: Path) -> None:
    paid: dict[str, Any] = {"cost": {"price_per_hour": 3600.0}, "sampling": {"max_tokens": 4}}
    work(tmp_path, [*DUPLICATES, *FAILING], **paid)
    agree(tmp_path, work(tmp_path, [*DUPLICATES, *FAILING], prompt="Now {{ t }}", **paid))


def test_a_job_with_missing_prices_and_another_currency(tmp_path: Path) -> None:
    work(tmp_path, DUPLICATES[:5], cost={"price_per_hour": 3600.0})
    work(tmp_path, DUPLICATES[:9], cost={"price_per_million": "100/200/50", "currency": "EUR"})
    work(tmp_path, [*DUPLICATES, "more"], cost={"price_per_million": "10/20", "currency": "EUR"})
    agree(tmp_path, work(tmp_path, [*DUPLICATES, "more", "last"]))


def test_a_job_of_a_sample_and_the_rest(tmp_path: Path) -> None:
    rows = [f"row {number}" for number in range(30)] + DUPLICATES
    paid: dict[str, Any] = {
        "cost": {"price_per_million": "100/200/50"},
        "engine": {"cached_words": 1},
    }
    work(tmp_path, rows, sample=8, **paid)
    agree(tmp_path, work(tmp_path, rows, **paid))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [(1, 1, False), (1, 2, True), (1.0, 1.0 + 1e-9, False), (1.0, 1.1, True), (None, 1.0, True)],
)
def test_a_difference_is_seen(one: Any, other: Any, apart: bool) -> None:
    assert recompute.differ(one, other) is apart
