"""Messages that rows bring themselves."""

import json
from typing import Any

import pytest

from llmbatch.core.records import Message
from llmbatch.pipeline.prompts.given_messages import MessagesColumn, read
from llmbatch.pipeline.prompts.template import TemplateError

USER = {"role": "user", "content": "Hi"}


def test_messages_are_read_from_a_list_or_its_json() -> None:
    given = [
        {"role": "developer", "content": "Be brief"},
        {"role": "user", "content": [{"type": "text", "text": "one"}, "two"]},
        {"role": "assistant", "content": "", "tool_calls": None, "refusal": None, "id": 7},
        USER,
    ]
    made = [
        Message("system", "Be brief"),
        Message("user", "one\ntwo"),
        Message("assistant", ""),
        Message("user", "Hi"),
    ]
    assert read(given) == made
    assert read(json.dumps(given)) == made


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "is no list of messages, but null"),
        ({"role": "user"}, "is no list of messages, but an object"),
        ("hello", "is no JSON: "),
        ("7", "is no list of messages, but a number"),
        ([], "holds no message"),
        (["Hi"], "message 1 is no object, but a text"),
        ([{"content": "Hi"}], "message 1 has no role; use one of system, "),
        ([USER, {"role": "bot", "content": "x"}], "message 2 has the role 'bot'; use one of "),
        ([{"role": "tool", "content": "x"}], "message 1 has the role 'tool': tools are not "),
        ([{**USER, "tool_calls": [{}]}], "message 1 has 'tool_calls': tools are not supported"),
        ([{**USER, "name": "Ann"}], "message 1 has 'name': names of speakers are not"),
        ([{"role": "user"}], "message 1 has no content; "),
        ([{"role": "user", "content": 7}], "message 1 has a content that is a number; "),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}],
            "message 1 has a part of type 'image_url': only text is supported",
        ),
        ([{"role": "user", "content": [{"type": "text"}]}], "message 1 has a part without a text"),
        ([{"role": "user", "content": "\ud800"}], "message 1 holds half a character"),
        ([USER, {"role": "assistant", "content": "Yo"}], "message 2, the last one, is the assis"),
        ([{"role": "system", "content": "x"}], "holds system messages alone"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(given: Any, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        read(given)
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


def test_an_answer_at_the_end_may_be_allowed() -> None:
    last = {"role": "assistant", "content": "Yo"}
    assert read([USER, last], needs_question=False)[-1] == Message("assistant", "Yo")


def test_a_column_is_named_in_its_errors() -> None:
    column = MessagesColumn("chat")
    assert column({"chat": [USER]}) == [Message("user", "Hi")]
    with pytest.raises(TemplateError, match="column chat: is no list of messages, but null"):
        column({})
