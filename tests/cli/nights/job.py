"""The files of a night: the job, its input, and the answers of its model."""

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cli.nights.given import EXAMPLES, SCHEMA, STATE, WIDER, Walk, script

ENGINE = "tests.scripted_engine:create"


def job_file(walk: Walk) -> dict[str, Any]:
    """The job as TOML has it."""
    job: dict[str, Any] = {"state": STATE, "overwrite": True}
    form = walk.settings["form"]
    for name, value in walk.settings.items():
        if value is None or name in ("form", "in_files"):
            continue
        section, _, key = name.rpartition(".")
        (job.setdefault(section, {}) if section else job)[key] = value
    if job.get("examples") == "file":
        job["examples"] = "examples.jsonl"
    if walk.settings["in_files"]:
        job["prompt"] = "@prompt.txt"
    job["input"] = job.get("input", {}) | {"files": [f"in.{walk.settings['input.format']}"]}
    if form == "choice":
        job["answer"] = {"choice": ["a", "b"]}
    elif form in ("schema", "wider"):
        job["answer"] = {"schema": SCHEMA if form == "schema" else WIDER}
    elif form == "labels":
        job |= {"task": "classify", "classify": {"labels": ["a", "b", "c"]}}
        job["classify"]["gold"] = "kind" if walk.settings["id_column"] else None
        job["classify"] = {name: each for name, each in job["classify"].items() if each}
    return _possible(job, form)


def _possible(job: dict[str, Any], form: str) -> dict[str, Any]:
    """Without what the rest of the job does not allow."""
    sampling = job.setdefault("sampling", {})
    if form != "text":
        job.pop("prefill", None)
        job.pop("examples", None)
        job.get("run", {}).pop("on_truncated", None)
    if form == "labels":
        sampling.clear()
        job.pop("duplicates", None)
    if form in ("schema", "wider", "labels"):
        job.pop("check", None)
    if "temperature" not in sampling:
        sampling.pop("samples", None)
        sampling.pop("seed", None)
    elif "seed" not in sampling:
        sampling.pop("temperature")
        sampling.pop("samples", None)
    if "samples" in sampling:
        job.pop("check", None)
    if job.get("response_column") and job.get("columns"):
        job["columns"] = [
            job["response_column"] if name == "response" else name for name in job["columns"]
        ]
    if job.get("response_column") and job.get("examples"):
        job["example_answer"] = "response"
    return job


def _toml(job: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_value(each)}\n" for name, each in job.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inner = (f"{json.dumps(name)} = {_value(each)}" for name, each in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


def write(walk: Walk, folder: Path) -> list[str]:
    """Write the input and the job into a folder; returns the arguments of its run."""
    name = f"in.{walk.settings['input.format']}"
    path = folder / name
    columns = list(walk.rows[0])
    rows = [{column: row.get(column, "") for column in columns} for row in walk.rows]
    if walk.settings["id_column"]:  # of two rows with an id one would be rejected
        rows = [row | {"id": f"{row['id']}-{at}"} for at, row in enumerate(rows)]
    if name.endswith("csv"):
        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path.write_text(stream.getvalue())
    else:
        lines = [json.dumps(row) for row in rows]
        path.write_text("\n".join([*lines[:3], "no json", *lines[3:]]) + "\n")
    form = "schema" if walk.settings["form"] == "wider" else walk.settings["form"]
    # What has changed shows in no time, and often in no size.
    os.utime(path, (0, 0))
    (folder / "prompt.txt").write_text(walk.settings["prompt"])
    (folder / "examples.jsonl").write_text(json.dumps(EXAMPLES[walk.example]))
    (folder / "script.json").write_text(json.dumps(script(walk.mood, form)))
    (folder / "job.toml").write_text(_toml(job_file(walk)))
    return ["run", "job.toml", "--engine", ENGINE, "--engine-arg", "script=script.json"]
