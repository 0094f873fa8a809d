"""The probabilities of labels, from a server of vLLM's.

The server's own tokenizer says once which tokens the labels are after a prompt, and each request
asks how likely these are. Labels that begin alike take a second call, with the prompt's tokens as
the first one told them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Outcome, Usage
from llmbatch.core.records import Ask, ChatSettings, Message, Request, Sampling
from llmbatch.engines import label_tree
from llmbatch.engines.http import bodies
from llmbatch.engines.http.answers import UnreadableError, table, usage_of
from llmbatch.engines.http.bodies import Call, RefusedError, dumped
from llmbatch.engines.http.numbers_told import TOKENIZE
from llmbatch.engines.label_tree import LabelTree, Path
from llmbatch.engines.pooling import Pooling

_PROBE = "x"
_MARK = "token_id:"
_ONE = Sampling(max_tokens=1)
NO_LABELS = (
    "the server does not tell how likely given labels are, as vLLM's does: ask it for one of "
    "several answers, without their probabilities: --choice NAME for each, in the place of "
    "--task classify"
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A request of which the first call is answered."""

    found: Mapping[Path, Mapping[int, float]]
    usage: Usage


class Labels:
    """See `asks.Asks`."""

    def __init__(self, model: str, ask: Ask, chat: ChatSettings) -> None:
        self._model = model
        self._ask = ask
        self._chat = bodies.chat_fields(chat)
        self._tree: LabelTree | None = None

    def call(self, request: Request) -> Call:
        """See `asks.Asks`."""
        assert self._tree is not None
        roles = {message.role for message in request.messages}
        if not roles <= {"system", "user", "assistant"}:
            raise RefusedError("labels are measured where a chat is answered, without a prefill")
        messages = [
            {"role": message.role, "content": message.content} for message in request.messages
        ]
        body = {
            "model": self._model,
            "messages": messages,
            **self._chat,
            **_asking(self._tree.nodes[()]),
            "logprobs": True,
            "return_token_ids": len(self._tree.nodes) > 1,
        }
        return Call(bodies.CHAT, dumped(body))

    def outcome(self, request: Request, body: bytes, call: Call) -> Outcome | Call:
        """See `asks.Asks`."""
        assert self._tree is not None
        found = table(body)
        usage = usage_of(found)
        try:
            if call.state is None:
                known: dict[Path, Mapping[int, float]] = {(): _of_chat(found["choices"][0])}
                if len(self._tree.nodes) > 1:
                    return self._further(found["prompt_token_ids"], known, usage)
            else:
                first: _Begun = call.state
                known, used = dict(first.found), first.usage
                places = [place for place in self._tree.nodes if place]
                for place, choice in zip(places, found["choices"], strict=True):
                    known[place] = _of_text(choice)
                usage = Usage(used.prompt, used.cached, used.output + usage.output)
            totals = self._tree.totals(known)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableError("the answer has no probabilities for the labels") from error
        return Completed(request.key, json.dumps(totals), "stop", usage)

    def _further(
        self, prompt: Sequence[int], known: Mapping[Path, Mapping[int, float]], usage: Usage
    ) -> Call:
        assert self._tree is not None
        nodes = {place: following for place, following in self._tree.nodes.items() if place}
        asked = tuple(dict.fromkeys(token for tokens in nodes.values() for token in tokens))
        body = {
            "model": self._model,
            "prompt": [[*prompt, *place] for place in nodes],
            **_asking(asked),
            "logprobs": len(asked),
        }
        return Call(bodies.TEXT, dumped(body), state=_Begun(known, usage))

    async def prepare(self, post: Any, *, is_vllm: bool) -> None:
        """See `asks.Asks`."""
        if not is_vllm:
            raise EngineError(NO_LABELS)
        before = await self._tokens(post, None)
        own = [await self._own(post, before, label) for label in self._ask.labels]
        end = await self._end(post, self._ask.labels[0])
        try:
            tree = label_tree.make(self._ask.labels, own, end, cut=not self._ask.whole)
        except ValueError as error:
            raise EngineError(f"labels: {error}") from error
        asked = [token for tokens in tree.nodes.values() for token in tokens]
        if end < 0 and end in asked:
            raise EngineError("labels: one is the beginning of another, and the template ends none")
        if len(asked) > label_tree.MOST_AT_ONCE:
            most = label_tree.MOST_AT_ONCE
            raise EngineError(f"labels: they take more than {most} tokens, which no server tells")
        if self._tree not in (None, tree):
            raise EngineError("the servers have other tokens for the labels: they are two models")
        self._tree = tree
        await self._try(post)

    async def _own(self, post: Any, before: list[int], label: str) -> list[int]:
        """The tokens of a label after the prompt; by itself, where they are joined with it."""
        together = await self._tokens(post, label)
        if together[: len(before)] == before and len(together) > len(before):
            return together[len(before) :]
        body = {"model": self._model, "prompt": label, "add_special_tokens": False}
        return _counted(await post(Call(TOKENIZE, dumped(body), at_root=True)))

    async def _end(self, post: Any, label: str) -> int:
        """The token that the template writes after an answer; -1: none."""
        open_ended = await self._tokens(post, label)
        closed = await self._tokens(post, label, closed=True)
        has_more = closed[: len(open_ended)] == open_ended and len(closed) > len(open_ended)
        return closed[len(open_ended)] if has_more else -1

    async def _tokens(self, post: Any, answer: str | None, *, closed: bool = False) -> list[int]:
        """Those of a chat with this answer, or where one begins."""
        messages = [{"role": "user", "content": _PROBE}]
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        body = {
            "model": self._model,
            "messages": messages,
            "add_generation_prompt": answer is None,
            "continue_final_message": answer is not None and not closed,
            **self._chat,
        }
        return _counted(await post(Call(TOKENIZE, dumped(body), at_root=True)))

    async def _try(self, post: Any) -> None:
        """Ask for the labels once: a server that ignores the question answers with status 200."""
        request = Request("0" * 32, (Message("user", _PROBE),), _ONE, ask=self._ask)
        found = await post(self.call(request))
        try:
            known = _of_chat(found["choices"][0])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(NO_LABELS) from error
        assert self._tree is not None
        if not known.keys() >= set(self._tree.nodes[()]):
            raise EngineError(NO_LABELS)

    def pooling(self) -> Pooling | None:
        """See `asks.Asks`."""
        return None


def _asking(tokens: Sequence[int]) -> dict[str, Any]:
    """The fields that ask how likely these tokens are as the next one."""
    return {
        "max_tokens": 1,
        "temperature": 0.0,
        "logprob_token_ids": list(tokens),
        "return_tokens_as_token_ids": True,
    }


def _counted(found: Mapping[str, Any]) -> list[int]:
    tokens = found.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
        raise EngineError(NO_LABELS)
    return tokens


def _of_chat(choice: Mapping[str, Any]) -> dict[int, float]:
    (at,) = choice["logprobs"]["content"]
    return {_number(one["token"]): float(one["logprob"]) for one in at["top_logprobs"]}


def _of_text(choice: Mapping[str, Any]) -> dict[int, float]:
    (likely,) = choice["logprobs"]["top_logprobs"]
    return {_number(token): float(value) for token, value in likely.items()}


def _number(token: str) -> int:
    return int(token.removeprefix(_MARK))
