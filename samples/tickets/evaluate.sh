#!/bin/sh
# Judges the bundled model on the 600 held-out tickets by their gold columns: the labels by team, and
# the three extracted fields. Needs the folder of the llmbatch command as its argument.
set -eu
bin=$1
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Exit code 3 means that some rows failed; eval counts those as wrong.
run() {
    "$bin/llmbatch" run "$@" --quiet || [ $? -eq 3 ]
}

echo "labels:"
run "$here/classify.toml" -o "$out/categories.csv"
"$bin/llmbatch" eval "$out/categories.csv" --by team --min accuracy=0.95 --min 'f1[refund]=0.9' \
    --errors "$out/wrong.csv"

echo "fields:"
run "$here/job.toml" -o "$out/answers.jsonl"
"$bin/llmbatch" eval "$out/answers.jsonl" --gold 'gold_*' --min record_normalised=0.95
