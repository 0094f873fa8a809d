"""The options of vLLM that name code: modules and programs that it would import or run.

A job file is data, and may come from somebody else, so the values below are taken from it only if
its user says so. Numbers and switches cannot name code; the texts and tables of an option can, if
vLLM looks up a class by them, reads a file that does, or takes objects from another process. An
option that is declared nowhere was not examined, and counts as one of them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llmbatch.core.option_name import plain_name
from llmbatch.engines.vllm.options import ANSWER_OPTIONS, NEUTRAL_OPTIONS

_CLASSES = "names classes that vLLM imports"
_PLUGIN = "names a plugin that vLLM imports"
_LOGGING = "a logging configuration can call any function"
_CONNECTOR = "can name a module that vLLM imports"
_OBJECTS = "takes objects from another process, which can be code"

CODE_OPTIONS = {
    "trust_remote_code": "runs code that comes with the model",
    "worker_cls": _CLASSES,
    "worker_extension_cls": _CLASSES,
    "scheduler_cls": _CLASSES,
    "logits_processors": _CLASSES,
    "model_class_overrides": _CLASSES,
    "ec_manager_config": _CLASSES,
    "io_processor_plugin": _PLUGIN,
    "reasoning_parser_plugin": _PLUGIN,
    "kv_transfer_config": _CONNECTOR,
    "ec_transfer_config": _CONNECTOR,
    "weight_transfer_config": _CONNECTOR,
    "additional_config": "is for plugins, which read it as they like",
    "log_config_file": _LOGGING,
    "logging_config": _LOGGING,
    "model_loader_extra_config": _OBJECTS,
    "master_addr": _OBJECTS,
}
"""Options that name code with any value but an empty one."""

# Further ones do with some values.
_EXECUTORS = frozenset({"mp", "ray", "uni", "external_launcher"})
_OUTSIDE_LOADERS = frozenset({"ipc_cache", "modelexpress"})
_COMPILERS = frozenset({"", "eager", "inductor"})
_COMPILED = ("inductor_passes", "inductor_compile_config", "cache_dir")

# Keys of tables, at any depth, that have such a meaning wherever vLLM reads them.
_KEYS = ("trust_remote_code",)
_ENDINGS = ("_cls", "module_path", "_plugin", "pylogging_config_file")


def named(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The options that name code, as they were written, and how."""
    for written, value in options.items():
        name = plain_name(written)
        if (how := _how(name, _read(value))) is not None:
            yield written, how


def _read(value: Any) -> Any:
    """A table or list that was written as text."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _how(name: str, value: Any) -> str | None:
    """The way in which an option with this value names code; None if it does not."""
    if not value or _is_off(value):
        return None
    if name in CODE_OPTIONS:
        return CODE_OPTIONS[name]
    if name in _BY_VALUE:
        return _BY_VALUE[name](value)
    if isinstance(value, bool | int | float):
        return None
    if name not in NEUTRAL_OPTIONS | ANSWER_OPTIONS:
        return "is not known to llmbatch, so that it may name code"
    return _of_keys(value)


def _is_off(value: Any) -> bool:
    """A switch as text, which vLLM's options may be."""
    return isinstance(value, str) and value.casefold() in (
        "false",
        "no",
        "off",
        "0",
        "none",
        "null",
    )


def _of_keys(value: Any) -> str | None:
    """By the keys of the tables in a value."""
    inner = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, str) or not isinstance(value, Mapping | list | tuple):
        return None
    for key in value if isinstance(value, Mapping) else ():
        if value[key] and (key in _KEYS or str(key).endswith(_ENDINGS)):
            return f"its {key} names code"
    return next((how for item in inner if (how := _of_keys(item)) is not None), None)


def _executor(value: Any) -> str | None:
    return None if str(value) in _EXECUTORS else _CLASSES


def _nodes(value: Any) -> str | None:
    return None if str(value) == "1" else _OBJECTS


def _loader(value: Any) -> str | None:
    return _OBJECTS if str(value) in _OUTSIDE_LOADERS else None


def _compilation(value: Any) -> str | None:
    """Functions that compile can be named, and a folder of what they have compiled."""
    if not isinstance(value, Mapping):
        return None
    if any(value.get(key) for key in _COMPILED) or str(value.get("backend", "")) not in _COMPILERS:
        return "can name functions, or a folder of compiled ones"
    return _of_keys(value)


def _drafts(value: Any) -> str | None:
    """A draft model is a folder, a name on the hub, or a class."""
    if not isinstance(value, Mapping):
        return None
    if value.get("draft_load_config") or value.get("method") == "custom_class":
        return _CONNECTOR
    return _draft_model(value.get("model")) or _of_keys(value)


def _draft_model(value: Any) -> str | None:
    is_class = isinstance(value, str) and "." in value and "/" not in value
    return _CLASSES if is_class else None


def _draft_method(value: Any) -> str | None:
    return _CLASSES if value == "custom_class" else None


_BY_VALUE: dict[str, Callable[[Any], str | None]] = {
    "distributed_executor_backend": _executor,
    "nnodes": _nodes,
    "load_format": _loader,
    "compilation_config": _compilation,
    "speculative_config": _drafts,
    "spec_model": _draft_model,
    "spec_method": _draft_method,
}
