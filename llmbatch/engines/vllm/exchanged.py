"""The models whose stored tokenizer transformers exchanges for one of another class.

Its releases change which these are, so the installed one is asked: by its source, since importing
it takes seconds.
"""

import functools
import importlib.util
import re
from pathlib import Path

# Those of any release, by the beginnings of their types; for a release that cannot be read.
_OF_ANY = ("qwen",)
_SOURCE = "models/auto/tokenization_auto.py"
_LIST = re.compile(r"^MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS\b[^=\n]*=\s*\{([^{}]*)\}", re.M)
_NAME = re.compile(r"""^\s*["']([^"']+)["'],""", re.M)


def is_exchanged(model_type: str) -> bool:
    """True if the installed transformers may load another class for a model of this type than the
    one that its files name."""
    listed = _listed()
    return model_type.startswith(_OF_ANY) if listed is None else model_type in listed


@functools.cache
def _listed() -> frozenset[str] | None:
    """The types that its source lists; None where it has no such list."""
    spec = importlib.util.find_spec("transformers")
    places = spec.submodule_search_locations if spec is not None else None
    return read(Path(next(iter(places)))) if places else None


def read(folder: Path) -> frozenset[str] | None:
    """The types that the source of transformers in this folder lists; None where it does not."""
    try:
        text = (folder / _SOURCE).read_text(encoding="utf-8")
    except OSError:
        return None
    found = _LIST.search(text)
    names = frozenset(_NAME.findall(found[1])) if found else frozenset()
    return names or None
