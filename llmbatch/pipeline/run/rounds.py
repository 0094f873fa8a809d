"""The rounds of a run: which requests go to the engine next, each round with its own feed."""

from collections import deque
from collections.abc import Sequence

from llmbatch.core.outcomes import NO_TRIES, Lost
from llmbatch.core.stored import json_table
from llmbatch.job.alike import is_alike
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import sample
from llmbatch.pipeline.run.feed import RequestFeed, Ticket
from llmbatch.pipeline.run.feedback import Feedback
from llmbatch.pipeline.run.gold_rows import GoldRows
from llmbatch.pipeline.run.isolation import Isolation
from llmbatch.pipeline.run.limits import RunLimits
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.stragglers import Stragglers
from llmbatch.store import plans, results, run_records
from llmbatch.store.database import Database


class Rounds:
    """The first round has all that is pending, each further one what is to be tried again. After
    the engine has died, the requests that may have killed it run in groups, a group to a round."""

    def __init__(
        self,
        db: Database,
        job: ReadyJob,
        pending: plans.Pending,
        limits: RunLimits,
        settlement: Settlement,
        is_sample: bool = False,
        gold: GoldRows | None = None,
    ) -> None:
        """`is_sample`: the run computes only `pending` of all that the store has, in growing groups
        (see `pipeline.run.sample`). `gold`: the rows that run before all others, unless they were
        judged already; None where there are none."""
        self._db = db
        self._reading = db.cursor()
        self._job = job
        self._limits = limits
        self._settlement = settlement
        self._gold = None if gold is None or gold.verdict is not None else gold
        self.is_sample = is_sample
        """True if the run computes only some of what is pending."""
        self._wanted = frozenset(pending.positions) if is_sample else None
        groups = sample.groups(pending.positions) if is_sample else [pending.positions]
        if self._gold is not None:
            groups = []
        self._groups = deque(plans.Pending(group, pending.tries) for group in groups)
        self._pending: plans.Pending | None = plans.NOTHING_PENDING
        self._feed: RequestFeed | None = None
        self._feedback = Feedback(self._reading, job.spec.run, settlement.uncommitted)
        # By position: kind and reason of the last death with this request in flight.
        self._causes: dict[int, tuple[str, str]] = {}
        self._cause = ("engine_crash", "")
        # More is pending than the last round knew of.
        self._more = False
        self.isolation = Isolation()
        self.stragglers = Stragglers(job.task.sampling.max_tokens)
        for prompt, output in results.lengths(db, _alike_runs(db, job.spec)):
            self.stragglers.remember(prompt, output)

    def next(self) -> RequestFeed | None:
        """The feed of the next round; None when nothing is left to do."""
        chosen: Sequence[int] = ()
        while not chosen:
            self._write_off()
            pending = self._next_pending()
            if not pending.positions:
                if not self._open_further():
                    return None
                continue
            chosen = self.isolation.next(pending.positions)
        self._settlement.counters.to_retry = 0
        self._feed = RequestFeed(
            self._reading,
            chosen,
            pending.tries,
            self._job.spec.run.chunk_size,
            self._job.task,
            self._limits,
            self.stragglers,
            self._feedback,
            self._settlement.in_doubt,
        )
        return self._feed

    def interrupted(self) -> None:
        """Note that the last round did not end, or did not even start."""
        self._pending = None

    def reopened(self) -> None:
        """Note that more has become pending since the present round began."""
        self._more = True

    def died(self, in_flight: list[Ticket], kind: str, reason: str) -> bool:
        """Note that the engine died during a round. True if this narrows down the cause."""
        self._cause = (kind, reason)
        positions = [ticket.position for ticket in in_flight]
        self._causes |= dict.fromkeys(positions, self._cause)
        return self.isolation.died(positions)

    def lost(self, tickets: Sequence[Ticket], lost: Lost) -> bool:
        """A part of the engine died with these requests in flight, and the rest goes on. They are
        sent again at once, unless some of them are suspects: those run in groups once all that is
        in flight has settled. True if this narrows down the cause."""
        positions = [ticket.position for ticket in tickets]
        self._causes |= dict.fromkeys(positions, (lost.kind, lost.reason))
        self._more = True
        nearer = self.isolation.died(positions)
        assert self._feed is not None
        if self.isolation.isolating or self.isolation.to_write_off:
            self._feed.pause()
        else:
            for ticket in tickets:
                self._feed.send_again(ticket, ticket.tries)
        return nearer

    def _open_further(self) -> bool:
        """True if more may run, now that nothing is left of what was wanted so far: first gold
        rows, as many as are missing, then all others, unless the gold rows say no."""
        if self._gold is None:
            return False
        positions = self._gold.positions()
        self._wanted = frozenset(positions) or None
        if not positions:
            gold, self._gold = self._gold, None
            if not gold.hold():
                return False
        self._pending = None
        return True

    def _next_pending(self) -> plans.Pending:
        """The requests to choose the next round from; the store is not asked when the last round
        has left nothing."""
        pending, self._pending = self._pending, plans.NOTHING_PENDING
        if self._more or (self._feed is not None and self._feed.paused):
            pending, self._more = None, False
        sent_again = self._feed.sent_again if self._feed else 0
        unsent = self._settlement.counters.to_retry > sent_again
        if unsent or self.isolation.isolating or pending is None:
            self._groups.clear()
            return self._read_pending()
        return self._groups.popleft() if self._groups else pending

    def _read_pending(self) -> plans.Pending:
        pending = plans.pending(self._db)
        if self._wanted is None:
            return pending
        return plans.Pending(
            [one for one in pending.positions if one in self._wanted], pending.tries
        )

    def _write_off(self) -> None:
        """Make dead letters of the requests that isolation gives up."""
        for position in self.isolation.to_write_off:
            # Several may be written off at a time, each for another reason.
            kind, reason = self._causes.get(position, self._cause)
            (planned,) = plans.requests(self._db, position, position)
            tries = plans.pending(self._db).tries.get(position, NO_TRIES)
            size = len(planned.messages)
            ticket = Ticket(planned.key, position, planned.rows, tries, 0.0, size)
            self._settlement.write_off(ticket, kind, f"alone with this request, {reason}")
            self._pending = None
        self.isolation.to_write_off.clear()


def _alike_runs(db: Database, spec: JobSpec) -> list[int]:
    """The runs whose answers were made as those of this one will be; their rows may differ."""
    every = run_records.specs(db).items()
    return [run for run, stored in every if is_alike(json_table(stored), spec)]
