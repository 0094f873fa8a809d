"""The sign `length`: an answer far shorter or longer than the others.

The logarithms of the lengths are compared with their median, in units of the median distance from
it times 1.4826, which is the standard deviation of normal values (Iglewicz and Hoaglin 1993).
"""

import math

from llmbatch.quality.signs.base import TEXTS, Sign, Subject

_FEWEST_ANSWERS = 30
_LEAST_SPREAD = 0.1
LEAST_RATIO = math.log(3)
_NORMAL = 1.4826


def look(subject: Subject) -> str | None:
    job = subject.job
    if job.answers < _FEWEST_ANSWERS:
        return None
    distance = math.log(1 + len(subject.text)) - job.median
    spread = _NORMAL * max(job.spread, _LEAST_SPREAD)
    if abs(distance) < max(LEAST_RATIO, job.settings.length_deviations * spread):
        return None
    longer = "longer" if distance > 0 else "shorter"
    return f"{math.exp(abs(distance)):.0f} times {longer} than the median"


SIGN = Sign(
    name="length",
    meaning="far shorter or longer than the other answers",
    threshold="in a job of 30 answers or more: three times the median or a third of it, and "
    "length_deviations robust deviations of the logarithms away",
    look=look,
    forms=TEXTS,
)
