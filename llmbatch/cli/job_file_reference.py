"""The reference of the job file: every key with its table, type, default and effect on reuse.

It is made of what the spec declares, as the flags are.
"""

import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from llmbatch.job import expected
from llmbatch.job.fields import Affects, default_text, effect, leaves
from llmbatch.job.spec import JobSpec
from llmbatch.job.stage import StageSpec

_WIDTH = 92
_INDENT = " " * 6
_HEAD = """\
The job file (TOML), for `llmbatch run job.toml`. Every key has a flag of the same name, which wins
over the file. Keys of no table stand above the first table. Relative paths start at the folder of
the file. `llmbatch init INPUT` writes one.

After each key: the values that it takes; its default; and the effect of a change on the answers
that the job's store has:
  kept       they are reused: the key cannot change an answer
  by prompt  they are reused for the rows whose prompts read as before
  anew       all are computed anew, since another value can change any of them"""
_EFFECTS = {Affects.NEUTRAL: "kept", Affects.RENDERED: "by prompt", Affects.ANSWER: "anew"}
# Declared neutral because something else stands for them in the keys of requests.
_BY_IDENTITY = {"model": "anew", "engine.name": "anew if another engine has other models"}
_OPTIONS = (
    "Any other key is an option of the engine's own, as in `--engine-arg KEY=VALUE`: of vLLM, such "
    "as max_model_len, tensor_parallel_size, quantization. Kept if it changes place and speed "
    "only; anew if it can change an answer (dtype, quantization, ...)."
)

_STAGES = "Models of a cascade, the cheapest first, in place of `model`; each a table"


def text() -> str:
    """The reference as text."""
    return "\n".join(lines())


def lines() -> Iterator[str]:
    """The lines of the reference, table by table in the order of the spec."""
    yield from _HEAD.split("\n")
    table = None
    for key, field in leaves(JobSpec):
        section, _, name = key.rpartition(".")
        if section != table:
            table = section
            yield ""
            yield from _title(section)
        if key != "stages":
            yield from _of_key(key, name, field)
    yield ""
    yield f"[[model]] {_STAGES}"
    for key, field in leaves(StageSpec):
        yield from _of_key(key, key, field)


def _title(section: str) -> Iterator[str]:
    if not section:
        yield "Above the first table"
        return
    yield f"[{section}] {JobSpec.model_fields[section].description}"
    if section == "engine":
        yield from textwrap.wrap(_OPTIONS, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _of_key(key: str, name: str, field: FieldInfo) -> Iterator[str]:
    told = f"{expected.taken(field)}; {_default(field)}; {_effect(key, field)}"
    yield from textwrap.wrap(
        f"{name}: {told}", _WIDTH, initial_indent="  ", subsequent_indent=_INDENT
    )
    text = field.description or ""
    yield from textwrap.wrap(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if isinstance(field.default, bool):
        return f"default: {str(field.default).lower()}"
    return f"default: {default_text(field) or 'none'}"


def _effect(key: str, field: FieldInfo) -> str:
    return _BY_IDENTITY.get(key, _EFFECTS[effect(field)])
