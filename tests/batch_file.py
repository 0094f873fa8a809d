"""Batch files for tests and measurements: tickets asked in every way that a body can ask."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TICKETS = ROOT / "samples" / "tickets" / "tickets.jsonl"
_SCHEMA = ROOT / "samples" / "tickets" / "schema.json"
_PROMPT = "Extract category, priority and order id as JSON.\n\n"

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


def line(name: str, body: dict[str, Any], url: str = CHAT) -> str:
    """One line of a batch file."""
    return json.dumps({"custom_id": name, "method": "POST", "url": url, "body": body})


def chat(text: str, **settings: Any) -> dict[str, Any]:
    """The body of a chat of one message."""
    return {"messages": [{"role": "user", "content": text}], **settings}


def ways(*, seeds: bool = True, texts: bool = True) -> list[dict[str, Any]]:
    """Settings of bodies that together have every parameter. `seeds`: with some that draw, which
    are repeatable; `texts`: also of texts without a chat template."""
    schema = json.loads(_SCHEMA.read_text())
    described = {"type": "json_schema", "json_schema": {"name": "ticket", "schema": schema}}
    greedy: list[dict[str, Any]] = [
        {"temperature": 0, "max_tokens": 64},
        {"temperature": 0, "max_completion_tokens": 5},
        {"temperature": 0, "max_tokens": 64, "response_format": described},
        {"temperature": 0, "max_tokens": 40, "response_format": {"type": "json_object"}},
        {"temperature": 0, "structured_outputs": {"choice": ["billing", "refund", "technical"]}},
        {"temperature": 0, "max_tokens": 20, "structured_outputs": {"regex": "(yes|no), [a-z]+"}},
        {"temperature": 0, "max_tokens": 64, "structured_outputs": {"json": schema}},
        {"temperature": 0, "max_tokens": 6, "logprobs": True, "top_logprobs": 3},
        {"temperature": 0, "max_tokens": 4, "logprobs": True},
        {"temperature": 0, "max_tokens": 32, "stop": ["}", ","]},
        {"temperature": 0, "max_tokens": 12, "logit_bias": {"40": 5, "41": -100}},
        {"temperature": 0, "max_tokens": 24, "presence_penalty": 0.5, "frequency_penalty": 0.25},
        {"temperature": 0, "max_tokens": 24, "repetition_penalty": 1.2, "user": "someone"},
        {"temperature": 0, "max_tokens": 9, "min_tokens": 7, "stop": "e", "metadata": {"a": "b"}},
        {"temperature": 0, "max_tokens": 5, "ignore_eos": True, "stream": False, "n": 1},
    ]
    drawn: list[dict[str, Any]] = [
        {"temperature": 0.7, "max_tokens": 12, "seed": 7},
        {"temperature": 1, "top_p": 0.5, "top_k": 20, "min_p": 0.05, "max_tokens": 12, "seed": 8},
        {"temperature": 0.9, "max_tokens": 8, "seed": 9, "n": 3},
        {"temperature": 0.8, "max_tokens": 8, "seed": 4, "logprobs": True, "top_logprobs": 2},
    ]
    plain: list[dict[str, Any]] = [
        {"temperature": 0, "max_tokens": 8, "prompt": True},
        {"temperature": 0, "prompt": True, "logprobs": 2},
    ]
    return [*greedy, *drawn * seeds, *plain * texts]


def lines(rows: int, model: str, **which: bool) -> Iterator[str]:
    """The lines of a file of so many rows, which come in all `ways` in turn."""
    tickets = [json.loads(ticket)["text"] for ticket in TICKETS.read_text().splitlines()]
    settings = ways(**which)
    for number in range(rows):
        way = {"model": model} | settings[number % len(settings)]
        text = _PROMPT + tickets[number // len(settings) % len(tickets)]
        name = f"ticket-{number:05}"
        if way.pop("prompt", False):
            yield line(name, way | {"prompt": text}, COMPLETIONS)
        else:
            yield line(name, chat(text, **way))


def write(path: Path, rows: int, model: str, **which: bool) -> Path:
    """Write a file of so many rows; returns its path."""
    path.write_text("".join(f"{one}\n" for one in lines(rows, model, **which)))
    return path
