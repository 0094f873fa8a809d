"""The best speed of a device: the serial roofline of a transformer.

Reading a prompt is bound by arithmetic, making tokens mostly by memory: a step of the decoder
reads all weights once for all sequences of the batch (of a mixture of experts those that some
token is sent to), and of each sequence the keys and values so far. The two phases are taken one
after the other (Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance
model", for the model; the counts of operations are those of the matrix products and of attention).
"""

from dataclasses import dataclass
from typing import Self

from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most operations and bytes a second that a device reaches."""

    operations: float
    bandwidth: float

    @classmethod
    def of_device(cls, device: Device) -> Self:
        """Those of all devices together; the traffic between them is taken to cost nothing."""
        return cls(device.flops * device.count, device.bandwidth * device.count)


@dataclass(frozen=True, slots=True)
class Load:
    """The average request: tokens of its prompt, those of them cached, tokens of its answer."""

    prompt: float
    cached: float
    output: float


@dataclass(frozen=True, slots=True)
class LeastTime:
    """The least seconds of the device for one request, one phase after the other.

    `prefill_limit`: computed prompt tokens a second, `decode_limit`: output tokens a second, each
    while nothing else is done; 0 where there are no such tokens.
    """

    prefill_seconds: float
    decode_seconds: float
    prefill_limit: float
    decode_limit: float

    @property
    def seconds(self) -> float:
        return self.prefill_seconds + self.decode_seconds


def least_time(
    shape: Shape, load: Load, batch: float, ceilings: Ceilings, cache_dtype: str = "auto"
) -> LeastTime:
    """The least time for one request of `load` when `batch` of them run at once."""
    new = max(0.0, load.prompt - load.cached)
    attended = shape.attention_operations((load.prompt**2 - load.cached**2) / 2)
    prefill = (2 * shape.active_values * new + attended) / ceilings.operations
    # The first token comes with the prompt.
    more = max(0.0, load.output - 1)
    context = load.prompt + load.output / 2
    each = _token_seconds(shape, context, max(1.0, batch), ceilings, cache_dtype)
    return LeastTime(prefill, more * each, new / prefill if prefill > 0 else 0.0, 1 / each)


def seconds(
    shape: Shape, load: Load, batch: float, ceilings: Ceilings, cache_dtype: str = "auto"
) -> float:
    """The least time for one request of `load` when `batch` of them run at once."""
    return least_time(shape, load, batch, ceilings, cache_dtype).seconds


def _token_seconds(
    shape: Shape, context: float, batch: float, ceilings: Ceilings, cache_dtype: str
) -> float:
    """Seconds per sequence of a step with `batch` sequences of `context` tokens."""
    read = shape.step_bytes(batch) / batch + shape.cache_bytes(context, cache_dtype)
    products = 2 * (shape.active_values + shape.head_values)
    operations = products + shape.attention_operations(context)
    return max(read / ceilings.bandwidth, operations / ceilings.operations)
