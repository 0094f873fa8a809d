"""The tokens of a scripted server, a word each, and how likely they are after a prompt."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.core.outcomes import Usage
from llmbatch.core.records import Ask, Message, Request, Sampling
from tests import scripted_answers
from tests.servers import replies

END = 2
"""The token that ends a message."""


class TooLongError(Exception):
    """A prompt of so many tokens does not fit."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


class Labels:
    """Knows the words of the tokens that it made, and the chats of the prompts."""

    def __init__(self, max_model_len: int) -> None:
        self._length = max_model_len
        self._words: dict[int, str] = {END: "<end>"}
        self._chats: dict[tuple[int, ...], tuple[Message, ...]] = {}

    def tokenize(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of /tokenize to a prompt or to messages."""
        if "messages" not in body:
            return self._told(self._encode(body["prompt"]))
        chat = tuple(Message(one["role"], one["content"]) for one in body["messages"])
        tokens = [token for message in chat for token in self._encode(message.content)]
        if body.get("continue_final_message"):
            return self._told(tokens)
        if not body.get("add_generation_prompt", True):
            return self._told([*tokens, END])
        self._chats[tuple(tokens)] = chat
        return self._told(tokens)

    def _told(self, tokens: list[int]) -> dict[str, Any]:
        return {"count": len(tokens), "max_model_len": self._length, "tokens": tokens}

    def _encode(self, text: str) -> list[int]:
        made = {zlib.crc32(word.encode()) % 2**31: word for word in text.split()}
        self._words.update(made)
        return [zlib.crc32(word.encode()) % 2**31 for word in text.split()]

    def chat(self, body: Mapping[str, Any], form: str) -> dict[str, Any]:
        """The answer of /v1/chat/completions to a question for the log probabilities of tokens."""
        told = self.tokenize({"messages": body["messages"]})
        if told["count"] + 1 > self._length:
            raise TooLongError(told["count"])
        at = self._likely(tuple(told["tokens"]), body["logprob_token_ids"])
        top = [{"token": token, "logprob": value, "bytes": []} for token, value in at.items()]
        content = [{"token": "token_id:7", "logprob": -0.5, "top_logprobs": top}]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "x"},
            "logprobs": {"content": content},
            "finish_reason": "length",
        }
        usage = replies.usage_of(Usage(prompt=told["count"], output=1), form)
        tokens = told["tokens"] if body.get("return_token_ids") else None
        return {"choices": [choice], "prompt_token_ids": tokens, **usage}

    def texts(self, body: Mapping[str, Any], form: str) -> dict[str, Any]:
        """The same of /v1/completions, for prompts of tokens."""
        choices = [
            {
                "index": index,
                "text": "x",
                "logprobs": {
                    "tokens": ["token_id:7"],
                    "token_logprobs": [-0.5],
                    "top_logprobs": [self._likely(tuple(prompt), body["logprob_token_ids"])],
                },
                "finish_reason": "length",
            }
            for index, prompt in enumerate(body["prompt"])
        ]
        usage = Usage(prompt=sum(map(len, body["prompt"])), output=len(choices))
        return {"choices": choices, **replies.usage_of(usage, form)}

    def _likely(self, prompt: tuple[int, ...], asked: Sequence[int]) -> dict[str, float]:
        """The log probability of each of these tokens as the next one."""
        size = next(n for n in range(len(prompt), -1, -1) if prompt[:n] in self._chats)
        chat, place = self._chats[prompt[:size]], [self._words[one] for one in prompt[size:]]
        words = [self._words[token] for token in asked]
        labels = tuple(" ".join([*place, word]) for word in words)
        request = Request("0" * 32, chat, Sampling(max_tokens=1))
        values = json.loads(scripted_answers.asked(request, Ask("labels", labels=labels)))
        return {f"token_id:{one}": value for one, value in zip(asked, values, strict=True)}
