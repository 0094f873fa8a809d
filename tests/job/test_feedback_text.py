"""The text of a retry with feedback: plain, but for the reason."""

import pytest

from llmbatch.job.feedback_text import DEFAULT, check, filled


def test_the_reason_is_filled_in_as_it_is() -> None:
    assert filled("No: {{reason}}. {{ reason }}", r"\1 {{ reason }}") == (
        r"No: \1 {{ reason }}. \1 {{ reason }}"
    )
    assert filled(None, "it is no JSON").startswith("This answer is not accepted: it is no JSON\n")
    check(DEFAULT)
    check("Try again.")


def test_a_reason_does_not_fill_the_context() -> None:
    assert len(filled("{{ reason }}", "x" * 10_000)) == 1_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" \n", "says nothing"),
        ("{{ reson }}", "did you mean 'reason'?"),
        ("{{ answer }}", "knows {{ reason }} only, not {{ answer }}"),
        ("{% if reason %}No{% endif %}", "{% means nothing"),
    ],
)
def test_a_text_that_asks_for_more_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        check(text)
    assert words in str(refused.value)
