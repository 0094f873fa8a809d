"""Requests as lines of a batch file, and the lines that come back."""

import base64
import json
from array import array
from typing import Any

import pytest

from llmbatch.batch_files import answers, drawing, lines, requests, wanted
from llmbatch.batch_files.answers import AnswerError, OneAnswer
from llmbatch.batch_files.lines import BodyError
from llmbatch.core.records import Ask, Constraint, Message, Request, Sampling

CHAT = (Message("system", "Be brief."), Message("user", "Hello"))
HELD = Constraint("json", '{"type":"object","properties":{"b":{"multipleOf":1.10}}}')


def body_of(request: Request, url: str = "/v1/chat/completions") -> dict[str, Any]:
    """The body of the line of a request."""
    line = json.loads(requests.line(request, "the model"))
    assert (line["custom_id"], line["method"], line["url"]) == ("key", "POST", url)
    assert line["body"].pop("model") == "the model"
    return dict(line["body"])


@pytest.mark.parametrize("form", [None, HELD, Constraint("regex", "a+")])
@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(0.5, 0.9, 5, 0.1, 9, 3, ("x",), 1.5, 0.5, -0.5),
        Sampling(),
        Sampling(max_tokens=7, min_tokens=2, ignore_eos=False),
    ],
)
def test_a_line_asks_for_what_its_request_does(sampling: Sampling, form: Constraint | None) -> None:
    """Read as a batch file, it is that request again."""
    line = json.loads(requests.line(Request("key", CHAT, sampling, form), "m"))
    found = wanted.read(lines.read(line))
    assert drawing.sampling_of(found.settings) == sampling
    assert (drawing.form_of(found.settings) is None) == (form is None)
    assert line["body"]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]


def test_a_schema_keeps_its_digits() -> None:
    assert '"schema":' + HELD.value in requests.line(Request("key", CHAT, Sampling(), HELD), "m")


def test_a_begun_answer_is_gone_on_with() -> None:
    body = body_of(Request("key", (*CHAT, Message("prefill", "Sure")), Sampling()))
    assert body["messages"][-1] == {"role": "assistant", "content": "Sure"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_a_text_without_a_template() -> None:
    body = body_of(Request("key", (Message("text", "Hi"),), Sampling()), "/v1/completions")
    assert (body["prompt"], body["max_tokens"]) == ("Hi", 512)


def test_vectors_and_scores() -> None:
    embed = Request("key", (Message("text", "Hi"),), Sampling(), ask=Ask("embed", dimensions=3))
    assert body_of(embed, "/v1/embeddings") == {
        "input": "Hi",
        "encoding_format": "base64",
        "dimensions": 3,
    }
    pair = (Message("query", "q"), Message("document", "d"))
    score = Request("key", pair, Sampling(), ask=Ask("score"))
    assert body_of(score, "/v1/score") == {"text_1": "q", "text_2": "d"}


def test_labels_cannot_be_asked_for() -> None:
    with pytest.raises(BodyError, match="no line of a batch file asks for labels"):
        requests.line(Request("key", CHAT, Sampling(), ask=Ask("labels", ("a",))), "m")


def answered(body: Any, **changes: Any) -> str:
    """A line with this body."""
    response = {"status_code": 200, "request_id": "r", "body": body}
    return json.dumps({"id": "i", "custom_id": "a", "response": response, "error": None} | changes)


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}


def test_answers_of_a_chat() -> None:
    choices = [
        {"index": 1, "message": {"content": "b"}, "finish_reason": "length"},
        {"index": 0, "message": {"content": "a", "reasoning": "hm"}, "finish_reason": "stop"},
    ]
    line = answers.read(answered({"model": "m", "choices": choices, "usage": USAGE}))
    assert (line.custom_id, line.model) == ("a", "m")
    assert line.answers == [
        OneAnswer("a", "stop", "", "hm", 7, 2, 3),
        OneAnswer("b", "length", "", None),
    ]


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        ({"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}, "no"),
        ({"message": {"content": None}, "finish_reason": "stop"}, "has no text"),
        (
            {"message": {"content": ""}, "finish_reason": "content_filter"},
            "ended with finish reason 'content_filter'",
        ),
    ],
)
def test_a_choice_without_an_answer(choice: dict[str, Any], fault: str) -> None:
    (one,) = answers.read(answered({"choices": [{"index": 0} | choice]})).answers
    assert (one.text, one.fault) == (None, fault)


def test_vectors_in_both_encodings() -> None:
    packed = base64.b64encode(array("f", [0.5, 1]).tobytes()).decode()
    data = [{"index": 0, "embedding": [0.5, 1]}, {"index": 1, "embedding": packed}]
    line = answers.read(answered({"data": data, "usage": {"prompt_tokens": 4}}))
    assert [one.text for one in line.answers] == [packed, packed]
    assert [one.prompt for one in line.answers] == [4, 0]


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"response": None, "error": {"message": "gone"}}, "gone"),
        ({"response": {"status_code": 400, "body": {"error": {"message": "bad"}}}}, "bad"),
        ({"response": {"status_code": 400}, "error": "said so"}, "said so"),
        ({"response": {"status_code": 400}, "error": {"error": {"message": "deep"}}}, "deep"),
        ({"response": {"status_code": 500, "body": None}}, "has no response"),
    ],
)
def test_a_failed_line(record: dict[str, Any], fault: str) -> None:
    line = answers.read(json.dumps({"custom_id": "a"} | record))
    assert [(one.text, one.fault) for one in line.answers] == [(None, fault)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "invalid JSON"),
        ("{}", "has no custom_id"),
        (answered({"choices": 5}), "its body is no response that is known here"),
        (answered({}), "its body is no response that is known here"),
        (answered({"data": [{"index": 0, "embedding": "%"}]}), "its body is no response"),
    ],
)
def test_a_line_that_is_no_answer(text: str, fault: str) -> None:
    with pytest.raises(AnswerError, match=fault):
        answers.read(text)
