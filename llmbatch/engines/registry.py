"""The engines, by name. `module:factory` names one outside the package, and `ray:module:factory`
replicas of it on a Ray cluster."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from llmbatch.core.errors import UsageError, nearest
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.takes_adapters import TakesAdapters

Factory = Callable[[EngineConfig], Engine]

BUILTIN = {
    "vllm": "llmbatch.engines.vllm.kinds:create",
    "openai": "llmbatch.engines.http.engine:create",
    "ray": "llmbatch.engines.ray.engine:create",
}
# On a cluster it is vLLM that gets the options.
_DECLARED = dict.fromkeys(("vllm", "ray"), "llmbatch.engines.vllm.options:is_declared")
_NAMING_CODE = dict.fromkeys(("vllm", "ray"), "llmbatch.engines.vllm.code_options:named")
_ON_RAY = "ray:"
# Imported where it is needed: it asks the registry for the engine of each replica.
_REPLICAS = "llmbatch.engines.replicas.local"
_WITHOUT_REPLICAS = {"openai": "starts none; name each server by --base-url"}


def naming_code(name: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The options of a built-in engine that name code which it would import or run, each with the
    way in which it does. Options of an engine outside the package are not looked at."""
    if name in _NAMING_CODE:
        module, _, attribute = _NAMING_CODE[name].partition(":")
        yield from getattr(importlib.import_module(module), attribute)(options)


def may_be_option(name: str, option: str) -> bool:
    """False for what is certainly no option of a built-in engine."""
    if name not in _DECLARED:
        return True
    module, _, attribute = _DECLARED[name].partition(":")
    declared: bool = getattr(importlib.import_module(module), attribute)(option)
    return declared


def is_outside(name: str) -> bool:
    """True if it names code outside the package."""
    return name not in BUILTIN and ":" in name


def load(name: str) -> Factory:
    """The factory of a built-in engine, or of one named `module:factory`.

    Raises UsageError when there is no such engine.
    """
    if name == "ray" or name.startswith(_ON_RAY):
        engine = name.removeprefix(_ON_RAY) if name != "ray" else "vllm"
        if engine in BUILTIN and engine != "vllm":
            raise UsageError(f"engine {name!r}: use ray, or ray:module:factory")
        load(engine)  # so that one that does not exist is refused here
        return partial(_on_ray, engine)
    target = BUILTIN.get(name, name)
    module_name, colon, attribute = target.partition(":")
    if not colon:
        known = ", ".join(BUILTIN)
        raise UsageError(
            f"engine {name!r}: no such engine{nearest(name, BUILTIN)}; "
            f"use one of: {known}, or module:factory"
        )
    if name not in BUILTIN and "" not in sys.path:
        # A console script does not look for modules where it is called; users expect it here.
        sys.path.insert(0, "")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"engine {name!r}: cannot be imported: {error}") from error
    if not callable(factory):
        raise UsageError(f"engine {name!r}: {attribute} is not callable")
    single = factory if name in BUILTIN else partial(_made, name, factory)
    return partial(_one_or_several, name, single)


def _one_or_several(name: str, factory: Factory, config: EngineConfig) -> Engine:
    """The engine, or replicas of it. Raises UsageError, as its factory does."""
    if config.replicas is None:
        return factory(config)
    if name in _WITHOUT_REPLICAS:
        raise UsageError(f"--replicas: engine {name!r} {_WITHOUT_REPLICAS[name]}")
    create = importlib.import_module(_REPLICAS).create
    made: Engine = create(load, name, factory, config, is_ours=name in BUILTIN)
    return made


def _made(name: str, factory: Factory, config: EngineConfig) -> Engine:
    """An engine from outside that can do what the configuration asks for. Raises UsageError, as its
    factory does."""
    engine = factory(config)
    takes = isinstance(engine, TakesAdapters) and engine.takes_adapters()
    if config.adapters and not takes:
        raise UsageError(f"engine {name!r} would answer without adapters: leave them out")
    return engine


def _on_ray(engine: str, config: EngineConfig) -> Engine:
    """Replicas of an engine on a cluster. Raises UsageError, as its factory does."""
    module, _, attribute = BUILTIN["ray"].partition(":")
    made: Engine = getattr(importlib.import_module(module), attribute)(load, engine, config)
    return made
