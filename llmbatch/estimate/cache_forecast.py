"""The forecast of the prompt tokens that the prefix cache serves.

The prompts are encoded and simulated in the cache (`prefix_cache`) in the order in which they
would run. Of many, some stretches of neighbours stand for all, because only neighbours show what is
shared; the first part of a stretch fills the cache and is not counted.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmbatch.constraints.choice_left import ChoiceLeft
from llmbatch.core.messages import messages_of
from llmbatch.core.records import Message
from llmbatch.engines.info import EngineInfo
from llmbatch.estimate.prefix_cache import Cache, simulate
from llmbatch.job.spec import JobSpec
from llmbatch.sizing.settings import EngineSettings

# The most requests that are simulated; the number of stretches if there are more; and the part of a
# stretch that is not counted.
MOST = 4_000
_STRETCHES = 4
_WARM_UP = 0.25
# A stretch ends early after so many tokens, which take about a second.
_MOST_TOKENS = 1_000_000
# vLLM's own defaults, where those of the engine are unknown.
_BLOCK_SIZE = 16
_MAX_NUM_SEQS = 256
_LONG = 512

# The token ids of a chat; None: they cannot be had before the engine is started.
Encode = Callable[[Sequence[Message]], Sequence[int] | None]
# The tokens of neighbours, prompt by prompt.
Stretch = list[Sequence[int]]


@dataclass(frozen=True, slots=True)
class CacheAssumptions:
    """The cache that a forecast is for, and the source of its figures; `answers` are lengths
    (tokens) of answers, as they may follow each other."""

    cache: Cache
    source: str
    answers: Sequence[int]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast for `requests` requests, by simulating `looked_at` of them.

    `prompt_tokens` and `cached_tokens` are of all requests (estimated unless all were looked at),
    `hits` is their ratio. `at_least`: the sample is too short to have filled the cache, so there
    may be more hits. `cache_blocks` None: no limit was known. `answer_tokens`: the mean.
    """

    requests: int
    looked_at: int
    prompt_tokens: int
    cached_tokens: int
    hits: float
    at_least: bool
    block_size: int
    cache_blocks: int | None
    max_num_seqs: int
    answer_tokens: float
    source: str


def choose_ranges(count: int) -> list[range]:
    """The indexes of all of `count` things, or of some stretches, evenly spread."""
    if count <= MOST:
        return [range(count)] if count else []
    length = MOST // _STRETCHES
    last = count - length
    starts = (last * number // (_STRETCHES - 1) for number in range(_STRETCHES))
    return [range(start, start + length) for start in starts]


def can_encode(encode: Encode) -> bool:
    """True if prompts can be encoded before a start. The first call loads a tokenizer."""
    try:
        return encode([Message("user", "")]) is not None
    except ValueError:  # a chat template may dislike an empty message
        return True


def encode_stretch(encode: Encode, prompts: Iterable[Sequence[Message]]) -> Stretch:
    """The tokens of one stretch of prompts, less those that cannot be encoded: they will fail."""
    stretch: Stretch = []
    total = 0
    for messages in prompts:
        try:
            ids = encode(messages)
        except ValueError:
            continue
        if ids:
            stretch.append(array("I", ids))
            total += len(ids)
        if total >= _MOST_TOKENS:
            break
    return stretch


def read_chats(texts: Iterable[str]) -> Iterator[Sequence[Message]]:
    """Messages from the JSON that the store keeps them in."""
    return map(messages_of, texts)


def predict(
    stretches: Sequence[Stretch], requests: int, assumed: CacheAssumptions
) -> Forecast | None:
    """The forecast for `requests` requests from stretches of them; None if there is nothing."""
    looked_at = sum(map(len, stretches))
    if not looked_at:
        return None
    sampled = requests > MOST or any(_is_cut(stretch) for stretch in stretches)
    counted = cached = total = 0
    at_least = False
    for stretch in stretches:
        lengths = list(map(len, stretch))
        warm = int(len(stretch) * _WARM_UP) if sampled else 0
        hits = simulate(stretch, assumed.cache, assumed.answers)
        total += sum(lengths)
        counted += sum(lengths[warm:])
        cached += sum(hits.cached[warm:])
        at_least |= sampled and (hits.full_at is None or hits.full_at > warm)
    share = cached / counted if counted else 0.0
    prompt_tokens = round(total * requests / looked_at)
    cache = assumed.cache
    return Forecast(
        requests=requests,
        looked_at=looked_at,
        prompt_tokens=prompt_tokens,
        cached_tokens=round(prompt_tokens * share),
        hits=round(share, 4),
        at_least=at_least,
        block_size=cache.block_size,
        cache_blocks=cache.blocks,
        max_num_seqs=cache.max_num_seqs,
        answer_tokens=round(sum(assumed.answers) / len(assumed.answers), 1),
        source=assumed.source,
    )


def _is_cut(stretch: Stretch) -> bool:
    return sum(map(len, stretch)) >= _MOST_TOKENS


def as_json(forecast: Forecast) -> dict[str, Any]:
    """A forecast as the store keeps it."""
    return asdict(forecast)


def assume_as_described(info: EngineInfo, answers: Sequence[int]) -> CacheAssumptions | None:
    """The cache that an engine reports; None if it reports none."""
    if not info.block_size or not info.prefix_caching:
        return None
    return CacheAssumptions(_cache(info), "the engine", answers)


def assume_before_start(
    last: EngineInfo, settings: EngineSettings, answers: Sequence[int]
) -> CacheAssumptions:
    """The cache as far as it is known before a start: by the job's last engine, and by the present
    settings, which win."""
    cache = _cache(last.updated(settings))
    if last.block_size:
        source = "as the job's last engine"
    elif cache.blocks is not None:
        source = "by the engine's options"
    else:
        source = "assumed"
    return CacheAssumptions(cache, source, answers)


def _cache(known: EngineSettings) -> Cache:
    return Cache(
        block_size=known.block_size or _BLOCK_SIZE,
        blocks=known.kv_cache_blocks or None,
        max_num_seqs=known.max_num_seqs or _MAX_NUM_SEQS,
        max_batched_tokens=known.max_num_batched_tokens or None,
    )


def answer_lengths(spec: JobSpec, known: Sequence[int]) -> Sequence[int]:
    """The lengths of answers to expect: those that the job has had; else, for choices, by their
    characters (about three make a token, and one ends the answer, if that does not end where one
    choice is left); else the longest allowed, or `_LONG` if that is less: few answers use up what
    they are allowed.
    """
    if known:
        return known
    most = spec.longest_answer
    if spec.answer.choice is not None:
        return [min(most, length) for length in _choice_lengths(spec, spec.answer.choice)]
    return [min(most, _LONG)]


def _choice_lengths(spec: JobSpec, choices: Sequence[str]) -> Iterator[int]:
    left = ChoiceLeft(choices)
    drawn_to_the_end = spec.sampling.stop or spec.reasons or spec.answer.constrain == "check"
    for choice in choices:
        whole, settled = len(choice) // 3 + 2, (left.settled_after(choice) - 1) // 3 + 1
        yield whole if drawn_to_the_end else min(whole, settled)
