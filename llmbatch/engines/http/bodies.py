"""The body of a request as a server takes it."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from llmbatch.constraints.backends import DEFAULT, copy_for
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.schema_walk import UnresolvedError
from llmbatch.core.errors import UsageError
from llmbatch.core.records import ChatSettings, Constraint, Request, Sampling
from llmbatch.engines.http.dialect import EXTRA, Dialect

CHAT = "/chat/completions"
TEXT = "/completions"
WRAPPED = "answer"
"""The member that holds an answer which a server can only give inside an object."""
NO_PREFILL = "a server that is no vLLM cannot go on with a prefill: leave it out"
_CACHED = 4096
# vLLM looks for repetitions of patterns up to so many tokens.
_LONGEST_LOOP = 16
_SWITCHES = ("enable_thinking", "thinking")


class RefusedError(ValueError):
    """The request must not be sent, for the reason in the text."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a server: the path below its base URL, or below its root (`at_root`), and the
    body. `wrapped`: the answer comes as a member of an object; `state`: for its reader."""

    path: str
    body: bytes
    wrapped: bool = False
    at_root: bool = False
    state: Any = None


class Bodies:
    """Makes the bodies of requests to one kind of server. What requests share is made once."""

    def __init__(self, model: str, chat: ChatSettings, dialect: Dialect) -> None:
        self._model = model
        self._dialect = dialect
        self._chat = chat_fields(chat)
        self._shared = lru_cache(_CACHED)(self._shared_fields)

    def call(self, request: Request) -> Call:
        """Raises RefusedError for what the server cannot take."""
        is_text = request.messages[0].role == "text"
        fields, wrapped = self._shared(request.sampling, request.constraint, is_text)
        if is_text:
            body = {**fields, "prompt": request.messages[0].content}
            return Call(TEXT, dumped(body), wrapped)
        body = {**fields, "messages": self._messages(request)}
        if request.messages[-1].role == "prefill":
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        return Call(CHAT, dumped(body), wrapped)

    def _messages(self, request: Request) -> list[dict[str, str]]:
        if request.messages[-1].role == "prefill" and not self._dialect.is_vllm:
            raise RefusedError(NO_PREFILL)
        return [
            {
                "role": "assistant" if each.role == "prefill" else each.role,
                "content": each.content,
            }
            for each in request.messages
        ]

    def _shared_fields(
        self, sampling: Sampling, constraint: Constraint | None, is_text: bool
    ) -> tuple[dict[str, Any], bool]:
        refusal = self._dialect.refusal(sampling)
        if refusal is not None:
            raise RefusedError(refusal)
        fields = {"model": self._model} | self._sampling(sampling, is_text=is_text)
        if not is_text:
            fields |= self._chat
        if constraint is None:
            return fields, False
        if self._dialect.is_vllm:
            return fields | {"structured_outputs": structured(constraint)}, False
        form, wrapped = response_format(constraint)
        return fields | {"response_format": form}, wrapped

    def _sampling(self, sampling: Sampling, *, is_text: bool) -> dict[str, Any]:
        """All settings that the server takes, also those at their defaults: it would fill what is
        missing by the model's recommendations."""
        length = "max_tokens" if is_text else self._dialect.length_field
        fields: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            length: sampling.max_tokens,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
        }
        if sampling.seed is not None:
            fields["seed"] = sampling.seed
        if sampling.stop:
            fields["stop"] = list(sampling.stop)
        if sampling.logit_bias:
            fields["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
        if sampling.logprobs is not None:
            told = {"logprobs": True, "top_logprobs": sampling.logprobs}
            fields |= {"logprobs": sampling.logprobs} if is_text else told
        extra = {
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repetition_penalty": sampling.repetition_penalty,
            "min_tokens": sampling.min_tokens,
            "stop_token_ids": list(sampling.stop_token_ids),
            "include_stop_str_in_output": sampling.include_stop,
            "ignore_eos": sampling.ignore_eos,
        }
        fields |= {name: extra[name] for name in EXTRA if name in self._dialect.takes}
        if self._dialect.is_vllm and sampling.repetition:
            fields["repetition_detection"] = {
                "max_pattern_size": _LONGEST_LOOP,
                "min_pattern_size": 1,
                "min_count": max(2, sampling.repetition),
            }
        return fields


def chat_fields(chat: ChatSettings) -> dict[str, Any]:
    """The fields that tell a server of vLLM's the way from messages to prompts."""
    fields: dict[str, Any] = {}
    variables = dict(chat.kwargs)
    if chat.thinking is not None:
        variables |= dict.fromkeys(_SWITCHES, chat.thinking != "off")
    if isinstance(chat.thinking, int):
        fields["thinking_token_budget"] = chat.thinking
    if chat.template is not None:
        fields["chat_template"] = chat.template
    return fields | ({"chat_template_kwargs": variables} if variables else {})


def structured(constraint: Constraint) -> dict[str, Any]:
    """The constraint as vLLM takes it. Raises RefusedError."""
    copy = _copy(constraint)
    if constraint.kind == "regex":
        return {"regex": copy}
    value = _json(constraint, copy)
    return {"choice": value} if constraint.kind == "choice" else {"json": value}


def response_format(constraint: Constraint) -> tuple[dict[str, Any], bool]:
    """The constraint in OpenAI's form, which holds objects only: true if the answer is wrapped in
    one. Raises RefusedError."""
    if constraint.kind == "json":
        schema = _json(constraint, constraint.value)
        wrapped = not isinstance(schema, dict) or schema.get("type") != "object"
    elif constraint.kind == "choice":
        schema = {"type": "string", "enum": _json(constraint, constraint.value)}
        wrapped = True
    else:
        schema = {"type": "string", "pattern": f"^(?:{_copy(constraint)})$"}
        wrapped = True
    if wrapped:
        schema = {
            "type": "object",
            "properties": {WRAPPED: schema},
            "required": [WRAPPED],
            "additionalProperties": False,
        }
    form = {"name": "answer", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": form}, wrapped


def _json(constraint: Constraint, text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RefusedError(f"the {constraint.kind} constraint is not JSON: {error}") from error
    if constraint.kind == "choice" and not (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    ):
        raise RefusedError("choice: the answers must be texts")
    return value


def _copy(constraint: Constraint) -> str:
    try:
        return copy_for(constraint, DEFAULT).constraint.value
    except PatternError as error:
        raise RefusedError(f"regex: {error}") from error
    except (UsageError, UnresolvedError, ValueError, TypeError, AttributeError) as error:
        # The schema of a job was taken in before; others may be no schema at all.
        raise RefusedError(str(error)) from error


def dumped(body: dict[str, Any]) -> bytes:
    """The body as JSON. Raises RefusedError for text that is no Unicode: half a character."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        try:  # whole numbers beyond 64 bits, as schemas may have them
            return json.dumps(body).encode()
        except (TypeError, ValueError) as error:
            raise RefusedError(f"cannot be sent as JSON: {error}") from error
