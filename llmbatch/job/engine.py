"""The table [engine]: the engine, where it runs, and its own options."""

from collections.abc import Mapping
from math import prod
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from llmbatch.core.option_name import plain_name
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.job.fields import neutral


class EngineSpec(BaseModel):
    """The engine's name; every other key of the table is an option of the engine's own."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    name: str = neutral(
        "vllm",
        "Name of the engine: vllm; openai, a client of servers; ray, vLLM on a cluster; or "
        "module:factory.",
    )
    replicas: str | None = neutral(
        None,
        "Engines that share the work, each on devices of its own: 4, 2..8, or auto, as many as "
        "there is room for.",
        by_default="one",
    )
    # Which server answers changes no answer: each serves the model that the keys name.
    base_url: tuple[str, ...] = neutral(
        (), "A server's URL for `--engine openai`, such as http://host:8000/v1."
    )
    api_key_env: str | None = neutral(
        None, "Environment variable that holds the servers' key.", min_length=1
    )
    address: str | None = neutral(
        None,
        "Ray cluster for `--engine ray`: host:port, or auto.",
        by_default="one on this machine, for the run",
        min_length=1,
    )

    @field_validator("replicas", mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        ReplicaCount.parse(str(value))
        return str(value)

    @field_validator("base_url", mode="before")
    @classmethod
    def _urls(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def devices(self) -> int:
        """The number of devices that the options name, over all replicas; one if they name none."""
        return parallel(self.options) * (self.count.least if self.count else 1)

    @property
    def count(self) -> ReplicaCount | None:
        """The replicas; None: one engine without replicas."""
        return None if self.replicas is None else ReplicaCount.parse(self.replicas)


def parallel(options: Mapping[str, Any]) -> int:
    """The number of devices over which an engine with these options is spread."""
    named = {plain_name(name): value for name, value in options.items()}
    sizes = (named.get(f"{kind}_parallel_size") for kind in ("tensor", "pipeline", "data"))
    return prod(size for size in sizes if isinstance(size, int) and size > 0)
