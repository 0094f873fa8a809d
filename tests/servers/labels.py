"""The tokens of a scripted server, a word each, and how likely they are after a prompt."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from llmbatch.core.outcomes import Usage
from llmbatch.core.records import Ask, Message, Request, Sampling
from tests import scripted_answers
from tests.servers import replies

END = 2
"""The token that ends a message."""


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

    def measured(self, body: Mapping[str, Any], form: str) -> dict[str, Any]:
        """The answer of /v1/completions to a prompt of tokens, with the log probability of each of
        those that are asked for, and of the token that it says."""
        prompt = tuple(body["prompt"])
        size = next(n for n in range(len(prompt), -1, -1) if prompt[:n] in self._chats)
        chat, place = self._chats[prompt[:size]], [self._words[one] for one in prompt[size:]]
        words = [self._words[token] for token in body["logprob_token_ids"]]
        labels = tuple(" ".join([*place, word]) for word in words)
        request = Request("0" * 32, chat, Sampling(max_tokens=1))
        values = json.loads(scripted_answers.asked(request, Ask("labels", labels=labels)))
        top = {
            f"token_id:{token}": value
            for token, value in zip(body["logprob_token_ids"], values, strict=True)
        }
        logprobs = {"tokens": ["token_id:7"], "token_logprobs": [-0.5], "top_logprobs": [top]}
        choice = {"index": 0, "text": "x", "logprobs": logprobs, "finish_reason": "length"}
        usage = replies.usage_of(Usage(prompt=len(prompt), output=1), form)
        return {"object": "text_completion", "choices": [choice], **usage}
