"""The failed answers of requests, told to the model at the next try."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from llmbatch.core.outcomes import NO_TRIES, Failed, Tries
from llmbatch.core.records import Request
from llmbatch.job import feedback_text
from llmbatch.job.run_settings import RunSpec
from llmbatch.pipeline.prompts import turns
from llmbatch.store import failed_answers
from llmbatch.store.database import Database
from llmbatch.store.plans import PlannedRequest

Uncommitted = Callable[[str], Failed | None]


class Feedback:
    """Adds to requests the newest answer of each that broke its form or a rule, and the reason.

    Both are read from the store, so that a run which goes on after a kill sends what the killed one
    would have sent; an answer of the last seconds is not there yet, and is asked of `uncommitted`.
    """

    def __init__(self, db: Database, settings: RunSpec, uncommitted: Uncommitted) -> None:
        """`uncommitted`: the failed answer to the request of this key that waits for the next
        checkpoint, if one does; asked by the engine's thread."""
        self._db = db
        self._is_on = settings.feedback
        self._text = settings.feedback_text
        self._uncommitted = uncommitted
        self._read: dict[str, tuple[str, str]] = {}

    def read(self, requests: Sequence[PlannedRequest], tries: Mapping[int, Tries]) -> None:
        """Read the failed answers of those requests that are to be told of one, before `tell`."""
        if not self._is_on:
            return
        wanted = [one.key for one in requests if _is_told(tries.get(one.position, NO_TRIES))]
        # In this order: what is no longer waiting once it is asked for has been committed.
        waiting = {key: self._uncommitted(key) for key in wanted}
        stored = [key for key, failed in waiting.items() if failed is None]
        found = failed_answers.newest(self._db, stored) if stored else []
        self._read |= {one.key: (one.answer, one.reason) for one in found}
        for key, failed in waiting.items():
            if failed is not None and failed.text is not None:
                self._read[key] = (failed.text, failed.message)

    def tell(self, request: Request) -> Request | None:
        """The request with its failed answer and the reason as further turns; None where there is
        none, or where the request is no chat."""
        failed = self._read.pop(request.key, None) if self._read else None
        if failed is None or not turns.can_be_told(request.messages):
            return None
        answer, reason = failed
        said = feedback_text.filled(self._text, reason)
        return replace(request, messages=turns.told(request.messages, answer, said))


def _is_told(tries: Tries) -> bool:
    return tries.invalid > 0 and tries.unfit == 0
