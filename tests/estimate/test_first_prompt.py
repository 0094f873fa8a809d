"""The prompt of the first row as a plan shows it."""

from llmbatch.estimate import first_prompt

CHAT = [(role, f"{role} {number}") for number in range(5) for role in ("user", "assistant")]


def test_many_messages_are_shown_without_their_middle() -> None:
    shown = list(first_prompt.lines(CHAT, whole=False))
    assert shown[8:13] == [
        "first row, user message:",
        "  user 2",
        "  [... 2 messages left out; --whole-prompt shows them ...]",
        "first row, assistant message:",
        "  assistant 3",
    ]
    assert shown[-1] == "  assistant 4"
    assert len(list(first_prompt.lines(CHAT, whole=True))) == 20
    assert len(list(first_prompt.lines(CHAT[:9], whole=False))) == 18


def test_what_is_no_turn_has_a_name_of_its_own() -> None:
    pairs = [("text", "a"), ("prefill", "b")]
    assert list(first_prompt.lines(pairs, whole=False)) == [
        "first row, text, without a chat template:",
        "  a",
        "first row, beginning of the answer:",
        "  b",
    ]
