"""The checks of a job that need nothing of vLLM's: they are made before it is imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint, Sampling
from llmbatch.engines.vllm import device_limits, grammar, here, sizes
from llmbatch.engines.vllm import options as vllm_options
from llmbatch.engines.vllm.sampling import RefusedError, check_sampling

REFUSES = "vLLM refuses this job's requests"


def check(
    options: Mapping[str, Any],
    config: Mapping[str, Any] | None,
    sampling: Sampling,
    constraint: Constraint | None,
) -> None:
    """Raise UsageError for what vLLM would refuse once it is there. `config`: the model's
    config.json."""
    try:
        check_sampling(sampling)
    except RefusedError as error:
        raise UsageError(f"{REFUSES}: {error}") from error
    device_limits.check_sampling(options, sampling)
    _check_length(options.get("max_model_len"), sizes.longest_sequence(config or {}))
    if constraint is not None and vllm_options.is_installed():
        grammar.plan_for(options, constraint)
    elif constraint is not None:
        grammar.check_copies(options, constraint)


def check_device(
    options: Mapping[str, Any], config: Mapping[str, Any] | None, folder: Path | None = None
) -> None:
    """Raise UsageError for what the vLLM and the device of this machine cannot do; nothing where
    there is no vLLM. `folder`: of the model, if it is here."""
    if vllm_options.is_installed():
        device_limits.check(options, config, here.look())
        if folder is not None:
            device_limits.check_files(options, folder, here.look())


def _check_length(wanted: Any, most: int | None) -> None:
    """Raise UsageError for a `max_model_len` that vLLM takes for a mistake."""
    if isinstance(wanted, int) and most is not None and wanted > most:
        raise UsageError(
            f"engine option 'max_model_len': the model takes {most:,} tokens at most "
            f"(got {wanted:,})"
        )
