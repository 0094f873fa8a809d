"""The backend of an engine, chosen for the constraint of its requests.

vLLM has one backend per engine: that of its first request with a constraint. A job has one
constraint, so the backend that holds most of it is chosen before the start.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from llmbatch.constraints.backends import DEFAULT, EngineCopy, copies, copy_for
from llmbatch.constraints.copies.backend import BACKENDS
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.proof.telling import untold
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.vllm.proof import Proof, prove

_SLOW_SECONDS = 1.0
_SHOWN = 5  # differences
_ADVICE = (
    "simplify the schema, choose another backend by [engine] structured_outputs_config, or use "
    "--constrain check"
)


def config(options: Mapping[str, Any], backend: str) -> Any:
    """`structured_outputs_config` for an engine with this backend: the user's, and ours.

    White space between the tokens of JSON has no end in a grammar, and small models write it until
    their tokens are used up; so there is none unless the user wants it.
    """
    chosen = options.get("structured_outputs_config")
    if chosen is not None and not isinstance(chosen, Mapping):
        return chosen
    ours: dict[str, Any] = {"backend": backend}
    if backend in BACKENDS:
        ours["disable_any_whitespace"] = True
    return ours | dict(chosen or {})


def users_backend(options: Mapping[str, Any]) -> str | None:
    """The backend that the user has chosen for all requests."""
    chosen = options.get("structured_outputs_config")
    if isinstance(chosen, Mapping):
        return chosen.get("backend")
    return getattr(chosen, "backend", None)


def backend_for(options: Mapping[str, Any], constraint: Constraint | None) -> str:
    """The backend of an engine whose requests have this constraint. Raises UsageError when it holds
    none of its copies."""
    chosen = users_backend(options)
    if constraint is None:
        return chosen or DEFAULT
    return plan(chosen, constraint).backend


def plan_for(options: Mapping[str, Any], constraint: Constraint) -> GrammarPlan:
    """The plan of vLLM with these options for a constraint; see `plan`."""
    return plan(users_backend(options), constraint)


def described(options: Mapping[str, Any], constraint: Constraint | None) -> dict[str, Any]:
    """The plan for a constraint, as a started engine describes it; nothing without one."""
    return {} if constraint is None else {"grammar": plan_for(options, constraint).to_json()}


def check_copies(options: Mapping[str, Any], constraint: Constraint) -> None:
    """The part of `plan_for` that needs no backend. Raises UsageError where none could hold it."""
    chosen = users_backend(options)
    if chosen is None or chosen in BACKENDS:
        _copies(chosen, constraint)


def _copies(chosen: str | None, constraint: Constraint) -> Sequence[EngineCopy]:
    try:
        return copies(constraint) if chosen is None else (copy_for(constraint, chosen),)
    except PatternError as error:
        raise UsageError(f"vLLM refuses this job's requests: {error}") from error


@lru_cache(maxsize=16)
def plan(chosen: str | None, constraint: Constraint) -> GrammarPlan:
    """The plan of vLLM for a constraint, with the backend that the user has chosen, or else
    the best one that takes its copy. Raises UsageError when none does."""
    if chosen is not None and chosen not in BACKENDS:
        notice = f"backend {chosen} gets the constraint as it is; what it holds of it is unknown"
        return GrammarPlan(chosen, notices=(notice,))
    refusals: list[str] = []
    for copy in _copies(chosen, constraint):
        proof = prove(copy.backend, copy.constraint, constraint)
        if proof.refused is None:
            return GrammarPlan(copy.backend, copy.check_only, tuple(_notices(copy, proof)))
        refusals.append(f"{copy.backend}: {proof.refused[:200]}")
    name = "schema" if constraint.kind == "json" else constraint.kind
    raise UsageError(f"vLLM refuses this job's {name}: {'; '.join(refusals)}; {_ADVICE}")


def _notices(copy: EngineCopy, proof: Proof) -> Iterator[str]:
    """The lines for what the proof found and the plan does not say already."""
    if proof.seconds >= _SLOW_SECONDS:
        yield f"its grammar takes {copy.backend} about {proof.seconds:.0f} s, once in each engine"
    if proof.is_known and not proof.asked:
        yield (
            f"its grammar in {copy.backend} was not compared with the check: no answers to try "
            "were found in time that are small enough"
        )
    told = untold(proof.differences, copy.check_only)
    yield from (f"{copy.backend}: {one.line()}" for one in told[:_SHOWN])
    if len(told) > _SHOWN:
        yield f"{copy.backend}: {len(told) - _SHOWN} more such differences"
