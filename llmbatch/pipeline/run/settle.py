"""The settlement of a run: outcomes checked, decided on, counted, and committed in groups."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from llmbatch.core import clock, latency_histogram, step_cost
from llmbatch.core.outcomes import TOLD_KINDS, Completed, Failed, Outcome
from llmbatch.core.step_cost import Weights
from llmbatch.engines.base import Telemetry
from llmbatch.job import stop_rules
from llmbatch.job.run_settings import RunSpec
from llmbatch.job.stop_rules import FailureWatch
from llmbatch.pipeline.monitoring.cost_so_far import RunCost
from llmbatch.pipeline.monitoring.progress import Observer, Progress
from llmbatch.pipeline.monitoring.resources import Meter
from llmbatch.pipeline.run import checkpoint_pace, first_outcomes
from llmbatch.pipeline.run.answer_checks import AnswerChecks
from llmbatch.pipeline.run.bounded_judge import MOST_ROWS
from llmbatch.pipeline.run.checkpoint_pace import CheckpointPace
from llmbatch.pipeline.run.counters import RunCounters, Timings
from llmbatch.pipeline.run.decision import Answered, DeadLetter, Decision, TryAgain, decide
from llmbatch.pipeline.run.feed import Ticket
from llmbatch.pipeline.run.first_outcomes import FirstOutcomes
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.pipeline.tasks.acceptance import Acceptance
from llmbatch.store import runs
from llmbatch.store.database import Database
from llmbatch.store.runs import Attempt

# Seconds between two fits of what tokens weigh.
_WEIGHING_INTERVAL = 1.0


class Settlement:
    """Takes the outcomes of all engines of a run."""

    def __init__(
        self,
        db: Database,
        run: int,
        run_spec: RunSpec,
        accept: Acceptance,
        counters: RunCounters,
        timings: Timings,
        observer: Observer,
        stop: StopRequest,
        run_cost: RunCost | None = None,
        meter: Meter | None = None,
        checks: AnswerChecks | None = None,
    ) -> None:
        """`run_cost`: the cost of the run, if it has one; `meter`: its use of the machine, if that
        is measured; `checks`: of its answers by the job's rules, if it has some."""
        self._db = db
        self._run = run
        self._run_spec = run_spec
        self._accept = accept
        self._observer = observer
        self._stop = stop
        self._run_cost = run_cost or RunCost()
        self._meter = meter
        self.checks = checks
        self._latency = latency_histogram.empty()
        self._settled: list[Attempt] = []
        # Of these, the newest failed answer by key of which the next try may be told.
        self._to_tell: dict[str, Failed] = {}
        self._checkpoints = 0
        self._pace = CheckpointPace(run_spec)
        # The counters of the engines that have ended: the next one counts from zero.
        self._past = Telemetry()
        self._weights = step_cost.weights(self._past.moments)
        self._weighed_at = float("-inf")
        rate = stop_rules.fail_fast_rate(run_spec.fail_fast) if run_spec.fail_fast else None
        self._watch = None if rate is None else FailureWatch(rate)
        # A run with fewer rows is over before it would be stopped.
        is_watched = run_spec.fail_fast is None and counters.rows_to_do >= first_outcomes.OUTCOMES
        self._first = FirstOutcomes() if is_watched else None
        self.counters = counters
        self.timings = timings

    def accept(self, outcome: Outcome, ticket: Ticket) -> Outcome:
        """An outcome held to the form of answers."""
        return self._accept(outcome, ticket.body)

    def judge(self, group: Sequence[tuple[Completed, Ticket]]) -> Sequence[Outcome]:
        """Accepted answers held to the job's rules; the run stops for a rule that is wrong."""
        if self.checks is None:
            return [outcome for outcome, _ in group]
        judged = self.checks.judged(group)
        if self.checks.wrong_rule:
            self._stop.request(self.checks.wrong_rule)
        return judged

    def decide(self, checked: Outcome, ticket: Ticket) -> Decision:
        """Decide on the request of an outcome that was checked."""
        most = self._run_spec.attempts
        return decide(checked, ticket.tries, most, told=ticket.told)

    def count(self, decision: Decision, ticket: Ticket) -> None:
        """Count the tokens of a try, and the rows of a request that is done."""
        counters, usage = self.counters, decision.outcome.usage
        counters.prompt_tokens += usage.prompt
        counters.cached_tokens += usage.cached
        counters.output_tokens += usage.output
        if isinstance(decision, TryAgain):
            counters.to_retry += 1
            return
        counters.rows_done += ticket.rows
        counters.size_done += ticket.size
        if isinstance(decision, DeadLetter):
            counters.failed += ticket.rows

    def store(self, decision: Decision, ticket: Ticket) -> None:
        """Keep a try for the next checkpoint."""
        attempt = _attempt(decision, ticket)
        self._settled.append(attempt)
        self._pace.count(attempt)
        if isinstance(decision, TryAgain) and decision.outcome.kind in TOLD_KINDS:
            self._to_tell[ticket.key] = decision.outcome

    def uncommitted(self, key: str) -> Failed | None:
        """The failed answer of a request that waits for the next checkpoint, if the next try may
        be told of it. May be asked from another thread."""
        return self._to_tell.get(key)

    def learn(self, decision: Decision, seconds_in_flight: float) -> None:
        """Note the time in flight of a try, and stop the run when too many fail."""
        if not decision.outcome.usage.is_nothing:
            self._latency[latency_histogram.bin_of(seconds_in_flight)] += 1
        reason = self._first.count(decision) if self._first else None
        if self._watch is not None:
            reason = self._watch.count(failed=not isinstance(decision, Answered))
        if reason:
            self._stop.request(reason)

    def in_doubt(self) -> bool:
        """True while every outcome of the run has failed for one reason: what is tried again is
        sent before other requests, to see whether that helps."""
        return self._first is not None and self._first.undecided

    def write_off(self, ticket: Ticket, kind: str, message: str) -> None:
        """Make a request that brings the engine down a dead letter, and commit it."""
        decision = DeadLetter(Failed(ticket.key, kind, message))
        self.count(decision, ticket)
        self.store(decision, ticket)
        self.commit(Telemetry())

    def reopened(self, rows: float) -> None:
        """Count rows as pending that counted as done before the run."""
        self.counters.rows_reused -= rows
        self.counters.rows_done -= rows

    @property
    def is_full(self) -> bool:
        """True if enough has settled for a checkpoint."""
        return self._pace.is_full

    @property
    def largest_group(self) -> int:
        """The most answers that wait for their judgement: those of a checkpoint."""
        return min(MOST_ROWS, self._run_spec.checkpoint_rows or checkpoint_pace.OUTCOMES)

    def commit_if_due(self, telemetry: Telemetry) -> None:
        """Commit all that has settled, if that is enough or has waited long enough."""
        if self._pace.is_due:
            self.commit(telemetry)
        elif not self._settled:
            # The interval counts from the first outcome that waits.
            self._pace.begin()

    def commit(self, telemetry: Telemetry) -> None:
        """Make one checkpoint of all that has settled, if anything has."""
        if not self._settled:
            return
        began = clock.seconds()
        self._checkpoints += 1
        counters = self._counters(telemetry)
        runs.checkpoint(self._db, self._run, self._checkpoints, self._settled, counters)
        self._observer.event("checkpoint", number=self._checkpoints, attempts=len(self._settled))
        self._settled = []
        self._to_tell = {}
        self._pace.begin()
        self.timings.checkpoint += clock.seconds() - began

    def _counters(self, telemetry: Telemetry) -> dict[str, object]:
        """The counters of engines, requests and machine since the run began."""
        used = self._meter.resources if self._meter else None
        counted = asdict(telemetry.after(self._past))
        del counted["held_back_until"]  # a time by this process's clock, of no use to others
        return counted | {
            "rows": round(self.counters.rows_done - self.counters.rows_reused),
            "latency": list(self._latency),
            "resources": asdict(used) if used else None,
        }

    def progress(self, at: float, telemetry: Telemetry) -> Progress:
        """The progress of the run; rates are those until `at` (clock.seconds())."""
        counters = self.counters
        bare = replace(counters.progress(at), share=counters.share(self._weights_now(telemetry)))
        end = self._run_cost.projected(
            counters.usage, counters.done, bare.eta_seconds, counters.read
        )
        return replace(
            bare,
            # 0 is reported by an engine without such a cache, and by one that is idle.
            cache_usage=telemetry.cache_usage or None,
            running=telemetry.running,
            waiting=telemetry.waiting,
            held_back_seconds=telemetry.held_back_seconds(clock.seconds()),
            cost=self._run_cost.so_far(counters.usage),
            projected_cost=end,
            currency=self._run_cost.cost.currency,
        )

    def _weights_now(self, telemetry: Telemetry) -> Weights:
        """The weights of tokens, fitted anew after some time at the earliest."""
        now = clock.seconds()
        if now - self._weighed_at >= _WEIGHING_INTERVAL:
            self._weighed_at = now
            accepted = (self._past.speculation + telemetry.speculation).accepted_tokens
            self._weights = step_cost.weights(self._past.moments + telemetry.moments, accepted)
        return self._weights

    def engine_ready(self, began: float) -> None:
        """Count rates and intervals from here when the first engine of a run is ready."""
        self._pace.begin()
        if self.timings.generate == 0:
            self.counters.began = began

    def engine_ended(self, telemetry: Telemetry) -> None:
        """Keep the counters of an engine that has ended."""
        self._past = telemetry.after(self._past)


def _attempt(decision: Decision, ticket: Ticket) -> Attempt:
    outcome, usage = decision.outcome, decision.outcome.usage
    return Attempt(
        outcome.key,
        ticket.tries.attempts + 1,
        decision.verdict,
        outcome.kind if isinstance(outcome, Failed) else None,
        outcome.message if isinstance(outcome, Failed) else None,
        outcome.finish_reason,
        outcome.text,
        usage.prompt,
        # The store refuses more cached tokens than prompt tokens; an answer is not lost for that.
        min(usage.cached, usage.prompt),
        usage.output,
        outcome.reasoning if isinstance(outcome, Completed) else None,
        usage.reasoning or None,
        outcome.logprobs if isinstance(outcome, Completed) else None,
        told=ticket.told,
    )
