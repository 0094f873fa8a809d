"""The thinking before an answer, parted from it by one of vLLM's reasoning parsers.

vLLM holds an answer to its constraint once the thinking has ended, which its reasoning parser sees
by the tokens of prompt and answer. The text of a message is never such a token (`contents_apart`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from llmbatch.engines.vllm.thinking_switch import named_parser


@dataclass(frozen=True, slots=True)
class Thought:
    """The thinking (`reasoning`, None: there was none) in so many `tokens`, and the answer after it
    (None: the thinking did not end)."""

    reasoning: str | None
    tokens: int
    answer: str | None


class Reasoning:
    """Parts answers from the thinking before them, by one of vLLM's reasoning parsers."""

    def __init__(self, parser: Any, end: int, tokenizer: ChatTokenizer) -> None:
        """`end`: the token that ends the thinking."""
        self._parser = parser
        self._end = end
        self._tokenizer = tokenizer

    def is_over(self, prompt: Sequence[int]) -> bool:
        """True if the prompt (token ids) itself ends the thinking, so that all is answer."""
        return bool(self._parser.is_reasoning_end(prompt))

    def part(self, ids: Sequence[int], text: str | None, *, stopped: bool) -> Thought:
        """The parts of an output. `text`: where vLLM has decoded it; `stopped`: its last token
        ended it."""
        tokens = list(ids)
        if self._end not in tokens:
            return Thought(None, len(tokens), None)
        split = tokens.index(self._end) + 1
        rest = tokens[split:]
        if text is not None:
            reasoning, answer = self._parser.extract_reasoning(text, None)
        else:
            reasoning = self._tokenizer.decode(tokens[: split - 1], stopped=False)
            answer = self._tokenizer.decode(rest, stopped=stopped) if rest else ""
        return Thought(self._bare(reasoning or ""), split, (answer or "").lstrip("\n"))

    def _bare(self, text: str) -> str:
        """Thinking without its mark and the white space around it."""
        begin = getattr(self._parser, "reasoning_start_str", None) or ""
        return text.strip().removeprefix(begin).strip()


def make(options: Mapping[str, Any], tokenizer: Any, chat: ChatTokenizer) -> Reasoning | None:
    """The parting of an engine's answers; None where it has no reasoning parser. `tokenizer`: the
    engine's own. Raises EngineError for a parser that has no token for the end of thinking: its
    answers could not be told from thoughts that were cut."""
    name = named_parser(options)
    if name is None:
        return None
    from vllm.reasoning import ReasoningParserManager

    parser = ReasoningParserManager.get_reasoning_parser(name)(tokenizer)
    end = getattr(parser, "end_token_id", None)
    if end is None:
        end = tokenizer.get_vocab().get(getattr(parser, "reasoning_end_str", None))
    if end is None:
        raise EngineError(
            f"reasoning parser {name!r} has no token that ends the thinking; name another one by "
            "--engine-arg reasoning_parser=NAME"
        )
    return Reasoning(parser, end, chat)
