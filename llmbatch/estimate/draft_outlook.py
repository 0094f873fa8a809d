"""The steps that an answer will take where tokens are drafted ahead (speculative decoding), as far
as the earlier runs of a job show it."""

from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.core.interval import Interval
from llmbatch.estimate.past_runs import PastRuns


@dataclass(frozen=True, slots=True)
class DraftOutlook:
    """`per_token`: the steps of an answer for each of its tokens; `notes`: for the user."""

    per_token: Interval
    notes: tuple[str, ...] = ()


def look_ahead(draft_tokens: int, past: PastRuns | None, advice: str) -> DraftOutlook:
    """The outlook for an engine that drafts up to `draft_tokens` for a request in a step. `advice`:
    a way to know more."""
    if past is not None and past.drafted_alike:
        return DraftOutlook(Interval.exactly(past.sequences_per_token), _seen(past))
    plain = past.sequences_per_token_without_drafts if past is not None else 1.0
    if not draft_tokens:
        return DraftOutlook(Interval.exactly(plain))
    best = 1 + draft_tokens
    note = (
        "drafts: no run with them is known, and so not how many are right; a token a step is "
        f"assumed, {best} at best"
    )
    return DraftOutlook(Interval(plain, plain / best, plain), (note, advice))


def _seen(past: PastRuns) -> tuple[str, ...]:
    found = past.speculation
    if not found.draft_tokens or not past.sequences_per_token:
        return ()
    right = units.share(found.accepted_tokens / found.draft_tokens)
    return (
        f"drafts: {1 / past.sequences_per_token:.1f} tokens of an answer in a step, as in those "
        f"runs, in which {right} of the drafted tokens were right",
    )
