"""Advice on the order of a template's parts."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from llmbatch.core.records import Message
from llmbatch.estimate import template_advice
from llmbatch.estimate.cache_forecast import CacheAssumptions
from llmbatch.estimate.prefix_cache import Cache
from llmbatch.estimate.template_advice import Advice
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.segments import segments
from tests.workbench import engine

PRODUCTS = [f"{name} " * 20 for name in ("lamp", "desk", "sofa")]
ROWS = [
    {"text": f"{n} is the number of this ticket", "product": PRODUCTS[n % 3], "lang": "en"}
    for n in range(60)
]
LONG = "Answer with one word out of this list, and with nothing else: red, green or blue."


def spec(prompt: str, system: str | None = None, **more: Any) -> JobSpec:
    table = {
        "input": "i.csv",
        "output": "o.jsonl",
        "model": "m",
        "prompt": prompt,
        "system": system,
    }
    return JobSpec.model_validate(table | more)


def encode(messages: Sequence[Message]) -> Sequence[int]:
    return engine().encode(messages)


def given(
    prompt: str, system: str | None = None, rows: list[dict[str, Any]] = ROWS, **more: Any
) -> Advice | None:
    data = [orjson.dumps(row).decode() for row in rows]
    assumed = CacheAssumptions(Cache(4), "assumed", [1])
    job = ready_job.make(spec(prompt, system, **more))
    return template_advice.give(job, (), [data], 10 * len(rows), assumed, encode)


def test_examples_behind_a_row_of_the_system_prompt_are_not_shared() -> None:
    shown = [{"lang": f"the language {PRODUCTS[n]}", "response": "x"} for n in range(3)]
    found = given("{{ lang }}", "{{ text }}", examples=shown)
    assert found is not None
    assert found.text == "put {{ lang }} before {{ text }} of the system prompt"
    assert found.hits_now < 0.1
    assert found.hits_then > 0.8
    assert given("{{ lang }}", "{{ text }}") is None
    assert given("{{ lang }}", "Be brief", examples=shown) is None


def test_a_raw_prompt_is_advised_as_what_it_is() -> None:
    found = given("{{ text }} {{ product }}", raw=True)
    assert found is not None
    assert found.text == "put {{ product }} before {{ text }}"


def names(prompt: str, system: str | None = None) -> list[str]:
    return [part.name for part in segments(spec(prompt, system)) or []]


@pytest.mark.parametrize(
    ("prompt", "system", "text"),
    [
        ("{{ text }} {{ product }}", None, "put {{ product }} before {{ text }}"),
        ("About {{ text }}:\n{{ product }}", None, "put {{ product }} before {{ text }}"),
        (
            f"{{{{ text }}}}\n{LONG}\nAnswer:",
            None,
            'put the text "Answer with one word out of th…" before {{ text }}',
        ),
        (
            f"{{{{ text }}}}\nProduct: {{{{ product }}}}\n{LONG}",
            None,
            'put the text "Answer with one word out of th…" and {{ product }} before {{ text }}',
        ),
        (
            f"{{{{ record }}}}\n{LONG}",
            None,
            'put the text "Answer with one word out of th…" before {{ record }}',
        ),
        (
            "{% if text %}T: {{ text }}{% endif %}, {{ product | upper }}",
            None,
            "put {{ product | upper }} before {% if text %}T: {{ text }}{% endif %}",
        ),
        (
            "What is {{ product }}?",
            "You know {{ text }}.",
            "put {{ text }} of the system prompt behind {{ product }}",
        ),
    ],
)
def test_what_should_be_moved(prompt: str, system: str | None, text: str) -> None:
    found = given(prompt, system)
    assert found is not None
    assert found.text == text
    assert found.hits_then >= found.hits_now + 0.05
    assert found.tokens_then < found.tokens_now
    assert found.looked_at == len(ROWS)


@pytest.mark.parametrize(
    ("prompt", "system"),
    [
        ("{{ text }}", None),
        ("{{ product }}: {{ text }}", None),
        ("{{ product }} {{ text }}\nAnswer:", None),
        (f"{LONG}\n{{{{ product }}}} {{{{ text }}}}", f"You know everything. {LONG}"),
        ("{{ text }} {{ lang }}", None),  # too short to be worth it
        ("{% set t = text %}{{ t }} {{ product }}", None),
        ("{% macro m() %}x{% endmacro %}{{ text }} {{ product }}{{ m() }}", None),
        ("{{ text }}{% raw %}{{ x }}{% endraw %}{{ product }}", None),
    ],
)
def test_where_there_is_nothing_to_say(prompt: str, system: str | None) -> None:
    assert given(prompt, system) is None


def test_the_figures_are_those_of_both_orders() -> None:
    found = given("{{ text }} {{ product }}")
    assert found is not None
    # 60 prompts of 7 + 20 words; the five blocks of a product are computed three times.
    assert found.hits_now == 0
    assert found.hits_then == round(57 * 20 / (60 * 27), 4)
    assert (found.tokens_now, found.tokens_then) == (16_200, 16_200 - 10 * 57 * 20)


def test_rows_that_the_template_fails_for_are_left_out() -> None:
    rows = [*ROWS, {"text": "no product"}]
    found = given("{{ text }} {{ product }}", rows=rows)
    assert found is not None
    assert found.looked_at == len(ROWS)


def test_without_rows_there_is_nothing_to_say() -> None:
    assert given("{{ text }} {{ product }}", rows=[]) is None


def test_a_label_belongs_to_what_follows_it() -> None:
    parts = segments(spec("Read.\nText: {{ t }}\nLang: {{ l }}{# c #}\nAnswer:", "Be {{ m }}!"))
    assert parts is not None
    context: dict[str, object] = {"t": "T", "l": "L", "m": "M"}
    texts = [part.render(context) for part in parts]
    assert texts == ["Be ", "M", "!", "Read.", "\nText: T", "\nLang: L", "\nAnswer:"]
    assert [part.last for part in parts] == [False] * 6 + [True]


def test_the_parts_make_the_whole() -> None:
    source = (
        "A long beginning that nobody takes for a label.\n\nT: {{ t -}}\n  {% for i in [1, 2] %}"
        "{{ i }}{% if i == 1 %}, {% endif %}{% endfor %} and {{ l|upper }}\nEnd\n"
    )
    job = spec(source)
    context: dict[str, object] = {"t": "T", "l": "L"}
    parts = segments(job)
    assert parts is not None
    whole = "A long beginning that nobody takes for a label.\n\nT: T1, 2 and L\nEnd"
    assert "".join(part.render(context) for part in parts) == whole
    assert names(source)[1:4] == ["{{ t -}}", "{% for i in [1, 2] %}{{ i }}{%…", "{{ l|upper }}"]
