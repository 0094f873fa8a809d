"""The time and the cost of a job's next run: part by part, with bounds and sources."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import mul

from llmbatch.core import interval
from llmbatch.core.interval import Interval
from llmbatch.estimate import draft_outlook, generation_time
from llmbatch.estimate.batching import Scheduler, resample
from llmbatch.estimate.draft_outlook import DraftOutlook
from llmbatch.estimate.generation_time import Generation, PastWork, Workload
from llmbatch.estimate.past_runs import PastRuns
from llmbatch.job.cost import CostSpec
from llmbatch.sizing import roofline
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.roofline import Ceilings

# Seconds to start an engine of which no start is known, and for each gigabyte of weights to load;
# to stop it; and of a run beside its parts.
_START = Interval(45.0, 15.0, 120.0)
_LOAD_GIGABYTE = Interval(1.0, 0.2, 5.0)
_STOP = Interval(2.0, 0.0, 10.0)
_OTHER = Interval(0.3, 0.0, 2.0)
# Seconds of an export beside its rows, and rows written in a second, where none is known.
_EXPORT = Interval(0.05, 0.0, 0.5)
_EXPORTED = Interval(30_000.0, 5_000.0, 200_000.0)
# Answers whose lengths the simulation of the steps takes in turn.
_PLAYED = 4_000
# Beyond this ratio and difference (seconds) of its bounds an estimate is called wide, and a sample
# is asked for of this many requests for each that runs at once, which fills the batch.
_WIDE = 2.5
_WORTH = 60.0
_LARGER = 3
_ASK_FOR_SAMPLE = "run some rows for real to know better: --sample 50"
_ASK_THERE = "run some rows there to know better: --sample 50"


@dataclass(frozen=True, slots=True)
class TimePart:
    """Seconds of one part of a run. `source`: "measured" (by this plan), "history", "sample",
    "roofline" or "assumed"."""

    name: str
    seconds: Interval
    source: str


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """Seconds of the next run, if it does all pending work. `source` is that of the generation:
    "history", "sample", "roofline" or "unknown", and then `seconds` is None; "assumed": nothing is
    to be generated, and no earlier run is known. `steps` of the engine, and requests in one of
    them (`batch`), on the mean. `notes`: its sources, and ways to a better estimate, a line each.
    `seconds_per_prompt_token`: of a token that is computed."""

    source: str
    seconds: Interval | None
    parts: list[TimePart]
    steps: int | None
    batch: float | None
    seconds_per_prompt_token: float | None
    notes: list[str]


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The cost of the next run. `basis`: "device time" of so many `devices`, or "tokens" (None: no
    price was given, or the time is not known). `listed`: the same tokens at the listed
    price, which has the name `listed_name`."""

    currency: str
    basis: str | None
    cost: Interval | None
    listed: Interval | None
    listed_name: str | None
    devices: int


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """Tokens of all requests to do, with their retries; `cached` is part of `prompt`."""

    prompt: Interval
    cached: Interval
    output: Interval


@dataclass(frozen=True, slots=True)
class NextEngine:
    """The engine to come, as far as it is known; `elsewhere`: on a device that is not here;
    `draft_tokens`: that it drafts for a request in a step at most."""

    scheduler: Scheduler
    shape: Shape | None
    device: Device | None
    weight_bytes: int | None
    elsewhere: bool = False
    draft_tokens: int = 0

    @property
    def advice(self) -> str:
        """A way to a better estimate of the time."""
        return _ASK_THERE if self.elsewhere else _ASK_FOR_SAMPLE


