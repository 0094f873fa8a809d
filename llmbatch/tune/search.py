"""Finding faster engine settings: a sample of the job's own requests, one engine after the other.

Coordinate ascent: the present settings first, then the values of one option after the other,
each on top of the best so far. The sample has a part to warm up with and two halves to measure,
and an engine answers each request once: at a second time it would come from the prefix cache.
Settings are compared by the same half, so that two readings tell a gain from noise.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.core.option_name import plain_name
from llmbatch.engines.base import Tunable, notices_of
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import preflight
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest
from llmbatch.tune import trial_requests
from llmbatch.tune.candidates import Candidates, Options, describe
from llmbatch.tune.gains import gains_over, is_faster, starts_too_late
from llmbatch.tune.trial import Trial, TrialFailure, TrialFigures
from llmbatch.tune.trial_requests import TrialRequests

# A setting may take so many times as long as the present ones, and this share of the budget in
# any case: starting may mean compiling.
_TIMES = 3.0
_SHARE = 1 / 8

NO_TIME = "not tried: too little of the budget is left"
TOO_SHORT = "faster, but this job is too short for its longer start"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the result: what differs from the present settings, and what came of it."""

    changes: Options
    measured: TrialFigures | None
    reason: str  # why there are no figures, or why good ones were not enough
    gains: tuple[float, ...] = ()  # of each half over the present settings; 0.1 is 10 % faster
    again: bool = False  # the present settings a second time


@dataclass
class TuneResult:
    """All settings in the order of their trials; `best` are the changes worth making."""

    settings: list[Setting] = field(default_factory=list)
    best: Options = field(default_factory=dict)
    sampled: int = 0
    planned: int = 0
    signal: int | None = None
    engine_left: bool = False

    @property
    def winner(self) -> Setting | None:
        """The setting of `best`; None if nothing could be measured."""
        tried = (one for one in self.settings if one.measured is not None and not one.again)
        return next((one for one in tried if one.changes == self.best), None)


def tune(spec: JobSpec, knobs: Mapping[str, Sequence[Any]], rows: int, budget: float,
         tell: Tell, seconds: Callable[[], float] = clock.seconds) -> TuneResult:  # fmt: skip
    """Try `knobs` (values by option; none: what the engine suggests) within `budget` seconds.

    Nothing of the job is read but its input, nothing of it is written, and answers are thrown
    away. Raises UsageError, before any engine is started, when the job, an option or a value
    cannot be used, or when a value could change an answer. `seconds` reads the time.
    """
    began = seconds()
    knobs = {plain_name(name): values for name, values in knobs.items()}
    stop = StopRequest()
    with tempfile.TemporaryDirectory(prefix="llmbatch-tune-") as folder, stop:
        try:
            stop.patience = 0
            candidates = Candidates(spec, Path(folder) / "run.log")
            candidates.check(knobs)
            for notice in notices_of(candidates.first):
                tell(notice)
            tell("reading the input and planning")
            job = preflight.make_ready(spec)
            drawn = trial_requests.draw(job, candidates.first, rows, Path(folder))
            candidates.first.check(job.task.sampling, job.task.constraint)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(128 + (stop.signal or 2)) from error
        stop.patience = NEVER
        search = _SettingSearch(candidates, drawn, stop, began + budget, budget, tell, seconds)
        return search.run(knobs)


