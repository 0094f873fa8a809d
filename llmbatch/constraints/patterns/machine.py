"""A machine that reads a text from left to right and knows what its pattern looks at.

It is a set of threads. A thread stands at a place of the pattern and has promises: what a look
ahead that it passed has seen so far. A look behind is another set of threads, which reads along
from the start of the text. So any nesting of looks becomes states and steps, which can be counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from llmbatch.constraints.patterns.characters import ANY, Characters
from llmbatch.constraints.patterns.edges import EntangledError
from llmbatch.constraints.patterns.syntax import (
    Chars,
    Choice,
    Edge,
    Look,
    Node,
    Repeat,
    Sequence,
    children,
)

MOST_PLACES = 6_000
MOST_THREADS = 300_000
"""Threads that are followed from one place to the next in all; it takes about half a second."""

Threads = frozenset[tuple[int, "Promises"]]
Promises = frozenset[tuple[int, "Threads"]]
"""Looks ahead by number, each with its own threads."""

_NONE: Promises = frozenset()
_NO_THREADS: Threads = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """A gap between two characters: the one before and the one after it by their number (None at
    the ends of the text), and the looks behind that are true there."""

    before: int | None
    after: int | None
    behind: frozenset[int] = frozenset()


State = tuple[int | None, tuple[Threads, ...], Threads]
"""The character before, the threads of each look behind, those of the pattern."""


def alphabet(node: Node) -> list[Characters]:
    """Disjoint sets of characters, which a pattern cannot tell apart within a set."""
    parts = [ANY]
    for wanted in dict.fromkeys(_sets(node)):
        halves = [half for part in parts for half in (part & wanted, part - wanted)]
        parts = [half for half in halves if half]
    return parts


def _sets(node: Node) -> Iterable[Characters]:
    if isinstance(node, Chars | Edge):
        yield node.characters
    for child in children(node):
        yield from _sets(child)


@dataclass(slots=True)
class _Wiring:
    """The places of a pattern: from each, the characters that lead on, and the empty ways."""

    steps: list[list[tuple[frozenset[int], int]]] = field(default_factory=list)
    ways: list[list[tuple[Edge | int | None, int]]] = field(default_factory=list)

    def place(self, position: int) -> int:
        if len(self.steps) >= MOST_PLACES:
            raise EntangledError(position)
        self.steps.append([])
        self.ways.append([])
        return len(self.steps) - 1


class Machine:
    """The machine of a pattern for a whole text."""

    def __init__(self, node: Node, symbols: list[Characters]) -> None:
        self._symbols = symbols
        self._wiring = _Wiring()
        self._numbers: dict[Characters, frozenset[int]] = {}
        self._starts: list[int] = []  # of each look
        self._ends: list[int] = []
        self._looks: list[Look] = []
        self._end = self._new(0)
        self._start = self._wire(node, self._end)
        self._followed = 0
        self._behind = [n for n, look in enumerate(self._looks) if look.behind]

    def initial(self) -> State:
        """The state before a text."""
        return None, tuple(_one(self._starts[n]) for n in self._behind), _one(self._start)

    def step(self, state: State, symbol: int) -> State:
        """The state after one more character of a set of the alphabet."""
        before, behind, threads = state
        place = self._place(before, symbol, behind)
        moved = tuple(self._moved(each, place) for each in behind)
        return self._seen(symbol), moved, self._moved(threads, place)

    def accepts(self, state: State) -> bool:
        """True if the text may end here."""
        before, behind, threads = state
        return self._finished(threads, self._end, self._place(before, None, behind))

    def _seen(self, symbol: int) -> int:
        """A number for all characters that no edge tells apart."""
        for number in range(symbol):
            if all((number in each) == (symbol in each) for each in self._edges_behind()):
                return number
        return symbol

    def _edges_behind(self) -> list[frozenset[int]]:
        return [
            self._members(way.characters)
            for ways in self._wiring.ways
            for way, _ in ways
            if isinstance(way, Edge) and way.behind
        ]

    def _place(self, before: int | None, after: int | None, behind: tuple[Threads, ...]) -> Place:
        true: set[int] = set()
        for number, threads in zip(self._behind, behind, strict=True):
            place = Place(before, after, frozenset(true))
            if self._finished(threads, self._ends[number], place):
                true.add(number)
        return Place(before, after, frozenset(true))

    def _members(self, characters: Characters) -> frozenset[int]:
        if characters not in self._numbers:
            self._numbers[characters] = frozenset(
                number for number, each in enumerate(self._symbols) if each & characters
            )
        return self._numbers[characters]

    # The wiring: each part leads to what follows it.

    def _new(self, position: int) -> int:
        return self._wiring.place(position)

    def _wire(self, node: Node, after: int) -> int:
        """Wire a part before a place; the place where it begins."""
        if isinstance(node, Sequence):
            for each in reversed(node.items):
                after = self._wire(each, after)
            return after
        if isinstance(node, Repeat):
            return self._wire_repeat(node, after)
        start = self._new(0)
        if isinstance(node, Chars):
            self._wiring.steps[start].append((self._members(node.characters), after))
        elif isinstance(node, Choice):
            for each in node.items:
                self._wiring.ways[start].append((None, self._wire(each, after)))
        elif isinstance(node, Edge):
            self._wiring.ways[start].append((node, after))
        else:
            self._wiring.ways[start].append((self._wire_look(node), after))
        return start

    def _wire_repeat(self, node: Repeat, after: int) -> int:
        if node.most is None:
            loop = self._new(0)
            self._wiring.ways[loop] += [(None, self._wire(node.item, loop)), (None, after)]
            after = loop
        else:
            end = after
            for _ in range(node.most - node.least):
                start = self._new(0)
                self._wiring.ways[start] += [(None, self._wire(node.item, after)), (None, end)]
                after = start
        for _ in range(node.least):
            after = self._wire(node.item, after)
        return after

    def _wire_look(self, look: Look) -> int:
        if look.behind and _looks_ahead(look.item):
            raise EntangledError(look.position)
        end = self._new(look.position)
        start = self._wire(look.item, end)
        anything = frozenset(range(len(self._symbols)))
        if look.behind:
            loop = self._new(look.position)
            self._wiring.steps[loop].append((anything, loop))
            self._wiring.ways[loop].append((None, start))
            start = loop
        else:
            self._wiring.steps[end].append((anything, end))
        self._looks.append(look)
        self._starts.append(start)
        self._ends.append(end)
        return len(self._looks) - 1

    # The threads.

    def _closed(self, threads: Threads, place: Place) -> set[tuple[int, Promises]]:
        """The threads with all that they reach by empty ways."""
        reached = set(threads)
        waiting = list(threads)
        while waiting:
            where, promises = waiting.pop()
            for way, target in self._wiring.ways[where]:
                thread = self._passed(way, promises, target, place)
                if thread is not None and thread not in reached:
                    reached.add(thread)
                    waiting.append(thread)
        self._followed += len(reached)
        if self._followed > MOST_THREADS:
            raise EntangledError(0)
        return reached

    def _passed(
        self, way: Edge | int | None, promises: Promises, target: int, place: Place
    ) -> tuple[int, Promises] | None:
        if way is None:
            return target, promises
        if isinstance(way, Edge):
            beside = place.before if way.behind else place.after
            true = way.bare if beside is None else beside in self._members(way.characters)
            return (target, promises) if true else None
        look = self._looks[way]
        if look.behind:
            return (target, promises) if (way in place.behind) != look.negative else None
        return target, promises | {(way, _one(self._starts[way]))}

    def _moved(self, threads: Threads, place: Place) -> Threads:
        """The threads after the character that follows the place."""
        found: set[tuple[int, Promises]] = set()
        for where, promises in self._closed(threads, place):
            targets = [to for taken, to in self._wiring.steps[where] if place.after in taken]
            kept = self._kept(promises, place) if targets else None
            if kept is not None:
                found.update((target, kept) for target in targets)
        return frozenset(found)

    def _kept(self, promises: Promises, place: Place) -> Promises | None:
        """The promises after one more character; None if one of them is broken."""
        left = set()
        for number, threads in promises:
            negative = self._looks[number].negative
            done = (self._ends[number], _NONE) in self._closed(threads, place)
            moved = _NO_THREADS if done else self._moved(threads, place)
            if not done and moved:
                left.add((number, moved))
            elif done == negative:
                return None
        return frozenset(left)

    def _finished(self, threads: Threads, end: int, place: Place) -> bool:
        """True if a thread is at an end, with no promise that the end of the text breaks."""
        return any(
            where == end
            and all(
                self._finished(promised, self._ends[number], place) != self._looks[number].negative
                for number, promised in promises
            )
            for where, promises in self._closed(threads, place)
        )


def _one(place: int) -> Threads:
    return frozenset({(place, _NONE)})


def _looks_ahead(node: Node) -> bool:
    if isinstance(node, Look) and not node.behind:
        return True
    return any(_looks_ahead(each) for each in children(node))
