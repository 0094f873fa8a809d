"""`llmbatch doctor`: this machine, what works on it, and what would break."""

from pathlib import Path

import click

from llmbatch.cli import console
from llmbatch.cli.options import text_or_json
from llmbatch.cli.parameters import SpanOfTime
from llmbatch.core.errors import ExitCode


@click.command()
@click.option("-m", "--model", metavar="MODEL", help="Look at this model, too: a folder or a name.")
@click.option("--device", metavar="NAME", help="Fit the model to a device that is not here: H100.")
@click.option("--try", "is_tried", is_flag=True, help="Start an engine for each lever: minutes.")
@click.option(
    "--timeout",
    type=SpanOfTime(least=1),
    default="2m",
    show_default=True,
    metavar="TIME",
    help="The longest for a lever, with --try.",
)
@text_or_json
@console.reported
def doctor(
    model: str | None, device: str | None, is_tried: bool, timeout: float, style: str
) -> None:
    """Look at this machine: can it run jobs, and what would break?

    Versions, GPU, memory, disks, locks and limits, each with a line of advice where something is
    wrong; then the levers of vLLM (prefix caching, quantised weights, speculation, ...): which
    work here. vLLM is imported once, in a process of its own. With --try an engine is started for
    each lever, with the model or the bundled one, and its answers are compared with those of an
    engine without it. Nothing is written. Exits 5 if jobs cannot run here with an engine of this
    machine.
    """
    from llmbatch.doctor.examination import Trials, examine
    from llmbatch.sizing import nvidia

    other = None if device is None else nvidia.by_name(device)
    trials = Trials(timeout, console.say) if is_tried else None
    found = examine(model, other, Path.cwd(), trials)
    if style == "json":
        console.json(found.to_json())
    else:
        console.show(found.lines())
    if not found.is_fit:
        console.leave(ExitCode.ENGINE)
