"""Each text of a pair has to say something of its row; the messages of a chat do so together."""

import pytest

from llmbatch.core.records import Message
from llmbatch.pipeline.prompts.needs import NO_NEEDS, EmptyRowError, Needs
from llmbatch.pipeline.prompts.pieces import Piece
from llmbatch.pipeline.prompts.rendering import Renderer
from llmbatch.pipeline.prompts.template import Prompt

PAIR = (Piece("query", "query", "{{ q }}"), Piece("document", "document", "Title: {{ d }}"))


def prompt(*pieces: Piece, needs: Needs = NO_NEEDS) -> Prompt:
    return Prompt(None, None, pieces=pieces or PAIR, needs=needs)


def reason(made: Prompt, row: str) -> str:
    with pytest.raises(EmptyRowError) as caught:
        made.render(row)
    return str(caught.value)


def test_a_pair_is_rendered_in_its_order() -> None:
    made = prompt().render('{"q": "who", "d": "me"}')
    assert made == [Message("query", "who"), Message("document", "Title: me")]


@pytest.mark.parametrize(
    ("row", "of"),
    [
        ('{"q": "who", "d": ""}', "document would say of the row is empty (column d)"),
        ('{"q": "who", "d": null}', "document would say of the row is empty (column d)"),
        ('{"q": "who"}', "document would say of the row is empty (column d)"),
        ('{"q": " ", "d": "me"}', "query would say of the row is empty (column q)"),
    ],
)
def test_a_pair_of_which_one_text_says_nothing_is_skipped(row: str, of: str) -> None:
    assert reason(prompt(), row) == f"all that the {of}"


def test_a_chat_says_something_if_any_of_its_messages_does() -> None:
    chat = Prompt("Say {{ a }}", "Of {{ b }}")
    assert len(chat.render('{"a": "", "b": "x"}')) == 2
    assert reason(chat, '{"a": "", "b": ""}').endswith("is empty (columns a, b)")


def test_a_text_that_is_empty_is_skipped_whatever_is_asked_for() -> None:
    """There is no vector of nothing, also for a job that asks for empty rows."""
    asked = Needs(placeholders=False)
    assert reason(prompt(needs=asked), '{"q": "", "d": "me"}') == "the query is empty"
    assert prompt(needs=asked).render('{"q": "who", "d": ""}')[1].content == "Title: "
    only = prompt(Piece("text", "prompt", "{{ t }}{# none #}"), needs=asked)
    assert reason(only, '{"t": "\\n "}') == "the prompt is empty"


def test_pairs_are_judged_alike_in_the_other_process() -> None:
    made = prompt()
    rows = ['{"q": "a", "d": "b"}', '{"q": "a", "d": ""}', '{"q": "", "d": "b"}']
    with Renderer(made) as renderer:
        here = list(map(str, renderer.render(rows)))
        made.small_row = -1
        assert list(map(str, renderer.render(rows))) == here
    assert [text.startswith("all that the") for text in here] == [False, True, True]
