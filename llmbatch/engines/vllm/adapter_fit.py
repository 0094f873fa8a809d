"""The check that vLLM, and a model, can use a LoRA adapter, by its configuration and the shapes of
its tensors alone: nothing is loaded for it.

vLLM refuses some of these at its start. Others it uses without a word, and wrongly: it takes the
scale of an adapter from the rank that the configuration says, and passes over tensors whose module
it does not find.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.engines import adapter_files
from llmbatch.engines.adapter_files import AdapterFiles, Shapes

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM takes for max_lora_rank."""
_PREFIX = "base_model.model."
# The first weights of a model's own that a plain adapter may start from in vLLM.
_PLAIN_STARTS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
_UNSUPPORTED = {
    "use_dora": "DoRA",
    "lora_bias": "a bias of its own (lora_bias)",
    "alora_invocation_tokens": "activated LoRA",
    "layer_replication": "layer_replication",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QALoRA",
    "trainable_token_indices": "trained tokens (trainable_token_indices)",
}
_HEADS = ("classifier", "score")
# Not in the weights of a model whose input embeddings are its output's, too.
_TIED = "lm_head"
# The parts of a module's name that a model with several towers may have, and its adapters not.
_TOWER = ("model", "language_model")
_A, _B, _EMBEDDING_A, _EMBEDDING_B = "A", "B", "embedding_A", "embedding_B"
_KINDS = {
    ".lora_A.weight": _A,
    ".lora_B.weight": _B,
    ".lora_embedding_A": _EMBEDDING_A,
    ".lora_embedding_B": _EMBEDDING_B,
}


def check(files: AdapterFiles, model: Shapes) -> None:
    """Raise UsageError if vLLM cannot use the adapter, or its sizes are not those of the `model`
    (its tensors' shapes; none: not known)."""
    if faults := [*_unsupported(files.config)]:
        raise UsageError(f"adapter {files.folder}: vLLM cannot use it: {'; '.join(faults)}")
    rank = rank_of(files)
    if rank > RANKS[-1]:
        raise UsageError(
            f"adapter {files.folder}: its rank is {rank}, and vLLM takes {RANKS[-1]} at most"
        )
    shapes = files.shapes()
    if shapes is None:
        return
    if fault := next(_own_faults(files.config, shapes), None):
        raise UsageError(f"adapter {files.weights}: {fault}")
    if model and (fault := next(_misfits(shapes, model), None)):
        raise UsageError(f"adapter {files.folder}: does not fit the model: {fault}")


def rank_of(files: AdapterFiles) -> int:
    """The highest rank in an adapter. Raises UsageError for one that names none."""
    path = files.folder / adapter_files.CONFIG
    if not _is_size(files.config.get("r")):
        raise UsageError(f"adapter {path}: r must be a whole number above 0")
    alpha = files.config.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise UsageError(f"adapter {path}: lora_alpha must be a number")
    ranks = _ranks(files.config)
    if not all(map(_is_size, ranks)):
        raise UsageError(f"adapter {path}: rank_pattern must have whole numbers above 0")
    return max(ranks)


def _ranks(config: Mapping[str, Any]) -> list[int]:
    pattern = config.get("rank_pattern") or {}
    return [config["r"], *(pattern.values() if isinstance(pattern, Mapping) else [])]


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _unsupported(config: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"it has {what}" for key, what in _UNSUPPORTED.items() if config.get(key))
    if (config.get("bias") or "none") != "none":
        yield f"it has a bias ({config['bias']})"
    others = set(config.get("modules_to_save") or []) - {*_HEADS}
    if others:
        yield f"it replaces whole modules ({', '.join(sorted(others))})"
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in _PLAIN_STARTS:
        yield f"init_lora_weights {start} changes the model's own weights"
    if config.get("target_modules") is None and not config.get("target_parameters"):
        yield "it names no target_modules"


def _parted(name: str) -> tuple[str, str | None]:
    """The module of a tensor, and which of its matrices it is; None for what is no matrix of it."""
    for ending, kind in _KINDS.items():
        if name.endswith(ending):
            return name.removesuffix(ending).removeprefix(_PREFIX), kind
    return name, None


def _matrices(shapes: Shapes) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Module, kind and shape of the two-dimensional matrices of an adapter."""
    for name, shape in shapes.items():
        module, kind = _parted(name)
        if kind is not None and len(shape) == 2:
            yield module, kind, shape


def _own_faults(config: Mapping[str, Any], shapes: Shapes) -> Iterator[str]:
    """The faults of the tensors of an adapter, whatever the model, in words."""
    if not any(_parted(name)[1] for name in shapes):
        yield "has no tensors of an adapter (lora_A, lora_B)"
    ranks = {*_ranks(config)}
    found: dict[tuple[str, bool], int] = {}
    for module, kind, shape in _matrices(shapes):
        is_first = kind in (_A, _EMBEDDING_A)
        found[module, is_first] = shape[0] if is_first else shape[1]
    for (module, is_first), rank in found.items():
        other = found.get((module, not is_first))
        if other is None:
            yield f"{module} has lora_{'A' if is_first else 'B'} alone"
        elif rank != other:
            yield f"{module}: lora_A and lora_B have different ranks"
        elif rank not in ranks:
            yield f"{module} has rank {rank}, and {adapter_files.CONFIG} says {max(ranks)}"


def _misfits(adapter: Shapes, model: Shapes) -> Iterator[str]:
    """The tensors of an adapter that no tensor of the model has room for, in words. A module that
    the model holds in another form (packed, quantized, several experts in one) is passed over."""
    modules = {name.rpartition(".")[0] for name in model}
    has_towers = any("language_model" in name.split(".") for name in modules)
    if has_towers and not any(module in modules for module, *_ in _matrices(adapter)):
        # vLLM maps such names.
        model, adapter = _shortened(model), _shortened(adapter)
        modules = {name.rpartition(".")[0] for name in model}
    for module, kind, shape in _matrices(adapter):
        if ".experts" in module or module.rpartition(".")[2] == _TIED:
            continue
        if module not in modules:
            yield f"it has no module {module}"
            continue
        base = model.get(f"{module}.weight")
        if base is not None and len(base) == 2:
            yield from _wrong_size(module, kind, shape, base)


def _shortened(shapes: Shapes) -> Shapes:
    """The shapes by names without the parts that stand for a tower of a model."""
    return {
        ".".join(part for part in name.removeprefix(_PREFIX).split(".") if part not in _TOWER): size
        for name, size in shapes.items()
    }


def _wrong_size(
    module: str, kind: str, shape: tuple[int, ...], base: tuple[int, ...]
) -> Iterator[str]:
    """The difference of a matrix from the model's own, of shape (outputs, inputs), if any."""
    what, have, wanted = {
        _A: ("inputs", shape[1], base[1]),
        _B: ("outputs", shape[0], base[0]),
        # An embedding has a row for each token.
        _EMBEDDING_A: ("tokens", shape[1], base[0]),
        _EMBEDDING_B: ("numbers a token", shape[0], base[1]),
    }[kind]
    if have != wanted:
        yield f"{module} has {wanted} {what}, not {have}"
