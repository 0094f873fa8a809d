"""The table [engine]: the engine, where it runs, and its own options."""

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from llmbatch.core.option_name import plain_name
from llmbatch.engines import parallel_sizes
from llmbatch.engines.http.addresses import Address, SecretError
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.job.expected import SECRET
from llmbatch.job.fields import neutral
from llmbatch.sizing import nvidia

# Capital letters only: a key that is given in the place of its variable's name is stored nowhere.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_SECRET_OPTIONS = frozenset(
    {
        "access_token", "api_key", "apikey", "authorization", "bearer", "default_headers",
        "extra_headers", "headers", "key", "openai_api_key", "password", "secret", "token",
    }
)  # fmt: skip


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
        urls = (value,) if isinstance(value, str) else value
        if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
            return urls
        addresses = [_address(url) for url in urls]
        for index, address in enumerate(addresses):
            if address in addresses[:index]:
                raise ValueError(f"{address.base} is named twice")
        return tuple(urls)

    @field_validator("api_key_env", mode="before")
    @classmethod
    def _variable(cls, value: Any) -> Any:
        if isinstance(value, str) and not _VARIABLE.fullmatch(value):
            raise secret_fault(
                "must be the name of an environment variable that holds the key (capital letters, "
                "digits and _), and not the key itself"
            )
        return value

    @model_validator(mode="after")
    def _keys_are_no_options(self) -> Self:
        if self.name == "openai":
            _refuse_keys(self.options)
        return self

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def devices(self) -> int:
        """The number of devices that the options name, over all replicas; one if they name none. As
        many as there is room for are counted on this machine."""
        each, count = parallel(self.options), self.count
        if count is None or count.fixed is not None or self.name == "ray":
            return each * (count.least if count else 1)
        room = len(nvidia.visible()) // each
        return each * max(count.least, room if count.most is None else min(count.most, room))

    @property
    def count(self) -> ReplicaCount | None:
        """The replicas; None: one engine without replicas."""
        return None if self.replicas is None else ReplicaCount.parse(self.replicas)


def devices_of(engine: Mapping[str, Any], replicas: int | None = None) -> int:
    """The number of devices of a stored table [engine], over all replicas: so many, or else as it
    says at least."""
    written = engine.get("replicas")
    least = 1 if written is None else ReplicaCount.parse(str(written)).least
    return parallel(engine) * (replicas or least)


def parallel(options: Mapping[str, Any]) -> int:
    """The number of devices over which an engine with these options is spread."""
    return parallel_sizes.product(options, (*parallel_sizes.OF_ONE_ENGINE, "data"))


def check_options(given: Mapping[str, Any]) -> None:
    """Raise a fault of the options that one of several models gets: those of servers are checked as
    in the table itself."""
    named = {name: given[name] for name in ("base_url", "api_key_env") if name in given}
    _refuse_keys(given)
    try:
        EngineSpec.model_validate(named)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise secret_fault(f"engine.{where}: {fault['msg']}") from None


def _refuse_keys(options: Mapping[str, Any]) -> None:
    for option in options:
        if plain_name(option) in _SECRET_OPTIONS:
            raise secret_fault(
                f"engine option {option!r}: keys come from the environment only: name the variable "
                "with --api-key-env NAME"
            )


def _address(url: str) -> Address:
    try:
        return Address.parsed(url)
    except SecretError as error:
        raise secret_fault(str(error)) from None


def secret_fault(text: str) -> PydanticCustomError:
    """A fault of a value that may be a secret, and is not shown."""
    return PydanticCustomError(SECRET, "{text}", {"text": text})
