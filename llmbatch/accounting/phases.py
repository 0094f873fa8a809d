"""The time and the money of one run by phase, and by kind of token.

A run that is paid by the hour costs what its time costs. Its generation is divided among its
tokens by their weights, so that a token has a price: what the seconds that it took the device
cost. One that is paid by the token costs what its tokens cost, however long they took.
"""

from llmbatch.accounting.usage import Rates, RunUsage

PHASES = (
    "reading and planning",
    "engine start",
    "prefill",
    "decode",
    "idle",
    "engine stop",
    "export",
    "other",
)
"""The phases of a run that follow each other, in their order."""


def seconds_by_phase(run: RunUsage) -> dict[str, float]:
    """The seconds of each of PHASES, which add up to those of the run.

    Prefill and decode are the generation without idle time, divided by the weights of what was
    computed; it is "other" where nothing was. Should a clock that was set have left a run shorter
    than its phases, they are scaled to it.
    """
    idle = min(run.idle_seconds, run.generate_seconds)
    prompt, output = _weighed(run)
    busy = run.generate_seconds - idle
    known = prompt + output
    seconds = {
        "reading and planning": run.prepare_seconds,
        "engine start": run.engine_start_seconds,
        "prefill": busy * prompt / known if known else 0.0,
        "decode": busy * output / known if known else 0.0,
        "idle": idle,
        "engine stop": run.engine_stop_seconds,
        "export": run.export_seconds,
        "other": 0.0 if known else busy,
    }
    named = sum(seconds.values())
    if named > run.seconds:
        return {name: value * run.seconds / named for name, value in seconds.items()}
    return seconds | {"other": seconds["other"] + run.seconds - named}


def cost_by_phase(run: RunUsage) -> dict[str, float]:
    """The money of each of PHASES, which add up to that of the run; nothing without a price.

    By the token, prompt tokens are prefill, output tokens decode, and the rest costs nothing.
    """
    price = run.price_per_million
    if price is not None:
        prefill = price.cost_of(run.computed_tokens, run.cached_tokens, 0)
        paid = {"prefill": prefill, "decode": price.cost_of(0, 0, run.output_tokens)}
        return dict.fromkeys(PHASES, 0.0) | paid
    second = cost_of_second(run)
    return {name: seconds * second for name, seconds in seconds_by_phase(run).items()}


def cost_of_second(run: RunUsage) -> float:
    """The cost of a second of the run; 0 without a price by the hour."""
    return (run.price_per_hour or 0.0) * run.devices / 3600


def rates(run: RunUsage) -> Rates | None:
    """The cost of a million further tokens in this run, by their seconds of generation or by their
    price. None without a price."""
    return rates_like(run, run)


def rates_like(run: RunUsage, like: RunUsage) -> Rates | None:
    """As `rates`, at the price of `run`, with the seconds that tokens took in the run `like`."""
    if run.price_per_million is not None:
        return run.price_per_million
    if run.price_per_hour is None:
        return None
    phases = seconds_by_phase(like)
    known = sum(_weighed(like))
    busy = phases["prefill"] + phases["decode"]
    million = 1_000_000 * cost_of_second(run) * (busy / known if known else 0.0)
    return Rates(million * like.weights.prompt, 0.0, million * like.weights.output)


def parts(run: RunUsage) -> tuple[float, float, float] | None:
    """All that the run cost, divided among computed prompt tokens, cached ones and output tokens:
    by their weights, or their prices. None without a price or where nothing was computed."""
    price = run.price_per_million
    if price is not None:
        computed = price.cost_of(run.computed_tokens, 0, 0)
        return (
            computed,
            price.cost_of(0, run.cached_tokens, 0),
            price.cost_of(0, 0, run.output_tokens),
        )
    prompt, output = _weighed(run)
    if run.cost is None or prompt + output <= 0:
        return None
    each = run.cost / (prompt + output)
    return prompt * each, 0.0, output * each


def _weighed(run: RunUsage) -> tuple[float, float]:
    """The seconds that the weights give for the prompt tokens and for the output tokens."""
    return run.weights.prompt * run.computed_tokens, run.weights.output * run.output_tokens
