#!/bin/sh
# A cascade of two small models, and the larger one alone. The threshold is chosen by 1,000 tickets with
# right labels, and the cascade is measured on 1,000 others. The small model is the student of
# `make student`, which is trained once. Needs the folder of the llmbatch command, and a folder for
# all that is made.
set -eu
bin=$1
out=$2
target=${3:-0.97}
here=$(dirname "$0")
root=$here/../..
mkdir -p "$out"
test -f "$root/student/student/model.safetensors" || sh "$here/student.sh" "$bin" "$root/student"

tickets() { # name of the answers, rows to leave out, further flags
    name=$1
    skipped=$2
    shift 2
    "$bin/llmbatch" run "$here/cascade.toml" --input "$out/tickets.csv" --offset "$skipped" --limit 1000 \
        -o "$out/$name.csv" --quiet "$@"
}

"$bin/python" "$here/generate.py" 7000 "$out/tickets.csv"
tickets gold 5000 --all-stages
"$bin/llmbatch" eval "$out/gold.csv" --cascade --target "accuracy=$target" || true
"$bin/llmbatch" eval "$out/gold.csv" --cascade --target "accuracy=$target" --format json > "$out/choice.json" || true
threshold=$("$bin/python" -c "import json, sys; print(json.load(open(sys.argv[1]))['threshold'])" "$out/choice.json")
sed "s/^escalate_below = [0-9.]*/escalate_below = $threshold/; s#\"tickets.csv\"#\"$out/tickets.csv\"#" \
    "$here/cascade.toml" > "$here/chosen.toml"
trap 'rm -f "$here/chosen.toml"' EXIT
for name in cascade large; do
    model=
    test $name = cascade || model="-m $here/../model"
    # Without quotes, so that no model is no word.
    "$bin/llmbatch" run "$here/chosen.toml" --input "$out/tickets.csv" --offset 6000 --limit 1000 \
        -o "$out/$name.csv" --quiet $model
    echo "$name"
    "$bin/llmbatch" report "$out/$name.csv" | sed -n '/^  models/,/^  next/p;/^  right/,/^  next/p'
done
