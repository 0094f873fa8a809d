"""The ids of a text by its pieces: what a tokenizer cuts a text into is looked up, not computed.

A tokenizer of this kind cuts a text by a pattern into pieces, mostly words, and makes the tokens of
each without a look at the others. Most pieces of a job's prompts come again and again. So their
tokens are kept, and a text costs the cutting, a third of what the library takes. The tokens of a
piece are the library's own; only the cutting is done here, of texts in which the classes of the
pattern are surely the same in Python (`latin_pattern`).
"""

import re
from collections.abc import Callable, Sequence
from itertools import chain, product
from typing import Any

import orjson

from llmbatch.engines.vllm.latin_pattern import in_python, is_latin

MOST = 1 << 14
"""Pieces that are kept."""
LONGEST = 40
"""Characters of a piece that is kept."""
COMPARED = 8
"""Of so many texts the ids are compared with the library's."""
ALL_NEIGHBOURS = "".join(map("".join, product("aAés1 \n\r'.-\u201c", repeat=3)))
"""Compared once: each three characters of different classes beside each other, which is as far as
patterns mostly look."""
_OF_BYTE_LEVEL = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

Cut = Callable[[str], list[str]]


class KnownPieces:
    """See `of`."""

    def __init__(self, backend: Any, cuts: Sequence[Cut]) -> None:
        self._backend = backend
        self._cuts = cuts
        self._known = _Known(backend)
        added = backend.get_added_tokens_decoder()
        self._added = {token.content: number for number, token in added.items()}
        # The longest of those that begin at a place, as the library takes them.
        texts = sorted(self._added, key=len, reverse=True)
        self._parts = re.compile(f"({'|'.join(map(re.escape, texts))})") if texts else None
        self._compared = 0

    @classmethod
    def of(cls, backend: Any) -> "KnownPieces | None":
        """For a tokenizer (the Rust one) of which it is certain how it cuts a text, else None."""
        cuts = _cuts(_settings(backend.pre_tokenizer))
        fits = cuts and _is_plain(backend) and _are_found_as_they_are(backend)
        return cls(backend, cuts) if cuts and fits else None

    def ids(self, text: str) -> list[int] | None:
        """The ids of a text without special tokens around it; None where only the library knows
        them, as it does once it has given others than were found here."""
        if self._compared < 0 or not is_latin(text):
            return None
        found = self._found(text)
        if self._compared < COMPARED and found is not None:
            asked = [text] if self._compared else [text, ALL_NEIGHBOURS]
            self._compared = self._compared + 1 if self._are_same(asked) else -1
        return found if self._compared >= 0 else None

    def _are_same(self, texts: list[str]) -> bool:
        """True if the library gives the ids that are found here, if they are."""
        encoded = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        both = [(self._found(text), one.ids) for text, one in zip(texts, encoded, strict=True)]
        if len(texts) > 1:
            self._known.clear()  # hardly any of its pieces comes again
        return all(found in (None, ids) for found, ids in both)

    def _found(self, text: str) -> list[int] | None:
        parts = [text] if self._parts is None else self._parts.split(text)
        found: list[int] = []
        for place, part in enumerate(parts):
            if place % 2:
                found.append(self._added[part])
                continue
            pieces = [part]
            for cut in self._cuts:
                pieces = [*chain.from_iterable(map(cut, pieces))]
            if sum(map(len, pieces)) != len(part):
                return None  # the pattern has left something out
            found += chain.from_iterable(map(self._known.__getitem__, pieces))
        return found


class _Known(dict[str, Sequence[int]]):
    """The ids of pieces, those of new ones by the tokenizer's own model."""

    def __init__(self, backend: Any) -> None:
        from tokenizers.pre_tokenizers import ByteLevel

        super().__init__()
        self._model = backend.model
        self._bytes = ByteLevel(add_prefix_space=False, use_regex=False)

    def __missing__(self, piece: str) -> Sequence[int]:
        if not piece:
            return ()
        ((written, _),) = self._bytes.pre_tokenize_str(piece)
        ids = tuple([token.id for token in self._model.tokenize(written)])
        if len(piece) <= LONGEST:
            if len(self) >= MOST:
                self.clear()
            self[piece] = ids
        return ids


def _settings(part: Any) -> dict[str, Any]:
    """The settings of a part of a tokenizer, as its file has them; nothing for none."""
    try:
        table: dict[str, Any] = {} if part is None else orjson.loads(part.__getstate__())
    except (AttributeError, TypeError, ValueError):
        return {"type": "unknown"}
    return table


def _cuts(settings: dict[str, Any]) -> list[Cut]:
    """The cuts that a tokenizer makes one after the other; none if they are not all known."""
    steps = settings.get("pretokenizers", [settings])
    if [_is_byte_level(step) for step in steps] != [False] * (len(steps) - 1) + [True]:
        return []
    patterns = [pattern for step in steps if (pattern := _pattern(step)) != ""]
    made = [None if pattern is None else in_python(pattern) for pattern in patterns]
    known: list[Cut] = [pattern.findall for pattern in made if pattern is not None]
    return known if len(known) == len(made) else []


def _is_byte_level(step: dict[str, Any]) -> bool:
    return step.get("type") == "ByteLevel"


def _pattern(step: dict[str, Any]) -> str | None:
    """The pattern of the pieces of a step; empty if it does not cut, None if it is not known."""
    match step:
        case {"type": "ByteLevel", "add_prefix_space": False}:
            return _OF_BYTE_LEVEL if step.get("use_regex", True) else ""
        case {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated"}:
            return None if step.get("invert") else pattern
        case {"type": "Digits", "individual_digits": True}:
            return r"\d|[^\d]+"
    return None


def _is_plain(backend: Any) -> bool:
    """True if such texts are not changed before they are cut, and a piece has always the same
    tokens."""
    model = backend.model
    if _settings(backend.normalizer).get("type", "NFC") != "NFC":
        return False
    return type(model).__name__ == "BPE" and not model.dropout


def _are_found_as_they_are(backend: Any) -> bool:
    """True if the added tokens are looked for in one pass, in any place, and take nothing of what
    is around them."""
    added = backend.get_added_tokens_decoder().values()
    odd = any(token.lstrip or token.rstrip or token.single_word for token in added)
    passes = {token.normalized for token in added}
    return not (odd or getattr(backend, "encode_special_tokens", False)) and len(passes) <= 1
