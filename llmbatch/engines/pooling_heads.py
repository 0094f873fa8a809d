"""The classification head of a model: how many numbers it gives, and what they are."""

from collections.abc import Mapping
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.engines.pooling import Output, Pooling
from llmbatch.engines.pooling_files import CONFIG

_ARCHITECTURE = "ForSequenceClassification"
_ACTIVATIONS: Mapping[str, Output] = {"Identity": "raw", "Sigmoid": "sigmoid"}
_NAMED = 8
_BY_DEFAULT = "the rule for a model of one label"


def has_head(config: Mapping[str, Any]) -> bool:
    """True if a model with this config.json has a classification head."""
    return any(_ARCHITECTURE in str(name) for name in config.get("architectures") or ())


def require_none(config: Mapping[str, Any]) -> None:
    """Raise UsageError for a model with a classification head, where texts are to be written, or
    labels of the job to be chosen from."""
    if has_head(config):
        names = label_names(config)
        many = ", ..." if len(names) > _NAMED else ""
        raise UsageError(
            f"this model has a classification head ({CONFIG}) and writes no text: --task classify "
            f"without labels asks for its own ({', '.join(names[:_NAMED])}{many}), --task score "
            "for a score of pairs"
        )


def label_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a head's numbers, in their order."""
    named = config.get("id2label")
    if isinstance(named, Mapping) and named:
        try:
            return tuple(str(named[key]) for key in sorted(named, key=int))
        except ValueError as error:
            raise UsageError(f"model: {CONFIG}: id2label has keys that are no numbers") from error
    count = config.get("num_labels")
    return tuple(f"LABEL_{number}" for number in range(count if isinstance(count, int) else 2))


def of_heads(config: Mapping[str, Any]) -> Pooling:
    """The probabilities of the labels: independent ones where the model says so or has one label,
    else those of a softmax. Raises UsageError for a model that gives none."""
    if not has_head(config):
        raise UsageError(
            f"the model has no classification head ({CONFIG}: architectures has no "
            f"...{_ARCHITECTURE}); of a model that writes, name the labels: --label NAME or "
            "--labels FILE"
        )
    labels, problem = label_names(config), config.get("problem_type")
    if problem == "regression":
        raise UsageError(
            f"the model's head is a regression ({CONFIG}: problem_type): it gives a number and no "
            "label"
        )
    if len({*labels}) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise UsageError(f"model: {CONFIG}: id2label names {twice!r} twice")
    output: Output = "softmax" if len(labels) > 1 else "sigmoid"
    source = f"{CONFIG}: id2label"
    if problem == "multi_label_classification":
        output, source = "sigmoid", f"{CONFIG}: problem_type"
    return Pooling(
        output, width=len(labels), labels=labels, sources={"output": source, "width": CONFIG}
    )


def of_score(config: Mapping[str, Any]) -> Pooling:
    """The score of a cross-encoder. Raises UsageError for a model that gives no single number."""
    labels = label_names(config)
    if len(labels) != 1:
        raise UsageError(
            f"a score is one number, and this model has {len(labels)} labels ({CONFIG}): "
            f"{', '.join(labels[:8])}"
        )
    output, source = _score_output(config)
    return Pooling(output, width=1, labels=labels, sources={"output": source})


def _score_output(config: Mapping[str, Any]) -> tuple[Output, str]:
    inner = config.get("sentence_transformers")
    named = inner.get("activation_fn") if isinstance(inner, Mapping) else None
    key = "sentence_transformers.activation_fn"
    if named is None:
        key = "sbert_ce_default_activation_function"
        named = config.get(key)
    if named is not None:
        output = _ACTIVATIONS.get(str(named).rpartition(".")[2])
        if output is None:
            raise UsageError(
                f"model: {CONFIG}: {key} is {named}; this engine holds Sigmoid and Identity"
            )
        return output, f"{CONFIG}: {key}"
    if config.get("problem_type") == "regression":
        return "raw", f"{CONFIG}: problem_type"
    return "sigmoid", _BY_DEFAULT
