"""Which requests go to the engine next, pass by pass."""

from collections import deque
from collections.abc import Sequence

from llmbatch.core.outcomes import NO_TRIES
from llmbatch.core.stored import json_table
from llmbatch.job.alike import is_alike
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import sample as run_sample
from llmbatch.pipeline.run.feed import RequestFeed, Ticket
from llmbatch.pipeline.run.isolation import Isolation
from llmbatch.pipeline.run.limits import RunLimits
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.stragglers import Stragglers
from llmbatch.store import plans, results, run_records
from llmbatch.store.database import Database


class Rounds:
    """First all that is pending, then rounds of what is to be retried; after the engine has died,
    those that may have killed it in companies of their own."""

    def __init__(
        self,
        db: Database,
        job: ReadyJob,
        pending: plans.Pending,
        limits: RunLimits,
        settlement: Settlement,
        *,
        sample: bool = False,
    ) -> None:
        """`sample`: of all that is pending in the store only these are wanted, in growing groups
        (see `sample`)."""
        self._db = db
        self._reading = db.cursor()
        self._job = job
        self._limits = limits
        self._settlement = settlement
        self._wanted = frozenset(pending.positions) if sample else None
        groups = run_sample.groups(pending.positions) if sample else [pending.positions]
        self._groups = deque(plans.Pending(group, pending.tries) for group in groups)
        self._pending: plans.Pending | None = plans.NOTHING_PENDING
        self._feed: RequestFeed | None = None
        # How the engine ended when a request was in flight last, by its position.
        self._causes: dict[int, tuple[str, str]] = {}
        self._more = False
        self._cause = ("engine_crash", "")
        self.isolation = Isolation()
        self.stragglers = Stragglers(job.task.sampling.max_tokens)
        for prompt, output in results.lengths(db, _alike(db, job.spec)):
            self.stragglers.remember(prompt, output)

    def next(self) -> RequestFeed | None:
        """The feed of the next pass; None when nothing is left to do."""
        chosen: Sequence[int] = ()
        while not chosen:
            self._write_off()
            pending = self._left()
            if not pending.positions:
                return None
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
        )
        return self._feed

    def interrupted(self) -> None:
        """The last pass did not come to its end, or not even to its start."""
        self._pending = None

    @property
    def is_sample(self) -> bool:
        """Whether only some of what is pending is wanted."""
        return self._wanted is not None

    def reopened(self) -> None:
        """More has become pending; the pass that is under way does not know of it."""
        self._more = True

    def died(self, in_flight: list[Ticket], kind: str, reason: str) -> bool:
        """The engine died in the midst of a pass. True if that has brought us nearer to why."""
        self._cause = (kind, reason)
        positions = [ticket.position for ticket in in_flight]
        self._causes |= dict.fromkeys(positions, self._cause)
        return self.isolation.died(positions)

    def lost(self, tickets: Sequence[Ticket], reason: str) -> bool:
        """A part of the engine died with these requests in flight, and the rest goes on. They are
        sent again at once, unless some of them are suspects: these run in groups when what is in
        flight is settled. True if the death has brought us nearer to its cause."""
        positions = [ticket.position for ticket in tickets]
        self._causes |= dict.fromkeys(positions, ("engine_crash", reason))
        self._more = True
        nearer = self.isolation.died(positions)
        assert self._feed is not None
        if self.isolation.isolating or self.isolation.to_write_off:
            self._feed.pause()
        else:
            for ticket in tickets:
                self._feed.send_again(ticket, ticket.tries)
        return nearer

    def _left(self) -> plans.Pending:
        """What is pending; not asked again when the last pass has left nothing."""
        held, self._pending = self._pending, plans.NOTHING_PENDING
        if self._more or (self._feed is not None and self._feed.paused):
            held, self._more = None, False
        retried = self._feed.retried if self._feed else 0
        if self._settlement.counters.to_retry > retried or self.isolation.isolating or held is None:
            self._groups.clear()
            return self._asked()
        return self._groups.popleft() if self._groups else held

    def _asked(self) -> plans.Pending:
        pending = plans.pending(self._db)
        if self._wanted is None:
            return pending
        return plans.Pending(
            [one for one in pending.positions if one in self._wanted], pending.tries
        )

    def _write_off(self) -> None:
        """Write off the requests that were found to bring the engine down."""
        for position in self.isolation.to_write_off:
            # Several may be written off at a time, each of something else.
            kind, reason = self._causes.get(position, self._cause)
            (planned,) = plans.requests(self._db, position, position)
            tries = plans.pending(self._db).tries.get(position, NO_TRIES)
            size = len(planned.messages)
            ticket = Ticket(planned.key, position, planned.copies, tries, 0.0, size)
            self._settlement.write_off(ticket, kind, f"alone with this request, {reason}")
            self._pending = None
        self.isolation.to_write_off.clear()


def _alike(db: Database, spec: JobSpec) -> list[int]:
    """The runs whose answers were made as those of this one will be, whatever the rows."""
    return [
        summary.run
        for summary in run_records.summaries(db)
        if is_alike(json_table(summary.spec), spec)
    ]
