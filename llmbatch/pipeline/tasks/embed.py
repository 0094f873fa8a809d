"""The task of embedding: the vector of a text."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from llmbatch.constraints.json_check import Judge, Judgement
from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Ask, Message, Request, Sampling
from llmbatch.engines.pooling import Pooling
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.base import AnswerColumns

NAME = "embed"


@dataclass(frozen=True, slots=True)
class Embed:
    """See `base.Task`."""

    ask: Ask
    columns: AnswerColumns
    sampling: Sampling
    form: None = None
    constraint: None = None
    name: str = NAME
    sections: tuple[str, ...] = ()

    def body(self, data: str) -> Mapping[str, Any] | None:
        return None

    def request(
        self, key: str, messages: Sequence[Message], tries: Tries, body: Mapping[str, Any] | None
    ) -> Request:
        return Request(key, tuple(messages), self.sampling, body=body, ask=self.ask)

    def require_valid(self) -> None:
        """No setting of it can be wrong."""

    def notices(self) -> list[str]:
        return []

    def check(self, pooling: Pooling | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(lambda text: Judgement(None, text))


def make(spec: JobSpec) -> Embed:
    """The task of a job."""
    return Embed(Ask("embed"), AnswerColumns("text", {}), Sampling(max_tokens=1))
