"""Whatever a template does, rendering is bounded, and the other rows do not feel it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import psutil
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Message
from llmbatch.pipeline.prompts import sandbox, segments
from llmbatch.pipeline.prompts import template as prompts_template
from llmbatch.pipeline.prompts.environment import TemplateEnvironment
from llmbatch.pipeline.prompts.rendering import Renderer
from llmbatch.pipeline.prompts.template import Prompt, TemplateError
from tests.workbench import Bench, engine

# Some seconds of work for an `n` of 3000, and none for a small one.
LOOPS = "{% for a in range(n) %}{% for b in range(n) %}{% endfor %}{% endfor %}{{ n }}"


def row(**values: Any) -> str:
    return json.dumps(values)


def said(template: str, *rows: str, limit: float = 2.0, system: str | None = None) -> list[str]:
    """The text of each row, or why there is none."""
    with Renderer(Prompt(template, system), limit) as renderer:
        return [
            one[-1].content if isinstance(one, list) else str(one) for one in renderer.render(rows)
        ]


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_row_that_takes_too_long_fails_alone() -> None:
    rows = [row(n=number) for number in (1, 2, 3000, 3)]
    assert said(LOOPS, *rows, limit=0.1) == [
        "1", "2", "prompt: to render it takes longer than 0.1 s", "3"
    ]  # fmt: skip


def test_a_template_that_takes_too_long_for_every_row_is_refused() -> None:
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"takes longer than 0\.05 s for each of the first rows"):
        said(LOOPS.replace("(n)", "(3000)"), *[row(n=1)] * 1000, limit=0.05)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * n }}",
        "{{ t|center(n) }}",
        "{{ '%*d' % (n, 1) }}",
        "{{ '{:>{}}'.format(1, n) }}",
        "{{ t.ljust(n) }}",
        "{{ [t] * n }}",
        "{{ t|replace('a', 'a' * n) }}",
    ],
)
def test_a_text_may_not_be_larger_than_any_context(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    prompt = Prompt(template, None)
    assert prompt.small_row < 0, "it is not rendered here"
    monkeypatch.setattr(prompts_template, "LONGEST", 1000)
    with pytest.raises(TemplateError, match=r"^prompt: has [\d,]+ characters, more than 1,000$"):
        prompt.render(row(t="a", n=1500))
    assert prompt.render(row(t="a", n=100))


def test_memory_is_bounded() -> None:
    prompt = Prompt("{{ ('x' * n)|length }}", None)
    with Renderer(prompt, memory=1 << 28) as renderer:
        few, many, again = renderer.render([row(n=2_000), row(n=1 << 29), row(n=2_000)])
    assert isinstance(many, TemplateError)
    assert str(many) == "prompt: takes too much memory"
    assert few == again == [Message("user", "2000")]


@pytest.mark.parametrize("system", [None, "{{ 'x' * n }}"])
def test_it_is_all_the_same_elsewhere(system: str | None) -> None:
    """Order, exact numbers and failures."""
    template = "{{ dict(a=t).a }} {{ n }} {{ record }}"
    rows = [
        '{"t": "a", "n": 1.10}', '{"t": "ü\\u0000", "n": 1}', '{"n": 2}',
        '{"t": "b", "n": 4, "more": [1e5]}',
    ]  # fmt: skip
    here: list[object] = []
    prompt = Prompt(template, system, ["n", "t"])
    for data in rows:
        try:
            here.append(prompt.render(data))
        except TemplateError as error:
            here.append(str(error))
    with Renderer(prompt) as renderer:
        found = renderer.render(rows)
        assert [one if isinstance(one, list) else str(one) for one in found] == here


def test_small_and_large_rows_stay_in_order() -> None:
    prompt = Prompt("{{ t }}", None)
    texts = ["a", "b" * 20, "c" * 30, "d", "e" * 25]
    prompt.small_row = len(row(t="x" * 10))
    with Renderer(prompt) as renderer:
        found = list(renderer.render([row(t=text) for text in texts]))
    assert [one[0].content for one in found if isinstance(one, list)] == texts


# Those which a job has usually need no other process.
PLAIN = [
    "Classify: {{ text }}",
    "{{ row['Order No.'] }} {{ record }}",
    "{% if a %}{{ a|upper|trim }}{% elif b is defined %}{{ b ~ '!' }}{% else %}-{% endif %}",
    "{% for tag in tags %}- {{ tag }}\n{% endfor %}",
    "{% for name, value in row.items() %}{{ loop.index }} {{ name }}={{ value }}\n{% endfor %}",
    "{{ text.split()|join(', ') }} {{ n + 1 }} {{ text[:200] }}",
    "{% set short = text|trim %}{{ short|replace('a', 'b') }} {{ n * 1.5 }} {{ n // 2 }}",
    "{{ '%.2f' % n }} {{ '%05d'|format(n) }} {{ '{:>10}'.format(n) }}",
    "{% for i in range(3) %}{{ i }} {{ a }}{% endfor %}",
    "{{ a or 'none' }} {{ 'x' if a in tags else b|default('y') }} {# comment #}",
]
FREE = [
    "{{ 'x' * n }}", "{{ 2 ** n }}", "{{ text|center(n) }}", "{{ text|indent(n) }}",
    "{{ a % b }}", "{{ '%9999d' % n }}", "{{ '%*d' % (n, n) }}", "{{ '%9999d'|format(n) }}",
    "{{ '{:{}}'.format(n, n) }}", "{{ text.format(n) }}", "{{ text|format(n) }}",
    "{{ '{:9999}'.format(n) }}", "{{ text.ljust(n) }}", "{{ text|replace(a, b) }}",
    "{% for i in range(n) %}x{% endfor %}", "{% set a.b = text %}", "{{ dict(a=n) }}",
    "{% set ns = namespace(a=1) %}{% set ns.a = text ~ ns.a %}", "{{ tags|join(text) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ tags|map('upper')|list }}",
    "{% for a in tags recursive %}{{ loop(tags) }}{% endfor %}", "{{ self }}{{ loop(1) }}",
    "{% filter upper %}{{ text }}{% endfilter %}", "{{ tags|batch(n, 'x')|list }}",
]  # fmt: skip


@pytest.mark.parametrize("template", PLAIN)
def test_plain_templates_are_rendered_here(template: str) -> None:
    assert Prompt(template, "You are {{ text }}").small_row > 400


@pytest.mark.parametrize("template", FREE)
def test_templates_that_may_make_anything_are_not(template: str) -> None:
    assert Prompt(template, None).small_row < 0
    assert Prompt("{{ a }}", template).small_row < 0


def test_a_row_from_which_loops_make_too_much_is_not_small() -> None:
    one = Prompt("{% for a in row.x %}{{ record }}{% endfor %}", None).small_row
    two = Prompt("{% for a in row.x %}{% for b in a %}{{ record }}{% endfor %}{% endfor %}", None)
    assert two.small_row < 100
    assert 5_000 > one > two.small_row
    assert Prompt("{{ tags|join('-' * 1) }}", None).small_row < 0
    doubled = "".join(f"{{% set t{n + 1} = t{n} ~ t{n} %}}" for n in range(30))
    assert Prompt("{% set t0 = t %}" + doubled + "{{ t30|length }}", None).small_row < 0
    assert Prompt("{{ t * 100000000 }}", None).small_row < 0
    assert Prompt("{% for i in range(99999) %}{{ t }}{% endfor %}", None).small_row < 0
    assert Prompt("{{ tags|join('-') }}", None).small_row < 5_000


@pytest.mark.parametrize(
    "template",
    ["{{ boom(1) }}", "{{ 1|boom }}", "{% if 1|boom %}{% endif %}", "{% set x = 1|boom %}"],
)
def test_nothing_is_evaluated_while_a_template_is_compiled(template: str) -> None:
    environment = TemplateEnvironment()
    evaluated: list[object] = []
    environment.filters["boom"] = evaluated.append
    environment.globals["boom"] = evaluated.append
    sandbox.names(environment.parse(template))
    compiled = environment.from_string(template)
    assert evaluated == []
    compiled.render()
    assert evaluated


def test_an_option_of_a_template_is_no_expression() -> None:
    assert said("{% autoescape true %}{{ t }}{% endautoescape %}", row(t="<")) == ["&lt;"]
    with pytest.raises(UsageError, match="autoescape takes true or false"):
        Prompt("{% autoescape 1 + 1 %}x{% endautoescape %}", None)
    with pytest.raises(jinja2.TemplateSyntaxError):
        environment = TemplateEnvironment()
        sandbox.names(environment.parse("{% autoescape 'a'|upper %}{% endautoescape %}"))


def test_parts_of_a_template_that_may_make_anything_are_not_weighed(tmp_path: Path) -> None:
    plain = Bench(tmp_path / "plain", ["a"], prompt="Say {{ t }} and {{ row.t }}").spec
    free = Bench(tmp_path / "free", ["a"], prompt="Say {{ t }} and {{ t|center(3) }}").spec
    assert segments.segments(plain)
    assert segments.segments(free) is None


def test_a_prompt_larger_than_any_context_is_a_failure_of_its_row(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["a", "bb"], prompt="{{ t * 6000000 }}")
    assert (bench.counts().pending, bench.counts().failed) == (1, 1)


def test_a_job_goes_on_with_the_rows_that_can_be_rendered(tmp_path: Path) -> None:
    template = "{{ dict(a=t).a }} {{ 1 // (t|length - 3) }}"
    bench = Bench(tmp_path, ["a", "bcd", "ef"], prompt=template)
    bench.drive(engine(answer="echo"))
    (failed, answered) = (bench.counts().failed, bench.counts().answered)
    assert (failed, answered) == (1, 2)


@pytest.mark.parametrize("text", ['"', "\\", "\x01", "é", "a"])
@pytest.mark.parametrize(
    "template",
    [
        "{{ row }}{{ [t] }}{{ t ~ [t] }}",
        "{{ [[t]|string]|string }}",
        "{{ t|tojson|tojson|tojson|tojson }}",
        "{% set x = [t] %}{% set y = [x|string] %}{{ y }}{{ [y|string] }}",
        "{{ ['\x01\x02\x03\"', t] }}",
        "{% for x in row.values() %}{{ [x, row] }}{% endfor %}",
    ],
)
def test_values_as_json_stay_within_the_bound(
    monkeypatch: pytest.MonkeyPatch, template: str, text: str
) -> None:
    """The longest row that is rendered here is no more than may be made of it."""
    monkeypatch.setattr(prompts_template, "LONGEST", 200_000)
    prompt = Prompt(template, None)
    count = (prompt.small_row - len(row(t=""))) // (len(row(t=text)) - len(row(t="")))
    assert count > 0
    data = row(t=text * count)
    assert len(data) <= prompt.small_row
    assert prompt.render(data)
