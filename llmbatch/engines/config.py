"""The configuration that an engine is built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.records import Ask, ChatSettings, Constraint
from llmbatch.engines.replicas.count import ReplicaCount


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers that an engine sends its requests to. `urls`: the base URL of each, such as
    http://host:8000/v1; `key_variable`: the name of the environment variable that holds the key,
    which itself is stored nowhere."""

    urls: tuple[str, ...]
    key_variable: str | None = None


@dataclass(frozen=True)
class EngineConfig:
    """The model and the settings that an engine is built from.

    `options` are the engine's own, as the user wrote them;
    `log_path` is where the engine's own noise goes (None: leave it alone);
    `chat` is how its prompts are made of messages.
    `constraint` is that of its requests, for an engine that must know it before its start, and
    `ask` what they ask for where that is no text: one without it may run a model in another way.
    `adapters`: the folders of those that requests may name, by digest.
    `replicas`: how many engines share the work (None: one, without replicas); `stall_timeout`:
    seconds without progress after which a replica, or a server, is taken for hung; `restarts`: how
    often in a row a replica is started again without an answer of it.
    `servers`: those that answer, for an engine that is a client of some; `address`: of the cluster
    in which replicas run (None: one that is started for the run). `drawn`: false only where
    all first tries are greedy and nothing but their text is wanted.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    log_path: str | None = None
    chat: ChatSettings = field(default_factory=ChatSettings)
    constraint: Constraint | None = None
    ask: Ask | None = None
    adapters: Mapping[str, str] = field(default_factory=dict)
    replicas: ReplicaCount | None = None
    stall_timeout: float = 300.0
    servers: Servers | None = None
    address: str | None = None
    restarts: int = 5
    drawn: bool = True
