"""Values reach a prompt as JSON has them, never in Python's words; a row that says nothing is not
asked."""

import pytest

from llmbatch.pipeline.prompts.needs import EmptyRowError, Needs
from llmbatch.pipeline.prompts.template import Prompt, TemplateError

ROW = (
    '{"s": "hey", "n": null, "t": true, "l": ["x", null, 1.10], "d": {"k": null, "j": "v"}, '
    '"f": 1.50, "i": 12345678901234567890123, "e": [], "blank": " "}'
)


def said(template: str, row: str = ROW) -> str:
    """The text of a row; all rows are asked."""
    (message,) = Prompt(template, None, needs=Needs(placeholders=False)).render(row)
    return message.content


def lacks(template: str, row: str, needs: Needs = Needs(), system: str | None = None) -> str | None:  # noqa: B008
    """The reason for which a row is not asked; None if it is."""
    try:
        Prompt(template, system, needs=needs).render(row)
    except EmptyRowError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("[{{ n }}]", "[]"),
        ("{{ t }}", "true"),
        ("{{ l }}", '["x",null,1.10]'),
        ("{{ d }}", '{"k":null,"j":"v"}'),
        ("{{ d.k }}|{{ d.j }}|{{ d['k'] }}", "|v|"),
        ("{{ e }}", "[]"),
        ("{{ f }} {{ i }} {{ l[2] }}", "1.50 12345678901234567890123 1.10"),
        (
            "{{ [i, f, n, (t, d)] }}",
            '[12345678901234567890123,1.50,null,[true,{"k":null,"j":"v"}]]',
        ),
        ("{{ 'x' ~ n ~ t ~ l ~ f }}", 'xtrue["x",null,1.10]1.50'),
        ("{{ '%s-%s-%s' % (n, t, l) }}", '-true-["x",null,1.10]'),
        ("{{ '%s' % l }}{{ '%s' % n }}{{ '%d' % t }}{{ '%(k)s' % d }}", '["x",null,1.10]1'),
        ("{{ '%s %s'|format(n, t) }}", " true"),
        ("{{ '{} {} {:.1f} {:d}'.format(n, l, f, t) }}", ' ["x",null,1.10] 1.5 1'),
        ("{{ '{0[k]}|{0[j]}'.format(d) }}{{ '{k}'.format_map(d) }}", "|v"),
        ("{{ n|upper }}{{ n|trim }}{{ n|title }}{{ n|e }}{{ n|string }}{{ n|urlencode }}", ""),
        ("{{ n|replace('N', 'x') }}{{ n|truncate(9) }}{{ n|wordcount }}", "0"),
        ("{{ t|upper }} {{ t|string|length }} {{ l|string }}", 'TRUE 4 ["x",null,1.10]'),
        ("{{ l|join(', ') }}", "x, , 1.10"),
        ("{{ [d]|join(attribute='k') }}{{ [d]|join(attribute='j') }}", "v"),
        ("{{ n|join }}{{ n|list }}{{ n|length }}", "[]0"),
        ("{% for x in n %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% for x in l %}<{{ x }}>{% endfor %}", "<x><><1.10>"),
        ("{{ n|default('D') }}{{ no|default('E') }}{{ blank|default('F', true) }}", "DE "),
        ("{{ d.no|default('D') }}{{ s|default('E') }}", "Dhey"),
        ("{{ n|tojson }}{{ t|tojson }}{{ l|pprint }}", 'nulltrue["x",null,1.10]'),
        ("{% if n %}a{% elif n is none %}null{% endif %}{{ n == none }}", "nulltrue"),
        ("{{ d.items() }} {{ d|dictsort }}", '[["k",null],["j","v"]] [["j","v"],["k",null]]'),
        (
            "{{ l|map('upper') }}{{ range(3) }}{{ l|select|list }}",
            '["X","","1.10"][0,1,2]["x",1.10]',
        ),
        ("{% macro m(x) %}({{ x }}){% endmacro %}{{ m(n) }}{{ m(t) }}", "()(true)"),
        ("{% set x = n %}{% set y %}{{ t }}{% endset %}{{ x }}{{ y }}", "true"),
        ("{% autoescape true %}{{ n }}{{ l }}{% endautoescape %}", "[&#34;x&#34;,null,1.10]"),
        ("{{ none }}{{ true }}{{ 1.10 }}{{ 1e22 }}{{ 3 / 2 }}{{ 'None' }}", "true1.11e+221.5None"),
        ("{{ row.n }}{{ row['t'] }}", "true"),
    ],
)
def test_a_null_is_nothing_and_the_rest_is_json(template: str, text: str) -> None:
    assert said(template) == text


