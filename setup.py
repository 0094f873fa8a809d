"""The samples are part of the wheel, as `llmbatch/samples`; all else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SAMPLES = Path(__file__).parent / "samples"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "out", "*.llmbatch", "answers*")


class WithSamples(build_py):
    """Builds the package, and copies the samples into it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "llmbatch" / "samples"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(SAMPLES, target, ignore=LEFT_OUT)


setup(cmdclass={"build_py": WithSamples})
