"""The prompts of rows, bounded in time, memory and size even for a hostile template.

Rows that are sure to become little text are rendered here, the others in another process, which the
kernel ends when it takes too long or more than its share of memory.
"""

import resource
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import orjson

from llmbatch.core.bounded_process import EndedError, Helper, allow
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Message
from llmbatch.pipeline.prompts import turns
from llmbatch.pipeline.prompts.needs import EmptyRowError, Needs
from llmbatch.pipeline.prompts.pieces import Piece
from llmbatch.pipeline.prompts.system_role import put_before_user
from llmbatch.pipeline.prompts.template import Prompt, TemplateError

LIMIT = 2.0
"""Seconds of processor time that the prompts of one row may take."""
MEMORY = 1 << 30
"""Bytes that the process takes which renders them, all in all."""
# Those among so many rows are asked for together.
_ROWS = 256
# When the first so many rows that a template may make anything of take too long, so will all.
_HOPELESS = 5
_EMPTY = "empty"

MessagesOrError = list[Message] | TemplateError | EmptyRowError


class Renderer:
    """Renders the rows of a job. A context manager, which leaves no process behind."""

    def __init__(
        self,
        prompt: Prompt,
        limit: float = LIMIT,
        memory: int = MEMORY,
        *,
        system_as_user: bool = False,
    ) -> None:
        """`limit`: seconds of processor time for a row; `memory`: bytes of the other process;
        `system_as_user`: see `system_role`."""
        self._system_as_user = system_as_user
        self._prompt = prompt
        self._limit = limit
        self._examples = turns_of(prompt, limit, memory)
        self._helper = Helper(__name__, [*prompt.settings, limit, memory], limit)
        # How many rows have taken too long before the first that has not; None: there was one.
        self._overdue = 0 if prompt.small_row < 0 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._helper.end()

    def render(self, rows: Sequence[str]) -> Iterator[MessagesOrError]:
        """The messages of rows (JSON), in their order, or why there are none. Raises UsageError
        when the template takes too long for every row."""
        small = self._prompt.small_row
        for start in range(0, len(rows), _ROWS):
            asked = rows[start : start + _ROWS]
            large = [data for data in asked if len(data) > small]
            answers = self._elsewhere(large)
            for data in asked:
                made = self._whole(next(answers), data) if len(data) > small else self._here(data)
                yield self._put_together(made) if isinstance(made, list) else made

    def _put_together(self, made: list[Message]) -> list[Message]:
        whole = turns.with_examples(made, self._examples)
        return put_before_user(whole) if self._system_as_user else whole

    def _whole(self, made: MessagesOrError, data: str) -> MessagesOrError:
        if not isinstance(made, list):
            return made
        try:
            return self._prompt.with_given(made, data)
        except TemplateError as error:
            return error

    def _here(self, data: str) -> MessagesOrError:
        try:
            return self._prompt.render(data)
        except (TemplateError, EmptyRowError) as error:
            return error

    def _elsewhere(self, rows: Sequence[str]) -> Iterator[MessagesOrError]:
        """All at once, or each by itself where one of them ends the helper."""
        try:
            yield from self._ask(rows)
        except EndedError as ended:
            if len(rows) > 1:
                for data in rows:
                    yield from self._elsewhere([data])
            else:
                yield self._gave_up(ended)

    def _ask(self, rows: Sequence[str]) -> Sequence[MessagesOrError]:
        rendered = orjson.loads(self._helper.ask(orjson.dumps(rows).decode()) or "[]")
        self._overdue = None
        return list(map(_read, rendered))

    def _gave_up(self, ended: EndedError) -> TemplateError:
        reason = f"takes longer than {self._limit:g} s" if ended.overdue else "breaks down"
        if self._overdue is not None:
            self._overdue += 1
            if self._overdue == _HOPELESS:
                raise UsageError(
                    f"prompt: to render it {reason} for each of the first rows; simplify the "
                    "template"
                )
        return TemplateError(f"prompt: to render it {reason}")


def turns_of(prompt: Prompt, limit: float = LIMIT, memory: int = MEMORY) -> list[Message]:
    """The turns of a job's examples, as its prompt writes them. Raises UsageError for one of which
    it writes nothing."""
    if prompt.examples is None:
        return []
    with Renderer(prompt.of_examples(), limit, memory) as renderer:
        return prompt.examples.turns(renderer.render(prompt.examples.rows))


def _read(one: Any) -> MessagesOrError:
    """The helper's answer for one row."""
    if isinstance(one, str):
        return TemplateError(one)
    if isinstance(one, dict):
        return EmptyRowError(one[_EMPTY])
    return [Message(role, text) for role, text in one]


def make_function(settings: Sequence[Any]) -> Callable[[str], str]:
    """The function of the helper: rows to their messages, each a list of pairs, a
    reason for which there are none, or an object with what the row lacks."""
    pieces, order, columns, needs, limit, memory = settings
    made = [Piece(*piece) for piece in pieces]
    prompt = Prompt(None, None, order, columns, Needs.from_settings(needs), pieces=made)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    def answer(rows: str) -> str:
        return orjson.dumps([one(data) for data in orjson.loads(rows)]).decode()

    def one(data: str) -> object:
        allow(limit)  # each row as much
        try:
            return [(message.role, message.content) for message in prompt.render(data)]
        except TemplateError as error:
            return str(error)
        except EmptyRowError as error:
            return {_EMPTY: str(error)}

    return answer
