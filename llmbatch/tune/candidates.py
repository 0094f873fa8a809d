"""Engines of one job that differ in their settings only."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.option_name import written_names
from llmbatch.engines import registry
from llmbatch.engines.base import Engine, Tunable
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import engine_config
from llmbatch.pipeline.tasks import registry as tasks

Options = Mapping[str, Any]


class Candidates:
    """Makes engines of one job that differ in their settings only."""

    def __init__(self, spec: JobSpec, log: Path) -> None:
        self._spec = spec
        self._log = log
        self._factory = registry.load(spec.engine.name)
        self.options = spec.engine.options
        self.first = self.engine({})

    def engine(self, changes: Options) -> Engine:
        """A new engine, not started. Raises UsageError for an option that cannot be used."""
        written = written_names(self.options)
        options = self.options | {written.get(name, name): changes[name] for name in changes}
        task = tasks.make(self._spec)
        return self._factory(engine_config.make(self._spec, task, self._log, options))

    def check(self, knobs: Mapping[str, Sequence[Any]]) -> None:
        """Raise UsageError if a value cannot be used or could change an answer."""
        if not knobs and not isinstance(self.first, Tunable):
            raise UsageError(
                f"engine {self._spec.engine.name!r} suggests no settings; give some: --set KEY=V,V"
            )
        identity = self.first.identity() if knobs else {}
        # Naming a model may mean reading all of it, so one value of each option is checked at once.
        for number in range(max(map(len, knobs.values()), default=0)):
            column = {name: some[number] for name, some in knobs.items() if number < len(some)}
            if self.engine(column).identity() != identity:
                self._refuse(column, identity)

    def _refuse(self, changes: Options, identity: dict[str, str]) -> None:
        for name, value in changes.items():
            if self.engine({name: value}).identity() != identity:
                raise UsageError(
                    f"--set {pair(name, value)}: can change the answers, which tuning must not; "
                    "set it in the job itself and tune then"
                )


def describe(changes: Options) -> str:
    """A setting in the words of its options."""
    return " ".join(pair(*change) for change in changes.items()) or "present settings"


def pair(name: str, value: Any) -> str:
    """`name=value` as it is written on the command line."""
    is_json = isinstance(value, bool | Mapping | list)
    return f"{name}={json.dumps(value) if is_json else value}"
