"""The prompt of the first row as a plan shows it."""

from collections.abc import Iterator

# Characters of the beginning and of the end of a long message that are shown; so few of the middle
# are not worth leaving out.
_END = 800
_FEW = 400


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
