"""The languages of texts, by py3langid (a model of character sequences; 97 languages)."""

from collections import Counter
from collections.abc import Iterable


def counted(texts: Iterable[str]) -> dict[str, int]:
    """The texts by the code of their language (ISO 639-1)."""
    import py3langid  # half a second

    return dict(Counter(py3langid.classify(text)[0] for text in texts))
