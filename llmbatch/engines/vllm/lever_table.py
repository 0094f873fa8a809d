"""The levers of vLLM that matter to a batch job: the one source of what is said of them.

The README's table is made of it, `llmbatch doctor` shows it for a machine, and tests try each one.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbatch.engines.vllm import device_limits
from llmbatch.engines.vllm.here import Here

SAME = "the same"
GPU = "**GPU**"
DUMMY = {"load_format": "dummy"}
_HEAD = "| lever | in `[engine]` | for | answers | on a CPU | advice |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """`setting`: lines of TOML under [engine], by vLLM's own names. `answers`: what becomes of
    them. `on_cpu`: what vLLM's CPU build does with it; GPU in it: only a GPU can tell. `trial`:
    options with which it is tried in place of those of `setting`, MODEL in a text standing for the
    model itself; None: doctor cannot, without more than a model. `environment`: variables that the
    trial needs."""

    name: str
    setting: str
    purpose: str
    answers: str
    on_cpu: str
    advice: str
    trial: Mapping[str, Any] | None = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The options of its setting."""
        return tomllib.loads(self.setting)

    @property
    def tried(self) -> dict[str, Any]:
        """The options of its trial."""
        return {**self.options, **(self.trial or {})}

    def refusal(self, here: Here) -> str | None:
        """The reason why this machine's vLLM cannot do it; None where nothing is known against
        it."""
        options = {**self.options, **(self.trial or {})}
        overrides = options.get("hf_overrides") or {}
        found = next(device_limits.faults(options, overrides, here), None)
        return None if found is None else found[1]


def _packed(method: str, **more: Any) -> dict[str, Any]:
    """A trial with dummy weights of a quantised form."""
    table = {"quant_method": method, **more}
    return {**DUMMY, "hf_overrides": {"quantization_config": table}}


def _speculation(**settings: str | int) -> str:
    return "\n".join(
        f"speculative_config.{name} = {json.dumps(value)}" for name, value in settings.items()
    )


_FOUR_BITS = {"bits": 4, "group_size": 32}
_INT8 = {"num_bits": 8, "type": "int", "symmetric": True}
_W8A8 = {
    "targets": ["Linear"],
    "weights": {**_INT8, "strategy": "channel", "dynamic": False},
    "input_activations": {**_INT8, "strategy": "token", "dynamic": True},
}
_INT8_MODEL = {"format": "int-quantized", "ignore": ["lm_head"], "config_groups": {"0": _W8A8}}
_LESS_EXACT = "may change: the weights are rounded"
_ROUNDING = "may change in the last bits"

