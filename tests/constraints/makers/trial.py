"""One schema of a maker, tried with a backend: whether its grammar means what the schema means."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import llguidance
from vllm.v1.structured_output.backend_xgrammar import has_xgrammar_unsupported_json_features

from llmbatch.constraints import intake
from llmbatch.constraints.backends import EngineCopy, copies
from llmbatch.constraints.proof.comparison import Texts, compare, make_texts
from llmbatch.constraints.proof.telling import untold
from llmbatch.core.records import Constraint
from llmbatch.engines.vllm import grammar_child
from tests.constraints.makers import pydantic_fields

SAME, TOLD, SILENT, REFUSED = "same", "told", "silent", "refused"
BASELINE = "raw"
"""A schema itself, for xgrammar with free white space: all that an engine got before."""


class Tried(NamedTuple):
    """The result of a trial: `same`, `told` (only the check holds what is listed), `silent` (with
    differences that are not listed) or `refused`."""

    result: str
    details: tuple[str, ...] = ()


def all_schemas() -> dict[str, dict[str, Any]]:
    """The schemas of all makers, by maker and type of field."""
    path = Path(__file__).parent / "zod.json"
    of_zod: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return of_zod | pydantic_fields.schemas()


def try_schema(schema: dict[str, Any], count: int) -> dict[str, Tried]:
    """The trials of a schema: as it is, its copy for each backend, and the copy that is chosen."""
    try:
        constraint = Constraint("json", intake.take(schema).text)
        texts = make_texts(constraint, count)
        made = copies(constraint)
    except Exception as error:
        refused = Tried(REFUSED, (str(error),))
        return dict.fromkeys([BASELINE, "xgrammar", "guidance", "chosen"], refused)
    tried = {BASELINE: _apart(lambda: _baseline(schema, constraint, texts))}
    for copy in made:
        tried[copy.backend] = _apart(partial(_copied, copy, constraint, texts))
    order = [tried[copy.backend] for copy in made]
    tried["chosen"] = next((one for one in order if one.result != REFUSED), order[0])
    return tried


def _baseline(schema: dict[str, Any], constraint: Constraint, texts: Texts) -> Tried:
    if has_xgrammar_unsupported_json_features(schema):
        return Tried(REFUSED, ("vLLM: features not supported by xgrammar",))
    return _compared("xgrammar", json.dumps(schema), constraint, texts, whitespace=True)


def _copied(copy: EngineCopy, constraint: Constraint, texts: Texts) -> Tried:
    value = copy.constraint.value
    if copy.backend == "xgrammar" and has_xgrammar_unsupported_json_features(json.loads(value)):
        return Tried(REFUSED, ("vLLM: features not supported by xgrammar",))
    tried = _compared(copy.backend, value, constraint, texts, left=copy.check_only)
    if tried.result == SAME and copy.check_only:
        return Tried(TOLD, tuple(f"{one.keyword} at {one.place}" for one in copy.check_only))
    return tried


def _compared(
    backend: str,
    value: str,
    constraint: Constraint,
    texts: Texts,
    *,
    whitespace: bool = False,
    left: tuple[Any, ...] = (),
) -> Tried:
    import xgrammar

    maker = {"xgrammar": grammar_child._xgrammar, "guidance": grammar_child._guidance}[backend]
    module = {"xgrammar": xgrammar, "guidance": llguidance}[backend]
    try:
        taking = maker(module, "json", value, whitespace)
    except Exception as error:
        return Tried(REFUSED, (" ".join(str(error).split())[:200],))
    found = compare(constraint, lambda asked: [taking(text) for text in asked], texts)
    silent = untold(found, left)
    if silent:
        return Tried(SILENT, tuple(f"{one.kind}: {one.line()}" for one in silent))
    return Tried(SAME)


def _apart(function: Callable[[], Tried]) -> Tried:
    """A function's result in a process of its own, which a backend may end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = json.dumps(function())
            os.write(writing, result[:60_000].encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    if not data:
        return Tried(REFUSED, ("the process ended",))
    result, details = json.loads(data)
    return Tried(result, tuple(details))
