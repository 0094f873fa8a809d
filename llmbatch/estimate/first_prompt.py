"""The prompt of the first row as a plan shows it."""

from collections.abc import Iterator, Sequence

# Characters of the beginning and of the end of a long message that are shown; so few of the middle
# are not worth leaving out.
_END = 800
_FEW = 400
# Messages of the beginning and of the end that are shown of a prompt with many.
_FIRST, _LAST = 5, 3
# In place of "user message".
_NAMES = {"prefill": "beginning of the answer", "text": "text, without a chat template"}


def lines(messages: Sequence[tuple[str, str]], *, whole: bool) -> Iterator[str]:
    """The lines of the first prompt: its (role, text) pairs, of many the first and the last unless
    it is wanted `whole`."""
    left_out = len(messages) - _FIRST - _LAST
    is_cut = left_out > 1 and not whole
    for number, (role, text) in enumerate(messages):
        if is_cut and _FIRST <= number < len(messages) - _LAST:
            if number == _FIRST:
                yield f"  [... {left_out:,} messages left out; --whole-prompt shows them ...]"
            continue
        yield f"first row, {_NAMES.get(role, f'{role} message')}:"
        yield from message_lines(text, whole=whole)


def message_lines(text: str, *, whole: bool) -> Iterator[str]:
    """The lines of a message, of a long one without its middle unless it is wanted `whole`."""
    left_out = len(text) - 2 * _END
    if whole or left_out <= _FEW:
        yield from _indented(text.removesuffix("\n"))
        return
    yield from _indented(text[:_END])
    yield f"  [... {left_out:,} characters left out; --whole-prompt shows them ...]"
    yield from _indented(text[-_END:].removesuffix("\n"))


def _indented(text: str) -> Iterator[str]:
    yield from (f"  {line}" for line in text.split("\n") if text)
