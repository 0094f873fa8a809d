#!/bin/sh
# A small model judges summaries, and is compared with people.
#
#   judge.sh BIN FOLDER: BIN has llmbatch, vLLM and uv; FOLDER takes the model and the verdicts.
set -eu
bin=$1
folder=$2
here=$(dirname "$0")

sh "$here/model.sh" "$bin" "$folder"
"$bin/llmbatch" run "$here/judge.toml" -m "$folder/SmolLM2-135M-Instruct" \
    -o "$folder/verdicts.jsonl"
echo
"$bin/llmbatch" eval "$folder/verdicts.jsonl" --gold "$here/judged.csv"
