"""Converting a request's sampling and constraint to vLLM's parameters.

Values are checked here first, because vLLM leaves some of it to its callers, and a bad value may
then be the end of the engine and not of the request alone.
"""

import functools
import json
import math
from collections.abc import Callable
from typing import Any

from llmbatch.constraints.backends import DEFAULT, copy_for
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.schema_walk import UnresolvedError
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint, Sampling

INT32 = 2**31 - 1
INT64 = 2**63 - 1
LONGEST_LOOP = 16
"""Tokens of the longest pattern whose repetition vLLM looks for, which costs it time at each token
of a long answer."""
CACHED_PARAMETERS = 4096  # rows with seeds of their own would otherwise keep every one

# What vLLM takes, from and to.
FLOATS = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "repetition_penalty": (0.0, math.inf),
}
ABOVE_ZERO = {"top_p", "repetition_penalty"}
INTS = {
    "top_k": (-1, INT32),
    "max_tokens": (1, INT32),
    "seed": (0, INT64),
    "repetition": (0, INT32),
    "min_tokens": (0, INT32),
    "logprobs": (0, INT32),
}
_OPTIONAL = ("seed", "logprobs")


class RefusedError(ValueError):
    """The request must not be sent, for the reason in the text."""


def check_sampling(sampling: Sampling) -> None:
    """Raises RefusedError for a value that is out of the range that vLLM takes."""
    for name, (low, high) in FLOATS.items():
        value = getattr(sampling, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RefusedError(f"{name} is not a number: {value!r}")
        if not (math.isfinite(value) and low <= value <= high):
            raise RefusedError(f"{name} is out of range: {value!r}")
        if name in ABOVE_ZERO and value <= 0:
            raise RefusedError(f"{name} must be above 0: {value!r}")
    _check_integers(sampling)
    if not all(isinstance(text, str) and text for text in sampling.stop):
        raise RefusedError(f"stop strings must be texts that are not empty: {sampling.stop!r}")


def _check_integers(sampling: Sampling) -> None:
    for name, (first, last) in INTS.items():
        value = getattr(sampling, name)
        if name in _OPTIONAL and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusedError(f"{name} is not a whole number: {value!r}")
        if not first <= value <= last:
            raise RefusedError(f"{name} is out of range: {value!r}")


def needs_decoding(sampling: Sampling) -> bool:
    """True if vLLM has to decode while it generates: it looks for what ends an answer, or gives the
    texts of tokens."""
    return bool(sampling.stop or sampling.stop_token_ids or sampling.logprobs is not None)


def takes_seeds(device: str, *, chunked_prefill: bool) -> bool:
    """True if vLLM takes requests with a seed on this type of device."""
    return device != "cpu" or not chunked_prefill


def check_parameters(sampling: Sampling, constraint: Constraint | None, backend: str) -> None:
    """Raises what vLLM with this backend would raise for any request of this kind. Only xgrammar is
    asked here: others may end the process that asks."""
    check_sampling(sampling)
    if constraint is None:
        return
    made = Parameters(seeds_allowed=True, detokenize=False, backend=backend)
    parameters = made.make(sampling, constraint)
    if backend != "xgrammar":
        return
    from vllm.v1.structured_output.backend_xgrammar import validate_xgrammar_grammar

    validate_xgrammar_grammar(parameters)


class Parameters:
    """Makes vLLM's SamplingParams, one object for each distinct sampling and constraint, which goes
    to the engine as the copy for its `backend`.

    `into` converts each of them once; its result is kept and returned instead. `thinking`: the most
    tokens that the model may think.
    """

    def __init__(
        self,
        *,
        seeds_allowed: bool,
        detokenize: bool,
        into: Callable[[Any], Any] | None = None,
        backend: str = DEFAULT,
        thinking: int | None = None,
    ) -> None:
        self._thinking = {} if thinking is None else {"thinking_token_budget": thinking}
        self._seeds_allowed = seeds_allowed
        self._detokenize = detokenize
        self._into = into
        self._backend = backend
        self.make = functools.lru_cache(CACHED_PARAMETERS)(self._make)
        self.measure = functools.lru_cache(CACHED_PARAMETERS)(self._measure)

    def _make(self, sampling: Sampling, constraint: Constraint | None) -> Any:
        check_sampling(sampling)
        if sampling.seed is not None and not self._seeds_allowed:
            raise RefusedError("vLLM on a CPU takes a seed only with enable_chunked_prefill=false")
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        made = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            max_tokens=sampling.max_tokens,
            seed=sampling.seed,
            stop=list(sampling.stop),
            repetition_penalty=sampling.repetition_penalty,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            structured_outputs=_structured(constraint, self._backend),
            **_rarely_set(sampling),
            **_loops_ended(sampling),
            **self._thinking,
            output_kind=RequestOutputKind.FINAL_ONLY,
            # Decoding once at the end is cheaper.
            detokenize=self._detokenize or needs_decoding(sampling),
            # What vLLM writes into it is the same for every request (end-of-text tokens).
            skip_clone=True,
        )
        return made if self._into is None else self._into(made)

    def _measure(self, tokens: tuple[int, ...]) -> Any:
        """Of a request that asks how likely each of these tokens comes next. The values are the
        model's own, before temperature and whatever else changes what is drawn."""
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        made = SamplingParams(
            temperature=0,
            max_tokens=1,
            logprob_token_ids=list(tokens),
            output_kind=RequestOutputKind.FINAL_ONLY,
            detokenize=False,
            skip_clone=True,
        )
        return made if self._into is None else self._into(made)


