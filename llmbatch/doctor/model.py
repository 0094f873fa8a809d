"""A model as far as it is known before it is loaded, and its fit to a device."""

from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.core.errors import LlmbatchError
from llmbatch.core.records import Message, Sampling
from llmbatch.doctor.finding import Finding
from llmbatch.engines import registry
from llmbatch.engines.base import (
    Engine,
    KnowsModel,
    check_ahead,
    settings_before_start,
    why_not_encoded,
)
from llmbatch.engines.config import EngineConfig
from llmbatch.sizing import memory
from llmbatch.sizing.device import Device

_PROMPT = (Message("user", "Is this machine ready?"),)
_ROW = 512
"""Tokens of prompt and answer of a usual row."""


def look(model: str, device: Device | None) -> Iterator[Finding]:
    """All that is known of a model before it is loaded; `device`: None for the one that is there.
    Raises UsageError for one that is not there."""
    engine = registry.load("vllm")(EngineConfig(model, {}, None))
    identity = engine.identity()
    yield Finding("model", f"{model}, {identity.get('revision') or identity['model']}"[:120])
    try:
        check_ahead(engine, Sampling(), None)
    except LlmbatchError as error:
        yield Finding("model for texts", str(error), "note", "see --task for what it can do")
    yield _tokenizer(engine)
    yield from _fit(engine, device)


def _tokenizer(engine: Engine) -> Finding:
    try:
        tokens = engine.encode(_PROMPT)
    except ValueError as error:
        advice = "--chat-template names another template"
        return Finding("tokenizer", f"no chat: {error}", "note", advice)
    if tokens is None:
        reason = why_not_encoded(engine) or "not known before the start"
        return Finding("tokenizer", reason, "note", "plan estimates tokens by size until then")
    return Finding("tokenizer", f"works: {units.count(len(tokens), 'token')} for a short chat")


def _fit(engine: Engine, device: Device | None) -> Iterator[Finding]:
    if not isinstance(engine, KnowsModel):
        return
    shape, place = engine.shape(), device or engine.device()
    if shape is None or place is None:
        advice = "its sizes, or the device, are not known: llmbatch plan tells what is missing"
        yield Finding("model in memory", "not known", "note", advice)
        return
    settings = settings_before_start(engine, {})
    found = memory.fit(
        shape,
        place,
        weight_bytes=engine.weight_bytes(),
        settings=settings,
        tokens_mean=_ROW,
        tokens_longest=_ROW,
    )
    weights = units.size(found.weight_bytes)
    if not found.fits:
        words = f"{weights} of weights do not fit {place.title}"
        yield Finding(
            "model in memory", words, "bad", next(iter(found.advice), "choose a smaller one")
        )
    else:
        rows = units.count(found.batch, "row")
        words = f"{weights} of weights, room for {rows} of {_ROW} tokens at once on {place.title}"
        yield Finding("model in memory", words, "ok", next(iter(found.advice), None))
