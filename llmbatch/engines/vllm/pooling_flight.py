"""The requests of one run on their way through a pooling model: each is one prompt or several."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage
from llmbatch.core.records import Ask, Request
from llmbatch.engines.pooling import Pooling
from llmbatch.engines.vllm import pooled_numbers
from llmbatch.engines.vllm.core_channel import Answer, StepOutput
from llmbatch.engines.vllm.in_flight import InFlight, VllmSession, one_line
from llmbatch.engines.vllm.pooling_prompts import PoolingPrompts, TooLongError
from llmbatch.engines.vllm.text_tokens import Cut, TokenText
from llmbatch.engines.vllm.versions import MISMATCHES, mismatch


@dataclass(kw_only=True)
class PoolingSession(VllmSession):
    """A running pooling engine and what its runs share. `template`: what its requests copy."""

    prompts: PoolingPrompts
    pooling: Pooling
    template: Any


@dataclass(slots=True)
class _Open:
    """A request whose prompts are in flight, and what came back, by the numbers of the prompts."""

    request: Request
    ask: Ask
    cut: Cut
    answers: dict[str, Answer | None] = field(default_factory=dict)


class PoolingFlight(InFlight):
    """See `InFlight`: the same for requests of numbers."""

    def __init__(self, session: PoolingSession, requests: Iterable[Request | None]) -> None:
        super().__init__(session, requests)
        self._pools = session
        self._open: dict[str, _Open] = {}

    def _send(self, request: Request) -> Failed | None:
        session = self._pools
        ask = request.ask
        if ask is None or not ask.pools:
            text = "this engine makes numbers of texts, and was asked for a text"
            return Failed(request.key, "refused_request", text)
        opened: _Open | None = None
        try:
            cut = session.prompts.prompts(request.messages, ask, session.max_model_len)
            opened = _Open(request, ask, cut)
            for part in cut.parts:
                self._send_part(opened, part)
        except EngineError:
            raise
        except TooLongError as error:
            return Failed(request.key, "too_long", str(error))
        except MISMATCHES as error:
            raise mismatch(error) from error
        except Exception as error:  # vLLM and its parts may raise anything
            self._give_up(opened)
            return Failed(request.key, "refused_request", one_line(error))
        return None

    def _send_part(self, opened: _Open, part: TokenText) -> None:
        session = self._pools
        number = str(next(session.numbers))
        template = session.template
        if part.second is not None:
            template = _with_types(template, part.second)
        session.client.add(number, part.ids, template)
        self._sent[number] = opened.request
        opened.answers[number] = None
        self._open[number] = opened
        self._waiting.add(number, part.ids)

    def _give_up(self, opened: _Open | None) -> None:
        """Take back what was sent of a request that could not be sent whole."""
        sent = [] if opened is None else list(opened.answers)
        for number in sent:
            del self._sent[number], self._open[number]
            self._waiting.take(number)
        if sent:
            self._session.client.abort(sent)

    def _settle(self, output: StepOutput) -> None:
        self._session.stats.step(output, rows_left=self._more)
        for number in output.begun:
            self._waiting.take(number)
        for answer in output.finished:
            self._waiting.take(answer.number)
            # Others finished too late: they belong to a run that was given up.
            if self._sent.pop(answer.number, None) is None:
                continue
            opened = self._open.pop(answer.number)
            opened.answers[answer.number] = answer
            answers = [each for each in opened.answers.values() if each is not None]
            if len(answers) == len(opened.answers):
                self._settled.append(self._made(opened, answers))

    def _made(self, opened: _Open, answers: Sequence[Answer]) -> Outcome:
        key = opened.request.key
        usage = Usage(
            prompt=sum(answer.prompt for answer in answers),
            cached=sum(answer.cached for answer in answers),
        )
        for answer in answers:
            if answer.vector is None:
                message = answer.error or f"vLLM ended the request with {answer.reason!r}"
                return Failed(key, "refused_request", message, Usage(), None, answer.reason)
        self._session.stats.count(usage)
        try:
            return Completed(key, self._text(opened, answers), "stop", usage)
        except pooled_numbers.WidthError as error:
            raise EngineError(str(error)) from error

    def _text(self, opened: _Open, answers: Sequence[Answer]) -> str:
        pooling, ask, cut = self._pools.pooling, opened.ask, opened.cut
        vectors = [pooled_numbers.given(answer.vector) for answer in answers]
        if ask.kind == "heads":
            text = pooled_numbers.heads(pooling, vectors[0])
        elif ask.kind == "score":
            text = pooled_numbers.score(pooling, vectors)
        else:
            own = [part.own for part in cut.parts]
            text = pooled_numbers.embedding(pooling, ask, vectors, own)
        if ask.overflow == "fail":
            return text
        parts, left_out = len(cut.parts), cut.left_out
        return pooled_numbers.overflowing(text, ask, parts=parts, left_out=left_out)


def _with_types(template: Any, second: int) -> Any:
    """The template of a pair whose second text begins at token `second`."""
    own = getattr(template, "pooling_params", None)  # of the short way; else parameters alone
    parameters = copy.copy(template if own is None else own)
    parameters.extra_kwargs = {"compressed_token_type_ids": second}
    if own is None:
        return parameters
    made = copy.copy(template)
    made.pooling_params = parameters
    return made
