"""Answers of the job that ended by themselves under another `max_tokens`, and are the same now.

The limit is in a request's key, because it may have cut an answer. One that was not cut, greedy or
drawn with a seed, does not depend on it. Such a request keeps the key under which it was answered.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.core import units
from llmbatch.core.errors import LockedError
from llmbatch.core.stored import json_table
from llmbatch.job.spec import JobSpec
from llmbatch.store import own_store, run_records
from llmbatch.store.database import Database
from llmbatch.store.plans import Adoption

# Each one costs another hash of every request.
_MOST = 8


@dataclass(frozen=True, slots=True)
class OtherLimits:
    """The limits (tokens) of the job's earlier runs that differ from the present one, ascending,
    each with the newest run that had it. `in_own_store`: the answers are in another store than the
    plan."""

    tokens: Mapping[int, int]
    in_own_store: bool = False

    def specs(self, spec: JobSpec) -> Iterator[JobSpec]:
        """The job with each of them."""
        for limit in self.tokens:
            sampling = spec.sampling.model_copy(update={"max_tokens": limit})
            yield spec.model_copy(update={"sampling": sampling})

    def adoption(self, spec: JobSpec) -> Adoption | None:
        """The answers to look for; None if there are none."""
        if not self.tokens:
            return None
        return Adoption(spec.sampling.max_tokens, in_own_store=self.in_own_store)

    def describe(self, requests: int) -> list[str]:
        """A line on requests whose answers are used again, if there are some."""
        if not requests:
            return []
        limits = ", ".join(f"{limit:,}" for limit in self.tokens)
        have = "has an answer that" if requests == 1 else "have answers that"
        return [
            f"{units.count(requests, 'row')} {have} ended before the max_tokens of an earlier run "
            f"({limits}): not computed again"
        ]


NONE = OtherLimits({})


def of_runs(db: Database, spec: JobSpec) -> OtherLimits:
    """The limits of the runs in `db`. None if answers are drawn without a seed, so that each one is
    a draw of its own, or if equal requests are computed each."""
    if not _is_repeatable(spec):
        return NONE
    return _found(spec, run_records.specs(db).items())


@contextmanager
def of_own_store(db: Database, store: Path, spec: JobSpec) -> Iterator[OtherLimits]:
    """The limits of the runs in the job's own store, which can be read meanwhile; none while a run
    holds it."""
    found = NONE
    with ExitStack() as stack:
        if store.is_file() and _is_repeatable(spec):
            with suppress(LockedError):
                stack.enter_context(own_store.attached(db, store))
                found = _found(spec, own_store.run_specs(db), in_own_store=True)
        yield found


def _found(
    spec: JobSpec, specs: Iterable[tuple[int, str]], *, in_own_store: bool = False
) -> OtherLimits:
    newest = {_limit(json_table(text)): run for run, text in specs}
    others = {
        limit: run
        for limit, run in newest.items()
        if limit is not None and limit != spec.sampling.max_tokens
    }
    kept = sorted(others, key=lambda limit: others[limit])[-_MOST:]
    return OtherLimits({limit: others[limit] for limit in sorted(kept)}, in_own_store)


def _limit(spec: Mapping[str, Any]) -> int | None:
    sampling = spec.get("sampling")
    limit = sampling.get("max_tokens") if isinstance(sampling, Mapping) else None
    return limit if isinstance(limit, int) and limit > 0 else None


def _is_repeatable(spec: JobSpec) -> bool:
    sampling = spec.sampling
    return spec.duplicates != "each" and (sampling.temperature == 0 or sampling.seed is not None)
