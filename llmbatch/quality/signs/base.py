"""The parts of a sign, and its view of an answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from llmbatch.job.signs import SignsSpec
from llmbatch.quality.languages import Languages
from llmbatch.quality.signs.words import LONGEST, joined, words_of

TEXT, JSON = "text", "json"
TEXTS = frozenset({TEXT})
ALL = frozenset({TEXT, JSON})


@dataclass(frozen=True)
class Background:
    """The features that all answers of a job share.

    `instruction`: the fixed texts of its prompts; `median` and `spread` of the logarithm of the
    answers' lengths in characters (spread: the median distance from the median), over `answers`.
    `language`: the ISO 639-1 code of the language that answers are in (None: not known), and
    `usual_words`: words that are common in them. `languages` tells that of an answer.
    """

    settings: SignsSpec = field(default_factory=SignsSpec)
    instruction: str = ""
    answers: int = 0
    median: float = 0.0
    spread: float = 0.0
    language: str | None = None
    usual_words: frozenset[str] = frozenset()
    languages: Languages = field(default_factory=Languages)

    @cached_property
    def instruction_words(self) -> list[str]:
        return words_of(self.instruction)


@dataclass
class Subject:
    """One answer and its row. `text`: the answer as prose, of JSON the texts in it; `value`: the
    answer as a value; `columns`: the texts of the input's columns that the prompt uses (all, where
    that is not known), and `whole`: of all its columns. `shared_with`: the inputs of some other
    requests that have the same long answer."""

    text: str
    value: Any
    columns: Mapping[str, str]
    whole: str
    job: Background
    shared_with: Sequence[str] = ()

    @cached_property
    def words(self) -> list[str]:
        return words_of(self.text)

    @cached_property
    def folded(self) -> str:
        """The text without case, of which patterns are only tried where a part of them stands."""
        return self.text[:LONGEST].casefold()

    @cached_property
    def input(self) -> str:
        """The texts of the columns."""
        return joined(self.columns.values())

    def is_asked_for(self, text: str) -> bool:
        """True if the row or the prompt has these words itself."""
        folded = text.casefold()
        return folded in self.input.casefold() or folded in self.job.instruction.casefold()


@dataclass(frozen=True)
class Sign:
    """A warning sign. `meaning`: what it says of an answer; `threshold`: when an answer has it;
    `forms`: of answers that it is for; `look`: a few words if the answer has it, else None."""

    name: str
    meaning: str
    threshold: str
    look: Callable[[Subject], str | None]
    forms: frozenset[str] = ALL
