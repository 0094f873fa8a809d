"""`llmbatch plan` with vLLM: what is known of a job before an engine is started."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbatch.cli.main import cli
from tests.engines.vllm import session

pytestmark = session.needs_vllm

MODEL = session.ROOT / "samples/model"
TICKETS = session.ROOT / "samples/tickets/tickets.csv"


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twentieth of the tickets: what is held of devices does not depend on their number."""
    made = tmp_path_factory.mktemp("some") / "tickets.jsonl"
    lines = TICKETS.with_suffix(".jsonl").read_text().splitlines(keepends=True)
    made.write_text("".join(lines[:30]))
    return made


def planned(folder: Path, *flags: str, tickets: Path = TICKETS) -> dict[str, Any]:
    """A plan of the sample's tickets, made in this process, which imports transformers once."""
    output = folder / "out.jsonl"
    command = ["plan", str(tickets), "-o", str(output), "-m", str(MODEL), "--max-tokens", "16"]
    prompt = ["-p", "Label: {{ text }}", "--format", "json"]
    done = CliRunner().invoke(cli, [*command, *prompt, *flags])
    assert done.exit_code == 0, done.output
    assert list(folder.iterdir()) == []
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_it_goes_by_the_devices_roofline(tmp_path: Path) -> None:
    seen = planned(tmp_path, "--price-per-hour", "1")
    assert seen["prompt"]["exact"]
    assert seen["prompt"]["context"]["limit"] == 1024
    assert seen["prompt"]["context"]["source"] == "the model's configuration"
    assert seen["memory"]["fits"]
    assert seen["device"]["kind"] == "cpu"
    time = seen["time"]
    assert time["source"] == "roofline"
    assert 15 < time["seconds"]["low"] < time["seconds"]["expected"] < time["seconds"]["high"]
    assert any("rough" in note for note in time["notes"])
    assert seen["cost"]["cost"]["expected"] == pytest.approx(time["seconds"]["expected"] / 3600)


@pytest.mark.parametrize(
    ("flags", "used", "paid"),
    [
        (["--device", "H200"], 1, 1),
        (["--device", "2xH200"], 2, 2),
        (["--device", "2xH200", "--devices", "2"], 2, 2),
        (["--device", "H200", "--devices", "2"], 2, 2),
        (["--device", "H200", "--engine-arg", "tensor_parallel_size=2"], 2, 2),
        (["--device", "H200", "--engine-arg", "tensor_parallel_size=2", "--devices", "1"], 2, 1),
    ],
)
def test_as_many_devices_are_paid_as_are_used_unless_the_job_says_more_or_less(
    tmp_path: Path, some: Path, flags: list[str], used: int, paid: int
) -> None:
    seen = planned(tmp_path, "--price-per-hour", "36", *flags, tickets=some)
    assert seen["device"]["count"] == used
    assert seen["memory"]["usable_bytes"] == pytest.approx(0.92 * used * 140 * 2**30)
    assert seen["cost"]["devices"] == paid
    expected = seen["time"]["seconds"]["expected"] * paid / 100
    assert seen["cost"]["cost"]["expected"] == pytest.approx(expected)


def test_it_plans_for_a_device_that_is_not_here(tmp_path: Path) -> None:
    seen = planned(tmp_path, "--device", "2xH100", "--engine-arg", "max_model_len=256")
    assert (seen["device"]["kind"], seen["device"]["count"]) == ("gpu", 2)
    assert seen["prompt"]["context"]["limit"] == 256
    assert seen["memory"]["usable_bytes"] > 100 * 2**30
    assert seen["memory"]["cache_bytes"] > 50 * 2**30
    assert any("there" in note for note in seen["time"]["notes"])
    # Nothing of this small model takes long on such a device, but for the start of the engine.
    parts = {part["name"]: part["seconds"] for part in seen["time"]["parts"]}
    assert parts["prefill"]["high"] < 1
