"""The requests of a row: one, but for tasks that divide rows."""

from collections.abc import Callable, Sequence

from llmbatch.core.records import Message
from llmbatch.pipeline.tasks.base import DividesRows, Part, Task

Divide = Callable[[str, Sequence[Message]], Sequence[Part]]
"""Makes the requests of a row (JSON) with these messages, in order."""


def divider(task: Task) -> Divide:
    """The way in which a task makes requests of rows."""
    if isinstance(task, DividesRows):
        return task.parts
    return lambda data, messages: (Part(messages, task.body(data)),)
