"""Speculative decoding of vLLM: tokens drafted ahead, and checked by the model in one step.

A greedy answer is the same with it: a drafted token is taken only where it is the model's own
likeliest one. A drawn answer has the same distribution, but the same seed may draw another.
"""

import importlib.util
import json
from collections.abc import Mapping
from typing import Any

from llmbatch.engines.speculates import Drafting

_PARTS = {
    "spec_method": "method",
    "spec_model": "model",
    "spec_tokens": "num_speculative_tokens",
}
OPTIONS = frozenset({"speculative_config", *_PARTS})
"""The options that turn it on."""

_SUFFIX_PACKAGE = "arctic_inference"
# A longer draft saves more steps where answers are copies, and computes more in vain where not.
_LENGTHS = (4, 8)
_LOOKED_UP = {"prompt_lookup_min": 2, "prompt_lookup_max": 4}
_SUFFIX_TOKENS = 16
# Where the configuration of a draft model says how many: taken for a bound.
_USUAL_TOKENS = 8


def config_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of speculation in these options; empty where it is off."""
    given = options.get("speculative_config")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = None  # vLLM refuses it
    table = given if isinstance(given, Mapping) else {}  # anything else is refused
    found = {str(key).replace("-", "_"): value for key, value in table.items()}
    parts = {key: options[name] for name, key in _PARTS.items() if options.get(name) is not None}
    return found | parts


def draft_tokens(options: Mapping[str, Any]) -> int:
    """See `DraftsAhead.draft_tokens`."""
    config = config_of(options)
    given = config.get("num_speculative_tokens")
    if isinstance(given, int) and given > 0:
        return given
    return _USUAL_TOKENS if config else 0


def without(options: Mapping[str, Any], *, drawn: bool) -> dict[str, Any]:
    """The options that can change an answer by speculation, or by something else: without its own
    where answers stay the same. `drawn`: answers are drawn, or more is wanted than their text."""
    config = config_of(options)
    verified = config.get("rejection_sample_method") in (None, "standard")
    if drawn or not verified or config.get("method") == "custom_class":
        return dict(options)
    return {name: value for name, value in options.items() if name not in OPTIONS}


def notices(options: Mapping[str, Any], *, drawn: bool) -> list[str]:
    """Lines for the user of a job that speculates."""
    if not config_of(options) or not drawn:
        return []
    return [
        "speculative_config: answers are drawn, and with speculation the same seed may draw others "
        "than without it; they are kept apart from those"
    ]


def drafting(options: Mapping[str, Any], *, drawn: bool) -> tuple[Drafting, list[str]]:
    """See `Speculates.drafting`."""
    if config_of(options):
        return {}, []
    if drawn:
        why = "answers are drawn, and with the same seed it may draw others"
        return {}, [f"speculation is not tried: {why}"]
    ways: list[Any] = [
        {"method": "ngram", "num_speculative_tokens": length} | _LOOKED_UP for length in _LENGTHS
    ]
    if importlib.util.find_spec(_SUFFIX_PACKAGE) is not None:
        ways.append({"method": "suffix", "num_speculative_tokens": _SUFFIX_TOKENS})
        return {"speculative_config": ways}, []
    why = "vLLM needs the package arctic-inference for it, which is not installed"
    return {"speculative_config": ways}, [f"suffix decoding is not tried: {why}"]
