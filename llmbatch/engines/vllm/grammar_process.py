"""Asking a backend whether it takes a grammar, in a child process: it may end, or take for ever.

The child imports the backend alone, which takes a second where vLLM takes many.
"""

import json
import resource
import subprocess
import sys
from typing import Any, NamedTuple

from llmbatch.constraints.backends import EngineCopy

LIMIT = 60
"""Seconds of processor time that a backend gets for a grammar."""
_WAIT = 4 * LIMIT
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from llmbatch.engines.vllm.grammar_process import serve; serve()"
)


class Asked(NamedTuple):
    """The answer of a backend to a grammar: why it refuses it, if it does, and the seconds of
    processor time it took."""

    refusal: str | None
    seconds: float


def ask(copy: EngineCopy) -> Asked:
    """Ask the copy's backend in a child process. One that is not installed refuses nothing."""
    question = json.dumps([copy.backend, copy.constraint.kind, copy.constraint.value])
    path = json.dumps([str(place) for place in sys.path])
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-c", _CODE, path],
            input=question.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WAIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Asked(f"it takes more than {LIMIT} seconds", float(LIMIT))
    if ended.returncode == 0:
        return Asked(*json.loads(ended.stdout))
    if ended.returncode > 0:
        return Asked(None, 0.0)  # it could not be asked; the engine will say what is missing
    return Asked(f"it takes more than {LIMIT} seconds, or the process ends over it", float(LIMIT))


def serve() -> None:
    """The child: read a question, write what the backend says."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    backend, kind, value = json.load(sys.stdin)
    asked = {"xgrammar": _ask_xgrammar, "guidance": _ask_guidance}[backend]
    refusal, seconds = asked(kind, value)
    sys.stdout.write(json.dumps([refusal, seconds]))


def _ask_xgrammar(kind: str, value: str) -> tuple[str | None, float]:
    import xgrammar

    makers = {"json": xgrammar.Grammar.from_json_schema, "regex": xgrammar.Grammar.from_regex}
    began = _processor_time()
    try:
        if kind == "choice":
            texts = " | ".join(json.dumps(text) for text in json.loads(value))
            xgrammar.Grammar.from_ebnf(f"root ::= {texts}")
        else:
            makers[kind](value)
    except Exception as error:  # its own kinds of error are many
        return _line(error), _processor_time() - began
    return None, _processor_time() - began


def _ask_guidance(kind: str, value: str) -> tuple[str | None, float]:
    import llguidance

    began = _processor_time()
    try:
        grammar: Any
        if kind == "json":
            grammar = llguidance.LLMatcher.grammar_from_json_schema(
                value, defaults={"whitespace_flexible": False}
            )
        elif kind == "choice":
            grammar = llguidance.grammar_from("choice", json.loads(value))
        else:
            grammar = llguidance.grammar_from("regex", value)
        refusal = llguidance.LLMatcher.validate_grammar(grammar) or None
    except Exception as error:  # its own kinds of error are many
        refusal = _line(error)
    return refusal and " ".join(refusal.split()), _processor_time() - began


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _processor_time() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime
