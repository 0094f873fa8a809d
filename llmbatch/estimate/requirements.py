"""The requirements of a plan's requests: tokens, memory, time and money, brought together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmbatch.core.interval import Interval
from llmbatch.engines import base
from llmbatch.engines.base import KnowsModel
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.speculates import draft_tokens_of
from llmbatch.estimate import cache_outlook, output_tokens, past_runs, prompt_tokens, time_and_cost
from llmbatch.estimate.batching import Scheduler
from llmbatch.estimate.cache_forecast import CacheAssumptions
from llmbatch.estimate.cache_outlook import CacheOutlook
from llmbatch.estimate.encoded_once import EncodedOnce
from llmbatch.estimate.output_tokens import OutputTokens
from llmbatch.estimate.prompt_tokens import ContextLimit, PromptTokens
from llmbatch.estimate.time_and_cost import CostEstimate, NextEngine, TimeEstimate, TokenEstimate
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.sizing import memory
from llmbatch.sizing.device import Device
from llmbatch.sizing.memory import Memory
from llmbatch.sizing.settings import EngineSettings
from llmbatch.store.database import Database
from llmbatch.store.history import JobHistory, PendingWork

# The largest error that was seen of a forecast of the cache, as a share of the prompts' tokens.
_HITS = 0.02
# Tokens that vLLM computes in a step by default, by kind of device.
_BLOCK = 16  # tokens in a block of its cache by default
_BUDGET = {"cpu": 4_096, "gpu": 8_192}


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements of the requests to do. `prompt` and `output` tokens are None where they are
    unknown; `tokens` are those of both, with retries. `memory`: None without a known device."""

    prompt: PromptTokens | None
    output: OutputTokens | None
    tokens: TokenEstimate | None
    memory: Memory | None
    device: Device | None
    time: TimeEstimate
    cost: CostEstimate
    prefix_cache: CacheOutlook


@dataclass(frozen=True, slots=True)
class EngineAssumptions:
    """The engine as far as it is known before it starts: its `settings`, and the report of the
    job's `last` one. `moved`: it would run on another device than before, so that earlier runs say
    nothing of its time; `elsewhere`: on one that was named, and need not be here."""

    engine: base.Engine
    settings: EngineSettings
    last: EngineInfo
    device: Device | None
    moved: bool = False
    elsewhere: bool = False


def estimate(
    db: Database,
    job: ReadyJob,
    pending: PendingWork,
    engine: base.Engine,
    order: Sequence[str],
    device: Device | None,
    reading: float,
) -> Requirements:
    """The requirements of the pending work. `order`: of a record's fields; `device`: None for the
    one that is there; `reading`: seconds that reading and planning took."""
    spec = job.spec
    given = assume_engine(spec, engine, pending.history, device)
    assumed = cache_outlook.assume(spec, pending.history, cache_settings(given), given.last)
    if given.elsewhere and given.settings.kv_cache_blocks is None and assumed.cache.blocks:
        assumed = replace(assumed, source="by formula")
    encode = EncodedOnce(engine.encode)
    outlook = cache_outlook.look_ahead(db, job, order, pending, assumed, engine, encode)
    limit = _limit(spec, given)
    if outlook.unknown:
        prompt = prompt_tokens.by_size(db, pending, pending.history.spent)
    else:
        prompt = prompt_tokens.measure(db, pending, encode, limit)
    drafts = draft_tokens_of(engine)
    past = None if given.moved else past_runs.from_history(pending.history, spec, drafts)
    rows = _rows(pending)
    if prompt is None:
        return _without_prompts(spec, pending, given, past, outlook, reading, rows)
    room = max(1, limit.tokens - round(prompt.mean)) if limit.tokens else None
    output = output_tokens.expect(
        spec, pending.history, prompt.requests, prompt.fitting.expected, room
    )
    again = output_tokens.prompts_again(pending.history, prompt.requests, prompt.fitting.expected)
    tokens = _tokens(prompt, again, output, outlook, given)
    fit = _memory(spec, given, prompt, output)
    machine = engine_to_come(assumed, given, fit, tokens, prompt.requests)
    load = time_and_cost.make_workload(
        tokens,
        prompt.requests,
        output.retries.expected,
        output_tokens.lengths(spec, pending.history),
        machine.scheduler,
    )
    time = time_and_cost.estimate_time(load, tokens, machine, past, reading, rows)
    cost = time_and_cost.estimate_cost(spec.cost, spec.devices, time.seconds, tokens)
    return Requirements(prompt, output, tokens, fit, given.device, time, cost, outlook)


def _rows(pending: PendingWork) -> int:
    """The rows that an export writes, about."""
    return round(len(pending.rows) + pending.history.settled_rows)


def _without_prompts(
    spec: JobSpec,
    pending: PendingWork,
    given: EngineAssumptions,
    past: past_runs.PastRuns | None,
    outlook: CacheOutlook,
    reading: float,
    rows: int,
) -> Requirements:
    """The requirements where nothing is pending, or prompts cannot be encoded before a start."""
    nothing = Interval.exactly(0)
    machine = NextEngine(Scheduler(1), None, given.device, None)
    none = TokenEstimate(nothing, nothing, nothing)
    load = time_and_cost.make_workload(none, len(pending.positions), 0.0, [1.0], machine.scheduler)
    time = time_and_cost.estimate_time(
        load, none, machine, None if pending.positions else past, reading, rows
    )
    tokens = None if pending.positions else none
    cost = time_and_cost.estimate_cost(spec.cost, spec.devices, time.seconds, tokens)
    return Requirements(None, None, tokens, None, given.device, time, cost, outlook)


