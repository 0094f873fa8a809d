"""Supervision of a run's engines: one is started, and another when it has died or hangs."""

from collections.abc import Callable
from math import ceil

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential, wait_random

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, HungEngineError, MismatchedEngineError
from llmbatch.core.units import count
from llmbatch.engines.base import Engine
from llmbatch.engines.parts import PartEvent
from llmbatch.job.run_settings import RunSpec
from llmbatch.pipeline.monitoring.progress import Observer
from llmbatch.pipeline.monitoring.status import StatusFile
from llmbatch.pipeline.run import reopening
from llmbatch.pipeline.run.engine_session import EngineSession
from llmbatch.pipeline.run.engine_thread import EngineThread, Ready
from llmbatch.pipeline.run.forecast_seam import RunForecaster
from llmbatch.pipeline.run.limits import RunLimits
from llmbatch.pipeline.run.reopening import SequenceLimit
from llmbatch.pipeline.run.rounds import Rounds
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest
from llmbatch.store import run_records, runs
from llmbatch.store.database import Database

STARTING = "starting the engine"
"""The phase in which an engine is checked, imported and loaded."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
# Seconds that a run waits for its forecast when all is answered before it is made.
_FORECAST_GRACE = 1.0
# Another engine would not help, and no request is to blame.
_FINAL = (HungEngineError, MismatchedEngineError)


class Supervisor:
    """Runs the engines of one run, one after the other."""

    def __init__(
        self,
        db: Database,
        run: int,
        run_spec: RunSpec,
        next_engine: Callable[[], Engine],
        rounds: Rounds,
        settlement: Settlement,
        limits: RunLimits,
        stop: StopRequest,
        observer: Observer,
        status: StatusFile,
        forecaster: RunForecaster,
        kept_from: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`kept_from`: the job that had the engine started that is ready, if this run has not."""
        self._db = db
        self._run = run
        self._run_spec = run_spec
        self._next_engine = next_engine
        self._rounds = rounds
        self._settlement = settlement
        self._limits = limits
        self._stop = stop
        self._observer = observer
        self._status = status
        self._forecaster = forecaster
        self._kept_from = kept_from
        self._starts = 0
        self._start_seconds = last_start(db)

    def work(self) -> bool:
        """Work until nothing is pending or a stop was requested. False if an engine that does not
        end had to be left running.

        Raises EngineError when the first engine does not start, and after too many restarts in a
        row without an answer.
        """
        self._begin_forecast()
        self._stop.patience = NEVER
        try:
            while (ended := self._retrying()(self._life)) is None:
                continue
            self._forecaster.wait(0 if self._stop.drain else _FORECAST_GRACE)
            self._keep_forecast()
            return ended
        finally:
            self._stop.patience = 1
            self._forecaster.end()

    def _retrying(self) -> Retrying:
        """Restarts in a row without progress: a bounded number, with ever longer pauses."""

        def in_vain(state: RetryCallState) -> bool:
            enough = state.attempt_number > self._run_spec.engine_restarts
            return enough or self._stop.drain or self._rounds.isolation.hopeless

        def may_help(error: BaseException) -> bool:
            final = isinstance(error, _FINAL)
            return isinstance(error, EngineError) and not final and self._starts > 0

        return Retrying(
            retry=retry_if_exception(may_help),
            stop=in_vain,
            wait=wait_exponential(_FIRST_PAUSE, _LONGEST_PAUSE) + wait_random(0, _FIRST_PAUSE),
            sleep=self._pause,
            reraise=True,
        )

    def _pause(self, seconds: float) -> None:
        """Wait, unless a limit would be reached before the next engine is ready."""
        self._limits.check(seconds + self._start_seconds)
        self._stop.sleep(seconds)

    def _life(self) -> bool | None:
        """One engine from start to end; None if it died after some progress."""
        # Starting an engine that could not be ready within the limits would be money for nothing.
        self._limits.check(self._start_seconds)
        feed = None if self._stop.drain else self._rounds.next()
        if feed is None:
            return True
        self._show_start()
        session = EngineSession(
            EngineThread(self._next_engine()),
            self._settlement,
            self._limits,
            self._stop,
            self._observer,
            self._status,
            self._run_spec,
        )
        session.answered = self._answered
        session.lost = self._rounds.lost
        session.part_died = self._part_died
        try:
            return session.drive(feed, self._rounds.next, self._ready)
        except _FINAL as error:
            self._note_death(session, str(error))
            raise
        except EngineError as error:
            return self._died(session, str(error))

    def _begin_forecast(self) -> None:
        """Begin the forecast. Its imports are those of the engine, so they count as its start."""
        began = clock.seconds()
        self._forecaster.begin()
        self._settlement.timings.engine_start += clock.seconds() - began

    def _answered(self) -> None:
        self._rounds.isolation.answered()
        self._keep_forecast()

    def _keep_forecast(self) -> None:
        """Store the forecast as soon as it is made, so that a run that is killed has it, too."""
        if made := self._forecaster.take():
            runs.forecast(self._db, self._run, made)

    def _show_start(self) -> None:
        phase = STARTING if self._starts == 0 else f"{STARTING} again"
        # A run that checked the engine shows the first start already.
        if self._starts or self._status.current != phase:
            self._observer.phase(phase)
            self._status.phase(phase)

    def _ready(self, ready: Ready) -> None:
        # The first start of a run has begun with the check of its engine, as in the run's timings.
        before = 0.0 if self._starts else self._settlement.timings.engine_start
        began = ready.began.earlier(before)
        description = ready.info.to_json()
        if (job := self._kept_from()) is not None:
            # It took no time of this run, which is to know all the same what answers it.
            began, description = ready.at, description | {run_records.KEPT_FROM: job}
            self._observer.phase(f"the engine runs already: {job} had it started")
        runs.engine_started(self._db, self._run, began, ready.at, description)
        self._rounds.stragglers.slots = ready.info.max_num_seqs or 0
        self._reopen(ready.info.max_model_len)
        self._starts += 1
        self._start_seconds = ready.at.since(began)
        self._status.engine(self._starts - 1, ready.info)
        if self._starts == 1:
            self._forecaster.ready(ready.info)
        name = "engine_started" if self._starts == 1 else "engine_restarted"
        self._observer.event(name, seconds=round(self._start_seconds, 3))

    def _reopen(self, tokens: object) -> None:
        """Try rows again that were too long for earlier engines and fit into this one."""
        if self._rounds.is_sample or not isinstance(tokens, int):
            return
        limit = SequenceLimit(tokens, sure=True)
        if dead := reopening.dead_letters(self._db, limit):
            rows = runs.reopen(self._db, dead)
            self._settlement.reopened(rows)
            self._rounds.reopened()
            self._observer.phase(
                f"tried again, since they were too long: {count(ceil(rows), 'row')}"
            )

    def _died(self, session: EngineSession, reason: str) -> bool | None:
        self._rounds.interrupted()
        if session.ready is None:
            self._observer.event("engine_failed_to_start", reason=reason)
            if self._stop.signal or (self._stop.drain and self._starts > 0):
                # It would not be started again anyway; or the signal went to its processes, too,
                # which are in the terminal's group while they start.
                return True
            raise EngineError(reason)
        self._note_death(session, reason)
        kind = "timeout" if session.stalled else "engine_crash"
        nearer = self._rounds.died(session.in_flight(), kind, reason)
        if self._stop.drain:
            return True
        if self._run_spec.engine_restarts == 0:
            raise EngineError(reason)
        if nearer or session.settled:
            return None
        raise EngineError(
            f"{reason}; it was started {self._starts} times and did not answer: see run.log, "
            "then run the same command again"
        )

    def _part_died(self, event: PartEvent) -> None:
        reason, in_flight = event.died or event.text, event.in_flight
        runs.engine_died(self._db, self._run, clock.moment(), reason, in_flight)

    def _note_death(self, session: EngineSession, reason: str) -> None:
        in_flight = len(session.in_flight())
        runs.engine_died(self._db, self._run, clock.moment(), reason, in_flight)
        self._observer.event("engine_died", reason=reason, in_flight=in_flight)
        self._observer.phase(f"{reason}; requests in flight: {in_flight:,}")


def last_start(db: Database) -> float:
    """Seconds that the job's last start of an engine took; 0 if none is known."""
    starts = [start for start in run_records.starts(db) if not start.was_running]
    return starts[-1].seconds if starts else 0.0