LEVERS = (
    Lever(
        name="prefix caching",
        setting="enable_prefix_caching = true",
        purpose="shared beginnings of prompts are computed once",
        answers=SAME,
        on_cpu="runs; on by default",
        advice="put what rows share first: `plan` forecasts the hits",
    ),
    Lever(
        name="chunked prefill",
        setting="enable_chunked_prefill = true\nmax_num_batched_tokens = 64",
        purpose="long prompts share steps with answers that run",
        answers=SAME,
        on_cpu="runs; off by default, since vLLM then takes no seeds there",
        advice="leave it as it is; `tune` tries sizes of a step",
    ),
    Lever(
        name="KV cache in fp8",
        setting='kv_cache_dtype = "fp8"',
        purpose="twice the rows in the same cache",
        answers="may change: keys and values are rounded",
        on_cpu="runs (`fp8`, `fp8_e4m3`, `fp8_e5m2`; others are refused)",
        advice="only where the cache is short; measure it with `llmbatch compare`, or `eval`",
    ),
    Lever(
        name="attention backend",
        setting='attention_backend = "FLASHINFER"',
        purpose="another kernel for attention",
        answers=_ROUNDING,
        on_cpu=f"refused: there is one, `CPU_ATTN`; {GPU}",
        advice="leave it to vLLM; the report names the one that was taken",
    ),
    Lever(
        name="torch.compile, CUDA graphs",
        setting="enforce_eager = false",
        purpose="fewer and larger kernels a step",
        answers=_ROUNDING,
        on_cpu=f"compiles, with a longer start; graphs: {GPU}",
        advice="on for long jobs: `tune` weighs the start against the gain for this job's rows",
    ),
    Lever(
        name="tensor parallelism",
        setting="tensor_parallel_size = 2",
        purpose="a model that no single device holds",
        answers=_ROUNDING,
        on_cpu="runs where cores are named for each part, else refused",
        advice="the fewest devices that hold the model; what fits one is faster with `--replicas`",
        environment={"VLLM_CPU_OMP_THREADS_BIND": "0|1", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"},
    ),
    Lever(
        name="pipeline parallelism",
        setting="pipeline_parallel_size = 2",
        purpose="a model over devices or nodes without fast links",
        answers=SAME,
        on_cpu=f"refused; {GPU}",
        advice="after tensor parallelism within a node, over nodes",
    ),
    Lever(
        name="data parallelism",
        setting='replicas = "2"',
        purpose="engines that share the rows of a job",
        answers=SAME,
        on_cpu="runs, each on cores of its own",
        advice="`replicas` in place of `data_parallel_size`, which is refused: one may die alone",
        trial=None,
    ),
    Lever(
        name="AWQ weights",
        setting="",
        purpose="weights of 4 bits: a quarter of the memory",
        answers=_LESS_EXACT,
        on_cpu="runs",
        advice="name the model, and no option; its config.json says the form",
        trial=_packed("awq", **_FOUR_BITS, zero_point=True, version="gemm"),
    ),
    Lever(
        name="GPTQ weights",
        setting="",
        purpose="weights of 4 bits: a quarter of the memory",
        answers=_LESS_EXACT,
        on_cpu="runs",
        advice="as AWQ; `dtype` as the model was made for",
        trial=_packed("gptq", **_FOUR_BITS, desc_act=False, sym=True),
    ),
    Lever(
        name="INT8 weights and activations",
        setting="",
        purpose="W8A8 of compressed-tensors: half the memory, faster products",
        answers="may change: weights and activations are rounded",
        on_cpu="runs",
        advice="name the model, and no option; its config.json says the form",
        trial=_packed("compressed-tensors", **_INT8_MODEL),
    ),
    Lever(
        name="FP8 weights",
        setting='quantization = "fp8"',
        purpose="half the memory; also of a model in 16 bits, while it is loaded",
        answers=_LESS_EXACT,
        on_cpu="refused with one scale; `fp8_per_channel` runs, `fp8_per_block` with AMX",
        advice="on GPUs from Ada and Hopper on the first to try",
    ),
    Lever(
        name="FP8 weights, by channel",
        setting='quantization = "fp8_per_channel"',
        purpose="the same, with a scale for each row of a weight",
        answers=_LESS_EXACT,
        on_cpu="runs, slowly",
        advice="more exact than one scale, at the same size",
    ),
    Lever(
        name="GGUF weights",
        setting='quantization = "gguf"',
        purpose="files made for llama.cpp",
        answers=_LESS_EXACT,
        on_cpu=f"refused without vLLM's plugin (`vllm-gguf-plugin`); with it: {GPU}",
        advice="another form of the same model is faster; else convert it",
    ),
    Lever(
        name="LoRA",
        setting="enable_lora = true",
        purpose="one model with small additions, also by row",
        answers="those of the adapter",
        on_cpu="runs, but is not compiled",
        advice="`--adapter` or `--adapter-column` set it; adapters are known by content",
    ),
    Lever(
        name="speculation by n-grams",
        setting=_speculation(method="ngram", num_speculative_tokens=4, prompt_lookup_max=4),
        purpose="answers that copy their input take fewer steps",
        answers="the same at temperature 0; with seeds others",
        on_cpu="runs",
        advice="for extraction and rewriting; `tune` tries it on the job's own rows",
    ),
    Lever(
        name="speculation by suffixes",
        setting=_speculation(method="suffix", num_speculative_tokens=8),
        purpose="the same, also from answers to other rows",
        answers="the same at temperature 0; with seeds others",
        on_cpu="refused without the package `arctic-inference`",
        advice="for answers that are like each other; `tune` tries it, too",
    ),
    Lever(
        name="draft model",
        setting=_speculation(method="draft_model", model="MODEL", num_speculative_tokens=3),
        purpose="a small model proposes, the large one judges",
        answers="the same at temperature 0, up to rounding",
        on_cpu="runs",
        advice="needs the same tokens and a tenth of the size; at large batches it seldom pays",
    ),
    Lever(
        name="EAGLE",
        setting=_speculation(method="eagle", model="HEAD", num_speculative_tokens=2),
        purpose="a head of the model itself proposes",
        answers="the same at temperature 0, up to rounding",
        on_cpu="runs",
        advice="where a head for the very model is published",
        trial=None,
    ),
    Lever(
        name="weights in the host's memory",
        setting="cpu_offload_gb = 1",
        purpose="a model a little larger than the GPU",
        answers=SAME,
        on_cpu=f"refused: they are there; {GPU}",
        advice="last resort: each step moves them; quantised weights are faster",
    ),
    Lever(
        name="cache in the host's memory",
        setting="kv_offloading_size = 1",
        purpose="prefixes that the GPU's cache would forget",
        answers=SAME,
        on_cpu=f"refused: it is there; {GPU}",
        advice="for many long shared prefixes; sort and cut them first",
    ),
    Lever(
        name="sleep between jobs",
        setting="enable_sleep_mode = true",
        purpose="an engine gives its memory back, and keeps its start",
        answers=SAME,
        on_cpu=f"refused; {GPU}",
        advice="for several models in turn on one GPU",
    ),
)


def markdown() -> str:
    """The table, as it stands in the README."""
    rows = (
        f"| {one.name} | {_code(one.setting)} | {one.purpose} | {one.answers} | {one.on_cpu} "
        f"| {one.advice} |"
        for one in LEVERS
    )
    return "\n".join([_HEAD, "|---|---|---|---|---|---|", *rows]) + "\n"


def _code(setting: str) -> str:
    return ", ".join(f"`{line}`" for line in setting.splitlines()) or "none"
