#!/bin/sh
# The suite on an NVIDIA GPU, with a model of the shape of Qwen3-8B and dummy weights: llmbatch
# against LLM.generate, a table with shared fields, and the share of the roofline that is reached.
#
#   sh tests/bench/gpu.sh                        all cases, into tests/bench/RESULTS-gpu.md
#   sh tests/bench/gpu.sh --only roofline        some of them
#   sh tests/bench/gpu.sh --operations 989e12 --bandwidth 3.35e12     another GPU's ceilings
#
# PYTHON: an interpreter with llmbatch, its `cuda` and `dev` extras; default .venv/bin/python.
# Without a GPU, see that it works: python tests/bench/gpu.py --device cpu
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}

if ! command -v nvidia-smi >/dev/null 2>&1; then
    echo "gpu.sh: nvidia-smi not found: this needs an NVIDIA GPU" >&2
    exit 2
fi
if ! "$PYTHON" -c 'import duckdb, psutil, torch, vllm; assert torch.cuda.is_available()'; then
    echo "gpu.sh: $PYTHON has no vLLM for this GPU: pip install -e '.[cuda,dev]'" >&2
    exit 2
fi
exec "$PYTHON" tests/bench/gpu.py --device cuda --write "$@"
