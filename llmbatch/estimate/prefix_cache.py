"""The tokens that vLLM's prefix cache would serve: a simulation of its scheduler and blocks.

Read in vLLM 0.32 (v1/core: block_pool, kv_cache_manager, single_type_kv_cache_manager, and
sched/scheduler). The cache is a pool of blocks of equal size. A block is free or held by running
requests; a free one keeps its content, and can be found by it, until it is taken for something
else. The free ones form a queue: what was freed longest ago is taken first, of one request the
end before the beginning, and blocks that are not full before all others. Only whole blocks are
shared, from the start of a prompt, and never all of a prompt: its last token is always computed.
A prompt's blocks can be shared from the moment it is scheduled.

Not simulated: models with sliding windows or state-space layers, speculation, adapters.
"""

import heapq
import math
from array import array
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

# In how many steps, at least, the blocks of a long answer are taken.
_GROWTHS = 16


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache and the scheduler before it.

    `block_size` in tokens; `blocks` as vLLM counts them, with the one that it never uses (None:
    no limit); `max_num_seqs` requests run at a time; a step computes up to `max_batched_tokens`
    (None: no limit).
    """

    block_size: int
    blocks: int | None = None
    max_num_seqs: int = 256
    max_batched_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Hits:
    """The tokens of each prompt that the cache serves, in the order of the prompts; `full_at`:
    the first prompt before which something that could have been shared was lost (None: never).
    """

    cached: list[int]
    full_at: int | None


def simulate(prompts: Iterable[Sequence[int]], cache: Cache, answers: Sequence[int]) -> Hits:
    """Simulate requests (prompts as token ids) in this order. Their answers have the lengths
    `answers` (tokens), taken in turn, over and over."""
    named = _named(prompts, cache.block_size)
    if cache.blocks is None:
        return Hits(_unlimited(named, cache.block_size), None)
    scheduler = _Scheduler(cache, cache.blocks - 1)
    lengths = cycle([max(1, length) for length in answers])
    scheduler.work([_Request(index, *one, next(lengths)) for index, one in enumerate(named)])
    return Hits(scheduler.cached, scheduler.pool.lost_at)


def _named(prompts: Iterable[Sequence[int]], block_size: int) -> Iterator[tuple[int, list[int]]]:
    """The length of each prompt and the names of its full blocks. A name stands for the tokens of
    the block and all before it."""
    names: dict[tuple[int, bytes], int] = {}
    for tokens in prompts:
        chain, before = [], -1
        packed = array("I", tokens)  # as numbers the tokens would need nine times the memory
        for start in range(0, len(tokens) - block_size + 1, block_size):
            content = (before, packed[start : start + block_size].tobytes())
            before = names.setdefault(content, len(names))
            chain.append(before)
        yield len(tokens), chain


def _unlimited(named: Iterable[tuple[int, list[int]]], block_size: int) -> list[int]:
    known: set[int] = set()
    cached = []
    for length, chain in named:
        hits = 0
        while hits < (length - 1) // block_size and chain[hits] in known:
            hits += 1
        known.update(chain[hits:])
        cached.append(hits * block_size)
    return cached


@dataclass(slots=True)
class _Request:
    """A request: its answer begins with step `first` and has `left` tokens; `turn` numbers the
    schedulings (0: never scheduled)."""

    index: int
    length: int
    chain: list[int]
    left: int
    first: int = 0
    turn: int = 0
    blocks: list[int] = field(default_factory=list)


class _Pool:
    """The blocks: their holders, their content, the order in which they are taken."""

    def __init__(self, blocks: int) -> None:
        # In the order in which they are taken.
        self.free: OrderedDict[int, None] = OrderedDict.fromkeys(range(blocks))
        self._holders = [0] * blocks
        self._name: list[int | None] = [None] * blocks
        # Two requests may have computed the same block; the older one is found.
        self._blocks_of: defaultdict[int, list[int]] = defaultdict(list)
        self.scheduled = 0
        self.lost_at: int | None = None

    def find(self, chain: Sequence[int]) -> list[int]:
        """The blocks of the longest known beginning of `chain`."""
        found = []
        for name in chain:
            if not (blocks := self._blocks_of.get(name)):
                break
            found.append(blocks[0])
        return found

    def fits(self, shared: Sequence[int], new: int) -> bool:
        return new + sum(block in self.free for block in shared) <= len(self.free)

    def hold(self, shared: Iterable[int]) -> None:
        for block in shared:
            self.free.pop(block, None)
            self._holders[block] += 1

    def take(self, count: int) -> list[int]:
        """Blocks with nothing in them, at the cost of what was in them."""
        taken = [self.free.popitem(last=False)[0] for _ in range(count)]
        for block in taken:
            self._holders[block] = 1
            name = self._name[block]
            if name is not None:
                self._forget(name, block)
        return taken

    def _forget(self, name: int, block: int) -> None:
        self._name[block] = None
        blocks = self._blocks_of[name]
        blocks.remove(block)
        if not blocks:
            del self._blocks_of[name]
            if self.lost_at is None:
                self.lost_at = self.scheduled

    def name(self, block: int, name: int) -> None:
        self._name[block] = name
        self._blocks_of[name].append(block)

    def give_back(self, blocks: Sequence[int], full: int) -> None:
        """Free blocks of a request, of which the first `full` hold something whole."""
        partial = []
        for index in range(len(blocks) - 1, -1, -1):
            block = blocks[index]
            self._holders[block] -= 1
            if self._holders[block]:
                continue
            self.free[block] = None
            if index >= full:
                partial.append(block)
        for block in reversed(partial):
            self.free.move_to_end(block, last=False)


class _Scheduler:
    """First come, first served, step by step; steps in which nothing changes are skipped."""

    def __init__(self, cache: Cache, blocks: int) -> None:
        self._size = cache.block_size
        self._slots = cache.max_num_seqs
        self._budget = cache.max_batched_tokens or math.inf
        self._debt = 0.0  # tokens of scheduled prompts for which the last step had no room
        self._waiting: deque[_Request] = deque()
        self._running: dict[int, _Request] = {}  # in the order in which they were scheduled
        # The next change of each request: (step, turn, index).
        self._events: list[tuple[int, int, int]] = []
        self._turns = 0
        self.pool = _Pool(blocks)
        self.cached: list[int] = []

    def work(self, requests: Sequence[_Request]) -> None:
        """Simulate all requests; fills `cached`."""
        self.cached = [0] * len(requests)
        self._waiting.extend(requests)
        step = 0
        while self._waiting:
            preempted = self._advance(step)
            more = preempted or self._admit(step)
            if not self._running and not preempted:
                self._waiting.popleft()  # too long for the whole pool: vLLM refuses it
            ahead = step + 1 if more or not self._events else self._events[0][0]
            self._debt = max(0.0, self._debt - self._budget * (ahead - step))
            step = ahead

    def _advance(self, step: int) -> bool:
        """End and grow requests after the steps before this one. True if one was preempted."""
        due = []
        while self._events and self._events[0][0] <= step:
            _, turn, index = heapq.heappop(self._events)
            request = self._running.get(index)
            if request is not None and request.turn == turn:
                due.append(request)
        for request in due:
            if step - request.first >= request.left:
                self._release(request, step)
        growing = [request for request in due if request.blocks]
        return sum(self._grow(request, step) for request in growing) > 0

    def _grow(self, request: _Request, step: int) -> bool:
        """A block more for an answer. True if the youngest request was preempted for it."""
        preempted = False
        while request.blocks and not self.pool.free:
            youngest = next(reversed(self._running.values()))
            alone = len(self._running) == 1
            done = self._release(youngest, step)
            if not alone:  # otherwise it is longer than the pool, and its end is near enough
                youngest.length += done
                youngest.left -= done
                self._waiting.appendleft(youngest)
                preempted = True
        if request.blocks:
            # Several at a time for a long answer, which is much quicker and nearly the same.
            count = max(1, request.left // self._size // _GROWTHS)
            request.blocks += self.pool.take(min(count, len(self.pool.free)))
            self._expect(request, step)
        return preempted

    def _release(self, request: _Request, step: int) -> int:
        """Give back what a request holds; the tokens of its answer so far."""
        answered = max(0, step - request.first)
        # The last token of an answer is not computed.
        self.pool.give_back(request.blocks, (request.length + max(0, answered - 1)) // self._size)
        request.blocks = []
        del self._running[request.index]
        return answered

    def _admit(self, step: int) -> bool:
        """Schedule what there is room for. True if more may be scheduled in the next step."""
        while self._waiting and len(self._running) < self._slots:
            if self._debt + len(self._running) >= self._budget:
                return True
            if not self._schedule(self._waiting[0], step):
                return False
            self._waiting.popleft()
        return False

    def _schedule(self, request: _Request, step: int) -> bool:
        shared = self.pool.find(request.chain[: (request.length - 1) // self._size])
        new = -(-request.length // self._size) - len(shared)
        if not self.pool.fits(shared, new):
            return False
        self.pool.hold(shared)
        self.pool.scheduled = request.index
        request.blocks = shared + self.pool.take(new)
        for index in range(len(shared), len(request.chain)):
            self.pool.name(request.blocks[index], request.chain[index])
        if not request.turn:
            self.cached[request.index] = len(shared) * self._size
        self._debt += request.length - len(shared) * self._size
        late = (self._debt + len(self._running)) / self._budget
        request.first = step + max(0, math.ceil(late) - 1)
        self._running[request.index] = request
        self._turns += 1
        request.turn = self._turns
        self._expect(request, request.first)
        return True

    def _expect(self, request: _Request, step: int) -> None:
        """Note when a request next needs a block or ends."""
        held = len(request.blocks) * self._size
        full = request.first + held - request.length + 1
        when = max(step + 1, min(full, request.first + request.left))
        heapq.heappush(self._events, (when, request.turn, request.index))
