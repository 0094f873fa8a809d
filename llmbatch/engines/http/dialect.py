"""The fields that a kind of server takes in a request."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from llmbatch.core.records import ChatSettings, Sampling

VLLM = "vllm"
OPENAI = "openai"
EXTRA = (
    "top_k",
    "min_p",
    "repetition_penalty",
    "min_tokens",
    "stop_token_ids",
    "include_stop_str_in_output",
    "ignore_eos",
)
"""Sampling fields that vLLM knows and OpenAI's interface does not."""
_OURS = {"include_stop_str_in_output": "include_stop"}
_NEUTRAL = Sampling()


@dataclass(frozen=True)
class Dialect:
    """`name` of the kind; `takes`: of the `EXTRA` fields those that it takes."""

    name: str
    takes: frozenset[str]
    length_field: str = "max_tokens"

    @property
    def is_vllm(self) -> bool:
        return self.name == VLLM

    def refusal(self, sampling: Sampling) -> str | None:
        """The first setting that such a server would ignore; None if it takes them all."""
        for written in EXTRA:
            name = _OURS.get(written, written)
            if written not in self.takes and value_of(sampling, name) != value_of(_NEUTRAL, name):
                return f"{name}: a server that is no vLLM would ignore it; leave it out{_HOW}"
        return None

    def chat_refusal(self, chat: ChatSettings) -> str | None:
        """The first setting of chats that such a server would ignore; None: none."""
        if self.is_vllm:
            return None
        for name, value in (
            ("chat template", chat.template),
            ("chat template variables", chat.kwargs),
            ("thinking", chat.thinking),
        ):
            if value not in (None, {}):
                return f"{name}: a server that is no vLLM would ignore it; leave it out"
        return None


_HOW = ", or tell that these servers take it: --engine-arg takes=NAME"


def make(name: str, takes: Collection[str] = (), length_field: str = "max_tokens") -> Dialect:
    """The dialect of this name; `takes`: extra fields that it takes although it is no vLLM."""
    return Dialect(name, frozenset(EXTRA if name == VLLM else takes), length_field)


def value_of(sampling: Sampling, name: str) -> Any:
    """A setting; numbers that mean the same are alike."""
    value = getattr(sampling, name)
    return max(value, 0) if name == "top_k" else value
