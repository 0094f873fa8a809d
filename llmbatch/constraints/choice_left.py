"""The answers of a choice that are left once the beginning of an answer is known."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise

from llmbatch.core.prefixes import count_shared


class ChoiceLeft:
    """The texts of a choice, asked by their first bytes: a model draws pieces of bytes, and any
    spelling of a text may come."""

    def __init__(self, texts: Iterable[str]) -> None:
        # Half a character is no answer; the check of the choice refuses it.
        made = {text.encode(errors="surrogatepass"): text for text in texts}
        self._spelled = sorted(made)
        self._texts = made

    @property
    def most_pieces(self) -> int:
        """The pieces after which one text is left, whichever are drawn. The end of the answer is
        one, each other has a byte at least."""
        shared = (count_shared(one, other) for one, other in pairwise(self._spelled))
        return 1 + max(shared, default=0)

    def settled_after(self, text: str) -> int:
        """The bytes of a text after which it is the only one left; one more than it has where only
        its end leaves no other."""
        place = bisect_left(self._spelled, own := text.encode(errors="surrogatepass"))
        beside = self._spelled[max(0, place - 1) : place + 2]
        return 1 + max((count_shared(own, other) for other in beside if other != own), default=0)

    def only(self, begun: bytes) -> str | None:
        """The one text that begins so; None where there is none, or more than one. A text that
        others begin with, too, is not the only one before its end."""
        place = bisect_left(self._spelled, begun)
        first, second = (
            place + n < len(self._spelled) and self._spelled[place + n].startswith(begun)
            for n in (0, 1)
        )
        return self._texts[self._spelled[place]] if first and not second else None
