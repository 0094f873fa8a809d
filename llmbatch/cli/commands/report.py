"""`llmbatch report`: what a job, or all jobs below a folder, did and cost."""

from pathlib import Path
from typing import Any

import click

from llmbatch.cli import console
from llmbatch.cli.options import CostCommand, given_values, trust_state
from llmbatch.cli.report_output import report_output


@click.command(cls=CostCommand)
@click.argument("job", type=click.Path(path_type=Path), metavar="[JOB]", required=False)
@report_output
@click.option(
    "--all",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Instead of a job: all jobs below a folder, a line for each, and what they cost.",
)
@click.option(
    "--since",
    metavar="DATE",
    help="With --all: count only runs that began at this time (UTC) or later: 2026-11-01.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE, whatever has written it.")
@click.option("--schema", is_flag=True, help="Show the JSON schema of --format json instead.")
@trust_state
@console.reported
def report(
    job: Path | None,
    output: Path | None,
    style: str | None,
    folder: Path | None,
    since: str | None,
    schema: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    """Show rows, tokens, time and cost of a job and of its runs.

    JOB is its job file, its output or its state folder. Prices and columns that are given here
    win over those of the job, for all of its runs; nothing of it is kept.

    With --all, jobs that are running or whose store cannot be read are listed as such, running
    ones with the figures of their earlier runs. No job at all is no error. No file but a report is
    replaced without --overwrite.
    """
    from llmbatch.cli import report_request
    from llmbatch.cli.report_request import ReportRequest

    costs = {key.removeprefix("cost__"): value for key, value in given_values(given).items()}
    request = ReportRequest(job, folder, output, style, since, costs, overwrite)
    (report_request.deliver_schema if schema else report_request.deliver)(request)
