"""The child process of `grammar_trial`: compiles a grammar as vLLM does, and tries texts."""

import contextlib
import importlib
import json
import resource
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

_MEMORY = 12 << 30  # bytes of addresses
Taking = Callable[[str], int | None]
"""Asks a compiled grammar about one text; see `GrammarTrial.accepts`."""

_END = 256  # the token that ends a text, after those of the bytes
# Neither is needed to compile a grammar and to match texts.
_UNUSED = ("torch", "transformers", "sentencepiece", "tiktoken")


class _Absent(types.ModuleType):
    """Stands in the place of a module of which only names are needed."""

    __path__: list[str] = []
    int32 = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__init__": lambda self, *_, **__: None})


def serve() -> None:
    """Read a grammar, say what the backend says of it, then of lists of texts, until the end."""
    backend, kind, value, whitespace, limit = json.loads(sys.stdin.readline())
    _bound(limit)
    maker = {"xgrammar": _xgrammar, "guidance": _guidance}[backend]
    imported = (
        _import_xgrammar() if backend == "xgrammar" else importlib.import_module("llguidance")
    )
    began = _processor_time()
    try:
        taking = maker(imported, kind, value, whitespace)
    except Exception as error:  # their own kinds of error are many
        _say([" ".join(str(error).split()) or type(error).__name__, _processor_time() - began])
        return
    _say([None, _processor_time() - began])
    for line in sys.stdin:
        _say([taking(text) for text in json.loads(line)])


def _say(message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _import_xgrammar() -> Any:
    with _without_the_unused(), contextlib.suppress(Exception):
        return importlib.import_module("xgrammar")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("xgrammar", "tvm_ffi")]:
        del sys.modules[name]
    return importlib.import_module("xgrammar")


@contextlib.contextmanager
def _without_the_unused() -> Iterator[None]:
    try:
        sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
        with contextlib.suppress(ImportError):
            importlib.import_module("tvm_ffi")
        sys.modules.update({name: _Absent(name) for name in _UNUSED[:2]})
        yield
    finally:
        for name in _UNUSED:
            sys.modules.pop(name, None)


def _xgrammar(xgrammar: Any, kind: str, value: str, whitespace: bool) -> Taking:
    vocabulary = [bytes([byte]) for byte in range(_END)] + [b"</s>"]
    info = xgrammar.TokenizerInfo(
        vocabulary, xgrammar.VocabType.RAW, vocab_size=len(vocabulary), stop_token_ids=[_END]
    )
    compiler = xgrammar.GrammarCompiler(info, max_threads=2)
    if kind == "json":
        separators = None if whitespace else (",", ":")
        grammar = compiler.compile_json_schema(
            value, any_whitespace=whitespace, separators=separators
        )
    elif kind == "regex":
        grammar = compiler.compile_regex(value)
    else:
        texts = " | ".join(map(_quoted, json.loads(value)))
        grammar = compiler.compile_grammar(f"root ::= {texts}")
    matcher = xgrammar.GrammarMatcher(grammar)

    def taking(text: str) -> int | None:
        matcher.reset()
        if matcher.accept_string(text):
            return None if matcher.accept_token(_END) else len(text)
        matcher.reset()
        for place, character in enumerate(text):
            if not matcher.accept_string(character):
                return place
        return len(text)

    return taking


def _quoted(text: str) -> str:
    """A text as a terminal of xgrammar's EBNF, as vLLM writes it."""
    return json.dumps(text, ensure_ascii=False)


def _guidance(llguidance: Any, kind: str, value: str, whitespace: bool) -> Taking:
    matchers = llguidance.LLMatcher
    if kind == "json":
        grammar = matchers.grammar_from_json_schema(
            value, defaults={"whitespace_flexible": whitespace}
        )
    else:
        given = json.loads(value) if kind == "choice" else value
        grammar = llguidance.grammar_from(kind, given)
    refusal = matchers.validate_grammar(grammar)
    if refusal:
        raise ValueError(refusal)
    compiled = matchers(llguidance.LLTokenizer("byte"), grammar, log_level=0)
    if compiled.get_error():
        raise ValueError(compiled.get_error())

    def taking(text: str) -> int | None:
        matcher = compiled.deep_copy()
        tokens = list(text.encode())
        count = matcher.try_consume_tokens(tokens)
        if count == len(tokens):
            return None if matcher.is_accepting() else len(text)
        return len(text.encode()[:count].decode(errors="ignore"))

    return taking


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _bound(limit: int) -> None:
    """Bound this process: its processor time, in seconds, its memory, and no core files."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
