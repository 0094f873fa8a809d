from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines import parallel_sizes, registry
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.ray.engine import RayFleet
from llmbatch.engines.ray.transport import sent_variables
from llmbatch.job import engine_table


def test_replicas_on_a_cluster_are_asked_as_one_of_them_before_any_starts() -> None:
    config = EngineConfig("m", {"variant": "v"}, address="127.0.0.1:1")
    engine = registry.load("ray:tests.scripted_engine:create")(config)
    assert isinstance(engine, RayFleet)
    assert engine.identity() == {"model": "m", "variant": "v"}


@pytest.mark.parametrize("name", ["ray:openai", "ray:ray"])
def test_only_vllm_and_engines_from_outside_run_on_a_cluster(name: str) -> None:
    with pytest.raises(UsageError, match="use ray, or ray:module:factory"):
        registry.load(name)


def test_an_engine_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="'no_such:create': cannot be imported"):
        registry.load("ray:no_such:create")


@pytest.mark.parametrize(
    "engine",
    [
        {"name": "ray:tests.scripted_engine:create"},
        {"name": "ray", "worker_cls": "module.Class"},
    ],
)
def test_a_job_file_names_no_code_on_a_cluster_either(engine: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="a job file may name no code"):
        engine_table.check_code({"engine": engine}, Path("job.toml"), {})


def test_the_devices_of_a_replica_are_those_of_its_options() -> None:
    options = {"tensor-parallel-size": 4, "pipeline_parallel_size": 2, "data_parallel_size": 9}
    assert (parallel_sizes.product({}), parallel_sizes.product(options)) == (1, 8)


def test_nodes_get_no_secret_of_the_driver() -> None:
    here = {"VLLM_LOGGING_LEVEL": "INFO", "VLLM_API_KEY": "s", "HF_TOKEN": "s", "HOME": "/root"}
    assert sent_variables(here) == {"VLLM_LOGGING_LEVEL": "INFO"}
