"""The cost of an answer over HTTP: ours, an asyncio loop with the `openai` client, a whole run.

    make bench-http

The server is a process of its own that gives the same answer of 16 tokens at once, so that the
client is the bottleneck. Rounds are interleaved; the figures are medians.
"""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httptools

from llmbatch.core.records import Message, Request, Sampling
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.registry import load

ROWS, ROUNDS, AT_ONCE, FEW, MANY = 2000, 3, 64, 1000, 11_000
WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen a b"
_MESSAGE = {"role": "assistant", "content": WORDS}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 16, "total_tokens": 56},
}
MODEL = {"id": "m", "object": "model", "created": 1, "owned_by": "vllm", "max_model_len": 4096}


def _reply(content: object) -> bytes:
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


REPLIES = {
    b"/v1/models": _reply({"object": "list", "data": [MODEL]}),
    b"/version": _reply({"version": "0.32.0"}),
    b"/v1/chat/completions": _reply(ANSWER),
}


class Instant(asyncio.Protocol):
    """Answers at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        self._transport.write(REPLIES[self._url])


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def ours(url: str) -> float:
    """Seconds for all rows, the start of the engine included."""
    messages = [(Message("user", f"text number {n} of a mail"),) for n in range(ROWS)]
    sampling = Sampling(max_tokens=16)
    requests = [Request(f"{n:032x}", one, sampling) for n, one in enumerate(messages)]
    began = time.monotonic()
    with load("openai")(EngineConfig("m", servers=Servers((url,)))) as engine:
        assert sum(1 for _ in engine.run(requests)) == ROWS
    return time.monotonic() - began


async def theirs(url: str) -> float:
    """Seconds for the same by the `openai` client."""
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key="none")
    numbers = iter(range(ROWS))

    async def work() -> None:
        for number in numbers:
            await client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": f"text number {number} of a mail"}],
                temperature=0,
                max_tokens=16,
            )

    began = time.monotonic()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return time.monotonic() - began


def cpu_of_run(url: str, rows: int) -> float:
    """Processor seconds of `llmbatch run`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{n},text number {n} of a mail" for n in range(rows)]
        Path(folder, "in.csv").write_text("\n".join(["id,text", *lines]) + "\n")
        given = ["in.csv", "-m", "m", "-p", "Say: {{ text }}", "-o", "out.jsonl"]
        command = [sys.executable, "-m", "llmbatch", "run", *given, "--max-tokens", "16"]
        further = ["--engine", "openai", "--base-url", url]
        subprocess.run([*command, *further], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.http_costs", "serve"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        rounds = [(ours(url), asyncio.run(theirs(url))) for _ in range(ROUNDS)]
        mine, other = (statistics.median(one) for one in zip(*rounds, strict=True))
        print(
            f"{ROWS:,} rows: {mine:.2f} s, by the openai client {other:.2f} s: {other / mine:.1f}x"
        )
        costs = [cpu_of_run(url, MANY) - cpu_of_run(url, FEW) for _ in range(ROUNDS)]
        micro = statistics.median(costs) / (MANY - FEW) * 1e6
        print(f"a whole run: {micro:.0f} us of processor time an outcome")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
