"""The paths of a job file, which start at its folder."""

import glob
from pathlib import Path
from typing import Any

from llmbatch.engines import model_files
from llmbatch.job import gold_set
from llmbatch.job.input import STDIN

Table = dict[str, Any]


def located(table: Table, folder: Path) -> Table:
    """The table with its relative paths joined to the folder of the job file."""
    made = dict(table)
    for key in ("output", "state"):
        value = table.get(key)
        if isinstance(value, str):
            made[key] = str(folder / value)
    if isinstance(table.get("input"), dict):
        made["input"] = _locate_input(table["input"], folder)
    gold = table["eval"].get("gold") if isinstance(table.get("eval"), dict) else None
    if isinstance(gold, str) and gold and gold_set.names_file(gold, folder):
        made["eval"] = table["eval"] | {"gold": str(folder / gold)}
    run = table.get("run")
    if isinstance(run, dict):
        made["run"] = run | _locate_run_files(run, folder)
    adapters = table.get("adapters")
    if isinstance(adapters, dict):
        made["adapters"] = {
            name: str(folder / at) if isinstance(at, str) else at for name, at in adapters.items()
        }
    adapter = table.get("adapter")
    is_name = isinstance(adapters, dict) and adapter in adapters
    if isinstance(adapter, str) and not is_name and model_files.is_folder(folder / adapter):
        made["adapter"] = str(folder / adapter)
    model = table.get("model")
    if isinstance(model, str):
        made["model"] = _locate_model(model, folder)
    if isinstance(model, list):
        made["model"] = [_locate_stage(stage, folder) for stage in model]
    return made


def _locate_model(model: str, folder: Path) -> str:
    is_path = model.startswith(".") or model_files.is_folder(folder / model)
    return str(folder / model) if is_path else model


def _locate_stage(stage: Any, folder: Path) -> Any:
    """A stage of a cascade with its model in the folder."""
    if not (isinstance(stage, dict) and isinstance(stage.get("model"), str)):
        return stage
    return stage | {"model": _locate_model(stage["model"], folder)}


def _locate_input(given: Table, folder: Path) -> Table:
    files = [given["files"]] if isinstance(given.get("files"), str) else given.get("files")
    if not isinstance(files, list):
        return given
    located = [
        _locate_name(name, folder) if isinstance(name, str) and name not in ("", STDIN) else name
        for name in files
    ]
    return given | {"files": located}


def _locate_name(name: str, folder: Path) -> str:
    """A file, folder or pattern in the folder, the name of which is no pattern."""
    path = folder / name
    if glob.has_magic(name) and not path.exists():
        return str(Path(glob.escape(str(folder))) / name)
    return str(path)


def _locate_run_files(run: Table, folder: Path) -> Table:
    located: Table = {}
    if isinstance(run.get("metrics_file"), str):
        located["metrics_file"] = str(folder / run["metrics_file"])
    if isinstance(run.get("reports"), list):
        located["reports"] = [
            str(folder / name) if isinstance(name, str) else name for name in run["reports"]
        ]
    return located
