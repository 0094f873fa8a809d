"""The reading of a line, and of the lines that ask for what is not answered."""

from typing import Any

import pytest

from llmbatch.batch_files import drawing, lines, wanted
from llmbatch.batch_files.lines import BodyError
from llmbatch.batch_files.wanted import Wanted
from llmbatch.core.records import Constraint, Message, Sampling

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
MESSAGES: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def read(url: str, defaults: dict[str, Any] | None = None, **body: Any) -> Wanted:
    """The reading of a line with this body."""
    record = {"custom_id": "a", "method": "POST", "url": url, "body": body}
    return wanted.read(lines.read(record), defaults or {})


def sampling(found: Wanted) -> Sampling:
    """The drawing of tokens that a line asks for."""
    return drawing.sampling_of(found.settings)


def refusal(url: str, **body: Any) -> str:
    """The words for a body that is not answered."""
    with pytest.raises(BodyError) as caught:
        read(url, **body)
    return str(caught.value)


def test_a_chat_that_says_nothing_is_drawn_as_openai_draws() -> None:
    found = read(CHAT, **MESSAGES)
    assert found.settings == {}
    assert sampling(found) == Sampling(temperature=1.0, max_tokens=2**31 - 1)
    assert found.draws_freely


def test_a_text_has_sixteen_tokens_unless_it_says_that_there_is_no_limit() -> None:
    assert sampling(read(COMPLETIONS, prompt="Hello")).max_tokens == 16
    assert sampling(read(COMPLETIONS, prompt="Hello", max_tokens=None)).max_tokens == 2**31 - 1
    assert sampling(read(COMPLETIONS, prompt="Hello", max_tokens=3)).max_tokens == 3


def test_every_parameter_of_drawing_is_kept() -> None:
    found = sampling(
        read(
            CHAT, **MESSAGES, temperature=0.5, top_p=0.9, top_k=5, min_p=0.1, seed=3, stop=["x"],
            presence_penalty=0.5, frequency_penalty=-0.5, repetition_penalty=1.5, max_tokens=9,
            logit_bias={"7": -100, "3": 5}, min_tokens=2, stop_token_ids=[4], ignore_eos=True,
            include_stop_str_in_output=True, logprobs=True, top_logprobs=2,
        )
    )  # fmt: skip
    assert found == Sampling(
        0.5, 0.9, 5, 0.1, 9, 3, ("x",), 1.5, 0.5, -0.5,
        logit_bias=((3, 5.0), (7, -100.0)), logprobs=2, min_tokens=2, stop_token_ids=(4,),
        include_stop=True, ignore_eos=True,
    )  # fmt: skip


def test_the_newer_name_of_the_limit_wins() -> None:
    found = read(CHAT, **MESSAGES, max_tokens=9, max_completion_tokens=5)
    assert sampling(found).max_tokens == 5


def test_what_the_model_recommends_holds_where_a_line_says_nothing() -> None:
    recommended = {"temperature": 0.6, "top_k": 20}
    assert sampling(read(CHAT, recommended, **MESSAGES)).temperature == 0.6
    found = sampling(read(CHAT, recommended, **MESSAGES, temperature=0))
    assert (found.temperature, found.top_k) == (0, 20)


@pytest.mark.parametrize(
    "settings",
    [
        {"top_k": -1, "seed": -1},
        {"stream": False, "n": 1, "tool_choice": "none", "modalities": ["text"], "echo": False},
        {"user": "me", "metadata": {"a": "b"}, "store": True, "service_tier": "flex"},
        {"temperature": None, "tools": None, "response_format": {"type": "text"}},
    ],
)
def test_what_changes_nothing_is_taken(settings: dict[str, Any]) -> None:
    assert read(CHAT, **MESSAGES, **settings).settings == {}


def test_log_probabilities_of_the_tokens_alone() -> None:
    assert sampling(read(CHAT, **MESSAGES, logprobs=True)).logprobs == 0
    assert sampling(read(CHAT, **MESSAGES, logprobs=False)).logprobs is None
    assert sampling(read(COMPLETIONS, prompt="Hi", logprobs=2)).logprobs == 2


