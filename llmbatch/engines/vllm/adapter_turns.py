"""The requests with and without an adapter, kept apart where vLLM mixes them up.

On the CPU, rows without an adapter that share a step with rows that have one are computed with the
adapter in the last slot, without an error (vLLM 0.32.0; vllm-project/vllm issue 48421). So they are
never in flight together there.
"""

from collections.abc import Iterable, Iterator

from llmbatch.core.records import Request


def turns(requests: Iterable[Request]) -> Iterator[Iterator[Request]]:
    """The feed in parts, in its order, each of requests that all have an adapter or all have none.
    A part is used up, and all of it answered, before the next one is taken."""
    feed = iter(requests)
    held: list[Request] = []

    def turn() -> Iterator[Request]:
        first = held.pop()
        yield first
        for request in feed:
            if (request.adapter is None) != (first.adapter is None):
                held.append(request)
                return
            yield request

    while held or (first := next(feed, None)) is not None:
        if not held:
            assert first is not None
            held.append(first)
        yield turn()
