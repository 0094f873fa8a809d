#!/bin/sh
# A cascade of two models of different sizes, and the larger one alone. Both learn from 5,000 tickets that
# the bundled model has labelled (once, some minutes on one core): a small one of 0.06 million
# parameters, and a large one of 8 million. The threshold is chosen by 1,000 tickets with right labels,
# and the cascade is measured on 1,000 others. Needs the folder of the llmbatch command, and a
# folder for all that is made.
set -eu
bin=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
target=${3:-0.985}
here=$(cd "$(dirname "$0")" && pwd)

train() { # name, further flags
    name=$1
    shift
    test -f "$out/$name/model.safetensors" ||
        "$bin/python" "$here/../model/train.py" --pairs "$out/pairs.jsonl" --out "$out/$name" "$@"
}

"$bin/python" "$here/generate.py" 7000 "$out/tickets.csv"
if ! test -f "$out/pairs.jsonl"; then
    "$bin/llmbatch" run "$here/classify.toml" --input "$out/tickets.csv" --limit 5000 -o "$out/labels.csv" --quiet
    "$bin/llmbatch" export "$out/labels.csv" -o "$out/pairs.jsonl" --format sft --min-confidence 0.9
fi
train small --layers 1 --width 32 --steps 120
train large --layers 8 --width 256 --steps 150

job() { # name of the answers, rows to leave out, job file, further flags
    name=$1
    skipped=$2
    file=$3
    shift 3
    "$bin/llmbatch" run "$file" --input "$out/tickets.csv" --offset "$skipped" --limit 1000 -o "$out/$name.csv" \
        --quiet "$@"
}

# The job file with these models, beside the file of labels that it names.
with_threshold() {
    sed "s#\.\./\.\./student/student#$out/small#; s#model = \"\.\./model\"#model = \"$out/large\"#
        s/^escalate_below = [0-9.e-]*/escalate_below = $1/; s#\"labels.csv\"#\"$here/labels.csv\"#" \
        "$here/cascade.toml" >"$out/$2.toml"
}

with_threshold 0.8 both
job gold 5000 "$out/both.toml" --all-stages
"$bin/llmbatch" eval "$out/gold.csv" --cascade --target "accuracy=$target" || true
"$bin/llmbatch" eval "$out/gold.csv" --cascade --target "accuracy=$target" --format json >"$out/choice.json" || true
with_threshold "$("$bin/python" -c "import json, sys; print(json.load(open(sys.argv[1]))['threshold'])" "$out/choice.json")" chosen
job cascade 6000 "$out/chosen.toml"
job large 6000 "$out/chosen.toml" -m "$out/large"
for name in cascade large; do
    echo "$name"
    "$bin/llmbatch" report "$out/$name.csv" | sed -n '/^  models/,/^  next/p;/^  right/,/^  next/p'
done
