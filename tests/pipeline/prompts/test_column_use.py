"""A prompt that uses no column is refused; text that looks like a placeholder is told of."""

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.pipeline.prompts.template import Prompt

COLUMNS = ["id", "text", "First Name", "body"]


def constant(template: str, system: str | None = None, columns: list[str] = COLUMNS) -> str | None:
    """The reason for which a prompt is refused that asks the same of all rows."""
    prompt = Prompt(template, system, files={"prompt": "p.txt"})
    try:
        prompt.check_use(columns, "in.csv")
    except UsageError as error:
        return str(error)
    return None


def told(template: str, system: str | None = None) -> list[str]:
    return Prompt(template, system).notices(COLUMNS)


def test_a_prompt_without_columns_is_refused() -> None:
    assert constant("Hello") == (
        "prompt (p.txt): uses no column of in.csv, so every row would ask the same; write one as "
        "{{ id }} (columns: id, text, First Name, body); if all rows are to ask the same, say "
        "--constant-prompt"
    )
    assert constant("{{ 'text' }} {# {{ text }} #} {% raw %}{{ text }}{% endraw %}", "Be kind")
    assert constant("{% for i in range(3) %}{{ i }}{% endfor %}")


@pytest.mark.parametrize(
    ("template", "system"),
    [
        ("{{ text }}", None),
        ("Hello", "You know {{ text }}"),
        ("{{ row['First Name'] }}", None),
        ("{{ row.text }}", None),
        ("{{ record }}", None),
        ("{% for k in row %}{{ k }}{% endfor %}", None),
        ("{% if text %}a{% endif %}", None),
        ("{% set x = text %}{{ x }}", None),
    ],
)
def test_a_prompt_that_uses_a_column_is_not(template: str, system: str | None) -> None:
    assert constant(template, system) is None


def test_a_column_may_have_the_name_of_a_function() -> None:
    assert constant("{{ range }}", columns=["range"]) is None
    assert constant("{{ record }}", columns=["record"]) is None


FORMS = [
    "{text}", "{ text }", "{text!r}", "$text", "${text}", "#{text}", "<text>", "<<text>>", "[text]",
    "[[text]]", "%(text)s", "%text%", "{TEXT}", "{text}}",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_placeholders_of_other_languages_are_recognised(form: str) -> None:
    said = constant(f"Hello,\nclassify {form}!")
    assert said is not None
    assert said.startswith("prompt (p.txt), line 2: uses no column")
    assert f"{form} is plain text: did you mean {{{{ text }}}}?" in said
    (notice,) = told(f"Of {{{{ id }}}}\nclassify {form}")
    assert notice == f"prompt, line 2: {form} is plain text: did you mean {{{{ text }}}}?"


def test_odd_names_are_written_as_keys() -> None:
    assert "did you mean {{ row['First Name'] }}?" in (constant("Dear {First Name}") or "")
    assert told("{{ id }}", "Dear {first name}")[0].startswith(
        "system prompt, line 1: {first name}"
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ text }}: answer as {text}",  # it is used, so the text is meant as text
        "{{ id }} <body>hello</body>",
        "{{ record }} {text}",
        "{{ row }} {text}",
        '{{ id }} {"text": "..."}',
        "{{ id }} [text](https://example.com)",
        "{{ id }} $textual <texts> {texts} [other] 5%",
        "{{ id }} text body",
    ],
)
def test_text_that_is_meant_raises_no_alarm(template: str) -> None:
    assert told(template) == []


def test_a_key_of_the_row_that_is_no_column_is_named_with_the_nearest() -> None:
    assert "there is no column 'first name' (did you mean {{ row['First Name'] }}?)" in (
        constant("{{ row['first name'] }}") or ""
    )
