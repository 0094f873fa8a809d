"""Time and work of the steps of vLLM's engine core: the moments from which tokens get weights."""

from collections import deque
from collections.abc import Iterable

from llmbatch.core.step_cost import StepMoments
from llmbatch.engines.vllm.core_channel import StepOutput

WARM_UP_STEPS = 2
"""So many first steps of each engine are left out: compilation and allocation happen in them."""
HELD_UP, SECONDS, KNOWN = 20, 0.25, 10
"""A step was held up if it took HELD_UP times as long as the steps before it, and longer than
SECONDS; the first KNOWN steps never count as held up."""


class Steps:
    """Counts how long each step took, how many requests got a token, and how many prompt tokens
    it computed.

    A step lasts from the end of the one before, or from the arrival of a request where the engine
    core had none, to its own end. vLLM reports a prompt's computed tokens when the answer
    begins, although a long prompt is spread over several steps (chunked prefill). Each step
    computes `tokens_per_step` tokens at most, running requests first, then prompts in their
    order; so a prompt is taken to have gone through as few steps as had room for it, the room of
    the earlier ones filled first. That leaves out that some of a short prompt may have been
    computed a step earlier; the sums over all steps are exact. The last few steps are kept open.

    A step that was held up by something else than its work, such as what else runs on the machine,
    is counted nowhere: a single one would spoil the cost of all. Where the next one takes as long,
    the engine has become slow, and it counts.
    """

    __slots__ = ("_ended_at", "_held_up", "_limit", "_open", "_span", "_sums", "_warm_up")

    def __init__(self, tokens_per_step: int, longest_prompt: int) -> None:
        self._limit = max(1, tokens_per_step)
        self._span = 1 + -(-longest_prompt // self._limit)
        # Of each open step: seconds, requests that got a token, prompt tokens.
        self._open: deque[list[float]] = deque()
        self._sums = [0.0] * 10
        self._warm_up = WARM_UP_STEPS
        self._held_up = False
        self._ended_at: float | None = None

    def count(self, output: StepOutput, recomputed: int) -> None:
        """Add a step. `recomputed`: prompt tokens computed again for those that were preempted."""
        began = max(self._began(output))
        self._ended_at = output.at
        self._open.append([max(0.0, output.at - began), output.answering, recomputed])
        for tokens in output.prefilled:
            self._divide(tokens)
        while len(self._open) > self._span:
            self._close()

    def pause(self) -> None:
        """The engine core has nothing to do: the next step begins with a request's arrival."""
        self._ended_at = None

    def rest(self) -> None:
        """No step follows for now; those that are open count, too."""
        while self._open:
            self._close()
        self._ended_at = None

    def moments(self) -> StepMoments:
        """The sums over all steps but the open ones; may be asked from any thread."""
        steps, *rest = self._sums
        return StepMoments(int(steps), *rest)

    def _began(self, output: StepOutput) -> Iterable[float]:
        """Times before which the step cannot have begun; its own end if none is known."""
        known = (self._ended_at, output.asked_at)
        earliest = [moment for moment in known if moment is not None]
        if self._ended_at is None and output.queued_at is not None:
            earliest.append(output.queued_at)
        return earliest or [output.at]

    def _divide(self, tokens: int) -> None:
        """Divide a prompt's computed tokens among the steps that had room for them."""
        first, room = len(self._open), 0.0
        while first and room < tokens:
            first -= 1
            room += self._room(first)
        remaining: float = tokens
        for index in range(first, len(self._open)):
            part = min(remaining, self._room(index))
            self._open[index][2] += part
            remaining -= part
        self._open[-1][2] += remaining

    def _room(self, index: int) -> float:
        _, answering, prefill = self._open[index]
        return max(0.0, self._limit - answering - prefill)

    def _close(self) -> None:
        t, s, p = self._open.popleft()
        if not s and not p:
            return  # it only waited, such as for a grammar
        if self._warm_up:
            self._warm_up -= 1
            return
        self._held_up = not self._held_up and self._is_long(t, s + p)
        if self._held_up:
            return
        added = (1, t, s, p, t * t, t * s, t * p, s * s, s * p, p * p)
        self._sums = [a + b for a, b in zip(self._sums, added, strict=True)]

    def _is_long(self, seconds: float, tokens: float) -> bool:
        """True if a step took far longer than those before it, for as many tokens."""
        steps, t, s, p = self._sums[:4]
        if steps < KNOWN or seconds <= SECONDS:
            return False
        return seconds > HELD_UP * t / steps * max(1.0, tokens * steps / (s + p))
