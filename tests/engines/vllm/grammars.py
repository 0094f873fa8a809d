"""Grammars compiled by the backends themselves, for a tokenizer whose tokens are bytes."""

import functools
from collections.abc import Callable

from llmbatch.constraints.backends import EngineCopy

Accepts = Callable[[str], bool]
"""True for a text that can be written whole."""


def compiled(copy: EngineCopy) -> Accepts:
    """The grammar of a copy, as vLLM compiles it without white space."""
    made = {"xgrammar": _xgrammar, "guidance": _guidance}[copy.backend]
    return made(copy.constraint.value)


@functools.cache
def _compiler() -> tuple[object, int]:
    import xgrammar

    vocabulary = [bytes([byte]) for byte in range(256)] + [b"</s>"]
    info = xgrammar.TokenizerInfo(vocabulary, xgrammar.VocabType.RAW, stop_token_ids=[256])
    return xgrammar.GrammarCompiler(info), 256


def _xgrammar(schema: str) -> Accepts:
    import xgrammar

    compiler, end = _compiler()
    grammar = compiler.compile_json_schema(  # type: ignore[attr-defined]
        schema, any_whitespace=False, separators=(",", ":")
    )

    def accepts(text: str) -> bool:
        matcher = xgrammar.GrammarMatcher(grammar)
        return bool(matcher.accept_string(text) and matcher.accept_token(end))

    return accepts


def _guidance(schema: str) -> Accepts:
    import llguidance

    tokenizer = llguidance.LLTokenizer("byte")
    grammar = llguidance.LLMatcher.grammar_from_json_schema(
        schema, defaults={"whitespace_flexible": False}
    )
    assert not llguidance.LLMatcher.validate_grammar(grammar)

    def accepts(text: str) -> bool:
        matcher = llguidance.LLMatcher(tokenizer, grammar, log_level=0)
        return bool(matcher.consume_tokens(tokenizer.tokenize_str(text)) and matcher.is_accepting())

    return accepts
