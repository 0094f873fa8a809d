"""The early end of an answer that is one of a choice: once the pieces drawn leave one text, the
rest is known and need not be drawn.

A grammar holds each piece to the texts of the choice, whatever the temperature, the penalties and
the seed are. So nothing but the rest of the only text left can follow, and the answer is the same.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any

from llmbatch.constraints.choice_left import ChoiceLeft
from llmbatch.core.records import Constraint, Request, Sampling
from llmbatch.engines.vllm.core_channel import IsSettled
from llmbatch.engines.vllm.sampling import check_sampling

BACKEND = "xgrammar"
_KEPT = 4096
_UNDER_WAY = 1
"""Steps of a request that the engine core has begun before it learns that its answer is settled."""

Pieces = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer, and how many tokens at least would have been drawn for the rest of it."""

    text: str
    spared: int


class EarlyEnd:
    """Ends answers to choices by their limit of tokens, which costs the engine nothing: the number
    of pieces after which one text is left, whichever are drawn. An answer that is settled before
    may be taken back, if that saves a step.

    An answer is left as it is that may be cut inside of a text, or whose tokens are wanted.
    """

    def __init__(self, read_pieces: Callable[[], Pieces | None]) -> None:
        """`read_pieces` gives the bytes of each token, as the grammar has them; None where they are
        not known, and no answer ends early. It is called once, when a choice comes."""
        self._read_pieces = read_pieces
        self._left = lru_cache(_KEPT)(_left)
        self._bounded = lru_cache(_KEPT)(_bound)
        self._spared = lru_cache(_KEPT)(self._fewest)

    @cached_property
    def _pieces(self) -> Pieces | None:
        return self._read_pieces()

    @cached_property
    def _spellings(self) -> tuple[frozenset[bytes], int]:
        """All pieces, and the bytes of the longest."""
        known = frozenset(self._pieces or ())
        return known, max(map(len, known), default=0)

    def _choice(self, request: Request) -> ChoiceLeft | None:
        """The texts of a request whose answer may end early."""
        constraint = request.constraint
        if constraint is None or constraint.kind != "choice" or _is_wanted_whole(request.sampling):
            return None
        return None if self._pieces is None else self._left(constraint)

    def sampling(self, request: Request) -> Sampling:
        """The sampling to send a request with, whose model does not think before its answer.
        Raises RefusedError as `check_sampling` does."""
        left = self._choice(request)
        return request.sampling if left is None else self._bounded(request.sampling, left)

    def is_settled(self, request: Request) -> IsSettled | None:
        """A look at the tokens of such a request whether to end it; None: its limit is enough."""
        left = self._choice(request)
        limit = self.sampling(request).max_tokens
        if left is None or limit <= _UNDER_WAY + 1:
            return None
        return partial(self._is_worth_ending, left, limit)

    def _is_worth_ending(self, left: ChoiceLeft, limit: int, tokens: Sequence[int]) -> bool:
        if limit - len(tokens) <= _UNDER_WAY:
            return False
        text, rest = self._known(left, tokens)
        return text is not None and self._spared(rest) + 1 > _UNDER_WAY

    def _known(self, left: ChoiceLeft, tokens: Sequence[int]) -> tuple[str | None, bytes]:
        """The only text left after these tokens, if there is one, and the rest of it."""
        assert self._pieces is not None
        begun = b"".join(self._pieces[token] for token in tokens)
        text = left.only(begun)
        return text, b"" if text is None else text.encode()[len(begun) :]

    def ended(self, request: Request, tokens: Sequence[int]) -> Ended | None:
        """The end of an answer that was cut after these tokens; None where more than one text, or
        none, is left."""
        left = self._choice(request)
        if left is None:
            return None
        text, rest = self._known(left, tokens)
        return None if text is None else Ended(text, self._spared(rest) + 1)

    def _fewest(self, text: bytes) -> int:
        """The fewest tokens that spell a text."""
        known, longest = self._spellings
        fewest = [0]
        for end in range(1, len(text) + 1):
            begins = range(max(0, end - longest), end)
            spelled = [fewest[begin] for begin in begins if text[begin:end] in known]
            fewest.append(min(spelled, default=fewest[-1]) + 1)
        return fewest[-1]


def _bound(sampling: Sampling, left: ChoiceLeft) -> Sampling:
    check_sampling(sampling)
    if left.most_pieces >= sampling.max_tokens:
        return sampling
    return replace(sampling, max_tokens=left.most_pieces)


def _is_wanted_whole(sampling: Sampling) -> bool:
    """True if the end of an answer is not its text's, or more is wanted than the text."""
    ends = sampling.stop or sampling.stop_token_ids or sampling.ignore_eos or sampling.min_tokens
    return bool(ends) or sampling.logprobs is not None


def _left(constraint: Constraint) -> ChoiceLeft | None:
    """The texts of a choice; None where it has no list of them."""
    try:
        texts = json.loads(constraint.value)
    except ValueError:
        return None  # it is refused when its parameters are made
    is_choice = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
    return ChoiceLeft(texts) if is_choice else None


def make(engine: Any, backend: str, constraint: Constraint | None) -> EarlyEnd:
    """For an LLMEngine with this backend of grammars. `constraint`: of its requests, as far as it
    is known; the pieces are read at once if it is a choice."""
    made = EarlyEnd(lambda: _read_pieces(engine, backend))
    if constraint is not None:
        made.sampling(Request("", (), Sampling(), constraint))
    return made


def _read_pieces(engine: Any, backend: str) -> Pieces | None:
    """The bytes of each token of an LLMEngine, as its grammars have them; None where that is not
    known."""
    tokenizer, config = engine.get_tokenizer(), engine.vllm_config.model_config
    special = hasattr(tokenizer, "init_xgrammar") or "mistral" in type(tokenizer).__name__.lower()
    if backend != BACKEND or special:
        return None  # vLLM makes those in other ways
    import xgrammar

    try:
        size = config.get_vocab_size()
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=size)
        return list(info.decoded_vocab)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return None  # of a tokenizer that it does not know
