"""The changes of a retry: the same request, sent so that it can succeed."""

from dataclasses import replace

from llmbatch.core.outcomes import TOLD_KINDS, UNFIT_KINDS, Tries
from llmbatch.core.records import Sampling

# A greedy request gives the same invalid answer again, so its retries are drawn.
RETRY_TEMPERATURE = 0.7
RETRY_PENALTY = 0.1
"""Each loop adds so much to the repetition penalty of the next try."""
UNFINISHED = "unfinished_thinking"
"""Thinking that did not end gets more tokens and another seed: it was cut, or went astray."""
_MOST_PENALTY = 2.0
_INT32 = 2**31 - 1
_INT63 = 2**63 - 1


def after(tries: Tries, kind: str, *, told: bool = False) -> Tries:
    """The tries of a request that has just failed once more, in the way that `kind` names; `told`:
    this try was told of the failed answer before it."""
    unfit = told and kind in UNFIT_KINDS
    return Tries(
        tries.attempts + 1,
        tries.since_reopened + (not unfit),
        tries.truncated + (kind in ("truncated", UNFINISHED)),
        tries.invalid + (kind in (*TOLD_KINDS, UNFINISHED)),
        tries.repeated + (kind == "repetition"),
        tries.max_tokens,
        tries.unfit + unfit,
    )


def sampling_for(sampling: Sampling, tries: Tries) -> Sampling:
    """The sampling of the next try, with the limit that a reopening gave it. Each truncated answer
    doubles `max_tokens`; each invalid one and each loop moves the seed, and draws where the job is
    greedy; each loop raises the repetition penalty."""
    if tries.max_tokens is not None:
        sampling = replace(sampling, max_tokens=tries.max_tokens)
    if tries.truncated:
        longer = min(sampling.max_tokens * 2**tries.truncated, _INT32)
        sampling = replace(sampling, max_tokens=longer)
    if tries.repeated:
        higher = sampling.repetition_penalty + tries.repeated * RETRY_PENALTY
        penalty = max(sampling.repetition_penalty, min(higher, _MOST_PENALTY))
        sampling = replace(sampling, repetition_penalty=penalty)
    draws = tries.invalid + tries.repeated
    if not draws:
        return sampling
    if sampling.temperature == 0:
        seed = ((sampling.seed or 0) + draws) & _INT63
        return replace(sampling, temperature=RETRY_TEMPERATURE, seed=seed)
    if sampling.seed is None:
        return sampling  # every try is another draw anyway
    return replace(sampling, seed=(sampling.seed + draws) & _INT63)
