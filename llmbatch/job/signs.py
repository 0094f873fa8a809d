"""The table [signs]: which warning signs are looked for, and when an answer has one."""

import re
from typing import Any

from pydantic import field_validator

from llmbatch.job.fields import Section, neutral

_LANGUAGE = re.compile(r"[a-z]{2,3}")


class SignsSpec(Section):
    """Warning signs: heuristics over answers, which change none. No sign is in any key."""

    look: bool = neutral(
        True, "Look for warning signs in the answers, and flag the rows that have some."
    )
    off: tuple[str, ...] = neutral(
        (), "Signs that are not looked for: echo,length (`llmbatch help job-file` has all)."
    )
    language: str | None = neutral(
        None,
        "The language that answers are to be in: en, de, fr (ISO 639-1).",
        by_default="that of most answers",
    )
    grounded: tuple[str, ...] = neutral(
        (),
        "Fields of the answers whose values must stand in the row: name,order_id; all: every "
        "field, and the numbers and names of texts.",
        by_default="none",
    )
    echo_share: float = neutral(
        0.8, "Share of an answer that repeats the input or the prompt, for echo.", gt=0, le=1
    )
    repeated_share: float = neutral(
        0.3, "Share of an answer that it has said before, for repetition.", gt=0, le=1
    )
    length_deviations: float = neutral(
        4.0, "Robust deviations of a length from the median, for length.", gt=0
    )
    language_probability: float = neutral(
        0.95, "Probability of another language, for language.", gt=0.5, le=1
    )
    one_label_share: float = neutral(
        0.95, "Share of all rows that have the same label, for one_label.", gt=0.5, le=1
    )

    @field_validator("off", "grounded", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        """`a,b,c` as the flag has it; a name with a comma can stand in a list."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return {True: ("all",), False: (), None: ()}.get(value, value) if _is_flat(value) else value

    @field_validator("off")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in NAMES:
                raise ValueError(f"there is no sign {name!r}; there are: {', '.join(NAMES)}")
        return names

    @field_validator("language")
    @classmethod
    def _code(cls, language: str | None) -> str | None:
        if language is not None and not _LANGUAGE.fullmatch(language):
            raise ValueError("a code of two or three letters: en, de, fr")
        return language


def _is_flat(value: Any) -> bool:
    return value is None or isinstance(value, bool)


NAMES = (
    "empty",
    "one_word",
    "refusal",
    "echo",
    "repetition",
    "language",
    "leak",
    "ungrounded",
    "length",
    "shared",
    "one_label",
)
"""The names of all signs; the last is one of the whole job, of no row."""
