"""The proof, before an engine starts, that its grammar and the check mean the same."""

from dataclasses import dataclass

from llmbatch.constraints.proof.comparison import Difference, compare, make_texts
from llmbatch.core.records import Constraint
from llmbatch.engines.vllm.grammar_trial import GrammarTrial, TrialEndedError

USUAL_COUNT = 60
"""Values that a run asks a grammar about, and as many that it should refuse: a second's work."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`refused`: why the backend takes no such grammar, None if it does; `seconds`: of processor
    time, to compile it; `differences`: those found with `asked` texts, 0 if none could be asked."""

    refused: str | None
    seconds: float
    differences: tuple[Difference, ...] = ()
    asked: int = 0


def prove(
    backend: str, copy: Constraint, constraint: Constraint, count: int = USUAL_COUNT
) -> Proof:
    """Compare a backend's grammar of a copy with the check of the constraint that it is a copy of,
    by up to `count` values that it allows and as many texts that it refuses."""
    with GrammarTrial(backend, copy.kind, copy.value) as trial:
        texts = make_texts(constraint, count)  # while the child imports and compiles
        verdict = trial.verdict()
        if verdict.refusal is not None or not verdict.asked:
            return Proof(verdict.refusal, verdict.seconds)
        try:
            found = compare(constraint, trial.accepts, texts)
        except TrialEndedError:
            return Proof("the process ends over an answer that it is asked about", verdict.seconds)
    return Proof(None, verdict.seconds, found, len(texts.instances) + len(texts.misses))
