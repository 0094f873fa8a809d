"""The count of tokens that a form leaves no choice of."""

import pytest

from tests.bench.forced import Forced, count
from tests.engines.vllm import session

pytestmark = session.needs_vllm

PIECES = [b"</s>", b"red", b"re", b"d", b"blue", b" wine"]


@pytest.mark.parametrize(
    ("answer", "forced"),
    [
        ([1, 5, 0], 1),  # after the colour, the rest
        ([2, 3, 5, 0], 2),  # after a piece of it, too
        ([4, 5, 0], 1),
    ],
)
def test_a_token_is_forced_where_one_text_is_left(answer: list[int], forced: int) -> None:
    import xgrammar

    info = xgrammar.TokenizerInfo(PIECES, stop_token_ids=[0])
    grammar = xgrammar.GrammarCompiler(info).compile_grammar('root ::= ("red" | "blue") " wine"')
    pieces = [b"", *PIECES[1:]]
    assert count(grammar, [answer], pieces) == Forced(1, len(answer), forced)
    with pytest.raises(ValueError, match="the grammar refuses token 3"):
        count(grammar, [[4, 3]], pieces)
