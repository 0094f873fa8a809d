"""Columns without which a row is not asked."""

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.pipeline.prompts.needs import EmptyRowError, Needs
from llmbatch.pipeline.prompts.rendering import Renderer
from llmbatch.pipeline.prompts.template import Prompt

NEEDS = Needs(("text", "meta.team"), placeholders=False)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": "x", "meta": {"team": "A"}}, None),
        ({"text": "x", "meta.team": 0}, None),
        ({"text": False, "meta": {"team": ["x"]}}, None),
        ({"text": "", "meta": {"team": "A"}}, "column text is empty"),
        ({"meta": {"team": "A"}}, "column text is empty"),
        ({"text": "x", "meta": None}, "column meta.team is empty"),
        ({"text": "x", "meta": {"team": [None]}}, "column meta.team is empty"),
        ({"text": " ", "meta": "A"}, "columns text, meta.team are empty"),
    ],
)
def test_a_row_needs_something_in_each_column(row: dict[str, object], reason: str | None) -> None:
    if reason is None:
        NEEDS.check(row)
        return
    with pytest.raises(EmptyRowError) as caught:
        NEEDS.check(row)
    assert str(caught.value) == reason


def test_a_column_that_no_row_has_is_refused_with_the_nearest() -> None:
    NEEDS.check_columns(["text", "meta"], "in.csv")
    NEEDS.check_columns(["text", "meta.team"], "in.csv")
    with pytest.raises(UsageError, match=r"--require text: .* in in.csv \(did you mean 'Text'\?\)"):
        NEEDS.check_columns(["Text", "meta"], "in.csv")


def test_rows_are_judged_alike_in_the_other_process() -> None:
    prompt = Prompt("{{ a }}", None, needs=Needs(("b",)))
    rows = ['{"a": "x", "b": "y"}', '{"a": "x", "b": ""}', '{"a": null, "b": "y"}', '{"b": "y"}']
    with Renderer(prompt) as renderer:
        here = list(map(str, renderer.render(rows)))
        prompt.small_row = -1
        assert list(map(str, renderer.render(rows))) == here
    assert here[1] == "column b is empty"
    assert here[2] == here[3] == "all that the prompt would say of the row is empty (column a)"
