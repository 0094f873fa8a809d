"""The words of texts, as signs compare them."""

import re
from collections.abc import Iterable, Sequence

LONGEST = 20_000
"""Characters of a text that are looked at."""
_WORD = re.compile(r"[^\W_]+")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese are written without spaces: a character is a word.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)

Triple = tuple[str, str, str]


def words_of(text: str) -> list[str]:
    """The words of a text without case, of its first 20,000 characters."""
    text = text[:LONGEST].casefold()
    if not text.isascii() and _UNSPACED.search(text):
        text = _UNSPACED.sub(r" \g<0> ", text)
    return _WORD.findall(text)


def triples_of(words: Sequence[str]) -> list[Triple]:
    """Each three words that follow each other."""
    return list(zip(words, words[1:], words[2:], strict=False))


def repeated_share(words: Sequence[str]) -> float:
    """The share of the runs of four words that stand before in the text."""
    runs = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def joined(texts: Iterable[str]) -> str:
    """Texts one after the other, so that no word is made of the end of one and the next."""
    return "\n".join(texts)
