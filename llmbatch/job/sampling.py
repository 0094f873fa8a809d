"""The tables [sampling] and [answer]: how tokens and samples are drawn, and an answer's form."""

from typing import Any, Literal

from pydantic import field_validator, model_validator

from llmbatch.core.exact_json import dump_record
from llmbatch.core.messages import json_text
from llmbatch.core.records import Constraint, Sampling
from llmbatch.job.fields import Section, answer, neutral


class SamplingSpec(Section):
    """The drawing of tokens."""

    temperature: float = answer(0.0, "0 is greedy.", ge=0, le=2, allow_inf_nan=False)
    top_p: float = answer(
        1.0, "Nucleus sampling: keep the likeliest tokens up to this mass.", gt=0, le=1
    )
    top_k: int = answer(
        0, "Keep the k likeliest tokens; 0 keeps all.", by_default="all", ge=0, lt=2**31
    )
    min_p: float = answer(0.0, "Drop tokens below this share of the likeliest.", ge=0, le=1)
    max_tokens: int = answer(512, "Longest answer, in tokens.", ge=1, lt=2**31)
    seed: int | None = answer(None, "Makes sampling repeatable.", ge=0, lt=2**63)
    stop: tuple[str, ...] = answer((), "A string that ends the answer.")
    repetition_penalty: float = answer(1.0, "Above 1 discourages repeated tokens.", gt=0, le=2)
    presence_penalty: float = answer(0.0, "Above 0 favours new tokens.", ge=-2, le=2)
    frequency_penalty: float = answer(0.0, "Above 0 discourages frequent tokens.", ge=-2, le=2)
    # Each sample has a request, and a key, of its own; the first that of a job without samples.
    samples: int = neutral(
        1,
        "Answers to draw for each row, at a temperature above 0; all of them are written.",
        ge=1,
        le=1000,
    )
    # What is computed is the same.
    vote: bool = neutral(
        False,
        "Of the samples of a row write the answer that most of them gave, and `agreement`: the "
        "share of all of them that gave it.",
    )

    def to_sampling(self) -> Sampling:
        return Sampling(**self.model_dump(exclude={"samples", "vote"}))


class AnswerSpec(Section):
    """The form of an answer: at most one of the three."""

    choice: tuple[str, ...] | None = answer(None, "An allowed answer.", min_length=1)
    json_schema: dict[str, Any] | None = answer(
        None, "The answer must be JSON of this schema (a file).", alias="schema"
    )
    regex: str | None = answer(None, "The whole answer must match this pattern.", min_length=1)
    constrain: Literal["grammar", "check"] = answer(
        "grammar",
        "Hold answers to their form while they are written (grammar), or only check them.",
        in_key_by_default=False,
    )

    @field_validator("json_schema", mode="before")
    @classmethod
    def _is_object(cls, value: Any) -> Any:
        if value is not None and not isinstance(value, dict):
            raise ValueError('must be a JSON Schema, an object such as {"type": "object"}')
        return value

    @model_validator(mode="after")
    def _at_most_one(self) -> "AnswerSpec":
        given = [self.choice, self.json_schema, self.regex]
        if sum(value is not None for value in given) > 1:
            raise ValueError("give at most one of choice, schema and regex")
        return self

    def to_constraint(self) -> Constraint | None:
        if self.choice is not None:
            return Constraint("choice", json_text(list(self.choice)))
        if self.json_schema is not None:
            return Constraint("json", dump_record(self.json_schema))
        if self.regex is not None:
            return Constraint("regex", self.regex)
        return None
