"""The bodies of answers that are generated text, and what they used."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import orjson

from llmbatch.batch_files.wanted import Wanted

Answer = Mapping[str, Any]
# Both ends of what a context takes have one name at OpenAI.
_REASONS = {"context": "length", "repetition": "stop"}


def chat(wanted: Wanted, answers: Sequence[Answer], model: str, number: str) -> dict[str, Any]:
    """The body that answers a chat; `number`: for its id."""
    most = wanted.given.get("top_logprobs", 0)
    choices = [
        {
            "index": index,
            "message": _message(answer),
            "logprobs": _chat_logprobs(answer["logprobs"], most),
            "finish_reason": _reason(answer),
        }
        for index, answer in enumerate(answers)
    ]
    return _whole("chatcmpl", "chat.completion", wanted, answers, choices, model, number)


def plain(wanted: Wanted, answers: Sequence[Answer], model: str, number: str) -> dict[str, Any]:
    """The body that answers texts without a chat template."""
    choices = [
        {
            "index": index,
            "text": answer["answer"],
            "logprobs": _plain_logprobs(answer["logprobs"]),
            "finish_reason": _reason(answer),
        }
        for index, answer in enumerate(answers)
    ]
    return _whole("cmpl", "text_completion", wanted, answers, choices, model, number)


def _whole(
    prefix: str,
    kind: str,
    wanted: Wanted,
    answers: Sequence[Answer],
    choices: list[dict[str, Any]],
    model: str,
    number: str,
) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{number}",
        "object": kind,
        "created": 0,
        "model": model,
        "choices": choices,
        "usage": _usage(answers, wanted.draws),
        "system_fingerprint": None,
    }


def _message(answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer["answer"], "refusal": None}
    if answer["reasoning"] is not None:
        message["reasoning"] = answer["reasoning"]
    return message


def _reason(answer: Answer) -> str:
    reason = str(answer["finish_reason"])
    return _REASONS.get(reason, reason)


def _usage(answers: Sequence[Answer], draws: int) -> dict[str, Any]:
    """The tokens of all answers. A prompt counts once, however often it is drawn."""
    firsts = answers[::draws]
    prompt = sum(answer["prompt_tokens"] for answer in firsts)
    output = sum(answer["output_tokens"] for answer in answers)
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {
            "cached_tokens": sum(answer["cached_tokens"] for answer in firsts)
        },
    }
    if reasoning := sum(answer["reasoning_tokens"] or 0 for answer in answers):
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return usage


def _chat_logprobs(text: str | None, most: int) -> dict[str, Any] | None:
    """The log probabilities of an answer's tokens, and of the `most` likeliest ones."""
    if text is None:
        return None
    content = []
    for (token, logprob), *others in orjson.loads(text):
        likeliest = sorted([[token, logprob], *others], key=lambda pair: -pair[1])
        tops = [_token(*pair) for pair in likeliest[:most]]
        content.append(_token(token, logprob) | {"top_logprobs": tops})
    return {"content": content, "refusal": None}


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}


def _plain_logprobs(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    found = orjson.loads(text)
    tokens = [pairs[0][0] for pairs in found]
    offsets = list(accumulate(map(len, tokens[:-1]), initial=0))
    return {
        "text_offset": offsets,
        "token_logprobs": [pairs[0][1] for pairs in found],
        "tokens": tokens,
        "top_logprobs": [dict(reversed(pairs)) for pairs in found],
    }
