"""The share of answers that is copied from their prompts: drafts by look-up are right as often."""

from collections.abc import Iterable, Mapping

from llmbatch.core.records import Request

LEAST = 0.2
"""With a smaller share copied, speculation is not tried."""
_RUN = 3


def copied_share(requests: Iterable[Request], answers: Mapping[str, str]) -> float:
    """The share of the words of all answers (by key) that stand in a run of three words which their
    prompt has, too; 0 where there are no words."""
    words = copied = 0
    for request in requests:
        own = answers.get(request.key, "").split()
        prompt = " ".join(message.content for message in request.messages).split()
        known = set(_runs(prompt))
        inside = {
            place + more
            for place, run in enumerate(_runs(own))
            if run in known
            for more in range(_RUN)
        }
        words += len(own)
        copied += len(inside)
    return copied / words if words else 0.0


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + _RUN]) for start in range(len(words) - _RUN + 1)]
