"""The causes that held a run back, of made-up runs whose causes are known."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.accounting.device_share import DeviceShare, compare
from llmbatch.accounting.usage import RunUsage
from llmbatch.core.step_cost import StepCost, StepMoments
from llmbatch.engines.info import EngineInfo
from llmbatch.sizing import roofline
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.roofline import Ceilings, Load

GIB = 1 << 30
QWEN3_8B = Shape(36, 4096, 32, 8, 128, 12_288, vocabulary=151_936)
H200 = Device("H200", "gpu", 1, 140 * GIB, 989e12, 4.8e12, "its data sheet")
SAID: dict[str, Any] = {
    "hardware": asdict(H200),
    "shape": asdict(QWEN3_8B),
    "weight_bytes": None,
    "max_num_seqs": 1024,
    "kv_cache_tokens": 700_000,
}
BEGAN = datetime(2026, 11, 21, tzinfo=UTC)


def run(**changes: Any) -> RunUsage:
    """5,000 requests of 500 tokens in and 100 out, in batches of 500."""
    figures: dict[str, Any] = dict.fromkeys(
        (
            "rows", "retries", "failed_attempts", "wasted_prompt_tokens", "wasted_cached_tokens",
            "wasted_output_tokens", "prepare_seconds", "engine_start_seconds",
            "engine_stop_seconds", "idle_seconds", "checkpoint_seconds", "export_seconds",
            "preemptions", "recomputed_tokens", "spared_tokens", "starved_steps", "engine_restarts",
            "engine_deaths", "in_flight_at_deaths", "cached_tokens", "retries_with_feedback",
            "answered_with_feedback",
        ),
        0,
    )  # fmt: skip
    figures |= {
        "requests": 5000, "prompt_tokens": 2_500_000, "output_tokens": 500_000,
        "seconds": 100.0, "generate_seconds": 100.0, "steps": 1000, "sequences": 500_000,
    }  # fmt: skip
    figures |= {
        "run": 1, "started_at": BEGAN, "ended_at": BEGAN + timedelta(seconds=100),
        "reason": "done", "exit_code": 0, "pid": 1, "host": "here", "llmbatch": "1",
        "checkpoints": 1, "deaths": [], "forecast": None, "measured_hits": None,
        "price_per_hour": None, "devices": 1,
    }  # fmt: skip
    return RunUsage(**figures | changes)


def steps(cost: StepCost, count: int, sequences: int, prefill: int) -> StepMoments:
    """Of steps that take exactly what `cost` says: one in five reads prompts."""
    total = StepMoments()
    for number in range(count):
        reading = 0 if number % 5 else 5 * prefill
        # The batch has to vary, or a step's cost could not be told from a sequence's.
        batch = sequences + (number % 3 - 1) * sequences // 4
        total += StepMoments.of_step(cost.seconds(1, batch, reading), batch, reading)
    return total


def judged(**changes: Any) -> DeviceShare:
    said = changes.pop("said", SAID)
    found = compare([run(**changes)], EngineInfo.from_json(said))
    assert found is not None
    return found


def causes(found: DeviceShare) -> dict[str, float]:
    return {cause.name: cause.seconds for cause in found.causes}


def test_the_share_is_that_of_the_roofline() -> None:
    found = judged()
    load = Load(500, 0, 100)
    best = roofline.least_time(QWEN3_8B, load, found.largest_batch, Ceilings.of_device(H200))
    assert found.roofline_seconds == pytest.approx(best.seconds * 5000)
    assert found.share == pytest.approx(best.seconds * 5000 / 100)
    assert (found.prefill_limit, found.decode_limit) == (best.prefill_limit, best.decode_limit)
    assert found.tokens_per_second == 30_000
    assert found.batch == 500
    # What the memory beside the weights holds: 550 tokens of a request at once, at most.
    held = QWEN3_8B.cache_bytes(550)
    room = 140 * GIB * 0.92 - QWEN3_8B.weight_bytes - 3 * GIB
    assert found.largest_batch == int(room / held)


def test_two_devices_could_do_twice_as_much() -> None:
    both = judged(said=SAID | {"hardware": asdict(replace(H200, count=2))})
    assert both.device == "2 x H200"
    assert both.peak_flops == 2 * judged().peak_flops
    assert both.roofline_seconds < judged().roofline_seconds / 1.9


def test_an_engine_that_waited_says_so_first() -> None:
    found = judged(idle_seconds=50.0)
    assert found.causes[0].name == "idle front end"
    assert found.causes[0].seconds == 50
    assert found.causes[0].share == 0.5


def test_a_batch_that_settings_keep_small() -> None:
    cost = StepCost(0.008, 0.00002, 0.000015, 0)
    # Of 8 requests at once: 62,500 steps.
    moments = steps(cost, 500, 8, 40)
    seconds = cost.seconds(62_500, 500_000, 2_500_000)
    found = judged(
        steps=62_500, generate_seconds=seconds, moments=moments, said=SAID | {"max_num_seqs": 8}
    )
    first = found.causes[0]
    assert first.name == "small batch"
    assert "raise max_num_seqs (8)" in first.advice
    expected = 0.008 * (62_500 - 500_000 / found.largest_batch)
    assert first.seconds == pytest.approx(expected, rel=0.02)


def test_a_batch_that_the_front_end_keeps_small() -> None:
    cost = StepCost(0.008, 0.00002, 0.000015, 0)
    seconds = cost.seconds(10_000, 500_000, 2_500_000)
    figures = {"steps": 10_000, "generate_seconds": seconds, "moments": steps(cost, 500, 50, 250)}
    starved = judged(**figures, starved_steps=9000)
    assert starved.causes[0].name == "small batch"
    assert "too slow to feed" in starved.causes[0].advice
    assert "few rows" in judged(**figures).causes[0].advice


def test_a_full_cache_is_told_from_a_small_setting() -> None:
    found = judged(said=SAID | {"kv_cache_tokens": 5500}, steps=50_000)
    assert "cache full" in causes(found)
    advice = {cause.name: cause.advice for cause in found.causes}["cache full"]
    assert "holds 10 requests" in advice
    assert "cache full" not in causes(judged())


def test_tokens_that_were_computed_again_count_as_preemptions() -> None:
    cost = StepCost(0.008, 0.00002, 0.000015, 0)
    found = judged(preemptions=100, recomputed_tokens=400_000, moments=steps(cost, 500, 500, 2500))
    assert causes(found)["preemptions"] == pytest.approx(0.000015 * 400_000, rel=0.02)


def test_long_prompts_with_short_answers_are_named() -> None:
    cost = StepCost(0.008, 0.00002, 0.00003, 0)
    found = judged(
        prompt_tokens=5_000_000, output_tokens=5000, sequences=5000, steps=600,
        generate_seconds=cost.seconds(600, 5000, 5_000_000),
        moments=steps(cost, 500, 8, 8000),
    )  # fmt: skip
    assert found.causes[0].name == "prefill"
    assert "answers are short" in found.causes[0].advice
    best = 5_000_000 / found.prefill_limit
    assert found.causes[0].seconds == pytest.approx(0.00003 * 5_000_000 - best, rel=0.02)


def test_a_tiny_model_is_held_back_by_the_fixed_cost_of_a_step() -> None:
    tiny = Shape(4, 128, 4, 2, 32, 512, vocabulary=1280, tied=True)
    small = Device("small", "gpu", 1, 24 * GIB, 6e11, 3e10, "x")
    cost = StepCost(0.007, 0.0001, 0.00001, 0)
    said = {"hardware": asdict(small), "shape": asdict(tiny), "max_num_seqs": 64}
    found = judged(
        requests=80, prompt_tokens=8000, output_tokens=12_000, sequences=12_000, steps=200,
        generate_seconds=cost.seconds(200, 12_000, 8000), moments=steps(cost, 200, 60, 40),
        said=said,
    )  # fmt: skip
    assert found.share < 0.1
    assert found.causes[0].name == "engine"
    assert "a step takes 7.0 ms however full it is" in found.causes[0].advice


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        SAID | {"hardware": None},
        SAID | {"shape": None},
        SAID | {"hardware": {"name": "its own words"}},
        SAID | {"shape": {"layers": 2}},
        SAID | {"hardware": asdict(replace(H200, flops=0.0))},
        SAID | {"hardware": asdict(replace(H200, kind="cpu"))},
    ],
)
def test_nothing_is_said_where_nothing_is_known(said: dict[str, Any] | None) -> None:
    assert compare([run()], None if said is None else EngineInfo.from_json(said)) is None


@pytest.mark.parametrize("name", ["requests", "output_tokens", "generate_seconds"])
def test_nothing_is_said_of_runs_that_made_nothing(name: str) -> None:
    assert compare([run(**{name: 0})], EngineInfo.from_json(SAID)) is None
    assert compare([], EngineInfo.from_json(SAID)) is None


@given(
    requests=st.integers(1, 20_000),
    prompt=st.integers(1, 3000),
    hits=st.floats(0, 1),
    output=st.integers(1, 1000),
    batch=st.floats(1, 1024),
    seconds=st.floats(0.001, 10_000),
    idle=st.floats(0, 1),
    recomputed=st.integers(0, 1_000_000),
    sequences=st.sampled_from([0, 8, 256, None]),
    fitted=st.booleans(),
)
def test_roofline_and_causes_are_all_the_seconds(
    requests: int, prompt: int, hits: float, output: int, batch: float, seconds: float,
    idle: float, recomputed: int, sequences: int | None, fitted: bool,
) -> None:  # fmt: skip
    made = requests * output
    cost = StepCost(0.008, 0.00002, 0.000015, 0)
    found = judged(
        requests=requests, prompt_tokens=requests * prompt, output_tokens=made,
        cached_tokens=int(requests * prompt * hits), sequences=made,
        steps=int(made / batch), generate_seconds=seconds, idle_seconds=seconds * idle,
        recomputed_tokens=recomputed, said=SAID | {"max_num_seqs": sequences},
        moments=steps(cost, 100, 100, 50) if fitted else StepMoments(),
    )  # fmt: skip
    assert all(cause.seconds >= 0 for cause in found.causes)
    total = found.roofline_seconds + sum(cause.seconds for cause in found.causes)
    assert total == pytest.approx(max(seconds, found.roofline_seconds))
    assert sorted(found.causes, key=lambda cause: -cause.seconds) == found.causes
