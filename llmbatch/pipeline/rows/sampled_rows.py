"""The answers of rows with several samples: all of them in a list, or the one that most gave.

How they vote is told in `quality/votes`. Of answers with equally many votes the one that the
earliest sample gave wins, and its text is that sample's own. A sample that has failed gives no
vote; the agreement is the share of all samples, so it counts against every answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from llmbatch.core.exact_json import Json
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.base import AnswerColumns
from llmbatch.quality import votes

AGREEMENT, VOTES = "agreement", "votes"
"""The columns of a vote: the share of the samples that gave the answer, and all answers with the
samples that gave each."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Samples:
    """Of an output: whether the samples of a row vote (else it has all of them), and whether an
    answer is JSON."""

    vote: bool
    is_json: bool

    def columns(self, answer: AnswerColumns) -> AnswerColumns:
        """The columns of a row's answer, where those of one sample are `answer`."""
        if self.vote:
            return answer
        return replace(answer, whole="json", parts={}, is_json=True, has_rest=False)

    def shown(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows with the answers that are written."""
        return (self._shown(row) for row in rows)

    def _shown(self, row: Row) -> Row:
        if row["answer"] is None or row["state"] != "answered":
            return row
        answers, thoughts = [row["answer"]], [row["reasoning"]]
        if row["samples"] > 1:
            answers = orjson.loads(row["answer"])
            thoughts = orjson.loads(row["reasoning"] or "null") or [None] * len(answers)
        if self.vote:
            return row | self._voted(answers, thoughts)
        texts = (self._written(answer) for answer in answers)
        thought = Json(orjson.dumps(thoughts).decode()) if any(thoughts) else None
        return row | {"answer": f"[{','.join(texts)}]", "reasoning": thought}

    def _written(self, answer: str | None) -> str:
        """An answer as JSON."""
        if answer is None:
            return "null"
        return answer if self.is_json else orjson.dumps(answer).decode()

    def _voted(self, answers: Sequence[str | None], thoughts: Sequence[str | None]) -> Row:
        ranked = votes.ranked(answers, is_json=self.is_json)
        won = ranked[0]
        counted = [
            f'{{"answer":{self._written(answers[given[0]])},"samples":{len(given)}}}'
            for given in ranked
        ]
        return {
            "answer": answers[won[0]],
            "reasoning": thoughts[won[0]],
            AGREEMENT: len(won) / len(answers),
            VOTES: Json(f"[{','.join(counted)}]"),
        }


def of_job(spec: JobSpec, answer: AnswerColumns) -> Samples | None:
    """The samples in a job's output, where a sample has the columns `answer`; None if a row has
    one answer."""
    wanted = spec.sampling
    return Samples(wanted.vote, answer.is_json) if wanted.samples > 1 else None