SCHEMA = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {}}}
HELD = Constraint("json", '{"type":"object","properties":{"b":{"type":"integer"},"a":{}}}')


@pytest.mark.parametrize(
    ("settings", "form"),
    [
        ({"response_format": {"type": "json_object"}}, Constraint("json", '{"type":"object"}')),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            HELD,
        ),
        ({"structured_outputs": {"json": SCHEMA}}, HELD),
        ({"structured_outputs": {"json": HELD.value, "regex": None}}, HELD),
        ({"structured_outputs": {"choice": ["a", "b"]}}, Constraint("choice", '["a","b"]')),
        ({"structured_outputs": {"regex": "a+"}}, Constraint("regex", "a+")),
        ({"structured_outputs": {"json_object": True}}, Constraint("json", '{"type":"object"}')),
    ],
)
def test_the_form_of_an_answer(settings: dict[str, Any], form: Constraint) -> None:
    assert drawing.form_of(read(CHAT, **MESSAGES, **settings).settings) == form


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"temprature": 0},
            "'temprature': there is no such parameter (did you mean 'temperature'?)",
        ),
        ({"tools": [{}]}, "tools: tools are not called here: leave them out, or ask for a form"),
        ({"stream": True}, "stream: a batch is not streamed: leave it out"),
        ({"guided_choice": ["a"]}, 'guided_choice: a name of earlier versions: write "structured'),
        ({"extra_body": {}}, "extra_body: is an argument of the Python client"),
        ({"prompt_logprobs": 1}, "prompt_logprobs: is not answered here: leave it out"),
        ({"dimensions": 3}, "dimensions: is no parameter of /v1/chat/completions"),
        ({"temperature": 3}, "temperature: must be from 0 to 2 (got 3)"),
        ({"temperature": "0"}, "temperature: must be a number (got '0')"),
        ({"top_p": 0}, "top_p: must be above 0 and at most 1 (got 0)"),
        ({"max_tokens": 0}, "max_tokens: must be at least 1 (got 0)"),
        ({"logit_bias": {"x": 1}}, "logit_bias: 'x' is no number of a token"),
        ({"stop": ["a", ""]}, "stop: a text in it is empty"),
        ({"top_logprobs": 2}, 'top_logprobs: needs "logprobs": true'),
        ({"n": 2, "temperature": 0}, "n: at temperature 0 all answers would be the same: write 1"),
        ({"min_tokens": 5, "max_tokens": 4}, "min_tokens: is more than max_tokens (4)"),
        ({"response_format": "json"}, "response_format: its type must be one of text, json_object"),
        (
            {"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}},
            "response_format and structured_outputs: give one of them",
        ),
        ({"structured_outputs": {}}, "structured_outputs: give exactly one of json, regex, choice"),
        (
            {"structured_outputs": {"chioce": ["a"]}},
            "structured_outputs: there is no key 'chioce' (did you mean 'choice'?)",
        ),
        ({"structured_outputs": {"grammar": "x"}}, "structured_outputs.grammar: is not answered"),
        (
            {"ignore_eos": True, "structured_outputs": {"regex": "a"}},
            "ignore_eos: an answer with a form ends where its form does",
        ),
        ({"n": 129}, "n: must be from 1 to 128 (got 129)"),
    ],
)
def test_what_is_not_answered_is_said(settings: dict[str, Any], words: str) -> None:
    assert refusal(CHAT, **MESSAGES, **settings).startswith(words)


def test_a_text_with_several_prompts_and_draws() -> None:
    found = read(COMPLETIONS, prompt=["a", "b"], n=3)
    assert found.texts == [(Message("text", "a"),), (Message("text", "b"),)]
    assert (found.draws, found.parts) == (3, 6)


def test_an_embedding_of_several_texts() -> None:
    found = read("/v1/embeddings", input=["a", "b"], dimensions=3, encoding_format="base64")
    assert found.settings == {"dimensions": 3}
    assert found.texts == [(Message("text", "a"),), (Message("text", "b"),)]