def estimate_time(
    load: Workload,
    tokens: TokenEstimate,
    engine: NextEngine,
    past: PastRuns | None,
    reading: float,
    rows: int,
) -> TimeEstimate:
    """Seconds of the next run. `reading`: seconds that reading and planning took just now; `rows`:
    to export."""
    estimated = _generation(load, tokens, engine, past)
    once = _once(engine, past, reading, rows, started=load.requests > 0)
    if not load.requests:
        return _sum(_source(past) if past else "assumed", once, None, None, [])
    if estimated is None:
        notes = ["the speed of the engine is unknown: there is no earlier run, and no known device"]
        return TimeEstimate("unknown", None, once, None, None, None, [*notes, engine.advice])
    generation, source, notes = estimated
    between = [
        TimePart("prefill", generation.prefill, source),
        TimePart("decode", generation.decode, source),
        TimePart("warm-up and idle", generation.rest, source),
    ]
    computed = load.computed.expected
    each = generation.prefill.expected / computed if computed else None
    return _sum(source, [*once[:2], *between, *once[2:]], generation, each, notes)


def _sum(
    source: str,
    parts: Sequence[TimePart],
    generation: Generation | None,
    per_token: float | None,
    notes: Sequence[str],
) -> TimeEstimate:
    apart = [part.seconds for part in parts if part.name not in _GENERATION]
    seconds = interval.total([*apart, *([generation.seconds] if generation else [])])
    return TimeEstimate(
        source,
        seconds.within(0.0, float("inf")),
        list(parts),
        round(generation.steps) if generation else None,
        round(generation.batch, 1) if generation else None,
        per_token,
        list(notes),
    )


_GENERATION = {"prefill", "decode", "warm-up and idle"}


def _once(
    engine: NextEngine, past: PastRuns | None, reading: float, rows: int, *, started: bool
) -> list[TimePart]:
    """The parts of a run before and after it generates."""
    measured = Interval(reading, 0.2 * reading, 2 * reading + 0.5)
    parts = [TimePart("reading and planning", measured, "measured")]
    source = _source(past)
    if started:
        assumed = _START + _LOAD_GIGABYTE * ((engine.weight_bytes or 0) / 1e9)
        parts.append(_part("engine start", past.start if past else None, assumed, source))
        parts.append(_part("engine stop", past.stop if past else None, _STOP, source))
    export = Interval(
        *(rows / rate for rate in (_EXPORTED.expected, _EXPORTED.high, _EXPORTED.low))
    )
    parts.append(_part("export", past.export if past else None, export + _EXPORT, source))
    parts.append(_part("other", past.other if past else None, _OTHER, source))
    return parts


def _source(past: PastRuns | None) -> str:
    return "sample" if past is not None and past.samples_only else "history"


def _part(name: str, known: Interval | None, assumed: Interval, source: str) -> TimePart:
    return TimePart(name, known or assumed, source if known else "assumed")


def _generation(
    load: Workload, tokens: TokenEstimate, engine: NextEngine, past: PastRuns | None
) -> tuple[Generation, str, list[str]] | None:
    if past is not None and past.seconds > 0 and past.computed + past.output > 0:
        drafts = draft_outlook.look_ahead(engine.draft_tokens, past, engine.advice)
        return _by_past_runs(_in_steps(load, drafts), past, drafts)
    if engine.shape is None or engine.device is None or not load.requests:
        return None
    drafts = draft_outlook.look_ahead(engine.draft_tokens, None, engine.advice)
    scaled = _in_steps(load, drafts)
    generation, notes = _by_roofline(scaled, tokens, engine.shape, engine.device)
    return generation, "roofline", list(dict.fromkeys([*notes, *drafts.notes, engine.advice]))


def _in_steps(load: Workload, drafts: DraftOutlook) -> Workload:
    """The same work with the steps of answers in place of their tokens."""
    return replace(load, output=interval.extremes(mul, load.output, drafts.per_token))


