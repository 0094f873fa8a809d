"""The table [cost]: the prices of devices and tokens, and the columns that divide the cost."""

from typing import Any

from pydantic import field_validator, model_validator

from llmbatch.job.fields import Section, neutral

_MOST_MONEY = 1e15


class TokenPrice(Section):
    """A price for a million tokens; cached prompt tokens cost as the others by default."""

    input: float = neutral(..., "Price of a million prompt tokens.", ge=0, le=_MOST_MONEY)
    output: float = neutral(..., "Price of a million output tokens.", ge=0, le=_MOST_MONEY)
    cached: float | None = neutral(
        None, "Price of a million cached prompt tokens.", ge=0, le=_MOST_MONEY
    )
    name: str | None = neutral(None, "Name of the price, such as its seller's.")

    def cost_of(self, prompt: int, cached: int, output: int) -> float:
        """The price of so many tokens; the cached ones are part of the prompt's."""
        for_cached = self.input if self.cached is None else self.cached
        spent = (prompt - cached) * self.input + cached * for_cached + output * self.output
        return spent / 1_000_000


class CostSpec(Section):
    """The price of the devices, or of the tokens, and the division of the cost."""

    price_per_hour: float | None = neutral(
        None, "Price of one device for one hour.", ge=0, le=_MOST_MONEY
    )
    devices: int | None = neutral(
        None,
        "Number of devices that the engine uses.",
        by_default="as its options say",
        ge=1,
        lt=2**31,
    )
    currency: str = neutral("USD", "Shown beside every amount.")
    price_per_million: TokenPrice | None = neutral(
        None, "Price of a million tokens, IN/OUT[/CACHED], of an engine that is paid by the token."
    )
    listed_price: TokenPrice | None = neutral(
        None, "A price to compare with, for a million tokens: IN/OUT[/CACHED]."
    )
    attribute_by: tuple[str, ...] = neutral(
        (), "Divide the cost by the values of these columns: a,b,c."
    )

    @field_validator("price_per_million", "listed_price", mode="before")
    @classmethod
    def _prices(cls, value: Any) -> Any:
        return price_of(value)

    @field_validator("attribute_by", mode="before")
    @classmethod
    def _columns(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        if isinstance(value, list | tuple) and len(set(value)) < len(value):
            raise ValueError("names a column twice")
        return value

    @model_validator(mode="after")
    def _one_price(self) -> "CostSpec":
        if self.price_per_hour is not None and self.price_per_million is not None:
            raise ValueError(
                "price_per_hour and price_per_million are both given: devices are paid by the "
                "hour, or an engine by the token; give one of the two"
            )
        return self


def price_of(value: Any) -> Any:
    """A price of tokens in whatever form it is given."""
    if isinstance(value, str):
        return _token_price(value)
    if value is not None and not isinstance(value, dict | TokenPrice):
        raise ValueError("write IN/OUT or IN/OUT/CACHED, or a table with input and output")
    return value


def _token_price(text: str) -> dict[str, str]:
    """`0.15/0.60` or `0.15/0.60/0.075`, as the flag has it."""
    parts = text.split("/")
    if len(parts) not in (2, 3):
        raise ValueError("write IN/OUT or IN/OUT/CACHED, for a million tokens each: 0.15/0.60")
    return dict(zip(("input", "output", "cached"), parts, strict=False))
