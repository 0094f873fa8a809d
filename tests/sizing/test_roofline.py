"""The roofline by hand, and its properties for models of any size."""

import math

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.sizing import roofline
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.model_config import shape_of
from llmbatch.sizing.roofline import Ceilings, Load
from tests.engines.vllm.public_configs import CONFIGS

SHAPES = {name: shape_of(config) for name, config in CONFIGS.items()}
H200 = Ceilings(989e12, 4.8e12)


def known(name: str) -> Shape:
    shape = SHAPES[name]
    assert shape is not None
    return shape


def test_the_roofline_is_that_of_the_device() -> None:
    shape = Shape(2, 8, 2, 1, 4, 16, vocabulary=10)
    values = 2 * (2 * 64 + 2 * 32 + 3 * 128)
    load = Load(prompt=10, cached=4, output=3)
    prefill = (2 * values * 6 + 4 * 2 * 8 * (100 - 16) / 2) / 1e6
    decode = 2 * (2 * (values + 80) / 4 + 32 * 11.5) / 1e3
    found = roofline.seconds(shape, load, batch=4, ceilings=Ceilings(1e6, 1e3))
    assert math.isclose(found, prefill + decode)


def test_an_h200_reads_long_prompts_at_the_known_rate() -> None:
    full = Shape(36, 4096, 32, 8, 128, 12_288, vocabulary=151_936)
    measured = Ceilings(790e12, 4.3e12)
    long = roofline.least_time(full, Load(1024, 0, 16), 256, measured)
    assert round(1 / long.seconds) == 52
    assert long.prefill_limit == 1024 / long.prefill_seconds
    assert math.isclose(long.decode_limit, 15 / long.decode_seconds)


def test_a_large_batch_is_bound_by_arithmetic() -> None:
    small = roofline.least_time(known("Llama 3.1 8B"), Load(1, 0, 2), 1, H200)
    # One sequence: all weights are read for one token.
    assert math.isclose(small.decode_limit, 4.8e12 / (15.01e9 + 131072 * 2), rel_tol=0.01)
    large = roofline.least_time(known("Llama 3.1 8B"), Load(1, 0, 2), 10_000, H200)
    assert math.isclose(large.decode_limit, 989e12 / (2 * 7.5e9), rel_tol=0.01)


def test_experts_make_reading_cheap_and_small_batches_dear() -> None:
    mixture, dense = known("Mixtral 8x7B"), known("Llama 3.1 8B")
    load = Load(1000, 0, 100)
    ratio = (
        roofline.least_time(mixture, load, 64, H200).prefill_seconds
        / roofline.least_time(dense, load, 64, H200).prefill_seconds
    )
    assert 1.5 < ratio < 2  # 12.7 billion active of 46.7, against 7
    ratio = roofline.seconds(mixture, load, 64, H200) / roofline.seconds(dense, load, 64, H200)
    assert ratio > 2.5  # but all of them are read


def test_devices_add_up() -> None:
    device = Device("H200", "gpu", 4, 150 << 30, 989e12, 4.8e12, "x")
    assert Ceilings.of_device(device) == Ceilings(4 * 989e12, 4 * 4.8e12)


@given(
    name=st.sampled_from(sorted(SHAPES)),
    prompt=st.integers(1, 30_000),
    hits=st.floats(0, 1),
    output=st.integers(1, 8000),
    batch=st.floats(1, 2048),
)
def test_less_work_never_takes_longer(
    name: str, prompt: int, hits: float, output: int, batch: float
) -> None:
    shape = known(name)
    load = Load(prompt, prompt * hits, output)
    least = roofline.seconds(shape, load, batch, H200)
    assert least >= 0
    slack = least * (1 + 1e-9) + 1e-15
    assert roofline.seconds(shape, load, 2 * batch, H200) <= slack
    assert roofline.seconds(shape, Load(prompt, prompt, output), batch, H200) <= slack
    assert roofline.seconds(shape, load, batch, H200, "fp8") <= slack
    assert roofline.seconds(shape, Load(prompt, prompt * hits, 1), batch, H200) <= slack
