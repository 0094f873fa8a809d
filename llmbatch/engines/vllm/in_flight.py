"""The requests of one run: sending them as there is room, and settling them as they finish.

Twice as many requests are in flight as the scheduler runs at once: that costs no more steps
than handing over everything, and the first answers come at once. Long prompts count by their
tokens, so that they do not pile up in memory (`waiting`).
"""

import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage
from llmbatch.core.records import Ask, Request
from llmbatch.engines.vllm import adapter_turns
from llmbatch.engines.vllm.adapters import Adapters
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from llmbatch.engines.vllm.client import Client
from llmbatch.engines.vllm.core_channel import SETTLED, Answer, IsSettled, StepOutput
from llmbatch.engines.vllm.early_end import EarlyEnd, Ended
from llmbatch.engines.vllm.label_answer import LabelAnswer
from llmbatch.engines.vllm.read_ahead import ReadAhead
from llmbatch.engines.vllm.reasoning import Reasoning
from llmbatch.engines.vllm.sampling import Parameters, needs_decoding
from llmbatch.engines.vllm.stats import Stats
from llmbatch.engines.vllm.versions import MISMATCHES, mismatch
from llmbatch.engines.vllm.waiting import Room, Waiting

WINDOW_FACTOR = 2
"""Requests in flight for each that the scheduler runs at once: it always finds one waiting."""

_C_PREFIX = re.compile(r"\[\d\d:\d\d:\d\d\] \S+\.(?:cc|h|cpp):\d+: ")


@dataclass
class VllmSession:
    """A running engine and what its runs share. `parameters` makes templates of the client.

    `window`: requests in flight at most; `room`: once it is taken by prompts whose answers have not
    begun, no more requests are pulled. `takes_turns`: requests with and without an adapter are
    never in flight together.
    """

    client: Client
    tokenizer: ChatTokenizer
    parameters: Parameters
    stats: Stats
    reasoning: Reasoning | None
    early_end: EarlyEnd
    max_model_len: int
    window: int
    room: Room
    adapters: Adapters
    takes_turns: bool
    ahead: ReadAhead = field(default_factory=ReadAhead)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def turns(self, requests: Iterable[Request | None]) -> Iterable[Iterable[Request | None]]:
        """The parts of a feed that are in flight one after the other."""
        return adapter_turns.turns(requests) if self.takes_turns else [requests]


