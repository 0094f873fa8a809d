"""The flags of a job, made of what its spec declares: type, default, bounds and description."""

from collections.abc import Iterable, Iterator
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from llmbatch.cli.parameters import file_names
from llmbatch.job.fields import A_SPAN_OF_TIME, default_text, leaves, members
from llmbatch.job.flags import flag_name
from llmbatch.job.spec import JobSpec

# The parts of a flag that the spec does not declare.
_SHORT_NAMES = {"input.files": "-i", "output": "-o", "model": "-m", "prompt": "-p"}
_REPEATED = (
    *("input.files", "input.null", "require", "check"),
    *("answer.choice", "sampling.stop", "eval.min", "engine.base_url"),
)
_METAVARS = {
    "input.files": "FILE",
    "input.delimiter": "CHARACTER",
    "input.quote": "CHARACTER",
    "input.escape": "CHARACTER",
    "input.encoding": "NAME",
    "input.null": "TEXT",
    "input.json_path": "KEYS",
    "input.sheet": "NAME",
    "input.max_shrink": "P%",
    "output": "FILE",
    "state": "FOLDER",
    "adapter": "NAME|FOLDER",
    "adapter_column": "COLUMN",
    "adapters": "NAME=FOLDER",
    "id_column": "COLUMN",
    "response_column": "COLUMN",
    "examples": "FILE",
    "example_answer": "COLUMN",
    "messages": "COLUMN",
    "require": "COLUMN",
    "check": "NAME: SQL",
    "answer.schema": "FILE",
    "answer.regex": "PATTERN",
    "classify.labels": "FILE",
    "classify.gold": "COLUMN",
    "eval.gold": "FILE|COLUMN",
    "eval.on": "COLUMN",
    "eval.min": "FIGURE=VALUE",
    "score.group_by": "COLUMN",
    "template.chat_template": "FILE",
    "engine.replicas": "N|MIN..MAX|auto",
    "engine.base_url": "URL",
    "engine.api_key_env": "NAME",
    "engine.address": "HOST:PORT|auto",
    "signs.off": "NAMES",
    "signs.language": "CODE",
    "signs.grounded": "FIELDS|all",
    "cost.price_per_million": "IN/OUT[/CACHED]",
    "cost.listed_price": "IN/OUT[/CACHED]",
    "cost.attribute_by": "COLUMNS",
    "run.metrics_file": "FILE",
    "run.deadline": "TIME",
    "run.expect_reuse": "P%",
    "run.max_churn": "P%",
    "run.max_failed": "N|P%",
    "run.max_new_failed": "N|P%",
    "run.fail_fast": "P%[/N]|off",
    "run.shard": "I/N",
    "run.repetition": "N|off",
    "template.thinking": "off|on|N",
    "sampling.stop": "TEXT",
}
# The names of parameters whose values are pairs.
_PAIRS = {"template.kwargs": "template_args", "adapters": "adapter_folders"}
_NOTES = {"input.files": " With a JOB.toml only."}
_WITHOUT_FLAG = {
    "stages": "In a JOB.toml only, as `[[model]]`.",
    "classify.descriptions": "In a JOB.toml; else in the file of labels, or `--label`.",
    "sampling.repetition_penalty": "In a JOB.toml only.",
    "sampling.presence_penalty": "In a JOB.toml only.",
    "sampling.frequency_penalty": "In a JOB.toml only.",
    "run.reports": "In a JOB.toml; else `llmbatch run --report`.",
}
# A bound above it only keeps out values that no clock and no column could hold.
_HIGHEST_SHOWN = 1e6

Records = list[tuple[str, str]]


class JobFlag(click.Option):
    """A flag for a key of the job file, `section` being the table it stands in ("": none)."""

    def __init__(self, key: str, *names: str, **settings: Any) -> None:
        super().__init__([*names, key.replace(".", "__")], **settings)
        self.section = key.rpartition(".")[0]


@cache
def all_flags() -> tuple[JobFlag, ...]:
    """A flag for each key that has one, and `--engine-arg` for the engine's own."""
    keys = ((key, field) for key, field in leaves(JobSpec) if key not in _WITHOUT_FLAG)
    made = [_flag(key, field, _help(key, field)) for key, field in keys]
    return (*made, _label(), _engine_arg())


