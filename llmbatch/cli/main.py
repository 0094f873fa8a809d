"""The group of the commands, and the console script."""

import sys

import click

from llmbatch.cli import console
from llmbatch.cli.commands import (
    check,
    compare,
    doctor,
    eval,
    export,
    help,
    import_answers,
    init,
    label,
    merge,
    plan,
    recheck,
    repair,
    report,
    retry,
    run,
    samples,
    status,
    tail,
    try_rows,
    tune,
)
from llmbatch.cli.options import check_text
from llmbatch.core.version import VERSION

_HELP = {"help_option_names": ["-h", "--help"]}
_EXAMPLE = """\
  llmbatch plan tickets.csv -m MODEL -p "Classify: {{ text }}" --choice billing --choice refund
  llmbatch run tickets.csv -m MODEL -p "Classify: {{ text }}" --choice billing --choice refund \\
      -o answers.csv
"""


@click.group(cls=console.Commands, epilog=console.EXIT_CODES, context_settings=_HELP)
@click.version_option(VERSION, "-V", "--version", prog_name="llmbatch")
def cli() -> None:
    """Durable batch jobs for language models on your own GPU.

    A job reads rows from a table, makes a request of each, answers them with a local engine, and
    writes one record per answered row, in input order. A killed job goes on where it was: run the
    same command again.
    """


cli.example = _EXAMPLE
cli.add_group(
    "First steps", samples.samples, init.init, plan.plan, try_rows.try_rows, help.show_help
)
cli.add_group("Work", run.run, retry.retry, import_answers.import_answers, merge.merge, tune.tune)
cli.add_group("Look", status.status, tail.tail, report.report, export.export)
cli.add_group("Trust", eval.evaluate, label.label, compare.compare, recheck.recheck)
cli.add_group("Mend", doctor.doctor, check.check, repair.repair)


def entry() -> None:
    """The console script."""
    console.reported(check_text)(sys.argv[1:])
    cli(prog_name="llmbatch")