class _SettingSearch:
    """The trials of one tuning, and what is best so far."""

    def __init__(
        self,
        candidates: Candidates,
        drawn: TrialRequests,
        stop: StopRequest,
        until: float,
        budget: float,
        tell: Tell,
        seconds: Callable[[], float],
    ) -> None:
        self._candidates = candidates
        self._drawn = drawn
        self._stop = stop
        self._until = until
        self._budget = budget
        self._tell = tell
        self._seconds = seconds
        self._present: TrialFigures | None = None
        self._best: TrialFigures | None = None
        counted = len(drawn.warm_up) + sum(map(len, drawn.halves))
        self._result = TuneResult(sampled=counted, planned=drawn.planned)

    def run(self, knobs: Mapping[str, Sequence[Any]]) -> TuneResult:
        result = self._result
        self._present = self._best = self._try({}, self._left()).measured
        self._tell_if_small()
        for name, values in (knobs or self._suggested()).items():
            for value in values:
                self._consider(name, value)
        if result.best and self._present is not None:
            self._confirm()
        result.signal = self._stop.signal
        return result

    def _tell_if_small(self) -> None:
        """A half that fits into the engine at once says little about a long job."""
        window = self._present.description["window"] if self._present else 0
        half = min(map(len, self._drawn.halves))
        if half < window and self._result.sampled < self._result.planned:
            self._tell(
                f"the engine takes {window:,} requests at a time and each half of the sample has "
                f"{half:,}: --rows {trial_requests.rows_for(window):,} would tell more"
            )

    def _suggested(self) -> Mapping[str, Sequence[Any]]:
        engine = self._candidates.first
        if self._present is None or not isinstance(engine, Tunable):
            return {}
        smaller = min(map(len, self._drawn.halves))
        return engine.alternatives(self._present.description, smaller)

    def _consider(self, name: str, value: Any) -> None:
        result = self._result
        changes = {**result.best, name: value}
        if self._has(name, value) or self._stopped():
            return
        cost = self._present.seconds if self._present else 0.0
        # Each could win, and a win is to be confirmed.
        if self._left() < 2 * cost or self._left() <= 0:
            result.settings.append(Setting(changes, None, NO_TIME))
            return
        share = max(_TIMES * cost, _SHARE * self._budget)
        setting = self._try(changes, min(self._left() - cost, share))
        if setting.measured and self._beats_best(setting.measured) and not setting.reason:
            self._best, result.best = setting.measured, changes

    def _has(self, name: str, value: Any) -> bool:
        """Whether that is a present setting, in the job or by default."""
        given = {plain_name(key): held for key, held in self._candidates.options.items()}
        if name in given:
            return bool(given[name] == value)
        described = self._present.description if self._present else {}
        return name in described and bool(described[name] == value)

    def _confirm(self) -> None:
        """Whoever shares the device may have gone since: the present settings once more."""
        if self._stopped() or self._present is None:
            return
        if self._left() < self._present.seconds:
            self._tell("no time left to try the present settings a second time")
            return
        again = self._try({}, self._left(), again=True).measured
        if self._best and again and not is_faster(self._best, again):
            self._tell("the present settings are not clearly slower this time: nothing is changed")
            self._result.best, self._best = {}, again

    def _try(self, changes: Options, limit: float, *, again: bool = False) -> Setting:
        name = describe(changes) + (", again" if again else "")
        self._tell(f"trying {name} ({self._left():.0f} s of the budget left)")
        drawn = self._drawn
        try:
            engine = self._candidates.engine(changes)
        except UsageError as error:  # the value of an option that the engine itself suggested
            found: TrialFigures | TrialFailure = TrialFailure(str(error))
        else:
            parts = [drawn.warm_up, *drawn.halves]
            found = Trial(engine, parts, max(limit, 0.0), self._stop, self._seconds).run()
        if isinstance(found, TrialFigures):
            found = self._comparable(found)
        setting = self._setting(changes, found, again=again)
        self._result.settings.append(setting)
        self._tell(f"{name}: {outcome(setting)}")
        return setting

    def _comparable(self, found: TrialFigures) -> TrialFigures | TrialFailure:
        """Requests that only fail with this setting would make it look fast."""
        allowed = self._present.total.failed if self._present else found.total.failed
        lost = found.total.failed - allowed
        if lost <= 0:
            return found
        what = "requests fail that the present settings answer"
        return TrialFailure(f"{lost} {what}: {found.total.message}")

    def _setting(
        self, changes: Options, found: TrialFigures | TrialFailure, *, again: bool
    ) -> Setting:
        if isinstance(found, TrialFailure):
            self._result.engine_left |= found.engine_left
            return Setting(changes, None, found.reason, again=again)
        gains = gains_over(found, self._present) if self._present else ()
        best = self._best if self._beats_best(found) and not again else None
        short = best is not None and starts_too_late(found, best, self._drawn.planned)
        return Setting(changes, found, TOO_SHORT if short else "", gains, again)

    def _beats_best(self, found: TrialFigures) -> bool:
        return self._best is None or is_faster(found, self._best)

    def _left(self) -> float:
        return self._until - self._seconds()

    def _stopped(self) -> bool:
        return self._stop.drain or self._result.engine_left


def outcome(setting: Setting) -> str:
    """What came of a trial, in one line."""
    if setting.measured is None:
        return setting.reason
    note = f"; {setting.reason}" if setting.reason else ""
    return f"{setting.measured.total.tokens_per_second:,.0f} tokens/s{note}"
