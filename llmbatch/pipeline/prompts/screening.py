"""The search for the model's control tokens in the messages of rows.

Every engine is to take the text of a message for text. Here the rows that hold control tokens are
noted, or fail if the job says so.
"""

from collections.abc import Iterable, Sequence

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Message
from llmbatch.engines.control_tokens import Finder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.pieces import pieces_of

CONTROL_TOKENS = "control_tokens"
"""The kind of failure of a row that holds control tokens."""


_RAW = "in place of --raw give a --chat-template FILE that writes it around the prompt"


class Screening:
    """Finds rows with control tokens. `tokens`: those of the model; None where they are not known.

    Raises UsageError where rows are to fail for them, and none could, or all would.
    """

    def __init__(self, spec: JobSpec, tokens: Sequence[str] | None) -> None:
        self.tokens = None if tokens is None else tuple(sorted(tokens))
        self.rejects = spec.control_tokens == "reject"
        self._way = _RAW if spec.raw else "only the chat template makes turns"
        self._finder = Finder(self.tokens or ())
        own = [*(piece.source for piece in pieces_of(spec)), *(spec.examples or ())]
        self._in_prompt = self._finder.held_by(own)
        if self.rejects and tokens is None:
            raise UsageError(
                "--control-tokens reject: the control tokens of this model are not known before "
                "its engine starts; leave it out (its rows are sent as text)"
            )
        if self.rejects and self._in_prompt:
            raise UsageError(
                f"--control-tokens reject: the job's own prompt holds {self._in_prompt!r}, a "
                "control token of the model, so every row would fail: take it out"
            )

    def note(self, messages: Iterable[Message]) -> str | None:
        """The words for a row whose messages hold a control token; None where they hold none."""
        for message in messages:
            if token := self._finder.find(message.content):
                return f"holds {token!r}, a control token of the model"
        return None

    def notices(self) -> list[str]:
        """A line for the user if the job's own prompt holds a control token."""
        if self._in_prompt is None:
            return []
        return [
            f"the prompt holds {self._in_prompt!r}, a control token of the model: it is sent as "
            f"text, as all that a message holds; {self._way}"
        ]
