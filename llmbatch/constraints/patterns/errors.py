"""The error of a pattern that has no single meaning, or that nothing can match."""


class PatternError(ValueError):
    """The pattern cannot be used, for the reason in the text.

    `position` counts characters from 0; None where the pattern as a whole is at fault.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        place = "" if position is None else f" (at character {position + 1} of the pattern)"
        super().__init__(message + place)
        self.message = message
        self.position = position
