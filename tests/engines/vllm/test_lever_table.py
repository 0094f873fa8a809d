"""The table of levers: the README has it, its options exist, its words agree with refusals."""

from dataclasses import replace
from pathlib import Path

import pytest

from llmbatch.engines.vllm import lever_table, options
from llmbatch.engines.vllm.here import Here
from llmbatch.engines.vllm.lever_table import GPU, LEVERS, Lever

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
CPU = Here(
    is_cpu=True,
    has_tiles=True,
    quantizations=("awq", "fp8", "fp8_per_channel"),
    cpu_caches=("auto", "fp8"),
    modules={"arctic_inference": False, "lmcache": False},
)
EIGHT = Here(is_cpu=False, gpus=8, capability=(9, 0))
PARTS = "tensor parallelism"


def test_the_readme_has_the_table_as_it_is() -> None:
    assert lever_table.markdown() in README


def test_names_are_there_once() -> None:
    assert len({lever.name for lever in LEVERS}) == len(LEVERS)


@pytest.mark.parametrize("lever", LEVERS, ids=lambda lever: lever.name)
def test_its_options_are_vllms_own(lever: Lever) -> None:
    named = {*lever.options, *(lever.trial or {})} - {"replicas"}
    assert named <= options.NEUTRAL_OPTIONS | options.ANSWER_OPTIONS
    if options.is_installed():
        assert named <= options.installed_fields().keys()


@pytest.mark.parametrize("lever", LEVERS, ids=lambda lever: lever.name)
def test_what_cannot_change_an_answer_is_in_no_key(lever: Lever) -> None:
    neutral = set(lever.options) <= options.NEUTRAL_OPTIONS | {"replicas"}
    if lever.setting and lever.answers == lever_table.SAME:
        assert neutral


@pytest.mark.parametrize("lever", LEVERS, ids=lambda lever: lever.name)
def test_a_cpu_refuses_what_the_table_says_it_refuses(lever: Lever) -> None:
    refusal = lever.refusal(CPU)
    assert (refusal is not None) == (lever.on_cpu.startswith("refused") or lever.name == PARTS)
    bound = replace(CPU, groups=2)
    assert (lever.refusal(bound) is not None) == lever.on_cpu.startswith("refused")


@pytest.mark.parametrize("lever", LEVERS, ids=lambda lever: lever.name)
def test_a_new_gpu_with_all_packages_refuses_none(lever: Lever) -> None:
    assert lever.refusal(EIGHT) is None


def test_what_only_a_gpu_can_tell_is_marked() -> None:
    marked = {lever.name for lever in LEVERS if GPU in lever.on_cpu}
    assert {"pipeline parallelism", "sleep between jobs", "weights in the host's memory"} <= marked
