"""A shard: one of several parts of a job's rows, each worked on by a run of its own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from llmbatch.core.errors import UsageError
from llmbatch.job.folder import STDOUT, holds_job
from llmbatch.job.spec import JobSpec

_NAMED = re.compile(r"(?P<whole>.+)-shard-(?P<number>\d+)-of-(?P<count>\d+)")


class Shard(NamedTuple):
    """The share `number` (from 1) of `total`."""

    number: int
    total: int

    @classmethod
    def of(cls, spec: JobSpec) -> Self | None:
        """The shard that a job asks for; None: it is whole."""
        if spec.run.shard is None:
            return None
        number, _, count = spec.run.shard.partition("/")
        return cls(int(number), int(count))

    @classmethod
    def of_state(cls, state: Path) -> Self:
        """The shard whose state folder has this name."""
        match = _NAMED.fullmatch(state.stem)
        assert match is not None, "only folders of shards are asked"
        return cls(int(match["number"]), int(match["count"]))

    def __str__(self) -> str:
        return f"shard {self.number} of {self.total}"

    def named(self, name: str) -> str:
        """The name of a file of the whole job, for this shard: out.csv, out-shard-2-of-8.csv."""
        path = Path(name)
        own = f"{path.stem}-shard-{self.number}-of-{self.total}{path.suffix}"
        return str(path.with_name(own))


def apart(spec: JobSpec) -> JobSpec:
    """The job with names of their own for all that a shard writes."""
    shard = Shard.of(spec)
    if shard is None:
        return spec
    run, named = spec.run, shard.named
    files = {
        "reports": tuple(named(name) for name in run.reports),
        "metrics_file": run.metrics_file and named(run.metrics_file),
    }
    return spec.model_copy(
        update={
            "output": spec.output if spec.output == STDOUT else named(spec.output),
            "state": spec.state and named(spec.state),
            "run": run.model_copy(update=files),
        }
    )


def check(spec: JobSpec) -> None:
    """Raise UsageError for a job whose rows cannot be answered apart from each other."""
    if spec.run.shard is None:
        return
    if spec.stages:
        raise UsageError("--shard: not with several models ([[model]]): run one job a model")
    if spec.eval.is_gate:
        raise UsageError(
            "--shard: a shard has too few of the gold rows to decide by them: leave out "
            "--eval-min, and judge the merged job by llmbatch eval --min"
        )
    if spec.score.top is not None or spec.score.group_by is not None:
        raise UsageError(
            "--shard: rows are ranked among those of all shards: leave out --top and --group-by, "
            "and run the merged job with them, which computes nothing again"
        )


def states(whole: Path) -> list[Path]:
    """The state folders of the shards of a job that are there, by its own state folder: those of
    the newest division, by number."""
    found = [(shard, path) for shard, path in _beside(whole) if holds_job(path)]
    if not found:
        return []
    newest = max(found, key=lambda each: each[1].stat().st_mtime)[0].total
    return [path for shard, path in sorted(found) if shard.total == newest]


def _beside(whole: Path) -> Iterator[tuple[Shard, Path]]:
    for path in whole.parent.glob(f"*-shard-*-of-*{whole.suffix}"):
        match = _NAMED.fullmatch(path.stem)
        if match and match["whole"] == whole.stem:
            yield Shard.of_state(path), path


def whole_name(name: str) -> str:
    """The name of the whole job's file, of which `name` is a shard's; else `name` itself."""
    path = Path(name)
    match = _NAMED.fullmatch(path.stem)
    return str(path.with_name(match["whole"] + path.suffix)) if match else name
