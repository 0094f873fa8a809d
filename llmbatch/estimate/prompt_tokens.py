"""The tokens of a job's prompts before it runs: of all, or of a sample of many.

The bytes of every prompt are known, and tokens go with bytes: so a sample tells the total within a
few per cent (`core.interval.Sampled`), and prompts that are certainly short enough need no look,
because no token stands for less than a byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from llmbatch.core import interval, messages
from llmbatch.core.interval import Interval, Sampled
from llmbatch.estimate.cache_forecast import Encode
from llmbatch.pipeline.run.sample import spread
from llmbatch.store import history, plans
from llmbatch.store.database import Database
from llmbatch.store.history import PendingWork

# Up to so many requests and bytes of messages all are tokenised, which takes a few seconds.
EXACT_REQUESTS = 20_000
EXACT_BYTES = 20_000_000
# Of more than that, so many are; and of those that may be too long so many again.
SAMPLE = 4_000
_WINDOW = 2_000
_ENDLESS = 1 << 62


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
    """The longest sequence an engine takes, where that is known from, and the longest answer."""

    tokens: int | None
    source: str | None
    longest_answer: int


def measure(
    db: Database, left: PendingWork, encode: Encode, limit: ContextLimit
) -> PromptTokens | None:
    """The tokens of the prompts of what is left; None if none of them can be encoded."""
    found = _EncodedPrompts(db, left, encode)
    count = len(left.positions)
    every = count <= EXACT_REQUESTS and sum(left.sizes) <= EXACT_BYTES
    chosen = range(count) if every else spread(count, SAMPLE)
    found.look(chosen)
    if not found.tokens:
        return None
    return _told(found, [place for place in chosen if place in found.tokens], limit)


@dataclass
class _EncodedPrompts:
    """What was tokenised: tokens and rows of requests, by their places in `left`."""

    db: Database
    left: PendingWork
    encode: Encode
    tokens: dict[int, int] = field(default_factory=dict)
    rows: dict[int, int] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)

    def look(self, places: Sequence[int]) -> None:
        """Tokenise the prompts at these places, in ascending order, if that was not done."""
        wanted = [place for place in places if place not in self.rows]
        for start in range(0, len(wanted), _WINDOW):
            self._look(wanted[start : start + _WINDOW])

    def _look(self, places: Sequence[int]) -> None:
        found = plans.requests_at(self.db, [self.left.positions[place] for place in places])
        for place, planned in zip(places, found, strict=True):
            self.rows[place] = planned.copies
            try:
                ids = self.encode(messages.messages_of(planned.messages))
            except ValueError:
                ids = None
            if ids:
                self.tokens[place] = len(ids)
            else:
                self.unreadable.add(place)

    @property
    def overhead(self) -> int:
        """How many tokens a prompt had beyond its bytes, at most: those of the chat template."""
        sizes = self.left.sizes
        return max(0, *(tokens - sizes[place] for place, tokens in self.tokens.items()))


def _told(found: _EncodedPrompts, sample: Sequence[int], limit: ContextLimit) -> PromptTokens:
    sizes = found.left.sizes
    count = len(sizes) - len(found.unreadable)
    whole = len(found.rows) == len(sizes)
    too_long = Interval.exactly(0)
    cut = too_long
    if limit.tokens is not None:
        # vLLM asks for room for one token of the answer.
        too_long = _rows_over(found, sample, limit.tokens - 1)
        over = _rows_over(found, sample, limit.tokens - limit.longest_answer)
        cut = Interval(
            max(0, over.expected - too_long.expected),
            max(0, over.low - too_long.high),
            max(0, over.high - too_long.low),
        )
    most = limit.tokens or _ENDLESS
    short = [place for place in sample if found.tokens[place] < most]
    total = _total(found, sample, count, sum(sizes), exact=whole)
    # What is too long fails at once and computes nothing.
    requests = round(count * len(short) / len(sample))
    share = sum(found.tokens[place] for place in short) / sum(found.tokens[p] for p in sample)
    fitting = total * share
    return PromptTokens(
        total,
        whole,
        len(found.rows),
        len(found.unreadable),
        fitting,
        requests,
        round(fitting.expected / max(1, requests), 1),
        max((tokens for tokens in found.tokens.values() if tokens < most), default=0),
        ContextFit(limit.tokens, limit.source, too_long, cut, _longest(found)),
    )


def _total(
    found: _EncodedPrompts, sample: Sequence[int], count: int, size: int, *, exact: bool
) -> Interval:
    if exact:
        return Interval.exactly(sum(found.tokens.values()))
    pairs = [(float(found.left.sizes[place]), float(found.tokens[place])) for place in sample]
    known = sum(found.tokens[place] for place in sample)
    return Sampled.of(pairs).total_of_all(count, size).within(known, _ENDLESS).rounded()


def _rows_over(found: _EncodedPrompts, sample: Sequence[int], most: int) -> Interval:
    """Rows whose prompts have more than `most` tokens: counted among those of enough bytes if
    these are few, else estimated from the sample."""
    sizes, overhead = found.left.sizes, found.overhead
    possible = [place for place, size in enumerate(sizes) if size + overhead > most]
    if sum(place not in found.rows for place in possible) <= SAMPLE:
        found.look(possible)
        return Interval.exactly(_rows(found, possible, most))
    seen = [place for place in sample if sizes[place] + overhead > most]
    hits = sum(found.tokens[place] > most for place in seen)
    rows_each = sum(found.rows[place] for place in seen) / max(1, len(seen))
    share = interval.share(hits, len(seen))
    return (share * (len(possible) * rows_each)).rounded()


def _rows(found: _EncodedPrompts, places: Sequence[int], most: int) -> int:
    return sum(found.rows[place] for place in places if found.tokens.get(place, 0) > most)


def _longest(found: _EncodedPrompts) -> LongestPrompt:
    place = max(found.tokens, key=lambda one: found.tokens[one])
    name, line = history.first_row(found.db, found.left.positions[place])
    return LongestPrompt(name, line, found.tokens[place])
