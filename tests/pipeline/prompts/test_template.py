"""Templates see the row as it came, and can do no harm."""

from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Message
from llmbatch.pipeline.prompts.template import Prompt, TemplateError


def said(template: str, record: str) -> str:
    (message,) = Prompt(template, None).render(record)
    assert message.role == "user"
    return message.content


def test_columns_are_variables() -> None:
    assert said("{{ a }}-{{ b }}", '{"a": "x", "b": "y"}') == "x-y"


def test_the_system_message_comes_first() -> None:
    messages = Prompt("Q {{ a }}", "You are {{ b }}").render('{"a": "x", "b": "y"}')
    assert messages == [Message("system", "You are y"), Message("user", "Q x")]


def test_row_reaches_columns_whose_names_are_no_identifiers() -> None:
    assert said("{{ row['Order No.'] }}", '{"Order No.": "007"}') == "007"


def test_record_is_the_row_as_json() -> None:
    assert said("{{ record }}", '{"b": 1.10, "a": ["ü", null, true]}') == (
        '{"b":1.10,"a":["ü",null,true]}'
    )


@pytest.mark.parametrize("name", ["row", "record"])
def test_a_column_wins_over_a_name_of_ours(name: str) -> None:
    assert said(f"{{{{ {name} }}}}", f'{{"{name}": "mine"}}') == "mine"


@pytest.mark.parametrize(
    "number", ["1.10", "12345678901234567890", "-0", "1e5", "0.1", "100000000000000000000000.5"]
)
@pytest.mark.parametrize("template", ["{{ n }}", "{{ n|tojson }}", "{{ row.n }}", "{{ n ~ '' }}"])
def test_numbers_are_written_as_they_came(number: str, template: str) -> None:
    assert said(template, f'{{"n": {number}}}') == number


def test_numbers_deep_in_a_value_are_written_as_they_came() -> None:
    record = '{"n": {"list": [1.10, 12345678901234567890]}}'
    assert said("{{ n|tojson }}", record) == '{"list":[1.10,12345678901234567890]}'


def test_tojson_quotes_text_and_keeps_markup() -> None:
    assert said("{{ t|tojson }}", '{"t": "<b> \\"é\\"\\n"}') == '"<b> \\"é\\"\\n"'


def test_nothing_is_escaped_for_html() -> None:
    assert said("{{ t }}", '{"t": "<a> & b"}') == "<a> & b"


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        (["text", "id"], "no column 'txt' in in.csv (did you mean 'text'?); columns: text, id"),
        (["zzz"], "no column 'txt' in in.csv; columns: zzz"),
        ([], "no column 'txt' in in.csv; columns: none"),
    ],
)
def test_a_missing_column_is_named_with_the_nearest(columns: list[str], hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Prompt("Say {{ txt }}", None).check(columns, "in.csv")
    assert str(caught.value) == f"prompt: {hint}"


def test_the_system_prompt_is_checked_too() -> None:
    with pytest.raises(UsageError, match="system prompt: no column 'who'"):
        Prompt("{{ a }}", "{{ who }}").check(["a"], "in.csv")


@pytest.mark.parametrize(
    "template",
    [
        "{{ a }} {{ row.b }} {{ record }}",
        "{% set x = a %}{{ x }}",
        "{% for i in range(3) %}{{ loop.index }}{{ i }}{% endfor %}",
        "{{ 'txt' }} {# txt #}",
    ],
)
def test_what_is_no_column_is_not_asked_for(template: str) -> None:
    Prompt(template, None).check(["a"], "in.csv")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("Say {{ text", "prompt, line 1: "),
        ("ok\n{% if a %}", "prompt, line 2: "),
        ("{{ a|nosuch }}", "there is no filter 'nosuch'"),
    ],
)
def test_a_template_that_is_none_is_refused(template: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        Prompt(template, None)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("template", "record"),
    [
        ("{{ b }}{{ a }}", '{"b": "x"}'),
        ("{{ b }}{{ row.a }}", '{"b": "x"}'),
        ("{{ b }}{{ meta.x }}", '{"b": "x", "meta": {}}'),
        ("{{ b }}{{ meta.x.y }}", '{"b": "x", "meta": {"x": {}}}'),
        ("{{ b }}{{ meta.x }}", '{"b": "x", "meta": null}'),
        ("{{ b }}{{ meta['x'] }}", '{"b": "x", "meta": {}}'),
        ("{{ b }}{{ list[3] }}", '{"b": "x", "list": [1]}'),
        ("{{ b.upper }}", '{"b": "x"}'),
        ("{{ meta.items }}", '{"meta": {"items": 1}}'),
        ("{{ namespace(a=1) }}", "{}"),
        ("{% if meta.x %}y{% endif %}", '{"meta": {}}'),
        ("{{ n / 0 }}", '{"n": 1}'),
        ("{{ n + 'a' }}", '{"n": 1}'),
        ("{{ '\\ud800' }}", "{}"),
    ],
)
def test_a_row_that_cannot_be_rendered_fails_by_itself(template: str, record: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Prompt(template, None).render(record)
    assert str(caught.value).startswith("prompt: ")
    assert "\n" not in str(caught.value)


def test_a_default_for_what_is_missing_may_be_given() -> None:
    assert said("{{ meta.x|default('none') }}", '{"meta": {}}') == "none"


@pytest.mark.parametrize(
    "template",
    [
        "{{ t.__class__ }}",
        "{{ t['__class__'] }}",
        "{{ t|attr('__class__') }}",
        "{{ t }}{{ lipsum.__globals__ }}",
        "{{ self.__init__ }}",
        "{{ range(100001)|list }}",
        "{% include 'other.txt' %}",
        "{% import 'other' as other %}{{ other }}",
    ],
)
def test_what_the_sandbox_refuses_fails_the_row(template: str) -> None:
    with pytest.raises(TemplateError):
        Prompt(template, None).render('{"t": "x"}')


@pytest.mark.parametrize("change", ["row.update({'t': 'y'})", "row.clear()", "t.append('y')"])
def test_a_template_cannot_change_the_row(change: str) -> None:
    with pytest.raises(TemplateError):
        Prompt(f"{{{{ {change} }}}}", None).render('{"t": ["x"]}')


def test_a_template_in_a_value_stays_text() -> None:
    assert said("{{ t }}", '{"t": "{{ 7 * 7 }}"}') == "{{ 7 * 7 }}"


def test_rows_leave_nothing_behind_for_the_next() -> None:
    prompt = Prompt("{% set x = t %}{{ x }}{{ u|default('') }}", None)
    first: list[Any] = prompt.render('{"t": "a", "u": "b"}')
    assert first[0].content == "ab"
    assert prompt.render('{"t": "c"}')[0].content == "c"
