"""The share of the device's limit that generation reached, and the causes of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.accounting import bottlenecks
from llmbatch.accounting.bottlenecks import Batches, Cause, WorkDone
from llmbatch.accounting.usage import RunUsage
from llmbatch.engines.info import EngineInfo
from llmbatch.sizing import memory, roofline
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.roofline import Ceilings, LeastTime, Load

__all__ = ["Cause", "DeviceShare", "compare"]


@dataclass(frozen=True, slots=True)
class DeviceShare:
    """Generation against the device's roofline for the model.

    `peak_flops` (operations/s) and `bandwidth` (bytes/s) are of all devices together, from
    `source`. `prefill_limit`: computed prompt tokens/s where compute is the bound; `decode_limit`:
    output tokens/s at the largest batch that fits, where memory bandwidth is. `tokens_per_second`:
    both kinds of tokens together, as they were. `roofline_seconds`: the least time for the tokens
    of these runs with that batch, one phase after the other (see `sizing.roofline`), `share`: that
    divided by `seconds` of generation. `batch`: requests in a step, the mean; `largest_batch`: how
    many would fit the device. `causes`: the rest of the seconds, the largest first.
    """

    device: str
    source: str
    peak_flops: float
    bandwidth: float
    prefill_limit: float
    decode_limit: float
    tokens_per_second: float
    roofline_seconds: float
    seconds: float
    share: float
    causes: list[Cause]
    batch: float | None = None
    largest_batch: int = 0


def compare(runs: Sequence[RunUsage], engine: EngineInfo | None) -> DeviceShare | None:
    """The generation of `runs`, by that `engine`, against the limit of its device. None where the
    device or the model's sizes are not known, on a CPU, whose share no setting raises by much, and
    where nothing was generated."""
    known = _known(engine)
    work = bottlenecks.sum_up(runs)
    if known is None or not work.requests or not work.output_tokens or work.seconds <= 0:
        return None
    engine, device, shape = known
    load = Load(*(each / work.requests for each in work.tokens))
    batches = _batches(device, shape, engine, work, load)
    dtype = engine.kv_cache_dtype or "auto"
    ceilings = Ceilings.of_device(device)

    def bound(batch: float) -> LeastTime:
        return roofline.least_time(shape, load, batch, ceilings, dtype)

    best = bound(batches.best)
    least = best.seconds * work.requests
    return DeviceShare(
        device=device.title,
        source=device.source,
        peak_flops=ceilings.operations,
        bandwidth=ceilings.bandwidth,
        prefill_limit=best.prefill_limit,
        decode_limit=best.decode_limit,
        tokens_per_second=(work.computed_tokens + work.output_tokens) / work.seconds,
        roofline_seconds=least,
        seconds=work.seconds,
        share=least / work.seconds,
        causes=bottlenecks.find_causes(work, batches, bound, engine),
        batch=batches.ran,
        largest_batch=batches.best,
    )


def _known(engine: EngineInfo | None) -> tuple[EngineInfo, Device, Shape] | None:
    """The engine, its device and its model, if all are known."""
    if engine is None:
        return None
    device, shape = engine.hardware, engine.shape
    if device is None or shape is None or min(device.flops, device.bandwidth) <= 0:
        return None
    if device.kind == "cpu":
        return None
    return engine, device, shape


def _batches(
    device: Device, shape: Shape, engine: EngineInfo, work: WorkDone, load: Load
) -> Batches:
    """The requests that could run at once by the device's memory, the engine's cache and its
    settings, and those that did. A request holds, on the average over its life, the tokens of its
    prompt that the prefix cache does not share, and half of its answer."""
    each = max(1.0, load.prompt - load.cached + load.output / 2)
    dtype = engine.kv_cache_dtype or "auto"
    weights = engine.weight_bytes or shape.weight_bytes
    room = device.total_memory * memory.DEVICE_SHARE - weights - memory.RESERVE * device.count
    most = max(1, int(min(work.requests, room / shape.cache_bytes(each, dtype))))
    tokens = engine.kv_cache_tokens
    return Batches(
        best=most,
        cache=min(most, max(1.0, tokens / each)) if tokens else most,
        allowed=min(most, float(engine.max_num_seqs or most)),
        ran=work.sequences / work.steps if work.steps else None,
    )
