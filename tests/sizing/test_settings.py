"""Settings of an engine: by its options, and as others know them better."""

from llmbatch.sizing.settings import EngineSettings


def test_options_have_names_of_their_own() -> None:
    options = {"enable_prefix_caching": False, "num_gpu_blocks_override": 50, "max_num_seqs": None}
    assert EngineSettings.from_options(options) == EngineSettings(
        prefix_caching=False, kv_cache_blocks=50
    )


def test_what_the_other_knows_wins() -> None:
    own = EngineSettings(block_size=16, max_num_seqs=64)
    other = EngineSettings(block_size=32, prefix_caching=False)
    assert own.updated(other) == EngineSettings(
        block_size=32, max_num_seqs=64, prefix_caching=False
    )
    assert own.updated(EngineSettings()) == own


def test_an_option_of_another_kind_is_not_known() -> None:
    options = {"max_model_len": "auto", "gpu_memory_utilization": 1, "block_size": True}
    assert EngineSettings.from_options(options) == EngineSettings(gpu_memory_utilization=1)
