"""One life of an engine: its events, its checkpoints, the watch over its progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, HungEngineError
from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome
from llmbatch.engines.base import Telemetry
from llmbatch.engines.parts import PartEvent
from llmbatch.job.run_settings import RunSpec
from llmbatch.pipeline.monitoring.progress import Observer
from llmbatch.pipeline.monitoring.status import StatusFile
from llmbatch.pipeline.run import part_events
from llmbatch.pipeline.run.decision import TryAgain
from llmbatch.pipeline.run.engine_thread import Done, Drained, EngineThread, Ready
from llmbatch.pipeline.run.feed import RequestFeed, Ticket
from llmbatch.pipeline.run.limits import RunLimits
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.stop_request import StopRequest

# Seconds to wait for an event before the clock and the signals are looked at again.
_TICK = 0.2
# Seconds between such looks while outcomes come without a pause.
_LOOK = 0.05
# Seconds for an engine to abort what is in flight, and to end once it was killed.
_ABORT_GRACE, _KILL_GRACE = 5.0, 30.0
# Seconds that an answer waits at most for others, to be held to the job's rules with them.
_TOGETHER = 0.2

NextFeed = Callable[[], RequestFeed | None]


@dataclass(frozen=True, slots=True)
class WaitingAnswer:
    """An answer of the right form that is still to be held to the job's rules."""

    outcome: Completed
    ticket: Ticket
    seconds_in_flight: float


