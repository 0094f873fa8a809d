"""The bits of a quantised number, by the `quantization_config` of a model.

The formats: AWQ (Lin et al. 2023), GPTQ (Frantar et al. 2022), bitsandbytes (Dettmers et al. 2022
and 2023), the microscaling formats of the Open Compute Project (MXFP4), and those of
compressed-tensors and ModelOpt.
"""

from collections.abc import Mapping
from typing import Any

from llmbatch.sizing.dimensions import Quantisation

SCALE_BITS = 16
_BLOCK_SCALE_BITS = 32
# Numbers with one scale, in bits: 4-bit normal floats with scales of blocks of 64, themselves in 8
# bits with one in 32 of 256 blocks; MXFP4: 8 bits for 32; NVFP4: 8 bits for 16.
_NF4, _NF4_DOUBLE, _MXFP4, _NVFP4 = 4.5, 4 + 8 / 64 + 32 / (64 * 256), 4.25, 4.5


def from_config(table: Mapping[str, Any]) -> Quantisation | None:
    """The quantisation in a `quantization_config`. None for an unknown method: its model counts as
    not quantised, so that the memory is overestimated rather than underestimated."""
    method = str(table.get("quant_method") or "").lower()
    bits = _bits(method, table)
    # Its makers quantise the experts only.
    return Quantisation(method, bits, experts_only=method == "mxfp4") if bits else None


def _bits(method: str, table: Mapping[str, Any]) -> float | None:
    if method in ("awq", "gptq", "awq_marlin", "gptq_marlin", "gptqmodel", "auto-round"):
        bits = table.get("bits") or table.get("w_bit") or 4
        # Both keep zero points, whether they are used or not.
        return _grouped(bits, table.get("group_size"), zeros=True)
    if method == "fp8":
        rows, columns = table.get("weight_block_size") or (0, 0)
        return 8 + (_BLOCK_SCALE_BITS / (rows * columns) if rows and columns else 0)
    if method == "bitsandbytes":
        four = bool(table.get("load_in_4bit"))
        double = bool(table.get("bnb_4bit_use_double_quant"))
        return (_NF4_DOUBLE if double else _NF4) if four else 8.0
    if method == "modelopt":
        return _NVFP4 if "FP4" in str(table.get("quant_algo")).upper() else 8.0
    if method == "compressed-tensors":
        return _of_groups(table)
    return {"mxfp4": _MXFP4, "fbgemm_fp8": 8.0, "modelopt_fp4": _NVFP4}.get(method)


def _of_groups(table: Mapping[str, Any]) -> float | None:
    """The weights of the first group of compressed-tensors; a model rarely has more than one."""
    for group in (table.get("config_groups") or {}).values():
        weights = group.get("weights") or {}
        bits, size = weights.get("num_bits"), weights.get("group_size")
        if not bits:
            continue
        if weights.get("type") == "float" and bits == 4:
            return _NVFP4 if size == 16 else _MXFP4
        return _grouped(bits, size, zeros=not weights.get("symmetric", True))
    return None


def _grouped(bits: float, size: Any, *, zeros: bool) -> float:
    """With a scale, and maybe a zero point, for each group; none to speak of for whole columns."""
    if not isinstance(size, int) or size <= 0:
        return float(bits)
    return bits + (SCALE_BITS + (bits if zeros else 0)) / size
