"""The JSON schema of what `llmbatch report --format json` writes, made of the report's values.

`report.schema.json`, `folder.schema.json` and `evaluation.schema.json` beside this file are what it
makes; the last one is of `llmbatch eval`.
"""

from typing import Any

import orjson
from pydantic import TypeAdapter

from llmbatch.reports.comparison import COMPARISON_VERSION, Comparison
from llmbatch.reports.evaluation import EVALUATION_VERSION, EvaluationReport
from llmbatch.reports.folder import FOLDER_VERSION, FolderReport
from llmbatch.reports.report import REPORT_VERSION, Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_VERSION = (
    "The version of this format. It changes when a field goes, is renamed or changes its meaning, "
    "and when one is added: a reader of this version meets exactly these fields."
)
_TITLES = {
    Report: ("The report of an llmbatch job", REPORT_VERSION),
    Comparison: ("Two sides that llmbatch compared", COMPARISON_VERSION),
    FolderReport: ("The jobs of a folder, as llmbatch reports them", FOLDER_VERSION),
    EvaluationReport: ("The answers of an llmbatch job against gold", EVALUATION_VERSION),
}


Kind = type[Report] | type[FolderReport] | type[Comparison] | type[EvaluationReport]
"""What there are schemas of."""


def text(kind: Kind) -> str:
    """The schema of a report as JSON, the same bytes at any time."""
    return orjson.dumps(build(kind), option=orjson.OPT_INDENT_2).decode() + "\n"


def build(kind: Kind) -> dict[str, Any]:
    """The schema (draft 2020-12) of a report. Every field is there, and no other."""
    title, version = _TITLES[kind]
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        _close(part)
    schema["properties"]["version"] = {"const": version, "description": _VERSION}
    return {"$schema": DIALECT, "title": title} | {
        key: value for key, value in schema.items() if key != "title"
    }


def _close(part: dict[str, Any]) -> None:
    """Of a dataclass all fields are written, also those that have a default."""
    if "properties" not in part:
        return
    part["required"] = list(part["properties"])
    part["additionalProperties"] = False
    for field in part["properties"].values():
        field.pop("title", None)
        field.pop("default", None)
    if "description" in part:
        part["description"] = _unwrapped(part["description"])


def _unwrapped(docstring: str) -> str:
    """The paragraphs of a docstring, each in one line, in JSON's words."""
    paragraphs = docstring.replace("None", "null").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in paragraphs)
