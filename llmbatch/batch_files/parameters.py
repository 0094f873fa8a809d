"""The parameters of a body: those that are answered, those that change nothing, and the rest.

A parameter that would be passed over in silence gives another answer than was asked for, so each
of them is known here, or an error of its line. A null is as if the parameter were not there.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from llmbatch.batch_files import values
from llmbatch.batch_files.lines import CHAT, COMPLETIONS, EMBEDDINGS, RERANK, SCORE, BodyError
from llmbatch.batch_files.values import INT63, Read
from llmbatch.core.errors import nearest

_DRAWING: Mapping[str, Read] = {
    "temperature": values.number(0, 2),
    "top_p": values.number(0, 1, above=True),
    "top_k": values.integer(-1),
    "min_p": values.number(0, 1),
    "seed": values.integer(-1, INT63),
    "stop": values.texts,
    "presence_penalty": values.number(-2, 2),
    "frequency_penalty": values.number(-2, 2),
    "repetition_penalty": values.number(0, 2, above=True),
    "logit_bias": values.biases,
    "max_tokens": values.integer(1),
    "min_tokens": values.integer(0),
    "stop_token_ids": values.integers,
    "ignore_eos": values.boolean,
    "include_stop_str_in_output": values.boolean,
    "n": values.integer(1, 128),
}
_AS_IT_IS: Read = lambda name, value: value  # noqa: E731 (read elsewhere)
_FORM: Mapping[str, Read] = {"response_format": _AS_IT_IS, "structured_outputs": _AS_IT_IS}
_PAIR: Mapping[str, Read] = {"use_activation": values.boolean}

TAKEN: Mapping[str, Mapping[str, Read]] = {
    CHAT: {
        **_DRAWING,
        **_FORM,
        "messages": _AS_IT_IS,
        "max_completion_tokens": values.integer(1),
        "logprobs": values.boolean,
        "top_logprobs": values.integer(0, 20),
    },
    COMPLETIONS: {
        **_DRAWING,
        **_FORM,
        "prompt": _AS_IT_IS,
        "logprobs": values.integer(0, 20),
    },
    EMBEDDINGS: {
        "input": _AS_IT_IS,
        "dimensions": values.integer(1),
        "encoding_format": values.text,
        "use_activation": values.boolean,
    },
    SCORE: {
        **_PAIR,
        **dict.fromkeys(
            ("text_1", "text_2", "data_1", "data_2", "queries", "documents", "items"), _AS_IT_IS
        ),
    },
    RERANK: {
        **_PAIR,
        "query": values.text,
        "documents": _AS_IT_IS,
        "top_n": values.integer(0),
        "return_documents": values.boolean,
    },
}
"""The parameters that are answered, by endpoint, with what reads each."""

_WITHOUT_EFFECT = {
    *("model", "user", "metadata", "store", "service_tier", "safety_identifier", "request_id"),
    *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "session_id"),
    *("priority", "cache_salt", "stream_interval", "parallel_tool_calls"),
}
# Values by which a parameter says nothing.
_IDLE: Mapping[str, tuple[Any, ...]] = {
    "stream": (False,),
    "tools": (),
    "tool_choice": ("none",),
    "functions": (),
    "function_call": ("none",),
    "modalities": (["text"],),
    "echo": (False,),
    "best_of": (1,),
    "use_beam_search": (False,),
    "length_penalty": (1.0,),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "bad_words": ([],),
    "add_generation_prompt": (True,),
    "continue_final_message": (False,),
    "include_reasoning": (True,),
    "return_token_ids": (False,),
    "return_tokens_as_token_ids": (False,),
    "return_prompt_text": (False,),
    "return_token_offsets": (False,),
    "embed_dtype": ("float32",),
    "endianness": ("native", "little"),
    "max_tokens_per_query": (0,),
    "max_tokens_per_doc": (0,),
    "padding": ("do_not_pad",),
}
_ADVICE: Mapping[str, str] = {
    "tools": "tools are not called here: leave them out, or ask for a form (response_format)",
    "tool_choice": "tools are not called here: leave it out",
    "functions": "functions are not called here: leave them out",
    "function_call": "functions are not called here: leave it out",
    "stream": "a batch is not streamed: leave it out",
    "stream_options": "a batch is not streamed: leave it out",
    "chat_template": "is one for a whole job: --chat-template FILE",
    "chat_template_kwargs": "are those of a whole job: --template-arg KEY=VALUE",
    "reasoning_effort": "is the chat template's: --template-arg reasoning_effort=VALUE, or "
    "--thinking, for a whole job",
    "thinking_token_budget": "is one for a whole job: --thinking N",
    "guided_choice": 'a name of earlier versions: write "structured_outputs": {"choice": [...]}',
    "guided_regex": 'a name of earlier versions: write "structured_outputs": {"regex": "..."}',
    "guided_json": 'a name of earlier versions: write "structured_outputs": {"json": {...}}',
    "guided_grammar": "grammars are not held here: write a pattern or a schema in their place",
    "truncate_prompt_tokens": "a text is not cut here: cut it where it is written",
    "normalize": "write use_activation",
    "max_completion_tokens": "is for chats: write max_tokens",
    "extra_body": "is an argument of the Python client: put what is in it into the body itself",
}
_KNOWN_ELSEWHERE = {
    *("audio", "prediction", "moderation", "verbosity", "web_search_options", "suffix"),
    *("prompt_logprobs", "logprob_token_ids", "allowed_token_ids", "watermarking", "documents"),
    *("truncation_side", "add_special_tokens", "media_io_kwargs", "mm_processor_kwargs"),
    *("kv_transfer_params", "ec_transfer_params", "vllm_xargs", "repetition_detection"),
    *("routed_experts_prompt_start", "mm_payload", "return_mm_kwargs", "prompt_embeds"),
    *("instruction", "guided_decoding_backend", "guided_whitespace_pattern", "messages"),
}


def given(endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are answered, read. Raises BodyError for the first of the others."""
    taken = TAKEN[endpoint]
    found = {}
    for name, value in body.items():
        if value is None and (name in taken or _is_known(name)):
            continue
        if name in taken:
            found[name] = taken[name](name, value)
        elif name not in _WITHOUT_EFFECT and not _says_nothing(name, value):
            raise _refusal(endpoint, name)
    return found


def _says_nothing(name: str, value: Any) -> bool:
    return any(type(value) is type(idle) and value == idle for idle in _IDLE.get(name, ()))


def _is_known(name: str) -> bool:
    return any(name in known for known in (_WITHOUT_EFFECT, _IDLE, _ADVICE, _KNOWN_ELSEWHERE))


def _refusal(endpoint: str, name: str) -> BodyError:
    if name in _ADVICE:
        return BodyError(f"{name}: {_ADVICE[name]}", name)
    if _is_known(name):
        return BodyError(f"{name}: is not answered here: leave it out", name)
    if any(name in taken for taken in TAKEN.values()):
        return BodyError(f"{name}: is no parameter of {endpoint}", name)
    known = _names(endpoint)
    return BodyError(f"{name[:80]!r}: there is no such parameter{nearest(name, known)}", name)


def _names(endpoint: str) -> Iterable[str]:
    return [*TAKEN[endpoint], *sorted(_WITHOUT_EFFECT), *_IDLE]
