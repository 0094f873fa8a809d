"""LoRA adapters in vLLM: the options that they need, their names and numbers, their loading.

vLLM shares prefixes by an adapter's name and takes its weights by its number; both come from the
digest of its content here, so that neither is ever that of another one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines import adapter_files
from llmbatch.engines.adapter_files import CHANGED, AdapterFiles
from llmbatch.engines.vllm import adapter_fit

MOST_AT_ONCE = 8
"""Adapters in one batch, unless the user gives max_loras: each slot takes memory for its rank."""
_NUMBERS = 2**31 - 1


class Adapters:
    """The adapters that the requests of an engine may name, by digest."""

    def __init__(
        self, folders: Mapping[str, str], model: Path | None, options: Mapping[str, Any]
    ) -> None:
        """`folders`: by digest; `model`: the folder of the model, None where it is on the hub.
        Raises UsageError for an adapter that vLLM, or this model, cannot use, or that the engine's
        `options` leave no room for."""
        self._files = {digest: adapter_files.read(Path(path)) for digest, path in folders.items()}
        self._numbers = _numbered(self._files)
        self._loaded: dict[str, Any] = {}
        if self._files:
            shapes = {} if model is None else adapter_files.model_shapes(model)
            for files in self._files.values():
                adapter_fit.check(files, shapes)
            self.options(options)

    def __bool__(self) -> bool:
        return bool(self._files)

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The engine options with those that the adapters need. Raises UsageError for one that was
        given and leaves no room for them."""
        if not self._files:
            return dict(given)
        rank, count = max(map(adapter_fit.rank_of, self._files.values())), len(self._files)
        fitting = next(allowed for allowed in adapter_fit.RANKS if allowed >= rank)
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
            path = str(files.folder.resolve())
            one = LoRARequest(f"adapter-{digest}", self._numbers[digest], path)
            engine.add_lora(one)
            self._loaded[digest] = one
        # After the weights were read: what was read is what the requests name.
        for digest, files in self._files.items():
            if not _is_still(files, digest):
                raise EngineError(f"{CHANGED} ({files.folder})")

    def request(self, digest: str | None) -> Any:
        """vLLM's name for an adapter; None for none. Raises EngineError for one that the engine was
        not started with: the job's adapters have changed since."""
        if digest is None:
            return None
        if digest not in self._loaded:
            raise EngineError(CHANGED)
        return self._loaded[digest]

    def notices(self, model: str) -> list[str]:
        """Lines for the user about adapters that name another model as theirs."""
        made_for = {
            files.folder: str(files.config.get("base_model_name_or_path") or "")
            for files in self._files.values()
        }
        return [
            f"adapter {folder} was made for {base}, the model is {model}"
            for folder, base in made_for.items()
            if base and Path(base).name.lower() != Path(model).name.lower()
        ]


def _is_still(files: AdapterFiles, digest: str) -> bool:
    try:
        return adapter_files.read(files.folder).digest() == digest
    except UsageError:
        return False


def _numbered(digests: Mapping[str, object]) -> dict[str, int]:
    """A number from 1 for each digest, by the digest; one that is taken goes to the next."""
    numbers: dict[str, int] = {}
    for digest in sorted(digests):
        number = int(digest, 16) % _NUMBERS
        while number + 1 in numbers.values():
            number = (number + 1) % _NUMBERS
        numbers[digest] = number + 1
    return numbers
