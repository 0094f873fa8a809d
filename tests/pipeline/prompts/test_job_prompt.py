"""The messages of a row: examples, own messages, the beginning of the answer, plain text."""

from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Message
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import job_prompt
from llmbatch.pipeline.prompts.needs import EmptyRowError
from llmbatch.pipeline.prompts.rendering import Renderer
from llmbatch.pipeline.prompts.template import Prompt, TemplateError
from llmbatch.pipeline.tasks import registry

SHOWN = [{"t": "one", "response": "1"}, {"t": "two", "response": {"b": [1.50]}}]
TURNS = [("user", "Q: one"), ("assistant", "1"), ("user", "Q: two"), ("assistant", '{"b":[1.5]}')]
CHAT = '{"chat": [{"role": "system", "content": "Own"}, {"role": "user", "content": "Hi"}]}'


def prompt(**changes: Any) -> Prompt:
    table = {"input": "in.csv", "output": "o.jsonl", "model": "m", "prompt": "Q: {{ t }}"}
    table = {name: value for name, value in (table | changes).items() if value is not None}
    spec = JobSpec.model_validate(table)
    return job_prompt.make(spec, registry.make(spec))


def rendered(made: Prompt, *rows: str, system_as_user: bool = False) -> list[Any]:
    """The (role, text) pairs of each row, or what is raised for it."""
    with Renderer(made, system_as_user=system_as_user) as renderer:
        return [
            [(one.role, one.content) for one in row] if isinstance(row, list) else row
            for row in renderer.render(rows)
        ]


def test_examples_stand_between_the_system_prompt_and_the_row() -> None:
    made = prompt(system="Be brief", examples=SHOWN, prefill="A{{ t }}")
    expected = [("system", "Be brief"), *TURNS, ("user", "Q: x"), ("prefill", "Ax")]
    assert rendered(made, '{"t": "x"}') == [expected]
    made.small_row = -1  # rendered by the other process
    assert rendered(made, '{"t": "x"}') == [expected]
    first, *rest = rendered(made, '{"t": "x"}', system_as_user=True)[0]
    assert [first, *rest] == [("user", "Be brief\n\nQ: one"), *expected[2:]]


def test_a_record_of_an_example_is_written_as_that_of_a_row() -> None:
    made = prompt(prompt="{{ record }}", examples=[{"a": 1, "b": 2, "response": "x"}])
    (chat,) = rendered(made.for_rows(["b", "a"], ["a", "b", "c"]), '{"a": 3, "b": 4, "c": 5}')
    assert chat == [
        ("user", '{"b":2,"a":1}'),
        ("assistant", "x"),
        ("user", '{"b":4,"a":3,"c":5}'),
    ]
    (notice,) = made.notices(["a", "b", "c"])
    assert notice == "examples lacks 1 column that {{ record }} writes of the rows: c"
    assert made.notices(["a", "b"]) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"examples": [{"t": "x"}]}, "no column 'response' with the answers; name it with --exam"),
        ({"examples": [{"t": "x", "Response": "y"}]}, "(did you mean 'Response'?)"),
        ({"examples": SHOWN, "example_answer": "label"}, "no column 'label' with the answers"),
        ({"examples": [{"u": "x", "response": "y"}]}, "prompt: no column 't' in examples"),
        (
            {"examples": [*SHOWN, {"u": "x", "response": "y"}]},
            "prompt: no column 't' in examples; columns: none",
        ),
        (
            {"examples": [*SHOWN, {"t": "x", "response": " "}]},
            "examples, example 3: has no answer in column 'response'",
        ),
        (
            {"examples": SHOWN, "answer": {"choice": ["1", "2"]}},
            "examples, example 2: its answer is not of the job's form: '{\"b\":[1.5]}' is not one",
        ),
        ({"example_answer": "a"}, "--example-answer: there are no examples"),
        ({"messages": "m"}, "--messages m: each row brings its own messages, so there can be no"),
        ({"messages": "m", "prompt": None, "examples": SHOWN}, "--messages m: examples are"),
        ({"raw": True, "system": "x", "prefill": "y"}, "leave --system and --prefill out"),
        ({"raw": True, "template": {"kwargs": {"a": 1}}}, "leave --template-arg out"),
        ({"prefill": "x", "answer": {"choice": ["a"]}}, "its form (choice) can be held only after"),
        ({"prefill": "x", "template": {"thinking": "on"}}, "--prefill: the answer begins with it"),
        (
            {"prefill": "x", "engine": {"reasoning_parser": "qwen3"}},
            "--prefill: the answer begins with it",
        ),
        ({"task": "embed", "prefill": "x"}, "--prefill: is for chats"),
    ],
)
def test_what_does_not_go_together(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        prompt(**changes)
    assert reason in str(caught.value)


def test_an_example_of_which_nothing_is_written() -> None:
    made = prompt(examples=[{"t": "", "response": "y"}])
    with pytest.raises(UsageError, match="examples, example 1: all that the prompt would say"):
        rendered(made, '{"t": "x"}')
    assert rendered(prompt(examples=[{"t": "", "response": "y"}], ask_empty=True), '{"t": "x"}')


def test_a_form_that_is_only_checked_goes_with_a_prefill() -> None:
    made = prompt(prefill="x ", answer={"choice": ["a"], "constrain": "check"})
    assert "the prefill ends with white space" in made.notices(["t"])[0]


def test_a_prefill_that_is_empty_for_a_row_is_left_out() -> None:
    made = prompt(prefill="{{ u }}")
    assert rendered(made, '{"t": "x", "u": ""}', '{"t": "x", "u": "It"}') == [
        [("user", "Q: x")],
        [("user", "Q: x"), ("prefill", "It")],
    ]


def test_a_row_brings_its_own_messages() -> None:
    made = prompt(prompt=None, messages="chat", system="Job {{ u }}", prefill="It")
    empty, odd, own = rendered(
        made, '{"chat": " ", "u": 1}', '{"chat": "x", "u": 1}', CHAT.replace("{", '{"u": "s", ', 1)
    )
    assert isinstance(empty, EmptyRowError)
    assert str(empty) == "column chat is empty"
    assert isinstance(odd, TemplateError)
    assert str(odd).startswith("column chat: is no JSON")
    assert own == [("system", "Job s\n\nOwn"), ("user", "Hi"), ("prefill", "It")]
    assert made.columns_used(["id", "chat", "u"]) == ["chat", "u"]


def test_own_messages_where_the_other_process_renders_the_system_prompt() -> None:
    made = prompt(prompt=None, messages="chat", system="Job {{ u }}")
    made.small_row = -1
    empty = CHAT.replace("{", '{"u": "", ', 1)
    assert rendered(made, empty) == [[("system", "Job \n\nOwn"), ("user", "Hi")]]
    as_user = rendered(prompt(prompt=None, messages="chat"), CHAT, system_as_user=True)
    assert as_user == [[("user", "Own\n\nHi")]]


def test_a_system_message_before_an_answer_becomes_a_turn_of_its_own() -> None:
    said = '{"role": "assistant", "content": "Hello"}, {"role": "user"'
    chat = CHAT.replace('{"role": "user"', said)
    made = rendered(prompt(prompt=None, messages="chat"), chat, system_as_user=True)
    assert made == [[("user", "Own"), ("assistant", "Hello"), ("user", "Hi")]]


def test_a_raw_prompt_is_one_text() -> None:
    assert prompt(raw=True).render('{"t": "x"}') == [Message("text", "Q: x")]