def _rarely_set(sampling: Sampling) -> dict[str, Any]:
    """The parameters that few requests have, where they differ from vLLM's defaults."""
    given = {
        "logit_bias": dict(sampling.logit_bias),
        "min_tokens": sampling.min_tokens,
        "stop_token_ids": list(sampling.stop_token_ids),
        "include_stop_str_in_output": sampling.include_stop,
        "ignore_eos": sampling.ignore_eos,
    }
    named = {name: value for name, value in given.items() if value}
    return named if sampling.logprobs is None else named | {"logprobs": sampling.logprobs}


def _loops_ended(sampling: Sampling) -> dict[str, Any]:
    """The parameter by which vLLM ends an answer that repeats itself. A version without it cuts
    such an answer at `max_tokens`."""
    if not sampling.repetition:
        return {}
    try:
        from vllm.sampling_params import RepetitionDetectionParams
    except ImportError:
        return {}
    found = RepetitionDetectionParams(
        max_pattern_size=LONGEST_LOOP, min_pattern_size=1, min_count=max(2, sampling.repetition)
    )
    return {"repetition_detection": found}


def _structured(constraint: Constraint | None, backend: str) -> Any:
    if constraint is None:
        return None
    from vllm.sampling_params import StructuredOutputsParams

    if constraint.kind == "regex":
        return StructuredOutputsParams(regex=_copy(constraint, backend))
    try:
        value = json.loads(constraint.value)
    except ValueError as error:
        raise RefusedError(f"the {constraint.kind} constraint is not JSON: {error}") from error
    if constraint.kind == "choice":
        if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise RefusedError("choice: the answers must be texts")
        return StructuredOutputsParams(choice=value)
    # As text: sent and cached as it is.
    return StructuredOutputsParams(json=_copy(constraint, backend))


def _copy(constraint: Constraint, backend: str) -> str:
    try:
        return copy_for(constraint, backend).constraint.value
    except PatternError as error:
        raise RefusedError(f"regex: {error}") from error
    except (UsageError, UnresolvedError, ValueError, TypeError, AttributeError) as error:
        # The schema of a job was taken in before; others may be no schema at all.
        raise RefusedError(str(error)) from error
