"""The settings of a scripted server and of the chaos proxy. They reach it by its standard input."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ServerOptions:
    """The ways of a scripted server. `engine`: options of the scripted engine that answers."""

    engine: dict[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ("scripted",)  # those it serves, by name
    max_model_len: int = 100_000  # words
    tells_context: bool = True  # /v1/models has `max_model_len`, as vLLM's
    kind: str = "vllm"  # what /version and error messages are like: vllm or other
    # The endpoints that it has, of these.
    serves: tuple[str, ...] = (
        "chat", "completions", "embeddings", "score", "rerank", "classify", "tokenize"
    )  # fmt: skip
    latency: float = 0.0  # seconds for each answer
    places: int = 0  # so many are answered at a time, others wait; 0: all
    refuses_over: int = 0  # with more than so many at a time: 503; 0: never
    rate: float = 0.0  # requests a second beyond which it says 429; 0: no limit
    burst: int = 1  # so many at once are within the rate
    rate_after: int = 0  # the limit holds from this request on
    retry_after: str = "seconds"  # what 429 and 503 say: seconds, date, none
    rate_headers: bool = False  # answers have x-ratelimit-* headers
    strict: bool = False  # 400 for fields that it does not know; else they are ignored
    # Those of the fields that not every server knows which it does not ignore.
    honours: tuple[str, ...] = ("response_format", "structured_outputs", "logprob_token_ids")
    scores: str = "raw"  # raw, or sigmoid: with an activation, which a request may switch off
    cuts: bool = True  # vectors are cut to the `dimensions` asked for
    usage: str = "plain"  # full: with cached tokens; plain: without details; none: none at all
    shortens: bool = True  # a max_tokens that does not fit is shortened quietly; else 400
    defaults: dict[str, Any] = field(default_factory=dict)  # of sampling fields that are not sent
    dies_at: int = -1  # answers until the process is gone, with all connections
    # Answers until it is told to end: 500 as vLLM has it from then on, and it ends 0.2 s later.
    ends_at: int = -1
    fails_for: tuple[int, int] = (0, 0)  # from which answer on how many are 500, each retried well
    key: str = ""  # the key that it demands
    tells_key: bool = False  # its refusals repeat the key that they were sent
    loading: float = 0.0  # seconds for which everything is 503
    redirect: str = ""  # everything is sent there (307), with the path appended
    certificate: str = ""  # files of TLS
    certificate_key: str = ""
    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one


@dataclass(frozen=True)
class ChaosOptions:
    """The chaos of a proxy in front of `target`. Shares are those of requests, in 0..1."""

    target: str = ""
    seed: int = 0
    errors: float = 0.0  # 500, 502, 503 and closed connections
    hung: float = 0.0  # never answered
    truncated: float = 0.0  # a body that ends too early
    garbage: float = 0.0  # status 200 with what is no JSON, or another object
    rate: float = 0.0  # requests a second, and 429 beyond; 0: no limit
    burst: int = 1
    retry_after: str = "some"  # which of the 429 have Retry-After: all, some, none
    spares: int = 0  # requests that pass undisturbed at the start
    host: str = "127.0.0.1"
    port: int = 0
