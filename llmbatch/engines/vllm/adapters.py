"""LoRA adapters in vLLM: whether one fits, the options that they need, their names and numbers.

vLLM shares prefixes by an adapter's name and takes its weights by its number; both come from the
digest of its content here, so that neither is ever that of another one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines import adapter_files
from llmbatch.engines.adapter_files import AdapterFiles, Shapes

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM takes for max_lora_rank."""
MOST_AT_ONCE = 8
"""Adapters in one batch, unless the user gives max_loras: each slot takes memory for its rank."""
_NUMBERS = 2**31 - 1
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


class Adapters:
    """The adapters that the requests of an engine may name, by digest."""

    def __init__(self, folders: Mapping[str, str], model: Path | None) -> None:
        """`folders`: by digest; `model`: the folder of the model, None where it is on the hub.
        Raises UsageError for an adapter that vLLM, or this model, cannot use."""
        self._files = {digest: adapter_files.read(Path(path)) for digest, path in folders.items()}
        self._numbers = _numbered(self._files)
        self._loaded: dict[str, Any] = {}
        if self._files:
            shapes = {} if model is None else adapter_files.model_shapes(model)
            for files in self._files.values():
                check(files, shapes)

    def __bool__(self) -> bool:
        return bool(self._files)

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The engine options with those that the adapters need. Raises UsageError for one that was
        given and leaves no room for them."""
        if not self._files:
            return dict(given)
        rank, count = max(map(rank_of, self._files.values())), len(self._files)
        fitting = next(allowed for allowed in RANKS if allowed >= rank)
        needed = {
            "enable_lora": True,
            "max_lora_rank": fitting,
            "max_loras": min(count, MOST_AT_ONCE),
            # All stay in memory, so that none is read again after its digest was compared.
            "max_cpu_loras": max(count, given.get("max_loras") or 0),
        }
        if given.get("enable_lora") is False:
            raise UsageError("engine option enable_lora is off, but the job has adapters")
        if (given.get("max_lora_rank") or fitting) < rank:
            raise UsageError(f"engine option max_lora_rank must be at least {rank}")
        if (given.get("max_cpu_loras") or count) < count:
            raise UsageError(f"engine option max_cpu_loras must be at least {count}")
        return needed | {name: value for name, value in given.items() if value is not None}

    def load(self, engine: Any) -> None:
        """Load all into a started LLMEngine. Raises EngineError for one that has changed."""
        from vllm.lora.request import LoRARequest

        for digest, files in self._files.items():
            name = f"adapter-{digest}"
            one = LoRARequest(name, self._numbers[digest], str(files.folder.resolve()))
            engine.add_lora(one)
            self._loaded[digest] = one
        for digest, files in self._files.items():
            if files.digest() != digest:
                raise EngineError(
                    f"the adapter {files.folder} has changed since the run began; run the same "
                    "command again"
                )

    def request(self, digest: str | None) -> Any:
        """vLLM's name for an adapter; None for none. Raises ValueError for an unknown one."""
        if digest is None:
            return None
        if digest not in self._loaded:
            raise ValueError(f"the engine has no adapter {digest}")
        return self._loaded[digest]


def _numbered(digests: Mapping[str, object]) -> dict[str, int]:
    """A number from 1 for each digest, by the digest; one that is taken goes to the next."""
    numbers: dict[str, int] = {}
    for digest in sorted(digests):
        number = int(digest, 16) % _NUMBERS
        while number + 1 in numbers.values():
            number = (number + 1) % _NUMBERS
        numbers[digest] = number + 1
    return numbers


def rank_of(files: AdapterFiles) -> int:
    """The highest rank in an adapter. Raises UsageError for one that names none."""
    pattern = files.config.get("rank_pattern") or {}
    ranks = [files.config.get("r"), *(pattern.values() if isinstance(pattern, Mapping) else [])]
    if not all(isinstance(rank, int) and rank > 0 for rank in ranks):
        raise UsageError(f"{files.folder / adapter_files.CONFIG}: r must be a whole number above 0")
    return max(int(rank) for rank in ranks if rank)


def check(files: AdapterFiles, model: Shapes) -> None:
    """Raise UsageError if vLLM cannot use the adapter, or its sizes are not those of the `model`
    (its tensors' shapes; none: not known)."""
    if faults := [*_unsupported(files)]:
        raise UsageError(f"{files.folder}: vLLM cannot use it: {'; '.join(faults)}")
    if rank_of(files) > RANKS[-1]:
        raise UsageError(
            f"{files.folder}: its rank is {rank_of(files)}, and vLLM takes {RANKS[-1]} at most"
        )
    shapes = files.shapes()
    if fault := next(_misfits(shapes or {}, model), None) if model else None:
        raise UsageError(f"{files.folder}: does not fit the model: {fault}")


def _unsupported(files: AdapterFiles) -> Iterator[str]:
    config = files.config
    yield from (f"it has {what}" for key, what in _UNSUPPORTED.items() if config.get(key))
    if config.get("bias", "none") != "none":
        yield f"it has a bias ({config['bias']})"
    others = set(config.get("modules_to_save") or []) - {"classifier", "score"}
    if others:
        yield f"it replaces whole modules ({', '.join(sorted(others))})"
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in _PLAIN_STARTS:
        yield f"init_lora_weights {start} changes the model's own weights"
    if config.get("target_modules") is None and not config.get("target_parameters"):
        yield "it names no target_modules"


def _misfits(adapter: Shapes, model: Shapes) -> Iterator[str]:
    """The tensors of an adapter that no tensor of the model has room for, in words. A module that
    the model holds in another form (packed, quantized) is passed over."""
    modules = {name.rpartition(".")[0] for name in model}
    for name, shape in adapter.items():
        module, _, kind = name.removeprefix(_PREFIX).rpartition(".lora_")
        if not module or len(shape) != 2:
            continue
        if module not in modules:
            yield f"it has no module {module}"
            continue
        base = model.get(f"{module}.weight")
        if base is None or len(base) != 2:
            continue
        have, wanted = (shape[1], base[1]) if kind.startswith("A") else (shape[0], base[0])
        if have != wanted:
            yield f"{module} has {wanted} {'in' if kind.startswith('A') else 'out'}puts, not {have}"
