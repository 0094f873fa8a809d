#!/bin/sh
# Scores two ways to pick a label on the 600 held-out tickets: held to the labels by a grammar
# (--choice), and by the likelihood of the labels' own tokens (--task classify).
#
#   labels.sh BIN MODEL [PROMPT]: BIN has llmbatch. Without a prompt: the one that the bundled model knows.
set -eu
bin=$1
model=$2
prompt=${3:-'Classify the ticket: {{ text }}'}
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Exit code 3 means that some rows failed; the score counts those as wrong.
classified() {
    name=$1
    shift
    rm -rf "$out"/*
    "$bin/llmbatch" run "$here/tickets.csv" -m "$model" -p "$prompt" -o "$out/answers.jsonl" --quiet \
        --engine-arg max_model_len=512 --engine-arg enforce_eager=true "$@" || [ $? -eq 3 ]
    echo "classification, $name:"
    "$bin/python" "$here/score.py" "$out/answers.jsonl" --field category --of 600
}

flags() {
    for label in account billing cancellation product refund shipping technical; do
        printf ' %s %s' "$1" "$label"
    done
}

# shellcheck disable=SC2046  # labels are single words
classified choice $(flags --choice)
# shellcheck disable=SC2046
classified 'task classify' --task classify --no-list-labels $(flags --label)