class InFlight:
    """The requests of one run on their way through the engine."""

    def __init__(self, session: VllmSession, requests: Iterable[Request | None]) -> None:
        self._session = session
        self._feed = iter(requests)
        self._more = True
        self._sent: dict[str, Request] = {}
        self._thinking: set[str] = set()  # of those whose answer comes after some thinking
        self._waiting = Waiting(session.room)
        self._labels: dict[str, LabelAnswer] = {}  # of those that ask for a part of one
        self._settled: deque[Outcome] = deque()

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes as they come; requests are pulled while there is room for them."""
        session, settled = self._session, self._settled
        while True:
            pulls = self._more and self._has_room() and self._pull()
            if self._sent and not (pulls or settled):
                self._receive()
            while self._sent and session.client.has_arrived():
                self._receive()
            if settled:
                yield settled.popleft()
            elif not (self._more or self._sent):
                return

    def abort(self) -> None:
        """Give up what is in flight."""
        if self._sent:
            self._session.client.abort(list(self._sent))

    def _has_room(self) -> bool:
        few = len(self._sent) + len(self._settled) < self._session.window
        return few and self._waiting.has_room()

    def _pull(self) -> bool:
        """Take one request from the feed and send it; false if the feed has none now."""
        try:
            request = next(self._feed)
        except StopIteration:
            self._more = False
            return False
        if request is None:
            return False
        failed = self._send(request)
        if failed is not None:
            self._settled.append(failed)
        return True

    def _send(self, request: Request) -> Failed | None:
        """Hand a request to vLLM; its failure if it cannot be sent."""
        numbers: list[str] = []
        try:
            if request.ask is not None and request.ask.kind == "labels":
                return self._send_labels(request, request.ask, numbers)
            return self._send_text(request)
        except EngineError:
            raise
        except MISMATCHES as error:
            raise mismatch(error) from error
        except Exception as error:  # vLLM and its parts may raise anything
            self._drop(numbers)
            return Failed(request.key, "refused_request", one_line(error))

    def _send_text(self, request: Request) -> Failed | None:
        session, tokens = self._session, self._encode(request)
        number = str(next(session.numbers))
        thinks = session.reasoning is not None and not (
            request.prefill or session.reasoning.is_over(tokens)
        )
        sampling = request.sampling if thinks else session.early_end.sampling(request)
        template = session.parameters.make(sampling, request.constraint)
        if len(tokens) + 1 > session.max_model_len:
            return self._too_long(request, f"prompt has {len(tokens)} tokens")
        settled = None if thinks else session.early_end.is_settled(request)
        self._add(request, number, tokens, template, settled)
        if thinks:
            self._thinking.add(number)
        return None

    def _send_labels(self, request: Request, ask: Ask, numbers: list[str]) -> Failed | None:
        """One request for each node of the labels' tree; the first one is the prompt, the others
        go on from it, and find it in the prefix cache. Their `numbers` are added to the list."""
        session, tokens = self._session, self._encode(request)
        tree = session.tokenizer.label_tree(request.messages, ask)
        longest = len(tokens) + tree.longest
        if longest + 1 > session.max_model_len:
            return self._too_long(request, f"prompt and label have {longest} tokens")
        answer = LabelAnswer(request.key, tree, len(tokens))
        for part in tree.parts():
            number = str(next(session.numbers))
            template = session.parameters.measure(part.following)
            self._add(request, number, [*tokens, *part.place], template)
            self._labels[number] = answer
            answer.expect(number, part)
            numbers.append(number)
        return None

    def _add(
        self,
        request: Request,
        number: str,
        tokens: list[int],
        template: Any,
        is_settled: IsSettled | None = None,
    ) -> None:
        """Send tokens of a request, with its adapter."""
        adapter = self._session.adapters.request(request.adapter)
        self._session.client.add(number, tokens, template, is_settled, adapter)
        self._sent[number] = request
        self._waiting.add(number, tokens, request.adapter)

    def _too_long(self, request: Request, what: str) -> Failed:
        text = f"{what}, the context length is {self._session.max_model_len}"
        return Failed(request.key, "too_long", text)

    def _drop(self, numbers: list[str]) -> None:
        """Abort requests of which nothing is wanted any more."""
        for number in numbers:
            self._sent.pop(number, None)
            self._labels.pop(number, None)
            self._waiting.take(number)
        if numbers:
            self._session.client.abort(numbers)

    def _encode(self, request: Request) -> list[int]:
        session = self._session
        try:
            return session.ahead.take(request.messages, session.tokenizer.encode)
        except (TypeError, LookupError) as error:
            # A chat template raises these of a text, too.
            raise ValueError(one_line(error)) from error

    def _receive(self) -> None:
        """Wait for the engine's next step and settle what it has finished."""
        try:
            self._settle(self._session.client.receive())
        except MISMATCHES as error:
            raise mismatch(error) from error

    def _settle(self, output: StepOutput) -> None:
        self._session.stats.step(output, rows_left=self._more)
        for number in output.begun:
            self._waiting.take(number)
        for answer in output.finished:
            # Others finished too late: they belong to a run that was given up.
            request = self._sent.pop(answer.number, None)
            self._waiting.take(answer.number)
            labels = self._labels.pop(answer.number, None)
            if labels is not None:
                self._take_label(labels, answer)
            elif request is not None:
                self._settled.append(self._outcome(request, answer))
        if not self._sent and any(answer.reason == SETTLED for answer in output.finished):
            # The engine core has nothing left to do, and says no more.
            self._session.stats.empty(output.at)

    def _take_label(self, labels: LabelAnswer, answer: Answer) -> None:
        """Add a part of what a request for labels asks; settle the request with its last one, or
        with the first that failed."""
        labels.take(answer)
        outcome = labels.outcome()
        if outcome is not None:
            self._drop(labels.open)
            self._session.stats.count(outcome.usage)
            self._settled.append(outcome)

    def _parted(self, made: Completed, answer: Answer) -> Outcome:
        """An answer without the thinking before it."""
        reasoning = self._session.reasoning
        assert reasoning is not None
        decoded = answer.text if made.text == answer.text else None
        stopped = made.finish_reason == "stop"
        thought = reasoning.part(answer.tokens, decoded, stopped=stopped)
        usage = replace(made.usage, reasoning=thought.tokens)
        if thought.answer is not None:
            return replace(made, text=thought.answer, reasoning=thought.reasoning, usage=usage)
        if made.finish_reason == "repetition":
            return replace(made, usage=usage)
        how = "" if stopped else f" ({made.finish_reason})"
        message = f"did not end its thinking in {usage.output} tokens{how}"
        kind, text = "unfinished_thinking", made.text
        return Failed(made.key, kind, message, usage, text, made.finish_reason)

    def _ended(self, request: Request, answer: Answer) -> Ended | None:
        """The end of an answer to a choice that was cut because the rest of it is known."""
        ended = self._session.early_end.ended(request, answer.tokens)
        if ended is not None:
            self._session.stats.spare(ended.spared)
        return ended

    def _outcome(self, request: Request, answer: Answer) -> Outcome:
        is_thinking = answer.number in self._thinking
        self._thinking.discard(answer.number)
        tokenizer, reason = self._session.tokenizer, answer.reason or ""
        usage = Usage(prompt=answer.prompt, cached=answer.cached, output=len(answer.tokens))
        if not answer.tokens and reason not in ("stop", "length"):
            usage = Usage()  # it was turned away before its prompt was computed
        self._session.stats.count(usage)
        if (
            reason in ("length", SETTLED)
            and not is_thinking
            and (early := self._ended(request, answer))
        ):
            return Completed(request.key, request.prefill + early.text, "stop", usage)
        text = answer.text
        if text is None or (tokenizer.decodes and not needs_decoding(request.sampling)):
            text = tokenizer.decode(answer.tokens, stopped=reason == "stop")
        text = request.prefill + text
        if reason == "length" and usage.prompt + usage.output >= self._session.max_model_len:
            reason = "context"  # vLLM has one name for both ends
        if reason in ("stop", "length", "context", "repetition"):
            made = Completed(request.key, text, reason, usage, logprobs=answer.logprobs)
            return self._parted(made, answer) if is_thinking else made
        message = answer.error or f"vLLM ended the request with {reason!r}"
        return Failed(request.key, "refused_request", message, usage, text, reason)


def one_line(error: Exception) -> str:
    """An error's text without line breaks, and without the clock of a library written in C."""
    text = _C_PREFIX.sub("", " ".join(str(error).split()))
    return text or type(error).__name__