def _by_past_runs(
    load: Workload, past: PastRuns, drafts: DraftOutlook
) -> tuple[Generation, str, list[str]]:
    source = _source(past)
    notes = [_source_note(past)]
    if not past.same_settings:
        notes.append("those runs had other engine settings")
    notes += drafts.notes
    if past.cost is None:
        notes.append("too few steps to know the cost of a step: a wide guess")
    least = generation_time.OF_SAMPLE if past.samples_only else generation_time.OF_HISTORY
    if not past.same_settings:
        least = generation_time.OF_OTHER_SETTINGS
    least = max(least, interval.of_few(sum(run.attempts for run in past.runs)))
    tokens = past.computed + past.output * past.sequences_per_token
    done = PastWork(past.steps, tokens, past.seconds, past.cost, past.moments)
    generation = generation_time.by_past_runs(load, done, past.rest, least)
    bounds, larger = generation.seconds, _LARGER * load.scheduler.slots
    wide = bounds.high > _WIDE * bounds.low and bounds.high - bounds.low > _WORTH
    if past.samples_only and wide and larger < load.requests / 2:
        notes.append(f"a larger sample would tell more: --sample {larger}")
    return generation, source, notes


def _source_note(past: PastRuns) -> str:
    count = len(past.runs)
    runs = "an earlier run" if count == 1 else f"{count} earlier runs"
    if past.samples_only:
        runs = "a sample" if count == 1 else f"{count} samples"
    steps = past.moments.steps or past.steps.steps
    return f"from {runs} of {past.output:,.0f} output tokens in {steps:,.0f} steps"


def _by_roofline(
    load: Workload, tokens: TokenEstimate, shape: Shape, device: Device
) -> tuple[Generation, list[str]]:
    count = load.requests
    ceilings = Ceilings.of_device(device)
    batch = max(1.0, min(count, load.scheduler.slots))
    cached = tokens.cached.expected / count

    def least(computed: float, output: float) -> tuple[float, float]:
        each = roofline.Load(computed / count + cached, cached, output / count)
        bound = roofline.least_time(shape, each, batch, ceilings)
        return bound.prefill_seconds * count, bound.decode_seconds * count

    on_cpu = device.kind == "cpu"
    reached = generation_time.REACHED_BY_CPU if on_cpu else generation_time.REACHED_BY_GPU
    notes = [
        f"{'rough: ' if on_cpu else ''}assumes {reached.low:.0%} to {reached.high:.0%} of what "
        f"{device.title} can do at best ({device.source})",
    ]
    return generation_time.by_roofline(load, least, on_cpu=on_cpu), notes


def make_workload(
    tokens: TokenEstimate,
    requests: int,
    retries: float,
    lengths: Sequence[float],
    scheduler: Scheduler,
) -> Workload:
    """The work for `requests` requests, of which the share `retries` is tried again; `lengths`:
    tokens of single answers."""
    low = max(0.0, tokens.prompt.low - tokens.cached.high)
    expected = max(0.0, tokens.prompt.expected - tokens.cached.expected)
    high = max(expected, tokens.prompt.high - tokens.cached.low)
    computed = Interval(expected, min(low, expected), high)
    tries = round(requests * (1 + retries))
    return Workload(tries, computed, tokens.output, resample(lengths, _PLAYED) or [1.0], scheduler)


def estimate_cost(
    cost: CostSpec, devices: int, seconds: Interval | None, tokens: TokenEstimate | None
) -> CostEstimate:
    """The price of so much time of so many devices, or of so many tokens."""
    basis, spent, listed = None, None, None
    if cost.price_per_million is not None and tokens is not None:
        basis, spent = "tokens", _priced(cost.price_per_million.cost_of, tokens)
    elif cost.price_per_hour is not None and seconds is not None:
        basis = "device time"
        spent = seconds * (cost.price_per_hour * devices / 3600)
    name = None
    if cost.listed_price is not None and tokens is not None:
        listed, name = _priced(cost.listed_price.cost_of, tokens), cost.listed_price.name
    return CostEstimate(cost.currency, basis, spent, listed, name, devices)


def _priced(price: Callable[[int, int, int], float], tokens: TokenEstimate) -> Interval:
    def of(prompt: float, cached: float, output: float) -> float:
        return price(round(prompt), round(cached), round(output))

    return interval.of_function(of, tokens.prompt, tokens.cached, tokens.output)
