"""A pattern with looks as one without: its machine's states, reduced and written as a pattern."""

from llmbatch.constraints.patterns.characters import NONE, Characters
from llmbatch.constraints.patterns.edges import EntangledError, first_position
from llmbatch.constraints.patterns.machine import Machine, State, alphabet
from llmbatch.constraints.patterns.syntax import (
    EMPTY,
    NOTHING,
    Chars,
    Node,
    children,
    choice,
    repeat,
    sequence,
)

MOST_STATES = 320
MOST_PARTS = 3_000

Table = list[list[int]]
"""The next state by state and set of the alphabet."""


def unroll(node: Node) -> Node:
    """The same language without assertions, of a pattern for a whole text.

    Raises EntangledError if that would take too many states or too long a pattern.
    """
    symbols = alphabet(node)
    table, final = _states(node, symbols)
    table, final = _reduced(table, final)
    return _written(table, final, symbols, first_position(node))


def _states(node: Node, symbols: list[Characters]) -> tuple[Table, list[bool]]:
    machine = Machine(node, symbols)
    first = machine.initial()
    numbers: dict[State, int] = {first: 0}
    states = [first]
    table: Table = []
    for state in states:  # which grows meanwhile
        row = []
        for symbol in range(len(symbols)):
            following = machine.step(state, symbol)
            if following not in numbers:
                numbers[following] = len(states)
                states.append(following)
            row.append(numbers[following])
        table.append(row)
        if len(states) > MOST_STATES:
            raise EntangledError(first_position(node))
    return table, [machine.accepts(state) for state in states]


def _reduced(table: Table, final: list[bool]) -> tuple[Table, list[bool]]:
    """States that no text tells apart as one."""
    groups = [int(each) for each in final]
    while True:
        names: dict[tuple[int, ...], int] = {}
        new = [
            names.setdefault((groups[state], *(groups[to] for to in row)), len(names))
            for state, row in enumerate(table)
        ]
        if len(names) == len(set(groups)):
            break
        groups = new
    members = {group: state for state, group in reversed(list(enumerate(new)))}
    return (
        [[new[to] for to in table[members[group]]] for group in range(len(names))],
        [final[members[group]] for group in range(len(names))],
    )


def _written(table: Table, final: list[bool], symbols: list[Characters], position: int) -> Node:
    """The pattern of a table, whose state 0 is the first: the states are taken away one by one,
    the one that costs least first."""
    first, last = -1, -2
    ways: dict[int, dict[int, Node]] = {first: {0: EMPTY}}
    for state, row in enumerate(table):
        taken: dict[int, Characters] = {}
        for symbol, to in enumerate(row):
            taken[to] = taken.get(to, NONE) | symbols[symbol]
        ways[state] = {to: Chars(characters) for to, characters in taken.items()}
        if final[state]:
            ways[state][last] = EMPTY
    _drop_dead(ways, last)
    sizes = _Sizes()
    while len(ways) > 1:
        state = min(
            (each for each in ways if each != first), key=lambda each: _cost(ways, each, sizes)
        )
        _take_away(ways, state)
        if sum(sizes.of(node) for row in ways.values() for node in row.values()) > MOST_PARTS:
            raise EntangledError(position)
    return ways[first].get(last, NOTHING)


def _drop_dead(ways: dict[int, dict[int, Node]], last: int) -> None:
    """Take away the states from which no text is accepted."""
    alive = {last}
    while found := {
        state for state, row in ways.items() if state not in alive and not alive.isdisjoint(row)
    }:
        alive |= found
    for state in list(ways):
        if state not in alive and state != -1:
            del ways[state]
        else:
            ways[state] = {to: node for to, node in ways[state].items() if to in alive}


class _Sizes:
    """The number of parts of nodes, counted once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Node, int]] = {}

    def of(self, node: Node) -> int:
        known = self._known.get(id(node))
        if known is None:
            size = 1 + sum(self.of(child) for child in children(node))
            # The node is kept, so that no other one gets its id.
            known = self._known[id(node)] = (node, size)
        return known[1]


def _cost(ways: dict[int, dict[int, Node]], state: int, sizes: _Sizes) -> int:
    """The parts that a pattern gains when the state is taken away."""
    into = [row[state] for each, row in ways.items() if each != state and state in row]
    out = [node for to, node in ways[state].items() if to != state]
    loop = sizes.of(ways[state][state]) if state in ways[state] else 0
    return (
        sum(map(sizes.of, into)) * (len(out) - 1)
        + sum(map(sizes.of, out)) * (len(into) - 1)
        + loop * (len(into) * len(out) - 1)
    )


def _take_away(ways: dict[int, dict[int, Node]], state: int) -> None:
    own = ways.pop(state)
    loop = repeat(own.pop(state, NOTHING), 0, None)
    for row in ways.values():
        into = row.pop(state, None)
        if into is None:
            continue
        for to, out in own.items():
            through = sequence([into, loop, out])
            row[to] = choice([row.get(to, NOTHING), through])
