#!/bin/sh
# The texts, summed up and read by a small model of other people's, on any processor.
#
#   demo.sh BIN FOLDER: BIN has llmbatch, vLLM and uv; FOLDER takes the model and the answers.
set -eu
bin=$1
folder=$2
here=$(dirname "$0")
model=$folder/SmolLM2-135M-Instruct

sh "$here/model.sh" "$bin" "$folder"

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
