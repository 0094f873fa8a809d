"""The makers' figures of devices: dense products of 16-bit numbers, memory and its bandwidth.

From the data sheets of NVIDIA and AMD; where a sheet gives figures with sparsity, half of them.
GeForce: with sums in 32 bits, as in NVIDIA's architecture papers.
"""

import re

from llmbatch.sizing.device import Device

_GIB = 1 << 30

# Memory in GiB (as the driver counts it), teraflops, gigabytes a second.
_SHEETS: dict[str, tuple[float, float, float]] = {
    "B200": (179, 2250, 7700),
    "H200": (140, 989, 4800),
    "GH200": (95, 989, 4000),
    "H100": (80, 989, 3350),
    "H100 PCIe": (80, 756, 2000),
    "H100 NVL": (94, 835, 3900),
    "H20": (96, 148, 4000),
    "A100": (80, 312, 2039),
    "A100 40GB": (40, 312, 1555),
    "A100 PCIe": (80, 312, 1935),
    "A40": (45, 149.7, 696),
    "A30": (24, 165, 933),
    "A10": (22.5, 125, 600),
    "A10G": (22.5, 70, 600),
    "L40S": (45, 362, 864),
    "L40": (45, 181, 864),
    "L4": (22.5, 121, 300),
    "T4": (15, 65, 320),
    "V100": (32, 125, 900),
    "V100 16GB": (16, 125, 900),
    "RTX 3090": (24, 71, 936),
    "RTX 4090": (24, 165, 1008),
    "RTX 5090": (32, 209.5, 1792),
    "RTX A6000": (48, 154.8, 768),
    "RTX 6000 Ada": (48, 364, 960),
    "RTX PRO 6000": (95, 503.8, 1792),
    "MI300X": (192, 1307, 5300),
    "MI325X": (256, 1307, 6000),
}
NAMES = tuple(_SHEETS)
_NOISE = re.compile(
    r"nvidia|amd|geforce|instinct|tesla|blackwell|generation|server|workstation|edition|sxm\d?|hbm\d*e?"
)
# Sizes by which two models of one name differ are kept; these stand with every model of a name.
_USUAL = {"80gb", "141gb", "24gb", "32gb", "48gb", "480gb"}


def find(name: str, count: int) -> Device | None:
    """The device of that name in any common spelling; None where no data sheet is known."""
    wanted = _words(name)
    sheets = {_words(each): each for each in _SHEETS}
    tries = (wanted, wanted - _USUAL, wanted - _USUAL - {"pcie"})
    sheet = next((sheets[each] for each in tries if each in sheets), None)
    if sheet is None:
        return None
    memory, teraflops, gigabytes = _SHEETS[sheet]
    return Device(
        name=sheet,
        kind="gpu",
        count=count,
        memory_bytes=round(memory * _GIB),
        flops=teraflops * 1e12,
        bandwidth=gigabytes * 1e9,
        source="its data sheet",
    )


def _words(name: str) -> frozenset[str]:
    """The distinctive words of a name: "NVIDIA A100-SXM4-40GB" is {"a100", "40gb"}."""
    plain = _NOISE.sub(" ", name.casefold())
    # A space more or less between letters and a number changes nothing.
    plain = re.sub(r"\b(rtx|gtx|pro)[\s-]*(?=[a-z]?\d)", r"\1 ", plain)
    return frozenset(re.findall(r"[a-z0-9]+", plain))
