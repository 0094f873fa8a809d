"""The key comes from the environment, and shows nowhere."""

import pickle

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines.http.key import Key

PLANTED = "sk-planted-0123456789"


def test_the_key_is_that_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_KEY", f" {PLANTED}\n")
    key = Key.from_environment("SERVER_KEY")
    assert key.header == {"Authorization": f"Bearer {PLANTED}"}
    assert Key.from_environment(None).header == {}


@pytest.mark.parametrize("value", [None, "", "  ", f"{PLANTED}\nmore", f"{PLANTED}é"])
def test_a_variable_without_a_key_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("SERVER_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SERVER_KEY", value)
    with pytest.raises(UsageError, match="--api-key-env SERVER_KEY") as caught:
        Key.from_environment("SERVER_KEY")
    assert PLANTED not in str(caught.value)


def test_it_is_hidden_in_texts_and_in_itself() -> None:
    key = Key(PLANTED, ["proxy-password", "abc"])
    text = f"Incorrect key {PLANTED} by proxy-password abc"
    assert key.hide(text) == "Incorrect key *** by *** abc"
    assert PLANTED not in f"{key!r} {key} {vars(Key)}"
    with pytest.raises(TypeError):
        pickle.dumps(key)
