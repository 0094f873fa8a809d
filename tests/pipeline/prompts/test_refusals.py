"""A text that is no template is refused in a user's words, at its line, with what to write."""

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.pipeline.prompts.template import Prompt


def refused(template: str, columns: list[str] | None = None, **files: str) -> str:
    with pytest.raises(UsageError) as caught:
        Prompt(template, None, files=files).check(columns or [], "in.csv")
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ('Like\n{{"a": 1}}', 'line 2: {{ begins a placeholder, and "a": 1 is none: for JSON in a '
         'prompt write single braces, {"a": 1}, or put a text with double ones between {% raw %}'),
        ("{{label: x}}", "write single braces, {label: x}"),
        ("{{ 'a': [1, 2], }}", "for JSON in a prompt"),
        ('{"a": {{"b": 1}}}', "for JSON in a prompt"),
        ("x\n{{name}", "line 2: {{name} is not closed: did you mean {{ name }}?"),
        ("{{name} and {{ b }}", "{{name} is not closed: did you mean {{ name }}?"),
        ("a\nSay {{ text", "line 2: {{ text is not closed: write }} at its end"),
        ("a\n{% if a", "line 2: {% if a is not closed: write %} at its end"),
        ("a\n{% if a %}\n\nx", "line 2: {% if %} is not closed: write {% endif %}"),
        ("{% if a %}{% if b %}{% endif %}", "line 1: {% if %} is not closed"),
        ("{% for x in a %}\n{% if b %}{% endfor %}", "line 2: {% if %} is not closed"),
        ("x {% endif %}", "{% endif %} closes nothing"),
        ("100 {% of x", "{% of %} is no statement"),
        ("{% iff a %}{% endif %}", "{% iff %} is no statement (did you mean 'if'?)"),
        ("a\nb {# c", "line 2: {# begins a comment that no #} ends; as text write {{ '{#' }}"),
        ("{% raw %}{{", "write {% endraw %} after the text"),
        ("{{}}", "{{ }} holds nothing: write a column's name in it"),
        ("{{{ text }}}", "three braces are not a placeholder: did you mean {{ text }}?"),
        ("{{ First Name }}", "written {{ row['First Name'] }}"),
        ("{{ Order No. }}", "written {{ row['Order No.'] }}"),
        ("{{ price € }}", "written {{ row['price €'] }}"),
        ("{{ a|uper }}", "there is no filter 'uper' (did you mean 'upper'?)"),
        ("{{ a is odddd }}", "there is no test 'odddd' (did you mean 'odd'?)"),
        ("{{ a && b }}", "{{ a && b }} cannot be read: unexpected char '&'"),
        ("{{ row['a' }}", "{{ row['a' }} cannot be read: "),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_a_users_words(template: str, words: str) -> None:
    said = refused(template)
    assert words in said
    assert said.startswith("prompt, line ")


@pytest.mark.parametrize(
    ("template", "columns", "words"),
    [
        ("a\n{{ first-name }}", ["first-name"], "line 2: {{ first-name }} is not read as the "
         "column 'first-name': write {{ row['first-name'] }}"),
        ("{{ first-name|upper }}", ["first-name", "first", "name"],
         "write {{ row['first-name'] }}"),
        ("{{ user.name }}", ["user.name"], "write {{ row['user.name'] }}"),
        ("{{ user.age }}", ["user.name"], "write {{ row['user.name'] }} for 'user.name'"),
        ("{{ 1 }}", ["1"], "write {{ row['1'] }}"),
        ("{{ none }}", ["none"], "write {{ row['none'] }}"),
        ("{{ it's }}", ["it's"], "cannot be read"),
        ("{{ first_name }}", ["First Name"], "(did you mean {{ row['First Name'] }}?)"),
        ("{{ Text }}", ["text"], "no column 'Text' in in.csv (did you mean 'text'?)"),
    ],
)  # fmt: skip
def test_columns_whose_names_are_no_variables(
    template: str, columns: list[str], words: str
) -> None:
    assert words in refused(template, columns)


def test_what_is_meant_passes() -> None:
    prompt = Prompt(
        "{{ row['first-name'] }} {{ first - name }} {% raw %}{{ a-b }}{% endraw %}", None
    )
    prompt.check(["first-name", "a-b", "first", "name"], "in.csv")


def test_a_template_in_a_file_is_named() -> None:
    assert refused("\n{{}}", prompt="ask.txt").startswith("prompt (ask.txt), line 2: ")
    assert refused("{{ a }}", ["b"], prompt="ask.txt").startswith("prompt (ask.txt): no column 'a'")
