"""The files of LoRA adapters (PEFT's form): their digest, their configuration, their sizes.

Reference: E. Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.engines import digests, model_files

CONFIG = "adapter_config.json"
CHANGED = "an adapter has changed since the run began; run the same command again"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin", "adapter_model.pt")
_METADATA = "__metadata__"
_DIGEST = 32  # hex digits
# The length of a header is a number of eight bytes; a sane one is far shorter than this.
_LONGEST_HEADER = 100_000_000

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class AdapterFiles:
    """The files of one adapter. `config`: the contents of adapter_config.json; `weights`: the file
    of the weights, whatever its form."""

    folder: Path
    config: Mapping[str, Any]
    weights: Path

    def digest(self) -> str:
        """A hash of all that can change an answer, which does not change when the folder moves.
        Raises UsageError for files that cannot be read."""
        paths = [self.folder / CONFIG, self.weights]
        try:
            hashes = digests.shared().compute(paths)
        except OSError as error:
            raise UsageError(f"{self.folder}: cannot be read: {error}") from error
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:_DIGEST]

    def shapes(self) -> Shapes | None:
        """The shapes of the tensors by name; None where the form of the file does not say."""
        return tensor_shapes(self.weights)


def read(folder: Path) -> AdapterFiles:
    """The adapter in a folder. Raises UsageError for a folder that holds none."""
    path = folder / CONFIG
    if not path.is_file():
        raise UsageError(f"{folder}: {_missing(folder)}")
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    if not isinstance(config, dict) or str(config.get("peft_type", "LORA")).upper() != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else "no object"
        raise UsageError(f"{path}: peft_type is {kind}, and only LORA adapters can be used")
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return AdapterFiles(folder, config, folder / name)
    raise UsageError(f"{folder}: has no weights ({_WEIGHTS[0]})")


def _missing(folder: Path) -> str:
    """The fault of a folder that is no adapter, in words."""
    if not model_files.is_folder(folder):
        return "no such folder"
    deeper = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
    found = f"; {', '.join(deeper[:3])} in it has one" if deeper else ""
    return f"has no {CONFIG}, so it is no adapter{found}"


def tensor_shapes(path: Path) -> Shapes | None:
    """The shapes of the tensors in a .safetensors file; None for another kind of file. Raises
    UsageError for one that is damaged."""
    if path.suffix != ".safetensors":
        return None
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, _LONGEST_HEADER)))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != _METADATA]
        if 8 + length + max(ends, default=0) > path.stat().st_size:
            raise ValueError("it is cut")
        return {
            str(name): tuple(tensor["shape"])
            for name, tensor in header.items()
            if name != _METADATA
        }
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        struct.error,
        AttributeError,
        IndexError,
    ) as error:
        raise UsageError(f"{path}: is no safetensors file: {error}") from error


def model_shapes(folder: Path) -> Shapes:
    """The shapes of a local model's tensors by name, as far as its files say them."""
    found: Shapes = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= tensor_shapes(path) or {}
    return found
