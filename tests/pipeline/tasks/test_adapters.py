"""The adapter of a row: by name, by column, by content."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Request
from llmbatch.engines import adapter_files
from llmbatch.engines.vllm import adapter_fit
from llmbatch.engines.vllm import adapters as vllm_adapters
from llmbatch.engines.vllm.adapter_turns import turns
from llmbatch.engines.vllm.adapters import Adapters as VllmAdapters
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import adapters
from llmbatch.pipeline.tasks.adapters import UnknownAdapterError, is_named, parted
from tests.engines import lora
from tests.engines.vllm import session

BASE: dict[str, Any] = {"input": "a.csv", "output": "b.jsonl", "model": "m", "prompt": "{{ t }}"}


@pytest.fixture
def red(tmp_path: Path) -> Path:
    return lora.make(tmp_path / "red", session.MODEL, 1)


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    return lora.make(tmp_path / "blue", session.MODEL, 2, rank=12)


def load(**settings: Any) -> adapters.Adapters:
    return adapters.load(JobSpec.model_validate(BASE | settings))


def row(**columns: Any) -> str:
    return json.dumps(columns)


def test_a_row_names_its_adapter_and_the_others_have_the_usual_one(red: Path, blue: Path) -> None:
    table = {"red": str(red), "blue": str(blue)}
    found = load(adapters=table, adapter="blue", adapter_column="a")
    assert found.of_row(row(a="red")) == found.digests["red"]
    for empty in (row(a=""), row(a=None), row(), row(a="  ")):
        assert found.of_row(empty) == found.digests["blue"]
    assert load(adapters=table, adapter_column="a").of_row(row(a="")) is None
    with pytest.raises(UnknownAdapterError, match=r"no adapter 'rde'.*did you mean 'red'"):
        found.of_row(row(a="rde"))


def test_a_folder_is_enough(red: Path) -> None:
    found = load(adapter=str(red))
    assert found.of_row(row()) == adapter_files.read(red).digest()
    assert found.by_digest == {found.of_row(row()): str(red)}


def test_identity_is_the_content_and_not_the_name_or_the_place(red: Path, tmp_path: Path) -> None:
    digest = adapter_files.read(red).digest()
    moved = red.rename(tmp_path / "moved")
    (moved / "README.md").write_text("hello")
    assert adapter_files.read(moved).digest() == digest
    lora.make(moved, session.MODEL, 9)
    assert adapter_files.read(moved).digest() != digest


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"adapter": "nowhere"}, "--adapter nowhere: no such folder, and no name"),
        ({"adapter_column": "a"}, "the job has no adapters"),
        ({"adapters": {"x": "gone"}, "adapter": "x"}, "adapter gone: no such folder"),
        ({"adapters": {"x": "gone"}}, "no row uses one"),
    ],
)
def test_what_is_refused_and_why(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load(**settings)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"use_dora": True}, "vLLM cannot use it: it has DoRA"),
        ({"bias": "all"}, "it has a bias"),
        ({"modules_to_save": ["lm_head"]}, "replaces whole modules .lm_head."),
        ({"init_lora_weights": "pissa"}, "init_lora_weights pissa"),
        ({"r": 0}, "r must be a whole number above 0"),
        ({"r": 513}, "its rank is 513, and vLLM takes 512 at most"),
        ({"r": True}, "r must be a whole number above 0"),
        ({"lora_alpha": None}, "lora_alpha must be a number"),
        ({"rank_pattern": {"q_proj": "2"}}, "rank_pattern must have whole numbers"),
        ({"r": 2}, "has rank 4, and adapter_config.json says 2"),
        ({"target_modules": None}, "it names no target_modules"),
        ({"rank_pattern": {"q_proj": 600}}, "its rank is 600"),
        ({"peft_type": "IA3"}, "peft_type is IA3"),
    ],
)
def test_one_that_vllm_cannot_use_is_found_before_the_start(
    tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    folder = lora.make(tmp_path / "odd", session.MODEL, 1, config=config)
    with pytest.raises(UsageError, match=words):
        VllmAdapters({"ab" * 16: str(folder)}, session.MODEL, {})


def test_one_of_another_model_is_found_by_its_sizes(red: Path, tmp_path: Path) -> None:
    files = adapter_files.read(red)
    sizes = adapter_files.model_shapes(session.MODEL)
    adapter_fit.check(files, sizes)
    wider = {name: tuple(2 * size for size in shape) for name, shape in sizes.items()}
    with pytest.raises(UsageError, match=r"does not fit the model: .* has \d+ inputs, not"):
        adapter_fit.check(files, wider)
    fewer = {name: shape for name, shape in sizes.items() if "layers.0" not in name}
    with pytest.raises(UsageError, match=r"it has no module model\.layers\.0"):
        adapter_fit.check(files, fewer)


def test_the_options_have_room_for_all(red: Path, blue: Path) -> None:
    made = VllmAdapters({"ab" * 16: str(red), "cd" * 16: str(blue)}, session.MODEL, {})
    assert made.options({}) == {
        "enable_lora": True,
        "max_lora_rank": 16,
        "max_loras": 2,
        "max_cpu_loras": 2,
    }
    assert made.options({"max_loras": 1, "max_lora_rank": 64})["max_loras"] == 1
    for given in ({"enable_lora": False}, {"max_lora_rank": 8}, {"max_cpu_loras": 1}):
        with pytest.raises(UsageError, match="engine option"):
            made.options(given)
    assert VllmAdapters({}, None, {}).options({"seed": 1}) == {"seed": 1}


def test_numbers_follow_from_the_content_and_never_meet() -> None:
    most = 2**31 - 1
    digests = [f"{number:032x}" for number in (0, most, 2 * most, 1)]
    numbers = vllm_adapters._numbered(dict.fromkeys(digests))
    assert sorted(numbers.values()) == [1, 2, 3, 4]
    assert numbers[digests[0]] == 1


def test_turns_keep_rows_with_and_without_an_adapter_apart() -> None:
    given = "--aab-b---c"
    requests = [
        Request(str(n), (), None, adapter=None if one == "-" else one)  # type: ignore[arg-type]
        for n, one in enumerate(given)
    ]
    found = [
        "".join(request.adapter or "-" for request in turn if request is not None)
        for turn in turns(requests)
    ]
    assert found == ["--", "aab", "-", "b", "---", "c"]
    assert list(turns([])) == []


def test_the_adapter_is_parted_from_what_the_task_asks() -> None:
    assert parted(None) == (None, None)
    assert parted('{"n":1}') == (None, {"n": 1})
    assert parted('{"adapter":"ab"}') == ("ab", None)
    assert parted('{"adapter":"ab","n":1}') == ("ab", {"n": 1})
    assert [is_named(body) for body in (None, '{"n":1}', '{"adapter":"ab"}')] == [
        False,
        False,
        True,
    ]


def test_an_adapter_of_another_model_is_told_and_one_of_this_model_is_not(tmp_path: Path) -> None:
    config = {"base_model_name_or_path": "Some/Model-8B"}
    folder = lora.make(tmp_path / "red", session.MODEL, 1, config=config)
    made = VllmAdapters({"ab" * 16: str(folder)}, session.MODEL, {})
    assert made.notices("models/model-8b") == []
    assert made.notices("Other/Model") == [
        f"adapter {folder} was made for Some/Model-8B, the model is Other/Model"
    ]
