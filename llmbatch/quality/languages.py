"""The languages of texts, by py3langid (a model of character sequences; 140 languages).

The model takes 70 MiB, and 130 while it is loaded. A process of its own holds it for as long as it
is asked: in that of a run, where vLLM was imported, it would be a tenth of the memory.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Self

import orjson

from llmbatch.core.bounded_process import EndedError, Helper
from llmbatch.core.errors import HelperError

_NO_LIMIT = 0.0
_COUNTED, _RANKED = "counted", "ranked"


class _Asked:
    """The process that answers questions of one kind."""

    def __init__(self, kind: str) -> None:
        self._helper = Helper(__name__, kind, _NO_LIMIT)

    def about(self, question: Any) -> Any:
        """Its answer. Raises HelperError."""
        try:
            answer = self._helper.ask(json.dumps(question))  # which takes half characters
        except EndedError as error:
            raise HelperError(
                "the process that tells languages has ended; run the same command again"
            ) from error
        return orjson.loads(answer or "null")

    def close(self) -> None:
        """End the process."""
        self._helper.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Languages(_Asked):
    """Tells which languages a text may be in. Its process starts with the first question, and again
    after `close`."""

    def __init__(self) -> None:
        super().__init__(_RANKED)

    def ranked(self, text: str) -> list[tuple[str, float]]:
        """All languages by their codes, each with its probability, the likeliest first. Raises
        HelperError."""
        found: list[tuple[str, float]] = self.about(text)
        return found


def counted(texts: Iterable[str]) -> dict[str, int]:
    """The texts by the code of their language (ISO 639-1). Raises HelperError."""
    with _Asked(_COUNTED) as asked:
        found: dict[str, int] = asked.about(list(texts))
        return found


def make_function(kind: str) -> Callable[[str], str]:
    """In that process: the function that answers questions of this kind."""
    makers: dict[str, Callable[[], Callable[[Any], Any]]]
    makers = {_COUNTED: _counter, _RANKED: _ranker}
    answer = makers[kind]()
    return lambda question: orjson.dumps(answer(json.loads(question))).decode()


def _counter() -> Callable[[list[str]], dict[str, int]]:
    from py3langid import classify

    return lambda texts: dict(Counter(classify(text)[0] for text in texts))


def _ranker() -> Callable[[str], list[tuple[str, float]]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return lambda text: list(model.rank(text))
