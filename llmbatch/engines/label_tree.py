"""The labels of a request as a tree of their own tokens, and their probabilities by its nodes.

A label's path is the tokens that the tokenizer makes of it after the prompt, and then the token
that ends an answer, so that no path is the beginning of another one. A path may be compared up to
the first token that no other label shares: where all labels begin differently, the tree has one
node. Each node is the prompt with what its labels share; what is asked there is the probability of
each token that follows in one of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Path = tuple[int, ...]


class Part(NamedTuple):
    """A request to the engine core: the tokens after the prompt, and those that are asked for."""

    place: Path
    following: Path


MOST_AT_ONCE = 128
"""So many tokens vLLM tells the probabilities of in one request."""
UNLIKELY = -1e6
"""In place of the log probability of a token that a model rules out: JSON has no infinity."""


@dataclass(frozen=True, slots=True)
class LabelTree:
    """`paths`: of each label, in the labels' order; `nodes`: of each node its place, as the tokens
    after the prompt, and the tokens that follow; the first one is the prompt itself."""

    paths: tuple[Path, ...]
    nodes: Mapping[Path, Path]

    @property
    def longest(self) -> int:
        """The most tokens that are sent after a prompt."""
        return max(map(len, self.nodes))

    def parts(self) -> Iterator[Part]:
        """The requests that it takes, that of the prompt itself first."""
        for place, following in self.nodes.items():
            for first in range(0, len(following), MOST_AT_ONCE):
                yield Part(place, following[first : first + MOST_AT_ONCE])

    def totals(self, found: Mapping[Path, Mapping[int, float]]) -> list[float]:
        """The log probability of each label. `found`: those of the tokens that follow, by node.
        Raises KeyError where one is missing."""
        return [
            sum(max(UNLIKELY, found[path[:at]][path[at]]) for at in range(len(path)))
            for path in self.paths
        ]


def make(labels: Sequence[str], tokens: Sequence[Sequence[int]], end: int, cut: bool) -> LabelTree:
    """The tree of labels with these own `tokens`. `end`: the token that ends an answer; `cut`:
    paths end at the first token that tells a label from the others. Raises ValueError for a label
    without tokens, and for two that have the same."""
    paths = [(*own, end) for own in tokens]
    for label, path in zip(labels, paths, strict=True):
        if len(path) == 1:
            raise ValueError(f"label {label!r}: the model's tokenizer makes no token of it")
    known: dict[Path, str] = {}
    for label, path in zip(labels, paths, strict=True):
        if path in known:
            raise ValueError(
                f"labels {known[path]!r} and {label!r} are the same tokens to the model"
            )
        known[path] = label
    if cut:
        paths = _told_apart(paths)
    following: dict[Path, dict[int, None]] = {}
    for at in range(max(map(len, paths))):
        for path in paths:
            if at < len(path):
                following.setdefault(path[:at], {})[path[at]] = None
    return LabelTree(tuple(paths), {node: tuple(tokens) for node, tokens in following.items()})


def _told_apart(paths: Sequence[Path]) -> list[Path]:
    """Each path up to the first token that it does not share with another one."""
    counts: dict[Path, int] = {}
    for path in paths:
        for size in range(1, len(path) + 1):
            counts[path[:size]] = counts.get(path[:size], 0) + 1
    return [
        path[: next(size for size in range(1, len(path) + 1) if counts[path[:size]] == 1)]
        for path in paths
    ]
