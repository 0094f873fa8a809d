"""The search for faster engine settings: a sample of the job's requests, one engine after another.

Coordinate ascent: the present settings first, then the values of one option after the other,
each on top of the best so far. The sample has a part to warm up with and two halves to measure,
and an engine answers each request once: a second time the prefix cache would serve it. Settings
are compared half by half, so that two readings tell a gain from noise.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmbatch.accounting.runs import cost_of
from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.core.option_name import plain_name
from llmbatch.core.units import count
from llmbatch.engines.base import Tunable, notices_of
from llmbatch.engines.checks_device import check_device
from llmbatch.engines.speculates import Speculates
from llmbatch.job.cost import CostSpec
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import preflight
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest
from llmbatch.tune import trial_requests
from llmbatch.tune.candidates import Candidates, Options, describe
from llmbatch.tune.copying import LEAST, copied_share
from llmbatch.tune.gains import changed_answers, gains_over, is_faster, starts_too_late
from llmbatch.tune.trial import Trial, TrialFailure, TrialFigures
from llmbatch.tune.trial_requests import TrialRequests

# A setting may take this many times as long as the present ones, and this share of the budget in
# any case, because a start may mean compiling.
_TIMES = 3.0
_SHARE = 1 / 8

NO_TIME = "not tried: not enough of the budget remains"
TOO_SHORT = "faster, but this job is too short for its longer start"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the result: changes to the present settings, and their figures."""

    changes: Options
    measured: TrialFigures | None
    reason: str  # for which there are no figures, or good ones were not enough
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
    cost: CostSpec = field(default_factory=CostSpec)

    @property
    def winner(self) -> Setting | None:
        """The setting of `best`; None if nothing could be measured."""
        tried = (one for one in self.settings if one.measured is not None and not one.again)
        return next((one for one in tried if one.changes == self.best), None)

    @property
    def seconds_saved(self) -> float:
        """The time that the best settings save of generating all answers of the job."""
        measured = [one.measured for one in self.settings if one.measured and not one.changes]
        best = self.winner
        if best is None or best.measured is None or not self.best or not measured:
            return 0.0
        present = max(one.total.requests_per_second for one in measured)
        now = best.measured.total.requests_per_second
        return max(0.0, self.planned / present - self.planned / now)

    @property
    def money_saved(self) -> float | None:
        """The price of that time; None without a price by the hour."""
        cost = self.cost
        if cost.price_per_hour is None:
            return None
        return self.seconds_saved / 3600 * cost.price_per_hour * (cost.devices or 1)


