"""The configuration of a job's engines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import adapters
from llmbatch.pipeline.tasks.base import Task


def make(
    spec: JobSpec, task: Task, log: Path | None = None, options: Mapping[str, Any] | None = None
) -> EngineConfig:
    """The configuration of an engine for the job. `log`: where its noise goes; `options`: in place
    of the job's own. Raises UsageError for an adapter that cannot be used."""
    return EngineConfig(
        spec.model,
        spec.engine.options if options is None else options,
        None if log is None else str(log),
        spec.template.to_settings(),
        task.constraint,
        task.ask,
        adapters.load(spec).by_digest,
        spec.engine.count,
        spec.run.stall_timeout,
        Servers(spec.engine.base_url, spec.engine.api_key_env) if spec.engine.base_url else None,
        spec.engine.address,
        spec.run.engine_restarts,
        _is_drawn(spec, task),
    )


def _is_drawn(spec: JobSpec, task: Task) -> bool:
    """False if the answers follow from the model alone. The rows of a batch file may say more."""
    sampling = task.sampling
    is_greedy = sampling.temperature == 0 and sampling.logprobs is None
    return spec.is_batch or spec.task != "generate" or not is_greedy
