"""A job file for an input, with a comment on everything, made of a look at its first rows."""

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit
from pydantic.fields import FieldInfo

from llmbatch.core import units
from llmbatch.job.fields import default_text, leaves
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows.first_look import ColumnLook, FirstLook

_WIDTH = 100
_SHOWN = 60
# They are written in another place, or are not for a beginning.
_WRITTEN = {
    "input.files",
    "input.sql",
    "output",
    "model",
    "prompt",
    "id_column",
    "engine.name",
    "stages",
}
_ENGINE = """\
# max_model_len = 4096 # tokens of prompt and answer together
# gpu_memory_utilization = 0.92
# tensor_parallel_size = 1 # devices that share the model
# quantization = "fp8" """


def lines(seen: FirstLook, name: str, job_file: Path | None) -> Iterator[str]:
    """The lines of a job file in `job_file` (None: in this folder) for the input of this name."""
    yield from _head(seen, job_file)
    yield from _first_keys(seen, name)
    yield from _rest("", "")
    tables = dict.fromkeys(key.rpartition(".")[0] for key, _ in leaves(JobSpec))
    for table in filter(None, tables):
        yield ""
        yield f"[{table}] # {JobSpec.model_fields[table].description}"
        if table == "input":
            yield f"files = {_toml([_located(name, job_file)])}"
        if table == "answer":
            yield from _kinds(seen)
        if table == "engine":
            yield from _ENGINE.rstrip().split("\n")
        yield from _rest(table, f"{table}.")


def _head(seen: FirstLook, job_file: Path | None) -> Iterator[str]:
    file = job_file or "job.toml"
    yield f"# What each key does: llmbatch help job-file. What a run would do: llmbatch plan {file}"
    yield f"# The run: llmbatch run {file}"
    yield "#"
    yield f"# The columns, by the first {units.count(seen.rows, 'row')}:"
    width = min(30, max(len(_shown(column.name)) for column in seen.columns))
    for column in seen.columns:
        yield f"#   {_shown(column.name):{width}}  {_described(column, seen.rows)}"
    yield from (f"# {_shown(note)}" for note in seen.notes)


def _described(column: ColumnLook, rows: int) -> str:
    if not column.filled:
        return "empty"
    examples = ", ".join(_toml(_shown(text)) for text in column.examples)
    empty = rows - column.filled
    return examples + (f" (empty in {empty:,})" if empty else "")


def _first_keys(seen: FirstLook, name: str) -> Iterator[str]:
    yield ""
    yield "# The model has to be filled in: a folder, or a name on the Hugging Face Hub."
    yield '# model = "Qwen/Qwen3-8B"'
    yield f"output = {_toml(_output(seen, name))}"
    if seen.id_column is not None:
        yield f"id_column = {_toml(seen.id_column)}"
    else:
        yield '# id_column = "..." # rows are named by their lines'
    yield "prompt = '''"
    yield "Sum up the following in one short sentence."
    yield ""
    for column in seen.text_columns:
        yield f"{_label(column)}: {_placeholder(column)}"
    yield "'''"


def _output(seen: FirstLook, name: str) -> str:
    stem = Path(name).name.partition(".")[0].strip("*?[]") or "rows"
    suffix = seen.format_name if seen.format_name in ("csv", "tsv", "parquet") else "jsonl"
    return f"{stem}.answers.{suffix}"


def _label(column: str) -> str:
    """The name in the text of a prompt, which is a template in literal quotes."""
    plain = "".join(" " if c in "{}%#'" or not c.isprintable() else c for c in column)
    return " ".join(plain.split()) or "text"


def _placeholder(column: str) -> str:
    if column.isidentifier() and column not in _RESERVED:
        return f"{{{{ {column} }}}}"
    if not column.isprintable() or "'''" in column:
        return "{{ record }}"  # of all columns; its name has no place in a literal text
    quoted = column.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{{{ row["{quoted}"] }}}}'


_RESERVED = {
    *("and", "or", "not", "in", "is", "if", "else", "for", "true", "false", "none"),
    *(
        "True",
        "False",
        "None",
        "record",
        "row",
        "loop",
        "self",
        "range",
        "dict",
        "namespace",
        "cycler",
    ),
    *("joiner", "lipsum", "caller", "varargs", "kwargs"),
}


def _kinds(seen: FirstLook) -> Iterator[str]:
    kinds = next((column.kinds for column in seen.columns if column.kinds), [])
    yield "# At most one of choice, schema and regex:"
    yield f"# choice = {_toml(kinds or ['billing', 'refund', 'other'])}"
    yield '# schema = "schema.json" # a file with a JSON Schema'
    yield "# regex = '[A-Z]{3}-[0-9]+'"


def _rest(table: str, prefix: str) -> Iterator[str]:
    """The other keys of a table with their defaults, commented."""
    for key, field in leaves(JobSpec):
        section, _, name = key.rpartition(".")
        if section == table and key not in _WRITTEN and key not in _OF_FORM:
            yield from _commented(name, field)


_OF_FORM = {"answer.choice", "answer.schema", "answer.regex"}


def _commented(name: str, field: FieldInfo) -> Iterator[str]:
    default = field.default
    is_value = isinstance(default, str | bool | int | float)
    told = (field.description or "").removesuffix(".")
    if not is_value and default_text(field):
        told += f" [default: {default_text(field)}]"
    text = f"# {name} = {_toml(default) if is_value else '...'} # {told}"
    yield from textwrap.wrap(text, _WIDTH, subsequent_indent="#     ", break_on_hyphens=False)


def _located(name: str, job_file: Path | None) -> str:
    """The name of the input as it is read from the folder of the job file."""
    if job_file is None or Path(name).is_absolute():
        return name
    return os.path.relpath(name, job_file.parent)


def _shown(text: str) -> str:
    """A text in one line, cut where it is long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def _toml(value: Any) -> str:
    written: str = tomlkit.item(value).as_string()
    return written