def assume_engine(
    spec: JobSpec, engine: base.Engine, past: JobHistory, device: Device | None
) -> EngineAssumptions:
    """The engine as far as it is known; `device`: None for the one that is there."""
    last, options = EngineInfo.from_json(past.engine), spec.engine.options
    ran_on = last.hardware
    if device is None:
        # The next run will be where the last one was, even if this command runs elsewhere.
        there = ran_on or (engine.device() if isinstance(engine, KnowsModel) else None)
        settings = base.settings_before_start(engine, options)
        return EngineAssumptions(engine, settings, last, there)
    # By the options alone: the others depend on the device that is here.
    settings = EngineSettings.from_options(options)
    moved = ran_on is None or (ran_on.name, ran_on.count) != (device.name, device.count)
    return EngineAssumptions(
        engine, settings, EngineInfo() if moved else last, device, moved, elsewhere=True
    )


def cache_settings(given: EngineAssumptions) -> EngineSettings:
    """The settings, with the cache that a device which was named has room for."""
    sized = given.engine if given.elsewhere and isinstance(given.engine, KnowsModel) else None
    shape = sized.shape() if sized else None
    if sized is None or shape is None or given.device is None:
        return given.settings
    fit = memory.fit(
        shape,
        given.device,
        weight_bytes=sized.weight_bytes(),
        settings=given.settings.updated(given.last),
        tokens_mean=1,
        tokens_longest=1,
    )
    size = given.settings.block_size or _BLOCK
    room = EngineSettings(max_num_seqs=fit.max_num_seqs, kv_cache_blocks=fit.cache_tokens // size)
    return room.updated(given.settings)


def _limit(spec: JobSpec, given: EngineAssumptions) -> ContextLimit:
    """The longest sequence that the engine will take."""
    longest = spec.longest_answer
    option = given.settings.max_model_len or 0
    if option > 0:
        return ContextLimit(option, "max_model_len", longest)
    if given.last.max_model_len:
        return ContextLimit(given.last.max_model_len, "the job's last engine", longest)
    shape = given.engine.shape() if isinstance(given.engine, KnowsModel) else None
    if shape is not None and shape.context:
        return ContextLimit(shape.context, "the model's configuration", longest)
    return ContextLimit(None, None, longest)


def _tokens(
    prompt: PromptTokens,
    again: Interval,
    output: OutputTokens,
    outlook: CacheOutlook,
    given: EngineAssumptions,
) -> TokenEstimate:
    """`again`: tokens of prompts that are sent once more for retries."""
    total = prompt.fitting + again
    return TokenEstimate(total.rounded(), _cached(total, outlook, given).rounded(), output.total)


def _cached(total: Interval, outlook: CacheOutlook, given: EngineAssumptions) -> Interval:
    """Prompt tokens that the prefix cache will serve."""
    if False in (given.settings.prefix_caching, given.last.prefix_caching):
        return Interval.exactly(0)
    if outlook.planned is None:
        return Interval(0, 0, total.expected / 2)
    hits = outlook.planned.hits
    high = hits + (1 - hits) / 2 if outlook.planned.at_least else hits + _HITS
    share = Interval(hits, max(0.0, hits - _HITS), min(1.0, high))
    return share * total.expected


def _memory(
    spec: JobSpec, given: EngineAssumptions, prompt: PromptTokens, output: OutputTokens
) -> Memory | None:
    if not isinstance(given.engine, KnowsModel):
        return None
    shape, device = given.engine.shape(), given.device
    if shape is None or device is None:
        return None
    return memory.fit(
        shape,
        device,
        weight_bytes=given.engine.weight_bytes(),
        settings=given.settings.updated(given.last),
        tokens_mean=prompt.mean + output.each,
        tokens_longest=_longest(prompt, spec.longest_answer),
    )


def _longest(prompt: PromptTokens, answer: int) -> int:
    """Tokens of the longest prompt and answer together, as far as the engine takes them."""
    longest = prompt.longest + answer
    return longest if prompt.context.limit is None else min(longest, prompt.context.limit)


def engine_to_come(
    assumed: CacheAssumptions,
    given: EngineAssumptions,
    fit: Memory | None,
    tokens: TokenEstimate,
    requests: int,
) -> NextEngine:
    """The engine to come, as far as the time depends on it."""
    sized = given.engine if isinstance(given.engine, KnowsModel) else None
    known = given.last.updated(given.settings)
    slots = assumed.cache.max_num_seqs if fit is None else fit.max_num_seqs
    if known.max_num_seqs == 0:  # an engine that answers one request after the other
        slots = 1
    cache = assumed.cache
    room = cache.blocks * cache.block_size if cache.blocks else fit.cache_tokens if fit else None
    if room and requests:
        new = tokens.prompt.expected - tokens.cached.expected
        # A request that runs holds its prompt, and half of its answer on the mean.
        each = (new + tokens.output.expected / 2) / requests + cache.block_size / 2
        slots = max(1, min(slots, int(room / each)))
    kind = given.device.kind if given.device is not None and sized is not None else ""
    budget = cache.max_batched_tokens or _BUDGET.get(kind)
    return NextEngine(
        Scheduler(slots, budget),
        sized.shape() if sized else None,
        given.device,
        fit.weight_bytes if fit else None,
        elsewhere=given.elsewhere,
        draft_tokens=draft_tokens_of(given.engine),
    )
