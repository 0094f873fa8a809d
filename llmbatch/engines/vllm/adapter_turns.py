"""The requests with and without an adapter, kept apart where vLLM mixes them up.

On the CPU, rows without an adapter that share a step with rows that have one are computed with the
adapter in the last slot, without an error (vLLM 0.32.0; vllm-project/vllm issue 48421). So they are
never in flight together there.
"""

from collections.abc import Iterable, Iterator

from llmbatch.core.records import Request


def turns(requests: Iterable[Request | None]) -> Iterator[Iterator[Request | None]]:
    """The feed in parts, in its order, each of requests that all have an adapter or all have none.
    A part is used up, and all of it answered, before the next one is taken. None, where no request
    is ready, is passed on."""
    feed = iter(requests)
    held: list[Request] = []

    def turn() -> Iterator[Request | None]:
        first = held.pop()
        yield first
        for request in feed:
            if request is not None and (request.adapter is None) != (first.adapter is None):
                held.append(request)
                return
            yield request

    while True:
        if not held:
            first = next((request for request in feed if request is not None), None)
            if first is None:
                return
            held.append(first)
        yield turn()
