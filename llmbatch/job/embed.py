"""The table [embed]: the vectors of texts, for `--task embed`."""

from typing import Literal

from llmbatch.core.records import Ask
from llmbatch.job.fields import Section, answer, neutral


class EmbedSpec(Section):
    """The vectors of texts."""

    dimensions: int | None = answer(
        None,
        "Keep the first N numbers of a vector, for a model that is made for it.",
        by_default="all",
        ge=1,
        lt=2**20,
    )
    normalize: bool | None = answer(
        None, "Give vectors the length 1, or leave them as they are.", by_default="as the model"
    )
    pooling: Literal["cls", "mean", "last"] | None = answer(
        None, "How tokens become one vector, for a model whose files do not say it."
    )
    prompt_name: str | None = answer(
        None,
        "Which of the model's own prefixes (query, document) each text gets; none: no prefix.",
        by_default="the model's default",
        min_length=1,
    )
    overflow: Literal["fail", "truncate", "split"] = answer(
        "fail",
        "Of a text that is too long: fail, truncate it, or split it and take the mean of its "
        "parts, weighted by their tokens.",
    )
    vector_dtype: Literal["float32", "float16"] = neutral(
        "float32", "The type of the numbers in the output."
    )

    def to_ask(self) -> Ask:
        return Ask(
            "embed",
            dimensions=self.dimensions,
            normalize=self.normalize,
            pooling=self.pooling,
            prompt_name=self.prompt_name,
            overflow=self.overflow,
        )
