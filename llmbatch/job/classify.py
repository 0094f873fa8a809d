"""The table [classify]: the labels of a classification, and how they are told to the model."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import field_validator, model_validator

from llmbatch.job.fields import Section, answer, neutral, rendered

SEPARATOR = "="
"""Between a label and its description in `--label`."""


class ClassifySpec(Section):
    """The labels; none for a model with a classification head, which has its own."""

    labels: tuple[str, ...] = answer(
        (),
        "A file of labels, perhaps with descriptions: .txt, .csv, .json or .toml; in a job file "
        "also a list, or a table of descriptions.",
        by_default="those of the model's classification head",
    )
    # Of no use without the prompt that tells them.
    descriptions: dict[str, str] = rendered({}, "What labels mean.")
    label_tokens: Literal["distinct", "all"] = answer(
        "distinct",
        "Compare labels by their tokens up to the first that tells each from the others (fewest "
        "steps), or by all of them and the end of the answer.",
    )
    list_labels: bool = rendered(
        True, "Name the labels in the system prompt, if no template writes {{ labels }}."
    )
    gold: str | None = neutral(
        None,
        "Column with the right label: the report then tells accuracy and calibration.",
        min_length=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """Labels and descriptions apart, in whatever form they are given."""
        if not isinstance(value, Mapping) or not {"labels", "label"} & value.keys():
            return value
        found = dict[str, str]()
        for name, description in [*_given(value.get("labels")), *_flagged(value.get("label"))]:
            if name in found:
                raise ValueError(f"labels: {name!r} is given twice")
            found[name] = description
        described = value.get("descriptions")
        known = {name: text for name, text in found.items() if text}
        if isinstance(described, Mapping):
            known |= described
        rest = {name: value[name] for name in value if name != "label"}
        return rest | {"labels": tuple(found), "descriptions": known}

    @field_validator("labels")
    @classmethod
    def _clean(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        for label in labels:
            if not label:
                raise ValueError("one is empty")
            if "\n" in label or "\r" in label:
                raise ValueError(f"{label!r} is more than one line")
        return labels

    @model_validator(mode="after")
    def _described(self) -> "ClassifySpec":
        for name in self.descriptions:
            if name not in self.labels:
                raise ValueError(f"descriptions: there is no label {name!r}")
        return self


def _given(labels: Any) -> Iterator[tuple[str, str]]:
    """Labels and descriptions, empty where there is none, of a list or a table."""
    if isinstance(labels, Mapping):
        labels = list(labels.items())
    for entry in labels if isinstance(labels, list | tuple) else [labels] if labels else []:
        pair = [entry, ""] if isinstance(entry, str) else entry
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_is_text, pair))):
            raise ValueError("labels: must be texts, with descriptions that are texts")
        yield pair[0].strip(), " ".join(pair[1].split())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _flagged(pairs: Any) -> Iterator[tuple[str, str]]:
    """NAME or NAME=description, as `--label` has them."""
    for pair in [pairs] if isinstance(pairs, str) else pairs or []:
        if not isinstance(pair, str):
            raise ValueError("label: must be a text, NAME or NAME=description")
        name, _, description = pair.partition(SEPARATOR)
        yield name.strip(), " ".join(description.split())
