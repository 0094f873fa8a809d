"""Reading a pattern's text from left to right."""

from typing import NoReturn

from llmbatch.constraints.patterns.errors import PatternError


class Scanner:
    """A text and the place that was read up to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        # True once something was read whose meaning differs between Python and ECMA 262.
        self.ambiguous = False

    def ended(self) -> bool:
        """True if all of the text was read."""
        return self.position >= len(self.text)

    def peek(self, length: int = 1) -> str:
        """The next characters, which stay unread; fewer at the end."""
        return self.text[self.position : self.position + length]

    def take(self, length: int = 1) -> str:
        """The next characters."""
        taken = self.peek(length)
        self.position += length
        return taken

    def accept(self, wanted: str) -> bool:
        """True if the text went on with `wanted`, which is read then."""
        found = self.text.startswith(wanted, self.position)
        self.position += len(wanted) if found else 0
        return found

    def until(self, mark: str, what: str) -> str:
        """The text up to a mark, which is read as well."""
        end = self.text.find(mark, self.position)
        if end < 0:
            self.fail(f"{what} has no end: write {mark} after it")
        taken = self.text[self.position : end]
        self.position = end + len(mark)
        return taken

    def fail(self, message: str, position: int | None = None) -> NoReturn:
        """Refuses the pattern at a place, by default the present one."""
        raise PatternError(message, self.position if position is None else position)
