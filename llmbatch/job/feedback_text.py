"""The text that tells a model why its answer is not accepted: plain, but for `{{ reason }}`."""

import re

from llmbatch.core.errors import nearest

DEFAULT = (
    "This answer is not accepted: {{ reason }}\n"
    "Answer again: give the whole answer, corrected, and nothing else."
)
_NAME = "reason"
_PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_TAG = re.compile(r"\{%|\{#")
# A reason may quote the answer, and the answer stands before it in full.
_LONGEST_REASON = 1_000


def check(text: str) -> None:
    """Raise ValueError for a text that asks for more than `{{ reason }}`, or says nothing."""
    if not text.strip():
        raise ValueError("says nothing; leave it out for the text by default")
    if tag := _TAG.search(text):
        raise ValueError(f"is no template: {tag[0]} means nothing; only {{{{ reason }}}} is filled")
    for found in _PLACEHOLDER.finditer(text):
        if found[1] != _NAME:
            hint = nearest(found[1], [_NAME])
            raise ValueError(f"knows {{{{ reason }}}} only, not {found[0][:60]}{hint}")


def filled(text: str | None, reason: str) -> str:
    """The text, or the one by default, with the reason in it."""
    return _PLACEHOLDER.sub(lambda _: reason[:_LONGEST_REASON], text or DEFAULT)
