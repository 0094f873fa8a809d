"""The table [template]: how the messages of a request become the model's prompt."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from llmbatch.core.records import ChatSettings
from llmbatch.job.fields import Section, answer, rendered


class TemplateSpec(Section):
    """The chat template and what it is given."""

    chat_template: str | None = answer(
        None,
        "Chat template (a file, Jinja2) in place of the model's.",
        in_key_by_default=False,
        min_length=1,
    )
    kwargs: dict[str, Any] = answer({}, "A variable of the chat template.", in_key_by_default=False)
    thinking: Literal["off", "on"] | Annotated[int, Field(ge=1, lt=2**31)] | None = answer(
        None,
        "Let the model think before it answers: off, on, or in so many tokens at most.",
        by_default="as the chat template has it",
        in_key_by_default=False,
    )
    system_as_user: bool = rendered(
        False, "Put the system prompt before the user's message, for models without that role."
    )

    @field_validator("kwargs")
    @classmethod
    def _typed(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        """A text is true to a template, whatever it says."""
        for name, value in kwargs.items():
            if isinstance(value, str) and value.strip().lower() in ("true", "false"):
                raise ValueError(f"{name}: {value!r} is a text; write {value.strip().lower()}")
        return kwargs

    def to_settings(self) -> ChatSettings:
        return ChatSettings(self.chat_template, self.kwargs, self.thinking)
