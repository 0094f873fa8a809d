#!/bin/sh
# A small student of the bundled model: the teacher labels 5,000 tickets, a model of a ninth of its
# size learns from the labels that it was sure of, and both are evaluated on 2,000 other tickets.
# Needs the folder of the llmbatch command, and a folder for all that is made.
set -eu
bin=$1
out=$2
here=$(dirname "$0")
mkdir -p "$out"
classify() { # name of the answers, model, further flags
    name=$1
    model=$2
    shift 2
    "$bin/llmbatch" run "$here/classify.toml" --input "$out/tickets.csv" -m "$model" -o "$out/$name.csv" --quiet "$@"
}

"$bin/python" "$here/generate.py" 7000 "$out/tickets.csv"
classify labels "$here/../model" --limit 5000
"$bin/llmbatch" export "$out/labels.csv" -o "$out/pairs.jsonl" --format sft --min-confidence 0.9
"$bin/python" "$here/../model/train.py" --pairs "$out/pairs.jsonl" --layers 2 --width 64 --steps 600 \
    --out "$out/student"
for name in teacher student; do
    model=$out/student
    test $name = student || model=$here/../model
    classify "$name" "$model" --offset 5000
    echo "$name"
    "$bin/llmbatch" report "$out/$name.csv" | sed -n '/^  right/,/^  next/p'
done
