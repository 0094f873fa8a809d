"""A model's tokenizer and chat template by its files alone.

The library that vLLM takes them from imports torch, which is most of the time of a plan, and is not
there on a machine without an engine. Its chat templates are Jinja2 in a sandbox with a few names
beside the messages.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmbatch.core import clock
from llmbatch.engines.vllm.model_texts import ModelTexts

# Parameters of the method itself, which no template sees.
_NOT_SEEN = (
    "continue_final_message",
    "padding",
    "truncation",
    "max_length",
    "return_tensors",
    "return_dict",
    "return_assistant_tokens_mask",
    "tokenizer_kwargs",
)


class BareTokenizer:
    """The part of a tokenizer that prompts are made with; see `ChatTokenizer`."""

    def __init__(self, texts: ModelTexts) -> None:
        """Raises ValueError for a tokenizer.json that cannot be read."""
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str(texts.tokenizer.decode())
        except Exception as error:  # a plain Exception
            raise ValueError(str(error)) from error
        self.chat_template = texts.template
        self.truncation_side = str(texts.settings.get("truncation_side") or "right")
        self._special_tokens = dict(texts.special_tokens)
        self._texts = texts

    @cached_property
    def is_exact(self) -> bool:
        """True if vLLM's tokenizer of this model gives the same tokens for certain."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        return self._texts.is_as_stored(frozenset(token.content for token in added))

    @property
    def eos_token_id(self) -> int | None:
        """The token that ends a text, if there is one."""
        number: int | None = self._tokenizer.token_to_id(self._special_tokens.get("eos_token", ""))
        return number

    @property
    def is_exact_without_template(self) -> bool:
        """The same for texts that no chat template is put around."""
        return self.is_exact and not self._texts.is_completed

    def get_vocab(self) -> dict[str, int]:
        """The ids of all tokens."""
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        return vocabulary

    def apply_chat_template(
        self,
        conversation: Sequence[Mapping[str, str]],
        *,
        tools: Any = None,
        documents: Any = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        **variables: Any,
    ) -> str:
        """The chat as text."""
        assert not tokenize
        text = chat_template or self.chat_template
        assert text is not None
        seen = {name: value for name, value in variables.items() if name not in _NOT_SEEN}
        return compiled(text).render(
            messages=conversation,
            tools=tools,
            documents=documents,
            add_generation_prompt=add_generation_prompt,
            **{**self._special_tokens, **seen},
        )


class _Generation(Extension):
    """`{% generation %}`, which marks what the model wrote, and changes nothing of the text."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """The tag's content in its place, in a scope of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


@lru_cache(maxsize=8)
def compiled(template: str) -> Template:
    """A chat template, ready to be rendered. Raises TemplateError."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    made = environment.from_string(template)
    # Each rendering copies them: of Jinja's chain of tables that takes longer than all the rest.
    made.globals = dict(made.globals)
    return made


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it is, where Jinja2's own filter writes it for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise(message: str) -> None:
    raise TemplateError(message)


def _now(form: str) -> str:
    return clock.now().astimezone().strftime(form)
