"""The grammars of patterns, compiled by xgrammar and by llguidance, against the check.

The tokenizer has a token for each byte, so a grammar is asked for any text at once.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from llmbatch.constraints.patterns.strings import members, near_misses
from llmbatch.constraints.patterns.translate import Pattern, search
from tests.constraints.patterns.makers import MADE, Made

pytestmark = pytest.mark.engine

END = 256
Matcher = Callable[[str], bool]


class Bytes:
    """A tokenizer of bytes, as llguidance asks for one."""

    eos_token_id = END
    bos_token_id = None
    tokens = [bytes([code]) for code in range(256)] + [b"</s>"]
    special_token_ids = [END]

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


@pytest.fixture(scope="module")
def xgrammar_compiler() -> Any:
    import xgrammar

    names = [f"<0x{code:02X}>" if code > 127 else chr(code) for code in range(256)]
    tokenizer = xgrammar.TokenizerInfo(
        [*names, "</s>"], vocab_type=xgrammar.VocabType.BYTE_FALLBACK, stop_token_ids=[END]
    )
    return xgrammar.GrammarCompiler(tokenizer, max_threads=1)


@pytest.fixture(scope="module")
def guidance_tokenizer() -> Any:
    import llguidance

    return llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))


def by_xgrammar(compiler: Any, pattern: Pattern) -> Matcher:
    import xgrammar

    grammar = compiler.compile_regex(pattern.grammar)

    def matches(text: str) -> bool:
        matcher = xgrammar.GrammarMatcher(grammar)
        return bool(matcher.accept_string(text) and matcher.accept_token(END))

    return matches


def by_guidance(tokenizer: Any, grammar: str) -> Matcher:
    import llguidance

    error = llguidance.LLMatcher(tokenizer, grammar).get_error()
    assert not error

    def matches(text: str) -> bool:
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        read = list(text.encode())
        return bool(matcher.try_consume_tokens(read) == len(read) and matcher.is_accepting())

    return matches


def as_json(text: str) -> str:
    """The text as a JSON string. llguidance takes DEL only as an escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def wrong(matches: Matcher, right: list[str], bad: list[str]) -> list[str]:
    """The texts on which a grammar and the check differ."""
    return [*(one for one in right if not matches(one)), *(one for one in bad if matches(one))]


def test_the_grammars_take_what_the_check_takes(
    xgrammar_compiler: Any, guidance_tokenizer: Any
) -> None:
    import llguidance

    for made in MADE:
        pattern = search(made.pattern)
        right, bad = texts(made, pattern)
        assert wrong(by_xgrammar(xgrammar_compiler, pattern), right, bad) == [], made.name
        regex = llguidance.grammar_from("regex", pattern.grammar)
        assert wrong(by_guidance(guidance_tokenizer, regex), right, bad) == [], made.name
        schema = json.dumps({"type": "string", "pattern": f"^(?:{pattern.grammar})$"})
        within = llguidance.LLMatcher.grammar_from_json_schema(schema)
        inside = by_guidance(guidance_tokenizer, within)
        quoted = [as_json(text) for text in right], [as_json(text) for text in bad]
        assert wrong(inside, *quoted) == [], made.name


def texts(made: Made, pattern: Pattern) -> tuple[list[str], list[str]]:
    accepts = re.compile(pattern.check).fullmatch
    right = [*made.members, *members(pattern, 5)]
    bad = [*made.others, *near_misses(pattern, 5)]
    assert all(map(accepts, right))
    assert not any(map(accepts, bad))
    return right, bad
