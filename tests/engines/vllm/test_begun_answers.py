"""The engine goes on with an answer that is begun for it, as with one of its own."""

from dataclasses import replace

from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Message, Request
from llmbatch.engines.vllm import engine as vllm
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask

pytestmark = session.needs_vllm


def answer(engine: vllm.VllmEngine, request: Request) -> Completed:
    (outcome,) = engine.run([request])
    assert isinstance(outcome, Completed)
    return outcome


def test_an_answer_goes_on_from_its_beginning(vllm_engine: vllm.VllmEngine) -> None:
    plain = ask("My invoice X-16005 is wrong. Which category?", max_tokens=24)
    whole = answer(vllm_engine, plain)
    prompt = vllm_engine.encode(plain.messages)
    assert prompt is not None
    places = [place for place, letter in enumerate(whole.text) if place and letter in ' "']
    for place in places[:4]:
        begun = replace(plain, messages=(*plain.messages, Message("prefill", whole.text[:place])))
        ids = vllm_engine.encode(begun.messages)
        made = answer(vllm_engine, begun)
        assert ids is not None
        assert made.text.startswith(whole.text[:place])
        assert made.usage.prompt == len(ids) > len(prompt)
        assert ids[: len(prompt)] == prompt
        # Where it was cut between two tokens, the model says the same as without a beginning.
        assert made.text.startswith(whole.text)


def test_a_raw_text_is_asked_without_a_turn(vllm_engine: vllm.VllmEngine) -> None:
    plain = ask("My invoice X-16005 is wrong.")
    raw = replace(plain, messages=(Message("text", plain.messages[0].content),))
    chat, text = answer(vllm_engine, plain), answer(vllm_engine, raw)
    assert text.usage.prompt < chat.usage.prompt
