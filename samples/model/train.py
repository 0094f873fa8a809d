"""Trains the demonstration model from nothing: tokenizer, weights, chat template.

    python samples/model/train.py [--steps N] [--out FOLDER] [--pairs FILE] [--layers N] [--width N]

It takes about 22 minutes on one CPU core (seed 2026, one thread, no other input than
`samples/tickets/generate.py`) and writes the folder that `llmbatch run -m samples/model` loads.
The architecture is Qwen3's, so vLLM and transformers load it without any code of ours.

Copying an order id digit by digit is the hard part. So the first steps see nothing but short
tickets and the question for the order id, which forms the attention heads that copy within a few
hundred cheap steps; then come the real tasks.

With `--pairs` it learns from nothing but the chats in a file that `llmbatch export --format sft`
has written, and shares the tokenizer of the demonstration model: so a smaller model (`--layers`,
`--width`) becomes a student of the one that gave the answers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tickets"))

import generate  # noqa: E402
import tasks  # noqa: E402
import vocabulary  # noqa: E402

SEED = 2026
STEPS = 2700
COPY_STEPS = 400  # the first of them
BATCH = 32
BUCKET = 16  # batches sorted by length together, so that little is padding
PEAK_RATE = 2e-3
IGNORE = -100  # the label of a token without loss: prompt and padding


class Sample(NamedTuple):
    """Token ids, and where the answer starts."""

    ids: list[int]
    start: int


class Batch(NamedTuple):
    """Input ids, and for each of them the token that should follow."""

    ids: torch.Tensor
    labels: torch.Tensor


class Encoder:
    """Turns examples into samples with the trained tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def sample(self, example: tasks.Example) -> Sample:
        prompt = self.tokenizer.encode(vocabulary.render(example.messages)).ids
        answer = self.tokenizer.encode(example.answer).ids
        return Sample([*prompt, *answer, vocabulary.END], len(prompt))

    def batch(self, samples: list[Sample]) -> Batch:
        """Right-padded; attention is causal, so the padding needs no mask."""
        longest = max(len(sample.ids) for sample in samples)
        ids = torch.full((len(samples), longest), vocabulary.PAD)
        labels = torch.full((len(samples), longest), IGNORE)
        for row, sample in enumerate(samples):
            size = len(sample.ids)
            ids[row, :size] = torch.tensor(sample.ids)
            labels[row, sample.start : size] = ids[row, sample.start : size]
        return Batch(ids[:, :-1], labels[:, 1:])


def copy_examples(rng: random.Random) -> Iterator[tasks.Example]:
    """Short tickets with the order id as the answer."""
    for ticket in generate.training_tickets(rng, short=True):
        if ticket.order_id:
            message = {"role": "user", "content": f"Order id: {ticket.text}"}
            yield tasks.Example([message], ticket.order_id)


def batches(
    stream: Iterator[tasks.Example], encoder: Encoder, rng: random.Random
) -> Iterator[Batch]:
    """Batches of samples of similar length, in random order."""
    while True:
        samples = [encoder.sample(e) for e in itertools.islice(stream, BATCH * BUCKET)]
        samples.sort(key=lambda sample: len(sample.ids))
        groups = [samples[at : at + BATCH] for at in range(0, len(samples), BATCH)]
        rng.shuffle(groups)
        yield from (encoder.batch(group) for group in groups)


def pairs_of(path: Path) -> Iterator[tasks.Example]:
    """The chats of an export for training, again and again, each time in another order."""
    chats = [json.loads(line)["messages"] for line in path.read_text().splitlines()]
    if not chats:
        raise SystemExit(f"{path}: holds no chats to learn from")
    rng = random.Random(SEED)
    while True:
        rng.shuffle(chats)
        for chat in chats:
            yield tasks.Example(chat[:-1], chat[-1]["content"])


