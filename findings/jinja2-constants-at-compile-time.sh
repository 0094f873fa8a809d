#!/usr/bin/env bash
# Jinja2 3.1.6 calls filters while it only compiles a template, or only looks for its variables,
# and `optimized=False` does not keep it from doing so.
#
# One expects a filter to be called when the template is rendered. But what stands in `{{ }}` and is
# constant, filters included, is evaluated by the code generator, also for
# `meta.find_undeclared_variables`; so a filter that takes long takes it there. The switch is only
# about the pass that folds constants elsewhere, such as in `set`.
#
# Seen with Jinja2 3.1.6, Python 3.11:
#   optimized=True:  compiled 1, variables 1, rendered 0; assigned 1
#   optimized=False: compiled 1, variables 1, rendered 0; assigned 0
# (calls of the filter: by `from_string`, by `find_undeclared_variables`, by `render`; and by
# `from_string` where its value is not written but assigned with `set`)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check jinja2==3.1.6 markupsafe==3.0.3
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
from jinja2 import Environment, meta

for optimized in (True, False):
    calls = []
    environment = Environment(optimized=optimized)
    environment.filters["noted"] = lambda value: calls.append(value) or value

    def called(what):
        calls.clear()
        result = what()
        return len(calls), result

    compiled, template = called(lambda: environment.from_string("{{ 'a'|noted }}"))
    parsed = environment.parse("{{ 'a'|noted }}")
    variables, _ = called(lambda: meta.find_undeclared_variables(parsed))
    rendered, text = called(template.render)
    assert text == "a"
    assigned, _ = called(lambda: environment.from_string("{% set x = 'a'|noted %}"))
    print(f"optimized={optimized}:".ljust(16), f"compiled {compiled}, variables {variables}, "
          f"rendered {rendered}; assigned {assigned}")
PYTHON
cat "$folder/seen"
sed -n 's/^#   \(optimized=.*\)/\1/p' "$0" | diff - "$folder/seen"
