"""The token ids that a model has: others would make it take another token, or break."""

from collections.abc import Iterable
from typing import Any


def last_token(engine: Any) -> int:
    """The highest token id that the tokenizer or the model knows: one may know more than the
    other, and vLLM takes what either knows."""
    tokenizer = engine.get_tokenizer()
    last = getattr(tokenizer, "max_token_id", None)
    known = len(tokenizer) - 1 if last is None else last
    size: int = engine.vllm_config.model_config.get_vocab_size()
    return max(int(known), size - 1)


def check(tokens: Iterable[int], last: int) -> None:
    """Raise ValueError for a token id that the model does not have."""
    for token in tokens:
        if not 0 <= token <= last:
            raise ValueError(f"token id {token} is out of the model's vocabulary")


def check_parameters(parameters: Any, engine: Any) -> None:
    """Raise ValueError for parameters that name a token which the model does not have."""
    named = [*(getattr(parameters, "stop_token_ids", None) or ())]
    named += getattr(parameters, "logit_bias", None) or {}
    if named:
        check(named, last_token(engine))
