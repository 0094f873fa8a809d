from collections.abc import Mapping
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines.replicas import placement
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.sizing import nvidia
from llmbatch.sizing.device import Device

CPU = Device("a CPU", "cpu", 1, 1, 1.0, 1.0, "")
GPU = Device("a GPU", "gpu", 1, 1, 1.0, 1.0, "")
FOUR = [(0, core, core) for core in range(4)]


def found(
    wished: str,
    options: Mapping[str, Any],
    device: Device | None = GPU,
    *,
    is_ours: bool = True,
) -> list[dict[str, str]]:
    places = placement.find(ReplicaCount.parse(wished), options, device, is_ours=is_ours)
    return [dict(place) for place in places]


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "visible", lambda: ["0", "1", "4", "5"])


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(placement.CORES, raising=False)
    monkeypatch.setattr(nvidia, "visible", list)
    monkeypatch.setattr(placement, "_cores", lambda: FOUR)


@pytest.mark.usefixtures("gpus")
def test_each_replica_gets_gpus_of_its_own() -> None:
    assert found("2", {}) == [{placement.GPUS: "0"}, {placement.GPUS: "1"}]
    assert len(found("auto", {})) == 4
    assert len(found("2..8", {})) == 4


@pytest.mark.usefixtures("gpus")
def test_a_replica_over_several_gpus_gets_a_group() -> None:
    parted = {"tensor-parallel-size": 2}
    assert found("auto", parted) == [{placement.GPUS: "0,1"}, {placement.GPUS: "4,5"}]


@pytest.mark.usefixtures("gpus")
def test_more_than_fit_are_refused() -> None:
    with pytest.raises(UsageError, match=r"3 asked for, each on 2.* ask for 2, or auto"):
        found("3", {"tensor_parallel_size": 2})
    assert found("5", {}, None, is_ours=False) == [{}] * 5


@pytest.mark.usefixtures("cores")
def test_cores_are_divided() -> None:
    halves = [{placement.CORES: "0,1"}, {placement.CORES: "2,3"}]
    assert found("2", {}, CPU) == halves
    assert found("1", {"tensor_parallel_size": 2}, CPU) == [{placement.CORES: "0,1|2,3"}]
    assert found("auto", {}, CPU) == [{placement.CORES: "0,1,2,3"}], "one for each node of memory"
    with pytest.raises(UsageError, match="5 asked for, and there are 4 cores"):
        found("5", {}, CPU)


@pytest.mark.usefixtures("cores")
def test_lists_of_the_user_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(placement.CORES, "0-1|2|3")
    assert found("auto", {}, CPU) == [{placement.CORES: each} for each in ("0-1", "2", "3")]
    with pytest.raises(UsageError, match="4 asked for"):
        found("4", {}, CPU)


def test_cuda_sees_no_gpu_behind_one_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver:
        @staticmethod
        def nvmlDeviceGetCount() -> int:
            return 3

    import contextlib

    monkeypatch.setattr(nvidia, "_driver", lambda: contextlib.nullcontext(Driver))
    for named, seen in (("2, 0", ["2", "0"]), ("1,-1,2", ["1"]), ("", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert nvidia.visible() == seen
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert nvidia.visible() == ["0", "1", "2"]
