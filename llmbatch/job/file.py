"""From a TOML job file and flags to a checked spec. Flags win."""

import json
import tomllib
from functools import partial
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from llmbatch.constraints import answer_json
from llmbatch.constraints.answer_json import UnreadableError
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.exact_json import ExactFloat
from llmbatch.core.money import check_currency
from llmbatch.job import (
    batch,
    engine_table,
    examples,
    expected,
    label_file,
    placement,
    shard,
    stage_files,
)
from llmbatch.job.engine import EngineSpec
from llmbatch.job.flags import flag_name
from llmbatch.job.input import with_input_table
from llmbatch.job.located import located
from llmbatch.job.merging import merge
from llmbatch.job.spec import JobSpec
from llmbatch.job.values import faults

Table = dict[str, Any]

# A job has one of these, and one of those.
_INPUTS = frozenset({"files", "sql"})
_PRICES = ("price_per_hour", "price_per_million")
# The templates of no table, and those of [score].
_OF_CHAT, _OF_PAIR = ("prompt", "system", "prefill"), ("query", "document")
# Of values that cannot be kept the first ones are reported.
_MOST_FAULTS = 3


def load(
    job_file: Path | None,
    flags: Table,
    *,
    trusted: bool = False,
    without_output: Table | None = None,
) -> JobSpec:
    """The spec of a job. Relative paths in the file are relative to the file's folder.

    `flags` has the shape of the file, and only what was given. Raises UsageError that names
    the file or flag, the key and the nearest valid key, and for a file that names code to run,
    unless it is `trusted`. `without_output`: values for a job that names none; None: it has to.
    """
    flags = with_input_table(flags)
    _check_values(flags, None, flags)
    table = _without_rivals(_read_job_file(job_file), flags) if job_file else {}
    if job_file:
        engine_table.check_keys(table, job_file, flags)
    if job_file and not trusted:
        engine_table.check_code(table, job_file, flags)
    merged = merge(table, _fill_in_files(flags, Path(), "the command line"))
    if without_output and "output" not in merged:
        merged = without_output | merged
    merged = dict(batch.recognised(merged))
    # Again, for what was read from the files that it names.
    _check_values(merged, job_file, flags)
    try:
        spec = JobSpec.model_validate(merged)
    except ValidationError as error:
        found = expected.faults(error, JobSpec)
        problems = [_describe(fault, job_file, flags) for fault in expected.joined(found)]
        raise UsageError("; ".join(problems)) from error
    try:
        check_currency(spec.cost.currency)
    except ValueError as error:
        where = ("cost", "currency")
        source = _origin(where, job_file, flags)
        raise UsageError(f"{source}: {error} (got {spec.cost.currency[:80]!r})") from error
    if job_file and "sql" not in flags.get("input", {}):
        spec.input.with_folder(str(job_file.parent))
    return shard.apart(spec.with_template_files(_template_files(job_file, flags)))


def _template_files(job_file: Path | None, flags: Table) -> dict[str, str]:
    """The names of the files of the templates; a flag wins over the job file."""
    named = _templates(flags, Path())
    if job_file is None:
        return named
    of_file = _templates(_read_table(job_file), job_file.parent)
    return {key: of_file[key] for key in of_file if key not in _texts(flags)} | named


def _texts(table: Table) -> Table:
    """The templates of a table by their names, as they are written there."""
    pair = table.get("score")
    of_pair = pair if isinstance(pair, dict) else {}
    return {key: table[key] for key in _OF_CHAT if key in table} | {
        key: of_pair[key] for key in _OF_PAIR if key in of_pair
    }


def _templates(table: Table, folder: Path) -> dict[str, str]:
    named = {
        key: str(folder / text[1:])
        for key, text in _texts(table).items()
        if isinstance(text, str) and text.startswith("@")
    }
    if isinstance(shown := table.get("examples"), str):
        named["examples"] = str(folder / shown.removeprefix("@"))
    return named


def _check_values(table: Table, job_file: Path | None, flags: Table) -> None:
    """Raise UsageError for what cannot be kept with a job."""
    problems = [f"{_origin(where, job_file, flags)}: {what}" for where, what in faults(table)]
    if problems:
        raise UsageError("; ".join(problems[:_MOST_FAULTS]))


def _without_rivals(table: Table, flags: Table) -> Table:
    """The file's table, without what a flag gives in another form: its input and its price."""
    below, given = table.get("input"), flags.get("input")
    if isinstance(below, dict) and isinstance(given, dict) and not _INPUTS.isdisjoint(given):
        table = table | {"input": {name: below[name] for name in below if name not in _INPUTS}}
    return _drop_other_price(table, flags)


def _drop_other_price(table: Table, flags: Table) -> Table:
    """The file's table, without its price if a flag gives one of any kind."""
    cost, given = table.get("cost"), flags.get("cost", {})
    if not isinstance(cost, dict) or not any(name in given for name in _PRICES):
        return table
    return table | {"cost": {name: cost[name] for name in cost if name not in _PRICES}}


def _read_job_file(path: Path) -> Table:
    return located(_fill_in_files(_read_table(path), path.parent, str(path)), path.parent)


def _read_table(path: Path) -> Table:
    try:
        table = tomllib.loads(_read_text(path, ""))
    except (ValueError, RecursionError) as error:  # some of its values are refused by Python itself
        raise UsageError(f"{path}: is not TOML: {error}") from error
    _check_values(table, path, {})
    return with_input_table(table)