def tune(spec: JobSpec, knobs: Mapping[str, Sequence[Any]], rows: int, budget: float,
         tell: Tell, seconds: Callable[[], float] = clock.seconds) -> TuneResult:  # fmt: skip
    """Try `knobs` (values by option; none: what the engine suggests) within `budget` seconds.

    Only the input of the job is read, nothing of it is written, and answers are thrown away.
    Raises UsageError, before any engine is started, when the job, an option or a value
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
            check_device(candidates.first)
            candidates.first.check(job.task.sampling, job.task.constraint)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(128 + (stop.signal or 2)) from error
        stop.patience = NEVER
        search = _SettingSearch(candidates, drawn, stop, began + budget, budget, tell, seconds)
        result = search.run(knobs)
        result.cost = cost_of(spec.model_dump(mode="json", by_alias=True))
        return result


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
        self._present = self._best = self._try({}, self._remaining()).measured
        self._warn_if_small()
        for name, values in (knobs or self._suggested()).items():
            for value in values:
                self._consider(name, value)
        if not knobs:
            self._consider_drafts()
        if result.best and self._present is not None:
            self._confirm()
        result.signal = self._stop.signal
        return result

    def _warn_if_small(self) -> None:
        """Warn of halves that fit into the engine at once, which say little about a long job."""
        window = (self._present.info.window or 0) if self._present else 0
        half = min(map(len, self._drawn.halves))
        if half < window and self._result.sampled < self._result.planned:
            self._tell(
                f"the engine takes {count(window, 'request')} at a time and each half of the "
                f"sample has {half:,}: --rows {trial_requests.rows_for(window):,} would tell more"
            )

    def _suggested(self) -> Mapping[str, Sequence[Any]]:
        engine = self._candidates.first
        if self._present is None or not isinstance(engine, Tunable):
            return {}
        smaller = min(map(len, self._drawn.halves))
        return engine.alternatives(self._present.info, smaller)

    def _consider_drafts(self) -> None:
        """Try speculation if the answers copy their prompts."""
        engine = self._candidates.first
        if self._present is None or not isinstance(engine, Speculates) or self._stopped():
            return
        ways, notices = engine.drafting()
        share = copied_share(self._drawn.requests, self._present.answers)
        if ways and share < LEAST:
            notices = [
                f"speculation is not tried: {share:.0%} of the answers is copied from the "
                f"prompts, and drafts are seldom right below {LEAST:.0%}"
            ]
        for notice in notices:
            self._tell(notice)
        for name, values in ways.items():
            for value in values if share >= LEAST else ():
                self._consider(name, value)

    def _consider(self, name: str, value: Any) -> None:
        result = self._result
        changes = {**result.best, name: value}
        if self._has(name, value) or self._stopped():
            return
        cost = self._present.seconds if self._present else 0.0
        # Any value could win, and a win takes another trial to confirm it.
        if self._remaining() < 2 * cost or self._remaining() <= 0:
            result.settings.append(Setting(changes, None, NO_TIME))
            return
        share = max(_TIMES * cost, _SHARE * self._budget)
        setting = self._try(changes, min(self._remaining() - cost, share))
        if setting.measured and self._beats_best(setting.measured) and not setting.reason:
            self._best, result.best = setting.measured, changes

    def _has(self, name: str, value: Any) -> bool:
        """True for a present setting, in the job or by default."""
        options = self._candidates.options.items()
        given = {plain_name(name): present for name, present in options}
        if name in given:
            return bool(given[name] == value)
        described = self._present.info.settings if self._present else {}
        return name in described and bool(described[name] == value)

    def _confirm(self) -> None:
        """Try the present settings once more: another user of the device may have gone since."""
        if self._stopped() or self._present is None:
            return
        if self._remaining() < self._present.seconds:
            self._tell("no time left to try the present settings a second time")
            return
        again = self._try({}, self._remaining(), again=True).measured
        if self._best and again and not is_faster(self._best, again):
            self._tell("the present settings are not clearly slower this time: nothing is changed")
            self._result.best, self._best = {}, again

    def _try(self, changes: Options, limit: float, *, again: bool = False) -> Setting:
        name = describe(changes) + (", again" if again else "")
        self._tell(f"trying {name} ({self._remaining():.0f} s of the budget left)")
        drawn = self._drawn
        try:
            engine = self._candidates.engine(changes)
        except UsageError as error:  # the value of an option that the engine itself suggested
            result: TrialFigures | TrialFailure = TrialFailure(str(error))
        else:
            parts = [drawn.warm_up, *drawn.halves]
            result = Trial(engine, parts, max(limit, 0.0), self._stop, self._seconds).run()
        if isinstance(result, TrialFigures):
            result = self._comparable(result)
        setting = self._setting(changes, result, again=again)
        self._result.settings.append(setting)
        self._tell(f"{name}: {outcome(setting)}")
        return setting

    def _comparable(self, figures: TrialFigures) -> TrialFigures | TrialFailure:
        """The figures, unless more requests fail than before, which makes a setting look fast."""
        allowed = self._present.total.failed if self._present else figures.total.failed
        more = figures.total.failed - allowed
        if more > 0:
            what = "requests fail that the present settings answer"
            return TrialFailure(f"{more} {what}: {figures.total.message}")
        if others := changed_answers(figures, self._present):
            of = f"of {count(len(figures.answers), 'answer')}"
            return TrialFailure(f"refused: {others:,} {of} came out otherwise with its drafts")
        return figures

    def _setting(
        self, changes: Options, result: TrialFigures | TrialFailure, *, again: bool
    ) -> Setting:
        if isinstance(result, TrialFailure):
            self._result.engine_left |= result.engine_left
            return Setting(changes, None, result.reason, again=again)
        gains = gains_over(result, self._present) if self._present else ()
        best = self._best if self._beats_best(result) and not again else None
        short = best is not None and starts_too_late(result, best, self._drawn.planned)
        return Setting(changes, result, TOO_SHORT if short else "", gains, again)

    def _beats_best(self, figures: TrialFigures) -> bool:
        return self._best is None or is_faster(figures, self._best)

    def _remaining(self) -> float:
        return self._until - self._seconds()

    def _stopped(self) -> bool:
        return self._stop.drain or self._result.engine_left


def outcome(setting: Setting) -> str:
    """The outcome of a trial, in one line."""
    if setting.measured is None:
        return setting.reason
    note = f"; {setting.reason}" if setting.reason else ""
    return f"{setting.measured.total.tokens_per_second:,.0f} tokens/s{note}"