@cache
def cost_flags() -> tuple[JobFlag, ...]:
    """The flags of [cost], with no defaults: what is not given is as in the job."""
    fields = dict(leaves(JobSpec))
    keys = (key for key in fields if key.startswith("cost."))
    return tuple(_flag(key, fields[key], fields[key].description or "") for key in keys)


def help_sections(flags: Iterable[JobFlag], ctx: click.Context) -> Iterator[tuple[str, Records]]:
    """The help of the flags, and of keys without one, by the tables of the job file."""
    sections: dict[str, Records] = {}
    for flag in flags:
        record = flag.get_help_record(ctx)
        sections.setdefault(flag.section, []).extend([record] if record else [])
    for key, field in leaves(JobSpec):
        section, _, name = key.rpartition(".")
        if key in _WITHOUT_FLAG and section in sections:
            sections[section].append((name, f"{_help(key, field)} {_WITHOUT_FLAG[key]}"))
    for section, records in sections.items():
        yield _title(section), records


def _title(section: str) -> str:
    if not section:
        return "Job"
    return f"[{section}] {JobSpec.model_fields[section].description}"


def _engine_arg() -> JobFlag:
    text = "Any option of the engine's own; may be repeated."
    return _pairs("engine.args", "--engine-arg", "engine_args", text)


def _label() -> JobFlag:
    text = "A label, perhaps with what it means; may be repeated."
    key, metavar = "classify.label", "NAME[=DESCRIPTION]"
    return JobFlag(key, "--label", multiple=True, metavar=metavar, help=text)


def _pairs(key: str, flag: str, name: str, text: str, metavar: str = "KEY=VALUE") -> JobFlag:
    """A flag whose values are pairs, which the command reads itself."""
    made = JobFlag(key, flag, multiple=True, metavar=metavar, help=text)
    made.name = name
    return made


def _flag(key: str, field: FieldInfo, text: str) -> JobFlag:
    name = flag_name(key)
    if key in _PAIRS:
        repeated = f"{text.removesuffix('.')}; may be repeated."
        return _pairs(key, name, _PAIRS[key], repeated, _METAVARS.get(key, "KEY=VALUE"))
    settings: dict[str, Any] = {"help": text, "metavar": _metavar(key, field)}
    if settings["metavar"] in ("FILE", "FOLDER"):
        settings["shell_complete"] = file_names
    if set(members(field.annotation)) <= {bool, NoneType}:
        return JobFlag(key, f"{name}/--no-{name[2:]}", default=None, **settings)
    settings |= {"type": _type(field.annotation), "multiple": key in _REPEATED}
    short = [_SHORT_NAMES[key]] if key in _SHORT_NAMES else []
    return JobFlag(key, *short, name, **settings)


def _type(annotation: Any) -> Any:
    """A choice, where there are only words to choose from. All else is a text that the spec reads,
    which says what it takes as it does of a job file's."""
    kinds = [kind for kind in members(annotation) if kind is not NoneType]
    if all(get_origin(kind) is Literal for kind in kinds):
        return click.Choice([value for kind in kinds for value in get_args(kind)])
    return str


def _metavar(key: str, field: FieldInfo) -> str | None:
    """The word that stands for the value in the help; None: the choices, or TEXT."""
    if key in _METAVARS:
        return _METAVARS[key]
    if A_SPAN_OF_TIME in field.metadata:
        return "TIME"
    kinds = [kind for kind in members(field.annotation) if kind is not NoneType]
    return {(int,): "N", (float,): "NUMBER"}.get(tuple(kinds))


def _help(key: str, field: FieldInfo) -> str:
    default = default_text(field)
    brackets = "; ".join(filter(None, [_range(field), default and f"default: {default}"]))
    text = (field.description or "").removesuffix(".")
    repeated = "; may be repeated" if key in _REPEATED else ""
    return f"{text}{repeated}{brackets and f' [{brackets}]'}.{_NOTES.get(key, '')}"


def _range(field: FieldInfo) -> str:
    """The bounds of a number, where it has two that a user may come near to."""
    bounds = {
        name: getattr(bound, name)
        for bound in field.metadata
        for name in ("ge", "gt", "le")
        if hasattr(bound, name)
    }
    if "le" not in bounds or bounds["le"] > _HIGHEST_SHOWN:
        return ""
    low = f"{bounds['ge']:g} to" if "ge" in bounds else f"above {bounds['gt']:g}, up to"
    return f"{low} {bounds['le']:g}"
