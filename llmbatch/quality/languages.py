"""The languages of texts, by py3langid (a model of character sequences; 97 languages)."""

import sys
from collections import Counter
from collections.abc import Iterable


def counted(texts: Iterable[str]) -> dict[str, int]:
    """The texts by the code of their language (ISO 639-1). The model is loaded at the first call,
    which takes half a second, and stays until `forget`."""
    import py3langid

    return dict(Counter(py3langid.classify(text)[0] for text in texts))


def forget() -> None:
    """Free the model, 70 MiB; nothing if it is not there."""
    module = sys.modules.get("py3langid.langid")
    if module is not None:
        module.IDENTIFIER = None  # type: ignore[attr-defined]
