"""The columns of `--meta` that say which model of a cascade answered a row."""

from collections.abc import Mapping
from typing import Any

from llmbatch.pipeline.rows.output_file import OutputFile

STAGE, MODEL = "stage", "stage_model"
"""The number of the stage, from 1, and its model."""
NAMES = (STAGE, MODEL)


def kinds(output: OutputFile) -> dict[str, str]:
    """The columns and their types; none for a job with one model."""
    return {STAGE: "integer", MODEL: "text"} if output.stages else {}


def value(name: str, row: Mapping[str, Any], output: OutputFile) -> Any:
    """The value of one of them for a row as the store has it; null for a row that was not asked."""
    stage = row.get(STAGE)
    if stage is None or row.get("request") is None:
        return None
    return output.stages[stage] if name == MODEL else stage + 1