def sources(job_file: Path | None, flags: Table) -> list[Path]:
    """The files that the spec was read from: the job file, templates, schemas."""
    named = _named_files(flags, Path())
    if job_file is None:
        return named
    return [job_file, *named, *_named_files(_read_table(job_file), job_file.parent)]


def _named_files(table: Table, folder: Path) -> list[Path]:
    names = [*_templates(table, folder).values(), *stage_files.named(table.get("model"), folder)]
    answer = table.get("answer")
    if isinstance(answer, dict) and isinstance(answer.get("schema"), str):
        names.append(str(folder / answer["schema"].removeprefix("@")))
    classify = table.get("classify")
    if isinstance(classify, dict) and isinstance(classify.get("labels"), str):
        names.append(str(folder / classify["labels"].removeprefix("@")))
    template = table.get("template")
    if isinstance(template, dict) and isinstance(template.get("chat_template"), str):
        names.append(str(folder / template["chat_template"].removeprefix("@")))
    return list(map(Path, names))


def _fill_in_files(table: Table, folder: Path, source: str) -> Table:
    """The table with the content of `@file` prompts and of schema files in place of their names."""
    filled = dict(table)
    for key, name in _templates(table, Path()).items():
        if key == "examples":
            filled[key] = examples.read(folder / name, f"{source}: {key}: ")
            continue
        text = _read_text(folder / name, f"{source}: {key}: ")
        if key in _OF_CHAT:
            filled[key] = text
        else:
            filled["score"] = filled["score"] | {key: text}
    if isinstance(table.get("model"), list):
        read = partial(_read_text, what=f"{source}: [[model]]: ")
        filled["model"] = stage_files.filled(table["model"], folder, read)
    answer = table.get("answer")
    if isinstance(answer, dict) and isinstance(answer.get("schema"), str):
        path = folder / answer["schema"].removeprefix("@")
        filled["answer"] = answer | {"schema": _read_json(path, f"{source}: schema: ")}
    classify = table.get("classify")
    if isinstance(classify, dict) and isinstance(classify.get("labels"), str):
        path = folder / classify["labels"].removeprefix("@")
        text = _read_text(path, f"{source}: labels: ")
        labels = label_file.read(path, text, f"{source}: labels: ")
        filled["classify"] = classify | {"labels": labels}
    template = table.get("template")
    if isinstance(template, dict) and isinstance(template.get("chat_template"), str):
        path = folder / template["chat_template"].removeprefix("@")
        text = _read_text(path, f"{source}: chat_template: ")
        filled["template"] = template | {"chat_template": text}
    return filled


def _read_text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{what}{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{what}{path}: is not UTF-8 text") from error
    except ValueError as error:
        raise UsageError(f"{what}{path}: is no name of a file: {error}") from error


def _read_json(path: Path, what: str) -> Any:
    text = _read_text(path, what)
    try:
        answer_json.read(text)
    except UnreadableError as error:
        raise UsageError(f"{what}{path}: {error}") from error
    # An answer has the numbers of its schema as they stand there.
    return json.loads(text, parse_float=ExactFloat)


def _describe(error: dict[str, Any], job_file: Path | None, flags: Table) -> str:
    where = tuple(str(part) for part in error["loc"])
    source = str(job_file) if job_file and not _contains(flags, where) else "command line"
    key = ".".join(where)
    if error["type"] == "extra_forbidden":
        misplaced = placement.hint(where)
        near = "" if misplaced else nearest(where[-1], _valid_keys(where[:-1]))
        return f"{source}: unknown key {key!r}{near}{misplaced}"
    if error["type"] == "missing":
        verb, them = ("are", "them") if " and " in key else ("is", "it")
        strayed = placement.strayed(key, _read_table(job_file)) if job_file else ""
        how = strayed or f"; give {them} by flag or in a job file (see --help)"
        return f"{source}: {key} {verb} missing{how}"
    return f"{_origin(where, job_file, flags)}: {expected.words(error, JobSpec)}"


def _origin(where: tuple[str, ...], job_file: Path | None, flags: Table) -> str:
    """The flag that holds a value, or the job file and its key there."""
    if flag := _flag_of(flags, where):
        within = where[2:] if where[:2] == ("answer", "schema") else ()
        return f"{flag}: {'.'.join(within)}" if within else flag
    file = str(job_file) if job_file and not _contains(flags, where) else "command line"
    return f"{file}: {'.'.join(where)}"


def _flag_of(flags: Table, where: tuple[str, ...]) -> str | None:
    """The flag by which the value at `where`, or what it is a part of, was given."""
    value: Any = flags
    for depth, part in enumerate(where):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
        key = ".".join(where[: depth + 1])
        if key == "input.files":
            return "INPUT"
        if key.startswith("engine.") and part not in EngineSpec.model_fields:
            return f"--engine-arg {part}"
        if key.startswith("template.kwargs."):
            return f"--template-arg {part}"
        if not isinstance(value, dict) or key in ("answer.schema", "template.kwargs"):
            return flag_name(key)
    return None


def _contains(table: Any, where: tuple[str, ...]) -> bool:
    for part in where:
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True


def _valid_keys(where: tuple[str, ...]) -> list[str]:
    """The valid keys of a section."""
    section: type[BaseModel] = JobSpec
    for part in where:
        # The type of an optional section is a union with None.
        annotation = section.model_fields[part].annotation
        kinds = get_args(annotation) or (annotation,)
        section = next(kind for kind in kinds if issubclass(kind, BaseModel))
    return [field.alias or name for name, field in section.model_fields.items()]
