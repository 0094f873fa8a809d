"""The check of a job of labels, before an engine is started for it."""

from collections.abc import Mapping
from typing import Any, NoReturn

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Ask, ChatSettings, Message
from llmbatch.engines.vllm import versions
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer

_MODE = "logprobs_mode"
_OWN = "raw_logprobs"
_PARAMETER = "logprob_token_ids"


def check(
    ask: Ask,
    chat: ChatSettings,
    options: Mapping[str, Any],
    tokenizer: ChatTokenizer | None,
) -> None:
    """Raise UsageError where no request for these labels could be answered. `tokenizer`: None where
    it is not known yet."""
    if options.get(_MODE, _OWN) != _OWN:
        raise UsageError(
            f"engine option {_MODE!r}: the probabilities of labels are the model's own; leave it "
            f"out, or set {_OWN}"
        )
    if chat.thinking not in (None, "off"):
        raise UsageError(
            f"--thinking {chat.thinking}: a label is measured where the answer begins, before any "
            "thinking; use --thinking off"
        )
    if not _measures():
        raise UsageError(
            f"vLLM {versions.installed()} does not tell how likely given tokens are; --task "
            "classify with labels needs a newer one"
        )
    if tokenizer is not None:
        try:
            tokenizer.label_tree([Message("user", "x")], ask)
        except ValueError as error:
            raise UsageError(f"labels: {error}") from error


def refuse_thinking() -> NoReturn:
    """Raise the UsageError for a model that would think where labels are measured."""
    raise UsageError(
        "this model may think before it answers, and a label is measured where its answer begins: "
        "say --thinking off"
    )


def _measures() -> bool:
    """True if the installed vLLM has the parameter; also without one, where nothing is run."""
    folder = versions.source()
    if folder is None:
        return True
    text = (folder / "sampling_params.py").read_text(encoding="utf-8")
    return f"{_PARAMETER}:" in text
