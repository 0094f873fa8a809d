"""`llmbatch tune`: faster engine settings, measured and written into the job file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbatch.cli import console, first_stage
from llmbatch.cli.options import (
    JobArguments,
    JobCommand,
    job_options,
    parse_engine_arg,
    text_or_json,
)
from llmbatch.cli.parameters import SpanOfTime
from llmbatch.core.errors import EngineError, UsageError

if TYPE_CHECKING:
    from llmbatch.job.spec import JobSpec
    from llmbatch.tune.search import TuneResult


_FIRST = (
    "--budget",
    "--rows",
    "--set",
    "--dry-run",
    "--format",
    "--model",
    "--prompt",
    "--output",
    "--max-tokens",
    "--engine-arg",
)
_EXAMPLE = "  llmbatch tune job.toml --budget 20m\n"


@click.command(cls=JobCommand, first=_FIRST, example=_EXAMPLE)
@job_options
@click.option(
    "--budget",
    type=SpanOfTime(least=1),
    default="10m",
    show_default=True,
    metavar="TIME",
    help="Take no longer: 10m, 1h30m.",
)
@click.option(
    "--rows",
    type=click.IntRange(3, 2**31 - 1),
    default=256,
    show_default=True,
    help="Different requests to try each setting with.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=V1,V2",
    help="Values to try for an engine option, instead of the usual ones; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Measure, but leave the job file as it is.")
@text_or_json
@console.reported
def tune(
    job: tuple[str, ...],
    budget: float,
    rows: int,
    sets: tuple[str, ...],
    dry_run: bool,
    style: str,
    **given: Any,
) -> None:
    """Find faster engine settings with a sample of the job's own rows.

    One engine after the other answers the same sample: first with the present settings, then
    with one option changed after the other. The best goes into the [engine] table of JOB.toml;
    where the job is given by flags, all or some, it is printed as flags. Only options that
    cannot change an answer are tried. A setting that fails is a line of the table, and the next
    one is tried. An engine warms up with a part of the sample and is measured on two halves of
    the rest; a gain counts if both have it. Exits 5 if no setting could be measured.

    The answers are thrown away: nothing is stored, and the job's store is not touched. It may be
    run while a run holds the job, but then the two share the device.
    """
    from llmbatch.job import edit
    from llmbatch.tune.search import tune as search

    arguments = JobArguments.parse(job, given)
    spec = first_stage.of(arguments.load())
    # What was measured with flags beside the file is not true of the file alone.
    target = None if dry_run or arguments.flags else arguments.job_file
    if target is not None:
        edit.check_writable(target)
    result = search(spec, _knobs(sets), rows, budget, console.say)
    # A file that names code would be refused by the next run.
    as_flags = bool(arguments.flags) or (not arguments.trusted and _names_code(spec, result))
    if not result.best or result.signal is not None or as_flags:
        target = None
    _deliver(result, target, style, as_flags=as_flags)
    _leave(result)


def _knobs(sets: Iterable[str]) -> dict[str, list[Any]]:
    """`--set KEY=V1,V2`: the values by option; a comma inside of quotes or brackets is none. Tables
    may be written as in TOML or as in JSON, which is how a result shows them."""
    knobs: dict[str, list[Any]] = {}
    for given in sets:
        name, _, text = given.partition("=")
        if not name or not text:
            raise UsageError(f"--set {given!r}: write KEY=VALUE or KEY=VALUE,VALUE")
        knobs.setdefault(name, []).extend(_values(name, text))
    return knobs


def _values(name: str, text: str) -> list[Any]:
    _, values = parse_engine_arg(f"{name}=[{text}]")
    if isinstance(values, list):
        return values
    if "{" in text:
        try:
            return list(json.loads(f"[{text}]"))
        except ValueError as error:
            raise UsageError(f"--set {name}={text}: neither TOML nor JSON: {error}") from error
    # Words without quotes.
    return [parse_engine_arg(f"{name}={word.strip()}")[1] for word in text.split(",")]


def _names_code(spec: "JobSpec", result: "TuneResult") -> bool:
    from llmbatch.engines import registry

    return any(registry.naming_code(spec.engine.name, result.best))


def _deliver(result: "TuneResult", target: Path | None, style: str, *, as_flags: bool) -> None:
    """Write the best settings into the job file `target`, if there is one, and show the result."""
    from llmbatch.cli import tune_result
    from llmbatch.job import edit
    from llmbatch.tune.candidates import describe

    try:
        if target is not None:
            edit.set_engine_options(target, result.best, tune_result.note(result))
            console.say(f"{target}: set {describe(result.best)} under [engine]")
    finally:  # the measurements are shown even if the file has become unwritable
        if style == "json":
            console.json(tune_result.as_json(result, target))
        else:
            console.show(tune_result.lines(result, as_flags=as_flags))


def _leave(result: "TuneResult") -> None:
    if result.signal is not None:
        console.leave_at_once(128 + result.signal)
    if result.winner is None:
        console.say(f"error: no setting could be measured: {result.settings[0].reason}")
        console.leave_at_once(EngineError.exit_code)
    console.leave_at_once(0)
