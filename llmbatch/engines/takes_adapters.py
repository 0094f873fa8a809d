"""The adapters of requests, for engines outside the package."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class TakesAdapters(Protocol):
    """An engine that answers a request with the LoRA adapter that it names. Optional; others get no
    job with adapters, which they would answer without."""

    def takes_adapters(self) -> bool:
        """True if it does."""
        ...
