"""The adapters of requests, which stand in their bodies."""

from collections.abc import Sequence

from llmbatch.core.records import Message
from llmbatch.pipeline.tasks import row_parts
from llmbatch.pipeline.tasks.adapters import FIELD, Adapters
from llmbatch.pipeline.tasks.base import Part, Task
from llmbatch.pipeline.tasks.row_parts import Divide


def divider(task: Task, adapters: Adapters) -> Divide:
    """The way in which a task makes requests of rows, each with the adapter of its row. It comes
    first in a body: requests are put in order by it. Raises UnknownAdapterError for a row."""
    divide = row_parts.divider(task)
    if not adapters.digests:
        return divide

    def adapted(data: str, messages: Sequence[Message]) -> Sequence[Part]:
        adapter, parts = adapters.of_row(data), divide(data, messages)
        if adapter is None:
            return parts
        return [part._replace(body={FIELD: adapter, **(part.body or {})}) for part in parts]

    return adapted
