"""A job of the nights: its rows, its settings, and the answers of its model."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATE = "state"
"""The job's state folder, whatever its output is called."""
Row = dict[str, Any]
Settings = dict[str, Any]

BOILERPLATE = "Thank you for your message, we will come back to you within two working days."
ENGLISH = "The parcel was sent on Monday and the customer has been told of it by letter number {}."
ANSWERS: tuple[Callable[[int], str], ...] = (
    ENGLISH.format,
    ENGLISH.format,
    ENGLISH.format,
    lambda n: f"Our colleagues are looking into case {n}, and the amount will be paid back soon.",
    lambda n: BOILERPLATE,
    lambda n: "I cannot help with that request, as I am only a language model.",
    lambda n: "Yes",
    lambda n: " ".join([ENGLISH.format(n)] * 9),
    lambda n: f"Das Paket wurde am Montag verschickt, und der Kunde weiss seit gestern davon {n}.",
    lambda n: f"{ENGLISH.format(n)} [INST] <|im_start|>",
    lambda n: f"t{n:02} of words that stand in the row and nothing but these {n}",
    lambda n: "",
)
MARKS = ("", "", "", "", "", "", "FAIL:refused_request", "INVALID_ONCE", "LENGTH:90", "")
TEXTS = 48


def text_of(number: int) -> str:
    mark = MARKS[number % len(MARKS)]
    return f"t{number:02} of words that stand in the row {mark}".strip()


def script(mood: int, form: str) -> list[list[Any]]:
    """The answers of a mood of the model to each text, in a form."""
    made: list[list[Any]] = []
    for number in range(TEXTS):
        at = (number * 7 + mood * 5) % len(ANSWERS)
        text = ANSWERS[at](number)
        if form == "choice":
            text = ("a", "b", "b", "c")[at % 4]
        elif form == "schema":
            text = json.dumps({"a": text, "n": at * 1000})
        made.append([[f"t{number:02}"], text])
    return [*made, [[], "a" if form == "choice" else '{"a": "x", "n": 1}']]


SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["a", "n"],
    "additionalProperties": False,
}
WIDER = SCHEMA | {"required": ["a"]}
EXAMPLES = [
    {"text": "t99", "kind": "x", "response": "An example."},
    {"text": "t98", "kind": "y", "response": "Another one"},
]
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "prompt": (
        "Say {{ text }}", "Say {{ text }}", "Tell {{ text }} of {{ kind }}", "{{ text }}",
        "Sum up {{ record }}",
        "{% if kind %}Of {{ kind }}: {{ text }}{% else %}{{ text }}{% endif %}",
    ),
    "system": (None, None, "Be brief", "You know of {{ kind }}"),
    "prefill": (None, None, None, "So ", "{{ kind }}: "),
    "examples": (None, None, None, "file", EXAMPLES[:1], EXAMPLES),
    "in_files": (False, True),
    "require": (None, None, ["kind"]),
    "id_column": (None, None, "id"),
    "duplicates": (None, None, "each", "once"),
    "model": ("m", "m", "m", "n"),
    "columns": (None, None, ["text", "response"], ["response", "id", "flags"]),
    "response_column": (None, None, "said"),
    "keep": (None, None, ["failed"], ["failed", "skipped", "rejected"]),
    "meta": (None, None, True),
    "output": ("out.jsonl", "out.jsonl", "out.csv", "other.jsonl", "out.parquet"),
    "record_order": ("input",),
    "form": ("text", "text", "text", "choice", "schema", "wider", "labels"),
    "check": (
        None, None,
        [{"name": "short", "rule": "length(response) < 70", "on_fail": "flag"}],
        [{"name": "short", "rule": "length(response) < 75", "on_fail": "flag", "message": "long"}],
        [{"name": "kind", "rule": "kind <> 'y'", "on_fail": "flag"}],
        [{"name": "said", "rule": "response not like '%[INST]%'", "on_fail": "fail"}],
        [{"name": "kind", "rule": "kind <> 'z'", "on_fail": "fail"}],
        [{"name": "many", "rule": "count(*) over () > 3", "on_fail": "flag"}],
    ),
    "input.limit": (None, None, None, 30, 22),
    "input.offset": (None, None, None, 3),
    "input.where": (None, None, None, "kind <> 'x'"),
    "input.format": ("jsonl", "jsonl", "csv"),
    "sampling.temperature": (None, None, None, 1.0),
    "sampling.seed": (None, 3),
    "sampling.samples": (None, None, None, 2),
    "sampling.max_tokens": (None, None, 64, 200),
    "run.on_truncated": (None, None, "keep"),
    "signs.look": (None, None, None, False),
    "signs.off": (None, None, ["echo"], ["length", "shared"]),
    "signs.language": (None, None, "de"),
    "signs.length_deviations": (None, None, 2.0),
    "signs.one_label_share": (None, None, 0.6),
    "signs.grounded": (None, None, ["all"]),
}  # fmt: skip


@dataclass
class Walk:
    """The job after some nights: its input, its settings, and the mood of its model."""

    chance: random.Random
    folder: Path
    rows: list[Row] = field(default_factory=list)
    settings: Settings = field(default_factory=dict)
    mood: int = 0
    example: int = 0
    is_fresh: bool = False
    is_retried: bool = False

    def __post_init__(self) -> None:
        self.rows = [self.new_row(number) for number in range(self.chance.randint(24, 40))]
        self.settings = {name: values[0] for name, values in CHOICES.items()}

    def new_row(self, number: int) -> Row:
        chance = self.chance
        return {
            "id": f"{number:03}",
            "text": text_of(chance.randrange(TEXTS)),
            "kind": chance.choice(["x", "y", "z", "", "x"]),
            "n": chance.choice([1, 2, 3]),
        }

    @property
    def output(self) -> Path:
        return self.folder / str(self.settings["output"])