PAIRS = [
    (Message("query", "q"), Message("document", "a")),
    (Message("query", "q"), Message("document", "b")),
]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/score", {"text_1": "q", "text_2": ["a", "b"]}),
        ("/score", {"queries": ["q", "q"], "documents": ["a", "b"]}),
        ("/v1/score", {"data_1": "q", "data_2": ["a", "b"]}),
        ("/v1/rerank", {"query": "q", "documents": ["a", "b"], "top_n": 1}),
        ("/v2/rerank", {"query": "q", "documents": ["a", "b"]}),
    ],
)
def test_pairs(url: str, body: dict[str, Any]) -> None:
    assert read(url, **body).texts == PAIRS


@pytest.mark.parametrize(
    ("url", "body", "words"),
    [
        (COMPLETIONS, {"prompt": [1, 2]}, "prompt: token numbers are not taken: send the text"),
        (COMPLETIONS, {"prompt": "a", "suffix": "b"}, "suffix: is not answered here"),
        (COMPLETIONS, {"prompt": "a", "echo": True}, "echo: is not answered here"),
        ("/v1/embeddings", {"input": ""}, "input: a text in it is empty"),
        ("/v1/embeddings", {"input": []}, "input: is an empty list"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "int8"}, "encoding_format: must be"),
        ("/v1/embeddings", {"input": "a", "temperature": 0}, "temperature: is no parameter of"),
        (
            "/v1/score",
            {"text_1": ["a", "b"], "text_2": ["a", "b", "c"]},
            "2 texts on one side and 3",
        ),
        ("/v1/score", {"text_1": "a", "documents": "b"}, "the two sides of pairs are missing"),
        ("/v1/rerank", {"documents": "b"}, "query: is missing"),
        (CHAT, {"temperature": 0}, "messages: is missing"),
        (
            COMPLETIONS,
            {"prompt": ["a"] * 100, "n": 100},
            "asks for 10,000 answers, more than 4,096",
        ),
        ("/v1/audio/speech", {}, "url '/v1/audio/speech': there is no such endpoint"),
    ],
)
def test_a_body_of_the_other_endpoints_that_is_not_answered(
    url: str, body: dict[str, Any], words: str
) -> None:
    assert refusal(url, **body).startswith(words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"custom_id": 5}, "custom_id: must be a text (got 5)"),
        ({"method": "GET"}, "method: must be POST (got GET)"),
        ({"url": None}, "has no url"),
        ({"body": []}, "body: must be a JSON object"),
        ({"body": {"model": 5}}, "model: must be a text"),
    ],
)
def test_a_line_that_is_none(changes: dict[str, Any], words: str) -> None:
    record = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {}} | changes
    with pytest.raises(BodyError, match=r".*") as caught:
        lines.read(record)
    assert str(caught.value) == words


def test_a_line_is_known_by_its_keys() -> None:
    record: dict[str, Any] = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {}}
    assert lines.is_line(record)
    assert not lines.is_line({"custom_id": "a", "url": CHAT})
    assert not lines.is_line(record | {"body": "text"})
    assert not lines.is_line(record | {"url": "https://example.com"})


@pytest.mark.parametrize(
    ("asked", "model", "same"),
    [
        (None, "org/name", True),
        ("org/name", "org/name", True),
        ("name", "org/name", True),
        ("model", "/a/folder/model/", True),
        ("alias", "org/name", True),
        ("other", "org/name", False),
        ("org", "org/name", False),
    ],
)
def test_the_model_that_a_line_names(asked: str | None, model: str, same: bool) -> None:
    assert lines.is_same_model(asked, model, ("alias",)) is same


def test_settings_that_say_the_same_are_the_same() -> None:
    """They are parts of keys."""
    one = read(CHAT, **MESSAGES, temperature=0, max_tokens=5, top_p=1, stop="x", user="a")
    other = read(CHAT, **MESSAGES, max_completion_tokens=5, stop=["x"], temperature=0.0, n=1)
    assert one.settings == other.settings
