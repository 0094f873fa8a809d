"""The table [engine] of a job file: options of the engine's own, none of which names code."""

from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.option_name import plain_name
from llmbatch.engines import registry
from llmbatch.job import placement

Table = dict[str, Any]


def check_keys(table: Table, job_file: Path, flags: Table) -> None:
    """Raise UsageError for a key of another table that stands among the engine's options."""
    engine = table.get("engine")
    if not isinstance(engine, dict):
        return
    name = str((flags.get("engine") or engine).get("name", engine.get("name", "vllm")))
    for option in engine:
        misplaced = placement.hint(("engine", option)) if option != "name" else ""
        if misplaced and not registry.may_be_option(name, option):
            raise UsageError(f"{job_file}: unknown key 'engine.{option}'{misplaced}")


def check_code(table: Table, job_file: Path, flags: Table) -> None:
    """Raise UsageError if a job file names code, or a variable of the environment that servers get
    as the key: it is data, and may come from another person.

    An engine or option that a flag gives instead is its user's choice."""
    engine, given = table.get("engine"), flags.get("engine", {})
    if not isinstance(engine, dict):
        check_stages(table, job_file, str(given.get("name", "vllm")))
        return
    check_stages(table, job_file, str(given.get("name", engine.get("name", "vllm"))))
    if "api_key_env" in engine and "api_key_env" not in given:
        raise _secret_error(job_file, "engine.api_key_env")
    name = str(given.get("name", engine.get("name", "vllm")))
    if "name" not in given and registry.is_outside(name):
        raise _code_error(job_file, f"engine.name {name!r} is a module to import", "--engine")
    chosen = {plain_name(option) for option in given}
    options = {
        key: engine[key] for key in engine if key != "name" and plain_name(key) not in chosen
    }
    for option, how in registry.naming_code(name, options):
        raise _code_error(job_file, f"engine.{option} {how}", "--engine-arg")


def check_stages(table: Table, job_file: Path, name: str) -> None:
    """Raise UsageError if a stage of a cascade gives the engine of this `name` an option that names
    code, or the variable of a key."""
    models = table.get("model")
    for number, stage in enumerate(models if isinstance(models, list) else (), start=1):
        options = stage.get("engine") if isinstance(stage, dict) else None
        if isinstance(options, dict) and "api_key_env" in options:
            raise _secret_error(job_file, f"[[model]] number {number}: engine.api_key_env")
        for option, how in registry.naming_code(name, options if isinstance(options, dict) else {}):
            raise _code_error(
                job_file, f"[[model]] number {number}: engine.{option} {how}", "--engine-arg"
            )


def _code_error(job_file: Path, what: str, flag: str) -> UsageError:
    return UsageError(
        f"{job_file}: {what}, and a job file may name no code: give it by {flag}, or say that the "
        "file is from somebody you trust: --trust-job-file"
    )


def _secret_error(job_file: Path, key: str) -> UsageError:
    return UsageError(
        f"{job_file}: {key} names a variable whose value the servers get, which a job file may "
        "not: give it by --api-key-env, or say that the file is from somebody you trust: "
        "--trust-job-file"
    )
