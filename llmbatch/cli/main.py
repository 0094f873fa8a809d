"""The group of the commands, and the console script."""

import sys

import click

from llmbatch import __version__
from llmbatch.cli import console
from llmbatch.cli.commands import check, export, plan, repair, report, retry, run, status, tune
from llmbatch.cli.options import check_text

_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(cls=console.Commands, epilog=console.EXIT_CODES, context_settings=_HELP)
@click.version_option(__version__, prog_name="llmbatch")
def cli() -> None:
    """Durable batch jobs for language models on your own GPU.

    A job reads rows from CSV or JSONL, makes a request of each, answers them with a local
    engine, and writes one record per answered row, in input order. A killed job goes on where
    it was: run the same command again.
    """


for command in (
    run.run,
    plan.plan,
    tune.tune,
    retry.retry,
    status.status,
    report.report,
    export.export,
    check.check,
    repair.repair,
):
    cli.add_command(command)


def entry() -> None:
    """The console script."""
    console.reported(check_text)(sys.argv[1:])
    cli(prog_name="llmbatch")