def new_model(layers: int, width: int) -> Qwen3ForCausalLM:
    """A model of heads of 32; half as many for keys and values."""
    heads = width // 32
    config = Qwen3Config(
        vocab_size=vocabulary.VOCABULARY,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2),
        head_dim=32,
        max_position_embeddings=vocabulary.CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=vocabulary.END,
        pad_token_id=vocabulary.PAD,
        attn_implementation="sdpa",
    )
    model = Qwen3ForCausalLM(config)
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=start_std(name))
    return model


def start_std(name: str) -> float:
    """About 1/sqrt(width): the usual 0.02 is meant for wide models and learns slowly here."""
    if "embed" in name:
        return 0.05
    # What is added to the residual stream starts small, so that depth does not blow it up.
    return 0.03 if "o_proj" in name or "down_proj" in name else 0.08


def loss_of(model: Qwen3ForCausalLM, batch: Batch) -> tuple[torch.Tensor, float]:
    """The loss on the answers, and the share of answers that greedy decoding would get right."""
    answers = batch.labels != IGNORE
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[answers]).float()
    targets = batch.labels[answers]
    wrong = torch.zeros(batch.ids.shape, dtype=torch.bool)
    wrong[answers] = logits.argmax(-1) != targets
    return cross_entropy(logits, targets), 1 - wrong.any(1).float().mean().item()


def rate(step: int, steps: int) -> float:
    """Linear warm-up over 3 %, then a cosine to nearly nothing."""
    warm = max(1, steps * 3 // 100)
    if step < warm:
        return PEAK_RATE * (step + 1) / warm
    return PEAK_RATE * (0.01 + 0.99 * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2)


def optimise(model: Qwen3ForCausalLM, stream: Iterator[Batch], steps: int) -> None:
    optimiser = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    began, exact = time.monotonic(), 0.0
    for step, batch in enumerate(itertools.islice(stream, steps), start=1):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps)
        loss, share = loss_of(model, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        exact = 0.97 * exact + 0.03 * share
        if step % 100 == 0:
            seconds = time.monotonic() - began
            print(f"{step}/{steps} loss {loss.item():.3f} exact {exact:.3f} {seconds:.0f} s")


def save(model: Qwen3ForCausalLM, encoder: Encoder, folder: Path) -> None:
    """The files that vLLM reads; bfloat16 halves them."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary.save_tokenizer(encoder.tokenizer, folder)
    model.generation_config = GenerationConfig(
        eos_token_id=vocabulary.END, pad_token_id=vocabulary.PAD, do_sample=False
    )
    model.to(torch.bfloat16).save_pretrained(folder)


def untaught(rng: random.Random) -> tuple[Encoder, Iterator[Batch]]:
    """The tokenizer and the batches of a model that learns from generated tickets."""
    real = tasks.examples(generate.training_tickets(rng), rng)
    corpus = itertools.islice(real, 20_000)
    encoder = Encoder(
        vocabulary.train_tokenizer(vocabulary.render(e.messages) + e.answer for e in corpus)
    )
    copies = itertools.islice(batches(copy_examples(rng), encoder, rng), COPY_STEPS)
    return encoder, itertools.chain(copies, batches(real, encoder, rng))


def taught(pairs: Path, rng: random.Random) -> tuple[Encoder, Iterator[Batch]]:
    """Those of a student."""
    encoder = Encoder(Tokenizer.from_file(str(HERE / "tokenizer.json")))
    return encoder, batches(pairs_of(pairs), encoder, rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--pairs", type=Path, help="learn from the chats of this file alone")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=128, help="a multiple of 32")
    options = parser.parse_args()
    if options.width % 32:
        parser.error("--width: give a multiple of 32")
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    encoder, stream = taught(options.pairs, rng) if options.pairs else untaught(rng)
    model = new_model(options.layers, options.width)
    print(f"{sum(weight.numel() for weight in model.parameters()):,} parameters")
    optimise(model, stream, options.steps)
    save(model, encoder, options.out)


if __name__ == "__main__":
    main()
