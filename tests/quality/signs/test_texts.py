"""The signs of a text alone or beside its row: right and wrong cases in several languages."""

from typing import Any

import pytest

from llmbatch.quality.signs import echo, empty, leak, refusal, repetition
from tests.quality.signs.subjects import subject

TICKET = "My parcel has not arrived yet and the tracking page shows nothing since last Monday."
PAKET = "Mein Paket ist noch nicht da und die Sendungsverfolgung zeigt seit Montag nichts an."
COLIS = "Mon colis n'est pas encore arrivé et le suivi n'affiche rien depuis lundi dernier."


@pytest.mark.parametrize("answer", ["", " \n", "...", "—!?", {}, {"a": None, "b": [""]}])
def test_empty(answer: Any) -> None:
    assert empty.look(subject(answer)) is not None


@pytest.mark.parametrize("answer", ["a", "ß", "是", "0", {"a": None, "b": 0}, {"ok": False}])
def test_not_empty(answer: Any) -> None:
    assert empty.look(subject(answer)) is None


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot provide a summary of this text.",
        "I don\u2019t have enough information to answer.",
        "Es tut mir leid, aber diese Frage kann ich nicht beantworten.",
        "Ich kann dir dabei leider nicht helfen.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Je ne peux pas répondre à cette question.",
        "Lo siento, pero no puedo ayudarte.",
        "抱歉\uff0c我无法回答这个问题。",
    ],
)
def test_refusal(answer: str) -> None:
    assert refusal.look(subject(answer, text=TICKET)) is not None
    # Where the prompt gives this answer, or asks for letters of refusal, it is none.
    assert refusal.look(subject(answer, instruction=f"If unsure, say: {answer}")) is None
    assert (
        refusal.look(subject(answer, instruction="Write a letter that declines the offer")) is None
    )
    assert refusal.look(subject(answer, text=f"He said: {answer}")) is None


@pytest.mark.parametrize(
    "answer",
    [
        "The customer cannot log in and asks for help.",
        "We are sorry for the delay; your parcel arrives on Monday.",
        "Der Kunde kann sich nicht anmelden und bittet um Hilfe.",
        "Es ist nicht möglich, die Rechnung zu öffnen.",
        "Le client ne peut pas ouvrir sa facture.",
        "El cliente no puede entrar en su cuenta.",
    ],
)
def test_no_refusal(answer: str) -> None:
    assert refusal.look(subject(answer, text=TICKET)) is None


@pytest.mark.parametrize("text", [TICKET, PAKET, COLIS, "我的包裹还没有到\uff0c物流页面没有更新。"])
def test_echo(text: str) -> None:
    for answer in (text, text.upper(), f"Text: {text}", text[: len(text) * 2 // 3]):
        assert echo.look(subject(answer, text=text)) == "column text"


def test_an_echo_of_the_prompt() -> None:
    instruction = "Sum up this text in one short sentence, in plain words."
    answer = "Sum up this text in one short sentence"
    assert echo.look(subject(answer, instruction=instruction, text=TICKET)) == "the prompt"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (TICKET, "A parcel is late and its tracking has stood still since Monday."),
        (TICKET, "since last Monday"),
        (PAKET, "Das Paket ist verspätet, die Sendungsverfolgung steht seit Montag still."),
        (COLIS, "Le colis est en retard et le suivi est bloqué depuis lundi."),
        (f"{TICKET} {PAKET} {COLIS}", PAKET),  # one sentence of three: an extract
        ("yes or no", "yes or no"),  # too short
    ],
)
def test_no_echo(text: str, answer: str) -> None:
    assert echo.look(subject(answer, text=text)) is None


@pytest.mark.parametrize(
    "answer",
    [
        "The parcel is late. The parcel is late. The parcel is late.",
        "Das Paket ist zu spät.\nDas Paket ist zu spät.\nDas Paket ist zu spät.",
        "Le colis est en retard. Le colis est en retard. Le colis est en retard.",
        "and then he went home " * 6,
        "x" * 200,
        "hahaha" * 20,
        "很好很好" * 30,
    ],
)
def test_repetition(answer: str) -> None:
    assert repetition.look(subject(answer, text=TICKET)) is not None
    assert repetition.look(subject(answer, text=answer)) is None


@pytest.mark.parametrize(
    "answer",
    [
        TICKET,
        f"{PAKET} {COLIS}",
        "- one\n- one\n- one\n- two",
        "---------------------------------------------------------------------",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 |\n| 1 | 2 |",
        "https://example.org/a/very/long/path/that/does/not/repeat/at/all/0123456789abcdefghijk",
    ],
)
def test_no_repetition(answer: str) -> None:
    assert repetition.look(subject(answer, text=TICKET)) is None


@pytest.mark.parametrize(
    "answer",
    [
        "Yes.<|im_end|>\n<|im_start|>user",
        "[INST] Sum up [/INST]",
        "Dear {{ name }}, thank you",
        "### Response:\nYes",
        "As an AI language model, I see a late parcel.",
        "Als KI-Sprachmodell sehe ich ein Paket.",
        "En tant qu'IA, je vois un colis.",
        "Fine.</s>",
        "<think>The user wants",
    ],
)
def test_leak(answer: str) -> None:
    assert leak.look(subject(answer, text=TICKET)) is not None
    assert leak.look(subject(answer, text=f"He wrote: {answer}")) is None


@pytest.mark.parametrize(
    "answer",
    [
        TICKET,
        "a < b | c > d",
        "Use {x} and <b>bold</b>.",
        "The response: yes.",
        "AI helps with this.",
        "KI hilft dabei.",
        "L'IA aide.",
    ],
)
def test_no_leak(answer: str) -> None:
    assert leak.look(subject(answer, text=TICKET)) is None
