"""The answer to a request for labels, of which the engine core gives parts."""

import json

from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage
from llmbatch.engines.label_tree import LabelTree, Part, Path
from llmbatch.engines.vllm.core_channel import Answer


class LabelAnswer:
    """The parts of one answer, by the numbers of their requests in the engine core.

    What is used: the prompt once, as it was computed for the first part, and a token for each part.
    """

    def __init__(self, key: str, tree: LabelTree, prompt: int) -> None:
        """`key`: of the request; `prompt`: the tokens of its prompt."""
        self._key = key
        self._tree = tree
        self._usage = Usage(prompt=prompt)
        self._expected: dict[str, Part] = {}
        self._found: dict[Path, dict[int, float]] = {}
        self._failed: Failed | None = None

    def expect(self, number: str, part: Part) -> None:
        """Wait for a part, which the engine core was asked for."""
        self._expected[number] = part

    @property
    def open(self) -> list[str]:
        """The numbers of the parts that have not come."""
        return list(self._expected)

    def take(self, answer: Answer) -> None:
        """Add a part that has come."""
        part, used = self._expected.pop(answer.number), self._usage
        is_first = not part.place and not self._found
        cached = answer.cached if is_first else used.cached
        self._usage = Usage(used.prompt, cached, used.output + len(answer.tokens))
        found = answer.likely or {}
        if answer.reason not in ("stop", "length"):
            message = answer.error or f"vLLM ended the request with {answer.reason!r}"
        elif not found.keys() >= set(part.following):
            message = "vLLM gave no probabilities for the labels"
        else:
            self._found.setdefault(part.place, {}).update(found)
            return
        usage = self._usage if self._usage.output else Usage()
        self._failed = Failed(self._key, "refused_request", message, usage)

    def outcome(self) -> Outcome | None:
        """The outcome of the request; None while parts are to come."""
        if self._failed is not None:
            return self._failed
        if self._expected:
            return None
        text = json.dumps(self._tree.totals(self._found))
        return Completed(self._key, text, "stop", self._usage)
