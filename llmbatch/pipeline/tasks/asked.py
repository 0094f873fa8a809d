"""The half that tasks share which ask for something else than a text."""

from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Ask, Message, Request, Sampling

ONE_TOKEN = Sampling(max_tokens=1)
"""The sampling of requests of which no text is wanted."""


class Asked:
    """The parts of `base.Task` that are the same for every `ask`: nothing is drawn, so an answer
    has no form to be held to, a row no settings of its own, and another try is the same request."""

    __slots__ = ()

    ask: Ask
    form = None
    constraint = None

    @property
    def sampling(self) -> Sampling:
        return ONE_TOKEN

    def body(self, data: str) -> Mapping[str, Any] | None:
        return None

    def request(
        self, key: str, messages: Sequence[Message], tries: Tries, body: Mapping[str, Any] | None
    ) -> Request:
        return Request(key, tuple(messages), self.sampling, body=body, ask=self.ask)

    def notices(self) -> list[str]:
        return []
