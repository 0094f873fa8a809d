"""The tokens of a job's prompts before it runs: of all, or of a sample of many.

The bytes of every prompt are known, and tokens go with bytes: so a sample gives the total within a
few per cent (`core.interval.PairSample`), and prompts that are certainly short enough are not
encoded, because no token stands for less than a byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from llmbatch.core import interval, messages
from llmbatch.core.interval import Interval, PairSample
from llmbatch.estimate.cache_forecast import Encode
from llmbatch.pipeline.run.sample import spread
from llmbatch.store import history, plans
from llmbatch.store.database import Database
from llmbatch.store.history import PendingWork, RequestTokens

# Up to so many requests and bytes of messages all are encoded, which takes a few seconds.
EXACT_REQUESTS = 20_000
EXACT_BYTES = 20_000_000
# Of more than that, so many are; and of those that may be too long so many again.
SAMPLE = 4_000
_WINDOW = 2_000
_ENDLESS = 1 << 62
# Bytes of a token in English with usual tokenizers; in texts that these know little; at most.
_BYTES_A_TOKEN = (4.0, 1.5, 6.0)
# Tokens that a chat template may add to a prompt.
_OF_TEMPLATE = 40
# Rows that are still to come may differ from those that were answered.
_OF_OTHERS = 0.1


@dataclass(frozen=True, slots=True)
class LongestPrompt:
    """A row by its id and line, and the tokens of its prompt."""

    id: str
    line: int
    tokens: int


@dataclass(frozen=True, slots=True)
class ContextFit:
    """Rows against the longest sequence (`limit`, tokens) that the engine takes.

    `too_long`: their prompts leave no room for an answer, so they fail; `cut`: prompt and longest
    allowed answer together exceed it, so the answer may be cut. `longest`: the longest prompt that
    was seen, with its row.
    """

    limit: int | None
    source: str | None
    too_long: Interval
    cut: Interval
    longest: LongestPrompt


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Tokens of the prompts of the requests to do. `exact`: all of them were looked at, else the
    `total` is an estimate; `unreadable` are those among them that cannot be encoded, which will
    fail. `fitting`: the part of the total in `requests` that are short enough to run; `mean` and
    `longest` (tokens) are of these, as far as they were looked at."""

    total: Interval
    exact: bool
    looked_at: int
    unreadable: int
    fitting: Interval
    requests: int
    mean: float
    longest: int
    context: ContextFit


@dataclass(frozen=True, slots=True)
class ContextLimit:
    """The longest sequence that an engine takes (`tokens`), the source of that figure, and the
    longest answer (tokens)."""

    tokens: int | None
    source: str | None
    longest_answer: int


def measure(
    db: Database, pending: PendingWork, encode: Encode, limit: ContextLimit
) -> PromptTokens | None:
    """The tokens of the prompts of the pending work; None if none of them can be encoded."""
    encoded = _EncodedPrompts(db, pending, encode)
    count = len(pending.positions)
    every = count <= EXACT_REQUESTS and sum(pending.sizes) <= EXACT_BYTES
    chosen = range(count) if every else spread(count, SAMPLE)
    encoded.encode_at(chosen)
    if not encoded.tokens:
        return None
    return _summarize(encoded, [index for index in chosen if index in encoded.tokens], limit)


def by_size(
    db: Database, pending: PendingWork, spent: Sequence[RequestTokens]
) -> PromptTokens | None:
    """The same where no prompt can be encoded: by requests of earlier runs (`looked_at`), or, with
    none of these, by the bytes of the messages and how many a token has in most languages. None if
    there is nothing to do."""
    sizes, count = pending.sizes, len(pending.positions)
    if not count:
        return None
    if spent:
        seen = PairSample.from_pairs([(1.0, float(one.prompt)) for one in spent])
        least = max(_OF_OTHERS, interval.of_few(len(spent)) / 2)
        total = seen.total_of_others(count, count).at_least_around(least).within(0, _ENDLESS)
    else:
        of_template = Interval(_OF_TEMPLATE / 4, 0, _OF_TEMPLATE) * count
        expected, most, least = (sum(sizes) / each for each in _BYTES_A_TOKEN)
        total = Interval(expected, least, most) + of_template
    total = total.rounded()
    index = max(range(count), key=sizes.__getitem__)
    name, line = history.first_row(db, pending.positions[index])
    longest = LongestPrompt(name, line, round(sizes[index] / _BYTES_A_TOKEN[0]))
    none = Interval.exactly(0)
    fit = ContextFit(None, None, none, none, longest)
    mean = round(total.expected / count, 1)
    return PromptTokens(total, False, len(spent), 0, total, count, mean, longest.tokens, fit)


