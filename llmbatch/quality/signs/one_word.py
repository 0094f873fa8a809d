"""The sign `one_word`: a single word where the other answers are texts."""

import math

from llmbatch.quality.signs.base import TEXTS, Sign, Subject

_FEWEST_ANSWERS = 20
USUAL_LENGTH = math.log(40)
LONGEST = 60


def look(subject: Subject) -> str | None:
    job = subject.job
    if job.answers < _FEWEST_ANSWERS or job.median < USUAL_LENGTH or len(subject.text) > LONGEST:
        return None
    return "one word" if len(subject.words) == 1 else None


SIGN = Sign(
    name="one_word",
    meaning="one word where the other answers are texts",
    threshold="one word, in a job of 20 answers or more whose median has 40 characters or more",
    look=look,
    forms=TEXTS,
)
