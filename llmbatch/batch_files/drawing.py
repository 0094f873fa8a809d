"""The drawing of tokens as a body asks for it, and as it is kept with a request."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from llmbatch.batch_files.lines import CHAT, COMPLETIONS, BodyError
from llmbatch.core.records import Constraint, Sampling

UNBOUNDED = 2**31 - 1
"""Tokens of the longest answer where a body names no limit: as many as the context takes."""
NEUTRAL = Sampling(temperature=1.0, max_tokens=UNBOUNDED)
"""What a body asks for that names nothing, of a model without defaults of its own."""
_COMPLETION_TOKENS = 16
_NAMES = {field.name for field in fields(Sampling)}
_FORM = "form"


def settings_of(
    endpoint: str, given: Mapping[str, Any], form: Constraint | None, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of a request that generates text, as JSON: all that differs from `NEUTRAL`.
    `defaults`: those of the model. Raises BodyError for settings that do not go together."""
    known = {name: value for name, value in given.items() if name in _NAMES}
    wanted = dict(defaults) | known | _renamed(endpoint, given)
    _check(endpoint, given, wanted, form)
    settings = {
        name: wanted[name]
        for name in sorted(wanted)
        if wanted[name] is not None and wanted[name] != _plain(getattr(NEUTRAL, name))
    }
    return settings | ({} if form is None else with_form(form))


def with_form(form: Constraint) -> dict[str, Any]:
    """The setting that stands for a form."""
    return {_FORM: [form.kind, form.value]}


def _renamed(endpoint: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a body has under another name, or by default."""
    found: dict[str, Any] = {"logprobs": given.get("logprobs")}
    if endpoint == CHAT:
        found["logprobs"] = given.get("top_logprobs", 0) if given.get("logprobs") else None
    if "max_completion_tokens" in given:
        found["max_tokens"] = given["max_completion_tokens"]
    elif endpoint == COMPLETIONS:
        found["max_tokens"] = given.get("max_tokens", _COMPLETION_TOKENS)
    if given.get("top_k") == -1:
        found["top_k"] = 0
    if given.get("seed") == -1:
        found["seed"] = None
    if "include_stop_str_in_output" in given:
        found["include_stop"] = given["include_stop_str_in_output"]
    return found


def _check(
    endpoint: str, given: Mapping[str, Any], wanted: Mapping[str, Any], form: Constraint | None
) -> None:
    if endpoint == CHAT and given.get("top_logprobs") and not given.get("logprobs"):
        raise BodyError('top_logprobs: needs "logprobs": true', "top_logprobs")
    if given.get("n", 1) > 1 and wanted.get("temperature") == 0:
        raise BodyError("n: at temperature 0 all answers would be the same: write 1", "n")
    if form is not None and wanted.get("ignore_eos"):
        raise BodyError("ignore_eos: an answer with a form ends where its form does", "ignore_eos")
    longest = wanted.get("max_tokens") or UNBOUNDED
    if wanted.get("min_tokens", 0) > longest:
        raise BodyError(f"min_tokens: is more than max_tokens ({longest})", "min_tokens")


def sampling_of(settings: Mapping[str, Any]) -> Sampling:
    """The sampling that settings stand for."""
    changes = {name: _tuple(value) for name, value in settings.items() if name in _NAMES}
    return replace(NEUTRAL, **changes)


def form_of(settings: Mapping[str, Any]) -> Constraint | None:
    """The form that settings ask for."""
    return Constraint(*settings[_FORM]) if _FORM in settings else None


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, tuple) else value
