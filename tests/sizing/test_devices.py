"""Devices by data sheet, by their driver, and this machine's CPU."""

import os
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.sizing import cpu, datasheets, nvidia
from llmbatch.sizing.device import Device


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("H200", "H200"),
        ("nvidia h200", "H200"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("H100 SXM5", "H100"),
        ("h100-pcie", "H100 PCIe"),
        ("NVIDIA A100-SXM4-40GB", "A100 40GB"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("A100-PCIE-40GB", "A100 40GB"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("Tesla T4", "T4"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("AMD Instinct MI300X", "MI300X"),
    ],
)
def test_a_device_is_found_however_it_is_written(written: str, name: str) -> None:
    assert nvidia.by_name(written).name == name


def test_several_devices_are_asked_for_with_a_number() -> None:
    found = nvidia.by_name("8xH200")
    assert (found.name, found.count, found.kind) == ("H200", 8, "gpu")
    assert found.total_memory == 8 * found.memory_bytes
    assert nvidia.by_name("2 x RTX 4090").count == 2


@pytest.mark.parametrize("name", ["H300", "", "0xH200", "RTX", "cpu"])
def test_an_unknown_device_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(UsageError, match=r"not known.*H200.*MI300X"):
        nvidia.by_name(name)


@pytest.mark.parametrize("times", ["9" * 10, "9" * 5000, "0"])
def test_so_many_there_are_not(times: str) -> None:
    with pytest.raises(UsageError, match="not known"):
        nvidia.by_name(f"{times}xH100")


def test_the_nearest_name_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'RTX 4090'"):
        nvidia.by_name("RTX 4091")


@pytest.mark.parametrize("name", datasheets.NAMES)
def test_a_sheet_names_what_it_gives(name: str) -> None:
    found = datasheets.find(name, 1)
    assert found is not None
    assert found.name == name
    # Between a T4 and what is to come; operations for each byte, too.
    assert 60e12 <= found.flops <= 3e15
    assert 70 < found.flops / found.bandwidth < 420 or name == "H20"


class Driver:
    """A hand-written NVML, with figures of cards as drivers report them."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    def __init__(self, cards: list[dict[str, Any]]) -> None:
        self.cards = cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[str, Any]:
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> dict[str, Any]:
        return next(card for card in self.cards if card.get("uuid") == uuid)

    def nvmlDeviceGetName(self, card: dict[str, Any]) -> str:
        return str(card["name"])

    def nvmlDeviceGetMemoryInfo(self, card: dict[str, Any]) -> Any:
        return type("Info", (), {"total": card["memory"]})

    def nvmlDeviceGetCudaComputeCapability(self, card: dict[str, Any]) -> list[int]:
        return list(card["capability"])

    def nvmlDeviceGetNumGpuCores(self, card: dict[str, Any]) -> int:
        return int(card["cores"])  # a part of a card does not tell: KeyError, as an error of NVML

    def nvmlDeviceGetMaxClockInfo(self, card: dict[str, Any], kind: int) -> int:
        return int(card["clocks"][kind - 1])

    def nvmlDeviceGetMemoryBusWidth(self, card: dict[str, Any]) -> int:
        return int(card["bus"])


CARDS: dict[str, dict[str, Any]] = {
    "NVIDIA H100 80GB HBM3": {
        "capability": (9, 0), "cores": 132 * 128, "clocks": (1830, 2619), "bus": 5120,
    },
    "NVIDIA A100-SXM4-80GB": {
        "capability": (8, 0), "cores": 108 * 64, "clocks": (1410, 1593), "bus": 5120,
    },
    "NVIDIA L4": {"capability": (8, 9), "cores": 58 * 128, "clocks": (2040, 6251), "bus": 192},
    "Tesla T4": {"capability": (7, 5), "cores": 40 * 64, "clocks": (1590, 5001), "bus": 256},
    "NVIDIA A10": {"capability": (8, 6), "cores": 72 * 128, "clocks": (1695, 6251), "bus": 384},
    "NVIDIA GeForce RTX 4090": {
        "capability": (8, 9), "cores": 128 * 128, "clocks": (2520, 10501), "bus": 384,
    },
    "NVIDIA GeForce RTX 5090": {
        "capability": (12, 0), "cores": 170 * 128, "clocks": (2407, 14001), "bus": 512,
    },
    "NVIDIA B200": {
        "capability": (10, 0), "cores": 148 * 128, "clocks": (1850, 3996), "bus": 8192,
    },
}  # fmt: skip


def asked(card: dict[str, Any], **environment: str) -> Device | None:
    return nvidia._nvidia(Driver([card]), 1, environment)


@pytest.mark.parametrize("name", CARDS)
def test_clocks_give_what_the_data_sheet_says(name: str) -> None:
    found = asked({"name": name, "memory": 1 << 36, **CARDS[name]})
    sheet = nvidia.by_name(name)
    assert found is not None
    assert (found.name, found.memory_bytes) == (name, 1 << 36)
    assert found.flops == pytest.approx(sheet.flops, rel=0.02)
    assert found.bandwidth == pytest.approx(sheet.bandwidth, rel=0.07)
    assert "multiprocessors" in found.source


def test_a_driver_that_tells_no_clocks_leaves_the_data_sheet() -> None:
    found = asked({"name": "NVIDIA H200", "memory": 1 << 37})
    assert found is not None
    assert (found.flops, found.memory_bytes) == (989e12, 1 << 37)
    assert "data sheet" in found.source
    assert asked({"name": "NVIDIA X", "memory": 1 << 37}) is None


def test_a_newer_card_counts_as_the_last_one_that_is_known() -> None:
    card = CARDS["NVIDIA GeForce RTX 5090"] | {"capability": (13, 1)}
    found = asked({"name": "NVIDIA GeForce RTX 6090", "memory": 1 << 36, **card})
    assert found is not None
    assert found.flops == pytest.approx(209.5e12, rel=0.02)


def test_the_device_is_one_that_cuda_would_see() -> None:
    cards = [
        {"name": name, "memory": 1 << 36, "uuid": f"GPU-{at}", **CARDS[name]}
        for at, name in enumerate(CARDS)
    ]
    for visible, at in (("", 0), ("2", 2), ("1,0", 1), ("GPU-3", 3)):
        found = nvidia._nvidia(Driver(cards), 2, {"CUDA_VISIBLE_DEVICES": visible})
        assert found is not None
        assert (found.name, found.count) == (list(CARDS)[at], 2)
    assert nvidia._nvidia(Driver(cards), 1, {"CUDA_VISIBLE_DEVICES": "17"}) is None


def test_this_machine_has_a_cpu() -> None:
    found = cpu.detect()
    assert found.kind == "cpu"
    assert 1 <= int(found.name.split(", ")[-1].split()[0]) <= (os.cpu_count() or 1)
    assert found.memory_bytes > 1 << 28
    assert 1e9 < found.bandwidth < 2e12
    assert 1e10 < found.flops < 1e15
    assert "measured by copying" in found.source
