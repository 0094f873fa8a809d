#!/bin/sh
# Classifies 2,000 held-out tickets with the bundled model, and tells how far its confidence can be
# trusted. Needs the folder of the llmbatch command, and a folder for the answers and the report.
set -eu
bin=$1
out=$2
here=$(dirname "$0")
mkdir -p "$out"
"$bin/python" "$here/generate.py" 2000 "$out/tickets.csv"
for tokens in distinct all; do
    echo "labels compared by their tokens: $tokens"
    "$bin/llmbatch" run "$here/classify.toml" --input "$out/tickets.csv" --label-tokens "$tokens" \
        --engine-arg dtype=float32 -o "$out/$tokens.csv" --report "$out/$tokens.html" --quiet
    "$bin/llmbatch" report "$out/$tokens.csv" --format markdown | sed -n '/^### Calibration/,/^### What/p' |
        sed '$d'
done
echo "with the plots: $out/distinct.html"