def test_the_row_itself_is_json_too() -> None:
    row = '{"a":null,"b":[true,1.10],"c":"é"}'
    assert said("{{ row }}", row) == said("{{ record }}", row) == row


PLAIN = r'{"a": "x", "b": "None", "n": 1.10, "i": -0, "t": "é\n\"\\"}'


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ a }}{{ b }}{{ n }}{{ i }}", "xNone1.10-0"),
        ("{{ a ~ n ~ 1 }}{{ n|string }}{{ '%s' % n }}{{ '{}'.format(n) }}", "x1.1011.101.101.10"),
        ("{{ b|upper }}{{ n + 1 }}{{ n|round(2) }}{{ '%.3f' % n }}", "NONE2.11.11.100"),
        ("{{ t }}", 'é\n"\\'),
        ("{{ record }}", PLAIN.replace(": ", ":").replace(", ", ",")),
    ],
)
def test_rows_of_texts_and_numbers_read_as_they_always_did(template: str, text: str) -> None:
    """Their keys are those of answers that were paid for."""
    assert said(template, PLAIN) == text


EMPTY = ["null", '""', r'" \n"', "[]", "{}", "[null, {}]", '["", [" "]]']


@pytest.mark.parametrize("value", EMPTY)
@pytest.mark.parametrize(
    "template",
    [
        *("Say {{ t }}", "{{ t }} {{ u }}", "{{ row.t }}", "{% for x in t %}{{ x }}{% endfor %}"),
        *("{% if t %}Say {{ t }}{% endif %}", "{{ t ~ '' }}", "{% set x = t %}{{ x }}"),
        "{{ '{' }}{{ t }}",
    ],
)
def test_a_row_that_says_nothing_is_not_asked(template: str, value: str) -> None:
    reason = lacks(template, f'{{"t": {value}, "u": null, "other": "x"}}')
    assert reason is not None
    assert reason.startswith("all that the prompt would say of the row is empty")


@pytest.mark.parametrize(
    ("template", "row"),
    [
        ("{{ t }}", "{}"),
        ("{{ t.a.b }}", '{"t": null}'),
        ("{{ t }}", '{"t": {"a": ""}}'),
        ("{{ t.a }}{{ u }}", '{"t": {}, "u": ""}'),
        ("{{ t[0] }}", '{"t": []}'),
        ("{{ record }}", '{"t": null, "u": [" "]}'),
        ("{{ t|upper }}{{ u|trim }}", '{"u": " "}'),
    ],
)
def test_what_is_missing_says_nothing_either(template: str, row: str) -> None:
    assert lacks(template, row)


@pytest.mark.parametrize(
    ("template", "row"),
    [
        ("{{ t }}", '{"t": 0}'),
        ("{{ t }}", '{"t": false}'),
        ("{{ t }} {{ u }}", '{"t": null, "u": "x"}'),
        ("{{ t|default('x') }}", '{"t": null}'),
        ("{{ t|default('x') }}", "{}"),
        ("{{ t or 'x' }}", '{"t": ""}'),
        ("{% if t %}a{% else %}b{% endif %}", '{"t": null}'),
        ("Say hello", '{"t": null}'),
        ("{{ record }}", '{"t": null, "u": "x"}'),
        ("{{ t|length }}", '{"t": []}'),
    ],
)
def test_a_row_that_says_something_is_asked(template: str, row: str) -> None:
    assert lacks(template, row) is None
    assert lacks(template, '{"t": "x", "u": "y"}') is None


def test_the_system_prompt_may_be_what_says_something() -> None:
    assert lacks("{{ t }}", '{"t": null, "u": "x"}', system="{{ u }}") is None
    assert lacks("{{ t }}", '{"t": null, "u": null}', system="{{ u }}")


def test_a_row_that_lacks_one_of_its_columns_fails_and_is_not_skipped() -> None:
    with pytest.raises(TemplateError, match="'u' is undefined"):
        Prompt("{{ t }}{{ u }}", None).render('{"t": "x"}')


def test_all_rows_are_asked_where_that_is_wanted() -> None:
    assert lacks("{{ t }}", '{"t": null}', Needs(placeholders=False)) is None


def test_a_fault_of_the_template_is_told_in_words_of_the_row() -> None:
    for template, words in (
        ("{{ n + 'a' }}", "'null' and 'str'"),
        ("{{ s }}{{ n.a }}", "null has no 'a'"),
        ("{{ s }}{{ d.no }}", "the object has no key 'no'"),
        ("{{ d.items }}", r"write items\(\) to call it, or \['items'\] for a key"),
    ):
        with pytest.raises(TemplateError, match=words):
            said(template)
