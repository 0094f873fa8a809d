#!/bin/sh
# Scores the bundled model on the 600 held-out tickets: with the schema, without it, and as a
# classifier. Needs the folder of the llmbatch command as its argument.
set -eu
bin=$1
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Exit code 3 means that some rows failed; the score counts those as wrong.
run() {
    "$bin/llmbatch" run "$@" --quiet || [ $? -eq 3 ]
}
score() {
    "$bin/python" "$here/score.py" "$@" --of 600
}
plain() {
    run "$here/tickets.csv" -m "$here/../model" --engine-arg max_model_len=512 \
        --engine-arg enforce_eager=true --max-tokens 64 "$@"
}

echo "extraction, schema on:"
run "$here/job.toml" -o "$out/schema.jsonl"
score "$out/schema.jsonl" --at-least 95

echo "extraction, no structured output:"
plain -p "@$here/prompt.txt" -o "$out/plain.jsonl"
score "$out/plain.jsonl" --at-least 95

echo "classification:"
plain -p 'Classify the ticket: {{ text }}' -o "$out/category.jsonl"
score "$out/category.jsonl" --field category --at-least 95
