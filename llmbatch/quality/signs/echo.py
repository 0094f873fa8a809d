"""The sign `echo`: an answer that repeats its input or its prompt.

Runs of three words are compared, so one changed word breaks three of them, and the order of
sentences does not matter. Fields of JSON are mostly copied from the input, as they should be, so
only texts are looked at.
"""

from collections.abc import Sequence

from llmbatch.quality.signs.base import TEXTS, Sign, Subject
from llmbatch.quality.signs.words import triples_of, words_of

_FEWEST_WORDS = 5
_FEWEST_OF_PROMPT = 6
_SHARE_OF_SOURCE = 0.5
# In characters: beyond it, half of the words are not there. It spares the cutting into words.
_MOST_TIMES = 4


def look(subject: Subject) -> str | None:
    words = subject.words
    if len(words) < _FEWEST_WORDS:
        return None
    least = subject.job.settings.echo_share
    if len(words) >= _FEWEST_OF_PROMPT and _repeats(words, subject.job.instruction_words, least):
        return "the prompt"
    for name, text in subject.columns.items():
        if len(text) < len(subject.text) * least / 2 or len(text) > _MOST_TIMES * len(subject.text):
            continue
        source = words_of(text)
        is_long = len(words) >= _SHARE_OF_SOURCE * len(source)
        if is_long and _repeats(words, source, least):
            return f"column {name}"
    return None


def _repeats(words: Sequence[str], source: Sequence[str], least: float) -> bool:
    """True if so large a share of the runs of three words stands in the source."""
    known = set(source)
    # Cheaper, and never smaller than the share of runs.
    if sum(map(known.__contains__, words)) < least * len(words):
        return False
    runs, there = triples_of(words), set(triples_of(source))
    return sum(map(there.__contains__, runs)) >= least * len(runs)


SIGN = Sign(
    name="echo",
    meaning="the answer repeats its input or the prompt",
    threshold="5 words or more, half as many as the column has; of its runs of three words a share "
    "of echo_share or more stand in one column; or 6 words or more of the prompt",
    look=look,
    forms=TEXTS,
)
