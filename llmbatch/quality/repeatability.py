"""Honest words on whether the same request would get the same answer again on this device."""

from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.job.spec import JobSpec


def notes(spec: JobSpec, kind: str | None, settings: Mapping[str, Any]) -> Iterator[str]:
    """Reasons for which answers may come out otherwise when they are computed anew; `kind`: of the
    device (gpu, cpu; None: unknown), `settings`: of the engine. The store serves answers as they
    are, whatever is said here."""
    drawn = spec.task == "generate" and spec.sampling.temperature > 0
    if drawn and spec.sampling.seed is None:
        yield "answers are drawn without a seed: computed anew, they come out otherwise"
    if kind == "gpu":
        yield (
            "on a GPU the same request may get another answer beside other requests, also at "
            "temperature 0 and with a seed: sums are rounded by the size of the batch"
        )
    elif kind == "cpu":
        yield (
            "on a CPU equal answers were seen with one thread, whatever ran beside a request; with "
            "several threads not always, and vLLM promises neither"
        )
    else:
        yield "the engine names no device: whether an answer would come out alike is unknown"
    if drawn and settings.get("speculative_config"):
        yield "with speculation drawn answers may differ, also with a seed"
