"""The proof, before an engine starts, that its grammar and the check mean the same.

It is made in a process of its own, within bounds: the check of a text that a pattern nearly takes
could last for ever. The backend is asked in a second one (`grammar_trial`), since it may end.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from llmbatch.constraints.proof.comparison import Difference, compare, make_texts
from llmbatch.core.records import Constraint
from llmbatch.engines.vllm.grammar_trial import LIMIT, GrammarTrial, TrialEndedError

USUAL_COUNT = 60
"""Values that a run asks a grammar about, and as many that it should refuse: a second's work."""
CHECK_LIMIT = 5
"""Seconds of processor time for the texts and the check."""
_MOST_SECONDS = 2.0  # to make texts
_WAIT = 4 * LIMIT  # seconds, on a busy machine
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from llmbatch.engines.vllm.proof import serve; serve()"
)


@dataclass(frozen=True, slots=True)
class Proof:
    """`refused`: why the backend takes no such grammar, None if it does; `seconds`: of processor
    time, to compile it; `differences`: those found with `asked` texts, 0 if none could be asked;
    `is_known`: False where the backend could not be asked at all, such as one not installed."""

    refused: str | None
    seconds: float
    differences: tuple[Difference, ...] = ()
    asked: int = 0
    is_known: bool = True


def prove(
    backend: str,
    copy: Constraint,
    constraint: Constraint,
    count: int = USUAL_COUNT,
    limit: int = CHECK_LIMIT,
) -> Proof:
    """Compare a backend's grammar of a copy with the check of the constraint that it is a copy of,
    by up to `count` values that it allows and as many texts that it refuses; `limit`: seconds of
    processor time for the texts and the check."""
    parts = [[one.kind, one.value] for one in (copy, constraint)]
    path = json.dumps([str(place) for place in sys.path])
    try:
        said = subprocess.run(
            [sys.executable, "-P", "-c", _CODE, path],
            input=json.dumps([backend, *parts, count, limit]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WAIT,
            check=False,
            process_group=0,  # where no Ctrl-C of a terminal reaches it
        ).stdout
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
    return _read(said.splitlines())


def _read(lines: Sequence[bytes]) -> Proof:
    """The proof from what the child said: the backend's verdict, then what was compared."""
    if not lines:
        return Proof(None, 0.0, is_known=False)
    refusal, seconds, is_known = json.loads(lines[0])
    if len(lines) == 1:
        return Proof(refusal, seconds, is_known=is_known)
    refusal, found, asked = json.loads(lines[1])
    return Proof(refusal, seconds, tuple(map(_difference, found)), asked)


def _difference(stored: list[Any]) -> Difference:
    kind, place, keyword, example, keywords = stored
    return Difference(kind, place, keyword, example, tuple(map(tuple, keywords)))


def serve() -> None:
    """The child: read what to compare, say the backend's verdict, then the differences."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    backend, copy, constraint, count, limit = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with GrammarTrial(backend, *copy) as trial:
        verdict = trial.verdict()
        _say(list(verdict))
        if verdict.refusal is None and verdict.asked:
            _say(_compared(Constraint(*constraint), trial, count))


def _compared(constraint: Constraint, trial: GrammarTrial, count: int) -> list[Any]:
    texts = make_texts(constraint, count, seconds=_MOST_SECONDS)
    try:
        found = compare(constraint, trial.accepts, texts)
    except TrialEndedError:
        return ["the process ends over an answer that it is asked about", [], 0]
    stored = [list(astuple(one)) for one in found]
    return [None, stored, len(texts.instances) + len(texts.misses)]


def _say(message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
