"""The key that servers ask for. It is read from the environment, and shown and stored nowhere."""

import os
from collections.abc import Iterable
from typing import Self

from llmbatch.core.errors import UsageError

HIDDEN = "***"
_SHORTEST_HIDDEN = 4
"""A shorter secret may be a part of anything, and hides nothing."""


class Key:
    """A secret, or none."""

    __slots__ = ("_secrets",)

    def __init__(self, secret: str | None = None, others: Iterable[str] = ()) -> None:
        """`others`: further texts to hide, such as the password of a proxy."""
        self._secrets = (secret, *others)

    @classmethod
    def from_environment(cls, name: str | None, others: Iterable[str] = ()) -> Self:
        """The key in the variable of this name; None: there is none. Raises UsageError."""
        if name is None:
            return cls(None, others)
        value = os.environ.get(name, "").strip()
        if not value:
            raise UsageError(
                f"--api-key-env {name}: there is no such environment variable, or it is empty: "
                f"export {name}=... before the command"
            )
        if not value.isascii() or not value.isprintable():
            raise UsageError(
                f"--api-key-env {name}: the variable holds characters that no key has, such as a "
                "line break in its middle"
            )
        return cls(value, others)

    @property
    def header(self) -> dict[str, str]:
        """The header of a request that carries the key; empty without one."""
        secret = self._secrets[0]
        return {} if secret is None else {"Authorization": f"Bearer {secret}"}

    def hide(self, text: str) -> str:
        """A text from elsewhere, such as a server's message, without the secrets in it."""
        for secret in self._secrets:
            if secret is not None and len(secret) >= _SHORTEST_HIDDEN:
                text = text.replace(secret, HIDDEN)
        return text

    def __repr__(self) -> str:
        return f"Key({HIDDEN if self._secrets[0] else None})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not handed to another process")
