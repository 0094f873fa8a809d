"""`llmbatch doctor`: this machine, what works on it, and what would break."""

from pathlib import Path

import click

from llmbatch.cli import console
from llmbatch.cli.options import text_or_json
from llmbatch.core.errors import ExitCode


@click.command()
@click.option("-m", "--model", metavar="MODEL", help="Look at this model, too: a folder or a name.")
@click.option("--device", metavar="NAME", help="Fit the model to a device that is not here: H100.")
@text_or_json
@console.reported
def doctor(model: str | None, device: str | None, style: str) -> None:
    """Look at this machine: can it run jobs, and what would break?

    Versions, GPU, memory, disks, locks and limits, each with a line of advice where something is
    wrong. vLLM is imported once, in a process of its own. Nothing is written. Exits 5 if jobs
    cannot run here with an engine of this machine.
    """
    from llmbatch.doctor.examination import examine
    from llmbatch.sizing import nvidia

    other = None if device is None else nvidia.by_name(device)
    found = examine(model, other, Path.cwd())
    if style == "json":
        console.json(found.to_json())
    else:
        console.show(found.lines())
    if not found.is_fit:
        console.leave(ExitCode.ENGINE)
