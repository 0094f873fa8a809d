"""Rules are judged in a process of its own, which is ended in time."""

from typing import Any

from llmbatch.job.checks import CheckRule
from llmbatch.pipeline.run.bounded_judge import BoundedJudge
from llmbatch.pipeline.run.job_rules import JobRules
from llmbatch.quality.rules.view import CheckedAnswer, RowView, SeenColumn
from llmbatch.store.rule_query import Broken

VIEW = RowView((SeenColumn("n", "n", "text"),), "text", (), (), "text")
# Thousands of millions of steps where n is large.
SLOW = "levenshtein(repeat('ab', CAST(n AS BIGINT)), repeat('ba', CAST(n AS BIGINT))) >= 0"
LARGE = "length(repeat(response || 'abcdefgh', CAST(n AS BIGINT) * 20000)) > 1"


def rules(*texts: str) -> JobRules:
    made = (CheckRule(name=f"rule {place}", rule=text) for place, text in enumerate(texts))
    return JobRules(tuple(made), VIEW)


def answer(n: Any, text: str = "x") -> CheckedAnswer:
    return CheckedAnswer(f'{{"n": "{n}"}}', text)


def test_a_rule_that_takes_too_long_fails_its_row_alone() -> None:
    with BoundedJudge(rules(SLOW), limit=0.2) as judge:
        found = judge.broken([answer(1), answer(100_000)])
    assert found == [Broken(1, 0, "took longer than 0.2 s and was ended")]


def test_texts_that_a_rule_makes_are_bounded() -> None:
    with BoundedJudge(rules("response <> ''", LARGE)) as judge:
        found = judge.broken([answer(20_000), answer(3, "")])
    assert [(one.row, one.rule) for one in found] == [(0, 1), (1, 0)]
    assert "allocat" in (found[0].error or "")


def test_a_group_is_cut_into_parts_of_few_rows() -> None:
    with BoundedJudge(rules("n <> '600'")) as judge:
        found = judge.broken([answer(n) for n in range(1_000)])
    assert found == [Broken(600, 0)]