@dataclass
class _EncodedPrompts:
    """The prompts that were encoded: tokens and rows of requests, by their indexes in `pending`."""

    db: Database
    pending: PendingWork
    encode: Encode
    tokens: dict[int, int] = field(default_factory=dict)
    rows: dict[int, float] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)

    def encode_at(self, indexes: Sequence[int]) -> None:
        """Encode the prompts at these indexes (ascending), as far as that was not done."""
        wanted = [index for index in indexes if index not in self.rows]
        for start in range(0, len(wanted), _WINDOW):
            self._encode(wanted[start : start + _WINDOW])

    def _encode(self, indexes: Sequence[int]) -> None:
        wanted = plans.requests_at(self.db, [self.pending.positions[index] for index in indexes])
        for index, planned in zip(indexes, wanted, strict=True):
            self.rows[index] = planned.rows
            try:
                ids = self.encode(messages.messages_of(planned.messages))
            except ValueError:
                ids = None
            if ids:
                self.tokens[index] = len(ids)
            else:
                self.unreadable.add(index)

    @property
    def overhead(self) -> int:
        """The most tokens that a prompt had beyond its bytes: those of the chat template."""
        sizes = self.pending.sizes
        return max(0, *(tokens - sizes[index] for index, tokens in self.tokens.items()))


def _summarize(
    encoded: _EncodedPrompts, sample: Sequence[int], limit: ContextLimit
) -> PromptTokens:
    sizes = encoded.pending.sizes
    count = len(sizes) - len(encoded.unreadable)
    whole = len(encoded.rows) == len(sizes)
    too_long = Interval.exactly(0)
    cut = too_long
    if limit.tokens is not None:
        # vLLM asks for room for one token of the answer.
        too_long = _rows_over(encoded, sample, limit.tokens - 1)
        over = _rows_over(encoded, sample, limit.tokens - limit.longest_answer)
        cut = Interval(
            max(0, over.expected - too_long.expected),
            max(0, over.low - too_long.high),
            max(0, over.high - too_long.low),
        )
    most = limit.tokens or _ENDLESS
    short = [index for index in sample if encoded.tokens[index] < most]
    total = _total(encoded, sample, count, sum(sizes), exact=whole)
    # A prompt that is too long fails at once, and nothing is computed for it.
    requests = round(count * len(short) / len(sample))
    share = sum(encoded.tokens[index] for index in short) / sum(encoded.tokens[p] for p in sample)
    fitting = total * share
    return PromptTokens(
        total,
        whole,
        len(encoded.rows),
        len(encoded.unreadable),
        fitting,
        requests,
        round(fitting.expected / max(1, requests), 1),
        max((tokens for tokens in encoded.tokens.values() if tokens < most), default=0),
        ContextFit(limit.tokens, limit.source, too_long, cut, _longest(encoded)),
    )


def _total(
    encoded: _EncodedPrompts, sample: Sequence[int], count: int, size: int, *, exact: bool
) -> Interval:
    if exact:
        return Interval.exactly(sum(encoded.tokens.values()))
    sizes = encoded.pending.sizes
    pairs = [(float(sizes[index]), float(encoded.tokens[index])) for index in sample]
    known = sum(encoded.tokens[index] for index in sample)
    return PairSample.from_pairs(pairs).total_of_all(count, size).within(known, _ENDLESS).rounded()


def _rows_over(encoded: _EncodedPrompts, sample: Sequence[int], most: int) -> Interval:
    """Rows whose prompts have more than `most` tokens: counted among those of enough bytes if
    these are few, else estimated from the sample."""
    sizes, overhead = encoded.pending.sizes, encoded.overhead
    possible = [index for index, size in enumerate(sizes) if size + overhead > most]
    if sum(index not in encoded.rows for index in possible) <= SAMPLE:
        encoded.encode_at(possible)
        return Interval.exactly(_rows(encoded, possible, most))
    seen = [index for index in sample if sizes[index] + overhead > most]
    hits = sum(encoded.tokens[index] > most for index in seen)
    rows_each = sum(encoded.rows[index] for index in seen) / max(1, len(seen))
    share = interval.share(hits, len(seen))
    return (share * (len(possible) * rows_each)).rounded()


def _rows(encoded: _EncodedPrompts, indexes: Sequence[int], most: int) -> int:
    over = (encoded.rows[index] for index in indexes if encoded.tokens.get(index, 0) > most)
    return round(sum(over))


def _longest(encoded: _EncodedPrompts) -> LongestPrompt:
    index = max(encoded.tokens, key=lambda one: encoded.tokens[one])
    name, line = history.first_row(encoded.db, encoded.pending.positions[index])
    return LongestPrompt(name, line, encoded.tokens[index])