class EngineSession:
    """Drives one engine from its start to its end."""

    def __init__(
        self,
        thread: EngineThread,
        settlement: Settlement,
        limits: RunLimits,
        stop: StopRequest,
        observer: Observer,
        status: StatusFile,
        run_spec: RunSpec,
    ) -> None:
        self._thread = thread
        self._settlement = settlement
        self._limits = limits
        self._stop = stop
        self._observer = observer
        self._status = status
        self._run_spec = run_spec
        self._feed: RequestFeed | None = None
        self._waiting: list[WaitingAnswer] = []
        self._waiting_since = 0.0
        self._draining = False
        self._looked_at = 0.0
        self._seen: tuple[Telemetry, int] | None = None
        self._moved_at = clock.seconds()
        # The reason for which this session ended the engine, if it did.
        self._killed: str | None = None
        # Losses in a row without any progress between them; outcomes at the last one.
        self._vain_losses = 0
        self._settled_at_loss = 0
        self.ready: Ready | None = None
        self.settled = 0
        self.stalled = False
        """True once the engine was ended because it made no progress."""
        self.answered: Callable[[], None] = lambda: None
        """Called for each answer, accepted or not."""
        self.lost: Callable[[Sequence[Ticket], Lost], bool] = lambda tickets, lost: False
        """Called for requests lost with a part; True if this narrows down the cause."""
        self.part_died: Callable[[PartEvent], None] = lambda event: None
        """Called for each part of the engine that has died."""

    def in_flight(self) -> list[Ticket]:
        """The requests that the engine has taken and not settled."""
        return self._feed.in_flight() if self._feed else []

    def drive(
        self, feed: RequestFeed, next_feed: NextFeed, on_ready: Callable[[Ready], None]
    ) -> bool:
        """Work until there is no further feed; False if the engine had to be left behind.

        Raises EngineError when the engine did not start or is gone. All that has settled is
        committed first in every case.
        """
        began = clock.seconds()
        self._feed = feed
        self._thread.feed(feed)
        self._thread.start()
        try:
            return self._until_done(next_feed, on_ready)
        finally:
            self._add_timings(began)

    def _add_timings(self, began: float) -> None:
        now = clock.seconds()
        timings = self._settlement.timings
        self._settlement.engine_ended(self._thread.telemetry())
        self._tell_of_parts()
        self._show_progress()
        if self.ready is None or self._thread.ready_at is None:
            timings.engine_start += now - began
        else:
            drained = self._thread.drained_at or now
            timings.generate += drained - self._thread.ready_at
            timings.engine_stop += now - drained

    def _until_done(self, next_feed: NextFeed, on_ready: Callable[[Ready], None]) -> bool:
        while not isinstance(event := self._thread.next(_TICK), Done):
            if isinstance(event, Completed | Failed):
                self._settle(event)
                if not self._time_to_look():
                    continue
            elif isinstance(event, Lost):
                self._lose(event)
            elif isinstance(event, Ready):
                self._start(event, on_ready)
            elif isinstance(event, Drained):
                self._commit()
                self._feed = None if self._stop.drain else next_feed()
                self._thread.feed(self._feed)
            self._judge_if_due()
            self._settlement.commit_if_due(self._thread.telemetry())
            self._show_progress()
            self._tell_of_parts()
            # A run that stops does not wait for an engine that is still starting.
            if self._stopping() and (self._stop.leave or self.ready is None):
                return self._leave()
            self._watch()
        self._commit()
        if error := EngineError(self._killed) if self._killed else event.error:
            raise error
        return True

    def _time_to_look(self) -> bool:
        """True if it is time for the clock and the signals, up to twenty times a second."""
        now = clock.seconds()
        if now - self._looked_at < _LOOK and not self._settlement.is_full:
            return False
        self._looked_at = now
        return True

    def _start(self, ready: Ready, on_ready: Callable[[Ready], None]) -> None:
        on_ready(ready)
        self.ready = ready
        self._settlement.timings.engine_start += ready.at.since(ready.began)
        self._moved_at = clock.seconds()
        self._settlement.engine_ready(self._moved_at)
        self._observer.phase("generating")
        self._status.phase("generating")

    def _settle(self, outcome: Outcome) -> None:
        """One step of a run: take an outcome and check it. What is no answer is decided on at once,
        and so is an answer, unless rules are to be held against it: groups of answers cost less."""
        assert self._feed is not None
        ticket = self._feed.take(outcome)
        seconds = clock.seconds() - ticket.sent_at
        self._learn(outcome, seconds)
        checked = self._settlement.accept(outcome, ticket)
        if self._settlement.checks is None or isinstance(checked, Failed):
            self._decide(checked, ticket, seconds)
            return
        if not self._waiting:
            self._waiting_since = clock.seconds()
        self._waiting.append(WaitingAnswer(checked, ticket, seconds))
        self._judge_if_due()

    def _learn(self, outcome: Outcome, seconds_in_flight: float) -> None:
        self._limits.settled(seconds_in_flight, outcome.usage)
        self.settled += 1
        # An answer that is not accepted also shows that the engine works.
        if isinstance(outcome, Completed):
            self.answered()

    def _judge_if_due(self) -> None:
        """Hold the answers that wait to the job's rules once they are many, or have waited long, or
        the engine has no more in flight than that: those to be tried again are to reach it before
        it has nothing left to do."""
        most = self._settlement.largest_group
        enough = max(1, min(most, self._feed.flying if self._feed else 0))
        waited = clock.seconds() - self._waiting_since
        if len(self._waiting) >= enough or (self._waiting and waited >= _TOGETHER):
            self._judge()

    def _judge(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        judged = self._settlement.judge([(one.outcome, one.ticket) for one in waiting])
        for one, checked in zip(waiting, judged, strict=True):
            self._decide(checked, one.ticket, one.seconds_in_flight)

    def _decide(self, checked: Outcome, ticket: Ticket, seconds_in_flight: float) -> None:
        """Decide on an outcome that was checked, count it, store it, and send its request again if
        it is to be tried again."""
        assert self._feed is not None
        decision = self._settlement.decide(checked, ticket)
        self._settlement.count(decision, ticket)
        self._settlement.store(decision, ticket)
        if isinstance(decision, TryAgain):
            self._feed.send_again(ticket, decision.tries)
        self._settlement.learn(decision, seconds_in_flight)

    def _commit(self) -> None:
        """Make a checkpoint of all that has come, the answers that wait included."""
        self._judge()
        self._settlement.commit(self._thread.telemetry())

    def _lose(self, lost: Lost) -> None:
        """Make requests pending again that were lost with a part of the engine, and end an engine
        that loses all that it is given."""
        assert self._feed is not None
        tickets = self._feed.lose(lost.keys)
        self._moved_at = clock.seconds()
        self._observer.event("requests_lost", reason=lost.reason, requests=len(tickets))
        self._observer.phase(f"{lost.reason}; requests lost: {len(tickets):,}")
        nearer = self.lost(tickets, lost)
        in_vain = not nearer and self.settled == self._settled_at_loss
        self._vain_losses = self._vain_losses + 1 if in_vain else 0
        self._settled_at_loss = self.settled
        if self._vain_losses > self._run_spec.engine_restarts and not self._killed:
            self._killed = f"{lost.reason}; the engine loses what it is given and was ended"
            self._thread.kill()

    def _tell_of_parts(self) -> None:
        for event in self._thread.part_events():
            part_events.tell(event, self._observer, self.part_died)

    def _stopping(self) -> bool:
        self._limits.check()
        if self._stop.drain and not self._draining:
            self._draining = True
            reason = self._stop.reason
            self._observer.event("stopping", reason=reason)
            hint = "; signal again to leave now" if self._stop.signal else ""
            self._observer.phase(f"stopping ({reason}): finishing what is in flight{hint}")
            self._status.phase("stopping")
        return self._stop.drain

    def _leave(self) -> bool:
        self._thread.abort()
        self._commit_waiting()
        # An engine that is still starting does not notice the abort.
        stopped = self._thread.join(_ABORT_GRACE if self.ready else 0)
        # The engine notices the abort at its next outcome, which counts, too.
        self._commit_waiting()
        return stopped

    def _commit_waiting(self) -> None:
        while not isinstance(event := self._thread.next(0), Done | None):
            if isinstance(event, Completed | Failed):
                self._settle(event)
            elif isinstance(event, Lost):
                self._lose(event)
        self._commit()

    def _show_progress(self) -> None:
        if self.ready is not None:
            # Rates do not change while the engine closes.
            at = self._thread.drained_at or clock.seconds()
            progress = self._settlement.progress(at, self._thread.telemetry())
            self._observer.progress(progress)
            self._status.progress(progress)

    def _watch(self) -> None:
        """End an engine that has work and makes no progress for too long."""
        now, telemetry = clock.seconds(), self._thread.telemetry()
        seen = (replace(telemetry, held_back_until=None), self.settled)
        if seen != self._seen or not self.in_flight():
            self._seen, self._moved_at = seen, now
        if left := telemetry.held_back_seconds(now):
            # The time for which it is held back does not count.
            self._moved_at = now + left
        if now - self._moved_at >= self._run_spec.stall_timeout:
            self._kill()

    def _kill(self) -> None:
        seconds = self._run_spec.stall_timeout
        self._killed = f"the engine made no progress for {seconds:g} s and was ended"
        self.stalled = True
        self._moved_at = clock.seconds()
        self._thread.kill()
        if not self._thread.join(_KILL_GRACE):
            self._commit()
            raise HungEngineError(
                f"{self._killed}, but it does not end; run the same command again"
            )
