"""Answers for signs to look at."""

from typing import Any

from llmbatch.job.signs import SignsSpec
from llmbatch.quality.signs.base import Background, Subject
from llmbatch.quality.signs.finding import texts_in
from llmbatch.quality.signs.words import joined


def subject(
    answer: Any,
    *,
    instruction: str = "",
    shared_with: tuple[str, ...] = (),
    settings: SignsSpec | None = None,
    job: Background | None = None,
    **columns: str,
) -> Subject:
    """An answer to a row with these columns."""
    settings = settings or SignsSpec()
    return Subject(
        text=answer if isinstance(answer, str) else joined(texts_in(answer)),
        value=answer,
        columns=columns,
        whole=joined(columns.values()),
        job=job or Background(settings=settings, instruction=instruction),
        shared_with=shared_with,
    )
